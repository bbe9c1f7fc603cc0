"""Watching a run: who is told of its progress, and the seconds of its phases."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Whoever watches a run."""

    def begin(self, phase: str, total: int | None = None) -> None:
        """A phase begins; `total` is the number of its steps where that is known."""
        ...

    def advance(self, done: int) -> None:
        """So many steps of the phase are done now."""
        ...

    def note(self, sentence: str) -> None:
        """Something that a person who waits should know."""
        ...


class Silent:
    """Tells nobody."""

    def begin(self, phase: str, total: int | None = None) -> None:
        pass

    def advance(self, done: int) -> None:
        pass

    def note(self, sentence: str) -> None:
        pass


class Clock:
    """Seconds per phase, added up."""

    def __init__(self, seconds: Mapping[str, float] | None = None) -> None:
        self.seconds = dict(seconds or {})

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count the time of a block for a phase."""
        start = time.perf_counter()
        yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 6)
