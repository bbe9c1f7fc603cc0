"""package-lock.json and npm-shrinkwrap.json, versions 1 to 3. Knows the folders of node_modules, not the disk.

https://docs.npmjs.com/cli/configuring-npm/package-lock-json
"""

from collections.abc import Hashable, Iterator
from typing import Any

from weft_tasks.locks.base import Builder, Extent, Lock, Unreadable, table, text
from weft_tasks.locks.documents import read_json

_MODULES = "node_modules/"
# No tree is that deep, and every package looks for others in all folders above.
_MAX_DEPTH = 24
_NEEDS = ("dependencies", "optionalDependencies", "peerDependencies")


def read(source: bytes) -> Lock:
    """The lock of a file of npm. Raises Unreadable."""
    document = read_json(source)
    version = document.get("lockfileVersion", 1)
    if version not in (1, 2, 3):
        raise Unreadable(f"of an unknown version {version!r}")
    packages = document.get("packages")
    return _of_places(packages) if isinstance(packages, dict) else _of_tree(document)


def _of_places(packages: dict[str, Any]) -> Lock:
    """Versions 2 and 3: every package by the folder that it is installed in, `a/node_modules/b`."""
    builder = Builder(Extent.GRAPH)
    entries = {place: entry for place, entry in packages.items() if isinstance(entry, dict)}
    for place, entry in entries.items():
        if place.count(_MODULES) > _MAX_DEPTH:
            raise Unreadable("nested too deeply")
        folder, found, name = place.rpartition(_MODULES)
        if not found:
            builder.scope(place, {})
        elif not entry.get("link"):
            _add(builder, place, name, entry)
            if _MODULES not in folder:
                builder.scope(folder.rstrip("/"), {name: place})
    for place, entry in entries.items():
        for kind in _NEEDS if place in builder else ():
            for name in table(entry, kind):
                builder.require(place, _found_from(place, name, entries))
    return builder.build()


def _found_from(place: str, name: str, entries: dict[str, Any]) -> str | None:
    """Where Node finds a package from inside another: in the nearest node_modules above."""
    while True:
        candidate = f"{place}/{_MODULES}{name}" if place else _MODULES + name
        if candidate in entries:
            return candidate
        if not place:
            return None
        # Straight to the folder above the nearest node_modules: between them there are no others.
        place = place.rpartition(_MODULES)[0].rstrip("/")


def _add(builder: Builder, key: Hashable, name: str, entry: dict[str, Any]) -> None:
    source = text(entry.get("integrity")) or text(entry.get("resolved"))
    builder.add(key, name, text(entry.get("version")), text(entry.get("name")), source)


def _of_tree(document: dict[str, Any]) -> Lock:
    """Version 1: packages nested as their folders are."""
    builder = Builder(Extent.GRAPH)
    for way, entry in _walk(document):
        _add(builder, way, way[-1], entry)
    for way, entry in _walk(document):
        requires = entry.get("requires")
        for name in requires if isinstance(requires, dict) else ():
            above = (way[:length] for length in range(len(way), -1, -1))
            builder.require(way, next(((*each, name) for each in above if (*each, name) in builder), None))
    return builder.build()


def _walk(document: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every entry with the names that lead to it."""
    waiting: list[tuple[tuple[str, ...], dict[str, Any]]] = [((), document)]
    while waiting:
        way, holder = waiting.pop()
        for name, entry in table(holder, "dependencies").items():
            if len(way) == _MAX_DEPTH:
                raise Unreadable("nested too deeply")
            if isinstance(entry, dict):
                yield (*way, name), entry
                waiting.append(((*way, name), entry))
