"""Connections of one process to one Postgres server, kept for the next use. Knows no statement of the store.

`psycopg_pool` is not used: its threads do not survive a fork (Celery's workers are forked), and whoever asks it for a
connection learns why there is none only after its time-out. Here whoever needs a connection makes it.
"""

import contextlib
import os
import select
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import pq

from weft_storage.backends.postgres.problems import CLOSED, is_starting, unavailable
from weft_storage.backends.postgres.url import CONNECT_SECONDS, Target
from weft_storage.model.errors import StoreUnavailable

Connection = psycopg.Connection[tuple[Any, ...]]

_KEPT = 4  # Idle connections; what more threads need at a time is closed afterwards.
_TRUSTED_SECONDS = 30.0  # A connection that was idle for longer is asked whether it still works.
_PAUSE = 0.1


class Pool:
    """Lends connections, each to one user at a time. For any number of threads, and for forked children."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._guard = threading.Lock()
        self._idle: list[tuple[float, Connection]] = []
        self._all: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._is_closed = False
        _OPEN.add(self)

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection outside any transaction, in autocommit mode; it goes back, or is closed where it broke."""
        borrowed = self._take()
        try:
            yield borrowed
        finally:
            self._give_back(borrowed)

    def close(self) -> None:
        """Close what is idle now, and the rest when it comes back; idempotent."""
        with self._guard:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def abandon(self) -> None:
        """In a forked child: let go of connections that are the parent's, without a word to the server."""
        for connection in list(self._all):
            _disconnect(connection)
        self._guard = threading.Lock()
        self._idle = []
        self._all = weakref.WeakSet()

    def _take(self) -> Connection:
        while True:
            with self._guard:
                if self._is_closed:
                    raise StoreUnavailable(f"store '{self._target.url}'", *CLOSED)
                since, connection = self._idle.pop() if self._idle else (0.0, None)
            if connection is None:
                return self._connect()
            if _is_alive(connection, time.monotonic() - since):
                return connection
            connection.close()

    def _give_back(self, connection: Connection) -> None:
        if connection.info.transaction_status == pq.TransactionStatus.IDLE:
            with self._guard:
                if not self._is_closed and len(self._idle) < _KEPT:
                    self._idle.append((time.monotonic(), connection))
                    return
        connection.close()

    def _connect(self) -> Connection:
        deadline = time.monotonic() + CONNECT_SECONDS
        while True:
            try:
                connection: Connection = psycopg.connect(
                    "",
                    autocommit=True,
                    prepare_threshold=self._target.prepare_threshold,
                    cursor_factory=psycopg.RawCursor,
                    **self._target.parameters,  # type: ignore[arg-type]
                )
            except psycopg.Error as exc:
                if not is_starting(exc) or time.monotonic() > deadline:
                    raise unavailable(self._target.url, exc, self._target.password) from exc
                time.sleep(_PAUSE)
            else:
                self._all.add(connection)
                return connection


def _is_alive(connection: Connection, idle_seconds: float) -> bool:
    """Whether the server still listens. One that went away has said so, or closed the socket: then there is something
    to read, which costs no round trip to see."""
    if connection.closed or select.select([connection.fileno()], [], [], 0)[0]:
        return False
    if idle_seconds > _TRUSTED_SECONDS:
        try:
            connection.execute(b"")
        except psycopg.Error:
            return False
    return True


def _disconnect(connection: Connection) -> None:
    """Close a connection that another process uses too: nothing may be said over its socket."""
    with contextlib.suppress(psycopg.Error, OSError):
        nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(nowhere, connection.fileno(), inheritable=False)
        os.close(nowhere)
    connection.close()


_OPEN: "weakref.WeakSet[Pool]" = weakref.WeakSet()


def _abandon_in_child() -> None:
    for pool in list(_OPEN):
        pool.abandon()


os.register_at_fork(after_in_child=_abandon_in_child)
