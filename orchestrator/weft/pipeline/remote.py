"""Where the workers are, and how long they are waited for. Values only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Remote:
    """Where the workers are: `broker` is the queue's URL, `queue` its base name. Times are in seconds.

    Fewer than `inline_below` jobs are done here. `patience` is how long to wait for a first worker, `deadline` for
    the whole extraction (None: as long as it goes on), `outage` for a store that is away.
    """

    broker: str
    queue: str = "weft"
    inline_below: int = 50
    patience: float = 60.0
    deadline: float | None = None
    outage: float = 300.0
