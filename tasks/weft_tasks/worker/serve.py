"""Serving: from the settings of a worker to a process that carries out batches until it is told to end."""

from weft_tasks.worker.environment import forget_strays
from weft_tasks.worker.settings import WorkerSettings


def serve(settings: WorkerSettings) -> int:
    """Run a worker until SIGTERM or SIGINT; gives the exit code.

    Takes this process for itself: its environment, signals, logging and current folder. Raises WeftError where the
    broker or the store cannot be used at the start; later it waits for them.
    """
    # Before anything of Celery is loaded: it reads some of these when it is imported.
    forget_strays()
    from weft_tasks.worker.service import run

    return run(settings)
