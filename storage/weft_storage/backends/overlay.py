"""A store whose graphs live in memory while its caches are another store's: for graphs that nobody should publish."""

from weft_storage.backends.base import Store
from weft_storage.backends.memory import memory_database
from weft_storage.backends.shared_caches import SharedCaches
from weft_storage.backends.sqlstore import SqlStore


class Overlay(SharedCaches, SqlStore):
    """Facts, quarantine, blobs and named caches of `caches`; projects, runs and graphs of its own, gone with it."""

    def __init__(self, caches: Store) -> None:
        super().__init__(memory_database())
        self.caches = caches
