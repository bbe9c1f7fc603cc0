"""Files beneath a root, reached without following any symbolic link. Knows nothing of git."""

import errno
import os
import stat
from typing import NamedTuple, Self

MAX_DEPTH = 256
"""Folders above a file; deeper ones are refused, because each costs an open descriptor."""

_DIRECTORY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_NOCTTY", 0)


class Signature(NamedTuple):
    """What changes whenever the content of a file does, unless within one tick of the file system's clock."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Beneath:
    """One thread's access to the files under a folder.

    Keeps the folders above the last path open, so paths are best asked for in order. All methods raise OSError,
    also for a path that leads through a link or out of the root.
    """

    def __init__(self, root: str) -> None:
        self._names: list[str] = []
        self._descriptors = [os.open(os.fsencode(root), _DIRECTORY & ~os.O_NOFOLLOW)]

    def close(self) -> None:
        """Release the folders; idempotent."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def status(self, path: str) -> os.stat_result:
        """`lstat` of a path."""
        folder, name = self._locate(path)
        return os.stat(name, dir_fd=folder, follow_symlinks=False)

    def target(self, path: str) -> str:
        """What a symbolic link says."""
        folder, name = self._locate(path)
        return os.readlink(name, dir_fd=folder).decode("utf-8", "surrogateescape")

    def open(self, path: str) -> int:
        """A descriptor of a regular file, for reading."""
        folder, name = self._locate(path)
        descriptor = os.open(name, _FILE, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "not a regular file")
        return descriptor

    def _locate(self, path: str) -> tuple[int, bytes]:
        if "\0" in path:
            raise OSError(errno.EINVAL, "not a path beneath the root")
        *folders, name = path.split("/")
        if folders != self._names:
            self._enter(folders)
        if name in ("", ".", ".."):
            raise OSError(errno.EINVAL, "not a path beneath the root")
        return self._descriptors[-1], name.encode("utf-8", "surrogateescape")

    def _enter(self, folders: list[str]) -> None:
        if len(folders) > MAX_DEPTH:
            raise OSError(errno.ENAMETOOLONG, "nested too deeply")
        common = 0
        for here, there in zip(self._names, folders, strict=False):
            if here != there:
                break
            common += 1
        while len(self._names) > common:
            self._names.pop()
            os.close(self._descriptors.pop())
        for folder in folders[common:]:
            if folder in ("", ".", ".."):
                raise OSError(errno.EINVAL, "not a path beneath the root")
            name = folder.encode("utf-8", "surrogateescape")
            self._descriptors.append(os.open(name, _DIRECTORY, dir_fd=self._descriptors[-1]))
            self._names.append(folder)


def signature(status: os.stat_result) -> Signature:
    """The signature in an `lstat`."""
    return Signature(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
