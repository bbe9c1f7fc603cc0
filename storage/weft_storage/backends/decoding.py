"""Rows as a database gives them: decoded, or damage. Knows no statement."""

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import msgspec

from weft_storage.model.errors import StoreUnavailable
from weft_storage.model.paths import decode_text

T = TypeVar("T")


@contextlib.contextmanager
def decoding(url: str, problem: str, remedy: str) -> Iterator[None]:
    """Whatever cannot be decoded in it was not written by this program: `StoreUnavailable`, in these words."""
    try:
        yield
    except (ValueError, KeyError, IndexError, msgspec.MsgspecError) as exc:
        raise StoreUnavailable(f"store '{url}'", problem, remedy) from exc


def decoded(rows: Iterable[list[T]], within: AbstractContextManager[None]) -> Iterator[T]:
    """What all rows hold, each decoded `within` that when it is asked for."""
    with within:
        for row in rows:
            yield from row


def by_path(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows that begin with a path as `encode_text` has it: with the path itself, sorted by it."""
    found = [(decode_text(row[0]), *row[1:]) if row[0].startswith("/") else row for row in rows]
    return sorted(found, key=_first)


def _first(row: tuple[Any, ...]) -> Any:
    return row[0]
