"""Stores, by URL."""

from weft_storage.backends.base import Part, Store

__all__ = ["Part", "Store", "open_store"]


def open_store(url: str, *, create: bool = True) -> Store:
    """Open the store at a URL: `sqlite:///relative.db`, `sqlite:////absolute.db`, a bare path, or `memory://`.

    Migrates an older schema under a lock. With `create=False` nothing is made or migrated, and a store that does not
    exist is an error. Raises `StoreUnavailable`, `StoreTooNew`, or `UsageError` for a URL of no known kind.
    """
    from weft_storage.backends.sqlite import open_sqlite

    return open_sqlite(url, create=create)
