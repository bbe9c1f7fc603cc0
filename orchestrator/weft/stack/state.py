"""What a stack writes down: which processes run and how to talk to them, and what outlives them. Starts nothing."""

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any

from weft.stack.accounts import reachable
from weft.stack.errors import StackError
from weft.stack.processes import Process, is_alive

SCHEMA = "weft/stack/1"


@dataclass(frozen=True, slots=True)
class Service:
    """One process of a stack. `address` holds no secret; it is empty for who listens to nobody."""

    name: str
    process: Process
    address: str = ""

    @property
    def is_running(self) -> bool:
        """Whether this very process is there; a recycled pid is another."""
        return is_alive(self.process)


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that was started: its services in the order of their start. `store` and `broker` hold passwords."""

    folder: str
    store: str
    broker: str
    services: tuple[Service, ...]

    def __repr__(self) -> str:
        return f"Stack(folder={self.folder!r}, services={self.services!r})"


@dataclass(frozen=True, slots=True)
class Keepsakes:
    """What stays the same when a stack goes down and up again: the data knows the passwords, people know the ports."""

    store_password: str
    broker_password: str
    store_port: int
    broker_port: int
    flower_port: int

    def __repr__(self) -> str:
        return "Keepsakes(...)"


def default_folder() -> str:
    """Where a stack lives when no folder is named: among the states of programs, as XDG has it.

    Root's must be within reach of the account that servers run as.
    """
    named = os.environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(named) and reachable(os.path.join(named, "weft", "stack")):
        return os.path.join(named, "weft", "stack")
    return "/var/lib/weft/stack" if os.geteuid() == 0 else os.path.expanduser("~/.local/state/weft/stack")


def read_stack(folder: str) -> Stack | None:
    """The stack that was started last in a folder, whether it still runs or not; None when it was taken down."""
    found = _read(_state_file(folder))
    if found is None:
        return None
    try:
        if found["schema"] != SCHEMA:
            raise StackError(f"stack in '{folder}'", f"was started by another version ({found['schema']})")
        services = tuple(_service(**each) for each in found["services"])
        return Stack(folder=folder, store=found["store"], broker=found["broker"], services=services)
    except (KeyError, TypeError) as exc:
        raise _unreadable(_state_file(folder)) from exc


def write_stack(stack: Stack) -> None:
    """Write down what was started, for its owner's eyes only."""
    document = {"schema": SCHEMA, "store": stack.store, "broker": stack.broker}
    _write(_state_file(stack.folder), {**document, "services": [asdict(each) for each in stack.services]})


def forget_stack(folder: str) -> None:
    """Nothing runs any more."""
    with suppress(FileNotFoundError):
        os.unlink(_state_file(folder))


def read_keepsakes(folder: str) -> Keepsakes:
    """Those of the folder, or new ones with random passwords and no ports yet."""
    found = _read(_keepsakes_file(folder))
    if found is None:
        store, broker = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        return Keepsakes(store_password=store, broker_password=broker, store_port=0, broker_port=0, flower_port=0)
    try:
        return Keepsakes(**found)
    except TypeError as exc:
        raise _unreadable(_keepsakes_file(folder)) from exc


def is_home(folder: str) -> bool:
    """Whether a folder is a stack's, up or down. What lies in any other is none of our business."""
    return os.path.isfile(_keepsakes_file(folder))


def write_keepsakes(folder: str, keepsakes: Keepsakes) -> None:
    """Keep them, for their owner's eyes only."""
    _write(_keepsakes_file(folder), asdict(keepsakes))


def forget_everything(folder: str) -> None:
    """Remove the files of this module, not the folder."""
    forget_stack(folder)
    for path in (_keepsakes_file(folder), _lock_file(folder)):
        with suppress(FileNotFoundError):
            os.unlink(path)


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """One `up` or `down` at a time. Raises `StackError` when another is at it."""
    with open(_lock_file(folder), "a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            problem = "is being started or stopped by another command"
            raise StackError(f"stack in '{folder}'", problem, "wait for it to end") from None
        yield


def _service(name: str, process: dict[str, Any], address: str) -> Service:
    return Service(name=name, process=Process(**process), address=address)


def _state_file(folder: str) -> str:
    return os.path.join(folder, "state.json")


def _keepsakes_file(folder: str) -> str:
    return os.path.join(folder, "keepsakes.json")


def _lock_file(folder: str) -> str:
    return os.path.join(folder, "lock")


def _read(path: str) -> dict[str, Any] | None:
    try:
        with open(path, encoding="utf-8") as file:
            # Whoever can write this file says which processes are ended.
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                raise StackError(f"file '{path}'", "belongs to somebody else", "use a --folder of your own")
            found = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise _unreadable(path) from exc
    if not isinstance(found, dict):
        raise _unreadable(path)
    return found


def _write(path: str, document: dict[str, Any]) -> None:
    """Whole or not at all. A temporary file is made with mode 0600."""
    folder, name = os.path.split(path)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=folder, prefix=f".{name}-", delete=False) as file:
        json.dump(document, file, indent=2)
        file.write("\n")
    os.replace(file.name, path)


def _unreadable(path: str) -> StackError:
    return StackError(f"file '{path}'", "cannot be read as what a stack writes down", "remove it when nothing runs")
