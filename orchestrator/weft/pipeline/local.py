"""The local dispatcher: a pool of crash boxes on this machine, one thread driving each. Knows no store."""

import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from blake3 import blake3

from weft.pipeline.plan import Job, batches
from weft.snapshot import ContentError, Contents
from weft_storage.model.runs import StoredFacts
from weft_tasks.crashbox import CrashBox, Limits, Request


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


class LocalPool:
    """Extracts jobs with `slots` crash boxes at once."""

    def __init__(self, slots: int, limits: Limits, open_contents: Callable[[], Contents]) -> None:
        self._slots = slots
        self._limits = limits
        self._open_contents = open_contents

    def extract(self, jobs: Collection[Job]) -> Iterator[Extracted]:
        """The outcome of every job, in the order in which they end.

        Leaving the iteration early (an exception, Ctrl-C) ends the helpers at once.
        """
        waiting: SimpleQueue[list[Job]] = SimpleQueue()
        done: SimpleQueue[Extracted | BaseException | None] = SimpleQueue()
        work = batches(jobs, self._slots)
        for batch in work:
            waiting.put(batch)
        stop = threading.Event()
        boxes = [CrashBox(self._limits) for _ in range(min(self._slots, len(work)))]
        threads = [
            threading.Thread(target=self._drive, args=(box, waiting, done, stop), name="weft-slot", daemon=True)
            for box in boxes
        ]
        count = len(threads)
        for thread in threads:
            thread.start()
        try:
            while count:
                item = done.get()
                if item is None:
                    count -= 1
                elif isinstance(item, BaseException):
                    raise item
                else:
                    yield item
        finally:
            stop.set()
            for box in boxes:
                box.interrupt()
            for thread in threads:
                thread.join()

    def _drive(
        self,
        box: CrashBox,
        waiting: "SimpleQueue[list[Job]]",
        done: "SimpleQueue[Extracted | BaseException | None]",
        stop: threading.Event,
    ) -> None:
        """One slot: batches from the queue until it is empty, each file's outcome as it comes."""
        try:
            with box, self._open_contents() as contents:
                while not stop.is_set():
                    try:
                        batch = waiting.get_nowait()
                    except Empty:
                        break
                    for outcome in _extract_batch(batch, box, contents, stop):
                        done.put(outcome)
                        if stop.is_set():  # Going on would start another helper for the rest of the batch.
                            break
            done.put(None)
        except BaseException as error:
            done.put(error)


def _extract_batch(batch: list[Job], box: CrashBox, contents: Contents, stop: threading.Event) -> Iterator[Extracted]:
    by_key = {job.key: job for job in batch}
    unread: list[Extracted] = []

    def requests() -> Iterator[Request]:
        for job in batch:
            if stop.is_set():
                return
            try:
                source = contents.read(job.path)
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
