"""A store whose graphs live in memory while its caches are another store's: for graphs that nobody should publish."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from weft_storage.backends.base import Part, Store
from weft_storage.backends.memory import memory_database
from weft_storage.backends.sqlstore import SqlStore
from weft_storage.model.files import Content
from weft_storage.model.runs import StoredFacts


class Overlay(SqlStore):
    """Facts, quarantine, blobs and named caches of `caches`; projects, runs and graphs of its own, gone with it."""

    def __init__(self, caches: Store) -> None:
        super().__init__(memory_database())
        self._caches = caches

    def known_facts(self, keys: Collection[bytes]) -> set[bytes]:
        return self._caches.known_facts(keys)

    def put_facts(self, facts: Iterable[StoredFacts]) -> None:
        self._caches.put_facts(facts)

    def facts(self, keys: Collection[bytes], parts: Part) -> Iterator[StoredFacts]:
        return self._caches.facts(keys, parts)

    def quarantined(self, keys: Collection[bytes]) -> dict[bytes, str]:
        return self._caches.quarantined(keys)

    def quarantine(self, reasons: Mapping[bytes, str]) -> None:
        self._caches.quarantine(reasons)

    def blobs(self, oids: Collection[str]) -> dict[str, Content]:
        return self._caches.blobs(oids)

    def put_blobs(self, blobs: Mapping[str, Content]) -> None:
        self._caches.put_blobs(blobs)

    def cache(self, name: str) -> bytes | None:
        return self._caches.cache(name)

    def put_cache(self, name: str, payload: bytes) -> None:
        self._caches.put_cache(name, payload)
