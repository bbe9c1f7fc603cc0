"""The stat cache: content identities of files that look unchanged on disk. Losing it costs time, never truth."""

import os
from collections.abc import Collection, Mapping
from typing import Protocol

import msgspec
from blake3 import blake3

from weft_storage.model.files import Content
from weft_tasks.contents.beneath import Signature

FORMAT_VERSION = 1

RACY_NS = 2_000_000_000
"""A file that changed so shortly before it was read may change again without looking different: coarse clocks."""


class Caches(Protocol):
    """Where identities are kept; a part of `weft_storage.backends.base.Store`."""

    def blobs(self, oids: Collection[str]) -> dict[str, Content]:
        """The content identity of those of the git blobs that are known."""
        ...

    def put_blobs(self, blobs: Mapping[str, Content]) -> None:
        """Remember the content identity of git blobs; idempotent."""
        ...

    def cache(self, name: str) -> bytes | None:
        """A named cache, or None."""
        ...

    def put_cache(self, name: str, payload: bytes) -> None:
        """Replace a named cache."""
        ...


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The identity of a file that had this signature; `oid` is git's id of its bytes where the index names it."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    content: Content
    oid: str = ""


class _Payload(msgspec.Struct, array_like=True):
    version: int
    paths: bytes
    entries: list[Entry]


class StatCache:
    """The stat cache of the tree at one absolute path."""

    def __init__(self, caches: Caches, root: str) -> None:
        self._caches = caches
        self._name = f"stat/{blake3(os.fsencode(root)).hexdigest()[:32]}"
        self._entries = _decode(caches.cache(self._name))
        self._changed = False

    def __contains__(self, path: str) -> bool:
        return path in self._entries

    def find(self, path: str, signature: Signature) -> Entry | None:
        """What is known of a file that has this signature now; what was known of it before is forgotten."""
        entry = self._entries.get(path)
        if entry is None:
            return None
        if (entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode) == signature:
            return entry
        del self._entries[path]
        self._changed = True
        return None

    def put(self, path: str, signature: Signature, content: Content, oid: str, *, read_at: int) -> None:
        """Remember a file that was read at a time (ns), unless it could have changed unseen since."""
        if not is_racy(signature, read_at):
            self._entries[path] = Entry(*signature, content, oid)
            self._changed = True

    def save(self, kept: Collection[str]) -> None:
        """Store what has changed, of the paths that are kept."""
        if not self._changed:
            return
        entries = {path: entry for path, entry in self._entries.items() if path in kept}
        paths = "\0".join(entries).encode("utf-8", "surrogateescape")
        payload = _Payload(FORMAT_VERSION, paths, list(entries.values()))
        self._caches.put_cache(self._name, msgspec.msgpack.encode(payload))
        self._changed = False


def is_racy(signature: Signature, now: int) -> bool:
    """Whether a file changed so recently (or in the future) that its signature does not vouch for its content."""
    return max(signature.mtime_ns, signature.ctime_ns) > now - RACY_NS


def _decode(payload: bytes | None) -> dict[str, Entry]:
    if payload is None:
        return {}
    try:
        decoded = msgspec.msgpack.decode(payload, type=_Payload)
        paths = decoded.paths.decode("utf-8", "surrogateescape").split("\0")
        return dict(zip(paths, decoded.entries, strict=True)) if decoded.version == FORMAT_VERSION else {}
    except (msgspec.MsgspecError, ValueError):
        return {}
