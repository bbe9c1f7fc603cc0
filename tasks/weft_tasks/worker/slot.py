"""A slot of a worker: one process that carries out one batch at a time. Knows no Celery.

A slot keeps what is expensive to begin: the store's connection, the crash box, git's process. All are opened by the
process that uses them, at its first batch: a slot can be inherited by a fork before.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from msgspec.structs import replace

from weft_storage.backends import Store, WorkStore, open_store, work_of
from weft_storage.backends.work import Completion
from weft_storage.model.errors import StoreFull
from weft_storage.model.runs import RunState
from weft_storage.model.work import Claim, Failure, Limits
from weft_tasks.contents import ContentUnreachable
from weft_tasks.crashbox import CrashBox
from weft_tasks.finalize.staged import Finalized, finalize_staged
from weft_tasks.jobs import Extracted, PackError, extract_batch, fingerprint, unpack_contents
from weft_tasks.worker.lease import Lease
from weft_tasks.worker.messages import ExtractMessage
from weft_tasks.worker.patience import Answer, patiently
from weft_tasks.worker.settings import WorkerSettings
from weft_tasks.worker.sources import Sources

logger = logging.getLogger(__name__)

# A batch whose process died so often is left to be split: it would take one process after the other with it.
_MOST_TRIES = 3

# Seconds to wait for a store that is away, before a batch was claimed and when a run is to be finalized.
_CLAIM_PATIENCE = 300.0
_FINALIZE_PATIENCE = 600.0


class Outcome(StrEnum):
    """What became of a message. VOID: nothing to do, or for naught. WAITING: the batch needs a pack."""

    DONE = "done"
    WAITING = "waiting"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a batch. `is_last`: it was the last of its run, and nobody else may notice; `queue` is the base
    name of the run's queue."""

    outcome: Outcome
    number: int
    files: int = 0
    milliseconds: int = 0
    is_last: bool = False
    queue: str = ""


class Slot:
    """Carries out batches and finalizes runs, for the worker that is called `name`."""

    def __init__(self, settings: WorkerSettings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._sources = Sources(settings.repositories, settings.checkouts)
        self._store: Store | None = None
        self._box: CrashBox | None = None
        self._limits: Limits | None = None

    def close(self) -> None:
        """Release everything; idempotent."""
        self._sources.close()
        self._close_box()
        if self._store is not None:
            self._store.close()
        self._store = None

    def extract(self, message: ExtractMessage, task: str) -> Report:
        """Carry out a batch, if it is free; `task` is the id of the message that says so.

        A run for whose facts the store has no room has failed. Raises StoreUnavailable when the store stays away longer
        than the batch is ours: the message must come again.
        """
        try:
            return self._claim_and_carry_out(message, task)
        except StoreFull as error:
            self._fail(self._work(), message.run_id, str(error))
            return Report(Outcome.VOID, message.number)

    def finalize(self, run_id: int) -> str:
        """Finalize a run if all its batches are done; gives one word for what happened.

        A run that needs more memory than there is, or more room than the store has, has failed. Raises StoreUnavailable
        when the store stays away.
        """
        try:
            outcome = self._ask(lambda work: self._finalize(work, run_id), patience=_FINALIZE_PATIENCE)
        except MemoryError:
            return self._ask(lambda work: self._fail(work, run_id, "finalizing needs more memory than the worker has"))
        except StoreFull as error:
            return self._fail(self._work(), run_id, str(error))
        logger.info("finalizing: %s", outcome.value, extra={"run": run_id, "outcome": outcome.value})
        return outcome.value

    # Extraction ------------------------------------------------------------------------------------

    def _claim_and_carry_out(self, message: ExtractMessage, task: str) -> Report:
        void = Report(Outcome.VOID, message.number)
        claim = self._ask(lambda work: work.claim(message.run_id, message.number, worker=self._name, task=task))
        if claim is None:
            logger.info("there is nothing to do", extra=_fields(message))
            return void
        if claim.terms.fingerprint != fingerprint():
            logger.error("the batch is of version %s", claim.terms.fingerprint, extra=_fields(message, claim))
            return void
        if claim.tries > _MOST_TRIES:
            logger.error("processes died of this batch; it is left to be split", extra=_fields(message, claim))
            return void
        return self._carry_out(message, claim)

    def _carry_out(self, message: ExtractMessage, claim: Claim) -> Report:
        began = time.monotonic()
        lease = Lease(self._work(), claim)
        try:
            extracted = self._extract(claim, lease)
        except ContentUnreachable as error:
            self._ask(lambda work: work.release(claim, waiting=True))
            logger.info("waits for contents: %r cannot be reached", error.path, extra=_fields(message, claim))
            return Report(Outcome.WAITING, message.number)
        if lease.lost:
            self._close_box()
            logger.info("stopped: the run is over, or another has the batch", extra=_fields(message, claim))
            return Report(Outcome.VOID, message.number)
        completion = self._complete(claim, lease, extracted)
        milliseconds = round((time.monotonic() - began) * 1000)
        self._log_batch(message, claim, extracted, completion, milliseconds)
        if not completion.accepted:
            return Report(Outcome.VOID, message.number)
        # A batch that had to be sent or claimed again may be one that the chord does not count.
        last = completion.open_batches == 0 and (message.resent or claim.attempt > 1)
        return Report(Outcome.DONE, message.number, len(extracted), milliseconds, last, claim.terms.queue)

    def _extract(self, claim: Claim, lease: Lease) -> list[Extracted]:
        contents = self._sources.of_batch(claim.terms.project, _unpacked(claim))
        try:
            return list(extract_batch(claim.jobs, self._open_box(claim.terms.limits), contents, lease.is_lost))
        except BaseException:
            self._close_box()  # It may still be at a file of this batch.
            raise

    def _complete(self, claim: Claim, lease: Lease, extracted: list[Extracted]) -> Completion:
        facts = [each.facts for each in extracted if each.facts is not None]
        failures = [
            Failure(each.job.key, each.job.path, each.reason, each.poison, each.moved)
            for each in extracted
            if each.facts is None
        ]
        return patiently(
            lambda: self._work().complete(claim, facts, failures), until=lambda: lease.ends, say=logger.warning
        )

    def _log_batch(
        self,
        message: ExtractMessage,
        claim: Claim,
        extracted: list[Extracted],
        completion: Completion,
        milliseconds: int,
    ) -> None:
        failed = [each for each in extracted if each.facts is None]
        for each in failed:
            logger.warning("%r failed: %s", each.job.path, each.reason, extra=_fields(message, claim))
        figures = {"files": len(extracted), "failed": len(failed), "ms": milliseconds}
        sentence = "extracted %d files" if completion.accepted else "extracted %d files for naught"
        logger.info(sentence, len(extracted), extra=_fields(message, claim) | figures)

    # Finalizing ------------------------------------------------------------------------------------

    def _finalize(self, work: WorkStore, run_id: int) -> Finalized:
        terms = work.terms(run_id)
        if terms is None:
            return Finalized.OVER
        if terms.fingerprint != fingerprint():
            logger.error("the run is of version %s", terms.fingerprint, extra={"run": run_id})
            return Finalized.UNREACHABLE
        return finalize_staged(self._open_store(), work, run_id, self._sources.of_run(terms.project))

    def _fail(self, work: WorkStore, run_id: int, reason: str) -> str:
        logger.error("the run has failed: %s", reason, extra={"run": run_id})
        run = work.run(run_id)
        if run is not None and run.state is RunState.RUNNING:
            self._open_store().finish(replace(run, state=RunState.FAILED, finished=time.time(), error=reason))
        return RunState.FAILED.value

    # What a slot keeps -----------------------------------------------------------------------------

    def _ask(self, question: Callable[[WorkStore], Answer], *, patience: float = _CLAIM_PATIENCE) -> Answer:
        until = time.monotonic() + patience
        return patiently(lambda: question(self._work()), until=lambda: until, say=logger.warning)

    def _work(self) -> WorkStore:
        return work_of(self._open_store())

    def _open_store(self) -> Store:
        if self._store is None:
            self._store = open_store(self._settings.store_url, create=False)
        return self._store

    def _open_box(self, limits: Limits) -> CrashBox:
        if self._box is None or self._limits != limits:
            self._close_box()
            self._box, self._limits = CrashBox(limits), limits
        return self._box

    def _close_box(self) -> None:
        if self._box is not None:
            self._box.close()
        self._box = None


def _unpacked(claim: Claim) -> dict[bytes, bytes] | None:
    """What travelled with a batch; a pack that is damaged holds nothing."""
    if claim.pack is None:
        return None
    try:
        return unpack_contents(claim.pack, claim.jobs)
    except PackError as error:
        logger.error("%s", error, extra={"run": claim.run_id, "batch": claim.number})
        return {}


def _fields(message: ExtractMessage, claim: Claim | None = None) -> dict[str, object]:
    fields: dict[str, object] = {"run": message.run_id, "batch": message.number}
    return fields if claim is None else fields | {"attempt": claim.attempt, "project": claim.terms.project}
