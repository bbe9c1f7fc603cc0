"""The image and docker-compose.yml, run for real: a scan by two workers, one of which is killed in the middle of it.

Runs only when asked for (`make deployment`), where a docker engine with compose is. WEFT_TEST_IMAGE names an image of
this very version that is there already; without it the image is built.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from compose import run_compose

pytestmark = pytest.mark.deployment

ROOT = Path(__file__).parent.parent
# Read here: a fixture of every test takes WEFT_* out of the environment.
IMAGE = os.environ.get("WEFT_TEST_IMAGE")
DOCKER = {name: value for name, value in os.environ.items() if name.startswith("DOCKER_")}
FILES = 400
MINUTES = 60.0


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack of our own, beside whatever else runs on the engine."""

    compose: list[str]
    folder: Path

    def run(self, *arguments: str, timeout: float = 10 * MINUTES) -> str:
        """What docker compose prints. Fails the test where it fails."""
        variables = DOCKER | ({"WEFT_IMAGE": IMAGE} if IMAGE else {})
        done = run_compose(
            self.compose, str(self.folder), "--project-name", "weft-test", *arguments, timeout=timeout, **variables
        )
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def weft(self, *arguments: str) -> str:
        """What a command of weft prints, run as the one-shot service."""
        return self.run("run", "--rm", "--no-TTY", "scan", *arguments)

    def log_of_workers(self) -> list[dict[str, object]]:
        """What all workers have said until now."""
        # Compose may clear a line that it thinks is a terminal's, before it prints one.
        lines = self.run("logs", "--no-color", "--no-log-prefix", "worker").splitlines()
        return [json.loads(line[line.index("{") :]) for line in lines if line.endswith("}")]


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some megabytes of Python, so that there is time to kill somebody."""
    root: Path = tmp_path_factory.mktemp("src") / "mono"
    body = "".join(f"def function_{n}(value: int) -> int:\n    return (value + {n}) * {n}\n\n\n" for n in range(300))
    for number in range(FILES):
        file = root / f"package_{number % 10}" / f"module_{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        other = (number * 7 + 1) % FILES
        file.write_text(f"from package_{other % 10} import module_{other}\n\n\n{body}# {number}\n", encoding="utf-8")
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=root, check=True, timeout=MINUTES)
    for folder in (root, *root.parents):
        # The container's user must get there; a temporary folder of pytest's is its owner's alone.
        if folder.is_relative_to(tmp_path_factory.getbasetemp().parent):
            folder.chmod(folder.stat().st_mode | 0o055)
    return root


@pytest.fixture(scope="module")
def stack(compose: list[str], repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack of a first start, as the documentation says, with two workers."""
    folder = tmp_path_factory.mktemp("stack")
    for name in ("docker-compose.yml", ".env.example"):
        shutil.copy(ROOT / name, folder)
    text = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    subprocess.run(
        ["sh", "-eu", "-c", text.partition("```sh\n")[2].partition("```")[0]], cwd=folder, check=True, timeout=MINUTES
    )
    env = (folder / ".env").read_text(encoding="utf-8").replace("/path/to/repository", str(repository))
    env = env.replace("WEFT_PROJECT=repository", "WEFT_PROJECT=mono")
    # Nobody else's port.
    (folder / ".env").write_text(f"{env}WEFT_FLOWER_PORT=0\n", encoding="utf-8")
    made = Stack(compose, folder)
    if not IMAGE:
        subprocess.run(
            ["docker", "build", "--quiet", "--tag", "weft:local", str(ROOT)], check=True, timeout=20 * MINUTES
        )
    try:
        made.run("up", "--detach", "--scale", "worker=2")
        yield made
    finally:
        made.run("--profile", "scan", "down", "--volumes", "--timeout", "20")


@pytest.fixture(scope="module")
def expected(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The graph that this machine's own processes make of it."""
    store = f"sqlite:///{tmp_path_factory.mktemp('local')}/graph.db"
    command = [sys.executable, "-P", "-m", "weft"]
    subprocess.run([*command, "scan", str(repository), "--store", store, "--quiet"], check=True, timeout=5 * MINUTES)
    exported = [*command, "export", "--format", "jsonl", "--store", store]
    return subprocess.run(exported, check=True, capture_output=True, text=True, timeout=MINUTES).stdout


def test_two_workers_make_the_graph_that_one_machine_makes(stack: Stack, expected: str) -> None:
    wait_for(lambda: sum(each["message"] == "the worker listens" for each in stack.log_of_workers()) == 2)
    run = json.loads(stack.weft("scan", "--format", "json"))
    assert run["status"] == "published"
    assert run["counts"]["analyzed"] == FILES
    assert len({each["worker"] for each in stack.log_of_workers() if "worker" in each}) == 2
    assert stack.weft("export", "--format", "jsonl") == expected
    assert expected.count("\n") == FILES


def test_a_worker_that_is_killed_in_the_middle_costs_time_only(stack: Stack, expected: str) -> None:
    before = extracted(stack)
    variables = ["--project-name", "weft-test", "run", "--rm", "--no-TTY", "scan", "scan", "--full", "--format", "json"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(stack.folder), **DOCKER}
    environment |= {"WEFT_IMAGE": IMAGE} if IMAGE else {}
    scan = subprocess.Popen(
        [*stack.compose, "--project-directory", str(stack.folder), *variables],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        wait_for(lambda: extracted(stack) > before)
        kill_one(stack)
        said, complaints = scan.communicate(timeout=10 * MINUTES)
    finally:
        scan.kill()
        scan.communicate()
    assert scan.returncode == 0, complaints
    assert json.loads(said)["status"] == "published"
    assert stack.weft("export", "--format", "jsonl") == expected
    again = [each for each in stack.log_of_workers() if each.get("attempt", 1) != 1]
    assert again, "the worker was killed when it had nothing in hand"


def test_nothing_of_it_is_root_or_writes_to_its_image(stack: Stack) -> None:
    script = "id -u; touch /opt/weft/x 2>&1; grep CapEff /proc/self/status"
    said = stack.run("exec", "--no-TTY", "flower", "sh", "-c", script)
    assert said.startswith("10001\n")
    assert "Read-only file system" in said
    assert re.search(r"CapEff:\s+0+\n", said)


def test_a_second_scan_has_nothing_to_do(stack: Stack) -> None:
    run = json.loads(stack.weft("scan", "--format", "json"))
    assert (run["counts"]["unchanged"], run["counts"]["analyzed"]) == (FILES, 0)


def extracted(stack: Stack) -> int:
    return sum(str(each["message"]).startswith("extracted ") for each in stack.log_of_workers())


def kill_one(stack: Stack) -> None:
    """SIGKILL to one of the workers, with all of its processes, as the kernel does when memory is short."""
    container = stack.run("ps", "--quiet", "worker").split()[0]
    subprocess.run(["docker", "kill", container], check=True, capture_output=True, timeout=MINUTES)


def wait_for(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
