"""Carrying out a plan: jobs to the dispatcher, facts into the store as they come, a record for every file."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

from weft.pipeline.plan import Plan
from weft_storage.backends import Part, Store
from weft_storage.model.files import FileRecord
from weft_storage.model.runs import StoredFacts
from weft_storage.model.work import Job, Source
from weft_tasks.finalize.records import analyzed_record, failed_record
from weft_tasks.jobs import Extracted

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
            records[source.path] = analyzed_record(source, facts)

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
