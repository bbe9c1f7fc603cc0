"""Snapshots: every file of a repository at one moment, which content it has, and how to read it."""

from weft.snapshot.identity import Identities, identify, skip_reason
from weft.snapshot.snapshot import Snapshot, take_snapshot
from weft.snapshot.statcache import Caches
from weft.snapshot.worktree import DEFAULT_EXCLUDES
from weft_tasks.contents.readers import BlobContents, ContentError, Contents, TreeContents

__all__ = [
    "DEFAULT_EXCLUDES",
    "BlobContents",
    "Caches",
    "ContentError",
    "Contents",
    "Identities",
    "Snapshot",
    "TreeContents",
    "identify",
    "skip_reason",
    "take_snapshot",
]
