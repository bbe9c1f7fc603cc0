"""A folder that nobody may look into: tells which of its files were opened, by whatever process (inotify)."""

import ctypes
import os
import struct
from pathlib import Path

_IN_ACCESS, _IN_OPEN, _IN_NONBLOCK = 0x1, 0x20, 0o4000
_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Canary:
    """Watches every folder beneath `root`, which holds the given files."""

    def __init__(self, root: Path, files: dict[str, str]) -> None:
        self.root = root
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self._queue = _libc.inotify_init1(_IN_NONBLOCK)
        self._folders = {self._watch(folder): folder for folder in [root, *root.rglob("*")] if folder.is_dir()}
        self.opened()

    def opened(self) -> list[str]:
        """The files and folders that were opened since the last call."""
        try:
            events = os.read(self._queue, 1 << 20)
        except BlockingIOError:
            return []
        found, position = set(), 0
        while position < len(events):
            watch, _, _, length = _EVENT.unpack_from(events, position)
            name = events[position + _EVENT.size : position + _EVENT.size + length].rstrip(b"\0")
            found.add(str((self._folders[watch] / os.fsdecode(name)).relative_to(self.root)))
            position += _EVENT.size + length
        return sorted(found)

    def close(self) -> None:
        os.close(self._queue)

    def _watch(self, folder: Path) -> int:
        watch: int = _libc.inotify_add_watch(self._queue, os.fsencode(folder), _IN_ACCESS | _IN_OPEN)
        if watch < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch", str(folder))
        return watch
