"""The store in memory."""

from collections.abc import Iterator

import pytest

from store_conformance import StoreConformance
from store_samples import publish, record
from weft_storage.backends import Store, open_store
from weft_storage.model.errors import StoreUnavailable, UsageError


class TestMemoryStore(StoreConformance):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with open_store("memory://") as store:
            yield store

    def test_every_store_in_memory_is_private(self, store: Store) -> None:
        publish(store, files=[record("a")])
        with open_store("memory://") as other:
            assert other.projects() == []

    def test_there_is_never_one_to_be_found(self) -> None:
        with pytest.raises(StoreUnavailable, match="does not exist"):
            open_store("memory://", create=False)

    def test_it_has_no_name(self) -> None:
        with pytest.raises(UsageError, match="write memory://"):
            open_store("memory://shared")
