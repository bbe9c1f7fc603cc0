"""A child process that ends with this one, however this one ends, until it is released. Knows not what it runs."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

from weft.stack.errors import StackError
from weft.stack.guard import RELEASE
from weft.stack.processes import POLL_SECONDS, Process, end, identify, send, wait_for_end

START_SECONDS = 60.0

# Signals that end a process, mildest first, and the seconds that each has to work.
Signals = tuple[tuple[signal.Signals, float], ...]


class Child:
    """A process with its own session and a log file, started when this is made.

    `noun` names it in errors. `scratch` is a folder to remove should this process die without stopping the child.
    `account` are arguments of `subprocess.Popen` that say as whom it runs.
    """

    def __init__(
        self,
        noun: str,
        command: Sequence[str],
        *,
        log: str,
        folder: str,
        environment: Mapping[str, str],
        signals: Signals,
        account: Mapping[str, Any] | None = None,
        scratch: str = "",
    ) -> None:
        self.noun = noun
        self.signals = signals
        self._log = log
        self._position = os.path.getsize(log) if os.path.exists(log) else 0
        with _open_log(log) as output:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                env=environment,
                start_new_session=True,
                **(account or {}),
            )
        # Until it is reaped, which only this object does, its pid is its own: a child that has ended has none.
        self.process = identify(self._popen.pid) or Process(self._popen.pid, "ended")
        self._guard: subprocess.Popen[bytes] | None = _start_guard(self.process, signals[0][0], scratch)

    def has_ended(self) -> bool:
        """Whether it has ended."""
        return self._popen.poll() is not None

    def last_words(self) -> str:
        """The end of its log, nothing of earlier runs."""
        with open(self._log, "rb") as file:
            file.seek(self._position)
            return in_one_line(file.read())

    def stop(self) -> None:
        """End it in good order, or by force when it does not."""
        self._reap(lambda: end(self.process, *self.signals))

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._reap(lambda: send(self.process, signal.SIGKILL))

    def release(self) -> Process:
        """Let it outlive this process. From now on it is known by its identity only, and this object is of no use."""
        if self._guard is not None and self._guard.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.write(RELEASE)
        self._dismiss_guard()
        # Python would complain that a process nobody waited for still runs.
        self._popen.returncode = 0
        return self.process

    def _reap(self, end_it: Callable[[], object]) -> None:
        if not self.has_ended():
            end_it()
            wait_for_end(self.process, START_SECONDS)
            self._popen.wait()
        self._dismiss_guard()

    def _dismiss_guard(self) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait()
        self._guard = None


def wait_until(why_not_ready: Callable[[], str | None], *children: Child) -> None:
    """Ask until the answer is None, "ready". Raises `StackError` when one of them ends before, or it takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while (reason := why_not_ready()) is not None:
        for child in children:
            if child.has_ended():
                raise StackError(child.noun, f"ended at once: {child.last_words()}")
        if time.monotonic() > deadline:
            raise StackError(children[0].noun, f"is not ready after {START_SECONDS:.0f} seconds: {reason}")
        time.sleep(POLL_SECONDS)


def in_one_line(output: bytes) -> str:
    """The end of what a program said."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    return " / ".join(lines[-3:]) or "it does not say why"


def _open_log(path: str) -> BinaryIO:
    """Logs may show what is nobody else's business."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def _start_guard(process: Process, number: signal.Signals, scratch: str) -> "subprocess.Popen[bytes]":
    """A process that waits for the end of this one: it reads from a pipe whose other end the kernel closes then."""
    # -P: the current folder may be somebody's repository; nothing of it is to be loaded.
    program = [sys.executable, "-P", "-m", "weft.stack.guard"]
    return subprocess.Popen(
        [*program, str(process.pid), process.started, str(number.value), scratch],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        # Ctrl-C goes to the whole group of a terminal: the guard must outlive who is guarded.
        start_new_session=True,
    )
