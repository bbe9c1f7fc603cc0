"""Stores in memory: private to whoever opened them, gone when closed. Otherwise SQLite's."""

from weft_storage.backends.sqlite import SqliteDatabase
from weft_storage.backends.sqlstore import SqlStore, migrate
from weft_storage.model.errors import StoreUnavailable, UsageError

URL = "memory://"


def open_memory(url: str, *, create: bool) -> SqlStore:
    """A new, empty store: there is never one to be found, so `create=False` is an error."""
    if url != URL:
        raise UsageError(f"store '{url}'", "names something, which memory cannot have", f"write {URL}")
    if not create:
        raise StoreUnavailable(f"store '{url}'", "does not exist", "choose a store that outlives its process")
    return SqlStore(memory_database())


def memory_database() -> SqliteDatabase:
    """A new database with the schema of stores and nothing in it."""
    database = SqliteDatabase(URL, "file::memory:")
    with database.closing_on_error():
        migrate(database)
    return database
