"""What Postgres says of a run under way, and ways to have it stand still, go slow or lose its clients."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import psycopg
from psycopg import sql

from weft.stack import PostgresServer
from weft_storage.model.runs import RunState

_PACE = """
CREATE SCHEMA IF NOT EXISTS chaos;
CREATE OR REPLACE FUNCTION chaos.pause() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(TG_ARGV[0]::double precision); RETURN NULL; END';
DROP TRIGGER IF EXISTS pause ON weft.batch;
"""


class Database:
    """The store's database, asked behind the program's back."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    def ask(self, question: str, *parameters: object) -> list[tuple[Any, ...]]:
        """All rows of an answer."""
        with psycopg.connect(self._server.url, autocommit=True) as connection:
            cursor = connection.execute(question.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    # Runs ------------------------------------------------------------------------------------------

    def runs_with_work(self) -> list[int]:
        """The runs under way that have been planned."""
        return [run for (run,) in self.ask("SELECT run FROM weft.weft_work WHERE state = 'running'")]

    def state(self, run_id: int) -> str:
        """How a run is recorded."""
        return str(self.ask("SELECT state FROM weft.run WHERE id = %s", run_id)[0][0])

    def last_state(self) -> str:
        """How the newest run is recorded."""
        return str(self.ask("SELECT state FROM weft.run ORDER BY id DESC LIMIT 1")[0][0])

    def batches(self, *states: str) -> list[int]:
        """Numbers of the batches of the run under way that are in one of the states."""
        question = (
            "SELECT number FROM weft.batch JOIN weft.run ON run.id = batch.run AND run.state = 'running' "
            "WHERE batch.state = ANY (%s) ORDER BY number"
        )
        return [number for (number,) in self.ask(question, list(states))]

    def share_done(self) -> float:
        """How much of the run under way is done, from 0 to 1."""
        done, every = len(self.batches("done")), len(self.batches("queued", "running", "waiting", "done"))
        return done / every if every else 0.0

    def most_attempts(self) -> int:
        """How often the batch was claimed that was claimed most."""
        return int(self.ask("SELECT max(attempt) FROM weft.batch")[0][0])

    def failures(self) -> dict[str, str]:
        """The files that failed in the newest run with work, with the reasons."""
        question = "SELECT path, reason FROM weft.failure WHERE run = (SELECT max(run) FROM weft.work)"
        return {str(path): str(reason) for path, reason in self.ask(question)}

    def held(self) -> list[tuple[Any, ...]]:
        """Locks and transactions that somebody holds, and runs that are not over."""
        return self.ask(
            "SELECT 'lock', locktype, pid FROM pg_locks WHERE locktype = 'advisory' "
            "UNION ALL SELECT 'transaction', query, pid FROM pg_stat_activity "
            "WHERE state LIKE 'idle in transaction%%' AND application_name LIKE 'weft %%' "
            "UNION ALL SELECT 'run', state, id FROM weft.run WHERE state = %s",
            RunState.RUNNING.value,
        )

    # Moments ---------------------------------------------------------------------------------------

    @contextmanager
    def holding(self, table: str) -> Iterator[None]:
        """Nobody can write into a table meanwhile; who reads, reads on. Whoever gets there stands still."""
        with closing(psycopg.connect(self._server.url)) as connection:
            connection.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier("weft", table)))
            yield
            # Whoever stopped the server meanwhile ended this session with all others.
            with suppress(psycopg.Error):
                connection.rollback()

    def blocked(self, table: str) -> list[int]:
        """The pids of the processes that stand still before a table that somebody holds."""
        question = (
            "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE NOT granted AND relation = %s::regclass AND application_name LIKE 'weft %%'"
        )
        return [int(name.rpartition(" ")[2]) for (name,) in self.ask(question, f"weft.{table}")]

    def pace(self, seconds: float) -> None:
        """Let every batch take so much longer; 0: as long as it takes."""
        self.ask(_PACE)
        if seconds:
            self.ask(
                "CREATE TRIGGER pause AFTER UPDATE ON weft.batch FOR EACH ROW "
                f"WHEN (NEW.state = 'done' AND OLD.state <> 'done') EXECUTE FUNCTION chaos.pause('{seconds}')"
            )

    def end_leases(self, worker: str) -> None:
        """Let the leases of a worker run out."""
        self.ask(
            "UPDATE weft.batch SET lease_until = clock_timestamp() WHERE state = 'running' AND worker = %s", worker
        )

    # Sessions and disks ----------------------------------------------------------------------------

    def has_session(self, pid: int) -> bool:
        """Whether a process is connected."""
        return bool(self.ask("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'weft %% ' || %s", str(pid)))

    def end_sessions(self, pid: int) -> None:
        """End the connections of a process, as an administrator can, or a network."""
        self.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'weft %% ' || %s",
            str(pid),
        )

    def end_all_sessions(self) -> None:
        """End the connections of everybody."""
        self.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'weft %'")

    def move_tables(self, folder: str | None) -> None:
        """Keep the tables of the store on another disk; None: where they were."""
        if folder is not None:
            self.ask(sql.SQL("CREATE TABLESPACE small LOCATION {}").format(sql.Literal(folder)).as_string())
        place = "pg_default" if folder is None else "small"
        tables = self.ask(
            "SELECT relkind, relname FROM pg_class WHERE relnamespace = 'weft'::regnamespace AND relkind IN ('r', 'i')"
        )
        for kind, name in tables:
            noun = sql.SQL("TABLE" if kind == "r" else "INDEX")
            statement = sql.SQL("ALTER {} {} SET TABLESPACE {}")
            self.ask(statement.format(noun, sql.Identifier("weft", name), sql.Identifier(place)).as_string())
        if folder is None:
            self.ask("DROP TABLESPACE small")

    def move_server(self, folder: str) -> None:
        """Keep all of Postgres on another disk."""
        self._server.stop()
        place = os.path.join(folder, "data")
        subprocess.run(["mv", self._server.data_folder, place], check=True)
        os.symlink(place, self._server.data_folder)
        self._server.start()
