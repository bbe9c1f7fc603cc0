"""Crash boxes whose helper outlives a scan, for tests that scan hundreds of times. Real ones in all else."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import pytest

from weft_storage.model.work import Limits
from weft_tasks.crashbox import CrashBox


@contextmanager
def warm_boxes() -> Iterator[None]:
    """Scans within the block share helper processes; they end with it."""
    idle: defaultdict[Limits, list[WarmBox]] = defaultdict(list)

    def lend(limits: Limits) -> WarmBox:
        return idle[limits].pop() if idle[limits] else WarmBox(limits, idle[limits])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("weft.pipeline.local.CrashBox", lend)
        yield
    for boxes in idle.values():
        for box in boxes:
            box.close()


class WarmBox(CrashBox):
    """A box that goes back to where it was borrowed, unless something went wrong with it."""

    def __init__(self, limits: Limits, home: "list[WarmBox]") -> None:
        super().__init__(limits)
        self._home = home

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._home.append(self)
        else:
            self.close()

    def interrupt(self) -> None:
        """Every scan interrupts its boxes at its end; nothing waits for an answer then."""
