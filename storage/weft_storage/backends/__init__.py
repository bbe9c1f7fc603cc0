"""Stores, by URL."""

import re
from importlib import import_module

from weft_storage.backends.base import Part, Store
from weft_storage.backends.work import WorkStore
from weft_storage.model.errors import UsageError

__all__ = ["Part", "Store", "WorkStore", "open_store", "work_of"]

# Module and function that open the stores of a scheme, imported by whoever needs them. A function is called
# with the URL and `create`. None: known, but not part of this version.
_OPENERS = {
    "sqlite": ("weft_storage.backends.sqlite", "open_sqlite"),
    "memory": ("weft_storage.backends.memory", "open_memory"),
    "postgresql": ("weft_storage.backends.postgres", "open_postgres"),
    "postgres": ("weft_storage.backends.postgres", "open_postgres"),
    "d1": None,
}

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://|(sqlite|memory):")
# A path may begin like this, but hardly ever does; and what was meant as a URL may hold a password.
_HALF_A_URL = re.compile(r"(postgres|postgresql|d1):(?!//)", re.IGNORECASE)


def open_store(url: str, *, create: bool = True) -> Store:
    """Open the store at a URL: `sqlite:///relative.db`, `sqlite:////absolute.db`, a bare path, `memory://`,
    or `postgresql://...` with all that libpq knows.

    Migrates an older schema under a lock. With `create=False` nothing is made or migrated, and a store that does not
    exist is an error. Raises `StoreUnavailable`, `StoreTooNew`, or `UsageError` for a URL of no known kind.
    """
    if _HALF_A_URL.match(url):
        raise UsageError(
            "URL of the store", "lacks a slash after its kind", "write postgresql://user@host:5432/database"
        )
    match = _SCHEME.match(url)
    scheme = (match[1] or match[2]).lower() if match else "sqlite"
    opener = _OPENERS.get(scheme)
    if opener is None:
        # The URL is not quoted: it may hold a password.
        problem = "has no backend in this version" if scheme in _OPENERS else "is not known"
        raise UsageError(f"store of kind '{scheme}'", problem, "write sqlite:///path.db, postgresql://... or memory://")
    module, function = opener
    store: Store = getattr(import_module(module), function)(url, create=create)
    return store


def work_of(store: Store) -> WorkStore:
    """The work of runs in a store that workers can share. Raises `UsageError` for a store that only one machine has."""
    work: WorkStore | None = getattr(store, "work", None)
    if work is None:
        raise UsageError(f"store '{store.url}'", "cannot be shared with workers", "use --store postgresql://...")
    return work
