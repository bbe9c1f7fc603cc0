"""Extracting the jobs of a batch in a crash box. Knows no store."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from blake3 import blake3

from weft_storage.model.runs import StoredFacts
from weft_storage.model.work import Job
from weft_tasks.contents import ContentError
from weft_tasks.crashbox import CrashBox, Request


@dataclass(frozen=True, slots=True)
class Extracted:
    """What became of a job: its facts, or why there are none. `poison`: the content itself is to blame.

    A file that no longer had the content of the snapshot is not extracted: `moved` is set then.
    """

    job: Job
    facts: StoredFacts | None
    reason: str = ""
    poison: bool = False
    moved: bool = False


class JobContents(Protocol):
    """Whoever has the contents of jobs."""

    def content(self, job: Job) -> bytes:
        """The bytes of a job, as they are now. Raises ContentError, or ContentUnreachable."""
        ...


def extract_batch(
    jobs: Sequence[Job], box: CrashBox, contents: JobContents, is_stopped: Callable[[], bool]
) -> Iterator[Extracted]:
    """The outcome of every job, in any order; each content is compared with the identity that the job gives it.

    Once `is_stopped` says so no further content is read, and the jobs left have no outcome. Whoever leaves the
    iteration early, or is told ContentUnreachable, must close the box: it may still be working.
    """
    by_key = {job.key: job for job in jobs}
    unread: list[Extracted] = []

    def requests() -> Iterator[Request]:
        for job in jobs:
            if is_stopped():
                return
            try:
                source = contents.content(job)
            except ContentError as error:
                unread.append(Extracted(job, None, error.reason))
                continue
            if blake3(source).digest(len(job.content.digest)) != job.content.digest:
                unread.append(Extracted(job, None, "changed while it was scanned", moved=True))
                continue
            yield Request(job.key, job.language, source)

    for outcome in box.extract(requests()):
        yield Extracted(by_key[outcome.key], outcome.facts, outcome.reason, outcome.poison)
        while unread:
            yield unread.pop()
    yield from unread
