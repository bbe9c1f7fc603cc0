"""Authorities from registries, at pinned versions, in environments of their own. Knows no authority."""

import os
import subprocess
import sysconfig
import venv
from pathlib import Path

from conformance.base import ConformanceError


def cache(name: str) -> Path:
    """A folder for what authorities need, kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base, "weft-conformance", name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def python_tool(name: str, version: str) -> Path:
    """The folder of programs of an environment that holds `name==version` from PyPI; made where it is missing."""
    tag = f"{name}-{version}-py{sysconfig.get_python_version()}"
    folder = cache(tag)
    programs, done = folder / "bin", folder / ".installed"
    if not done.exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(programs / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        installed = subprocess.run([*pip, f"{name}=={version}"], capture_output=True, text=True)
        if installed.returncode:
            raise ConformanceError(
                f"{name} {version}", f"cannot be installed: {installed.stderr.strip()[-500:]}", "PyPI must be reachable"
            )
        done.touch()
    return programs
