"""Questions to the published graph of a project. Reads the store; changes and prints nothing."""

from collections.abc import Collection
from dataclasses import dataclass

from weft.queries.components import Component, cycles
from weft.queries.view import GraphView
from weft_storage.backends import Part
from weft_storage.model.edges import Edge
from weft_storage.model.facts import CYCLE_KINDS, Declaration, EdgeKind
from weft_storage.model.files import FileStatus
from weft_storage.model.languages import unit_of
from weft_tasks.extract.encoding import decode_declarations
from weft_tasks.finalize.graphs import ALL_KINDS, STRONG_KINDS
from weft_tasks.finalize.merge import record_key
from weft_tasks.graph import levels, reach, shortest_path

__all__ = [
    "Component", "GraphView", "Use", "cycles", "dependencies", "dependents", "order", "symbols", "why",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Use:
    """A declaration of a file, and the edges that name it."""

    declaration: Declaration
    used_by: tuple[Edge, ...]


def dependents(
    view: GraphView, files: Collection[str], *, weak: bool = False, depth: int | None = None
) -> tuple[list[str], list[str]]:
    """Files that depend on some files, themselves not counted, at most `depth` steps away: strong ones, then those
    reached only over weak edges (empty unless `weak`)."""
    strong = _reached(view, files, STRONG_KINDS, reverse=True, depth=depth)
    if not weak:
        return sorted(strong), []
    return sorted(strong), sorted(_reached(view, files, ALL_KINDS, reverse=True, depth=depth) - strong)


def dependencies(view: GraphView, files: Collection[str], *, depth: int | None = None) -> list[str]:
    """Nodes that some files depend on over edges of any kind, at most `depth` steps away."""
    return sorted(_reached(view, files, ALL_KINDS, reverse=False, depth=depth))


def _reached(
    view: GraphView, files: Collection[str], kinds: Collection[EdgeKind], *, reverse: bool, depth: int | None
) -> set[str]:
    graph = view.units(kinds)
    meant = view.meant(files)
    units = {graph.units[node] for node in reach(graph.digraph, graph.of(meant), reverse=reverse, depth=depth)}
    if not reverse:
        return units - {unit_of(file) for file in meant}
    return {file for unit in units for file in view.files_of(unit)} - meant


def order(view: GraphView, files: Collection[str] | None = None) -> list[list[list[str]]]:
    """Topological levels, dependencies before dependents, of some files or of all: each a list of components."""
    graph = view.units(CYCLE_KINDS)
    wanted = None if files is None else graph.of(view.meant(files))
    return [
        [sorted(graph.units[node] for node in members) for members in level] for level in levels(graph.digraph, wanted)
    ]


def why(
    view: GraphView, importer: str, imported: str, kinds: Collection[EdgeKind] = ALL_KINDS
) -> tuple[Edge, ...] | None:
    """The edges of a shortest path between two files, or None where there is none."""
    graph = view.units(kinds)
    start, goal = graph.of(view.meant([importer])), graph.of(view.meant([imported]))
    path = shortest_path(graph.digraph, start[0], goal[0]) if start and goal else None
    return None if path is None else view.edges_along([graph.units[node] for node in path], kinds)


def symbols(view: GraphView, file: str) -> list[Use]:
    """The declarations of a file in source order, each with the edges whose names name it (or take all: `*`)."""
    record = view.records.get(file)
    if record is None or record.status is not FileStatus.ANALYZED:
        return []
    facts = next(iter(view.store.facts([record_key(record)], Part.DECLARATIONS)), None)
    if facts is None:
        return []
    unit = unit_of(file)
    importers = _importers_of(view, unit)
    edges = [edge for edge in view.edges(importers) if edge.imported == unit] if importers else []
    return [
        Use(each, tuple(edge for edge in edges if not each.parent and _names(edge, each.name)))
        for each in decode_declarations(facts.declarations)
    ]


def _importers_of(view: GraphView, unit: str) -> list[str]:
    graph = view.units(ALL_KINDS)
    units = {graph.units[node] for node in reach(graph.digraph, graph.of_units([unit]), reverse=True, depth=1)}
    return sorted({file for each in units for file in view.files_of(each)})


def _names(edge: Edge, name: str) -> bool:
    return name in edge.names or "*" in edge.names
