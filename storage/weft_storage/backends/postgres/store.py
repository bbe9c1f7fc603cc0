"""The store in a Postgres database. Knows no driver: the database translates its errors and lends its transactions."""

import contextlib
import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import msgspec

from weft_storage.backends import codec
from weft_storage.backends.base import Part
from weft_storage.backends.batched import batched
from weft_storage.backends.decoding import by_path, decoded, decoding
from weft_storage.backends.locks import busy, this_process
from weft_storage.backends.postgres import payloads
from weft_storage.backends.postgres.collecting import collect
from weft_storage.backends.postgres.database import PostgresDatabase
from weft_storage.backends.postgres.problems import DAMAGED
from weft_storage.backends.postgres.publishing import Publisher
from weft_storage.backends.refusals import no_graph, refuse_late, refuse_to_keep_none, refuse_without_graph
from weft_storage.backends.statements import statements
from weft_storage.model.edges import Edge, Outside
from weft_storage.model.errors import StoreUnavailable
from weft_storage.model.files import Content, FileRecord, Trait
from weft_storage.model.paths import decode_text, encode_text
from weft_storage.model.runs import Publication, Run, RunState, StoredFacts, StoredGraph

if TYPE_CHECKING:
    from weft_storage.backends.postgres.work import PostgresWork

TABLES = (
    *("facts", "quarantine", "blob", "cache", "project", "run", "path"),
    *("file", "adjacency", "detail", "outside", "reads", "state", "affected", "component"),
)

# Facts of so many files are read at once: enough to make statements cheap, few enough to hold.
_FACTS_AT_ONCE = 256
_KEYS_AT_ONCE = 10_000
# Facts are written when there are so many, or so many bytes of them.
_BYTES_AT_ONCE = 4 << 20


class PostgresStore:
    """A `Store` in the schema `weft` of a database, for any number of threads and processes.

    Publishing is one transaction that holds the run, which has to be RUNNING, so of several who finalize a run one
    publishes it, and a run that was ended meanwhile publishes nothing.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self.url = database.url
        self.database = database
        self._sql = statements("postgres/store.sql")

    @cached_property
    def work(self) -> "PostgresWork":
        """The work of runs in the same database."""
        from weft_storage.backends.postgres.work import PostgresWork

        return PostgresWork(self.database)

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # Caches by content -----------------------------------------------------------------------------

    def known_facts(self, keys: Collection[bytes]) -> set[bytes]:
        return {key for (key,) in self._query_many("known_facts", keys)}

    def put_facts(self, facts: Iterable[StoredFacts]) -> None:
        # A transaction per chunk: the facts may come slowly, and nobody should wait for them.
        for rows in _chunks_of_bytes(map(_facts_row, facts)):
            self._query("put_facts", *_columns(rows))

    def facts(self, keys: Collection[bytes], parts: Part) -> Iterator[StoredFacts]:
        wanted = [part in parts for part in (Part.IMPORTS, Part.INTERFACE, Part.DECLARATIONS)]
        for some in batched(sorted(set(keys)), _FACTS_AT_ONCE):
            for row in self._query("facts", some, *wanted):
                with self._decoding():
                    found = _facts_of(row)
                yield found

    def quarantined(self, keys: Collection[bytes]) -> dict[bytes, str]:
        return {key: codec.decode_name(reason) for key, reason in self._query_many("quarantined", keys)}

    def quarantine(self, reasons: Mapping[bytes, str]) -> None:
        for rows in batched(reasons.items(), _KEYS_AT_ONCE):
            self._query("quarantine", [key for key, _ in rows], [codec.encode_name(reason) for _, reason in rows])

    def blobs(self, oids: Collection[str]) -> dict[str, Content]:
        with self._decoding():
            return {
                oid.hex(): Content(digest, size, Trait(trait))
                for oid, digest, size, trait in self._query_many("blobs", map(bytes.fromhex, oids))
            }

    def put_blobs(self, blobs: Mapping[str, Content]) -> None:
        rows = ((bytes.fromhex(oid), each.digest, each.size, str(each.trait)) for oid, each in blobs.items())
        for some in batched(rows, _KEYS_AT_ONCE):
            self._query("put_blobs", *_columns(some))

    def cache(self, name: str) -> bytes | None:
        return next((payload for (payload,) in self._query("cache", codec.encode_name(name))), None)

    def put_cache(self, name: str, payload: bytes) -> None:
        self._query("put_cache", codec.encode_name(name), payload)

    # Runs ------------------------------------------------------------------------------------------

    def projects(self) -> list[str]:
        return sorted(codec.decode_name(name) for (name,) in self._query("projects"))

    @contextlib.contextmanager
    def lock(self, project: str, *, timeout: float) -> Iterator[None]:
        """See `Store`. A connection that breaks loses the lock without a word: then the state of the run decides."""
        name, process = codec.encode_name(project), this_process()
        with self.database.hold("project", name, timeout=timeout) as is_held:
            if not is_held:
                raise busy(project, next((holder for (holder,) in self._query("lock_holder", name)), ""))
            self._query("set_lock_holder", name, process)
            try:
                yield
            finally:
                # It is only told to others: a server that is gone must not hide how the scan ended.
                with contextlib.suppress(StoreUnavailable):
                    self._query("clear_lock_holder", name, process)

    def begin(self, run: Run) -> Run:
        begun = msgspec.structs.replace(run, state=RunState.RUNNING)
        name = codec.encode_name(run.project)
        with self.database.transaction():
            self._query("add_project", name)
            [(project,)] = self._query("hold_project", name)
            for run_id, body in self._query("hold_open_runs", project):
                left = self._run(run_id, body)
                self.finish(msgspec.structs.replace(left, state=RunState.FAILED, error="interrupted"))
            [(run_id,)] = self._query("add_run", project, *_run_columns(begun))
        return msgspec.structs.replace(begun, id=run_id)

    def finish(self, run: Run) -> None:
        self._query("end_run", run.id, *_run_columns(run))

    def publish(self, publication: Publication) -> None:
        run = publication.run
        refuse_without_graph(run)
        with self.database.transaction():
            project = self._hold_publishable(run)
            Publisher(self.database, project, run.id).write(publication)
            self._query("publish_run", run.id, *_run_columns(run))

    def published(self, project: str) -> Run | None:
        rows = self._query("published", codec.encode_name(project))
        return self._run(*rows[0]) if rows else None

    def runs(self, project: str, *, limit: int | None = None) -> list[Run]:
        return [self._run(*row) for row in self._query("runs", codec.encode_name(project), limit)]

    # The published graph ---------------------------------------------------------------------------

    def files(self, project: str, paths: Collection[str] | None = None, *, at: int | None = None) -> list[FileRecord]:
        rows = self._rows_of("files", project, paths, at)
        with self._decoding():
            return codec.decode_records([path for path, _ in rows], [payload for _, payload in rows])

    def graph(self, project: str, *, at: int | None = None) -> StoredGraph:
        from weft_storage.backends.arrays import EMPTY_GRAPH
        from weft_storage.backends.postgres.arrays import build_graph

        with self.database.reading():
            view = self._view(project, at)
            if view is None:
                return EMPTY_GRAPH
            rows = self._query("adjacency", *view)
            paths = self._query("paths", view[0])
        with self._decoding():
            return build_graph(rows, [(path_id, decode_text(text)) for path_id, text in paths])

    def edges(self, project: str, importers: Collection[str] | None = None, *, at: int | None = None) -> Iterator[Edge]:
        with self.database.reading():
            rows = self._rows_of("edges", project, importers, at)
            with self._decoding():
                ids = {target for _, imported, _, _ in rows for target in payloads.ids_of(imported)}
            paths = self._path_texts(ids)
        edges = (payloads.decode_edges(row[0], row[1], row[2], row[3], paths) for row in rows)
        return decoded(edges, self._decoding())

    def outside(
        self, project: str, importers: Collection[str] | None = None, *, at: int | None = None
    ) -> Iterator[Outside]:
        rows = self._rows_of("outside", project, importers, at)
        return decoded((payloads.decode_outside(*row) for row in rows), self._decoding())

    def readers(self, project: str, hashes: Collection[int]) -> list[str]:
        from weft_storage.backends.arrays import raw_rows_that_read

        with self.database.reading():
            view = self._view(project, None)
            if view is None or not hashes:
                return []
            rows = self._query("reads", *view)
            with self._decoding():
                found = raw_rows_that_read(rows, hashes)
            return sorted(self._path_texts(found).values())

    def state(self, project: str, name: str, *, at: int | None = None) -> bytes | None:
        with self.database.reading():
            view = self._view(project, at)
            rows = self._query("state", *view, codec.encode_name(name)) if view else []
        return rows[0][0] if rows else None

    # Care ------------------------------------------------------------------------------------------

    def collect(
        self, *, keep_runs: int, facts_key: Callable[[FileRecord], bytes | None] | None = None
    ) -> dict[str, int]:
        refuse_to_keep_none(keep_runs)
        with self._decoding():
            return collect(self.database, keep_runs, facts_key, self._is_scanning)

    def stats(self) -> dict[str, int]:
        with self.database.reading():
            counts = {table: self._query(f"count_{table}")[0][0] for table in TABLES}
            return counts | {"bytes": self._query("size")[0][0]}

    def _is_scanning(self) -> bool:
        """Whether a scan is under way. A run whose lock is free has died, unless workers are still at it."""
        for (name,) in self._query("running_projects"):
            with self.database.hold("project", name, timeout=0) as is_free:
                if not is_free or self.work.unfinished(codec.decode_name(name)):
                    return True
        return False

    # Statements ------------------------------------------------------------------------------------

    def _query(self, name: str, *parameters: Any) -> list[Any]:
        return self.database.query(self._sql[name], *parameters)

    def _query_many(self, name: str, keys: Iterable[bytes]) -> Iterator[Any]:
        for some in batched(keys, _KEYS_AT_ONCE):
            yield from self._query(name, some)

    def _decoding(self) -> AbstractContextManager[None]:
        return decoding(self.url, *DAMAGED)

    # Runs and views --------------------------------------------------------------------------------

    def _run(self, run_id: int, body: str) -> Run:
        with self._decoding():
            return codec.decode_run(run_id, body)

    def _hold_publishable(self, run: Run) -> int:
        """Hold a run to the end of the transaction; its project, or `StoreUnavailable` for a run that is over."""
        rows = self._query("hold_run", run.id)
        is_of_project = bool(rows) and rows[0][2] == codec.encode_name(run.project)
        refuse_late(run, rows[0][1] if is_of_project else None)
        return int(rows[0][0])

    def _view(self, project: str, at: int | None) -> tuple[int, int] | None:
        """Project and run to read the graph of; None where there is none."""
        rows = self._query("view", codec.encode_name(project))
        if not rows:
            return None
        project_id, published = rows[0]
        if at is not None and at != published:
            if not self._query("has_graph", at, project_id):
                raise no_graph(project, at)
            return project_id, at
        return None if published is None else (project_id, published)

    def _rows_of(self, name: str, project: str, paths: Collection[str] | None, at: int | None) -> list[Any]:
        """Rows of a statement that begin with a path, of all paths or of those named, sorted by it."""
        with self.database.reading():
            view = self._view(project, at)
            if view is None:
                rows = []
            elif paths is None:
                rows = self._query(name, *view)
            else:
                wanted = batched(map(encode_text, sorted(set(paths))), _KEYS_AT_ONCE)
                rows = [row for some in wanted for row in self._query(f"{name}_of", *view, some)]
        with self._decoding():
            return by_path(rows)

    def _path_texts(self, ids: Collection[int]) -> dict[int, str]:
        rows = itertools.chain.from_iterable(self._query("paths_of", some) for some in batched(ids, _KEYS_AT_ONCE))
        with self._decoding():
            return {path_id: decode_text(text) for path_id, text in rows}


def _run_columns(run: Run) -> tuple[str, str, str]:
    return run.state.value, payloads.encode_summary(run), codec.encode_run(run)


def _facts_row(facts: StoredFacts) -> tuple[Any, ...]:
    parts = map(codec.pack_part, (facts.imports, facts.interface, facts.declarations))
    return facts.key, codec.encode_problems(facts.problems), *parts


def _facts_of(row: tuple[bytes, str, bytes, bytes, bytes]) -> StoredFacts:
    key, problems, imports, interface, declarations = row
    return StoredFacts(
        key,
        codec.unpack_part(imports),
        codec.unpack_part(declarations),
        codec.unpack_part(interface),
        codec.decode_problems(problems),
    )


def _columns(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _chunks_of_bytes(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    held: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        held.append(row)
        size += sum(map(len, row))
        if size > _BYTES_AT_ONCE or len(held) == _FACTS_AT_ONCE:
            yield held
            held, size = [], 0
    if held:
        yield held
