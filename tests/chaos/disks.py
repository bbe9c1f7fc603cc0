"""A small disk of its own for Postgres: it can be full, and have room again. Needs root, or sudo that does not ask."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from weft.stack.accounts import SERVER_UID

_MEGABYTE = 1 << 20


@dataclass(frozen=True)
class SmallDisk:
    """A file system in memory, mounted at `folder`."""

    folder: str

    def leave_room(self, megabytes: float) -> None:
        """Have only so much room left."""
        used = os.statvfs(self.folder)
        taken = (used.f_blocks - used.f_bfree) * used.f_frsize
        _as_root("mount", "-o", f"remount,size={taken + int(megabytes * _MEGABYTE)}", self.folder)


@contextmanager
def small_disk(parent: str, *, megabytes: int = 400) -> Iterator[SmallDisk]:
    """A disk beneath a folder, for the account that servers run as; it is gone afterwards, also when it is in use."""
    folder = os.path.join(parent, "disk")
    os.mkdir(folder)
    owner = SERVER_UID if os.geteuid() == 0 else os.geteuid()
    _as_root("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700,uid={owner}", "tmpfs", folder)
    try:
        yield SmallDisk(folder)
    finally:
        _as_root("umount", "--lazy", folder)


def _as_root(*command: str) -> None:
    sudo = () if os.geteuid() == 0 else (shutil.which("sudo") or "sudo", "-n")
    done = subprocess.run([*sudo, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"a disk can only be made by root, or with sudo that does not ask: {done.stderr}"
