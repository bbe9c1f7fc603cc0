"""The plan of a run: what to extract, and the records that are settled without. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from weft_storage.model.files import FileRecord
from weft_storage.model.work import Job, Source
from weft_tasks.finalize.records import failed_record


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run has to do: `jobs` extract the contents whose facts nobody has; `pending` files wait for facts,
    cached or fresh; `settled` records need none."""

    jobs: tuple[Job, ...]
    pending: tuple[Source, ...]
    settled: Mapping[str, FileRecord]


def make_plan(
    sources: Iterable[Source],
    *,
    settled: Mapping[str, FileRecord],
    known_keys: Collection[bytes],
    quarantined: Mapping[bytes, str],
) -> Plan:
    """Every source file either waits for facts, or is in quarantine and fails again without being tried."""
    jobs: dict[bytes, Job] = {}
    pending = []
    records = dict(settled)
    for source in sources:
        if source.key in quarantined:
            records[source.path] = failed_record(source, quarantined[source.key])
            continue
        pending.append(source)
        if source.key not in known_keys and source.key not in jobs:
            jobs[source.key] = Job(source.key, source.path, source.language, source.content, source.oid)
    return Plan(tuple(jobs.values()), tuple(pending), records)
