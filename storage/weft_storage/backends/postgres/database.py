"""A Postgres database as its stores use it: statements, transactions, locks and migrations. Knows no table but `meta`.

Only transactions are relied on, never sessions, so that a pooler in transaction mode may stand before the server (with
`prepare_threshold=none` in the URL where it cannot do prepared statements): locks are held by transactions too.
"""

import contextlib
import hashlib
import threading
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import psycopg

from weft_storage.backends import codec
from weft_storage.backends.locks import wait_for
from weft_storage.backends.postgres.pool import Connection, Pool
from weft_storage.backends.postgres.problems import unavailable
from weft_storage.backends.postgres.url import parse_url
from weft_storage.backends.schema import is_current_schema
from weft_storage.backends.statements import scripts, statements
from weft_storage.model.errors import StoreUnavailable

SCHEMA_VERSION = len(scripts("postgres/migrations"))

# A process that stands still while it holds rows would have everybody else wait for it.
_BEGIN_WRITING = "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '60s'"
_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

# https://www.postgresql.org/docs/current/sql-copy.html
_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"

# A lock is held by a transaction that does nothing: it must not be ended for that. Where the holder's machine vanished
# the server should notice within a minute (for connections over TCP; others ignore it).
_BEGIN_HOLDING = (
    "BEGIN",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SET LOCAL tcp_keepalives_idle = 20",
    "SET LOCAL tcp_keepalives_interval = 10",
    "SET LOCAL tcp_keepalives_count = 4",
)


class PostgresDatabase:
    """A database, for any number of threads; every thread has a transaction of its own.

    All methods translate the driver's errors to `StoreUnavailable`. Connections are made when they are needed, and
    replaced where the server was restarted. A forked child may go on using the object: it makes connections of its own.
    """

    def __init__(self, url: str) -> None:
        self._target = parse_url(url)
        self.url = self._target.url
        self._pool = Pool(self._target)
        self._current = _Current()

    def query(self, sql: str, *parameters: Any) -> list[Any]:
        """All rows of one statement with parameters `$1`, `$2`, ...; in the thread's transaction, or one of its own."""
        with self._connection() as connection, self._translating():
            cursor = connection.execute(sql.encode(), parameters or None, binary=True)
            return cursor.fetchall() if cursor.description else []

    def copy(self, sql: str, rows: Iterable[bytes]) -> None:
        """Send rows to a `COPY ... FROM STDIN (FORMAT binary)`, each as that format has it."""
        with self._connection() as connection, self._translating(), connection.cursor().copy(sql.encode()) as copy:
            copy.write(b"".join((_COPY_HEADER, *rows, _COPY_END)))

    def script(self, sql: str) -> None:
        """Execute statements without parameters, separated by semicolons."""
        with self._connection() as connection, self._translating():
            connection.execute(sql.encode())

    def transaction(self) -> AbstractContextManager[None]:
        """Writes in it happen all or not at all; nested ones join the thread's outermost."""
        return self._within(_BEGIN_WRITING)

    def reading(self) -> AbstractContextManager[None]:
        """Statements in it see one state of the database, and may not write; it joins the thread's outermost."""
        return self._within(_BEGIN_READING)

    @contextlib.contextmanager
    def hold(self, *names: str, timeout: float) -> Iterator[bool]:
        """Hold a lock of that name, on a connection of its own; False where somebody else has it for `timeout` seconds.

        The server lets go of it when this process dies, and also when the connection breaks: whatever must not happen
        twice has to be guarded by the state of a row as well.
        """
        key = lock_key(*names)
        with self._pool.connection() as connection:
            with self._translating():
                for statement in _BEGIN_HOLDING:
                    connection.execute(statement.encode())

                def attempt() -> bool:
                    found = connection.execute(b"SELECT pg_try_advisory_xact_lock($1)", (key,)).fetchone()
                    return bool(found and found[0])

                got = wait_for(attempt, timeout)
                # The portal of a statement with parameters keeps its snapshot, and so every dead row of the database,
                # until the next statement; one without parameters keeps none.
                connection.execute(b"SELECT")
            try:
                yield got
            finally:
                # A broken connection has let go already; the pool will not take it back.
                with contextlib.suppress(psycopg.Error):
                    connection.execute(b"ROLLBACK")

    def lock(self, *names: str) -> None:
        """Wait for a lock of that name, which the thread's transaction holds to its end."""
        self.query("SELECT pg_advisory_xact_lock($1)", lock_key(*names))

    def close(self) -> None:
        """Close all connections; idempotent."""
        self._pool.close()

    @contextlib.contextmanager
    def _within(self, begin: str) -> Iterator[None]:
        if self._current.connection is not None:
            yield
            return
        with self._begun(begin) as connection:
            self._current.connection = connection
            try:
                yield
                with self._translating():
                    connection.execute(b"COMMIT")
            except BaseException:
                # A lost connection has ended it already; and what failed first is what must be told.
                with contextlib.suppress(psycopg.Error):
                    connection.execute(b"ROLLBACK")
                raise
            finally:
                self._current.connection = None

    @contextlib.contextmanager
    def _begun(self, begin: str) -> Iterator[Connection]:
        """A connection in a new transaction; another one where the server went away unnoticed before it began."""
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(self._pool.connection())
            try:
                connection.execute(begin.encode(), prepare=False)
            except psycopg.OperationalError:
                connection.close()
                connection = stack.enter_context(self._pool.connection())
                with self._translating():
                    connection.execute(begin.encode(), prepare=False)
            yield connection

    def _connection(self) -> AbstractContextManager[Connection]:
        current = self._current.connection
        return self._pool.connection() if current is None else contextlib.nullcontext(current)

    @contextlib.contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as exc:
            raise unavailable(self.url, exc, self._target.password) from exc


class _Current(threading.local):
    """The connection of the transaction that a thread is in."""

    connection: Connection | None = None


def lock_key(*names: str) -> int:
    """The number of a lock in Postgres: 64 bits, signed."""
    text = "\0".join(("weft", *names)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big", signed=True)


def is_current(database: PostgresDatabase, *, create: bool) -> bool:
    """Whether the schema is this program's. A missing or older one is an error unless it may be made (`create`).

    Raises `StoreTooNew`, and `StoreUnavailable` for a schema `weft` of another program.
    """
    remedy = "run `weft scan` or `weft store migrate` first"
    return is_current_schema(database.url, _versions(database), schema=SCHEMA_VERSION, create=create, when_empty=remedy)


def migrate(database: PostgresDatabase) -> None:
    """Bring a missing or older schema up to this program's; others who do the same at the same time wait."""
    with database.transaction():
        database.lock("migrate")
        if is_current(database, create=True):
            return
        sql = statements("postgres/database.sql")
        _refuse_other_encodings(database)
        for script in scripts("postgres/migrations")[_versions(database).get("schema", 0) :]:
            database.script(script)
        database.query(sql["set_meta"], "schema", SCHEMA_VERSION)
        database.query(sql["set_meta"], "format", codec.FORMAT_VERSION)


def _versions(database: PostgresDatabase) -> dict[str, int]:
    """What the schema says of itself; nothing where there is none, or an empty one that was made for us."""
    sql = statements("postgres/database.sql")
    [(has_meta, has_tables)] = database.query(sql["tables"])
    if not has_tables:
        return {}
    versions = dict(database.query(sql["meta"])) if has_meta else {}
    if "schema" not in versions:
        remedy = "choose another database: this schema will not be touched"
        raise StoreUnavailable(f"store '{database.url}'", "has a schema weft of another program", remedy)
    return versions


def _refuse_other_encodings(database: PostgresDatabase) -> None:
    [(encoding,)] = database.query("SHOW server_encoding")
    if encoding != "UTF8":
        remedy = "create its database with ENCODING 'UTF8'"
        raise StoreUnavailable(
            f"store '{database.url}'", f"has the encoding {encoding}, which lacks characters", remedy
        )
