"""uv.lock, poetry.lock, pdm.lock, pylock.toml and Pipfile.lock: the locks of Python's tools."""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterator
from typing import Any

from weft_tasks.locks.base import Builder, Extent, Lock, Unreadable, items, table, tables, text
from weft_tasks.locks.documents import read_json, read_toml

_SEPARATORS = re.compile(r"[-_.]+")
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_MOST_VERSIONS = 200
_LOCAL = ("virtual", "editable", "directory", "path")


def normalized(name: str) -> str:
    """The name of a distribution as all tools compare it (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()


def read_packages(source: bytes) -> Lock:
    """The lock of a TOML file with `[[package]]` (uv, Poetry, PDM) or `[[packages]]` (PEP 751). Raises Unreadable."""
    document = read_toml(source)
    listed = document.get("package", document.get("packages"))
    if not isinstance(listed, list) and not {"version", "metadata", "lock-version"} & document.keys():
        raise Unreadable("without packages")
    packages = [each for each in tables(listed) if text(each.get("name"))]
    outside = [each for each in packages if not _folder(each)]
    files = _files(document)
    builder = Builder(Extent.GRAPH)
    keys: defaultdict[str, list[tuple[Hashable, str]]] = defaultdict(list)
    for number, package in enumerate(outside):
        name, version = normalized(text(package.get("name"))), text(package.get("version"))
        extras = ",".join(sorted(map(text, items(package.get("extras")))))
        builder.add(number, name, version, _source(package), extras, *_hashes(package, files.get(name, [])))
        keys[name].append((number, version))
        if len(keys[name]) > _MOST_VERSIONS:
            raise Unreadable(f"more than {_MOST_VERSIONS} packages of one name")
    for number, package in enumerate(outside):
        for name, version in _needed(package):
            for key in _of_version(keys.get(name, []), version):
                builder.require(number, key)
    for package in packages:
        if folder := _folder(package):
            named = {
                name: found[0]
                for name, version in _needed(package)
                if (found := _of_version(keys.get(name, []), version))
            }
            builder.scope("" if folder == "." else folder.removeprefix("./").rstrip("/"), named)
    return builder.build()


def _folder(package: dict[str, Any]) -> str:
    """The folder of a package of the repository itself, as uv notes it; empty for all others."""
    source = table(package, "source")
    return next((text(source.get(kind)) for kind in _LOCAL if text(source.get(kind))), "")


def _source(package: dict[str, Any]) -> str:
    source = table(package, "source") or table(package, "vcs")
    return " ".join(f"{key}={text(value)}" for key, value in sorted(source.items()) if key != "registry")


def _files(document: dict[str, Any]) -> dict[str, list[Any]]:
    """Files of packages where they stand apart, as in earlier versions of Poetry and PDM."""
    found: dict[str, list[Any]] = {}
    for key in ("files", "hashes"):
        for name, files in table(document, "metadata", key).items():
            found.setdefault(normalized(name.partition(" ")[0]), []).extend(items(files))
    return found


def _hashes(package: dict[str, Any], apart: list[Any]) -> list[str]:
    """The hashes of all files of a package, sorted: one added later is another content on some machine."""
    listed = [*items(package.get("files")), *items(package.get("wheels")), *apart]
    listed += [package[kind] for kind in ("sdist", "archive") if isinstance(package.get(kind), dict)]
    found = set()
    for each in listed:
        if isinstance(each, str):
            found.add(each)
        elif isinstance(each, dict):
            found.add(text(each.get("hash")) or " ".join(map(text, table(each, "hashes").values())))
    return sorted(found)


def _needed(package: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(normalized name, version or "") of what a package needs."""
    lists = [package.get("dependencies")]
    lists += [*table(package, "optional-dependencies").values(), *table(package, "dev-dependencies").values()]
    for needs in lists:
        if isinstance(needs, dict):
            yield from ((normalized(name), "") for name in needs)
        for each in items(needs):
            if isinstance(each, dict):
                yield normalized(text(each.get("name"))), text(each.get("version"))
            elif found := _NAME.match(text(each)):
                yield normalized(found[1]), ""


def _of_version(candidates: list[tuple[Hashable, str]], version: str) -> list[Hashable]:
    """The packages of one name that may be meant."""
    return [key for key, known in candidates if known == version] or [key for key, _ in candidates]


def read_pipfile(source: bytes) -> Lock:
    """The lock of a Pipfile.lock. Raises Unreadable."""
    document = read_json(source)
    if "_meta" not in document:
        raise Unreadable("not a Pipfile.lock")
    builder = Builder(Extent.FLAT)
    for section in sorted(document.keys() - {"_meta"}):
        for name, entry in table(document, section).items():
            entry = table(entry)
            where = (text(entry.get(key)) for key in ("git", "ref", "file", "path", "url"))
            hashes = sorted(map(text, items(entry.get("hashes"))))
            version = text(entry.get("version")).removeprefix("==")
            builder.add((section, name), normalized(name), version, *where, *hashes)
    return builder.build()
