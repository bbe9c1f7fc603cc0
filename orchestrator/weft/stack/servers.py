"""A Postgres and a Redis of one's own on the loopback interface: start, stop, kill, start again. Knows no Weft."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Self
from urllib.parse import quote

from weft.stack.accounts import as_server, hand_over, make_server_folder
from weft.stack.binaries import postgres_programs, redis_program
from weft.stack.children import Child, Signals, in_one_line, wait_until
from weft.stack.errors import StackError
from weft.stack.processes import Process, identify

LOOPBACK = "127.0.0.1"
POSTGRES_USER = "weft"
START_ATTEMPTS = 5

# Below the range from which systems give ports to outgoing connections: a stopped server finds its port free again.
_PORTS = range(15_000, 32_000)


class Server(ABC):
    """A server process with its own folder, which it may keep when it is stopped.

    Without `folder` a temporary one is made, and removed by `close`. Without `port` a free one is taken; it stays the
    same over restarts. It ends with this process, however this one ends, unless it is released. As a context manager:
    started, and in the end closed. Several may run at once; none listens beyond loopback.
    """

    noun: ClassVar[str]
    signals: ClassVar[Signals]

    def __init__(self, folder: str | None, port: int | None) -> None:
        self._own_folder = folder is None
        self.folder = os.path.abspath(folder) if folder is not None else tempfile.mkdtemp(prefix="weft-")
        self.port = port or 0
        self._child: Child | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it, password included."""

    @property
    def process(self) -> Process | None:
        """The process, while it is there."""
        return None if self._child is None or self._child.has_ended() else self._child.process

    @property
    def data_folder(self) -> str:
        """Where its data lies."""
        return os.path.join(self.folder, "data")

    @property
    def log(self) -> str:
        """The file that it writes its log to."""
        return os.path.join(self.folder, "log")

    def start(self) -> None:
        """Start it on the data that is there, and wait until it answers. Does nothing when it runs.

        Raises `StackError` with the server's own last words when it cannot be started.
        """
        if self.process is not None:
            return
        self.stop()
        try:
            make_server_folder(self.folder)
            self._prepare()
            self._start_and_retry()
        except OSError as exc:
            raise StackError(self.noun, f"cannot be started in '{self.folder}': {exc.strerror or exc}") from exc

    def stop(self) -> None:
        """End it in good order; data and port are kept. Does nothing when it does not run."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would; data and port are kept."""
        if self._child is not None:
            self._child.kill()
            self._child = None

    def release(self) -> Process:
        """Let it outlive this process, which has no more to do with it. Raises `StackError` when it does not run."""
        if self._child is None or self._child.has_ended():
            raise StackError(self.noun, "does not run")
        child, self._child = self._child, None
        return child.release()

    def restart(self, *, keep_data: bool = True) -> None:
        """Stop and start it again on the same port, with its data or with none."""
        self.stop()
        if not keep_data:
            shutil.rmtree(self.data_folder, ignore_errors=True)
        self.start()

    def close(self) -> None:
        """Stop it, and remove the folder if it was made for this server."""
        self.stop()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def _prepare(self) -> None:
        """Make the data folder if there is none."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """The program and its arguments, none of them secret."""

    @abstractmethod
    def _why_not_ready(self) -> str | None:
        """None when it answers, else what it said."""

    def _start_and_retry(self) -> None:
        fixed_port = bool(self.port)
        for attempt in range(START_ATTEMPTS):
            if not fixed_port:
                self.port = free_port()
            try:
                self._launch()
                return
            except StackError:
                # Another process took the port, or what a killed server left behind is still going away.
                if attempt == START_ATTEMPTS - 1:
                    raise
                time.sleep(0.2 * (attempt + 1))

    def _launch(self) -> None:
        self._child = Child(
            self.noun,
            self._command(),
            log=self.log,
            folder=self.data_folder,
            environment=_plain_environment(),
            signals=self.signals,
            account=as_server(),
            scratch=self.folder if self._own_folder else "",
        )
        try:
            wait_until(self._why_not_ready, self._child)
        except BaseException:
            self.stop()
            raise


class PostgresServer(Server):
    """A PostgreSQL with the superuser `weft`.

    Without a password everybody on this machine may log in: tests only. Without `durable` a crash of the machine
    (not of the server) may cost data, and everything is faster. `database` is made with the data folder.
    `settings` are those of postgresql.conf.
    """

    noun = "Postgres"
    # "Fast": clients are sent away, the data is checkpointed. "Immediate": as after a crash.
    signals = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0))

    def __init__(
        self,
        folder: str | None = None,
        *,
        database: str = "postgres",
        port: int | None = None,
        password: str | None = None,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._programs = postgres_programs()
        super().__init__(folder, port)
        self.password = password
        self.durable = durable
        self.database = database
        self.settings = dict(settings or {})

    @property
    def url(self) -> str:
        """The URL of its database."""
        login = POSTGRES_USER if self.password is None else f"{POSTGRES_USER}:{quote(self.password, safe='')}"
        return f"postgresql://{login}@{LOOPBACK}:{self.port}/{quote(self.database, safe='')}"

    def _prepare(self) -> None:
        if os.path.exists(os.path.join(self.data_folder, "PG_VERSION")):
            self._forget_the_dead()
            return
        # initdb that was interrupted leaves half a folder, which it would refuse.
        shutil.rmtree(self.data_folder, ignore_errors=True)
        make_server_folder(self.data_folder)
        with _secret_file(self.folder, self.password) as password_file:
            self._initialize(password_file)

    def _forget_the_dead(self) -> None:
        """Remove the lock file of a killed server that nobody has reaped: Postgres takes it for one that still lives.

        What is left of a server without its postmaster is found by Postgres itself, by its shared memory.
        """
        owner = self._lock_lines()[:1]
        if owner and owner[0].isdecimal() and identify(int(owner[0])) is None:
            os.unlink(self._lock_file)

    @property
    def _lock_file(self) -> str:
        return os.path.join(self.data_folder, "postmaster.pid")

    def _lock_lines(self) -> list[str]:
        try:
            with open(self._lock_file, encoding="utf-8") as file:
                return [line.strip() for line in file]
        except FileNotFoundError:
            return []

    def _initialize(self, password_file: str | None) -> None:
        # Bytes compare as bytes: the order of rows is the same on every machine.
        command = [self._programs.initdb, "-D", self.data_folder, "-U", POSTGRES_USER, "-E", "UTF8", "--locale=C"]
        command += ["-A", "trust"] if password_file is None else ["-A", "scram-sha-256", f"--pwfile={password_file}"]
        command += [] if self.durable else ["--no-sync"]
        try:
            self._run("initdb", command)
            if self.database != "postgres":
                single = [self._programs.postgres, "--single", "-D", self.data_folder, "postgres"]
                quoted = self.database.replace('"', '""')
                self._run("postgres --single", single, f'create database "{quoted}"\n'.encode())
        except BaseException:
            shutil.rmtree(self.data_folder, ignore_errors=True)
            raise

    def _run(self, name: str, command: Sequence[str], words: bytes = b"") -> None:
        done = subprocess.run(
            command,
            input=words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env=_plain_environment(),
            check=False,
            **as_server(),
        )
        # In single-user mode a failed statement is said and does not change the exit code.
        if done.returncode or b"ERROR:" in done.stdout:
            raise StackError(self.noun, f"{name} failed: {in_one_line(done.stdout)}")

    def _command(self) -> Sequence[str]:
        settings = {
            "listen_addresses": LOOPBACK,
            # Clients come over loopback only: no socket file, whose path could be too long.
            "unix_socket_directories": "",
            "logging_collector": "off",
            **({} if self.durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
            **self.settings,
        }
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        return [self._programs.postgres, "-D", self.data_folder, "-p", str(self.port), *options]

    def _why_not_ready(self) -> str | None:
        """As pg_ctl does: the server says in its lock file, whose first line is its pid, how far it is."""
        lines = self._lock_lines()
        status = lines[7] if len(lines) > 7 else "starting"
        ours = self.process is not None and lines[:1] == [str(self.process.pid)]
        return None if ours and status == "ready" else f"its status is '{status}'"


class RedisServer(Server):
    """A Redis (or Valkey) that never evicts. With `append_only` it keeps its data over restarts and crashes."""

    noun = "Redis"
    signals = ((signal.SIGTERM, 10.0),)

    def __init__(
        self,
        folder: str | None = None,
        *,
        port: int | None = None,
        password: str | None = None,
        append_only: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._program = redis_program()
        super().__init__(folder, port)
        self.password = password
        self.append_only = append_only
        self.settings = dict(settings or {})

    @property
    def url(self) -> str:
        """The URL of database 0."""
        login = "" if self.password is None else f":{quote(self.password, safe='')}@"
        return f"redis://{login}{LOOPBACK}:{self.port}/0"

    def _prepare(self) -> None:
        make_server_folder(self.data_folder)

    def _command(self) -> Sequence[str]:
        self._write_configuration()
        return [self._program, self._configuration]

    @property
    def _configuration(self) -> str:
        return os.path.join(self.folder, "redis.conf")

    def _write_configuration(self) -> None:
        """Everything goes by file: arguments of a process can be read by everybody."""
        settings = {
            "bind": LOOPBACK,
            "port": str(self.port),
            "daemonize": "no",
            "save": '""',
            "appendonly": "yes" if self.append_only else "no",
            # A broker that throws messages away under pressure loses work without a word.
            "maxmemory-policy": "noeviction",
            **({} if self.password is None else {"requirepass": _quoted(self.password)}),
            **self.settings,
        }
        lines = "".join(f"{name} {value}\n" for name, value in settings.items())
        descriptor = os.open(self._configuration, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(lines)
        hand_over(self._configuration)

    def _why_not_ready(self) -> str | None:
        import redis

        client = redis.Redis.from_url(self.url, socket_timeout=5, socket_connect_timeout=5)
        try:
            client.ping()  # refused while it still loads its data
            answering = client.info("server")["process_id"]
        except redis.RedisError as exc:
            return in_one_line(str(exc).encode())
        finally:
            client.close()
        ours = self.process is not None and answering == self.process.pid
        return None if ours else f"pid {answering} answers on its port"


def free_port() -> int:
    """A port of the loopback interface that nobody listens on now. Somebody else may take it before it is used."""
    while True:
        port = random.choice(_PORTS)  # noqa: S311 - not a secret
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of the loopback interface now."""
    with socket.socket() as probe:
        # As servers do it: what lingers of connections that were closed is no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _plain_environment() -> dict[str, str]:
    """Nothing of the caller's environment (PGDATA, PGPORT, locale, secrets) reaches a server."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


@contextlib.contextmanager
def _secret_file(folder: str, secret: str | None) -> Iterator[str | None]:
    """A file with a secret, for the account that servers run as, while it is needed."""
    if secret is None:
        yield None
        return
    descriptor, path = tempfile.mkstemp(dir=folder, prefix=".secret-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{secret}\n")
        hand_over(path)
        yield path
    finally:
        os.unlink(path)


def _quoted(value: str) -> str:
    """A value as redis.conf wants it."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
