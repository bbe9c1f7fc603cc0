"""The Dockerfile: what a linter says, and what an image of ours must be."""

import json
import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path

from weft.cli import group

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
INSTRUCTIONS = [line.strip() for line in re.sub(r"\\\n", " ", TEXT).splitlines() if line.strip() and line[0] != "#"]


def said(instruction: str) -> list[str]:
    """What an instruction says, each time that it stands there."""
    return [line.partition(" ")[2].strip() for line in INSTRUCTIONS if line.split()[0] == instruction]


def test_the_linter_has_nothing_to_say() -> None:
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_base_is_pinned_and_may_be_replaced() -> None:
    (base,) = said("ARG")
    assert re.fullmatch(r"PYTHON_IMAGE=docker\.io/library/python:3\.\d+-slim-\w+", base)
    assert said("FROM") == ["${PYTHON_IMAGE} AS builder", "${PYTHON_IMAGE}"]


def test_the_base_is_a_python_that_we_support() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11"
    version = re.search(r"python:3\.(\d+)", TEXT)
    assert version is not None
    assert int(version[1]) >= 11


def test_nothing_runs_as_root() -> None:
    (user,) = said("USER")
    assert user == "10001:10001"
    after = INSTRUCTIONS[INSTRUCTIONS.index(f"USER {user}") :]
    assert not any(line.startswith(("RUN", "COPY", "ADD")) for line in after)


def test_older_builders_and_buildah_build_it_too() -> None:
    assert "<<" not in TEXT
    assert "--mount" not in TEXT
    assert not TEXT.startswith("# syntax")


def test_only_the_virtual_environment_comes_from_the_builder() -> None:
    assert [each for each in said("COPY") if "--from" in each] == ["--from=builder /opt/weft /opt/weft"]


def test_the_health_check_is_a_command_of_weft() -> None:
    (check,) = said("HEALTHCHECK")
    command = json.loads(check.partition("CMD ")[2])
    assert command[:2] == ["weft", "doctor"]
    doctor = group.commands["doctor"]
    options = {option for parameter in doctor.params for option in parameter.opts}
    assert {each for each in command if each.startswith("--")} <= options
    assert json.loads(said("ENTRYPOINT")[0]) == ["weft"]


def test_all_that_the_wheel_is_made_of_is_in_the_context_and_nothing_else() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    folders = {each.partition("/")[0] for each in wheel["wheel"]["packages"]}
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*"
    assert {line[1:] for line in lines if line.startswith("!")} == folders | {"pyproject.toml", "README.md"}
    copied = {each.split()[0] for each in said("COPY") if "--from" not in each}
    assert copied == folders | {"pyproject.toml", "README.md"}


def test_the_scripts_in_it_are_python() -> None:
    scripts = re.findall(r'python3? -c "([^"]+)"', TEXT)
    assert len(scripts) == 3
    for script in scripts:
        compile(script, "Dockerfile", "exec")
