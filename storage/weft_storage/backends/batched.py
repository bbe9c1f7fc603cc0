"""Many values, so many at a time. Pure."""

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size` values, in order; each is drawn when it is asked for."""
    remaining = iter(values)
    while batch := list(itertools.islice(remaining, size)):
        yield batch
