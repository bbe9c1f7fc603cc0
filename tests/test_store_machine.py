"""Any sequence of scans, crashes and collections: every store tells what plain dictionaries tell."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from store_samples import ODD_NAMES, Graph, check, digest, facts, record, row
from weft_storage.backends import Part, Store, open_store
from weft_storage.model.runs import ImporterRow, Publication, Run, RunState

PROJECTS = ("p", "q")
PATHS = ("a", "b", "c/d", ODD_NAMES[1], ODD_NAMES[3], ODD_NAMES[4])


def _importer(row: ImporterRow) -> str:
    return row.importer


def _part_of(whole: ImporterRow, parts: int) -> ImporterRow:
    """A row without some of its edges, outside and reads."""
    return msgspec.structs.replace(
        whole,
        edges=whole.edges if parts & 1 else (),
        outside=whole.outside if parts & 2 else (),
        reads=whole.reads if parts & 4 else b"",
    )


paths = st.sampled_from(PATHS)
seeds = st.integers(0, 3)
rows = st.builds(
    lambda importer, imported, line, reads, parts: _part_of(row(importer, *imported, line=line, reads=reads), parts),
    paths,
    st.sets(paths, max_size=4),
    st.integers(1, 2),
    st.sets(st.integers(0, 5), max_size=3),
    st.integers(0, 7),
)


@dataclass(frozen=True)
class Change:
    """What a run changes: seeds of records by path, and the rest as a publication has it."""

    files: dict[str, int]
    removed_files: set[str]
    rows: list[ImporterRow]
    removed_rows: set[str]
    states: dict[str, bytes]


changes = st.builds(
    Change,
    files=st.dictionaries(paths, seeds, max_size=4),
    removed_files=st.sets(paths, max_size=3),
    rows=st.lists(rows, max_size=4, unique_by=_importer),
    removed_rows=st.sets(paths, max_size=3),
    states=st.dictionaries(st.sampled_from("st"), st.binary(max_size=3), max_size=2),
)


class StoreMachine(RuleBasedStateMachine):
    """A store beside a dictionary from the runs of each project to their graphs."""

    def open(self) -> Store:
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        self.store = self.open()
        self.graphs: dict[str, dict[int, Graph]] = {project: {} for project in PROJECTS}
        self.running: dict[str, Run] = {}
        self.runs: dict[str, list[Run]] = {project: [] for project in PROJECTS}
        self.facts: set[int] = set()

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    def current(self, project: str) -> Graph:
        graphs = self.graphs[project]
        return graphs[max(graphs)] if graphs else Graph()

    @rule(project=st.sampled_from(PROJECTS))
    def begin(self, project: str) -> None:
        if project in self.running:
            self.end(msgspec.structs.replace(self.running.pop(project), state=RunState.FAILED, error="interrupted"))
        run = self.store.begin(Run(project=project, token=f"{len(self.runs[project])}"))
        assert run.id > max((each.id for runs in self.runs.values() for each in runs), default=0)
        self.runs[project].append(run)
        self.running[project] = run

    def end(self, run: Run) -> None:
        self.runs[run.project] = [run if each.id == run.id else each for each in self.runs[run.project]]

    @precondition(lambda self: self.running)
    @rule(data=st.data(), change=changes, incomplete=st.booleans())
    def publish(self, data: st.DataObject, change: Change, incomplete: bool) -> None:
        project = data.draw(st.sampled_from(sorted(self.running)))
        state = RunState.INCOMPLETE if incomplete else RunState.PUBLISHED
        run = msgspec.structs.replace(self.running.pop(project), state=state)
        publication, graph = _apply(self.current(project), run, change)
        self.store.publish(publication)
        self.graphs[project][run.id] = graph
        self.end(run)

    @precondition(lambda self: self.running)
    @rule(data=st.data(), change=changes)
    def die_while_publishing(self, data: st.DataObject, change: Change) -> None:
        project = data.draw(st.sampled_from(sorted(self.running)))
        run = msgspec.structs.replace(self.running[project], state=RunState.PUBLISHED)
        publication, _ = _apply(self.current(project), run, change)

        def dying() -> Iterator[ImporterRow]:
            yield from publication.rows
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self.store.publish(Publication(run, publication.files, publication.removed_files, dying()))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        project = data.draw(st.sampled_from(sorted(self.running)))
        run = msgspec.structs.replace(self.running.pop(project), state=RunState.CANCELLED, error="stopped")
        self.store.finish(run)
        self.end(run)

    @rule(numbers=st.sets(st.integers(0, 9), max_size=4))
    def put_facts(self, numbers: set[int]) -> None:
        self.store.put_facts(map(facts, sorted(numbers)))
        self.facts |= numbers

    @rule(keep_runs=st.integers(1, 3), used=st.none() | st.sets(st.integers(0, 9)))
    def collect(self, keep_runs: int, used: set[int] | None) -> None:
        kept = [
            record.path
            for graphs in self.graphs.values()
            for run in sorted(graphs)[-keep_runs:]
            for record in graphs[run].files.values()
        ]
        keys = {path: digest(number) for path, number in zip(PATHS, sorted(used or ()), strict=False)}
        facts_key = None if used is None else lambda each: keys.get(each.path)
        self.store.collect(keep_runs=keep_runs, facts_key=facts_key)
        for graphs in self.graphs.values():
            for run in sorted(graphs)[:-keep_runs]:
                del graphs[run]
        if used is not None:
            self.facts = {number for number in self.facts if digest(number) in {keys.get(path) for path in kept}}

    @rule()
    def reopen(self) -> None:
        """Only a store that outlives its connection does anything here."""

    @invariant()
    def every_kept_graph_is_whole(self) -> None:
        for project, graphs in self.graphs.items():
            check(self.store, project, self.current(project))
            for run, graph in graphs.items():
                check(self.store, project, graph, at=run)
            self.check_parts(project)

    def check_parts(self, project: str) -> None:
        graph = self.current(project)
        some = PATHS[::2]
        assert self.store.files(project, some) == [graph.files[path] for path in sorted(some) if path in graph.files]
        edges = [edge for edge in graph.edges() if edge.importer in some]
        assert list(self.store.edges(project, some)) == edges
        for value in range(6):
            readers = [row.importer for row in graph.rows.values() if value.to_bytes(4, "little") in _words(row.reads)]
            assert self.store.readers(project, [value]) == sorted(readers)

    @invariant()
    def runs_are_remembered(self) -> None:
        for project, runs in self.runs.items():
            assert self.store.runs(project) == runs[::-1]
            published = max(self.graphs[project], default=0)
            assert self.store.published(project) == next((run for run in runs if run.id == published), None)
        assert self.store.projects() == [project for project in PROJECTS if self.graphs[project]]

    @invariant()
    def facts_are_remembered(self) -> None:
        keys = {digest(number): number for number in range(10)}
        assert {keys[key] for key in self.store.known_facts(keys)} == self.facts
        assert {keys[each.key] for each in self.store.facts(list(keys), Part.INTERFACE)} == self.facts


def _words(raw: bytes) -> set[bytes]:
    return {raw[start : start + 4] for start in range(0, len(raw), 4)}


def _apply(old: Graph, run: Run, change: Change) -> tuple[Publication, Graph]:
    """The publication of a change, and the graph that it makes of the old one."""
    records = [record(path, seed) for path, seed in change.files.items()]
    graph = old.copy()
    for path in change.removed_files:
        graph.files.pop(path, None)
    for path in change.removed_rows:
        graph.rows.pop(path, None)
    graph.files.update((each.path, each) for each in records)
    graph.rows.update((each.importer, each) for each in change.rows)
    graph.states.update(change.states)
    publication = Publication(run, records, change.removed_files, change.rows, change.removed_rows, change.states)
    return publication, graph


class MemoryMachine(StoreMachine):
    def open(self) -> Store:
        return open_store("memory://")


class SqliteMachine(StoreMachine):
    def open(self) -> Store:
        self.folder = tempfile.mkdtemp(prefix="weft-test-")
        return open_store(f"{self.folder}/graph.db")

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = open_store(f"{self.folder}/graph.db", create=False)


TestMemoryMachine = MemoryMachine.TestCase
TestSqliteMachine = SqliteMachine.TestCase
TestMemoryMachine.settings = settings(stateful_step_count=20)
TestSqliteMachine.settings = settings(stateful_step_count=20)
