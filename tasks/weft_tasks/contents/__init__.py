"""Contents: the bytes of files, from a folder that is never left or from git's object store. Knows no snapshot."""

from weft_tasks.contents.readers import (
    BlobContents,
    ContentError,
    Contents,
    ContentUnreachable,
    TreeContents,
    read_or_none,
)

__all__ = ["BlobContents", "ContentError", "ContentUnreachable", "Contents", "TreeContents", "read_or_none"]
