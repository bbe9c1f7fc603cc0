"""Patience with a store that is away for a while. Knows neither what is asked of it nor a queue."""

import time
from collections.abc import Callable
from typing import TypeVar

from weft_storage.model.errors import StoreFull, StoreUnavailable

Answer = TypeVar("Answer")

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0

# A store without room is given less time: usually a person has to do something.
FULL_PATIENCE = 15.0


def patiently(ask: Callable[[], Answer], *, until: Callable[[], float], say: Callable[[str], None]) -> Answer:
    """What a store answers; asked again while it is unavailable, until a time of `time.monotonic()`.

    `say` is told once that it is. Raises the last StoreUnavailable when time is up; a StoreFull after seconds.
    """
    pause = _FIRST_PAUSE
    full_until = time.monotonic() + FULL_PATIENCE
    while True:
        try:
            return ask()
        except StoreUnavailable as error:
            if pause == _FIRST_PAUSE:
                say(f"{error} (trying again)")
            last = min(until(), full_until) if isinstance(error, StoreFull) else until()
            if time.monotonic() + pause > last:
                raise
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
