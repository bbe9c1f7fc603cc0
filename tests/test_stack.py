"""`weft stack`: the whole distributed mode on one machine, up and down again, whatever happened in between."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
import pytest

from weft.stack import Plan, Service, StackError, down, find, up
from weft.stack.processes import identify, is_alive, send, wait_for_end
from weft.stack.servers import is_free
from weft.stack.state import locked

SERVERS_ONLY = Plan(workers=0, concurrency=1, flower=False)


class Reports(list[str]):
    """What a stack says."""

    def __call__(self, line: str) -> None:
        self.append(line)


@pytest.fixture
def folder() -> Iterator[str]:
    """A folder for a stack. Servers that root starts are not root's, so it lies where anybody can get to."""
    with tempfile.TemporaryDirectory(prefix="weft-test-") as scratch:
        os.chmod(scratch, 0o711)
        home = os.path.join(scratch, "stack")
        yield home
        down(home, purge=True, report=Reports())
        assert not os.path.exists(home)


def weft(folder: str, *arguments: str, cwd: str | None = None, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "weft", *arguments]
    environment = {**os.environ, "WEFT_STACK_FOLDER": folder, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, cwd=cwd)


def exported(folder: str) -> dict[str, str]:
    """The variables that a shell has after `eval "$(weft stack env)"`."""
    script = f'eval "$({sys.executable} -m weft stack env)" && echo "$WEFT_STORE" && echo "$WEFT_BROKER"'
    environment = {**os.environ, "WEFT_STACK_FOLDER": folder}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True)
    store, broker = done.stdout.splitlines()
    return {"WEFT_STORE": store, "WEFT_BROKER": broker}


def kill(services: Sequence[Service]) -> None:
    for service in services:
        send(service.process, signal.SIGKILL)
        assert wait_for_end(service.process, 10.0)


def running(folder: str) -> list[str]:
    return [service.name for service in find(folder).services if service.is_running]


def arguments_of_all_processes() -> bytes:
    read = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            read.append(entry.read_bytes())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return b"\n".join(read)


def wait_until_free(port: int) -> None:
    deadline = time.monotonic() + 30
    while not is_free(port):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_repository_is_scanned_by_the_workers_of_a_stack(folder: str, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import b\n")
    (tmp_path / "b.py").write_text("")
    started = weft(folder, "stack", "up", "--workers", "2", "--concurrency", "1")
    assert started.returncode == 0, started.stderr
    assert weft(folder, "stack", "status").returncode == 0
    variables = exported(folder)
    for url in variables.values():
        assert url.encode() not in arguments_of_all_processes()
        assert url not in started.stdout + weft(folder, "stack", "status").stdout

    scanned = weft(folder, "scan", "--format", "json", cwd=str(tmp_path), **variables)
    assert scanned.returncode == 0, scanned.stderr
    assert json.loads(scanned.stdout)["counts"]["analyzed"] == 2
    assert weft(folder, "deps", "a.py", cwd=str(tmp_path), **variables).stdout.startswith("b.py ")

    services = find(folder).services
    assert [service.name for service in services] == ["postgres", "redis", "worker-1", "worker-2", "flower"]
    with urllib.request.urlopen(services[-1].address, timeout=10) as page:
        assert page.status == 200

    assert weft(folder, "stack", "down").returncode == 0
    assert not any(service.is_running for service in services)
    again = weft(folder, "stack", "status")
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr == f"weft: stack in '{folder}': is not up; start it by `weft stack up`\n"
    assert weft(folder, "stack", "env").returncode == 2


def test_data_addresses_and_passwords_stay_over_down_and_up(folder: str) -> None:
    first = up(folder, SERVERS_ONLY, Reports())
    with psycopg.connect(first.store) as connection:
        connection.execute("create table kept ()")
    down(folder, purge=False, report=Reports())
    second = up(folder, SERVERS_ONLY, Reports())
    assert (second.store, second.broker) == (first.store, first.broker)
    with psycopg.connect(second.store) as connection:
        connection.execute("select from kept")


def test_a_second_up_says_that_it_is_up_already(folder: str) -> None:
    first = up(folder, SERVERS_ONLY, Reports())
    reports = Reports()
    assert up(folder, SERVERS_ONLY, reports) == first
    assert reports == [f"the stack in {folder} is up already"]
    assert running(folder) == ["postgres", "redis"]


def test_only_the_owner_can_read_what_it_writes_down(folder: str) -> None:
    stack = up(folder, SERVERS_ONLY, Reports())
    for name in ("state.json", "keepsakes.json"):
        assert os.stat(os.path.join(folder, name)).st_mode & 0o077 == 0
    assert stack.store.split("@")[0] not in repr(stack)


def test_down_without_a_stack_does_nothing(folder: str) -> None:
    reports = Reports()
    down(folder, purge=False, report=reports)
    down(folder, purge=True, report=reports)
    assert reports == [f"there is no stack in {folder}"] * 2
    assert not os.path.exists(folder)


def test_a_folder_with_other_things_is_left_alone(folder: str) -> None:
    theirs = Path(folder, "postgres", "theirs")
    theirs.mkdir(parents=True)
    with pytest.raises(StackError, match="holds other things and no stack"):
        up(folder, SERVERS_ONLY, Reports())
    down(folder, purge=True, report=Reports())
    assert theirs.is_dir()
    theirs.rmdir()
    theirs.parent.rmdir()
    Path(folder).rmdir()


def test_purge_removes_what_the_stack_made_and_nothing_else(folder: str) -> None:
    up(folder, SERVERS_ONLY, Reports())
    theirs = Path(folder, "notes.txt")
    theirs.touch()
    down(folder, purge=True, report=Reports())
    assert os.listdir(folder) == ["notes.txt"]
    theirs.unlink()
    Path(folder).rmdir()


def test_up_after_everything_has_died_starts_anew(folder: str) -> None:
    first = up(folder, SERVERS_ONLY, Reports())
    kill(first.services)
    second = up(folder, SERVERS_ONLY, Reports())
    assert second.store == first.store
    assert running(folder) == ["postgres", "redis"]


def test_up_when_a_part_has_died_says_which_and_down_stops_the_rest(folder: str) -> None:
    stack = up(folder, SERVERS_ONLY, Reports())
    kill(stack.services[1:])
    with pytest.raises(StackError, match="is only partly up: redis ended; run `weft stack down`"):
        up(folder, SERVERS_ONLY, Reports())
    assert weft(folder, "stack", "status").returncode == 2
    reports = Reports()
    down(folder, purge=False, report=reports)
    assert reports == ["redis had ended already", "postgres is stopped"]
    assert not stack.services[0].is_running


def test_a_pid_that_now_is_another_process_s_is_left_alone(folder: str) -> None:
    stack = up(folder, SERVERS_ONLY, Reports())
    kill(stack.services)
    with subprocess.Popen(["sleep", "600"]) as innocent:
        state = Path(folder, "state.json")
        document = json.loads(state.read_text())
        for service in document["services"]:
            service["process"]["pid"] = innocent.pid
        state.write_text(json.dumps(document))
        own = identify(innocent.pid)
        assert own is not None
        assert running(folder) == []
        down(folder, purge=False, report=Reports())
        assert is_alive(own)
        innocent.kill()


def test_an_up_that_fails_halfway_leaves_nothing_running(folder: str) -> None:
    up(folder, SERVERS_ONLY, Reports())
    down(folder, purge=True, report=Reports())
    reports = Reports()
    # The variable is one that a worker refuses: the servers start, the worker does not.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WEFT_WORKER_LOG_FORMAT", "nonsense")
        with pytest.raises(StackError, match=r"worker-1: ended at once: .*nonsense"):
            up(folder, Plan(workers=1, concurrency=1), reports)
    assert [line.split()[0] for line in reports] == ["postgres", "redis"]
    for line in reports:
        wait_until_free(int(line.rpartition(":")[2]))
    with pytest.raises(StackError, match="is not up"):
        find(folder)


def test_an_up_that_is_killed_leaves_nothing_running(folder: str) -> None:
    command = [sys.executable, "-m", "weft", "stack", "up", "--folder", folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starting:
        assert starting.stdout is not None
        ready = [starting.stdout.readline().strip() for _ in range(2)]
        starting.kill()
    assert [line.split()[0] for line in ready] == ["postgres", "redis"]
    for line in ready:
        wait_until_free(int(line.rpartition(":")[2]))
    assert up(folder, SERVERS_ONLY, Reports())


def test_only_one_command_at_a_time_starts_or_stops_a_stack(folder: str) -> None:
    up(folder, SERVERS_ONLY, Reports())
    with locked(folder), pytest.raises(StackError, match="is being started or stopped by another command"):
        down(folder, purge=False, report=Reports())
    assert running(folder) == ["postgres", "redis"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "weft/stack/1", "services": [1]}'])
def test_a_state_file_that_makes_no_sense_is_named(folder: str, text: str) -> None:
    os.mkdir(folder)
    state = Path(folder, "state.json")
    state.write_text(text)
    with pytest.raises(StackError, match=r"state\.json': cannot be read"):
        find(folder)
    state.unlink()
    os.rmdir(folder)


def test_a_state_file_of_somebody_else_is_not_believed(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkdir(folder)
    state = Path(folder, "state.json")
    state.write_text("{}")
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: 12345)
        with pytest.raises(StackError, match="belongs to somebody else"):
            find(folder)
    state.unlink()
    os.rmdir(folder)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="cannot hold a stack: Not a directory"):
        up(str(tmp_path / "file" / "stack"), SERVERS_ONLY, Reports())
