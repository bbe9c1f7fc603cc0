"""Contents of a snapshot's files, for one thread at a time. Knows no caches."""

import os
from collections.abc import Iterator, Mapping
from typing import Protocol, Self

from weft_storage.model.errors import RepositoryError
from weft_storage.model.files import Content
from weft_tasks.contents.beneath import Beneath, Signature, signature
from weft_tasks.contents.digest import CHUNK, identify_bytes
from weft_tasks.contents.objects import ObjectError, Objects

_ATTEMPTS = 3


class ContentError(Exception):
    """The content of a file cannot be had; `reason` says why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class ContentUnreachable(Exception):  # noqa: N818 - a state of this process, named as one
    """This process has no way to the content of a file; another may have one. Nothing is wrong with the file."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


class Contents(Protocol):
    """A reader of file contents."""

    def read(self, path: str, limit: int | None = None) -> bytes:
        """The bytes of a file. Raises ContentError, also where there are more than `limit`."""
        ...

    def close(self) -> None:
        """Release what the reader holds; idempotent."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc_info: object) -> None: ...


class TreeContents:
    """Files as they are on disk, never through a symbolic link and never out of the root.

    Raises RepositoryError where the root itself is no folder.
    """

    def __init__(self, root: str) -> None:
        try:
            self._beneath = Beneath(root)
        except (OSError, ValueError) as error:
            raise no_folder(root, error) from error

    def close(self) -> None:
        self._beneath.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def read(self, path: str, limit: int | None = None) -> bytes:
        try:
            descriptor = self._beneath.open(path)
            try:
                return _read(path, descriptor, limit)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ContentError(path, reason_of(error)) from None

    def signature(self, path: str) -> Signature | None:
        """The signature of what is at a path, None where nothing is or it cannot be reached."""
        try:
            return signature(self._beneath.status(path))
        except OSError:
            return None

    def identify(self, path: str, object_format: str | None) -> tuple[Content, str, Signature]:
        """The identity of a file's content, git's id for it ("" without an object format), and its signature then.

        Raises ContentError, also for a file that changes whenever it is read.
        """
        try:
            for _ in range(_ATTEMPTS):
                identified = self._identify_once(path, object_format)
                if identified is not None:
                    return identified
        except OSError as error:
            raise ContentError(path, reason_of(error)) from None
        raise ContentError(path, "it changes while it is read")

    def _identify_once(self, path: str, object_format: str | None) -> tuple[Content, str, Signature] | None:
        descriptor = self._beneath.open(path)
        try:
            before = signature(os.fstat(descriptor))
            try:
                content, oid = identify_bytes(_chunks(descriptor, before.size), before.size, object_format)
            except ValueError:
                return None
            return (content, oid, before) if signature(os.fstat(descriptor)) == before else None
        finally:
            os.close(descriptor)


class BlobContents:
    """Files of a commit, from the object store."""

    def __init__(self, objects: Objects, oids: Mapping[str, str]) -> None:
        self._objects = objects
        self._oids = oids

    def close(self) -> None:
        self._objects.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def read(self, path: str, limit: int | None = None) -> bytes:
        oid = self._oids.get(path)
        if oid is None:
            raise ContentError(path, "there is no such file in the commit")
        try:
            return self._objects.read(oid, limit)
        except ObjectError as error:
            raise ContentError(path, error.reason) from None


def no_folder(root: str, error: Exception) -> RepositoryError:
    """The RepositoryError that stands for a root that cannot be opened."""
    match error:
        case FileNotFoundError():
            return RepositoryError(root, "there is no such folder", "name a repository or a folder")
        case NotADirectoryError():
            return RepositoryError(root, "this is not a folder", "name the folder that holds it")
        case OSError():
            return RepositoryError(root, reason_of(error), "the folder must be readable")
        case _:
            return RepositoryError(repr(root), "not a path")


def reason_of(error: OSError) -> str:
    """Why a file cannot be read, in words that are the same on every system."""
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return "it is not there any more"
        case PermissionError():
            return "permission denied"
        case _:
            return (error.strerror or "it cannot be read").lower()


def read_or_none(contents: Contents, path: str, limit: int | None = None) -> bytes | None:
    """The bytes of a file; None where it cannot be read, or has more than `limit`."""
    try:
        return contents.read(path, limit)
    except ContentError:
        return None


def _read(path: str, descriptor: int, limit: int | None) -> bytes:
    """All bytes, as many as there are now: a file may grow or shrink after it was measured."""
    size = os.fstat(descriptor).st_size
    parts = []
    read = 0
    while limit is None or size <= limit:
        part = os.read(descriptor, max(size - read, 0) + 1)
        parts.append(part)
        read += len(part)
        size = max(size, read)
        if not part:
            return b"".join(parts)
    raise ContentError(path, f"larger than {limit} bytes")


def _chunks(descriptor: int, size: int) -> Iterator[bytes]:
    """The first `size` bytes of a file, or as many as there are."""
    while size > 0 and (chunk := os.read(descriptor, min(size, CHUNK))):
        yield chunk
        size -= len(chunk)
