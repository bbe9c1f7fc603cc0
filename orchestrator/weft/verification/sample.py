"""A sample of files, extracted and resolved from zero, against what the store holds of them.

What the sample's imports are resolved against are all names of the repository and its manifests, read anew; of the
files that are not in the sample only what resolution asks of them (their interfaces) is taken from the store.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

from blake3 import blake3

from weft.pipeline import Options, Progress, analyze
from weft.pipeline.diff import look_again
from weft.pipeline.epoch import epoch_of
from weft.pipeline.extraction import carry_out
from weft.pipeline.local import LocalPool
from weft.pipeline.plan import make_plan
from weft.report.documents import Difference, SampleEntry
from weft.snapshot import Snapshot, take_snapshot
from weft.verification.comparison import Account, compare
from weft.verification.rebuild import ATTEMPTS, changing
from weft_storage.backends import Part, Store, open_store
from weft_storage.model.files import FileRecord, FileStatus
from weft_storage.model.runs import ImporterRow, Run, StoredFacts
from weft_storage.model.settings import Settings
from weft_storage.model.states import Inputs, Names
from weft_storage.model.work import Limits
from weft_tasks.contents import read_or_none
from weft_tasks.finalize.merge import Known, Scanned, is_analyzed, merge
from weft_tasks.finalize.records import MANIFEST_LIMIT, skipped_record


@dataclass(frozen=True, slots=True)
class SampleSize:
    """So many files, or so many of a hundred (at least one)."""

    number: float
    percent: bool = False

    def of(self, total: int) -> int:
        """How many of so many."""
        wanted = round(total * self.number / 100) if self.percent else int(self.number)
        return min(total, max(1, wanted))


def verify_sample(
    kept: Store, root: str, settings: Settings, options: Options, progress: Progress, *, size: SampleSize, seed: int
) -> tuple[Run, SampleEntry, list[Difference]]:
    """Bring the store up to date and compare a sample of its source files; equal seeds choose alike.

    Raises RepositoryError for files that keep changing.
    """
    for _ in range(ATTEMPTS):
        run = analyze(kept, root, settings, options, progress)
        snapshot = take_snapshot(root, rev=options.rev, settings=settings)
        records = {record.path: record for record in kept.files(options.project)}
        sources = [path for path, record in records.items() if record.status is not FileStatus.INPUT]
        chosen = choose(sources, size.of(len(sources)), seed)
        with open_store("memory://") as fresh:
            right = _from_zero(_Overlay(fresh, kept), snapshot, settings, options, records, chosen, progress)
            found = list(compare(_stored(kept, options.project, records, chosen), right))
        if not found or snapshot.token == take_snapshot(root, rev=options.rev, settings=settings).token:
            return run, SampleEntry(files=len(chosen), of=len(sources), seed=seed), found
    raise changing(root)


def choose(paths: Collection[str], number: int, seed: int) -> list[str]:
    """So many of the paths, sorted; which ones depends on the seed and the names alone."""
    ranked = sorted(paths, key=lambda path: blake3(f"{seed}\0{path}".encode("utf-8", "surrogateescape")).digest())
    return sorted(ranked[:number])


def _stored(kept: Store, project: str, records: Mapping[str, FileRecord], chosen: Sequence[str]) -> Account:
    return Account(
        records={path: records[path] for path in chosen},
        edges=kept.edges(project, chosen),
        outside=kept.outside(project, chosen),
        facts=lambda keys: kept.facts(keys, Part.IMPORTS | Part.DECLARATIONS | Part.INTERFACE),
    )


def _from_zero(
    overlay: "_Overlay",
    snapshot: Snapshot,
    settings: Settings,
    options: Options,
    records: Mapping[str, FileRecord],
    chosen: Sequence[str],
    progress: Progress,
) -> Account:
    fresh = overlay.fresh
    made = _extract(fresh, snapshot, settings, options, chosen, progress)
    progress.begin("resolve", len(chosen))
    rows = _resolve(overlay, snapshot, settings, options.project, records, made, progress)
    return Account(
        records=made,
        edges=[edge for row in rows for edge in row.edges],
        outside=[outside for row in rows for outside in row.outside],
        facts=lambda keys: fresh.facts(keys, Part.IMPORTS | Part.DECLARATIONS | Part.INTERFACE),
    )


def _extract(
    fresh: Store, snapshot: Snapshot, settings: Settings, options: Options, chosen: Sequence[str], progress: Progress
) -> dict[str, FileRecord]:
    """The records of the chosen files, from their bytes; their facts are in the fresh store then."""
    skipped = {path: skipped_record(path, snapshot.skipped[path]) for path in chosen if path in snapshot.skipped}
    there = frozenset(snapshot.paths).intersection(chosen) - skipped.keys()
    looked = look_again(there, snapshot, fresh, settings)
    plan = make_plan(looked.sources, settled={**looked.settled, **skipped}, known_keys=(), quarantined={})
    progress.begin("extract", len(plan.jobs))
    limits = Limits(settings.file_memory << 20, settings.file_timeout)
    return carry_out(plan, LocalPool(options.jobs, limits, snapshot.contents), fresh, progress.advance).records


def _resolve(
    overlay: "_Overlay",
    snapshot: Snapshot,
    settings: Settings,
    project: str,
    records: Mapping[str, FileRecord],
    made: Mapping[str, FileRecord],
    progress: Progress,
) -> list[ImporterRow]:
    """The rows of the files that were made anew: for a merge that knows all others and nothing of these."""
    epoch = epoch_of(settings, snapshot.links)
    names = Names(tuple(snapshot.paths), dict(sorted(snapshot.links.items())))
    others = {path: record for path, record in records.items() if path not in made}
    known = Known(others, names, Inputs(epoch=epoch), coverage={})
    with snapshot.contents() as contents:
        read = partial(read_or_none, contents, limit=MANIFEST_LIMIT)
        scanned = Scanned({**others, **made}, names, settings, epoch, read, identify=lambda _: {})
        merged = merge(cast(Store, overlay), project, known, scanned, progress.advance)
    return [row for path, row in sorted(merged.rows.items()) if path in made and is_analyzed(made[path])]


class _Overlay:
    """The facts of two stores, those of the fresh one first. Nobody is known to have read anything: only who has no
    record from before is resolved."""

    def __init__(self, fresh: Store, kept: Store) -> None:
        self.fresh = fresh
        self.url = kept.url
        self._kept = kept

    def facts(self, keys: Collection[bytes], parts: Part) -> Iterator[StoredFacts]:
        left = set(keys)
        for facts in self.fresh.facts(keys, parts):
            left.discard(facts.key)
            yield facts
        yield from self._kept.facts(sorted(left), parts)

    def readers(self, *_: object) -> list[str]:
        return []
