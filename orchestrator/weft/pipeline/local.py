"""The local dispatcher: a pool of crash boxes on this machine, one thread driving each. Knows no store."""

import threading
from collections.abc import Callable, Collection, Iterator
from queue import Empty, SimpleQueue

from weft.snapshot import Contents
from weft_storage.model.work import Job, Limits
from weft_tasks.crashbox import CrashBox
from weft_tasks.jobs import Extracted, batches, extract_batch


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
                    for outcome in extract_batch(batch, box, _ByPath(contents), stop.is_set):
                        done.put(outcome)
                        if stop.is_set():  # Going on would start another helper for the rest of the batch.
                            break
            done.put(None)
        except BaseException as error:
            done.put(error)


class _ByPath:
    """Contents of jobs from a reader of paths."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    def content(self, job: Job) -> bytes:
        return self._contents.read(job.path)
