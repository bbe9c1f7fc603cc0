"""The Celery application: its settings, and nothing that the environment or the current folder says.

The reasons for each setting are measurements: what loses messages, what counts a chord's part twice, what kills a
worker, when Redis or a process goes away.
"""

from typing import Any

from weft_tasks.worker.broker import Broker, parse_broker
from weft_tasks.worker.environment import without_strays
from weft_tasks.worker.messages import EXTRACT, FINALIZE, queue_name

# Some variables are read when Celery is imported, and numbers in them converted.
with without_strays():
    from celery import Celery
    from celery.backends.redis import RedisBackend
    from celery.canvas import Signature
    from celery.loaders.base import BaseLoader

PREFIX = "weft:"
"""Of every key in Redis, so that an access list can be as narrow as `~weft:*`."""

# Messages that nobody has acknowledged for so long are delivered again. The shortest time of all programs on a broker
# counts, Flower's too.
VISIBILITY_TIMEOUT = 1800

# Above all that the files of a batch may take one by one; only a fault of ours gets there.
_TASK_TIME_LIMIT = 2 * 3600

_RESULTS_EXPIRE = 86_400

# Seconds. Who waits for a person gives up soon; a worker waits as long as it takes.
_CONNECT_TIMEOUT = 5.0
_IMPATIENT_TIMEOUT = 10.0
_PATIENT_TIMEOUT = 120.0


class _Loader(BaseLoader):  # type: ignore[misc]
    """Loads nothing: no configuration module, no tasks of the current folder."""

    def read_configuration(self, env: str = "") -> dict[str, object]:  # noqa: ARG002
        return {}

    def import_from_cwd(self, module: str, imp: Any = None, package: str | None = None) -> Any:  # noqa: ARG002
        return self.import_module(module, package=package)


class _Backend(RedisBackend):  # type: ignore[misc]
    """Results in Redis, as chords need them. Nobody waits for one, so nobody subscribes to any: a run of 2,000 batches
    would be as many channels that nobody listens to."""

    def on_task_call(self, producer: object, task_id: str) -> None:
        pass

    def add_pending_result(self, result: Any, weak: bool = False, start_drainer: bool = True) -> Any:  # noqa: ARG002
        return result

    def remove_pending_result(self, result: Any) -> Any:
        return result


class _App(Celery):  # type: ignore[misc]
    """Celery that talks to the broker it was given; others would ask CELERY_BROKER_URL first."""

    builtin_fixups: frozenset[str] = frozenset()

    def __init__(self, broker: Broker, settings: dict[str, object]) -> None:
        self._weft_url = broker.url
        super().__init__("weft", loader=_Loader, set_as_current=False, changes=settings)

    def _get_default_loader(self) -> type[_Loader]:
        return _Loader

    def connection_for_read(self, url: str | None = None, **options: Any) -> Any:
        return super().connection_for_read(url or self._weft_url, **options)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        return super().connection_for_write(url or self._weft_url, **options)

    def connection(self, hostname: str | None = None, **options: Any) -> Any:
        return super().connection(hostname or self._weft_url, **options)

    def _get_backend(self) -> _Backend:
        return _Backend(app=self, url=self._weft_url)


def make_app(broker_url: str, *, patient: bool) -> Celery:
    """The application on a broker; `patient` for workers, which wait for a broker that is away.

    Raises UsageError for a URL that is none.
    """
    broker = parse_broker(broker_url)
    return _App(broker, _settings(broker, patient=patient))


def extract_signature(
    app: Celery, arguments: dict[str, object], label: str, *, queue: str, fingerprint: str
) -> Signature:
    """A batch as a message; `label` is what a person sees of it, `queue` the base name of its queue."""
    return _signature(app, EXTRACT, arguments | {"fingerprint": fingerprint}, label, queue_name(queue, fingerprint))


def finalize_signature(app: Celery, run_id: int, *, queue: str, fingerprint: str) -> Signature:
    """The message that a run is to be finalized."""
    arguments: dict[str, object] = {"run_id": run_id, "fingerprint": fingerprint}
    return _signature(app, FINALIZE, arguments, f"run {run_id}: merge and publish", queue_name(queue, fingerprint))


def _signature(app: Celery, name: str, arguments: dict[str, object], label: str, queue: str) -> Signature:
    # Immutable: a chord's callback would get the results of all its parts before its own arguments.
    signature = app.signature(name, kwargs=arguments, immutable=True)
    return signature.set(queue=queue, argsrepr=label, kwargsrepr="")


def _settings(broker: Broker, *, patient: bool) -> dict[str, object]:
    timeout = _PATIENT_TIMEOUT if patient else _IMPATIENT_TIMEOUT
    return {
        "broker_url": broker.url,
        "result_backend": broker.url,
        "broker_use_ssl": broker.tls,
        "redis_backend_use_ssl": broker.tls,
        # Pickle would be the execution of whatever anybody puts into Redis.
        "accept_content": ["json"],
        "result_accept_content": ["json"],
        "task_serializer": "json",
        "result_serializer": "json",
        "event_serializer": "json",
        "task_default_queue": "weft",
        "broker_transport_options": _transport(timeout),
        "broker_connection_timeout": _CONNECT_TIMEOUT,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None if patient else 2,
        "result_backend_transport_options": {
            "global_keyprefix": PREFIX,
            "retry_policy": {"timeout": timeout, "max_retries": None if patient else 2},
        },
        "result_backend_always_retry": patient,
        "redis_socket_connect_timeout": _CONNECT_TIMEOUT,
        "redis_socket_timeout": timeout,
        "redis_socket_keepalive": True,
        "redis_backend_health_check_interval": 25,
        "task_publish_retry_policy": {
            "max_retries": 3,
            "interval_start": 0.2,
            "interval_step": 0.5,
            "interval_max": 2.0,
        },
        **_TASKS,
        **_WORKER,
    }


def _transport(timeout: float) -> dict[str, object]:
    return {
        "visibility_timeout": VISIBILITY_TIMEOUT,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_keepalive": True,
        "socket_connect_timeout": _CONNECT_TIMEOUT,
        "socket_timeout": timeout,
        "health_check_interval": 25,
        "global_keyprefix": PREFIX,
    }


_TASKS: dict[str, object] = {
    "task_acks_late": True,
    # Right only because poison dies in the crash box: else it would come back for every child, one after the other.
    "task_reject_on_worker_lost": True,
    "task_ignore_result": False,  # a chord counts results
    "task_time_limit": _TASK_TIME_LIMIT,
    "task_store_errors_even_if_ignored": False,
    "result_expires": _RESULTS_EXPIRE,
    "result_chord_expires": _RESULTS_EXPIRE,
}

_WORKER: dict[str, object] = {
    "worker_prefetch_multiplier": 1,
    "worker_send_task_events": True,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_pool": "prefork",
    "worker_pool_restarts": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_proc_alive_timeout": 30.0,
}
