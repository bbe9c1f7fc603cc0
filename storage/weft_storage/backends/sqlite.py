"""Stores in SQLite: connections, files and what SQLite says of them. Knows no statement of the store."""

import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import quote

from weft_storage.backends.locks import ThreadLocks, file_lock, lock_path, wait_for
from weft_storage.backends.sqlstore import Parameter, SqlStore, is_current, migrate
from weft_storage.model.errors import StoreUnavailable, UsageError

BUSY_SECONDS = 30.0
"""How long a statement waits for another process's write to end."""

DEFAULT_FOLDER = ".weft"

_DAMAGED = ("is not a Weft store or is damaged", "move it away and scan again")
_READ_ONLY = ("is read-only, the file or its folder", "make both writable or choose another --store")

_SMALLEST = 512  # Bytes of SQLite's smallest page.

# By SQLite's primary result codes: https://www.sqlite.org/rescode.html
_PROBLEMS = {
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_FULL: ("has no room left on its disk", "free some and scan again; the published graph is unharmed"),
    sqlite3.SQLITE_BUSY: ("is locked by another program", "wait for it or end it"),
    sqlite3.SQLITE_LOCKED: ("is locked by another program", "wait for it or end it"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "check the path and the permissions of its folder"),
    sqlite3.SQLITE_IOERR: ("cannot be read or written: input/output error", "check its disk"),
    sqlite3.SQLITE_PROTOCOL: ("cannot be locked", "keep it on a file system that has locks"),
}


def open_sqlite(url: str, *, create: bool = True) -> SqlStore:
    """The store in the file that a `sqlite:///` URL or a bare path names.

    With `create`, a missing file and its folder are made and an older schema is migrated. Where the file or its folder
    cannot be written it is opened for reading.
    """
    path = sqlite_path(url)
    url = f"sqlite:///{path}"
    _check(path, url, create=create)
    if create:
        _make_folder(os.path.dirname(path), url)
    database = _connect(path, url, create=create)
    with database.closing_on_error():
        if not is_current(database, create=create):
            database.lay_out()
            migrate(database)
    return SqlStore(database)


def sqlite_path(url: str) -> str:
    """The absolute path that a `sqlite:///` URL (SQLAlchemy's convention) or a bare path names."""
    path = url
    if url.startswith("sqlite:"):
        if not url.startswith("sqlite:///"):
            raise UsageError(
                f"store '{url}'", "is no SQLite URL", "write sqlite:///relative.db or sqlite:////absolute.db"
            )
        path = url.removeprefix("sqlite:///")
    if not path or "\0" in path:
        raise UsageError(f"store '{url}'", "names no file", "write sqlite:///relative.db or sqlite:////absolute.db")
    return os.path.abspath(path)


class SqliteDatabase:
    """One connection, used by one thread at a time. A `Database` of `sqlstore`."""

    def __init__(self, url: str, uri: str, path: str = "") -> None:
        self.url = url
        self._path = path
        self._locks = ThreadLocks()
        self._turn = threading.RLock()
        with self._translating():
            self._connection = sqlite3.connect(
                uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        with self.closing_on_error():
            self.query("PRAGMA foreign_keys = ON")
            # In WAL mode a crash of the machine may lose the last commits, never the consistency of the file.
            self.query("PRAGMA synchronous = NORMAL")
            self.query("PRAGMA temp_store = MEMORY")
            self.query("PRAGMA cache_size = -65536")
            self.query("PRAGMA journal_size_limit = 67108864")

    def query(self, sql: str, *parameters: Parameter) -> list[Any]:
        with self._turn, self._translating():
            return self._connection.execute(sql, parameters).fetchall()

    def transaction(self) -> AbstractContextManager[None]:
        return self._within("BEGIN IMMEDIATE")

    def reading(self) -> AbstractContextManager[None]:
        return self._within("BEGIN")

    def lock(self, project: str, *, timeout: float) -> AbstractContextManager[None]:
        if self._path:
            return file_lock(lock_path(os.path.realpath(self._path), project), project, timeout=timeout)
        return self._locks.hold(project, timeout=timeout)

    def size(self) -> int:
        with self.reading():
            [(pages,)], [(page_size,)] = self.query("PRAGMA page_count"), self.query("PRAGMA page_size")
        return int(pages) * int(page_size)

    def shrink(self) -> None:
        with self._turn, self._translating():
            # As a script, because the pragma frees one page a step and has no rows for which `execute` would go on.
            self._connection.executescript("PRAGMA incremental_vacuum")

    def close(self) -> None:
        with self._turn, self._translating():
            self._connection.close()

    @contextlib.contextmanager
    def closing_on_error(self) -> Iterator[None]:
        """Close the connection if the body fails."""
        try:
            yield
        except BaseException:
            self._connection.close()
            raise

    def lay_out(self) -> None:
        """Set what an empty file is laid out for: large rows, giving back room, reading while another writes.

        Persistent. A file system that cannot do the last keeps a rollback journal.
        """

        def attempt() -> bool:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as exc:
                # SQLite does not wait here by itself while another process makes the same change.
                if _code(exc) != sqlite3.SQLITE_BUSY:
                    raise
                return False
            return True

        with self._turn, self._translating():
            # Both are heeded by empty databases only.
            self.query("PRAGMA page_size = 8192")
            self.query("PRAGMA auto_vacuum = INCREMENTAL")
            if self.query("PRAGMA journal_mode") != [("wal",)]:
                wait_for(attempt, BUSY_SECONDS)

    @contextlib.contextmanager
    def _within(self, begin: str) -> Iterator[None]:
        with self._turn:
            if self._is_within():
                yield
                return
            self.query(begin)
            try:
                yield
                self.query("COMMIT")
            except BaseException:
                # A full disk has ended it already; and what failed first is what must be told.
                with contextlib.suppress(StoreUnavailable):
                    if self._is_within():
                        self.query("ROLLBACK")
                raise

    def _is_within(self) -> bool:
        with self._translating():
            return self._connection.in_transaction

    @contextlib.contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            problem, remedy = _PROBLEMS.get(_code(exc), (f"cannot be used: {exc}", ""))
            raise StoreUnavailable(f"store '{self.url}'", problem, remedy) from exc


def _check(path: str, url: str, *, create: bool) -> None:
    """Refuse what is no file, and a missing one unless it may be made."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        if not create:
            raise StoreUnavailable(f"store '{url}'", "does not exist", "run `weft scan` first") from None
        return
    except OSError as exc:
        raise StoreUnavailable(f"store '{url}'", f"cannot be opened: {exc.strerror}", "check its path") from exc
    if not stat.S_ISREG(found.st_mode):
        what = "is a directory, not a file" if stat.S_ISDIR(found.st_mode) else "is not a regular file"
        raise StoreUnavailable(f"store '{url}'", what, "give the path of a file")
    # SQLite takes a file of one byte for an empty one. (Never open the file to look: closing it again would drop the
    # locks that other connections of this process hold on it, https://www.sqlite.org/howtocorrupt.html.)
    if 0 < found.st_size < _SMALLEST:
        raise StoreUnavailable(f"store '{url}'", *_DAMAGED)


def _make_folder(folder: str, url: str) -> None:
    """Make the folder of a store where it is missing; the default one ignores itself."""
    if os.path.isdir(folder):
        return
    try:
        os.makedirs(folder, exist_ok=True)
        if os.path.basename(folder) == DEFAULT_FOLDER:
            with open(os.path.join(folder, ".gitignore"), "w", encoding="utf-8") as file:
                file.write("*\n")
    except OSError as exc:
        remedy = "make the folder above it writable or choose another --store"
        raise StoreUnavailable(f"store '{url}'", f"its folder cannot be made: {exc.strerror}", remedy) from exc


def _connect(path: str, url: str, *, create: bool) -> SqliteDatabase:
    uri = f"file:{quote(os.fsencode(path))}"
    missing = not os.path.exists(path)
    if missing or (os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK)):
        return SqliteDatabase(url, f"{uri}?mode={'rwc' if create else 'rw'}", path)
    try:
        return _opened_for_reading(SqliteDatabase(url, f"{uri}?mode=ro", path))
    except StoreUnavailable as exc:
        # A WAL file wants shared memory beside it, also for reading. Without a WAL there is nothing to share.
        if _cause(exc) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) or _has_wal(path):
            raise
        return _opened_for_reading(SqliteDatabase(url, f"{uri}?immutable=1", path))


def _opened_for_reading(database: SqliteDatabase) -> SqliteDatabase:
    with database.closing_on_error():
        database.query("SELECT count(*) FROM sqlite_master")
    return database


def _has_wal(path: str) -> bool:
    with contextlib.suppress(OSError):
        return os.path.getsize(f"{os.path.realpath(path)}-wal") > 0
    return False


def _cause(exc: StoreUnavailable) -> int:
    return _code(exc.__cause__) if isinstance(exc.__cause__, sqlite3.Error) else 0


def _code(exc: sqlite3.Error) -> int:
    """The primary result code; 0 where the error is not SQLite's own."""
    return getattr(exc, "sqlite_errorcode", 0) & 0xFF
