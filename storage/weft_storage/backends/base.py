"""The store as the rest of the program sees it. Knows no database.

Two kinds of things live in a store. *Caches* are keyed by content, shared by all projects and branches, written
as soon as they are known and never wrong: facts, quarantine, blobs, named caches. The *published graph* of a project
belongs to a run and changes only by `publish`: readers see the last published one, whole, whatever
happens meanwhile. Rows of the graph are versioned by run, so that earlier graphs can be read until they are collected.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from enum import Flag, auto
from typing import Protocol, Self

from weft_storage.model.edges import Edge, Outside
from weft_storage.model.facts import EdgeKind
from weft_storage.model.files import Content, FileRecord
from weft_storage.model.runs import Publication, Run, StoredFacts, StoredGraph

KINDS = tuple(EdgeKind)
"""Kinds by their number in stored graphs. Append only: the numbers are persistent."""


class Part(Flag):
    """Parts of facts that a reader wants decoded from the store; the others come back empty."""

    IMPORTS = auto()
    DECLARATIONS = auto()
    INTERFACE = auto()


class Store(Protocol):
    """A place for facts and graphs. All methods raise `StoreUnavailable` where the place fails them."""

    url: str

    def close(self) -> None:
        """Release the store; idempotent."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(self, *exc_info: object) -> None: ...

    # Caches by content -----------------------------------------------------------------------------

    def known_facts(self, keys: Collection[bytes]) -> set[bytes]:
        """Those of the keys whose facts are stored."""
        ...

    def put_facts(self, facts: Iterable[StoredFacts]) -> None:
        """Store facts; idempotent; durable when it returns, also if the run that made them dies."""
        ...

    def facts(self, keys: Collection[bytes], parts: Part) -> Iterator[StoredFacts]:
        """The stored ones of the facts, in no promised order, with the wanted parts. Problems always come."""
        ...

    def quarantined(self, keys: Collection[bytes]) -> dict[bytes, str]:
        """Those of the keys whose extraction is known to fail, with the reason.

        A key stands for a content and the limits under which it was tried, as the caller makes it.
        """
        ...

    def quarantine(self, reasons: Mapping[bytes, str]) -> None:
        """Remember that the extraction of these contents fails (a crash, a hang, memory); idempotent."""
        ...

    def blobs(self, oids: Collection[str]) -> dict[str, Content]:
        """The content identity of those of the git blobs that are known."""
        ...

    def put_blobs(self, blobs: Mapping[str, Content]) -> None:
        """Remember the content identity of git blobs; idempotent."""
        ...

    def cache(self, name: str) -> bytes | None:
        """A named cache (such as the stat cache of one work tree), or None."""
        ...

    def put_cache(self, name: str, payload: bytes) -> None:
        """Replace a named cache. Losing one costs time, never truth."""
        ...

    # Runs ------------------------------------------------------------------------------------------

    def projects(self) -> list[str]:
        """Names of the projects with a published graph, sorted."""
        ...

    def lock(self, project: str, *, timeout: float) -> AbstractContextManager[None]:
        """Hold the project against other scans; released when its process ends, however it ends.

        Waits up to `timeout` seconds, then raises `StoreBusy` naming the holder's host and pid.
        """
        ...

    def begin(self, run: Run) -> Run:
        """Record a run as RUNNING; gives it back with its id (greater than all before). Needs the lock.

        Whatever an earlier run of the project left behind unpublished is discarded and it becomes FAILED.
        """
        ...

    def finish(self, run: Run) -> None:
        """Record how a run without publication ended (FAILED, CANCELLED)."""
        ...

    def publish(self, publication: Publication) -> None:
        """Make the changes of a run the published graph of its project: all of them or none."""
        ...

    def published(self, project: str) -> Run | None:
        """The run whose graph is the published one."""
        ...

    def runs(self, project: str, *, limit: int | None = None) -> list[Run]:
        """Runs of a project, newest first."""
        ...

    # The published graph ---------------------------------------------------------------------------
    # `at` reads the graph as the run of that id published it; default: the last published one.
    # Unknown projects have empty graphs.

    def files(self, project: str, paths: Collection[str] | None = None, *, at: int | None = None) -> list[FileRecord]:
        """Records of all files, or of those named, sorted by path."""
        ...

    def graph(self, project: str, *, at: int | None = None) -> StoredGraph:
        """All edges as numbers."""
        ...

    def edges(self, project: str, importers: Collection[str] | None = None, *, at: int | None = None) -> Iterator[Edge]:
        """Edges of all importers, or of those named, sorted."""
        ...

    def outside(
        self, project: str, importers: Collection[str] | None = None, *, at: int | None = None
    ) -> Iterator[Outside]:
        """Imports that lead to nothing in the repository, sorted."""
        ...

    def readers(self, project: str, hashes: Collection[int]) -> list[str]:
        """Importers whose resolution read any of the keys, given by their 32-bit hashes, sorted."""
        ...

    def state(self, project: str, name: str, *, at: int | None = None) -> bytes | None:
        """A named blob of the published graph, or None."""
        ...

    # Care ------------------------------------------------------------------------------------------

    def collect(
        self, *, keep_runs: int, facts_key: Callable[[FileRecord], bytes | None] | None = None
    ) -> dict[str, int]:
        """Drop graphs older than the last `keep_runs` published runs of each project, and facts (and quarantine) that
        no file of a kept graph uses; rows dropped per table. Published graphs do not change.

        `facts_key` gives the key of a file's facts, which the store cannot know; without it, and while a scan is
        under way, facts stay.
        """
        ...

    def stats(self) -> dict[str, int]:
        """Rows per table, and `bytes` where the store knows its size."""
        ...
