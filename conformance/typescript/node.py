"""Node.js with the authorities' packages at their pinned versions. Knows no repository."""

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from conformance.base import ConformanceError
from conformance.installation import cache

TYPESCRIPT = "5.9.3"
OXC = "11.24.2"

_HERE = Path(__file__).parent


def run(program: str, arguments: Sequence[str], lines: Iterable[str], *, root: str) -> str:
    """What a program of this folder prints for `MODULES ROOT ARGUMENTS`, given the lines."""
    command = [_node(), "--max-old-space-size=4096", str(_HERE / program), str(modules()), root, *arguments]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, cwd=root)
    if done.returncode:
        raise ConformanceError(f"{program} on {root}", f"failed: {done.stderr.strip()[-500:]}")
    return done.stdout


def modules() -> Path:
    """The folder whose node_modules hold the authorities at their pinned versions; made where it is missing."""
    folder = cache(f"typescript-{TYPESCRIPT}-oxc-{OXC}")
    done = folder / ".installed"
    if not done.exists():
        (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact"]
        packages = [f"typescript@{TYPESCRIPT}", f"oxc-resolver@{OXC}"]
        installed = subprocess.run([*command, *packages], cwd=folder, capture_output=True, text=True)
        if installed.returncode:
            problem = (installed.stderr or installed.stdout).strip()[-500:]
            raise ConformanceError(" ".join(packages), f"cannot be installed: {problem}", "npm must reach its registry")
        done.touch()
    return folder


def _node() -> str:
    found = shutil.which("node")
    if found is None:
        raise ConformanceError("node", "is not on PATH", "install Node.js 20 or later")
    return found
