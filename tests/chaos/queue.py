"""The messages in Redis, tampered with."""

from collections.abc import Sequence

from redis import Redis

from weft.stack import RedisServer
from weft_tasks.jobs import fingerprint
from weft_tasks.worker.dispatch import queue_name

# What Celery counts the parts of chords with.
_COUNTERS = (b".j", b".t", b".s")


class Queue:
    """The queue of this version of the program."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server

    def messages(self) -> list[bytes]:
        """The messages that wait."""
        with self._client() as client:
            return list(client.lrange(_key(), 0, -1))

    def put(self, messages: Sequence[bytes], *, first: bool = False) -> None:
        """Put messages behind those that wait, or before them."""
        with self._client() as client:
            # Celery pushes on the left and takes from the right.
            (client.rpush if first else client.lpush)(_key(), *messages)

    def drop(self, count: int) -> None:
        """Take messages out and forget them."""
        with self._client() as client:
            client.lpop(_key(), count)

    def misdirect(self, count: int, *, to: str) -> None:
        """Move messages into the queue of another version."""
        with self._client() as client:
            for _ in range(count):
                client.rpoplpush(_key(), _key(to))

    def flush(self) -> None:
        """Have Redis forget everything."""
        with self._client() as client:
            client.flushall()

    def lose_counters(self) -> int:
        """Delete what Celery counts the parts of chords with; gives the number of keys."""
        with self._client() as client:
            keys = [key for key in client.scan_iter("weft:*") if key.endswith(_COUNTERS)]
            return int(client.delete(*keys)) if keys else 0

    def _client(self) -> Redis:
        return Redis.from_url(self._server.url)


def _key(version: str = "") -> str:
    return f"weft:{queue_name('weft', version or fingerprint())}"
