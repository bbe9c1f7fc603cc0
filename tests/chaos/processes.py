"""Workers and scans in processes of their own, as anybody starts them, and what they leave behind."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workers import START_TIMEOUT, Worker, children_of, is_alive

SCAN_TIMEOUT = 180.0

_RUN = "from weft.__main__ import run; run()"

# Said by the command line and by workers where they met what nobody foresaw.
_SURPRISES = ("Traceback (most recent call last)", "this should not have happened")


@dataclass(frozen=True)
class Ended:
    """How a scan ended: its exit code, its document (if it printed one) and what it said."""

    code: int
    document: Mapping[str, Any]
    said: str
    seconds: float

    @property
    def state(self) -> str:
        """Of its run; empty where it published nothing."""
        return str(self.document.get("status", ""))

    @property
    def sentence(self) -> str:
        """The last line that it said."""
        return (self.said.strip().splitlines() or [""])[-1]


class Scan:
    """A `weft` command that brings a graph up to date (scan or resume)."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], prelude: str = "") -> None:
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self._began = time.monotonic()
        self.process = subprocess.Popen(
            [*_program(prelude), *arguments], stdout=self._out, stderr=self._err, env=environment
        )

    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def said(self) -> str:
        """What it said on stderr so far."""
        return _contents(self._err)

    def wait(self, timeout: float = SCAN_TIMEOUT) -> Ended:
        """Wait for its end."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it did not end within {timeout:g} seconds\n{self.said()}") from None
        printed = _contents(self._out)
        return Ended(code, json.loads(printed) if printed else {}, self.said(), time.monotonic() - self._began)

    def close(self) -> None:
        """End it by force if it still runs."""
        if self.is_running():
            self.process.kill()
            self.process.wait()
        self._out.close()
        self._err.close()


@dataclass
class Fleet:
    """Workers under a restart policy: one that ends is started again, until the fleet is stopped."""

    environment: Mapping[str, str]
    workers: list[Worker] = field(default_factory=list)
    _wanted: list[tuple[Worker, Callable[[], Worker]]] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)
    _keeper: threading.Thread | None = None

    def start(self, *arguments: str, prelude: str = "", kept: bool = False, listens: bool = True) -> Worker:
        """A worker, which listens already; `kept` ones are replaced when they end."""

        def make() -> Worker:
            command = [*_program(prelude), "worker", "--log-format", "json", *arguments]
            worker = Worker(
                subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.environment)
            )
            self.workers.append(worker)
            return worker

        with self._guard:
            worker = make()
            if kept:
                self._wanted.append((worker, make))
        if kept and self._keeper is None:
            self._keeper = threading.Thread(target=self._keep, daemon=True)
            self._keeper.start()
        if listens:
            worker.wait_for(
                lambda it: "the worker listens" in it.messages() or it.process.poll() is not None, START_TIMEOUT
            )
            assert worker.process.poll() is None, f"the worker has ended\n{worker.text()}"
        return worker

    def alive(self) -> list[Worker]:
        """The workers that run now."""
        return [worker for worker in list(self.workers) if worker.process.poll() is None]

    def slots(self) -> list[int]:
        """The pids of the slots of all workers."""
        return [slot for worker in self.alive() for slot in worker.children()]

    def helpers(self) -> list[int]:
        """The pids of the helpers of all crash boxes."""
        return [child for slot in self.slots() for child in children_of(slot) if is_helper(child)]

    def surprises(self) -> list[str]:
        """What workers said that nobody should have to read."""
        return [line for worker in list(self.workers) for line in surprises_of(worker)]

    def stop(self) -> None:
        """End all, as a person would; those that hang by force."""
        self._ended.set()
        if self._keeper is not None:
            self._keeper.join()
        alive = self.alive()
        for worker in alive:
            worker.signal(signal.SIGTERM)
        for worker in alive:
            try:
                worker.wait(15)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.wait()

    def _keep(self) -> None:
        while not self._ended.wait(0.2):
            with self._guard:
                self._wanted = [
                    (worker if worker.process.poll() is None else make(), make) for worker, make in self._wanted
                ]


def surprises_of(worker: Worker) -> list[str]:
    """What a worker said that nobody should have to read."""
    own = [line for line in list(worker.lines) if "traceback" in line and line["logger"].startswith("weft")]
    found = [str(line.get("traceback", line)) for line in own]
    return found + [line for line in list(worker.other) if any(each in line for each in _SURPRISES)]


def is_surprised(text: str) -> bool:
    """Whether a program met what nobody foresaw."""
    return any(each in text for each in _SURPRISES)


def is_helper(pid: int) -> bool:
    """Whether a process is the helper of a crash box."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"weft_tasks.crashbox.child" in file.read()
    except OSError:
        return False


def is_stopped(pid: int) -> bool:
    """Whether a process stands still (SIGSTOP)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def send(pid: int, number: int) -> bool:
    """Send a signal to a process that may have ended; whether it was there."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return is_alive(pid) or number == signal.SIGKILL


def _program(prelude: str) -> list[str]:
    """The command; `prelude` is Python that makes this one process another than it should be."""
    return [sys.executable, "-P", *(("-c", f"{prelude}\n{_RUN}") if prelude else ("-m", "weft"))]


def _contents(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode("utf-8", "replace"))
