"""A whole distributed Weft on this machine: Postgres, Redis, workers, Flower. Knows how they are run, not what they do.

The workers and Flower are processes of the command line; passwords reach them by environment, which only their owner
can read, never by arguments.
"""

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from weft.stack.children import Child, Signals, in_one_line, wait_until
from weft.stack.errors import StackError
from weft.stack.processes import end
from weft.stack.servers import LOOPBACK, PostgresServer, RedisServer, free_port, is_free
from weft.stack.state import (
    Keepsakes,
    Service,
    Stack,
    forget_everything,
    forget_stack,
    is_home,
    locked,
    read_keepsakes,
    read_stack,
    write_keepsakes,
    write_stack,
)

DATABASE = "weft"
FLOWER_PORT = 5555

_POSTGRES = "postgres"
_REDIS = "redis"
_FLOWER = "flower"
_LOGS = "logs"

_ROOTS = ("WEFT_REPOSITORIES", "WEFT_CHECKOUTS")

# A worker finishes what it is at, or gives it back to the queue.
_CLIENT_SIGNALS: Signals = ((signal.SIGTERM, 40.0),)
_SIGNALS = {_POSTGRES: PostgresServer.signals, _REDIS: RedisServer.signals}

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How large a stack is to be: worker processes, extractions at a time in each, and whether Flower runs."""

    workers: int
    concurrency: int
    flower: bool = True


def up(folder: str, plan: Plan, report: Report) -> Stack:
    """Start a stack in a folder and wait until all of it is ready; `report` hears of every service.

    A stack that is up is left alone. Raises `StackError`, with nothing left running, when a part of it does not start,
    or when only a part of an earlier one still runs.
    """
    folder = _make_folder(folder)
    with locked(folder):
        known = _running(folder)
        if known is not None:
            report(f"the stack in {folder} is up already")
            return known
        with contextlib.ExitStack() as undo:
            starting = _Starting(folder, plan, read_keepsakes(folder), report, undo)
            stack = starting.run()
            # From here on it is known to `down`; until here, its parts end with this process.
            write_stack(stack)
            starting.release()
            undo.pop_all()
        return stack


def down(folder: str, *, purge: bool, report: Report) -> None:
    """Stop exactly what `up` started in a folder, and with `purge` remove its data. Does nothing where nothing is."""
    folder = os.path.abspath(folder)
    if not is_home(folder):
        report(f"there is no stack in {folder}")
        return
    with locked(folder):
        stack = read_stack(folder)
        if stack is None:
            report(f"the stack in {folder} is down")
        else:
            _stop(stack, report)
            forget_stack(folder)
        if purge:
            _purge(folder)
            report(f"its data in {folder} is removed")


def find(folder: str) -> Stack:
    """The stack in a folder, all, some or none of whose services may run. Raises `StackError` when it is down."""
    folder = os.path.abspath(folder)
    stack = read_stack(folder)
    if stack is None:
        raise StackError(f"stack in '{folder}'", "is not up", "start it by `weft stack up`")
    return stack


class _Starting:
    """The steps of `up`. Everything started is on `undo`, so that a failure ends it."""

    def __init__(
        self, folder: str, plan: Plan, keepsakes: Keepsakes, report: Report, undo: contextlib.ExitStack
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._keepsakes = keepsakes
        self._report = report
        self._undo = undo
        self._services: list[Service] = []
        self._releases: list[Callable[[], object]] = []

    def run(self) -> Stack:
        """Start everything in the order in which one needs the other."""
        store = self._start_postgres()
        broker = self._start_redis()
        environment = _environment(store=store.url, broker=broker.url)
        self._migrate(environment)
        self._start_workers(broker, environment)
        if self._plan.flower:
            self._start_flower(environment)
        write_keepsakes(self._folder, self._keepsakes)
        return Stack(folder=self._folder, store=store.url, broker=broker.url, services=tuple(self._services))

    def release(self) -> None:
        """Let everything outlive this process."""
        for release in self._releases:
            release()

    def _start_postgres(self) -> PostgresServer:
        server = PostgresServer(
            os.path.join(self._folder, _POSTGRES),
            port=_free_or_any(self._keepsakes.store_port),
            password=self._keepsakes.store_password,
            database=DATABASE,
            durable=True,
        )
        self._start_server(_POSTGRES, server)
        self._keepsakes = replace(self._keepsakes, store_port=server.port)
        return server

    def _start_redis(self) -> RedisServer:
        server = RedisServer(
            os.path.join(self._folder, _REDIS),
            port=_free_or_any(self._keepsakes.broker_port),
            password=self._keepsakes.broker_password,
            append_only=True,
        )
        self._start_server(_REDIS, server)
        self._keepsakes = replace(self._keepsakes, broker_port=server.port)
        return server

    def _start_server(self, name: str, server: PostgresServer | RedisServer) -> None:
        self._undo.callback(server.close)
        server.start()
        process = server.process
        if process is None:
            raise StackError(server.noun, "ended as soon as it was ready")
        self._add(Service(name, process, f"{LOOPBACK}:{server.port}"), server.release)

    def _migrate(self, environment: Mapping[str, str]) -> None:
        """Before the workers come, so that what is wrong with the store is said once, and here."""
        command = [*_weft(), "store", "migrate", "--quiet"]
        done = subprocess.run(
            command, env=environment, cwd=self._folder, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if done.returncode:
            raise StackError("store", f"cannot be prepared: {in_one_line(done.stderr).removeprefix('weft: ')}")

    def _start_workers(self, broker: RedisServer, environment: Mapping[str, str]) -> None:
        arguments = ["worker", "--concurrency", str(self._plan.concurrency)]
        names = [f"worker-{number}" for number in range(1, self._plan.workers + 1)]
        workers = {name: self._start_client(name, arguments, environment) for name in names}
        if workers:
            wait_until(lambda: _why_too_few(broker, len(workers)), *workers.values())
        for name, child in workers.items():
            self._add(Service(name, child.process), child.release)

    def _start_flower(self, environment: Mapping[str, str]) -> None:
        port = _free_or_any(self._keepsakes.flower_port or FLOWER_PORT) or free_port()
        child = self._start_client(_FLOWER, ["flower", "--address", LOOPBACK, "--port", str(port)], environment)
        wait_until(lambda: _why_no_page(port), child)
        self._keepsakes = replace(self._keepsakes, flower_port=port)
        self._add(Service(_FLOWER, child.process, f"http://{LOOPBACK}:{port}"), child.release)

    def _start_client(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
        child = Child(
            name,
            [*_weft(), *arguments],
            log=os.path.join(self._folder, _LOGS, f"{name}.log"),
            folder=self._folder,
            environment=environment,
            signals=_CLIENT_SIGNALS,
        )
        self._undo.callback(child.stop)
        return child

    def _add(self, service: Service, release: Callable[[], object]) -> None:
        self._services.append(service)
        self._releases.append(release)
        self._report(f"{service.name} is ready" + (f" on {service.address}" if service.address else ""))


def _make_folder(folder: str) -> str:
    """The folder of a stack, which servers must be able to pass through, and what it holds nobody else may read."""
    folder = os.path.abspath(folder)
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder, exist_ok=True)
            os.chmod(folder, 0o711 if os.geteuid() == 0 else 0o700)
        elif os.listdir(folder) and not is_home(folder):
            raise StackError(f"folder '{folder}'", "holds other things and no stack", "name an empty or a new one")
        write_keepsakes(folder, read_keepsakes(folder))
        os.makedirs(os.path.join(folder, _LOGS), mode=0o700, exist_ok=True)
    except OSError as exc:
        raise StackError(f"folder '{folder}'", f"cannot hold a stack: {exc.strerror or exc}") from exc
    return folder


def _running(folder: str) -> Stack | None:
    """The stack that is up in a folder. What was left by one that has ended altogether is forgotten."""
    stack = read_stack(folder)
    if stack is None:
        return None
    ended = [each.name for each in stack.services if not each.is_running]
    if not ended:
        return stack
    if len(ended) < len(stack.services):
        problem = f"is only partly up: {', '.join(ended)} ended"
        raise StackError(f"stack in '{folder}'", problem, "run `weft stack down` and then `weft stack up`")
    forget_stack(folder)
    return None


def _stop(stack: Stack, report: Report) -> None:
    """Clients first, all at once; then the servers, the last one started first."""
    clients = [each for each in stack.services if each.name not in _SIGNALS]
    servers = [each for each in reversed(stack.services) if each.name in _SIGNALS]
    with ThreadPoolExecutor(max_workers=max(1, len(clients))) as pool:
        for line in pool.map(_end, clients):
            report(line)
    for server in servers:
        report(_end(server))


def _end(service: Service) -> str:
    if not service.is_running:
        return f"{service.name} had ended already"
    end(service.process, *_SIGNALS.get(service.name, _CLIENT_SIGNALS))
    if service.is_running:
        raise StackError(service.name, f"pid {service.process.pid} cannot be ended", "end it by hand")
    return f"{service.name} is stopped"


def _purge(folder: str) -> None:
    """What a stack made, and nothing else that may lie there."""
    for name in (_POSTGRES, _REDIS, _LOGS):
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
    forget_everything(folder)
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def _environment(*, store: str, broker: str) -> dict[str, str]:
    """This process's, with our store and broker. Roots become absolute, as clients run in another folder."""
    files = ("WEFT_STORE_FILE", "WEFT_BROKER_FILE")
    inherited = {name: value for name, value in os.environ.items() if name not in files}
    roots = {name: os.path.abspath(os.environ[name]) for name in _ROOTS if os.environ.get(name)}
    return {**inherited, **roots, "WEFT_STORE": store, "WEFT_BROKER": broker}


def _weft() -> list[str]:
    # -P: the current folder is never looked into for modules.
    return [sys.executable, "-P", "-m", "weft"]


def _free_or_any(port: int) -> int | None:
    return port if port and is_free(port) else None


def _why_too_few(broker: RedisServer, workers: int) -> str | None:
    """Every worker waits at the queue by one connection, in a command that blocks."""
    import redis

    client = redis.Redis.from_url(broker.url, socket_timeout=5)
    try:
        waiting = sum(each["cmd"] == "brpop" for each in client.client_list())
    except redis.RedisError as exc:
        return str(exc)
    finally:
        client.close()
    return None if waiting >= workers else f"{waiting} of {workers} workers wait for work"


def _why_no_page(port: int) -> str | None:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
    try:
        connection.request("GET", "/healthcheck")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as exc:
        return str(exc)
    finally:
        connection.close()
    return None if status == http.client.OK else f"it answers {status}"
