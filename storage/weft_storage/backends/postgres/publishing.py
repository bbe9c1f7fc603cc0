"""Writes one publication inside a transaction that holds its run. Knows nothing of other runs but that they are there.

Rows are staged in temporary tables and compared there with those of the published graph, as sets: rows that differ are
closed, new ones are added, and what is equal is not touched.
"""

import itertools
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from weft_storage.backends import codec
from weft_storage.backends.batched import batched
from weft_storage.backends.postgres import payloads
from weft_storage.backends.postgres.database import PostgresDatabase
from weft_storage.backends.postgres.payloads import binary_row
from weft_storage.backends.statements import statements
from weft_storage.model.files import FileRecord
from weft_storage.model.paths import encode_text
from weft_storage.model.runs import ImporterRow, Publication
from weft_storage.model.states import STATE_NAMES, Affected, Components, decode_state

# Rows are sent so many at a time: between these, whoever gives them may read the store.
_ROWS_AT_ONCE = 4096

_TABLES = ("file", "adjacency", "detail", "outside", "reads")


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
        for records in batched(publication.files, _ROWS_AT_ONCE):
            self._stage_records(records)
        for rows in batched(publication.rows, _ROWS_AT_ONCE):
            self._stage_rows(rows)
        if self._has_stages:
            self._merge_stages()
        for name, payload in sorted(publication.states.items()):
            self._write_state(name, payload)

    # Staging ---------------------------------------------------------------------------------------

    def _remove(self, paths: Iterable[str], *, of_file: bool) -> None:
        for some in batched(map(encode_text, paths), _ROWS_AT_ONCE):
            found = self._query("path_ids", self._project, some)
            self._name([path_id for _, path_id in found], of_file=of_file)

    def _stage_records(self, records: Sequence[FileRecord]) -> None:
        ids = self._intern(record.path for record in records)
        self._name([ids[record.path] for record in records], of_file=True)
        encode = codec.encode_record
        self._stage("file", (binary_row(ids[record.path], encode(record).encode()) for record in records))

    def _stage_rows(self, rows: Sequence[ImporterRow]) -> None:
        targets = (edge.imported for row in rows for edge in row.edges)
        ids = self._intern(itertools.chain((row.importer for row in rows), targets))
        self._name([ids[row.importer] for row in rows], of_file=False)
        edges = [(ids[row.importer], row) for row in rows if row.edges]
        self._stage("adjacency", (binary_row(path, *payloads.encode_targets(row, ids)) for path, row in edges))
        self._stage("detail", (binary_row(path, payloads.encode_details(row)) for path, row in edges))
        outside = ((ids[row.importer], row) for row in rows if row.outside)
        self._stage("outside", (binary_row(path, payloads.encode_outside(row)) for path, row in outside))
        reads = ((ids[row.importer], row) for row in rows if row.reads)
        self._stage("reads", (binary_row(path, payloads.encode_reads(row)) for path, row in reads))

    def _stage(self, table: str, rows: Iterable[bytes]) -> None:
        self._database.copy(self._sql[f"stage_{table}"], rows)

    def _name(self, ids: Sequence[int], *, of_file: bool) -> None:
        """Whatever is there already of these paths gives way, where it is not equal to what is staged."""
        if not self._has_stages:
            self._database.script(self._sql["make_stages"])
            self._has_stages = True
        self._query("name_ids", ids, of_file)

    def _merge_stages(self) -> None:
        # Else the planner would guess how many rows there are.
        self._query("analyze_stages")
        for table in _TABLES:
            self._query(f"close_{table}", self._project, self._run)
            self._query(f"add_{table}", self._project, self._run)

    def _intern(self, paths: Iterable[str]) -> dict[str, int]:
        """The ids of all paths up to now; new ones are numbered in the order of their names."""
        unknown = {encode_text(path): path for path in sorted({path for path in paths if path not in self._ids})}
        for some in batched(unknown, _ROWS_AT_ONCE):
            found = self._query("path_ids", self._project, some)
            self._ids.update((unknown[text], path_id) for text, path_id in found)
            new = [text for text in some if unknown[text] not in self._ids]
            if new:
                added = self._query("add_paths", self._project, new)
                self._ids.update((unknown[text], path_id) for text, path_id in added)
        return self._ids

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
        ids = self._intern(each.path for each in (*affected.files, *affected.weak))
        for files, is_weak in ((affected.files, False), (affected.weak, True)):
            rows = ((ids[each.path], each.change, each.resolved_anew, is_weak) for each in files)
            self._write_rows("add_affected", rows)

    def _write_components(self, components: Collection[Collection[str]]) -> None:
        ids = self._intern(path for members in components for path in members)
        rows = ((number, ids[path]) for number, members in enumerate(components, 1) for path in members)
        self._write_rows("add_component", rows)

    def _write_rows(self, name: str, rows: Iterable[tuple[Any, ...]]) -> None:
        for some in batched(rows, _ROWS_AT_ONCE):
            columns = [list(column) for column in zip(*some, strict=True)]
            self._query(name, self._project, self._run, *columns)

    def _query(self, name: str, *parameters: Any) -> list[Any]:
        return self._database.query(self._sql[name], *parameters)
