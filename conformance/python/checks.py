"""Checks of Python edges that need no authority: packages from outside that became files of the repository."""

import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from conformance.base import Finding
from conformance.graphs import WeftGraph
from conformance.python.referee import declared_around, own_root, root_for
from weft_storage.model.edges import Edge
from weft_storage.model.facts import EdgeKind
from weft_storage.model.paths import ancestors

_KINDS = frozenset({EdgeKind.IMPORT, EdgeKind.TYPE})
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def findings(root: str, graph: WeftGraph) -> Iterator[Finding]:
    """Absolute imports of the standard library, or of a declared dependency, that lead into another project."""
    for edge in graph.edges:
        if edge.kind in _KINDS and edge.importer.endswith((".py", ".pyi")) and not edge.specifier.startswith("."):
            problem = _problem(root, graph, edge)
            if problem:
                yield Finding(edge.importer, edge.imported, edge.line, problem)


def _problem(root: str, graph: WeftGraph, edge: Edge) -> str:
    """What is wrong with an edge, or nothing."""
    top = edge.specifier.partition(".")[0]
    found = root_for(edge.imported, edge.specifier, edge.names)
    around = {own_root(edge.importer, graph.paths), *ancestors(edge.importer)}
    if found is None or found[0] in around or found[0] in declared_around(edge.importer, graph.paths):
        return ""
    if top in sys.stdlib_module_names:
        return f"stands in for {top} of the standard library"
    declared: dict[str, Any] = next((each for each in map(_project(root), ancestors(edge.importer)) if each), {})
    if _normalized(top) not in _dependencies(declared):
        return ""
    provided = [_normalized(str(_table(_project(root)(each)).get("name", ""))) for each in ancestors(edge.imported)]
    return "" if _normalized(top) in provided else f"stands in for the declared dependency {top}"


@cache
def _project(root: str) -> Any:
    """A function from folders to what their pyproject.toml says, {} where it says nothing."""

    @cache
    def read(folder: str) -> dict[str, Any]:
        try:
            return tomllib.loads(Path(root, folder, "pyproject.toml").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    return read


def _table(document: dict[str, Any]) -> dict[str, Any]:
    table = document.get("project")
    return table if isinstance(table, dict) else {}


def _dependencies(document: dict[str, Any]) -> set[str]:
    written = _table(document).get("dependencies")
    names = (_NAME.match(each) for each in written if isinstance(each, str)) if isinstance(written, list) else ()
    return {_normalized(each[1]) for each in names if each}


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
