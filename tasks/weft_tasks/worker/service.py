"""The worker process: Celery's worker, set up so that it ends well. Knows nothing of what its tasks do.

SIGTERM (and SIGINT, SIGHUP) is a warm shutdown: no new batches, those in hand end. What has not ended after the soft
timeout is cut off and its message goes back to the queue; what still hangs then is killed, and the reaper finds it.
"""

import logging
import os
import signal
import socket
import threading
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from celery import signals
from celery.platforms import signals as process_signals

from weft_storage.backends import open_store, work_of
from weft_storage.model.work import WorkerRecord
from weft_tasks.jobs import fingerprint
from weft_tasks.worker.app import make_app
from weft_tasks.worker.consumer import Consumer
from weft_tasks.worker.dispatch import Messages
from weft_tasks.worker.heartbeat import INTERVAL, Heartbeat
from weft_tasks.worker.logs import set_up_logging
from weft_tasks.worker.messages import queue_name
from weft_tasks.worker.settings import LogLevel, WorkerSettings
from weft_tasks.worker.slot import Slot
from weft_tasks.worker.tasks import register

logger = logging.getLogger(__name__)

# After the soft timeout: for messages to go back to the queue.
_CUT_OFF = 10.0

EXIT_CUT_OFF = 1


def run(settings: WorkerSettings) -> int:
    """What `serve` promises, in an environment that holds nothing foreign."""
    with Messages(settings.broker_url) as messages:
        messages.check()
    _check_store(settings)
    # What this folder holds is nobody's business here: it may be the repository that is scanned.
    os.chdir("/")
    set_up_logging(settings.log_format, settings.log_level)
    record = _record(settings)
    app = make_app(settings.broker_url, patient=True)
    register(app, Slot(settings, record.name))
    heartbeat = Heartbeat(settings, record)
    worker = _make_worker(app, settings, record)
    # Kept in names: Celery holds its receivers weakly.
    on_ready = _connect(signals.worker_ready, lambda consumer: _on_ready(consumer, heartbeat, record))
    on_shutdown = _connect(signals.worker_shutting_down, lambda _: _begin_shutdown(settings.soft_timeout))
    worker.start()
    heartbeat.end()
    del on_ready, on_shutdown
    logger.info("the worker has ended", extra={"worker": record.name})
    return int(worker.exitcode or 0)


def _check_store(settings: WorkerSettings) -> None:
    with open_store(settings.store_url, create=False) as store:
        work_of(store)


def _record(settings: WorkerSettings) -> WorkerRecord:
    return WorkerRecord(
        name=f"{socket.gethostname()}:{os.getpid()}",
        fingerprint=fingerprint(),
        queues=settings.queues,
        slots=settings.concurrency,
        version=_version(),
    )


def _version() -> str:
    try:
        return version("weft")
    except PackageNotFoundError:
        return ""


def _make_worker(app: Any, settings: WorkerSettings, record: WorkerRecord) -> Any:
    # Receivers of this signal are why Celery sets up no logging of its own, neither here nor in its children.
    signals.setup_logging.connect(_leave_logging_alone)

    class Worker(app.Worker):  # type: ignore[misc]
        """Celery's worker; a closed terminal ends it, where Celery would start it again with what it was called by."""

        def install_platform_tweaks(self, worker: Any) -> None:
            super().install_platform_tweaks(worker)
            process_signals["SIGHUP"] = signal.getsignal(signal.SIGTERM)

    return Worker(
        hostname=f"weft{os.getpid()}@{socket.gethostname()}",
        queues=[queue_name(queue, record.fingerprint) for queue in settings.queues],
        concurrency=settings.concurrency,
        max_tasks_per_child=settings.batches_per_child,
        max_memory_per_child=settings.memory_per_child << 10,
        consumer_cls=Consumer,
        task_events=True,
        without_gossip=True,
        without_mingle=True,
        quiet=True,
        loglevel=logging.INFO if settings.log_level is LogLevel.VERBOSE else logging.WARNING,
    )


def _leave_logging_alone(**_: object) -> None:
    pass


def _connect(event: Any, receive: Any) -> Any:
    def receiver(sender: object = None, **_: object) -> None:
        receive(sender)

    event.connect(receiver)
    return receiver


def _on_ready(consumer: Any, heartbeat: Heartbeat, record: WorkerRecord) -> None:
    """The worker listens: now, and whenever it has found its broker again."""
    if heartbeat.ident is None:
        # After the pool was forked: a thread that holds a lock then would hold it in the children for ever.
        heartbeat.start()
        consumer.timer.call_repeatedly(INTERVAL, heartbeat.tick)
    heartbeat.tick()
    logger.info("the worker listens", extra={"worker": record.name, "fingerprint": record.fingerprint})


def _begin_shutdown(soft_timeout: float) -> None:
    """Give running batches their time, then cut them off, then end whatever is left."""
    for seconds, act in ((soft_timeout, _cut_off), (soft_timeout + _CUT_OFF, _end)):
        timer = threading.Timer(seconds, act)
        timer.daemon = True
        timer.start()


def _cut_off() -> None:
    logger.warning("running batches did not end in time; they go back to the queue")
    os.kill(os.getpid(), signal.SIGQUIT)


def _end() -> None:
    # The processes of the pool end with this one: the kernel kills them.
    os._exit(EXIT_CUT_OFF)
