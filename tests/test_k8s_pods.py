"""What the pods of the dev overlay run, run here: their arguments, variables, files and probes, with real servers."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from cluster import Object, Pod, Rendering
from kustomize import rendered
from weft.stack import RedisServer

DEV = Path(__file__).resolve().parent.parent / "k8s" / "overlays" / "dev"
FILES = {f"pkg/module_{number}.py": f"import pkg.module_{number // 2}\n" for number in range(1, 80)}


@dataclass(frozen=True, slots=True)
class Node:
    """Runs containers as processes of this machine: what is mounted in a pod is a folder below `root`."""

    rendering: Rendering
    root: Path

    def pod(self, name: str) -> Pod:
        (found,) = [each for each in self.rendering.pods if each.name == name]
        return found

    def command(self, container: Object, line: list[str] | None = None) -> list[str]:
        """What a container runs, or a line that is executed in it."""
        words = line or container.get("command") or ["weft", *container["args"]]
        variables = self.rendering.configuration(container)
        for name, value in variables.items():
            words = [word.replace(f"$({name})", value) for word in words]
        program = [sys.executable, "-m", "weft"] if words[0] == "weft" else [words[0]]
        return [*program, *map(self._here, words[1:])]

    def environment(self, container: Object, **others: str) -> dict[str, str]:
        found = {name: self._here(value) for name, value in self.rendering.configuration(container).items()}
        return os.environ | found | others

    def run(self, container: Object, line: list[str] | None = None, **others: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(container, line), env=self.environment(container, **others), cwd="/",
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    def _here(self, text: str) -> str:
        return f"{self.root}{text}" if text.startswith(("/etc/weft", "/run/weft", "/repositories", "/tmp")) else text


@pytest.fixture
def node(tmp_path: Path, postgres_url: str, own_redis: RedisServer) -> Node:
    """A node whose pods find the files of the overlay's Secrets and ConfigMaps, with the servers of this test."""
    for folder in ("etc/weft/store", "etc/weft/broker", "etc/weft/fetch", "run/weft", "repositories", "tmp"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/weft/store/url").write_text(f"{postgres_url}\n")
    user, *rules = (DEV / "users.acl").read_text().splitlines()[-1].split()[1:]
    with redis.Redis.from_url(own_redis.url) as client:
        client.execute_command("ACL", "SETUSER", user, *rules)
    server = urlsplit(own_redis.url)
    (tmp_path / "etc/weft/broker/url").write_text(f"redis://{user}:dev-only@{server.hostname}:{server.port}/0\n")
    (tmp_path / "etc/weft/fetch/fetch.sh").write_bytes((DEV.parent.parent / "project/fetch.sh").read_bytes())
    return Node(Rendering("dev", tuple(rendered(DEV))), tmp_path)


@contextmanager
def started(node: Node, container: Object) -> Iterator[subprocess.Popen[str]]:
    log = open(node.root / f"{container['name']}.log", "w+", encoding="utf-8")  # noqa: SIM115
    process = subprocess.Popen(
        node.command(container), env=node.environment(container), cwd="/", stdout=log, stderr=log, text=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=30)
        log.close()


def wait_for(holds: Callable[[], bool], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.5)


def test_the_pods_migrate_fetch_scan_and_end_in_time(node: Node, tmp_path: Path, postgres_url: str) -> None:
    (migrate,) = node.pod("weft-migrate").containers
    preflight, worker = node.pod("weft-worker").containers
    fetch, scan = node.pod("weft-scan-monorepo").containers
    origin = _origin(tmp_path / "origin")

    before = node.run(preflight)
    assert (before.returncode, "weft store migrate" in before.stdout) == (2, True), before
    assert node.run(migrate).returncode == 0
    ready = node.run(preflight)
    assert ready.returncode == 0, ready.stdout
    assert ready.stdout.split("\n")[-2].split()[:2] == ["ok", "broker"]

    fetched = node.run(fetch, REMOTE=str(origin), GIT_ALLOW_PROTOCOL="file")
    assert fetched.returncode == 0, fetched.stderr

    with started(node, worker) as process:
        probe = worker["startupProbe"]
        budget = probe["periodSeconds"] * probe["failureThreshold"]
        wait_for(lambda: node.run(worker, probe["exec"]["command"]).returncode == 0, budget, "the worker did not start")
        done = node.run(scan)
        assert done.returncode == 0, done.stderr
        assert node.run(worker, worker["livenessProbe"]["exec"]["command"]).returncode == 0
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=node.pod("weft-worker").spec["terminationGracePeriodSeconds"])

    document = json.loads(done.stdout)
    assert (document["project"], document["status"]) == ("monorepo", "published")
    assert document["counts"]["analyzed"] == len(FILES)
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM weft.worker").fetchone() == (True,)


def _origin(folder: Path) -> Path:
    """A repository with more files than a scan does by itself."""
    folder.mkdir()
    for path, text in FILES.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text)
    identity = "-c user.name=weft -c user.email=weft@example.org"
    for line in ("init -q -b main", "add .", f"{identity} commit -q -m all"):
        subprocess.run(["git", "-C", folder, *shlex.split(line)], check=True, timeout=60)
    return folder
