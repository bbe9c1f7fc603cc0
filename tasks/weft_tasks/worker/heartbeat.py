"""A worker's sign of life: in the store, for who plans runs, and as a file, for who restarts processes."""

import logging
import os
import threading
import time

from weft_storage.backends import Store, open_store, work_of
from weft_storage.model.errors import StoreError
from weft_storage.model.work import WorkerRecord
from weft_tasks.worker.settings import WorkerSettings
from weft_tasks.worker.sources import reached

logger = logging.getLogger(__name__)

INTERVAL = 5.0
"""Seconds between two signs of life."""

# While the broker is away the loop of the worker stands still and is well. Longer than this it hangs, or should be
# tried anew.
_STALLED = 300.0

_COMPLAINTS = 60.0


class Heartbeat(threading.Thread):
    """Reports the worker every few seconds, for as long as the main thread says so now and then (`tick`)."""

    def __init__(self, settings: WorkerSettings, record: WorkerRecord) -> None:
        super().__init__(name="weft-heartbeat", daemon=True)
        self._settings = settings
        self._record = record
        self._store: Store | None = None
        self._ended = threading.Event()
        self._ticked = time.monotonic()
        self._complained = float("-inf")

    def tick(self) -> None:
        """Called by the main thread from its loop."""
        self._ticked = time.monotonic()

    def end(self) -> None:
        """Stop reporting."""
        self._ended.set()

    def run(self) -> None:
        while True:
            if time.monotonic() - self._ticked < _STALLED:
                self._touch()
                self._report()
            if self._ended.wait(INTERVAL):
                break
        if self._store is not None:
            self._store.close()

    def _touch(self) -> None:
        path = self._settings.heartbeat_file
        if path is None:
            return
        try:
            with open(path, "ab"):
                os.utime(path)
        except OSError as error:
            self._complain(f"cannot write the heartbeat file '{path}': {error.strerror}")

    def _report(self) -> None:
        try:
            if self._store is None:
                self._store = open_store(self._settings.store_url, create=False)
            work_of(self._store).report_worker(self._current())
        except StoreError as error:
            self._complain(f"cannot report this worker: {error}")

    def _current(self) -> WorkerRecord:
        from msgspec.structs import replace

        return replace(self._record, reaches=reached(self._settings.repositories, self._settings.checkouts))

    def _complain(self, sentence: str) -> None:
        if time.monotonic() - self._complained > _COMPLAINTS:
            self._complained = time.monotonic()
            logger.warning("%s", sentence)
