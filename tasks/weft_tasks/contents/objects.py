"""Blobs of a git object store, by id, without a checkout. Knows no path."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from threading import Thread
from typing import IO, Self

from weft_storage.model.files import Content
from weft_tasks.contents.digest import CHUNK, identify_bytes
from weft_tasks.contents.git import Git

# Draining a larger blob from the pipe takes longer than starting another process.
_DRAINED = 8 * 1024 * 1024


_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_ABSENT = "not in the object store (a partial clone)"


class ObjectError(Exception):
    """A blob cannot be had; `reason` says why."""

    def __init__(self, oid: str, reason: str) -> None:
        super().__init__(oid, reason)
        self.oid = oid
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.oid}: {self.reason}"


class Objects:
    """One thread's access to the blobs of a repository, by one long-lived process of git.

    In a `partial` clone absent objects are found out beforehand: git would stop at each to fetch it.
    """

    def __init__(self, git: Git, object_format: str, *, partial: bool) -> None:
        self._git = git
        self._object_format = object_format
        self._partial = partial
        self._process: subprocess.Popen[bytes] | None = None

    def close(self) -> None:
        """End the process; idempotent."""
        if self._process is not None:
            _stop(self._process)
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def read(self, oid: str, limit: int | None = None) -> bytes:
        """The bytes of a blob. Raises ObjectError, also where it is larger than `limit`."""
        self._check_present(oid)
        if self._process is None:
            self._process = self._git.start("cat-file", "--batch")
        feed, answers = _pipes(self._process)
        try:
            feed.write(oid.encode() + b"\n")
            feed.flush()
            size = _size(oid, answers.readline())
            if limit is not None and size > limit:
                self._pass_over(answers, size)
                raise ObjectError(oid, f"larger than {limit} bytes")
            data = answers.read(size)
            if len(data) != size or answers.read(1) != b"\n":
                raise BrokenPipeError
        except (OSError, ValueError):
            self.close()
            raise ObjectError(oid, "git cannot read this object") from None
        return data

    def identify(self, oids: Sequence[str]) -> Iterator[tuple[str, Content | str]]:
        """The content identity of each blob, in order, or the reason why there is none.

        A blob whose bytes do not hash to its id is refused: its identity would be wrong for all who share a cache.
        """
        done = 0
        while done < len(oids):
            for identity in self._identify_until_failure(oids[done:]):
                yield oids[done], identity
                done += 1

    def _identify_until_failure(self, oids: Sequence[str]) -> Iterator[Content | str]:
        """At least one identity, then as many as one process gives before it fails."""
        present = [oid for oid in oids if self._has(oid)]
        process = self._git.start("cat-file", "--batch", "--buffer")
        feed, answers = _pipes(process)
        feeder = Thread(target=_feed, args=(feed, present), daemon=True)
        feeder.start()
        try:
            for oid in oids:
                if not self._has(oid):
                    yield _ABSENT
                    continue
                try:
                    yield self._identify_next(oid, answers)
                except ObjectError as error:
                    yield error.reason
                except (OSError, ValueError):
                    yield "git cannot read this object"
                    return
        finally:
            _stop(process)
            feeder.join()

    def _identify_next(self, oid: str, answers: IO[bytes]) -> Content | str:
        size = _size(oid, answers.readline())
        content, name = identify_bytes(_chunks(answers, size), size, self._object_format)
        if answers.read(1) != b"\n":
            raise BrokenPipeError
        return content if name == oid else "corrupt: its bytes do not match its id"

    def _pass_over(self, answers: IO[bytes], size: int) -> None:
        if size > _DRAINED:
            self.close()
            return
        for _ in _chunks(answers, size + 1):
            pass

    def _check_present(self, oid: str) -> None:
        if not _OID.fullmatch(oid):
            raise ObjectError(oid, "not an object id")
        if not self._has(oid):
            raise ObjectError(oid, _ABSENT)

    def _has(self, oid: str) -> bool:
        return not self._partial or oid in self._present

    @cached_property
    def _present(self) -> frozenset[str]:
        listed = self._git.run("cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname)")
        return frozenset(listed.decode("ascii").split())


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


def _feed(feed: IO[bytes], oids: Sequence[str]) -> None:
    with suppress(OSError), feed:  # where git has died, whoever reads its answers sees that
        feed.write("".join(f"{oid}\n" for oid in oids).encode())


def _size(oid: str, header: bytes) -> int:
    """The size that git announces. Raises ObjectError where there is no such object.

    Raises ValueError where git has died, and for what is no blob, whose bytes would follow.
    """
    match header.split():
        case [_, b"blob", size]:
            return int(size)
        case [_, b"missing"]:
            raise ObjectError(oid, "not in the object store")
        case _:
            raise ValueError(header)


def _chunks(stream: IO[bytes], size: int) -> Iterator[bytes]:
    while size > 0 and (chunk := stream.read(min(size, CHUNK))):
        yield chunk
        size -= len(chunk)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process whatever it is at."""
    process.kill()
    feed, answers = _pipes(process)
    answers.close()
    with suppress(OSError):
        feed.close()
    process.wait()
