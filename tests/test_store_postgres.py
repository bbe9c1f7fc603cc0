"""The store in Postgres."""

from collections.abc import Iterator

import pytest

from store_conformance import StoreConformance
from weft_storage.backends import Store, open_store


class TestPostgresStore(StoreConformance):
    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[Store]:
        with open_store(postgres_url) as store:
            yield store
