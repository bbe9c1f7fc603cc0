"""The orchestrator's side of the queue: messages to workers, and who listens. No type of Celery leaves this module."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from weft_storage.model.errors import BrokerUnavailable
from weft_storage.model.work import Terms
from weft_tasks.worker.broker import parse_broker
from weft_tasks.worker.messages import queue_name

if TYPE_CHECKING:
    from celery.canvas import Signature

__all__ = ["Listener", "Messages", "queue_name"]


@dataclass(frozen=True, slots=True)
class Listener:
    """A worker that answers, and the queues that it listens to."""

    name: str
    queues: tuple[str, ...]


class Messages:
    """Messages over a broker. Sending may be repeated: workers ask the store what is to be done.

    Raises UsageError for a URL that is none; all methods raise `BrokerUnavailable`, after seconds, not minutes.
    """

    def __init__(self, broker_url: str) -> None:
        # Loaded only now: a scan without workers does not need it.
        from weft_tasks.worker.app import make_app

        self._shown = parse_broker(broker_url).shown
        self._app = make_app(broker_url, patient=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the connections; idempotent."""
        self._app.backend.client.close()
        self._app.close()

    def check(self) -> None:
        """Return if the broker answers and takes something, for messages and for results."""
        from weft_tasks.worker.app import PREFIX

        with self._translated(), self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0.2)
            connection.default_channel.client.ping()
            # A Redis that is full answers, but takes nothing.
            self._app.backend.client.set(f"{PREFIX}check", "1", ex=60)

    def send_run(self, run_id: int, labelled: Sequence[tuple[int, str]], terms: Terms) -> None:
        """Send the batches of a run, by number and label, as one chord whose callback finalizes the run."""
        if not labelled:
            self.send_finalize(run_id, terms)
            return
        from celery.canvas import chord

        header = [self._extract(run_id, number, label, terms) for number, label in labelled]
        with self._translated():
            chord(header, app=self._app)(self._finalize(run_id, terms))

    def send_batches(self, run_id: int, labelled: Sequence[tuple[int, str]], terms: Terms) -> None:
        """Send batches once more, outside of the chord: the last one of the run finalizes it."""
        with self._translated():
            for number, label in labelled:
                self._extract(run_id, number, label, terms, resent=True).apply_async()

    def send_finalize(self, run_id: int, terms: Terms) -> None:
        """Ask a worker to finalize a run."""
        with self._translated():
            self._finalize(run_id, terms).apply_async()

    def listeners(self, timeout: float) -> list[Listener]:
        """The workers that answer within so many seconds, sorted by name."""
        with self._translated():
            answers = self._app.control.inspect(timeout=timeout).active_queues() or {}
        found = (Listener(name, tuple(sorted(each["name"] for each in queues))) for name, queues in answers.items())
        return sorted(found, key=lambda listener: listener.name)

    def _extract(self, run_id: int, number: int, label: str, terms: Terms, *, resent: bool = False) -> "Signature":
        arguments: dict[str, object] = {"run_id": run_id, "number": number}
        if resent:
            arguments["resent"] = True
        from weft_tasks.worker.app import extract_signature

        return extract_signature(self._app, arguments, label, queue=terms.queue, fingerprint=terms.fingerprint)

    def _finalize(self, run_id: int, terms: Terms) -> "Signature":
        from weft_tasks.worker.app import finalize_signature

        return finalize_signature(self._app, run_id, queue=terms.queue, fingerprint=terms.fingerprint)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from kombu.exceptions import KombuError
        from redis.exceptions import RedisError

        try:
            yield
        except (KombuError, RedisError, OSError) as error:
            problem = f"does not answer ({_reason(error)})"
            raise BrokerUnavailable(f"broker '{self._shown}'", problem, "is Redis running there?") from error


def _reason(error: BaseException) -> str:
    """The cause in its own words, which name a host at most: clients wrap what the system says."""
    return str(error.__cause__ or error).strip() or type(error).__name__
