"""The store over any database that speaks SQLite's dialect. Knows no driver and no file.

All it asks of the database is in `Database`. Statements take their rows as one JSON parameter, in chunks, so that
neither the number of parameters nor the size of a statement limits them. Publishing is right without a transaction
over several statements too: rows are added and closed under the number of the run, which no reader looks at until one
last statement says that the run has a graph; `begin` undoes what never came so far.
"""

import contextlib
import itertools
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, Self

import msgspec

from weft_storage.backends import codec
from weft_storage.backends.base import Part
from weft_storage.backends.batched import batched
from weft_storage.backends.decoding import by_path, decoded, decoding
from weft_storage.backends.refusals import no_graph, refuse_late, refuse_to_keep_none, refuse_without_graph
from weft_storage.backends.schema import is_current_schema
from weft_storage.backends.statements import migrations, statements
from weft_storage.model.edges import Edge, Outside
from weft_storage.model.errors import StoreBusy, StoreUnavailable
from weft_storage.model.files import Content, FileRecord, Trait
from weft_storage.model.paths import decode_text, encode_text
from weft_storage.model.runs import ImporterRow, Publication, Run, RunState, StoredFacts, StoredGraph

SCHEMA_VERSION = len(migrations())

GRAPH_TABLES = ("file", "adjacency", "detail", "outside", "reads", "state")
ROW_TABLES = ("adjacency", "detail", "outside", "reads")
TABLES = ("facts", "quarantine", "blob", "cache", "project", "run", "path", *GRAPH_TABLES)

# Facts of so many files are read at once: enough to make statements cheap, few enough to hold.
_FACTS_AT_ONCE = 256
_ROWS_AT_ONCE = 4096

# Tables that databases keep for themselves: SQLite, and Cloudflare's D1.
_FOREIGN_TABLES = ("sqlite_", "_cf_", "d1_")

_DAMAGED = ("is damaged", "move it away and scan again")

Parameter = str | int | None


class Database(Protocol):
    """A database of SQLite's dialect. Every method translates the driver's errors to `StoreUnavailable`."""

    url: str

    def query(self, sql: str, *parameters: Parameter) -> list[Any]:
        """All rows of one statement."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Writes in it happen all or not at all, where the database can do that; nested ones join the outermost."""
        ...

    def reading(self) -> AbstractContextManager[None]:
        """Reads in it see one state of the database, where it can do that."""
        ...

    def lock(self, project: str, *, timeout: float) -> AbstractContextManager[None]:
        """Hold the project against all others."""
        ...

    def size(self) -> int:
        """Bytes that the database takes."""
        ...

    def shrink(self) -> None:
        """Give back the room of dropped rows, where the database does not by itself."""
        ...

    def close(self) -> None:
        """Release the database; idempotent."""
        ...


class SqlStore:
    """A `Store` in a database of SQLite's dialect, whose schema is that of this program."""

    def __init__(self, database: Database) -> None:
        self.url = database.url
        self.database = database
        self._sql = statements()

    def close(self) -> None:
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # Caches by content -----------------------------------------------------------------------------

    def known_facts(self, keys: Collection[bytes]) -> set[bytes]:
        return {bytes.fromhex(key) for (key,) in self._query_many("known_facts", _quoted_hex(keys))}

    def put_facts(self, facts: Iterable[StoredFacts]) -> None:
        # A transaction per chunk: the facts may come slowly, and nobody should wait for them.
        self._write_many("put_facts", map(_facts_row, facts))

    def facts(self, keys: Collection[bytes], parts: Part) -> Iterator[StoredFacts]:
        wanted = [int(part in parts) for part in (Part.IMPORTS, Part.INTERFACE, Part.DECLARATIONS)]
        for some in batched(sorted(set(keys)), _FACTS_AT_ONCE):
            for row in list(self._query_many("facts", _quoted_hex(some), *wanted)):
                with self._decoding():
                    found = _facts_of(row)
                yield found

    def quarantined(self, keys: Collection[bytes]) -> dict[bytes, str]:
        rows = self._query_many("quarantined", _quoted_hex(keys))
        return {bytes.fromhex(key): codec.decode_name(reason) for key, reason in rows}

    def quarantine(self, reasons: Mapping[bytes, str]) -> None:
        rows = (json.dumps((key.hex(), codec.encode_name(reason))) for key, reason in reasons.items())
        self._write_many("quarantine", rows)

    def blobs(self, oids: Collection[str]) -> dict[str, Content]:
        with self._decoding():
            return {
                oid: Content(bytes.fromhex(digest), size, Trait(trait))
                for oid, digest, size, trait in self._query_many("blobs", map(json.dumps, oids))
            }

    def put_blobs(self, blobs: Mapping[str, Content]) -> None:
        rows = (json.dumps((oid, content.digest.hex(), content.size, content.trait)) for oid, content in blobs.items())
        self._write_many("put_blobs", rows)

    def cache(self, name: str) -> bytes | None:
        rows = self._query("cache", codec.encode_name(name))
        with contextlib.suppress(ValueError):
            return codec.decode_bytes("".join(piece for (piece,) in rows)) if rows else None
        return None  # Damaged, which costs time, never truth.

    def put_cache(self, name: str, payload: bytes) -> None:
        text = codec.encode_name(name)
        rows = codec.pieces(payload)
        with self.database.transaction():
            self._write_many("put_cache", (json.dumps((text, number, piece)) for number, piece in enumerate(rows)))
            self._query("cut_cache", text, len(rows))

    # Runs ------------------------------------------------------------------------------------------

    def projects(self) -> list[str]:
        return sorted(codec.decode_name(name) for _, name in self._query("projects"))

    def lock(self, project: str, *, timeout: float) -> AbstractContextManager[None]:
        return self.database.lock(project, timeout=timeout)

    def begin(self, run: Run) -> Run:
        begun = msgspec.structs.replace(run, state=RunState.RUNNING)
        name = codec.encode_name(run.project)
        with self.database.transaction():
            self._query("add_project", name)
            [(project, published)] = self._query("project", name)
            self._interrupt_runs(project, published or 0)
            [(run_id,)] = self._query("add_run", project, begun.state, codec.encode_run(begun))
        return msgspec.structs.replace(begun, id=run_id)

    def finish(self, run: Run) -> None:
        self._query("finish_run", run.id, run.state, codec.encode_run(run))

    def publish(self, publication: Publication) -> None:
        run = publication.run
        refuse_without_graph(run)
        with self.database.transaction():
            project, published = self._publishable(run)
            _Publisher(self.database, project, published, run.id).write(publication)
            self._query("swap", run.id, run.state, codec.encode_run(run))

    def published(self, project: str) -> Run | None:
        rows = self._query("published", codec.encode_name(project))
        return self._run(*rows[0]) if rows else None

    def runs(self, project: str, *, limit: int | None = None) -> list[Run]:
        rows = self._query("runs", codec.encode_name(project), -1 if limit is None else limit)
        return [self._run(*row) for row in rows]

    # The published graph ---------------------------------------------------------------------------

    def files(self, project: str, paths: Collection[str] | None = None, *, at: int | None = None) -> list[FileRecord]:
        rows = self._rows_of("files", project, paths, at)
        with self._decoding():
            return codec.decode_records([path for path, _ in rows], [payload for _, payload in rows])

    def graph(self, project: str, *, at: int | None = None) -> StoredGraph:
        from weft_storage.backends.arrays import EMPTY_GRAPH, build_graph

        with self.database.reading():
            view = self._view(project, at)
            if view is None:
                return EMPTY_GRAPH
            rows = self._query("adjacency", *view)
            with self._decoding():
                return build_graph(rows, self._path_texts)

    def edges(self, project: str, importers: Collection[str] | None = None, *, at: int | None = None) -> Iterator[Edge]:
        with self.database.reading():
            rows = self._rows_of("edges", project, importers, at)
            with self._decoding():
                ids = {
                    target
                    for _, adjacency, _ in rows
                    for target in codec.path_ids(codec.decode_adjacency(adjacency)[0])
                }
            paths = dict(self._path_texts(ids))
        edges = (codec.decode_edges(path, adjacency, details, paths) for path, adjacency, details in rows)
        return decoded(edges, self._decoding())

    def outside(
        self, project: str, importers: Collection[str] | None = None, *, at: int | None = None
    ) -> Iterator[Outside]:
        rows = self._rows_of("outside", project, importers, at)
        return decoded((codec.decode_outside(*row) for row in rows), self._decoding())

    def readers(self, project: str, hashes: Collection[int]) -> list[str]:
        from weft_storage.backends.arrays import rows_that_read

        with self.database.reading():
            view = self._view(project, None)
            if view is None or not hashes:
                return []
            rows = self._query("reads", *view)
            with self._decoding():
                found = rows_that_read(rows, hashes)
            return sorted(path for _, path in self._path_texts(found))

    def state(self, project: str, name: str, *, at: int | None = None) -> bytes | None:
        with self.database.reading():
            view = self._view(project, at)
            rows = self._query("state", *view, codec.encode_name(name)) if view else []
        with self._decoding():
            return codec.decode_bytes("".join(piece for (piece,) in rows)) if rows else None

    # Care ------------------------------------------------------------------------------------------

    def collect(
        self, *, keep_runs: int, facts_key: Callable[[FileRecord], bytes | None] | None = None
    ) -> dict[str, int]:
        refuse_to_keep_none(keep_runs)
        dropped = dict.fromkeys(("facts", "quarantine", "path", *GRAPH_TABLES), 0)
        scanning = self._is_scanning()
        with self.database.transaction():
            for (project,) in self._query("project_ids"):
                self._drop_graphs(project, keep_runs, dropped)
            dropped["path"] = self._drop_paths()
            # A scan under way counts on facts that no graph uses yet.
            if facts_key is not None and not scanning:
                used = self._used_facts(facts_key)
                dropped["facts"] = self._drop_keys("facts", used)
                dropped["quarantine"] = self._drop_keys("quarantine", used)
        self.database.shrink()
        return dropped

    def stats(self) -> dict[str, int]:
        with self.database.reading():
            counts = {table: self._query(f"count_{table}")[0][0] for table in TABLES}
            return counts | {"bytes": self.database.size()}

    # Statements ------------------------------------------------------------------------------------

    def _query(self, name: str, *parameters: Parameter) -> list[Any]:
        return self.database.query(self._sql[name], *parameters)

    def _query_many(self, name: str, fragments: Iterable[str], *parameters: Parameter) -> Iterator[Any]:
        """Rows of a statement for each chunk of JSON values."""
        for chunk in codec.chunks(fragments):
            yield from self._query(name, chunk, *parameters)

    def _write_many(self, name: str, fragments: Iterable[str]) -> None:
        for chunk in codec.chunks(fragments):
            with self.database.transaction():
                self._query(name, chunk)

    def _decoding(self) -> AbstractContextManager[None]:
        return decoding(self.url, *_DAMAGED)

    # Runs and views --------------------------------------------------------------------------------

    def _run(self, run_id: int, body: str) -> Run:
        with self._decoding():
            return codec.decode_run(run_id, body)

    def _interrupt_runs(self, project: int, published: int) -> None:
        rows = self._query("open_runs", project)
        if any(leftovers for _, _, leftovers in rows):
            for table in GRAPH_TABLES:
                self._query(f"discard_{table}", project, published)
                self._query(f"reopen_{table}", project, published)
        for run_id, body, _ in rows:
            run = self._run(run_id, body)
            if run.state is RunState.RUNNING:
                run = msgspec.structs.replace(run, state=RunState.FAILED, error="interrupted")
            self._query("end_run", run_id, run.state, codec.encode_run(run))

    def _publishable(self, run: Run) -> tuple[int, int]:
        """Project and published run, or `StoreUnavailable` for a run that is over."""
        rows = self._query("project", codec.encode_name(run.project))
        known = self._query("run", run.id)
        is_of_project = bool(rows and known) and known[0][0] == rows[0][0]
        refuse_late(run, known[0][1] if is_of_project else None)
        return rows[0][0], rows[0][1] or 0

    def _view(self, project: str, at: int | None) -> tuple[int, int] | None:
        """Project and run to read the graph of; None where there is none."""
        rows = self._query("project", codec.encode_name(project))
        if not rows:
            return None
        project_id, published = rows[0]
        if at is not None and at != published:
            known = self._query("run", at)
            if not known or known[0][0] != project_id or not known[0][2]:
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
                wanted = codec.chunks(json.dumps(encode_text(path)) for path in sorted(set(paths)))
                rows = [row for chunk in wanted for row in self._query(f"{name}_of", *view, chunk)]
        with self._decoding():
            return by_path(rows)

    def _path_texts(self, ids: Collection[int]) -> list[tuple[int, str]]:
        """The paths of the ids; perhaps of others too where most are wanted."""
        [(last,)] = self._query("last_path")
        if 2 * len(ids) > last:
            rows = [row for row in self._query("paths") if row[0] in ids]
        else:
            rows = list(self._query_many("paths_of", map(str, ids)))
        return [(path_id, decode_text(text) if text.startswith("/") else text) for path_id, text in rows]

    # Care ------------------------------------------------------------------------------------------

    def _is_scanning(self) -> bool:
        """Whether a scan is under way; a run whose lock is free has died."""
        for (name,) in self._query("scanned_projects"):
            try:
                with self.lock(codec.decode_name(name), timeout=0):
                    pass
            except StoreBusy:
                return True
        return False

    def _drop_graphs(self, project: int, keep_runs: int, dropped: dict[str, int]) -> None:
        [(oldest,)] = self._query("oldest_kept_run", project, keep_runs)
        if oldest is None:
            return
        self._query("forget_graphs", project, oldest)
        for table in GRAPH_TABLES:
            dropped[table] += len(self._query(f"drop_{table}", project, oldest))

    def _drop_paths(self) -> int:
        from weft_storage.backends.arrays import imported_ids

        with self._decoding():
            used = imported_ids(self._query("all_adjacency"))
        for table in ("file", *ROW_TABLES):
            used.update(path_id for (path_id,) in self._query(f"importers_{table}"))
        unused = [path_id for path_id, _ in self._query("paths") if path_id not in used]
        for chunk in codec.chunks(map(str, unused)):
            self._query("drop_paths", chunk)
        return len(unused)

    def _used_facts(self, facts_key: Callable[[FileRecord], bytes | None]) -> set[str]:
        """Keys (hex) of the facts of all files of kept graphs."""
        used: set[str] = set()
        for (project,) in self._query("project_ids"):
            rows = self._query("all_files", project)
            with self._decoding():
                records = codec.decode_records([decode_text(text) for text, _ in rows], [each for _, each in rows])
            used.update(key.hex() for key in map(facts_key, records) if key is not None)
        return used

    def _drop_keys(self, table: str, used: Collection[str]) -> int:
        unused = [key for (key,) in self._query(f"keys_{table}") if key not in used]
        for chunk in codec.chunks(map(json.dumps, unused)):
            self._query(f"drop_keys_{table}", chunk)
        return len(unused)


class _Publisher:
    """Writes one publication: rows of the graph under the number of its run. Readers of earlier runs see none of it."""

    def __init__(self, database: Database, project: int, published: int, run: int) -> None:
        self._database = database
        self._sql = statements()
        self._project = project
        self._first = not published
        self._run = run
        self._ids: dict[str, int] = {}

    def write(self, publication: Publication) -> None:
        self._query("start_publishing", self._run)
        self._remove(("file",), publication.removed_files)
        self._remove(ROW_TABLES, publication.removed_rows)
        for records in batched(publication.files, _ROWS_AT_ONCE):
            self._intern(record.path for record in records)
            self._replace("file", (f'"{self._ids[each.path]}":{codec.encode_record(each)}' for each in records))
        for rows in batched(publication.rows, _ROWS_AT_ONCE):
            self._write_rows(rows)
        for name, payload in sorted(publication.states.items()):
            self._write_state(codec.encode_name(name), payload)

    def _remove(self, tables: Sequence[str], paths: Iterable[str]) -> None:
        texts = (json.dumps(encode_text(path)) for path in paths)
        for chunk in codec.chunks(texts):
            ids = [str(path_id) for _, path_id in self._query("path_ids", chunk)]
            for some, table in itertools.product(list(codec.chunks(ids)), tables):
                self._query(f"remove_{table}", some, self._project, self._run)

    def _write_rows(self, rows: Sequence[ImporterRow]) -> None:
        self._intern(
            itertools.chain((row.importer for row in rows), (edge.imported for row in rows for edge in row.edges))
        )
        ids = self._ids
        # Base64 needs no escapes in JSON.
        self._replace("adjacency", (f'"{ids[row.importer]}":"{codec.encode_adjacency(row, ids)}"' for row in rows))
        for table, encode in (
            ("detail", codec.encode_details),
            ("outside", codec.encode_outside),
            ("reads", codec.encode_reads),
        ):
            self._replace(table, (f'"{ids[row.importer]}":"{encode(row)}"' for row in rows))

    def _write_state(self, name: str, payload: bytes) -> None:
        rows = codec.pieces(payload)
        for chunk in codec.chunks(json.dumps((name, number, piece)) for number, piece in enumerate(rows)):
            self._query("close_state", chunk, self._project, self._run)
            self._query("add_state", chunk, self._project, self._run)
        self._query("cut_state", self._project, name, len(rows), self._run)

    def _replace(self, table: str, fragments: Iterable[str]) -> None:
        """Rows as (path, payload): an empty payload closes the old row; an equal one is left as it is."""
        for chunk in codec.chunks(fragments, "{}"):
            if self._first:
                self._query(f"add_first_{table}", chunk, self._project, self._run)
            else:
                self._query(f"close_{table}", chunk, self._project, self._run)
                self._query(f"add_{table}", chunk, self._project, self._run)

    def _intern(self, paths: Iterable[str]) -> None:
        """Give every path its id; new ones are numbered in the order of their names."""
        ids = self._ids
        texts = {encode_text(path): path for path in sorted({path for path in paths if path not in ids})}
        for chunk in codec.chunks(map(json.dumps, texts)):
            self._query("intern", chunk)
            ids.update((texts[text], path_id) for text, path_id in self._query("path_ids", chunk))

    def _query(self, name: str, *parameters: Parameter) -> list[Any]:
        return self._database.query(self._sql[name], *parameters)


def is_current(database: Database, *, create: bool) -> bool:
    """Whether the schema is this program's. A missing or older one is an error unless it may be made (`create`).

    Raises `StoreTooNew`, and `StoreUnavailable` for the database of another program.
    """
    remedy = "run `weft scan` first"
    return is_current_schema(database.url, _versions(database), schema=SCHEMA_VERSION, create=create, when_empty=remedy)


def migrate(database: Database) -> None:
    """Bring an empty or older schema up to this program's; others who do the same at the same time wait."""
    with database.transaction():
        if is_current(database, create=True):
            return
        for migration in migrations()[_versions(database).get("schema", 0) :]:
            for statement in migration:
                database.query(statement)
        database.query(statements()["set_meta"], "schema", SCHEMA_VERSION)
        database.query(statements()["set_meta"], "format", codec.FORMAT_VERSION)


def _versions(database: Database) -> dict[str, int]:
    """What the database says of itself; nothing where it is empty."""
    tables = [name for (name,) in database.query(statements()["tables"]) if not name.startswith(_FOREIGN_TABLES)]
    if not tables:
        return {}
    versions = dict(database.query(statements()["meta"])) if "meta" in tables and "run" in tables else {}
    if "schema" not in versions:
        remedy = "choose another --store: this one will not be touched"
        raise StoreUnavailable(f"store '{database.url}'", "is the database of another program", remedy)
    return versions


def _facts_row(facts: StoredFacts) -> str:
    parts = ",".join(f'"{codec.encode_part(part)}"' for part in (facts.imports, facts.interface, facts.declarations))
    return f'["{facts.key.hex()}",{codec.encode_problems(facts.problems)},{parts}]'


def _facts_of(row: tuple[str, str, str, str, str]) -> StoredFacts:
    key, problems, imports, interface, declarations = row
    return StoredFacts(
        bytes.fromhex(key),
        codec.decode_part(imports),
        codec.decode_part(declarations),
        codec.decode_part(interface),
        codec.decode_problems(problems),
    )


def _quoted_hex(keys: Iterable[bytes]) -> Iterator[str]:
    return (f'"{key.hex()}"' for key in keys)
