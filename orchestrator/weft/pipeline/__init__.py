"""The main job: bring the stored graph of a repository up to date.

snapshot -> diff -> plan -> dispatch -> finalize (resolve, analyze, merge, publish)
"""

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from weft.pipeline.diff import Difference, diff, identify_inputs, look_again
from weft.pipeline.epoch import epoch_of, token_of
from weft.pipeline.extraction import carry_out
from weft.pipeline.local import LocalPool
from weft.pipeline.plan import Plan, make_plan
from weft.pipeline.quarantine import quarantine, quarantined
from weft.pipeline.remote import Remote
from weft.pipeline.unchanged import new_run, publish_unchanged
from weft.snapshot import Snapshot, take_snapshot
from weft_storage.backends import Store
from weft_storage.model.errors import StoreError
from weft_storage.model.files import FileRecord
from weft_storage.model.runs import Run, RunState
from weft_storage.model.settings import Settings
from weft_storage.model.states import Names
from weft_tasks.contents import read_or_none
from weft_tasks.crashbox import Limits
from weft_tasks.finalize.records import MANIFEST_LIMIT, counts, hit_rate
from weft_tasks.finalize.watching import Clock, Progress, Silent

__all__ = ["Options", "Progress", "Remote", "analyze"]


@dataclass(frozen=True, slots=True)
class Options:
    """How to run. `rev` reads a commit instead of the work tree; `full` uses nothing that is known; `jobs` is the
    number of extractor processes; `lock_timeout` (seconds) is how long to wait for another scan of the project.
    `remote` has the work done by workers elsewhere, if there is enough of it."""

    project: str
    rev: str | None = None
    jobs: int = 1
    full: bool = False
    lock_timeout: float = 60.0
    remote: Remote | None = None


def analyze(store: Store, root: str, settings: Settings, options: Options, progress: Progress | None = None) -> Run:
    """Bring the stored graph of the repository at `root` up to date; gives the run as published.

    Raises `WeftError` where the repository or the store cannot be used; the published graph is then as it was.
    """
    progress = progress or Silent()
    with store.lock(options.project, timeout=options.lock_timeout):
        run = store.begin(new_run(options.project, root, options.rev))
        try:
            return _analyze(store, root, settings, options, progress, run)
        except BaseException as error:
            _record_end(store, run, error)
            raise


def _analyze(store: Store, root: str, settings: Settings, options: Options, progress: Progress, run: Run) -> Run:
    clock = Clock()
    with clock.phase("snapshot"):
        progress.begin("snapshot")
        snapshot = take_snapshot(root, rev=options.rev, settings=settings)
        token = token_of(snapshot.token, settings)
    run = replace(run, revision=snapshot.revision, token=token, seconds=clock.seconds)
    published = store.published(options.project)
    if published and not options.full and _same(published, run):
        return publish_unchanged(store, published, run)
    # Loaded only now: the graph's libraries take longer to load than a scan without changes may take.
    from weft_tasks.finalize.merge import Scanned
    from weft_tasks.finalize.run import finalize, load_known

    with clock.phase("diff"):
        progress.begin("diff")
        epoch = epoch_of(settings, snapshot.links)
        known = load_known(store, options.project, anew=options.full)
        keep = known.records if known.inputs.epoch == epoch else {}
        difference = diff(keep, snapshot, store, settings)
        plan = _plan(difference, store, _limits(settings), full=options.full)
    if options.remote is not None and len(plan.jobs) >= options.remote.inline_below:
        from weft.pipeline.distributed import Start, distribute

        run = replace(run, token="" if difference.moving else run.token, seconds=clock.seconds)
        base = published.id if published else 0
        start = Start(run, options.full, epoch, base, known.records, difference, plan)
        return distribute(store, snapshot, settings, start, options.remote, progress)
    with clock.phase("extract"):
        extraction = _extract(plan, snapshot, store, settings, options, progress)
    records = extraction.records | dict(difference.unchanged)
    found = counts(records.values(), unchanged=difference.unchanged, analyzed=extraction.analyzed)
    if difference.moving or extraction.moving:
        run = replace(run, token="")  # It does not stand for what was read: the next run must look again.
    with snapshot.contents() as contents:
        scanned = Scanned(
            records=records,
            names=Names(tuple(snapshot.paths), dict(sorted(snapshot.links.items()))),
            settings=settings,
            epoch=epoch,
            read=partial(read_or_none, contents, limit=MANIFEST_LIMIT),
            identify=lambda paths: identify_inputs(paths, snapshot, store),
        )
        run = replace(run, seconds=clock.seconds, counts=found, cache_hit_rate=hit_rate(found))
        return finalize(store, run, known, scanned, progress)


@dataclass(frozen=True, slots=True)
class _Extraction:
    """Records of all files that needed facts or were settled without; `analyzed` are those that were extracted now."""

    records: dict[str, FileRecord]
    analyzed: frozenset[str]
    moving: bool


def _extract(
    plan: Plan,
    snapshot: Snapshot,
    store: Store,
    settings: Settings,
    options: Options,
    progress: Progress,
) -> _Extraction:
    """Extract what has no facts yet. A file that changes under the scan is looked at once more, then it has failed."""
    limits = _limits(settings)
    pool = LocalPool(options.jobs, limits, snapshot.contents)
    records: dict[str, FileRecord] = {}
    analyzed: set[str] = set()
    moving = False
    for _ in range(2):
        progress.begin("extract", len(plan.jobs))
        carried = carry_out(plan, pool, store, progress.advance)
        quarantine(store, carried.poison, limits)
        extracted = {job.key for job in plan.jobs}
        records |= carried.records
        analyzed |= {source.path for source in plan.pending if source.key in extracted}
        if not carried.moved:
            break
        moving = True
        plan = _plan(look_again(carried.moved, snapshot, store, settings), store, limits, full=options.full)
    return _Extraction(records, frozenset(analyzed), moving)


def _limits(settings: Settings) -> Limits:
    return Limits(settings.file_memory << 20, settings.file_timeout)


def _plan(difference: Difference, store: Store, limits: Limits, *, full: bool) -> Plan:
    keys = {source.key for source in difference.sources}
    return make_plan(
        difference.sources,
        settled=difference.settled,
        known_keys=set() if full else store.known_facts(keys),
        quarantined={} if full else quarantined(store, keys, limits),
    )


def _same(published: Run, run: Run) -> bool:
    """Whether nothing can have changed since the published run. A run that was incomplete is tried again."""
    return published.state is RunState.PUBLISHED and published.token == run.token


def _record_end(store: Store, run: Run, error: BaseException) -> None:
    """Record that a run ended without publishing. The store may be what failed: that must not hide the first error."""
    interrupted = isinstance(error, KeyboardInterrupt)
    state = RunState.CANCELLED if interrupted else RunState.FAILED
    reason = str(error) or ("interrupted" if interrupted else type(error).__name__)
    with suppress(StoreError):
        store.finish(replace(run, state=state, finished=time.time(), error=reason))
