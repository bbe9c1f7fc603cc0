"""Cargo.lock, versions 1 to 4, and what Cargo.toml asks for."""

from collections.abc import Iterator
from typing import Any

from weft_tasks.locks.base import Builder, Extent, Lock, Unreadable, items, table, tables, text
from weft_tasks.locks.documents import read_toml

_MOST_VERSIONS = 200
_KINDS = ("dependencies", "dev-dependencies", "dev_dependencies", "build-dependencies", "build_dependencies")


def normalized(name: str) -> str:
    """The name of a crate as code and registry compare it."""
    return name.replace("_", "-")


def read_lock(source: bytes) -> Lock:
    """The lock of a Cargo.lock. Raises Unreadable."""
    document = read_toml(source)
    packages = list(tables(document.get("package")))
    checksums = table(document, "metadata")
    by_name: dict[str, list[tuple[str, str, str]]] = {}
    builder = Builder(Extent.GRAPH)
    for package in packages:
        key = _key(package)
        versions = by_name.setdefault(key[0], [])
        versions.append(key)
        if len(versions) > _MOST_VERSIONS:
            raise Unreadable(f"more than {_MOST_VERSIONS} packages of one name")
        if key[2]:  # All others are the repository's own.
            checksum = text(package.get("checksum")) or text(checksums.get(f"checksum {key[0]} {key[1]} ({key[2]})"))
            builder.add(key, normalized(key[0]), key[1], key[2], checksum)
    for package in packages:
        for needed in items(package.get("dependencies")):
            for found in _meant(text(needed), by_name):
                builder.require(_key(package), found)
    return builder.build()


def _key(package: dict[str, Any]) -> tuple[str, str, str]:
    return text(package.get("name")), text(package.get("version")), text(package.get("source"))


def _meant(needed: str, by_name: dict[str, list[tuple[str, str, str]]]) -> list[tuple[str, str, str]]:
    """The packages that `name`, `name version` or `name version (source)` may mean."""
    name, version, source = (*needed.split(" ", 2), "", "")[:3]
    found = by_name.get(name, [])
    return [
        key
        for key in found
        if (not version or key[1] == version) and (not source or key[2].split("#")[0] == source[1:-1].split("#")[0])
    ]


def read_manifest(source: bytes) -> Lock:
    """What a Cargo.toml asks for. Raises Unreadable."""
    builder = Builder(Extent.DIRECT)
    document = read_toml(source)
    places = [document, table(document, "workspace"), *tables(list(table(document, "target").values()))]
    places += [{"dependencies": each} for each in (*table(document, "patch").values(), table(document, "replace"))]
    asked: dict[str, list[str]] = {}
    for name, wanted in _asked(places):
        asked.setdefault(name, []).append(wanted)
    for name, wanted_ones in asked.items():
        builder.add(name, name, ", ".join(sorted(set(wanted_ones))))
    return builder.build()


def _asked(places: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for place in places:
        for kind in _KINDS:
            for key, value in table(place, kind).items():
                wanted = value if isinstance(value, dict) else {"version": value}
                if "path" in wanted and "version" not in wanted and "git" not in wanted:
                    continue
                name = normalized(text(wanted.get("package")) or key)
                # Features are code that is compiled in or not.
                features = ",".join(sorted(map(text, items(wanted.get("features")))))
                source = " ".join(
                    text(wanted.get(each)) for each in ("git", "rev", "tag", "branch", "default-features")
                )
                yield name, " ".join(filter(None, (text(wanted.get("version")), source.strip(), features)))
