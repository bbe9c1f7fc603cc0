"""Stores that are kept over the edits of a repository, each compared with one made from nothing after every step."""

import shutil
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import msgspec

from edit_scripts import Edit, World, apply
from repositories import Repository
from weft.configuration import settings_of
from weft.pipeline import Options, Remote, analyze
from weft.report.export import export, outside_lines
from weft.verification import differences
from weft_storage.backends import Part, Store, open_store
from weft_storage.model.edges import Edge
from weft_storage.model.facts import WEAK_KINDS, EdgeKind
from weft_storage.model.files import FileRecord, FileStatus
from weft_storage.model.languages import unit_of
from weft_storage.model.paths import parent
from weft_storage.model.runs import Publication, Run
from weft_storage.model.states import Affected, AffectedFile, CauseKind, Components, Names
from weft_tasks.finalize.graphs import imported_unit
from weft_tasks.finalize.merge import facts_key_of
from weft_tasks.finalize.states import load_state

OUTCOMES = ("analyzed", "unchanged", "cached", "skipped", "failed")


@dataclass(frozen=True)
class Published:
    """What a project's graph says of its repository, and the same as bytes, part by part."""

    records: Mapping[str, FileRecord]
    edges: Sequence[Edge]
    names: frozenset[str]
    parts: Mapping[str, bytes]


def published(store: Store, project: str) -> Published:
    """The published graph, but for what says how it came about: ids of runs and of blobs, times, counts of work."""
    run = store.published(project)
    assert run is not None
    records = {record.path: record for record in store.files(project)}
    edges = list(store.edges(project))
    names = load_state(store, project, Names)
    graph = store.graph(project)
    counts = {name: run.counts[name] for name in ("files", "inputs", "skipped", "failed")}
    figures = (run.state, run.edges, run.unresolved, run.components, counts)
    files = sorted(records)
    keys = sorted({key for key in map(facts_key_of, records.values()) if key})
    facts = sorted(store.facts(keys, Part.IMPORTS | Part.DECLARATIONS | Part.INTERFACE), key=lambda each: each.key)
    parts = {
        "edges": "".join(export("jsonl", edges, files=files, project=project, run=0)).encode(),
        "outside": "".join(outside_lines(store.outside(project))).encode(),
        "components": repr(load_state(store, project, Components).components).encode(),
        "coverage": msgspec.json.encode(run.coverage, order="sorted"),
        "problems": repr(run.problems).encode(),
        "files": repr([msgspec.structs.replace(record, oid="") for record in records.values()]).encode(),
        "facts": msgspec.msgpack.encode(facts),
        "figures": repr(figures).encode(),
        "names": repr(names).encode(),
        "graph": repr(graph).encode(),
    }
    return Published(records, edges, frozenset(names.paths), parts)


NOTHING = Published({}, (), frozenset(), {})


def check_affected(before: Published, after: Published, told: Affected) -> str:
    """In what it is wrong which files a run affected, by two graphs made from nothing and plain search; "" if right.

    Whose packages from outside moved is believed: tests of their own look at that.
    """
    changed = set(_changed(before, after))
    rewired = set(_rewired(before, after)) - changed
    files = {*before.records, *after.records}
    every_kind = frozenset(EdgeKind)
    seeds = {*changed, *rewired, *_importers_of_packages(told.files)}
    strong = _dependents(before, after, seeds, files, every_kind - WEAK_KINDS)
    weak = _dependents(before, after, {*seeds, *_importers_of_packages(told.weak)}, files, every_kind) - strong
    expected = sorted(strong), sorted(weak), sorted(changed), sorted(rewired)
    everything = (*told.files, *told.weak)
    listed = (
        [each.path for each in told.files],
        [each.path for each in told.weak],
        sorted(each.path for each in everything if each.change),
        sorted(each.path for each in everything if each.resolved_anew),
    )
    return "" if listed == expected else f"affected: {listed}\nis not   {expected}"


def _importers_of_packages(files: Iterable[AffectedFile]) -> Iterator[str]:
    moved = (CauseKind.PACKAGE, CauseKind.UNKNOWN, CauseKind.LOCKFILE)
    return (each.path for each in files if each.cause is not None and each.cause.kind in moved)


def _changed(before: Published, after: Published) -> Iterator[str]:
    for path in {*before.records, *after.records}:
        old, new = before.records.get(path), after.records.get(path)
        if old and new:
            if (old.content.digest, old.status) != (new.content.digest, new.status):
                yield path
        elif new:
            if new.status is not FileStatus.INPUT or path not in before.names:
                yield path
        elif path not in after.names:
            yield path


def _rewired(before: Published, after: Published) -> Iterator[str]:
    """Files with facts whose edges lead elsewhere."""
    old, new = _targets(before.edges), _targets(after.edges)
    for path, record in after.records.items():
        if record.status is FileStatus.ANALYZED and old[path] != new[path]:
            yield path


def _targets(edges: Iterable[Edge]) -> defaultdict[str, set[tuple[str, EdgeKind]]]:
    found: defaultdict[str, set[tuple[str, EdgeKind]]] = defaultdict(set)
    for edge in edges:
        found[edge.importer].add((edge.imported, edge.kind))
    return found


def _dependents(
    before: Published, after: Published, seeds: Collection[str], files: Collection[str], kinds: Collection[EdgeKind]
) -> set[str]:
    importers: defaultdict[str, set[str]] = defaultdict(set)
    for edge in (*before.edges, *after.edges):
        if edge.kind in kinds:
            importers[imported_unit(edge)].add(unit_of(edge.importer))
    packages = {unit_of(file) for file in files if file.endswith(".go")}
    for file in files:
        package = parent(file) or "."
        if file.endswith("_test.go") and package in packages:
            importers[package].add(file)
    reached = {unit_of(seed) for seed in seeds}
    waiting = deque(reached)
    while waiting:
        for unit in importers[waiting.popleft()] - reached:
            reached.add(unit)
            waiting.append(unit)
    return {*seeds, *(file for file in files if unit_of(file) in reached)}


class Questions:
    """A store that remembers what each importer has asked for, as it was published last."""

    def __init__(self, store: Store, asked: dict[str, bytes]) -> None:
        self._store = store
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def publish(self, publication: Publication) -> None:
        self._asked.update((row.importer, row.reads) for row in publication.rows)
        for importer in publication.removed_rows:
            self._asked.pop(importer, None)
        self._store.publish(publication)


@dataclass
class KeptStores:
    """A repository under edits and the stores that are kept over them.

    All stores are scanned after every step, and each is compared with a store made from nothing, byte for byte. The
    files that a run affected are compared with what the two graphs from nothing say. What importers have asked for must
    not depend on who was resolved beside them: a question that a cache answers is one all the same.
    """

    root: Path
    stores: list[Store]
    project: str = "law"
    git: bool = False
    remote: Remote | None = None
    script: list[Sequence[Edit]] = field(default_factory=list)
    before: Published = NOTHING
    asked: defaultdict[int, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))

    @property
    def repository(self) -> Repository:
        """The folder, for who edits it otherwise."""
        return Repository(self.root, self.stores[0])

    def step(self, edits: Sequence[Edit]) -> list[Run]:
        """Carry out edits, scan and compare; the run of each store."""
        self.script.append(tuple(edits))
        apply(str(self.root), edits, self.repository.git if self.git else None)
        return self.look()

    def look(self, *, rev: str | None = None, full: bool = False) -> list[Run]:
        """Scan the files as they are, or a commit, into all stores, and compare; the run of each store."""
        stores = [cast(Store, Questions(store, self.asked[number])) for number, store in enumerate(self.stores)]
        runs = [self._scan(store, rev=rev, full=full, remote=self.remote) for store in stores]
        with open_store("memory://") as fresh:
            asked: dict[str, bytes] = {}
            self._scan(cast(Store, Questions(fresh, asked)), rev=rev)
            right = published(fresh, self.project)
            for number, (store, run) in enumerate(zip(self.stores, runs, strict=True)):
                self._compare(store, run, fresh, right)
                if self.remote is None and self.asked[number] != asked:  # Elsewhere another process publishes.
                    wrong = [path for path in asked if self.asked[number].get(path) != asked[path]]
                    self._fail(store, f"other questions are remembered of {wrong}")
        self.before = right
        return runs

    def _scan(self, store: Store, *, rev: str | None, full: bool = False, remote: Remote | None = None) -> Run:
        options = Options(self.project, rev=rev, full=full, lock_timeout=5, remote=remote)
        return analyze(store, str(self.root), settings_of(str(self.root), rev), options)

    def _compare(self, store: Store, run: Run, fresh: Store, right: Published) -> None:
        kept = published(store, self.project)
        wrong = [name for name, part in right.parts.items() if kept.parts[name] != part]
        if wrong:
            found = [
                f"{each.kind} {each.what}: {each.detail}, stored {each.stored}, right {each.right}"
                for each in differences(store, fresh, self.project)
            ]
            parts = [f"{name}: {kept.parts[name]!r}\nis not {right.parts[name]!r}" for name in wrong]
            self._fail(store, "\n".join(found or parts))
        assert run.counts["files"] == sum(run.counts[outcome] for outcome in OUTCOMES)
        if wrong_files := check_affected(self.before, right, load_state(store, self.project, Affected)):
            self._fail(store, wrong_files)

    def _fail(self, store: Store, what: str) -> None:
        script = "".join(f"    {list(edits)},\n" for edits in self.script)
        raise AssertionError(
            f"store {store.url.partition(':')[0]} differs from one made from nothing\n{what}\nscript:\n{script}"
        )


@contextmanager
def kept_stores(folder: Path, world: World, stores: Callable[[], list[Store]], **how: object) -> Iterator[KeptStores]:
    """A world in a new folder, scanned into stores that are closed at the end; the folder goes then."""
    root = folder / "repository"
    root.mkdir(parents=True)
    opened = stores()
    kept = replace(KeptStores(root, opened), **how)  # type: ignore[arg-type]
    try:
        kept.repository.write(world.files)
        if kept.git:
            kept.repository.git("init", "--quiet", "--initial-branch", "main")
        kept.look()
        yield kept
    finally:
        for store in kept.stores:
            store.close()
        shutil.rmtree(folder)
