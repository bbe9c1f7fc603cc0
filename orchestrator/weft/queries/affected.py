"""Affected files of a run or of named files, and why each of them is. Prints nothing."""

from collections import defaultdict, deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from weft.queries.view import GraphView
from weft_storage.model.edges import Edge
from weft_storage.model.facts import EdgeKind
from weft_storage.model.files import ChangeKind
from weft_storage.model.languages import unit_of
from weft_storage.model.states import Affected, AffectedFile
from weft_tasks.finalize.analysis import affected as analyze_affected
from weft_tasks.finalize.graphs import ALL_KINDS, STRONG_KINDS, FileGraph, from_stored, imported_unit, union, unit_graph
from weft_tasks.finalize.packages import importers_in_scope
from weft_tasks.finalize.states import load_state
from weft_tasks.graph import reach


@dataclass(frozen=True, slots=True)
class Why:
    """Why a file is affected: edges from it to a file that is so by itself (none where it is that one), and that file.

    `seed` is None where only weak edges lead to one, which were not asked for.
    """

    path: tuple[Edge, ...]
    seed: AffectedFile | None


@dataclass(frozen=True)
class Change:
    """What changed, before and after: views of the graph then and now, the changed files, those that resolve otherwise.

    `old` is `None` where there is no graph from before.
    """

    new: GraphView
    old: GraphView | None
    affected: Affected

    @cached_property
    def seeds(self) -> frozenset[str]:
        """Files that are affected by themselves."""
        files = (*self.affected.files, *self.affected.weak)
        return frozenset(file.path for file in files if file.is_seed)

    @cached_property
    def _both(self) -> FileGraph:
        new = from_stored(self.new.store.graph(self.new.project, at=self.new.at))
        if self.old is None:
            return new
        return union(from_stored(self.old.store.graph(self.old.project, at=self.old.at)), new)

    def direct(self) -> Affected:
        """The affected files that changed or import one that did."""
        near_strong = self._near(STRONG_KINDS)
        near = near_strong | self._near(ALL_KINDS)
        found = sorted((*self.affected.files, *self.affected.weak))
        return Affected(
            tuple(file for file in found if file.path in near_strong),
            tuple(file for file in found if file.path in near - near_strong),
        )

    def _near(self, kinds: Collection[EdgeKind]) -> set[str]:
        files = [file.path for file in (*self.affected.files, *self.affected.weak)]
        graph = unit_graph(self._both, kinds, files)
        units = {graph.units[node] for node in reach(graph.digraph, graph.of(self.seeds), reverse=True, depth=1)}
        return {file for file in files if unit_of(file) in units}

    def reasons(self, *, weak: bool) -> dict[str, "Why"]:
        """For each affected file why it is: a shortest chain of edges to a file that is affected by itself."""
        kinds = ALL_KINDS if weak else STRONG_KINDS
        strong = {file.path: file for file in self.affected.files}
        found = strong | {file.path: file for file in self.affected.weak}
        seeds = {path: file for path, file in (found if weak else strong).items() if file.is_seed}
        graph = unit_graph(self._both, kinds, list(found))
        onward = _steps_towards(graph.of(seeds), _reversed(graph.digraph.sources, graph.digraph.targets))
        chains = {path: _units_onward(path, graph.ids, graph.units, onward) for path in found}
        edges = self._edges_between({unit for chain in chains.values() for unit in chain}, kinds)
        by_unit = {unit_of(path): file for path, file in sorted(seeds.items(), reverse=True)}
        return {
            path: Why(
                tuple(edges[step] for step in pairwise(chain) if step in edges),
                found[path] if found[path].is_seed else by_unit.get(chain[-1] if chain else ""),
            )
            for path, chain in chains.items()
        }

    def _edges_between(self, units: Collection[str], kinds: Collection[EdgeKind]) -> dict[tuple[str, str], Edge]:
        """The first edge, of the new graph if it has one, from each unit to each other among those given."""
        found: dict[tuple[str, str], Edge] = {}
        for view in (self.new, self.old):
            if view is not None:
                importers = {file for unit in units for file in view.files_of(unit)}
                for edge in view.edges(importers):
                    if edge.kind in kinds:
                        found.setdefault((unit_of(edge.importer), imported_unit(edge)), edge)
        return found


def last_change(view: GraphView) -> Change:
    """What the run of a view changed."""
    return Change(view, view.before(), load_state(view.store, view.project, Affected, at=view.at))


def change_of(view: GraphView, files: Iterable[str]) -> Change:
    """What a modification of some files, or of Go packages, would affect. Raises `UsageError` for unknown ones.

    Of a lockfile it is not known what in it would change: it affects all who import packages from outside in its scope.
    """
    changes = dict.fromkeys(view.meant(map(view.node, files)), ChangeKind.MODIFIED)
    graph = from_stored(view.store.graph(view.project, at=view.at))
    importers = importers_in_scope(view.store, view.project, changes, view.records)
    found = analyze_affected(
        old=graph,
        new=graph,
        files=view.records,
        changes=changes,
        importers=importers.strong,
        weak_importers=importers.weak,
    )
    return Change(view, None, found)


def _units_onward(file: str, ids: dict[str, int], units: tuple[str, ...], onward: dict[int, int]) -> list[str]:
    node = ids.get(unit_of(file))
    chain = [] if node is None else [units[node]]
    while node is not None and (node := onward.get(node)) is not None:
        chain.append(units[node])
    return chain


def _reversed(sources: Iterable[int], targets: Iterable[int]) -> dict[int, list[int]]:
    importers: defaultdict[int, list[int]] = defaultdict(list)
    for source, target in sorted(set(zip(sources, targets, strict=True))):
        importers[target].append(source)
    return importers


def _steps_towards(seeds: Iterable[int], importers: dict[int, list[int]]) -> dict[int, int]:
    """For each node that reaches a seed the next node on a shortest way there; breadth first, smallest first."""
    onward: dict[int, int] = {}
    waiting = deque(sorted(seeds))
    seen = set(waiting)
    while waiting:
        node = waiting.popleft()
        for importer in importers.get(node, ()):
            if importer not in seen:
                seen.add(importer)
                onward[importer] = node
                waiting.append(importer)
    return onward


__all__ = ["AffectedFile", "Change", "Why", "change_of", "last_change"]
