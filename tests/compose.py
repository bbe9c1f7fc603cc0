"""`docker compose` for tests: the one of the machine, or Debian's, unpacked into the cache. No engine is needed."""

import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping

import pytest

from weft.stack.wheels import cache_folder

# Debian 12 has only the first generation of compose, which does not know today's files.
SUITE = "trixie"
PACKAGE = "docker-compose"
PLUGIN = "usr/libexec/docker/cli-plugins/docker-compose"
INSTALL_SECONDS = 600


@pytest.fixture(scope="session")
def compose() -> list[str]:
    """A command that is docker compose, second generation. A machine without one fails the test."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and _generation(command) >= 2:
            return command
    return [_unpacked()]


def run_compose(
    compose: list[str], folder: str, *arguments: str, timeout: float = 60, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run it on the files of a folder, with no variables but these and PATH."""
    environment: Mapping[str, str] = {"PATH": os.environ["PATH"], "HOME": folder, **variables}
    command = [*compose, "--project-directory", folder, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout, env=environment)


def _generation(command: list[str]) -> int:
    done = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False, timeout=60)
    number = done.stdout.strip().lstrip("v").partition(".")[0]
    return int(number) if done.returncode == 0 and number.isdecimal() else 0


def _unpacked() -> str:
    home = os.path.join(cache_folder(), "compose")
    plugin = os.path.join(home, PLUGIN)
    if not os.path.exists(plugin):
        if not shutil.which("apt-get"):
            pytest.fail("no docker compose: install the docker engine's package 'docker-compose-plugin'", pytrace=False)
        os.makedirs(os.path.dirname(home), exist_ok=True)
        with tempfile.TemporaryDirectory(dir=os.path.dirname(home)) as scratch:
            _download(scratch)
            shutil.rmtree(home, ignore_errors=True)
            os.rename(os.path.join(scratch, "unpacked"), home)
    return plugin


def _download(scratch: str) -> None:
    """Debian's package by apt, from the mirror that this machine uses, without a change to the machine."""
    for folder in ("lists/partial", "cache/archives/partial", "unpacked"):
        os.makedirs(os.path.join(scratch, folder))
    sources = os.path.join(scratch, "sources.list")
    with open(sources, "w", encoding="utf-8") as file:
        file.write(f"deb {_mirror()} {SUITE} main\n")
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": os.path.join(scratch, "lists"),
        "Dir::Cache": os.path.join(scratch, "cache"),
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "",
    }
    options = [part for name, value in settings.items() for part in ("-o", f"{name}={value}")]
    _run(["apt-get", *options, "--quiet", "update"], scratch)
    _run(["apt-get", *options, "--quiet", "download", PACKAGE], scratch)
    _run(
        ["dpkg-deb", "--extract", *glob.glob(os.path.join(scratch, "*.deb")), os.path.join(scratch, "unpacked")],
        scratch,
    )


def _mirror() -> str:
    done = _run(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Component: main"], "/")
    # A mirror of security updates lacks what has none.
    return next((line for line in done.splitlines() if "security" not in line), "")


def _run(command: list[str], folder: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
    if done.returncode:
        said = f"`{command[0]}` could not get it: {done.stderr.strip()[-300:]}"
        pytest.fail(f"no docker compose: install its second generation; {said}", pytrace=False)
    return done.stdout
