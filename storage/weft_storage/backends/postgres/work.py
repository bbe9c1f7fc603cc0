"""The work of runs in Postgres: claims, leases and outcomes of batches. Knows no queue and no clock but the database's.

Every method is one transaction; in it, rows are locked in the order that `sql/postgres/work.sql` names.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec

from weft_storage.backends import codec
from weft_storage.backends.decoding import decoding
from weft_storage.backends.postgres.database import PostgresDatabase
from weft_storage.backends.postgres.jobs import decode_jobs, encode_jobs, languages_of
from weft_storage.backends.postgres.problems import DAMAGED
from weft_storage.backends.postgres.store import PostgresStore
from weft_storage.backends.statements import statements
from weft_storage.backends.work import Completion
from weft_storage.model.errors import StoreUnavailable
from weft_storage.model.packs import part_of_pack
from weft_storage.model.quarantine import quarantine_name
from weft_storage.model.runs import Run, StoredFacts
from weft_storage.model.work import (
    BatchState,
    Claim,
    Failure,
    Job,
    Limits,
    NewBatch,
    Terms,
    WorkerRecord,
    WorkProgress,
)

# Batches are written so many at a time, or so many bytes of contents: enough to be fast, few enough to hold.
_BATCHES_AT_ONCE = 500
_BYTES_AT_ONCE = 8 << 20

_LONGEST = 1e9  # Seconds that an interval surely takes.
_NO_WORK = WorkProgress(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (), 0.0)

SILENT_SECONDS = 30.0
"""After which a worker that reported itself every few seconds is taken for dead."""


class PostgresWork:
    """A `WorkStore` in a database of Postgres, for any number of threads and processes."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database
        self._caches = PostgresStore(database)
        self._sql = statements("postgres/work.sql")

    # Planning --------------------------------------------------------------------------------------

    def plan(self, run_id: int, prepared: bytes, terms: Terms, batches: Iterable[NewBatch]) -> list[int]:
        """See `WorkStore`. Raises `StoreUnavailable` where the run is over: then nobody would carry the batches out."""
        with self._database.transaction():
            if not self._holds_running(run_id):
                raise StoreUnavailable(f"run {run_id}", "is not running any more", "scan again")
            [(last,)] = self._query("plan", run_id, _encode_terms(terms), terms.lease, prepared)
            self._query("forget_moved", run_id)
            return self._add(run_id, last, batches)

    def run(self, run_id: int) -> Run | None:
        with self._decoding():
            return next((codec.decode_run(*row) for row in self._query("run", run_id)), None)

    def terms(self, run_id: int) -> Terms | None:
        with self._decoding():
            return next((_decode_terms(terms) for (terms,) in self._query("terms", run_id)), None)

    def prepared(self, run_id: int) -> bytes | None:
        return next((prepared for (prepared,) in self._query("prepared", run_id)), None)

    def open_batches(self, run_id: int) -> list[int]:
        return [number for (number,) in self._query("open_batches", run_id)]

    def unfinished(self, project: str) -> list[int]:
        return [run_id for (run_id,) in self._query("unfinished", codec.encode_name(project))]

    # Carrying out ----------------------------------------------------------------------------------

    def claim(self, run_id: int, number: int, *, worker: str, task: str) -> Claim | None:
        holder, message = codec.encode_name(worker), codec.encode_name(task)
        with self._database.transaction():
            claimed = self._query("claim", run_id, number, holder, message)
            return self._claim(run_id, number, *claimed[0]) if claimed else None

    def renew(self, claim: Claim) -> bool:
        return bool(self._query("renew", *_identity(claim)))

    def complete(self, claim: Claim, facts: Sequence[StoredFacts], failures: Sequence[Failure]) -> Completion:
        with self._database.transaction():
            is_first = self._holds_running(claim.run_id) and bool(self._query("complete", *_identity(claim)))
            if is_first:
                self._add_failures(claim.run_id, failures)
            self._put_facts(facts)
            if is_first:
                self._quarantine(failures, claim.terms.limits)
            # Whoever was not told that it counted asks again.
            accepted = is_first or self._was_completed(claim)
        # Counted afterwards: of two that complete at the same time, at least one sees both.
        [(still_open,)] = self._query("count_open", claim.run_id)
        return Completion(accepted, still_open)

    def release(self, claim: Claim, *, waiting: bool = False) -> None:
        state = BatchState.WAITING if waiting else BatchState.QUEUED
        self._query("release", *_identity(claim), state.value, int(waiting))

    # Healing ---------------------------------------------------------------------------------------

    def reap(self, run_id: int, *, attempts: int) -> list[int]:
        with self._database.transaction():
            if not self._holds_running(run_id):
                return []
            lost = self._query("lost", run_id, SILENT_SECONDS)
            again = [number for number, tries in lost if tries < attempts]
            if again:
                self._query("requeue", run_id, again)
            return sorted(again + self._judge(run_id, {number: tries for number, tries in lost if tries >= attempts}))

    def waiting(self, run_id: int) -> Mapping[int, Claim]:
        with self._decoding():
            return {
                number: Claim(run_id, number, 0, _decode_terms(terms), decode_jobs(jobs))
                for number, terms, jobs in self._query("waiting", run_id)
            }

    def supply(self, run_id: int, number: int, pack: bytes) -> None:
        with self._database.transaction():
            if self._holds_running(run_id) and self._query("supply", run_id, number):
                self._query("put_pack", run_id, number, pack)

    def progress(self, run_id: int) -> WorkProgress:
        rows = self._query("progress", run_id)
        if not rows:
            return _NO_WORK
        [(*counts, workers, idle)] = rows
        fields = [*counts, tuple(sorted(map(codec.decode_name, workers))), max(0.0, idle)]
        return WorkProgress(*fields)

    # Finalizing ------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def finalizing(self, run_id: int) -> Iterator[bool]:
        with contextlib.ExitStack() as held:
            # Whoever comes too early never holds the run, so that whoever comes in time finds it free.
            ready = self._is_complete(run_id)
            ready = ready and held.enter_context(self._database.hold("finalizing", str(run_id), timeout=0))
            ready = ready and self._is_complete(run_id)
            if not ready:
                held.close()
            yield ready

    def failures(self, run_id: int) -> list[Failure]:
        with self._decoding():
            found = [
                Failure(key, codec.decode_name(path), codec.decode_name(reason), poison, moved)
                for key, path, reason, poison, moved in self._query("failures", run_id)
            ]
        return sorted(found, key=lambda failure: (failure.path, failure.key))

    # Workers and care ------------------------------------------------------------------------------

    def report_worker(self, worker: WorkerRecord) -> None:
        self._query(
            "report_worker",
            codec.encode_name(worker.name),
            codec.encode_name(worker.fingerprint),
            [codec.encode_name(queue) for queue in worker.queues],
            worker.slots,
            codec.encode_name(worker.version),
            [codec.encode_name(project) for project in worker.reaches],
        )

    def workers(self, *, within: float) -> list[WorkerRecord]:
        with self._decoding():
            found = [_worker(*row) for row in self._query("workers", min(within, _LONGEST))]
        return sorted(found, key=lambda worker: worker.name)

    def forget_ended(self) -> int:
        with self._database.transaction():
            self._query("forget_workers")
            return len(self._query("forget_ended"))

    # Batches ---------------------------------------------------------------------------------------

    def _add(self, run_id: int, last: int, batches: Iterable[NewBatch]) -> list[int]:
        """Write new batches, numbered from the last one on."""
        first = last + 1
        for some in _chunks(batches):
            numbers = list(range(last + 1, last + 1 + len(some)))
            self._add_some(run_id, dict(zip(numbers, some, strict=True)))
            last = numbers[-1]
        self._query("number_batches", run_id, last)
        return list(range(first, last + 1))

    def _add_some(self, run_id: int, batches: Mapping[int, NewBatch]) -> None:
        numbers = list(batches)
        jobs = [batch.jobs for batch in batches.values()]
        sizes = [sum(job.content.size for job in each) for each in jobs]
        self._query("add_batches", run_id, numbers, [len(each) for each in jobs], sizes, list(map(languages_of, jobs)))
        self._query("add_jobs", run_id, numbers, list(map(encode_jobs, jobs)))
        packs = {number: batch.pack for number, batch in batches.items() if batch.pack is not None}
        if packs:
            self._query("add_packs", run_id, list(packs), list(packs.values()))

    def _claim(self, run_id: int, number: int, attempt: int, tries: int) -> Claim:
        with self._decoding():
            [(terms, jobs, pack)] = self._query("contents", run_id, number)
            return Claim(run_id, number, attempt, _decode_terms(terms), decode_jobs(jobs), pack, tries)

    def _judge(self, run_id: int, guilty: Mapping[int, int]) -> list[int]:
        """Split the batches that were tried so often in vain, and fail those that cannot be split; numbers to send."""
        added: list[int] = []
        poison: list[Failure] = []
        limits = Limits()
        for number, tries in guilty.items():
            batch = self._claim(run_id, number, 0, tries)
            if len(batch.jobs) > 1:
                self._query("judge", run_id, number, BatchState.SPLIT.value)
                [(last,)] = self._query("last_batch", run_id)
                added += self._add(run_id, last, _halves(batch))
            else:
                self._query("judge", run_id, number, BatchState.DONE.value)
                limits = batch.terms.limits
                poison += [_lost(job, tries) for job in batch.jobs]
        self._add_failures(run_id, poison)
        self._quarantine(poison, limits)
        return added

    # Outcomes --------------------------------------------------------------------------------------

    def _add_failures(self, run_id: int, failures: Sequence[Failure]) -> None:
        if not failures:
            return
        self._query(
            "add_failures",
            run_id,
            [failure.key for failure in failures],
            [codec.encode_name(failure.path) for failure in failures],
            [codec.encode_name(failure.reason) for failure in failures],
            [failure.poison for failure in failures],
            [failure.moved for failure in failures],
        )

    def _put_facts(self, facts: Sequence[StoredFacts]) -> None:
        # In the order of keys over all that the store writes at a time, too.
        self._caches.put_facts(sorted(facts, key=lambda each: each.key))

    def _quarantine(self, failures: Sequence[Failure], limits: Limits) -> None:
        reasons = {quarantine_name(each.key, limits): each.reason for each in failures if each.poison}
        self._caches.quarantine(dict(sorted(reasons.items())))

    # State -----------------------------------------------------------------------------------------

    def _holds_running(self, run_id: int) -> bool:
        """Whether the run is RUNNING, which it then stays until the transaction ends."""
        return bool(self._query("hold_running", run_id))

    def _was_completed(self, claim: Claim) -> bool:
        return bool(self._query("completed", *_identity(claim)))

    def _is_complete(self, run_id: int) -> bool:
        return bool(self._query("is_complete", run_id))

    def _query(self, name: str, *parameters: Any) -> list[Any]:
        return self._database.query(self._sql[name], *parameters)

    def _decoding(self) -> AbstractContextManager[None]:
        return decoding(self._database.url, *DAMAGED)


def _identity(claim: Claim) -> tuple[int, int, int]:
    return claim.run_id, claim.number, claim.attempt


def _encode_terms(terms: Terms) -> str:
    return json.dumps(msgspec.to_builtins(terms))


def _decode_terms(text: str) -> Terms:
    return msgspec.convert(json.loads(text), Terms)


def _worker(
    name: str, fingerprint: str, queues: list[str], slots: int, version: str, reaches: list[str], age: float
) -> WorkerRecord:
    return WorkerRecord(
        name=codec.decode_name(name),
        fingerprint=codec.decode_name(fingerprint),
        queues=tuple(map(codec.decode_name, queues)),
        slots=slots,
        version=codec.decode_name(version),
        reaches=tuple(map(codec.decode_name, reaches)),
        age=age,
    )


def _chunks(batches: Iterable[NewBatch]) -> Iterator[list[NewBatch]]:
    held: list[NewBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += len(batch.pack or b"")
        if len(held) >= _BATCHES_AT_ONCE or size >= _BYTES_AT_ONCE:
            yield held
            held, size = [], 0
    if held:
        yield held


def _halves(batch: Claim) -> list[NewBatch]:
    middle = len(batch.jobs) // 2
    return [
        NewBatch(jobs, part_of_pack(batch.pack, jobs, batch.jobs))
        for jobs in (batch.jobs[:middle], batch.jobs[middle:])
    ]


def _lost(job: Job, tries: int) -> Failure:
    return Failure(job.key, job.path, f"its worker was lost {tries} times while it was extracted", poison=True)
