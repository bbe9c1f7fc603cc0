"""A view of one project's published graph, loaded as far as it is asked for. Prints nothing."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise

from weft_storage.backends import Store
from weft_storage.model.edges import Edge
from weft_storage.model.errors import ProjectUnknown, UsageError
from weft_storage.model.facts import EdgeKind
from weft_storage.model.files import FileRecord, FileStatus
from weft_storage.model.languages import unit_of
from weft_storage.model.runs import Run
from weft_storage.model.states import Components
from weft_tasks.finalize.graphs import FileGraph, UnitGraph, from_stored, imported_unit, unit_graph
from weft_tasks.finalize.states import load_state


class GraphView:
    """The published graph of one project, loaded as far as it is asked for."""

    def __init__(self, store: Store, project: str, *, at: int | None = None) -> None:
        self.store = store
        self.project = project
        self.at = at

    @cached_property
    def run(self) -> Run:
        """The run whose graph this is. Raises `ProjectUnknown` where none was published."""
        if self.at is not None:
            found = next((run for run in self.store.runs(self.project) if run.id == self.at), None)
            if found is None:
                raise UsageError(f"run {self.at}", f"is no run of project '{self.project}'", "see `weft runs`")
            return found
        published = self.store.published(self.project)
        if published is None:
            raise ProjectUnknown.in_store(self.store.url, self.project)
        return published

    def before(self) -> "GraphView | None":
        """The graph that the run of this view replaced; None where there was none, or it was collected."""
        runs = self.store.runs(self.project)
        before = next((run.id for run in runs if run.id < self.run.id and run.state.has_graph), None)
        if before is None:
            return None
        try:
            load_state(self.store, self.project, Components, at=before)
        except UsageError:
            return None
        return GraphView(self.store, self.project, at=before)

    @cached_property
    def records(self) -> dict[str, FileRecord]:
        """The record of every file, by path."""
        return {record.path: record for record in self.store.files(self.project, at=self.at)}

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The nodes: files that were analyzed, and others that an edge leads to; sorted."""
        sources = (path for path, record in self.records.items() if record.status is FileStatus.ANALYZED)
        return tuple(sorted({*sources, *self._names}))

    @cached_property
    def _graph(self) -> FileGraph:
        return from_stored(self.store.graph(self.project, at=self.at))

    @property
    def _names(self) -> tuple[str, ...]:
        return self._graph.names

    def units(self, kinds: Collection[EdgeKind]) -> UnitGraph:
        """The graph of units over edges of some kinds."""
        return unit_graph(self._graph, kinds, self._nodes)

    def holds(self, path: str) -> bool:
        """Whether a path is a file of the graph, or the directory of a Go package."""
        return path in self.records or path in self._files_of_units

    def node(self, path: str) -> str:
        """The path itself, if the graph holds it. Raises `UsageError` otherwise."""
        if self.holds(path):
            return path
        raise UsageError(
            f"'{path}'", f"is not in the published graph of project '{self.project}'", "check the name, or scan again"
        )

    @cached_property
    def _files_of_units(self) -> dict[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for file in self._nodes:
            found[unit_of(file)].append(file)
        return found

    @property
    def _nodes(self) -> list[str]:
        """The nodes that are files: all but the directories of Go packages."""
        return [file for file in self.files if file in self.records]

    def meant(self, paths: Iterable[str]) -> set[str]:
        """The files that are meant by some paths: a file itself, all files of a Go package by its directory."""
        return {file for path in paths for file in ([path] if path in self.records else self.files_of(path))}

    def files_of(self, unit: str) -> list[str]:
        """The files of a unit, sorted: those of a Go package's directory, or the file itself."""
        return self._files_of_units.get(unit, [unit])

    def edges(self, importers: Iterable[str] | None = None) -> Iterator[Edge]:
        """Edges, sorted; of all importers or of those named."""
        return self.store.edges(self.project, None if importers is None else sorted(set(importers)), at=self.at)

    def edges_along(self, units: Sequence[str], kinds: Collection[EdgeKind]) -> tuple[Edge, ...]:
        """For each step from a unit to the next the first edge that makes it."""
        importers = {file for unit in units[:-1] for file in self.files_of(unit)}
        by_step: dict[tuple[str, str], Edge] = {}
        for edge in self.edges(importers):
            if edge.kind in kinds:
                by_step.setdefault((unit_of(edge.importer), imported_unit(edge)), edge)
        steps = pairwise(units)
        # A Go test file depends on its own package without an import: that step has no edge to show.
        return tuple(by_step[step] for step in steps if step in by_step)
