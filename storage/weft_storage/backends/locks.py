"""Locks of projects: one scan at a time. Knows no database.

The kernel holds them, so that they end with their process, however it ends; what a lock file says is for people only.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from weft_storage.model.errors import StoreBusy, StoreUnavailable

_SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}")
_FIRST_WAIT, _LONGEST_WAIT = 0.01, 0.25


def lock_path(database: str, project: str) -> str:
    """The lock file of a project, beside the database; odd names are hashed."""
    if _SAFE.fullmatch(project):
        return f"{database}.{project}.lock"
    # No safe name begins with "=", so the two cannot meet.
    return f"{database}.={hashlib.sha256(project.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}.lock"


@contextlib.contextmanager
def file_lock(path: str, project: str, *, timeout: float) -> Iterator[None]:
    """Hold a lock file, waiting up to `timeout` seconds; raises `StoreBusy` naming the holder."""
    held = _LockFile(path)
    try:
        if not wait_for(held.try_lock, timeout):
            raise busy(project, held.read())
        held.write(f"{this_process()}\n")
        try:
            yield
        finally:
            # The file stays: to remove it would let two processes lock two files of one name.
            held.write("")
    finally:
        held.close()


class ThreadLocks:
    """Locks of projects within one process, for stores that no other process can see."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._holders: dict[str, str] = {}

    @contextlib.contextmanager
    def hold(self, project: str, *, timeout: float) -> Iterator[None]:
        """Hold a project, waiting up to `timeout` seconds; raises `StoreBusy`."""
        if not wait_for(lambda: self._take(project), timeout):
            raise busy(project, self._holders.get(project, ""))
        try:
            yield
        finally:
            with self._guard:
                del self._holders[project]

    def _take(self, project: str) -> bool:
        with self._guard:
            if project in self._holders:
                return False
            self._holders[project] = this_process()
            return True


def wait_for(attempt: Callable[[], bool], timeout: float) -> bool:
    """Try until it succeeds or `timeout` seconds have passed; tried at least once."""
    deadline = time.monotonic() + timeout
    pause = _FIRST_WAIT
    while not attempt():
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_WAIT)
    return True


def busy(project: str, holder: str) -> StoreBusy:
    """The error that names who scans the project: `holder` is its pid, host and time of start."""
    pid, host, started = [*holder.split(), "", "", ""][:3]
    who = f"pid {pid} on host {host} since {started}" if started else "another process"
    return StoreBusy(f"project '{project}'", f"is being scanned by {who}", "wait for it or end that process")


def this_process() -> str:
    """Pid, host and time, as lock files name their holder."""
    return f"{os.getpid()} {socket.gethostname()} {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


class _LockFile:
    """An open lock file. A forked child lets go of it at once: it would hold the lock beyond its parent's death."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._descriptor = self._open()
        _OPEN.add(self)

    def try_lock(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as exc:
            raise self._failure("cannot be locked", exc, "keep the store on a file system that has locks") from exc
        return True

    def read(self) -> str:
        with contextlib.suppress(OSError):
            return os.pread(self._descriptor, 1000, 0).decode("utf-8", "replace")
        return ""

    def write(self, text: str) -> None:
        # What stands in the file is only told to others: a full disk must not end a scan, nor hide its error.
        with contextlib.suppress(OSError):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text.encode(), 0)

    def close(self) -> None:
        _OPEN.discard(self)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        except OSError as exc:
            remedy = "a scan writes beside its store: make the folder writable or choose another --store"
            raise self._failure("cannot be made", exc, remedy) from exc

    def _failure(self, problem: str, exc: OSError, remedy: str) -> StoreUnavailable:
        return StoreUnavailable(f"lock file '{self._path}'", f"{problem}: {exc.strerror}", remedy)


_OPEN: "weakref.WeakSet[_LockFile]" = weakref.WeakSet()


def _let_go_in_child() -> None:
    for held in list(_OPEN):
        held.close()


os.register_at_fork(after_in_child=_let_go_in_child)
