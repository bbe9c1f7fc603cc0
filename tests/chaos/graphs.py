"""Published graphs as digests that can be compared: two are equal, or they are not. Knows no fault."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from chaos.corpus import PROJECT
from weft.configuration import settings_of
from weft.pipeline import Options, analyze
from weft_storage.backends import Store, open_store
from weft_storage.model.edges import Edge
from weft_storage.model.runs import Run, RunState
from weft_storage.model.states import Components, Names
from weft_storage.model.work import Limits
from weft_tasks.extract.encoding import facts_key
from weft_tasks.finalize.states import load_state
from weft_tasks.jobs import quarantine_name


class Graph(msgspec.Struct, frozen=True):
    """Digests of the parts of one published graph: all that queries can ask for. `rows` are the edges as SQL shows
    them."""

    edges: str
    rows: str
    outside: str
    files: str
    components: str
    names: str
    numbers: str


def read_graph(store: Store, run: Run) -> Graph:
    """The graph that a run published."""
    at = run.id
    edges = list(store.edges(PROJECT, at=at))
    stored = store.graph(PROJECT, at=at)
    return Graph(
        edges=digest(edges),
        rows=digest(sorted(map(_row, edges))),
        outside=digest(store.outside(PROJECT, at=at)),
        files=digest(store.files(PROJECT, at=at)),
        components=digest([load_state(store, PROJECT, Components, at=at)]),
        names=digest([load_state(store, PROJECT, Names, at=at)]),
        numbers=digest([stored.paths, stored.importers, stored.imported, stored.kinds]),
    )


def digest(things: Iterable[object]) -> str:
    """The same for equal things in equal order."""
    found = hashlib.sha256()
    for each in things:
        found.update(repr(each).encode("utf-8", "surrogatepass"))
    return found.hexdigest()[:16]


def _row(edge: Edge) -> tuple[object, ...]:
    return (edge.importer, edge.imported, edge.kind.value, edge.line, edge.specifier, list(edge.names))


@dataclass(frozen=True)
class Right:
    """What a scan of a commit must publish. `keys` are those of the facts of its files."""

    root: Path
    rev: str
    graph: Graph
    counts: Mapping[str, int]
    keys: Mapping[str, bytes]

    def without(self, failed: Mapping[str, str]) -> Graph:
        """What it must publish where some files have no facts, for these reasons."""
        settings = settings_of(str(self.root), self.rev)
        limits = Limits(settings.file_memory << 20, settings.file_timeout)
        with open_store("memory://") as store:
            store.quarantine({quarantine_name(self.keys[path], limits): reason for path, reason in failed.items()})
            run = analyze(store, str(self.root), settings, Options(PROJECT, rev=self.rev))
            assert run.state is RunState.INCOMPLETE
            assert run.counts["failed"] == len(failed)
            return read_graph(store, run)


def find_right(root: Path, rev: str) -> Right:
    """What a scan of a commit must publish, found out by a scan on this machine. (Of files that fail for good, it may
    fail of others than elsewhere, or for another reason: `without` says what then is right.)"""
    with open_store("memory://") as store:
        run = analyze(store, str(root), settings_of(str(root), rev), Options(PROJECT, rev=rev))
        keys = {
            record.path: facts_key(record.content.digest, record.language)
            for record in store.files(PROJECT)
            if record.language is not None
        }
        return Right(root, rev, read_graph(store, run), run.counts, keys)
