"""`weft doctor`: the liveness probe of a worker, and the checks of a place where scans are to run."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from weft.cli import group
from weft.report.schema import json_schema

HEAVY = {"blake3", "celery", "numpy", "psycopg", "redis", "scipy", "sqlite3", "tree_sitter", "weft_storage.backends"}


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["doctor", *arguments])


def touched(path: Path, *, seconds_ago: float) -> str:
    path.touch()
    when = time.time() - seconds_ago
    os.utime(path, (when, when))
    return str(path)


def test_a_worker_whose_heartbeat_is_young_is_alive(tmp_path: Path) -> None:
    file = touched(tmp_path / "heartbeat", seconds_ago=5)
    done = doctor("--heartbeat-file", file, "--max-age", "30")
    assert (done.exit_code, done.output.split()[:2]) == (0, ["ok", "heartbeat"])


@pytest.mark.parametrize(("seconds_ago", "said"), [(120, "120 seconds ago"), (-120, "120 seconds in the future")])
def test_a_worker_whose_heartbeat_is_old_or_of_another_time_is_not(
    tmp_path: Path, seconds_ago: float, said: str
) -> None:
    file = touched(tmp_path / "heartbeat", seconds_ago=seconds_ago)
    done = doctor("--heartbeat-file", file, "--max-age", "30")
    assert done.exit_code == 2
    assert said in done.output
    assert "30 are allowed" in done.output


def test_a_worker_that_has_not_begun_has_no_heartbeat(tmp_path: Path) -> None:
    done = doctor("--heartbeat-file", str(tmp_path / "heartbeat"))
    assert done.exit_code == 2
    assert "does not exist" in done.output


def test_the_probe_is_a_document_of_the_doctor_too(tmp_path: Path) -> None:
    file = touched(tmp_path / "heartbeat", seconds_ago=0)
    document = json.loads(doctor("--heartbeat-file", file, "--format", "json").output)
    jsonschema.validate(document, json_schema("doctor"))
    assert [(check["name"], check["ok"]) for check in document["checks"]] == [("heartbeat", True)]


@pytest.mark.parametrize("age", ["0", "-1", "soon"])
def test_an_age_that_no_heartbeat_can_have_is_refused(tmp_path: Path, age: str) -> None:
    done = doctor("--heartbeat-file", str(tmp_path / "heartbeat"), "--max-age", age)
    assert done.exit_code == 2
    assert "--max-age" in done.output


def test_the_probe_loads_nothing_heavy_and_opens_no_store(tmp_path: Path) -> None:
    """It runs every few seconds beside a busy worker, whose environment names a store and a broker."""
    file = touched(tmp_path / "heartbeat", seconds_ago=0)
    code = (
        "import sys\n"
        "from weft.cli import group\n"
        f"group.main(['doctor', '--heartbeat-file', {file!r}], standalone_mode=False)\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    servers = {"WEFT_STORE": "postgresql://store.invalid/weft", "WEFT_BROKER": "redis://broker.invalid/0"}
    environment = dict(os.environ) | servers
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
