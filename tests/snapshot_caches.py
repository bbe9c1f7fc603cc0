"""Caches for tests of snapshots: in memory, and the short ways to take and identify a snapshot."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from weft.snapshot import Identities, Snapshot, identify, take_snapshot
from weft_storage.model.files import Content
from weft_storage.model.settings import Settings


class MemoryCaches:
    """Caches of identities that count what is put into them."""

    def __init__(self) -> None:
        self.known: dict[str, Content] = {}
        self.named: dict[str, bytes] = {}

    def blobs(self, oids: Collection[str]) -> dict[str, Content]:
        return {oid: self.known[oid] for oid in oids if oid in self.known}

    def put_blobs(self, blobs: Mapping[str, Content]) -> None:
        self.known.update(blobs)

    def cache(self, name: str) -> bytes | None:
        return self.named.get(name)

    def put_cache(self, name: str, payload: bytes) -> None:
        self.named[name] = payload


def take(root: Path, rev: str | None = None, **settings: Any) -> Snapshot:
    """A snapshot with some settings."""
    return take_snapshot(str(root), rev=rev, settings=msgspec.convert(settings, Settings))


def identities(snapshot: Snapshot, caches: MemoryCaches | None = None) -> Identities:
    """The identities of all files."""
    return identify(snapshot, snapshot.paths, caches or MemoryCaches())


def bytes_of(snapshot: Snapshot) -> dict[str, bytes]:
    """The contents of all files."""
    with snapshot.contents() as contents:
        return {path: contents.read(path) for path in snapshot.paths}
