"""Files of a snapshot: their content identity and what became of each of them."""

from enum import StrEnum

import msgspec

from weft_storage.model.languages import Language


class Trait(StrEnum):
    """What the bytes of a file are like, apart from its name."""

    TEXT = ""
    BINARY = "binary"
    LFS_POINTER = "lfs-pointer"
    MINIFIED = "minified"


class Content(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The identity of some bytes: blake3 (16 bytes), their number, and what they are like."""

    digest: bytes
    size: int
    trait: Trait = Trait.TEXT


NO_CONTENT = Content(b"", 0)
"""The identity of what has no bytes to read: a link out of the repository, a file that may not be opened."""


class FileStatus(StrEnum):
    """What a run did with a file. Every file of a snapshot has exactly one."""

    ANALYZED = "analyzed"
    SKIPPED = "skipped"
    FAILED = "failed"
    INPUT = "input"
    """No extractor reads it, but the graph depends on its content: a manifest, or the target of an edge."""


LINK_OUTSIDE = "symlink out of the repository"
LINK_LOOP = "symlink loop"
BAD_LINKS = frozenset({LINK_OUTSIDE, LINK_LOOP})
"""Reasons for which links are SKIPPED that a person should know as problems."""


class ChangeKind(StrEnum):
    """How a file differs from the last published run."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"


class FileRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A file as a published run knows it.

    `oid` is git's name for the content (hex), empty where git does not know it. `reason` says why a file was SKIPPED
    or FAILED, or why an INPUT could not be read. `imports` and `interface` are digests (8 bytes) of those parts of
    its facts: an edit that changes neither changes no edge; empty where there are no facts.
    """

    path: str
    status: FileStatus
    content: Content
    language: Language | None = None
    oid: str = ""
    reason: str = ""
    imports: bytes = b""
    interface: bytes = b""
    problems: tuple[str, ...] = ()
