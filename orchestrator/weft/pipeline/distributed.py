"""The distributed executor: a run's batches to workers elsewhere, and the watch over them until the run is over.

The truth is in the store: messages only say where to look, so whatever is lost on the way (a message, the chord's
callback, a worker, the queue itself) is noticed here by what the store does not say, and sent again or done here.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from weft.pipeline.diff import Difference, look_again
from weft.pipeline.plan import Plan
from weft.pipeline.remote import Remote
from weft.snapshot import ContentError, Contents, Snapshot
from weft_storage.backends import Store, WorkStore, work_of
from weft_storage.model.errors import BrokerUnavailable, RunEnded, StoreFull, StoreUnavailable, WorkersMissing
from weft_storage.model.files import FileRecord
from weft_storage.model.runs import Run, RunState
from weft_storage.model.settings import Settings
from weft_storage.model.states import Names
from weft_storage.model.work import Job, Limits, NewBatch, Prepared, Terms, WorkProgress, encode_prepared
from weft_tasks.finalize.staged import Finalized, finalize_staged
from weft_tasks.finalize.watching import Progress
from weft_tasks.jobs import batches, fingerprint, pack_contents
from weft_tasks.worker.dispatch import Messages, queue_name

# Celery's chords take a callback's arguments from one list: headers beyond this cost seconds to publish.
_MOST_BATCHES = 2000
_FEWEST_SLOTS = 4
_ATTEMPTS = 2
# Records of workers that are younger are of living ones: they report every 5 seconds.
_ALIVE = 20.0
# Seconds to wait for a store without room: usually a person has to do something.
_FULL = 15.0


@dataclass(frozen=True, slots=True)
class Start:
    """What a run begins its distribution with."""

    run: Run
    full: bool
    epoch: str
    base: int
    known: Mapping[str, FileRecord]
    difference: Difference
    plan: Plan


def distribute(
    store: Store, snapshot: Snapshot, settings: Settings, start: Start, remote: Remote, progress: Progress
) -> Run:
    """Have a plan carried out and finalized by workers; gives the run as it was published.

    Raises `BrokerUnavailable` or `WorkersMissing` where nobody can be reached, `RunEnded` where the run failed or was
    cancelled meanwhile.
    """
    work = work_of(store)
    with Messages(remote.broker) as messages:
        messages.check()
        work.forget_ended()
        distribution = _Distribution(store, work, snapshot, settings, messages, remote, progress)
        distribution.begin(start)
        return distribution.watch(start.run.id)


def watch_over(
    store: Store, snapshot: Snapshot, prepared: Prepared, terms: Terms, remote: Remote, progress: Progress
) -> Run:
    """Take over a run whose orchestrator has died: its open batches are sent again, and watched until it is over."""
    work = work_of(store)
    run_id = prepared.run.id
    with Messages(remote.broker) as messages:
        messages.check()
        distribution = _Distribution(store, work, snapshot, prepared.settings, messages, remote, progress)
        distribution.terms, distribution.prepared, distribution.packed = terms, prepared, True
        progress.begin("extract", work.progress(run_id).files)
        distribution.send_again(run_id, work.open_batches(run_id))
        return distribution.watch(run_id)


@dataclass
class _Distribution:
    store: Store
    work: WorkStore
    snapshot: Snapshot
    settings: Settings
    messages: Messages
    remote: Remote
    progress: Progress
    packed: bool = False
    terms: Terms = field(init=False)
    prepared: Prepared = field(init=False)

    def begin(self, start: Start) -> None:
        """Write down what there is to do, then tell the workers: a lost message is only a batch that is late."""
        limits = Limits(self.settings.file_memory << 20, self.settings.file_timeout)
        self.terms = Terms(
            project=start.run.project,
            fingerprint=fingerprint(),
            queue=self.remote.queue,
            limits=limits,
            lease=max(60.0, 2 * limits.timeout + 30),
        )
        self.prepared = prepare(self.snapshot, self.settings, start)
        self.progress.begin("extract", len(start.plan.jobs))
        labelled = self._plan(start.plan.jobs)
        try:
            self._send(labelled)
        except BrokerUnavailable as error:
            self.progress.note(str(error))  # It answered a moment ago; what it has not taken is sent again.

    def _plan(self, jobs: Sequence[Job]) -> list[tuple[int, str]]:
        """Record batches and what finalizing needs; gives numbers and labels of the batches."""
        workers = [each for each in self.work.workers(within=_ALIVE) if each.fingerprint == self.terms.fingerprint]
        slots = max(_FEWEST_SLOTS, sum(worker.slots for worker in workers))
        reached = {project for worker in workers for project in worker.reaches}
        bare, mounted = (f"{kind}:{self.terms.project}" in reached for kind in ("git", "mount"))
        alone = [job for job in jobs if mounted or (bare and job.oid)]
        travelling = [job for job in jobs if not (mounted or (bare and job.oid))]
        self.packed = self.packed or bool(travelling)
        filled = [(batch, False) for batch in batches(alone, slots, at_most=_MOST_BATCHES)]
        filled += [(batch, True) for batch in batches(travelling, slots, at_most=_MOST_BATCHES)]
        numbers = self.work.plan(
            self.prepared.run.id, encode_prepared(self.prepared), self.terms, self._new_batches(filled)
        )
        return [
            (number, label(self.prepared.run.id, number, batch))
            for number, (batch, _) in zip(numbers, filled, strict=True)
        ]

    def _new_batches(self, filled: Iterable[tuple[list[Job], bool]]) -> Iterator[NewBatch]:
        for batch, travels in filled:
            yield NewBatch(tuple(batch), self._pack(batch) if travels else None)

    def _pack(self, jobs: Iterable[Job]) -> bytes:
        """The contents of jobs, to travel with their batch. One that cannot be read, or has grown, fails by name."""
        contents: dict[bytes, bytes] = {}
        with self.snapshot.contents() as reader:
            for job in jobs:
                try:
                    contents[job.key] = reader.read(job.path, job.content.size)
                except ContentError:
                    contents[job.key] = b""
        return pack_contents(contents)

    def _send(self, labelled: Sequence[tuple[int, str]]) -> None:
        self.messages.send_run(self.prepared.run.id, labelled, self.terms)

    def send_again(self, run_id: int, numbers: Sequence[int]) -> None:
        """Send batches outside the chord."""
        labelled = [(number, f"run {run_id}, batch {number}, sent again") for number in numbers]
        if labelled:
            self.messages.send_batches(run_id, labelled, self.terms)

    # Watching --------------------------------------------------------------------------------------

    def watch(self, run_id: int) -> Run:
        """Wait until the run is over, and heal what others lose meanwhile."""
        watch = _Watch(self.remote)
        while True:
            try:
                run = self.work.run(run_id)
                if run is None or run.state is not RunState.RUNNING:
                    return _ended(run_id, run)
                self._look(run_id, watch)
            except StoreUnavailable as error:
                watch.bear(error, self.progress)
            except BrokerUnavailable as error:
                # Whoever has a batch goes on without the broker, and what it lost is sent again when it is back.
                watch.do_without(error, self.progress)
            time.sleep(watch.pause())

    def _look(self, run_id: int, watch: "_Watch") -> None:
        found = self.work.progress(run_id)
        watch.see(found)
        self.progress.advance(found.files_done)
        if found.workers and watch.is_news(len(found.workers)):
            self.progress.note(f"workers that carry out run {run_id}: {len(found.workers)}")
        if not found.open_batches:
            if watch.is_news("merge"):
                self.progress.begin("merge")
            self._finish(run_id, watch)
            return
        watch.check_deadline(run_id)
        if found.waiting:
            self._supply(run_id)
        lost = self.work.reap(run_id, attempts=_ATTEMPTS) if watch.may_reap() else []
        if not found.running and watch.may_resend(found):
            lost = self.work.open_batches(run_id)
        if lost:
            self.messages.send_batches(
                run_id, [(each, f"run {run_id}, batch {each}, again") for each in lost], self.terms
            )
        if not found.workers and watch.has_waited_for_workers():
            self._ask_for_workers(run_id, watch)

    def _finish(self, run_id: int, watch: "_Watch") -> None:
        """All batches are done: a worker finalizes; where none does soon, or none can, it is done here."""
        if not (self.packed or watch.is_finalizing_late()):
            return
        with self.snapshot.contents() as contents:
            outcome = finalize_staged(
                self.store, self.work, run_id, SnapshotContents(contents), self.progress, trusted=True
            )
        if outcome is Finalized.MOVED:
            self._look_again(run_id)
        elif outcome is Finalized.HELD:
            watch.seen_finalizing()

    def _look_again(self, run_id: int) -> None:
        """Files changed under the scan: they are looked at once more, then they have failed."""
        moved = {failure.key for failure in self.work.failures(run_id) if failure.moved}
        paths = [source.path for source in self.prepared.sources if source.key in moved]
        difference = look_again(paths, self.snapshot, self.store, self.settings)
        again = {source.path for source in difference.sources} | difference.settled.keys()
        kept = tuple(source for source in self.prepared.sources if source.path not in again)
        known = self.store.known_facts({source.key for source in difference.sources})
        jobs = {
            source.key: Job(source.key, source.path, source.language, source.content, source.oid)
            for source in difference.sources
            if source.key not in known
        }
        before = self.prepared
        self.prepared = replace(
            before,
            run=replace(before.run, token=""),
            sources=(*kept, *difference.sources),
            settled=(*before.settled, *difference.settled.values()),
            fresh=before.fresh | jobs.keys(),
            looks=before.looks + 1,
        )
        try:
            labelled = self._plan(list(jobs.values()))
        except StoreUnavailable:
            self.prepared = before  # Nothing of it was written down: the next look must find the same files.
            raise
        self._send(labelled)

    def _supply(self, run_id: int) -> None:
        """Give contents to batches whose workers could not reach them."""
        self.packed = True
        supplied = []
        for number, claim in self.work.waiting(run_id).items():
            self.work.supply(run_id, number, self._pack(claim.jobs))
            supplied.append((number, label(run_id, number, claim.jobs)))
        self.messages.send_batches(run_id, supplied, self.terms)

    def _ask_for_workers(self, run_id: int, watch: "_Watch") -> None:
        listeners = self.messages.listeners(1.0)
        queue = queue_name(self.terms.queue, self.terms.fingerprint)
        waited = watch.waited()
        if not listeners:
            problem = "no worker listens on the broker"
        elif not any(queue in each.queues for each in listeners):
            problem = f"{len(listeners)} workers listen, none of them to queue {queue} of this version"
        else:
            problem = "workers listen but have not taken a batch yet"
            watch.reset_patience()
        remedy = "start one with `weft worker`"
        if waited > self.remote.patience:
            raise WorkersMissing(f"run {run_id}", f"{problem}, after {waited:.0f} seconds", remedy)
        watch.say(self.progress, f"{problem}; {remedy} (waiting up to {self.remote.patience:.0f} s)")


@dataclass
class _Watch:
    """What has been seen of a run, and since when. Times are of this process's clock only."""

    remote: Remote
    _began: float = field(default_factory=time.monotonic)
    _waiting_since: float = field(default_factory=time.monotonic)
    _moved: float = field(default_factory=time.monotonic)
    _changed: float = field(default_factory=time.monotonic)
    _has_begun: bool = False
    _last: tuple[int, ...] = ()
    _done_since: float | None = None
    _resend_after: float = 15.0
    _times: dict[str, float] = field(default_factory=dict)
    _away_since: float | None = None
    _looks: int = 0

    def see(self, found: WorkProgress) -> None:
        """Note a look at the run."""
        now = time.monotonic()
        self._away_since = None
        state = (found.open_batches, found.running, found.waiting, found.files_done)
        if state != self._last:
            self._last, self._moved, self._changed = state, now, now
        self._has_begun = self._has_begun or bool(found.workers)
        if found.open_batches:
            self._done_since = None
        elif self._done_since is None:
            self._done_since = now

    def pause(self) -> float:
        """Seconds until the next look: soon at first, for runs that end soon."""
        self._looks += 1
        return min(0.05 * self._looks, 0.5)

    def may_reap(self) -> bool:
        """Every few seconds."""
        return self._every("reap", 3.0)

    def may_resend(self, found: WorkProgress) -> bool:
        """Whether batches that nobody holds must be taken for lost: nothing has moved for longer and longer."""
        if time.monotonic() - self._moved < self._resend_after or not found.open_batches:
            return False
        self._moved = time.monotonic()
        self._resend_after = min(2 * self._resend_after, 300.0)
        return True

    def is_finalizing_late(self) -> bool:
        """Whether the callback should have come long ago."""
        return self._done_since is not None and time.monotonic() - self._done_since > 3.0

    def seen_finalizing(self) -> None:
        """Somebody is at it."""
        self._done_since = time.monotonic()

    def has_waited_for_workers(self) -> bool:
        """Whether the first worker should have come by now."""
        return self.waited() > 2.0

    def waited(self) -> float:
        """Seconds since a first worker has been waited for."""
        return time.monotonic() - self._waiting_since

    def reset_patience(self) -> None:
        """There are workers after all: they may be at another run."""
        self._waiting_since = time.monotonic()

    def check_deadline(self, run_id: int) -> None:
        """Raise where the run takes longer than it may."""
        deadline = self.remote.deadline
        if deadline is not None and time.monotonic() - self._began > deadline:
            raise RunEnded(f"run {run_id}", f"did not end within {deadline:.0f} seconds", "see `weft worker`'s log")

    def is_news(self, thing: object) -> bool:
        """Whether this is seen for the first time."""
        return self._every(f"news {thing}", float("inf"))

    def bear(self, error: StoreUnavailable, progress: Progress) -> None:
        """Go on without the store for a while. Raises the error where it stays away."""
        now = time.monotonic()
        self._away_since = self._away_since or now
        outage = min(self.remote.outage, _FULL) if isinstance(error, StoreFull) else self.remote.outage
        if now - self._away_since > outage:
            raise error
        self.say(progress, f"{error} (waiting up to {outage:.0f} s)")

    def do_without(self, error: BrokerUnavailable, progress: Progress) -> None:
        """Go on without the broker while something moves, and for a while after. Raises the error when time is up."""
        patience = self.remote.outage if self._has_begun else self.remote.patience
        if time.monotonic() - self._changed > patience:
            raise error
        self.say(progress, str(error))

    def say(self, progress: Progress, sentence: str) -> None:
        """Say something, though not over and over."""
        if self._every(sentence, 30.0):
            progress.note(sentence)

    def _every(self, thing: str, seconds: float) -> bool:
        """Whether something is due that is due after so many seconds again."""
        now = time.monotonic()
        if thing in self._times and now - self._times[thing] < seconds:
            return False
        self._times[thing] = now
        return True


def prepare(snapshot: Snapshot, settings: Settings, start: Start) -> Prepared:
    """All that finalizing needs of a snapshot, as values."""
    unchanged = start.difference.unchanged
    sources = start.plan.pending
    sourced = {source.path for source in sources} | unchanged.keys()
    return Prepared(
        run=start.run,
        full=start.full,
        epoch=start.epoch,
        settings=settings,
        base=start.base,
        names=Names(tuple(snapshot.paths), dict(sorted(snapshot.links.items()))),
        gone=tuple(sorted(start.known.keys() - unchanged.keys())),
        restated=tuple(record for path, record in sorted(unchanged.items()) if record != start.known[path]),
        settled=tuple(start.plan.settled.values()),
        sources=sources,
        fresh=frozenset(job.key for job in start.plan.jobs),
        oids={path: oid for path, oid in snapshot.oids.items() if path not in sourced},
        inputs=dict(snapshot.identified),
        planned=time.time(),
    )


def label(run_id: int, number: int, jobs: Sequence[Job]) -> str:
    """A batch as a person sees it in a monitor."""
    size = sum(job.content.size for job in jobs)
    languages = Counter(job.language.value for job in jobs)
    named = ", ".join(language for language, _ in sorted(languages.items(), key=lambda each: (-each[1], each[0])))
    return f"run {run_id}, batch {number}: {len(jobs)} files, {size / 1000:,.0f} kB, {named}"


class SnapshotContents:
    """The files of the snapshot itself, for finalizing."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    def read(self, path: str, oid: str, limit: int | None) -> bytes:  # noqa: ARG002 - the snapshot knows what is meant
        return self._contents.read(path, limit)


def _ended(run_id: int, run: Run | None) -> Run:
    if run is None or not run.state.has_graph:
        problem = f"{run.state.value}: {run.error}" if run else "is not in the store any more"
        raise RunEnded(f"run {run_id}", problem, "" if "scan again" in problem else "scan again")
    return run
