"""Packages as manifests and links have them: which folder a name means, which files its manifest names for it.

Written for the predicates alone: nothing is asked of Weft's resolver, and links are those made for the authorities.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

import pyjson5

from conformance.graphs import WeftGraph
from conformance.typescript.workspaces import links
from weft_storage.model.edges import Edge
from weft_storage.model.paths import ancestors, join, parent

DEPENDENCIES = ("peerDependencies", "optionalDependencies", "devDependencies", "dependencies")
# The conditions under which the authorities are asked.
USUAL = frozenset({"types", "import", "require", "node", "default"})

_PACKAGE = re.compile(r"(?:@[^/]+/)?[^/]+")


def package_name(specifier: str) -> str:
    """The package that a bare specifier names; empty where it names none."""
    found = _PACKAGE.match(specifier)
    return found[0] if found and not specifier.startswith((".", "/", "#")) else ""


def package_of(edge: Edge, graph: WeftGraph) -> str | None:
    """The folder of the package that an edge's specifier enters; of `./a` the folder `a` with a manifest."""
    if edge.specifier.startswith("#"):
        return next((each for each in ancestors(edge.importer) if manifest(each, graph)), None)
    if edge.specifier.startswith("."):
        place = join(parent(edge.importer), edge.specifier)
        return place if place is not None and manifest(place, graph) else None
    return _named(edge.importer, package_name(edge.specifier), graph)


def entries(edge: Edge, graph: WeftGraph, conditions: Collection[str] | None = None) -> list[str]:
    """Every path that the manifest of the package names for an edge's specifier, under those conditions or any."""
    folder = package_of(edge, graph)
    if folder is None:
        return []
    return list(
        filter(None, (join(folder, each) for each in targets_of(edge.specifier, manifest(folder, graph), conditions)))
    )


def manifest(folder: str, graph: WeftGraph) -> Mapping[str, Any]:
    """The package.json of a folder; empty where there is none that can be read."""
    return read(f"{folder}/package.json".lstrip("/"), graph)


def read(path: str, graph: WeftGraph) -> Mapping[str, Any]:
    """The object in a JSON file, with comments or without; empty where there is none that can be read."""
    kept = _objects(graph)
    if path not in kept:
        kept[path] = _read(path, graph) if path in graph.paths else {}
    return kept[path]


def mapping(value: object) -> dict[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def leaves(value: object, conditions: Collection[str] | None = None) -> Iterator[str]:
    """The targets in a value of `exports` or `imports`, under those conditions or any."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from leaves(each, conditions)
    elif isinstance(value, dict):
        for key, each in value.items():
            if conditions is None or key in conditions:
                yield from leaves(each, conditions)


def _named(importer: str, name: str, graph: WeftGraph) -> str | None:
    """What stands in the nearest node_modules under a name, links included; or the importer's own package."""
    if not name:
        return None
    linked = _links(graph)
    for folder in ancestors(importer):
        installed = f"{folder}/node_modules/{name}".lstrip("/")
        if manifest(installed, graph):
            return installed
        if (folder, name) in linked:
            return linked[folder, name]
        if manifest(folder, graph).get("name") == name:
            return folder
    return None


def targets_of(specifier: str, raw: Mapping[str, Any], conditions: Collection[str] | None = None) -> Iterator[str]:
    """What a manifest has for a specifier of its package (a bundler's query left out), relative to its folder."""
    specifier = specifier.partition("?")[0]
    if specifier.startswith("#"):
        yield from _by_table(specifier, mapping(raw.get("imports")), conditions)
        return
    name = package_name(specifier)
    subpath = "." + specifier[len(name) :] if name else "."
    exports = raw.get("exports")
    keyed = isinstance(exports, dict) and all(key.startswith(".") for key in exports)
    yield from _by_table(subpath, mapping(exports) if keyed else {".": exports}, conditions)
    if subpath == ".":
        yield from (raw[key] for key in ("types", "typings", "main", "module") if isinstance(raw.get(key), str))
    elif exports is None:
        yield subpath


def _by_table(subpath: str, table: Mapping[str, Any], conditions: Collection[str] | None) -> Iterator[str]:
    for key, value in table.items():
        prefix, star, suffix = key.partition("*")
        if key == subpath or (star and subpath.startswith(prefix) and subpath.endswith(suffix)):
            rest = subpath[len(prefix) : len(subpath) - len(suffix)] if star else ""
            yield from (each.replace("*", rest) for each in leaves(value, conditions))


@lru_cache(maxsize=2)
def _links(graph: WeftGraph) -> Mapping[tuple[str, str], str]:
    """(folder, name) -> folder of the package, the first link made being the one that stands."""
    found: dict[tuple[str, str], str] = {}
    for folder, name, target in links(graph.root, sorted(graph.paths)):
        found.setdefault((folder, name), target)
    return found


@lru_cache(maxsize=2)
def _objects(graph: WeftGraph) -> dict[str, Mapping[str, Any]]:
    del graph
    return {}


def _read(path: str, graph: WeftGraph) -> Mapping[str, Any]:
    try:
        return mapping(pyjson5.decode(graph.source(path).decode("utf-8-sig", "replace")))
    except (ValueError, pyjson5.Json5Exception):
        return {}
