"""Caches by content that are another store's: facts, quarantine, blobs, named caches. Knows no graph."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from weft_storage.backends.base import Part, Store
from weft_storage.model.files import Content
from weft_storage.model.runs import StoredFacts


class SharedCaches:
    """The part of a `Store` that it shares with the store `caches`."""

    caches: Store

    def known_facts(self, keys: Collection[bytes]) -> set[bytes]:
        return self.caches.known_facts(keys)

    def put_facts(self, facts: Iterable[StoredFacts]) -> None:
        self.caches.put_facts(facts)

    def facts(self, keys: Collection[bytes], parts: Part) -> Iterator[StoredFacts]:
        return self.caches.facts(keys, parts)

    def quarantined(self, keys: Collection[bytes]) -> dict[bytes, str]:
        return self.caches.quarantined(keys)

    def quarantine(self, reasons: Mapping[bytes, str]) -> None:
        self.caches.quarantine(reasons)

    def blobs(self, oids: Collection[str]) -> dict[str, Content]:
        return self.caches.blobs(oids)

    def put_blobs(self, blobs: Mapping[str, Content]) -> None:
        self.caches.put_blobs(blobs)

    def cache(self, name: str) -> bytes | None:
        return self.caches.cache(name)

    def put_cache(self, name: str, payload: bytes) -> None:
        self.caches.put_cache(name, payload)
