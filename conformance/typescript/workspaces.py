"""Workspaces of an exported folder, linked in node_modules as package managers would. Knows no edges and no resolver.

Written for this purpose alone: nothing here is shared with Weft's resolver.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyjson5
import yaml

from weft_storage.model.paths import ancestors, join, parent

_DEPENDENCIES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")


@contextmanager
def linked(root: str, paths: Iterable[str]) -> Iterator[None]:
    """Links for every member of every workspace in the folder, and for dependencies by path; gone afterwards."""
    made: list[Path] = []
    try:
        for folder, name, target in links(root, sorted(paths)):
            link = Path(root, folder, "node_modules", name)
            if not os.path.lexists(link):
                _make(link, Path(root, target), made)
        yield
    finally:
        for path in reversed(made):
            path.unlink() if path.is_symlink() else path.rmdir()


def links(root: str, paths: list[str]) -> Iterator[tuple[str, str, str]]:
    """(folder, name, folder of the package): what stands in the first's node_modules under the name, the first of each
    counting. `paths` are sorted.
    """
    manifests = {parent(path): _read(root, path) for path in paths if _is(path, "package.json")}
    for folder, manifest in manifests.items():
        for key in _DEPENDENCIES:
            for name, wanted in _mapping(manifest.get(key)).items():
                target = _by_path(folder, wanted)
                target = _by_alias(wanted, manifests) if target is None else target
                target = _by_root(folder, name, wanted, manifests) if target is None else target
                if target is not None and target in manifests:
                    yield folder, name, target
    for folder, patterns in _workspaces(root, paths, manifests):
        taken = [expression(folder, each) for each in patterns if not each.startswith("!")]
        left_out = [expression(folder, each[1:]) for each in patterns if each.startswith("!")]
        for member, manifest in manifests.items():
            called = manifest.get("name")
            fits = any(each.fullmatch(member) for each in taken) and not any(
                each.fullmatch(member) for each in left_out
            )
            if fits and isinstance(called, str) and re.fullmatch(r"(@[\w.~-]+/)?[\w~-][\w.~-]*", called):
                yield folder, called, member


def _make(link: Path, target: Path, made: list[Path]) -> None:
    missing = [each for each in link.parents if not each.exists()]
    for folder in reversed(missing):
        folder.mkdir()
        made.append(folder)
    link.symlink_to(os.path.relpath(target, link.parent.resolve()))
    made.append(link)


def _workspaces(root: str, paths: list[str], manifests: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for folder, manifest in manifests.items():
        declared = manifest.get("workspaces")
        declared = declared.get("packages") if isinstance(declared, dict) else declared
        yield folder, _texts(declared)
    for path in paths:
        if _is(path, "pnpm-workspace.yaml") or _is(path, "lerna.json"):
            yield parent(path), _texts(_read(root, path).get("packages"))
        elif _is(path, "rush.json"):
            projects = _read(root, path).get("projects") or []
            yield parent(path), [each["projectFolder"] for each in projects if "projectFolder" in each]


def _by_path(folder: str, wanted: object) -> str | None:
    if not isinstance(wanted, str):
        return None
    found = re.fullmatch(r"(?:file|link|portal):(?://)?(?!/)(.+)|(?:workspace:)?(\.\.?(?:/.*)?)", wanted)
    return join(folder, found[1] or found[2]) if found else None


def _by_alias(wanted: object, manifests: Mapping[str, Any]) -> str | None:
    """`workspace:name@range` under another name."""
    found = re.fullmatch(r"workspace:((?:@[^/]+/)?[^@/]+)@.*", wanted) if isinstance(wanted, str) else None
    return next((each for each, raw in manifests.items() if found and raw.get("name") == found[1]), None)


def _by_root(folder: str, name: str, wanted: object, manifests: Mapping[str, Any]) -> str | None:
    """The root of a workspace is one of its packages too, where the protocol asks for it."""
    if not isinstance(wanted, str) or not wanted.startswith("workspace:"):
        return None
    return next((each for each in ancestors(folder) if manifests.get(each, {}).get("name") == name), None)


def expression(folder: str, glob: str) -> re.Pattern[str]:
    """A glob of folders as a regular expression over paths from the root."""
    pattern = "/".join(filter(None, (folder, glob.removeprefix("./").rstrip("/"))))
    pieces = re.split(r"(\*\*/?|\*|\?|\{|\}|,)", pattern)
    depth, text = 0, ""
    for piece in pieces:
        depth += (piece == "{") - (piece == "}")
        if piece in ("{", "}"):
            text += "(?:" if piece == "{" else ")"
        elif piece == ",":
            text += "|" if depth else ","
        else:
            text += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(piece, re.escape(piece))
    return re.compile(text)


def _read(root: str, path: str) -> dict[str, Any]:
    text = Path(root, path).read_text(encoding="utf-8-sig", errors="replace")
    try:
        value = yaml.safe_load(text) if path.endswith(".yaml") else pyjson5.decode(text)
    except (ValueError, yaml.YAMLError, pyjson5.Json5Exception):
        return {}
    return value if isinstance(value, dict) else {}


def _is(path: str, name: str) -> bool:
    return (path == name or path.endswith(f"/{name}")) and "node_modules/" not in path


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: object) -> list[str]:
    value = [value] if isinstance(value, str) else value
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
