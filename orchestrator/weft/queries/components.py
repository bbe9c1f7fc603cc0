"""Cyclic components of a published graph: who is in, a short cycle, which runs knew it, what to cut. Prints nothing."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from weft.queries.view import GraphView
from weft_storage.model.edges import Edge
from weft_storage.model.facts import CYCLE_KINDS, WEAK_KINDS, EdgeKind
from weft_storage.model.languages import unit_of
from weft_storage.model.states import Components, Lineage, Tracked
from weft_tasks.finalize.graphs import UnitGraph, imported_unit
from weft_tasks.finalize.lineage import is_new, next_lineage
from weft_tasks.finalize.states import load_state
from weft_tasks.graph import cyclic_components, shortest_cycle
from weft_tasks.graph.cuts import cut


@dataclass(frozen=True, slots=True)
class Component:
    """A cyclic component: its members (units, sorted) and the edges of one short cycle through its first member.

    `id` is the same in all runs that know the component, of which `since` was the first. `is_new` says that it was not
    accepted, or has more members than were. `at_run_time` says that not only types make it. `cut` are edges, sorted,
    without which it has no cycle; `names` is how many names they import.
    """

    members: tuple[str, ...]
    cycle: tuple[Edge, ...]
    id: int
    since: int
    is_new: bool
    at_run_time: bool
    cut: tuple[Edge, ...]

    @property
    def names(self) -> int:
        """How many names the edges of the cut import; one that lists none counts as one."""
        return sum(map(_weight, self.cut))


def cycles(view: GraphView, *, runtime: bool = False) -> list[Component]:
    """The cyclic components, sorted by their first members; without edges that only types make where `runtime`."""
    kinds = CYCLE_KINDS - WEAK_KINDS if runtime else CYCLE_KINDS
    graph = view.units(kinds)
    found = cyclic_components(graph.digraph)
    if not found:
        return []
    tracked = {member: each for each in lineage(view).components for member in each.members}
    running = _members_at_run_time(view)
    steps = _steps(view, graph, found, kinds)
    return [_component(graph, members, steps, tracked, running) for members in found]


def lineage(view: GraphView) -> Lineage:
    """The components of a view (all kinds of edges), with their identities. Those that no run recorded are accepted."""
    known = load_state(view.store, view.project, Lineage, at=view.at)
    components = load_state(view.store, view.project, Components, at=view.at).components
    return next_lineage(known, components, view.run.id)


def _members_at_run_time(view: GraphView) -> set[str]:
    graph = view.units(CYCLE_KINDS - WEAK_KINDS)
    return {graph.units[node] for members in cyclic_components(graph.digraph) for node in members}


Steps = Mapping[tuple[int, int], list[Edge]]


def _steps(
    view: GraphView, graph: UnitGraph, components: Iterable[Collection[int]], kinds: Collection[EdgeKind]
) -> Steps:
    """The edges between members of the same component, by the nodes of their ends."""
    number = {node: index for index, members in enumerate(components) for node in members}
    importers = {file for node in number for file in view.files_of(graph.units[node])}
    steps: defaultdict[tuple[int, int], list[Edge]] = defaultdict(list)
    for edge in view.edges(importers):
        if edge.kind in kinds:
            ends = graph.ids[unit_of(edge.importer)], graph.ids[imported_unit(edge)]
            if number.get(ends[0], -1) == number.get(ends[1], -2):
                steps[ends].append(edge)
    return steps


def _component(
    graph: UnitGraph, members: list[int], steps: Steps, tracked: Mapping[str, Tracked], running: Collection[str]
) -> Component:
    around = shortest_cycle(graph.digraph, members)
    inside = set(members)
    arcs = {arc: sum(map(_weight, edges)) for arc, edges in steps.items() if arc[0] in inside}
    units = tuple(graph.units[node] for node in members)
    known = tracked[units[0]]
    return Component(
        members=units,
        cycle=tuple(steps[step][0] for step in pairwise((*around, around[0])) if step in steps),
        id=known.id,
        since=known.since,
        is_new=is_new(known),
        at_run_time=any(unit in running for unit in units),
        cut=tuple(sorted(edge for arc in cut(members, arcs) for edge in steps[arc])),
    )


def _weight(edge: Edge) -> int:
    return max(1, len(edge.names))
