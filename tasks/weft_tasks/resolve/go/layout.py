"""Import paths beside folders: names that are passed over, paths that follow folders. Knows no repository."""

import re

_MAJOR_VERSION = re.compile(r"/v[0-9]+$")


def is_hidden(folder: str) -> bool:
    """Whether the go command passes over a folder unless it is named: it holds fixtures or copies."""
    return any(name in ("testdata", "vendor") or name.startswith(("_", ".")) for name in folder.split("/"))


def head(path: str, folder: str) -> tuple[str, str]:
    """(import path, folder) above the last components that both have in common.

    Folders of one repository that follow one import path have the same head: example.com/m in the root and
    example.com/m/sub/v2 in `sub` are both of ("example.com/m", "").
    """
    if _last(path) != _last(folder):
        path = _MAJOR_VERSION.sub("", path)
    while folder and "/" in path and _last(path) == _last(folder):
        path, folder = path.rpartition("/")[0], folder.rpartition("/")[0]
    return path, folder


def below(folder: str, name: str) -> str:
    """The path of `name` in a folder; either may be empty."""
    return f"{folder}/{name}" if folder and name else folder or name


def _last(path: str) -> str:
    return path.rpartition("/")[2]
