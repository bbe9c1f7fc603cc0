"""Writes one publication inside a transaction that holds its run. Knows nothing of other runs but that they are there.

Rows are staged in temporary tables and compared there with those of the published graph, as sets: rows that differ are
closed, new ones are added, and what is equal is not touched.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from weft_storage.backends import codec
from weft_storage.backends.postgres import payloads
from weft_storage.backends.postgres.database import PostgresDatabase
from weft_storage.backends.statements import statements
from weft_storage.model.files import FileRecord
from weft_storage.model.paths import encode_text
from weft_storage.model.runs import ImporterRow, Publication
from weft_storage.model.states import STATE_NAMES, Affected, Components, decode_state

# Rows are sent so many at a time: between these, whoever gives them may read the store.
_ROWS_AT_ONCE = 4096

_COLUMNS = {
    "file": ("int4", "text"),
    "adjacency": ("int4", "int4[]", "int2[]"),
    "detail": ("int4", "jsonb"),
    "outside": ("int4", "jsonb"),
    "reads": ("int4", "bytea"),
}

T = TypeVar("T")


class Publisher:
    """Writes the rows of one run of a project."""

    def __init__(self, database: PostgresDatabase, project: int, run: int) -> None:
        self._database = database
        self._sql = statements("postgres/store.sql")
        self._project = project
        self._run = run
        self._ids: dict[str, int] = {}
        self._has_stages = False

    def write(self, publication: Publication) -> None:
        """Write all changes; the caller says afterwards that the run has a graph."""
        self._remove(publication.removed_files, of_file=True)
        self._remove(publication.removed_rows, of_file=False)
        for number, records in enumerate(_batches(publication.files, _ROWS_AT_ONCE)):
            self._stage_records(records)
            self._analyze_after_first(number)
        for number, rows in enumerate(_batches(publication.rows, _ROWS_AT_ONCE)):
            self._stage_rows(rows)
            self._analyze_after_first(number)
        if self._has_stages:
            for table in _COLUMNS:
                self._query(f"close_{table}", self._project, self._run)
                self._query(f"add_{table}", self._project, self._run)
        for name, payload in sorted(publication.states.items()):
            self._write_state(name, payload)

    # Staging ---------------------------------------------------------------------------------------

    def _remove(self, paths: Iterable[str], *, of_file: bool) -> None:
        for some in _batches(map(encode_text, paths), _ROWS_AT_ONCE):
            self._make_stages()
            self._query("name_paths", self._project, some, of_file)

    def _stage_records(self, records: Sequence[FileRecord]) -> None:
        self._make_stages()
        self._intern(record.path for record in records)
        self._name([record.path for record in records], of_file=True)
        self._stage("file", ((self._ids[record.path], codec.encode_record(record)) for record in records))

    def _stage_rows(self, rows: Sequence[ImporterRow]) -> None:
        self._make_stages()
        targets = (edge.imported for row in rows for edge in row.edges)
        self._intern(itertools.chain((row.importer for row in rows), targets))
        self._name([row.importer for row in rows], of_file=False)
        ids = self._ids
        with_edges = [row for row in rows if row.edges]
        self._stage("adjacency", ((ids[row.importer], *payloads.encode_targets(row, ids)) for row in with_edges))
        self._stage("detail", ((ids[row.importer], payloads.encode_details(row)) for row in with_edges))
        self._stage("outside", ((ids[row.importer], payloads.encode_outside(row)) for row in rows if row.outside))
        self._stage("reads", ((ids[row.importer], payloads.encode_reads(row)) for row in rows if row.reads))

    def _stage(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._database.copy(self._sql[f"stage_{table}"], _COLUMNS[table], rows)

    def _name(self, paths: Iterable[str], *, of_file: bool) -> None:
        """Whatever is there already of these gives way, where it is not equal to what is staged."""
        self._query("name_ids", [self._ids[path] for path in paths], of_file)

    def _make_stages(self) -> None:
        if not self._has_stages:
            self._database.script(self._sql["make_stages"])
            self._has_stages = True

    def _analyze_after_first(self, number: int) -> None:
        """Let the planner know that there are many rows: it believes that new tables are small."""
        if number == 1:
            self._query("analyze_stages")

    def _intern(self, paths: Iterable[str]) -> None:
        """Give every path its id; new ones are numbered in the order of their names."""
        texts = {encode_text(path): path for path in sorted({path for path in paths if path not in self._ids})}
        for some in _batches(texts, _ROWS_AT_ONCE):
            self._query("intern", self._project, some)
            found = self._query("path_ids", self._project, some)
            self._ids.update((texts[text], path_id) for text, path_id in found)

    # States ----------------------------------------------------------------------------------------

    def _write_state(self, name: str, payload: bytes) -> None:
        key = (self._project, self._run, codec.encode_name(name), payload)
        self._query("close_state", *key)
        if self._query("add_state", *key):
            if name == STATE_NAMES[Affected]:
                self._write_affected(decode_state(payload, Affected))
            if name == STATE_NAMES[Components]:
                self._write_components(decode_state(payload, Components).components)

    def _write_affected(self, affected: Affected) -> None:
        self._intern(each.path for each in (*affected.files, *affected.weak))
        for files, is_weak in ((affected.files, False), (affected.weak, True)):
            rows = ((self._ids[each.path], each.change, each.resolved_anew, is_weak) for each in files)
            self._write_rows("add_affected", rows)

    def _write_components(self, components: Collection[Collection[str]]) -> None:
        self._intern(path for members in components for path in members)
        rows = ((number, self._ids[path]) for number, members in enumerate(components, 1) for path in members)
        self._write_rows("add_component", rows)

    def _write_rows(self, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
        for some in _batches(rows, _ROWS_AT_ONCE):
            columns = [list(column) for column in zip(*some, strict=True)]
            self._query(name, self._project, self._run, *columns)

    def _query(self, name: str, *parameters: Any) -> list[Any]:
        return self._database.query(self._sql[name], *parameters)


def _batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    remaining = iter(values)
    while batch := list(itertools.islice(remaining, size)):
        yield batch
