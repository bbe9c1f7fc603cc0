"""The settings of a worker. Values only."""

from dataclasses import dataclass, field
from enum import Enum


class LogLevel(Enum):
    """How much is logged: only what went wrong, one line a batch, or all that Celery says too."""

    QUIET = "quiet"
    NORMAL = "normal"
    VERBOSE = "verbose"


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker runs. `queues` are base names; `repositories` and `checkouts` folders with one entry a project.

    `memory_per_child` (MiB) is what one slot may hold after a batch before it is replaced; `soft_timeout` is how many
    seconds running batches have to end when the worker is told to.
    """

    store_url: str = field(repr=False)
    broker_url: str = field(repr=False)
    queues: tuple[str, ...] = ("weft",)
    concurrency: int = 1
    repositories: str | None = None
    checkouts: str | None = None
    heartbeat_file: str | None = None
    memory_per_child: int = 1024
    batches_per_child: int = 500
    soft_timeout: float = 20.0
    log_format: str = "text"
    log_level: LogLevel = LogLevel.NORMAL
