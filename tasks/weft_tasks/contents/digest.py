"""What identifies some bytes: their digest, size and trait, and git's name for them. Pure."""

import hashlib
from collections.abc import Iterable

from blake3 import blake3

from weft_storage.model.files import Content, Trait

CHUNK = 1 << 20
"""Bytes read at once: no content is held whole in memory to be identified."""

_HEAD = 1 << 18
_BINARY_HEAD = 8 * 1024
_POINTER = b"version https://git-lfs.github.com/spec/"
_POINTER_SIZE = 1024

# Of minified bundles the shortest averages were above 400 bytes a line, of hand-written sources below 120. Lines of
# data (a table, an embedded image) are long as well, but hardly call anything.
_MINIFIED_SIZE = 1024
_MINIFIED_LINE = 250
_MINIFIED_BYTES_PER_CALL = 200


def identify_bytes(chunks: Iterable[bytes], size: int, object_format: str | None) -> tuple[Content, str]:
    """The content identity of `size` bytes, and the id that git has for them ("" without an object format).

    Raises ValueError where the chunks do not add up to `size`.
    """
    digest, head, read = blake3(), b"", 0
    name = _blob_hash(object_format, size)
    for chunk in chunks:
        digest.update(chunk)
        if name is not None:
            name.update(chunk)
        if read < _HEAD:
            head = (head + chunk if head else chunk)[:_HEAD]
        read += len(chunk)
    if read != size:
        raise ValueError(f"{read} bytes in place of {size}")
    return Content(digest.digest(length=16), size, trait_of(head, size)), name.hexdigest() if name is not None else ""


def trait_of(head: bytes, size: int) -> Trait:
    """What bytes are like, from their first 256 KiB and their number alone."""
    if head.find(b"\0", 0, _BINARY_HEAD) >= 0:
        return Trait.BINARY
    if size < _POINTER_SIZE and head.startswith(_POINTER):
        return Trait.LFS_POINTER
    return Trait.MINIFIED if _is_minified(head) else Trait.TEXT


def _is_minified(head: bytes) -> bool:
    """Whether the lines are far longer than anybody writes, and are code."""
    if len(head) < _MINIFIED_SIZE or head.count(b"\n") * _MINIFIED_LINE > len(head):
        return False
    return head.count(b"(") * _MINIFIED_BYTES_PER_CALL > len(head)


def _blob_hash(object_format: str | None, size: int) -> "hashlib._Hash | None":
    if object_format is None:
        return None
    named = hashlib.sha256 if object_format == "sha256" else hashlib.sha1
    return named(b"blob %d\0" % size, usedforsecurity=False)
