"""Celery's consumer, which no message ends: whoever can write to the queue could end every worker, one after the other.

Celery refuses what is no task, but takes the parts of a message for what its own clients would have sent. Knows no
task.
"""

import logging
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer

logger = logging.getLogger(__name__)

# What Python says of values that have another shape than somebody thought.
_NONSENSE = (AttributeError, KeyError, IndexError, TypeError, ValueError, OverflowError, RecursionError)


class Consumer(CeleryConsumer):  # type: ignore[misc]
    """Refuses what Celery cannot make sense of, where Celery would let the worker end and the message come again."""

    loop: Callable[..., None]

    def __init__(self, *positional: Any, **options: Any) -> None:
        super().__init__(*positional, **options)
        self.loop = _reading_on(self.loop)

    def create_task_handler(self, *positional: Any, **options: Any) -> Callable[[Any], None]:
        """What takes a message that the transport has read."""
        handle = super().create_task_handler(*positional, **options)

        def refuse_nonsense(message: Any) -> None:
            try:
                handle(message)
            except _NONSENSE as error:
                logger.error("refused a message that makes no sense: %s: %s", type(error).__name__, error)
                message.reject_log_error(logger, self.connection_errors)

        return refuse_nonsense


def _reading_on(loop: Callable[..., None]) -> Callable[..., None]:
    """Celery's loop; where the transport could not read something it begins anew. What it could not read is gone from
    the queue by then."""

    def read_on(*positional: Any, **options: Any) -> None:
        try:
            loop(*positional, **options)
        except _NONSENSE as error:
            logger.error("something in the queue is no message: %s: %s", type(error).__name__, error)
            raise ConnectionResetError("the queue held what is no message") from error

    return read_on
