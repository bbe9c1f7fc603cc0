"""Real worker processes for tests: `weft worker` as anybody starts it, with its log at hand."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_TIMEOUT = 60.0
STOP_TIMEOUT = 60.0


class Worker:
    """A `weft worker` process. Its log is read as it comes; `process` may be killed by whoever likes to."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self.other: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The worker's main process."""
        return self.process.pid

    @property
    def name(self) -> str:
        """As the store knows it."""
        return f"{os.uname().nodename}:{self.pid}"

    def children(self) -> list[int]:
        """Its slots: the processes of its pool that are alive."""
        return [pid for pid in children_of(self.pid) if is_alive(pid)]

    def messages(self) -> list[str]:
        """The sentences of its log so far."""
        return [line["message"] for line in list(self.lines)]

    def batches(self) -> list[dict[str, Any]]:
        """The log lines of the batches that it completed."""
        return [line for line in list(self.lines) if line["message"].startswith("extracted ") and "ms" in line]

    def wait_for(self, is_true: Callable[["Worker"], Any], timeout: float = 30.0) -> None:
        """Wait until something is true; fails with the log where it does not become so."""
        deadline = time.monotonic() + timeout
        while not is_true(self):
            if time.monotonic() > deadline:
                raise AssertionError(f"it did not come true within {timeout:g} seconds\n{self.text()}")
            time.sleep(0.02)

    def wait_for_message(self, part: str, timeout: float = 30.0) -> dict[str, Any]:
        """Wait for a line of the log that contains a text; gives the first."""
        self.wait_for(lambda _: any(part in message for message in self.messages()), timeout)
        return next(line for line in self.lines if part in line["message"])

    def signal(self, number: int) -> None:
        """Send a signal to the main process."""
        self.process.send_signal(number)

    def wait(self, timeout: float = STOP_TIMEOUT) -> int:
        """Wait for its end; the exit code."""
        code = self.process.wait(timeout)
        self._reader.join(timeout=10)
        return code

    def stop(self) -> int:
        """End it as a person would, or by force where that does not help; the exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise AssertionError(f"the worker did not end\n{self.text()}") from None

    def text(self) -> str:
        """All that it said."""
        return "\n".join([*map(str, list(self.lines)), *list(self.other)])

    def _read(self) -> None:
        assert self.process.stderr is not None
        for raw in self.process.stderr:
            text = raw.decode("utf-8", "replace").rstrip("\n")
            try:
                self.lines.append(json.loads(text))
            except ValueError:
                self.other.append(text)
        self.process.stderr.close()


@contextmanager
def running_worker(
    store_url: str,
    broker_url: str,
    *,
    concurrency: int = 2,
    repositories: Path | str | None = None,
    checkouts: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | str | None = None,
    arguments: Sequence[str] = (),
    listens: bool = True,
) -> Iterator[Worker]:
    """A worker that listens already (unless not `listens`); stopped at the end, however that comes."""
    command = [sys.executable, "-P", "-m", "weft", "worker", "--log-format", "json"]
    command += ["--concurrency", str(concurrency)]
    for option, folder in (("--repositories", repositories), ("--checkouts", checkouts)):
        if folder is not None:
            command += [option, str(folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
    environment |= {"WEFT_STORE": store_url, "WEFT_BROKER": broker_url, **(env or {})}
    process = subprocess.Popen(
        [*command, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, cwd=cwd
    )
    worker = Worker(process)
    try:
        if listens:
            worker.wait_for(
                lambda it: "the worker listens" in it.messages() or it.process.poll() is not None, START_TIMEOUT
            )
            assert process.poll() is None, f"the worker has ended\n{worker.text()}"
        yield worker
    finally:
        worker.stop()


def children_of(pid: int) -> list[int]:
    """The processes that a process has started and that have not been waited for."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(each) for each in file.read().split()]
    except OSError:
        return []


def is_alive(pid: int) -> bool:
    """Whether a process runs (one that has ended and was not waited for does not)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
