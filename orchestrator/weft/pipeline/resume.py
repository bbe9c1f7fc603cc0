"""Resuming a distributed run whose orchestrator has died: the rest of its work, by workers or on this machine."""

import os
import socket
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack

from weft.pipeline.distributed import SnapshotContents, watch_over
from weft.pipeline.remote import Remote
from weft.snapshot import Contents, Snapshot, take_snapshot
from weft_storage.backends import Store, WorkStore, work_of
from weft_storage.model.errors import RunEnded, UsageError
from weft_storage.model.runs import Run, RunState, StoredFacts
from weft_storage.model.work import Claim, Failure, Job, Prepared, Terms, decode_prepared
from weft_tasks.crashbox import CrashBox
from weft_tasks.finalize.staged import Finalized, finalize_staged
from weft_tasks.finalize.watching import Progress, Silent
from weft_tasks.jobs import extract_batch, fingerprint

# Another process may hold a batch, or be finalizing: how often to look whether it still does.
_PAUSE = 0.5


def resume(
    store: Store,
    project: str,
    run_id: int,
    *,
    remote: Remote | None = None,
    lock_timeout: float = 60.0,
    progress: Progress | None = None,
) -> Run:
    """Bring a run to its end, by the workers of `remote` or here; gives it as it was published.

    Raises `UsageError` for a run that cannot go on (over, of another project or version, or without work), and
    `RepositoryError` where its repository is not where it was.
    """
    work = work_of(store)
    with store.lock(project, timeout=lock_timeout):
        prepared, terms = _resumable(work, project, run_id)
        snapshot = take_snapshot(prepared.run.root, rev=_revision(prepared), settings=prepared.settings)
        if remote is not None:
            return watch_over(store, snapshot, prepared, terms, remote, progress or Silent())
        return _carry_out(store, work, snapshot, run_id, progress or Silent())


def _resumable(work: WorkStore, project: str, run_id: int) -> tuple[Prepared, Terms]:
    run, terms, payload = work.run(run_id), work.terms(run_id), work.prepared(run_id)
    subject = f"run {run_id} of project '{project}'"
    if run is None or run.project != project:
        raise UsageError(subject, "is not in the store", "`weft runs` lists the runs")
    if run.state is not RunState.RUNNING:
        raise UsageError(subject, f"is over: {run.state.value}", "run `weft scan`: what was extracted is kept")
    if terms is None or payload is None:
        raise UsageError(subject, "has no work that could go on", "run `weft scan`: what was extracted is kept")
    if terms.fingerprint != fingerprint():
        problem = "was planned by another version of weft"
        raise UsageError(subject, problem, "run `weft scan`: what was extracted is kept")
    return decode_prepared(payload), terms


def _revision(prepared: Prepared) -> str | None:
    return prepared.run.revision if prepared.run.rev_argument else None


def _carry_out(store: Store, work: WorkStore, snapshot: Snapshot, run_id: int, progress: Progress) -> Run:
    """Do what is left on this machine, and finalize."""
    progress.begin("extract", work.progress(run_id).files)
    with ExitStack() as stack:
        contents = stack.enter_context(snapshot.contents())
        terms = work.terms(run_id)
        assert terms is not None
        box = stack.enter_context(CrashBox(terms.limits))
        while numbers := work.open_batches(run_id):
            work.reap(run_id, attempts=2)
            if not _extract_some(work, run_id, numbers, box, contents, progress):
                time.sleep(_PAUSE)
        return _finalize(store, work, run_id, contents, progress)


def _extract_some(
    work: WorkStore, run_id: int, numbers: Sequence[int], box: CrashBox, contents: Contents, progress: Progress
) -> bool:
    """Carry out the batches that nobody holds; whether there were any."""
    worked = False
    for number in numbers:
        for waiting in work.waiting(run_id):
            work.supply(run_id, waiting, b"")  # Nobody needs a pack here: the snapshot is at hand.
        claim = work.claim(run_id, number, worker=f"{socket.gethostname()}:{os.getpid()}", task=uuid.uuid4().hex)
        if claim is not None:
            _extract(work, claim, box, contents)
            progress.advance(work.progress(run_id).files_done)
            worked = True
    return worked


def _extract(work: WorkStore, claim: Claim, box: CrashBox, contents: Contents) -> None:
    facts: list[StoredFacts] = []
    failures: list[Failure] = []
    renewed = time.monotonic()
    for outcome in extract_batch(claim.jobs, box, _Paths(contents), lambda: False):
        if outcome.facts is not None:
            facts.append(outcome.facts)
        else:
            job = outcome.job
            failures.append(Failure(job.key, job.path, outcome.reason, outcome.poison, outcome.moved))
        if time.monotonic() - renewed > claim.terms.lease / 3:
            renewed = time.monotonic()
            work.renew(claim)
    work.complete(claim, facts, failures)


class _Paths:
    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    def content(self, job: Job) -> bytes:
        return self._contents.read(job.path)


def _finalize(store: Store, work: WorkStore, run_id: int, contents: Contents, progress: Progress) -> Run:
    while True:
        outcome = finalize_staged(
            store, work, run_id, SnapshotContents(contents), progress, trusted=True, accept_moved=True
        )
        if outcome is not Finalized.HELD:
            break
        time.sleep(_PAUSE)
    run = work.run(run_id)
    if run is None or not run.state.has_graph:
        problem = f"ended otherwise ({outcome.value}): {run.error if run else 'it is not in the store any more'}"
        raise RunEnded(f"run {run_id}", problem, "run `weft scan`: what was extracted is kept")
    return run
