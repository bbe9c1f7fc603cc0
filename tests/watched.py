"""What a scan does, counted where it is done: contents read, files extracted, importers resolved, rows written."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from weft_storage.backends import Store
from weft_storage.model.runs import Publication, StoredFacts
from weft_storage.model.work import Job
from weft_tasks.contents.objects import Objects
from weft_tasks.contents.readers import BlobContents, TreeContents
from weft_tasks.jobs import extract_batch


@dataclass
class Work:
    """What was done. `read` are paths, or ids of git's blobs, as often as they were read; the same with `extracted`.

    `resolved` are the importers whose imports were resolved and whose rows were written, `dropped` those whose rows
    went; `facts` is the number of facts that were stored.
    """

    read: list[str] = field(default_factory=list)
    extracted: list[str] = field(default_factory=list)
    resolved: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    facts: int = 0


class WatchedStore:
    """A store that notes what is put into it."""

    def __init__(self, store: Store, work: Work) -> None:
        self._store = store
        self._work = work

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put_facts(self, facts: Iterable[StoredFacts]) -> None:
        put = list(facts)
        self._work.facts += len(put)
        self._store.put_facts(put)

    def publish(self, publication: Publication) -> None:
        self._work.resolved |= {row.importer for row in publication.rows}
        self._work.dropped |= set(publication.removed_rows)
        self._store.publish(publication)


@contextmanager
def watched(store: Store) -> Iterator[tuple[Store, Work]]:
    """The store, and the work that scans into it do within the block."""
    work = Work()
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            (TreeContents, "read"),
            (TreeContents, "identify"),
            (BlobContents, "read"),
            (Objects, "read"),
        ):
            patch.setattr(owner, name, _noting(getattr(owner, name), work.read))
        patch.setattr(Objects, "identify", _noting_all(Objects.identify, work.read))
        patch.setattr("weft.pipeline.local.extract_batch", _noting_jobs(extract_batch, work.extracted))
        yield cast(Store, WatchedStore(store, work)), work


def _noting(method: Callable[..., Any], noted: list[str]) -> Callable[..., Any]:
    def noting(self: object, name: str, *arguments: Any) -> Any:
        noted.append(name)
        return method(self, name, *arguments)

    return noting


def _noting_all(method: Callable[..., Any], noted: list[str]) -> Callable[..., Any]:
    def noting(self: object, names: Sequence[str]) -> Any:
        noted.extend(names)
        return method(self, names)

    return noting


def _noting_jobs(function: Callable[..., Any], noted: list[str]) -> Callable[..., Any]:
    def noting(jobs: Sequence[Job], *arguments: Any) -> Any:
        noted.extend(job.path for job in jobs)
        return function(jobs, *arguments)

    return noting
