"""Carrying out a plan: jobs to the dispatcher, facts into the store as they come, a record for every file."""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from blake3 import blake3

from weft.pipeline.local import Extracted
from weft.pipeline.plan import Job, Plan, Source, failed_record
from weft_storage.backends import Part, Store
from weft_storage.model.files import FileRecord, FileStatus
from weft_storage.model.runs import StoredFacts

# Facts are stored this many at a time: a run that is killed loses at most these.
_STORED_AT_ONCE = 500


class Dispatcher(Protocol):
    """Where extraction happens: a local pool, or workers elsewhere."""

    def extract(self, jobs: Collection[Job]) -> Iterator[Extracted]:
        """The outcome of every job, in any order."""
        ...


@dataclass(frozen=True, slots=True)
class Carried:
    """A plan carried out: the record of each of its files.

    `moved` are files that no longer had the content that the plan knew; they have failed unless somebody looks again.
    `poison` are the fact keys of contents that are to blame for their failure, with the reason.
    """

    records: dict[str, FileRecord]
    moved: frozenset[str]
    poison: dict[bytes, str]


def carry_out(plan: Plan, dispatcher: Dispatcher, store: Store, on_progress: Callable[[int], None]) -> Carried:
    """Extract what the plan says. All facts are in the store when it returns; failures name their reason."""
    records = dict(plan.settled)
    waiting: dict[bytes, list[Source]] = {}
    for source in plan.pending:
        waiting.setdefault(source.key, []).append(source)

    def settle(facts: StoredFacts) -> None:
        for source in waiting.pop(facts.key, ()):
            records[source.path] = _analyzed(source, facts)

    failures: dict[bytes, Extracted] = {}
    fresh: list[StoredFacts] = []
    for done, outcome in enumerate(dispatcher.extract(plan.jobs), 1):
        if outcome.facts is None:
            failures[outcome.job.key] = outcome
        else:
            fresh.append(outcome.facts)
            settle(outcome.facts)
        if len(fresh) >= _STORED_AT_ONCE:
            store.put_facts(fresh)
            fresh = []
        on_progress(done)
    store.put_facts(fresh)
    for facts in store.facts([key for key in waiting if key not in failures], Part.IMPORTS | Part.INTERFACE):
        settle(facts)
    for key, sources in waiting.items():
        reason = failures[key].reason if key in failures else "its facts were lost from the store"
        records.update((source.path, failed_record(source, reason)) for source in sources)
    moved = (source.path for key in waiting if key in failures and failures[key].moved for source in waiting[key])
    poison = {key: failure.reason for key, failure in failures.items() if failure.poison}
    return Carried(records, frozenset(moved), poison)


def _analyzed(source: Source, facts: StoredFacts) -> FileRecord:
    return FileRecord(
        path=source.path,
        status=FileStatus.ANALYZED,
        content=source.content,
        language=source.language,
        oid=source.oid,
        imports=blake3(facts.imports).digest(8),
        interface=blake3(facts.interface).digest(8),
        problems=facts.problems,
    )


def counts(records: Iterable[FileRecord], *, unchanged: Collection[str], analyzed: Collection[str]) -> dict[str, int]:
    """How many source files a run analyzed, found in the cache, left alone, skipped and failed."""
    found = dict.fromkeys(("files", "analyzed", "unchanged", "cached", "skipped", "failed"), 0)
    for record in records:
        if record.status is not FileStatus.INPUT:
            found["files"] += 1
            found[_outcome(record, unchanged, analyzed)] += 1
    return found


def _outcome(record: FileRecord, unchanged: Collection[str], analyzed: Collection[str]) -> str:
    if record.status is not FileStatus.ANALYZED:
        return record.status.value
    if record.path in unchanged:
        return "unchanged"
    return "analyzed" if record.path in analyzed else "cached"


def hit_rate(found: dict[str, int]) -> float:
    """The share of the files with facts whose facts were at hand; 1.0 where there are none."""
    with_facts = found["analyzed"] + found["unchanged"] + found["cached"]
    return 1.0 if not with_facts else round((with_facts - found["analyzed"]) / with_facts, 6)
