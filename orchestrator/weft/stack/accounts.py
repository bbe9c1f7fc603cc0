"""Which account servers run as, and what that account can reach. Knows no server."""

import os
import stat
from typing import Any

from weft.stack.errors import StackError

# Postgres refuses to run as root. This is `nobody` on nearly every system; no account needs to exist for it.
SERVER_UID = 65534


def as_server() -> dict[str, Any]:
    """Arguments for `subprocess.Popen` that leave root behind; none for everybody else."""
    if os.geteuid() != 0:
        return {}
    return {"user": SERVER_UID, "group": SERVER_UID, "extra_groups": []}


def hand_over(path: str) -> None:
    """Give a file or folder to the account that servers run as."""
    if os.geteuid() == 0:
        os.chown(path, SERVER_UID, SERVER_UID, follow_symlinks=False)


def reachable(path: str) -> bool:
    """Whether servers can get to a path: who starts as root leaves root's rights, so every folder on the way counts."""
    if os.geteuid() != 0:
        return True
    folder = os.path.dirname(os.path.realpath(path))
    while folder != "/":
        if not _passable(folder):
            return False
        folder = os.path.dirname(folder)
    return True


def make_server_folder(path: str) -> None:
    """Make a folder (mode 0700) that belongs to the account that servers run as.

    Raises `StackError` where that account cannot get to it.
    """
    if not reachable(path):
        problem = f"cannot be reached by uid {SERVER_UID}, as which servers run when root starts them"
        raise StackError(f"folder '{path}'", problem, "choose another, such as one below /var/lib")
    os.makedirs(path, mode=0o700, exist_ok=True)
    hand_over(path)


def _passable(folder: str) -> bool:
    try:
        found = os.stat(folder)
    except FileNotFoundError:
        return True
    owner_may = found.st_uid == SERVER_UID and found.st_mode & stat.S_IXUSR
    return bool(owner_may or found.st_mode & stat.S_IXOTH)
