"""The tasks as Celery knows them: a message in, a slot's work, a small result. Knows nothing of files or stores.

A task never fails for a reason of its input: a chord whose part fails is over. What must not count is ignored, what
must come again is rejected into the queue, and an exception that nobody foresaw is logged and left to the reaper.
"""

import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from celery import Celery
from celery.exceptions import Ignore, Reject

from weft_storage.model.errors import StoreUnavailable, WeftError
from weft_tasks.jobs import fingerprint
from weft_tasks.worker.app import finalize_signature
from weft_tasks.worker.messages import (
    EXTRACT,
    FINALIZE,
    ExtractMessage,
    FinalizeMessage,
    MessageRefused,
    read_message,
)
from weft_tasks.worker.slot import Outcome, Report, Slot

logger = logging.getLogger(__name__)

EXIT_MEMORY = 87
"""With which a process of the pool ends itself after a MemoryError."""

# Where memory is short for all, processes that are replaced at once would only take turns.
_PAUSE = 1.0

Task = Callable[..., dict[str, object]]


def register(app: Celery, slot: Slot) -> None:
    """Make the two tasks known to an application; they use the slot of the process that they run in."""

    @app.task(name=EXTRACT, bind=True, typing=False)  # type: ignore[untyped-decorator]
    @_guarded
    def extract(task: Any, **arguments: object) -> dict[str, object]:
        message = read_message(ExtractMessage, arguments, own_fingerprint=fingerprint())
        report = slot.extract(message, task.request.id)
        if report.outcome is Outcome.VOID:
            # Returning would count this part of the chord once more than there are batches.
            raise Ignore
        if report.is_last:
            _ask_to_finalize(app, report.queue, message)
        return _result(report)

    @app.task(name=FINALIZE, bind=True, typing=False)  # type: ignore[untyped-decorator]
    @_guarded
    def finalize(task: Any, **arguments: object) -> dict[str, object]:  # noqa: ARG001
        message = read_message(FinalizeMessage, arguments, own_fingerprint=fingerprint())
        return {"run": message.run_id, "outcome": slot.finalize(message.run_id)}


def _guarded(body: Task) -> Task:
    """A task body of which Celery sees no exception but those that say what to do with the message."""

    def guarded(task: Any, *positional: object, **arguments: object) -> dict[str, object]:
        try:
            if positional:
                raise MessageRefused("it has arguments without names")
            return body(task, **arguments)
        except MemoryError:
            _end_process()
            raise
        except MessageRefused as refusal:
            logger.error("refused a message: %s", refusal, extra={"task": task.name})
            raise Ignore from None
        except StoreUnavailable as error:
            logger.error("gave up waiting: %s", error, extra={"task": task.name})
            raise Reject(str(error), requeue=True) from None
        except WeftError as error:
            logger.error("%s", error, extra={"task": task.name})
            raise Ignore from None
        except (Ignore, Reject):
            raise
        except Exception:
            logger.exception("this should not have happened", extra={"task": task.name, "arguments": repr(arguments)})
            raise Ignore from None

    return guarded


def _end_process() -> None:
    """End this process at once. A MemoryError that Celery saw would end the worker, and the next one, and the next;
    a process that is gone is replaced, and its message comes again until the batch counts as deadly."""
    with suppress(OSError):
        os.write(2, b"weft: out of memory; this process of the pool is replaced\n")
    time.sleep(_PAUSE)
    os._exit(EXIT_MEMORY)


def _ask_to_finalize(app: Celery, queue: str, message: ExtractMessage) -> None:
    """Say that all is done. Where that cannot be said whoever waits for the run notices by itself."""
    try:
        finalize_signature(app, message.run_id, queue=queue, fingerprint=message.fingerprint).apply_async()
    except Exception as error:
        logger.warning("could not ask to finalize: %s", error, extra={"run": message.run_id})


def _result(report: Report) -> dict[str, object]:
    return {"batch": report.number, "files": report.files, "ms": report.milliseconds}
