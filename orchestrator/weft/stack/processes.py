"""Processes by identity: a pid and when it started, so that a recycled pid is never taken for its predecessor."""

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass

POLL_SECONDS = 0.02
KILL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Process:
    """A process of this machine, in this boot. `started` is opaque: equal for the same process only."""

    pid: int
    started: str


def identify(pid: int) -> Process | None:
    """The process that has this pid now; None when there is none, or one that has ended and only waits to be reaped."""
    started = _started(pid)
    return None if started is None else Process(pid, started)


def is_alive(process: Process) -> bool:
    """Whether it still runs."""
    return _started(process.pid) == process.started


def send(process: Process, number: signal.Signals) -> None:
    """Signal exactly this process; one that has ended gets nothing."""
    if hasattr(os, "pidfd_open"):
        _send_by_handle(process, number)
    elif is_alive(process):
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return


def wait_for_end(process: Process, seconds: float) -> bool:
    """Wait until it has ended; False when it has not in that time."""
    deadline = time.monotonic() + seconds
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def end(process: Process, *signals: tuple[signal.Signals, float]) -> None:
    """Ask for its end by one signal after the other, each with the seconds it has to work.

    At last it is killed, and with it its process group if it leads one.
    """
    for number, seconds in signals:
        send(process, number)
        if wait_for_end(process, seconds):
            return
    _kill_group(process)
    send(process, signal.SIGKILL)
    wait_for_end(process, KILL_SECONDS)


def _kill_group(process: Process) -> None:
    # While the leader lives, the number of the group is its own.
    with contextlib.suppress(ProcessLookupError):
        if is_alive(process) and os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)


def _send_by_handle(process: Process, number: signal.Signals) -> None:
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        # The handle holds the process: who passes this check gets the signal, whatever happens to the pid.
        if is_alive(process):
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def _started(pid: int) -> str | None:
    if os.path.exists("/proc/self/stat"):
        return _started_by_proc(pid)
    return _started_by_ps(pid)


def _started_by_proc(pid: int) -> str | None:
    """State and start time (ticks since boot) of proc(5), after the name, which may hold anything."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, ticks = fields[0], fields[19]
    return None if state in (b"Z", b"X") else f"{boot}:{ticks.decode()}"


def _started_by_ps(pid: int) -> str | None:
    command = ["ps", "-o", "state=,lstart=", "-p", str(pid)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    state, _, started = answer.stdout.strip().partition(" ")
    return None if answer.returncode or state.startswith("Z") else started.strip()
