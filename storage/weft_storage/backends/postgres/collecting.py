"""Drops what no kept graph uses. Knows nothing of scans but whether one is under way."""

from collections.abc import Callable, Iterable
from typing import Any

from weft_storage.backends import codec
from weft_storage.backends.postgres.database import PostgresDatabase
from weft_storage.backends.statements import statements
from weft_storage.model.files import FileRecord
from weft_storage.model.paths import decode_text

GRAPH_TABLES = ("file", "adjacency", "detail", "outside", "reads", "state", "affected", "component", "path")
CACHE_TABLES = ("facts", "quarantine")

FactsKey = Callable[[FileRecord], bytes | None]


def collect(
    database: PostgresDatabase, keep_runs: int, facts_key: FactsKey | None, is_scanning: Callable[[], bool]
) -> dict[str, int]:
    """Drop graphs older than the last `keep_runs` of each project, and (given `facts_key`) facts that none uses; rows
    dropped per table. Projects are held one after the other, so only one at a time has to wait."""
    sql = statements("postgres/store.sql")
    dropped = dict.fromkeys((*CACHE_TABLES, *GRAPH_TABLES), 0)
    for project, _ in database.query(sql["project_names"]):
        for table, count in _drop_graphs(database, project, keep_runs).items():
            dropped[table] += count
    if facts_key is not None:
        dropped.update(_drop_facts(database, facts_key, is_scanning))
    return dropped


def _drop_graphs(database: PostgresDatabase, project: int, keep_runs: int) -> dict[str, int]:
    sql = statements("postgres/store.sql")
    with database.transaction():
        # Nobody begins meanwhile, and whoever publishes has ended: no path is dropped that a run is about to use.
        database.query(sql["hold_project_of_id"], project)
        database.query(sql["hold_open_runs"], project)
        database.query(sql["forget_graphs"], project, keep_runs)
        return {table: database.query(sql[f"drop_{table}"], project)[0][0] for table in GRAPH_TABLES}


def _drop_facts(database: PostgresDatabase, facts_key: FactsKey, is_scanning: Callable[[], bool]) -> dict[str, int]:
    sql = statements("postgres/store.sql")
    with database.transaction():
        # A scan counts on facts that no graph uses yet: none is under way, and none begins.
        database.query(sql["hold_beginning"])
        if is_scanning():
            return {}
        database.query(sql["make_used"])
        used = {key for key in map(facts_key, _records(database.query(sql["all_files"]))) if key is not None}
        database.query(sql["use"], list(used))
        return {table: database.query(sql[f"drop_unused_{table}"])[0][0] for table in CACHE_TABLES}


def _records(rows: Iterable[tuple[Any, ...]]) -> list[FileRecord]:
    found = list(rows)
    return codec.decode_records([decode_text(text) for text, _ in found], [payload for _, payload in found])
