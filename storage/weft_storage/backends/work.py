"""The work of runs as the rest of the program sees it: batches that any process can carry out. Knows no database.

The truth about a run under way is here; a message queue only says where to look. Every method may be repeated, and
whatever concerns a run that is over (not RUNNING any more) changes nothing: late messages and writes do no harm.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from weft_storage.model.runs import Run, StoredFacts
from weft_storage.model.work import Claim, Failure, NewBatch, Terms, WorkerRecord, WorkProgress


@dataclass(frozen=True, slots=True)
class Completion:
    """What became of the report of a batch: whether it counted, and how many batches of the run are still open."""

    accepted: bool
    open_batches: int


class WorkStore(Protocol):
    """The work of runs, in a store that processes share. All methods raise `StoreUnavailable` where it fails."""

    # Planning, by whoever holds the project --------------------------------------------------------

    def plan(self, run_id: int, prepared: bytes, terms: Terms, batches: Iterable[NewBatch]) -> list[int]:
        """Record what a RUNNING run has to do, in one transaction; gives the numbers of its batches (from 1).

        Called again (another look at files that moved) it replaces `prepared`, forgets the failures that are `moved`,
        and adds the batches.
        """
        ...

    def run(self, run_id: int) -> Run | None:
        """A run by its id, as it is recorded now."""
        ...

    def terms(self, run_id: int) -> Terms | None:
        """The terms of a run with work, None where there is none (never planned, or collected)."""
        ...

    def prepared(self, run_id: int) -> bytes | None:
        """What `plan` was given last."""
        ...

    def open_batches(self, run_id: int) -> list[int]:
        """Numbers of the batches that are neither DONE nor SPLIT, sorted."""
        ...

    def unfinished(self, project: str) -> list[int]:
        """RUNNING runs of a project that have work, newest first."""
        ...

    # Carrying out ----------------------------------------------------------------------------------

    def claim(self, run_id: int, number: int, *, worker: str, task: str) -> Claim | None:
        """Take a batch into hand for the seconds of its lease; None where there is nothing to do.

        A batch can be claimed when it is QUEUED, when its lease has run out, and by the very `task` (the id of a
        message) that holds it: then the message was delivered again because its process died.
        """
        ...

    def renew(self, claim: Claim) -> bool:
        """Hold a batch for another lease. False: the run is over, or somebody else has claimed the batch since."""
        ...

    def complete(self, claim: Claim, facts: Sequence[StoredFacts], failures: Sequence[Failure]) -> Completion:
        """Store the outcome of every job and make the batch DONE, in one transaction; poison goes into quarantine.

        Not accepted, and nothing written but the facts (which are true whoever needs them), where the claim is void.
        """
        ...

    def release(self, claim: Claim, *, waiting: bool = False) -> None:
        """Give a batch back: QUEUED, or WAITING for its contents (then it is nobody's fault, and no attempt counts)."""
        ...

    # Healing ---------------------------------------------------------------------------------------

    def reap(self, run_id: int, *, attempts: int) -> list[int]:
        """Make batches that were lost QUEUED again; gives the numbers to send. Any number of processes may do so.

        Lost is a batch whose lease has run out, or whose worker reported itself before and has been silent for long.

        A batch that was claimed `attempts` times in vain is SPLIT in halves (their numbers are given); one of a single
        job becomes a poison failure of that job.
        """
        ...

    def waiting(self, run_id: int) -> Mapping[int, Claim]:
        """The batches that wait for contents, by number (claims that hold nothing)."""
        ...

    def supply(self, run_id: int, number: int, pack: bytes) -> None:
        """Give a WAITING batch the contents of its jobs and make it QUEUED."""
        ...

    def progress(self, run_id: int) -> WorkProgress:
        """How far a run is."""
        ...

    # Finalizing ------------------------------------------------------------------------------------

    def finalizing(self, run_id: int) -> AbstractContextManager[bool]:
        """Hold a run for finalizing; False where somebody else does, the run is over, or batches are open."""
        ...

    def failures(self, run_id: int) -> list[Failure]:
        """The failures of a run's jobs, sorted."""
        ...

    # Workers and care ------------------------------------------------------------------------------

    def report_worker(self, worker: WorkerRecord) -> None:
        """Say that a worker is alive (every few seconds)."""
        ...

    def workers(self, *, within: float) -> list[WorkerRecord]:
        """Workers that reported within so many seconds, sorted by name."""
        ...

    def forget_ended(self) -> int:
        """Drop the work of runs that are over, and workers silent for a day; gives the number of runs."""
        ...
