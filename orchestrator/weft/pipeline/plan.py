"""The plan of a run: what to extract, and the records that are settled without. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from weft_storage.model.files import NO_CONTENT, Content, FileRecord, FileStatus
from weft_storage.model.languages import Language

_BATCH_BYTES = 2 << 20
# Small enough that the last batches end together, large enough that a batch costs nothing by itself.
_BATCH_FILES = 200
_BATCHES_PER_SLOT = 4


@dataclass(frozen=True, slots=True)
class Job:
    """One content to extract: the first path that has it stands for all."""

    key: bytes
    path: str
    language: Language
    content: Content


@dataclass(frozen=True, slots=True)
class Source:
    """A source file with its identity in this snapshot; `oid` is git's, empty where git does not vouch."""

    path: str
    language: Language
    content: Content
    oid: str
    key: bytes


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
            jobs[source.key] = Job(source.key, source.path, source.language, source.content)
    return Plan(tuple(jobs.values()), tuple(pending), records)


def failed_record(source: Source, reason: str) -> FileRecord:
    """The record of a source file without facts."""
    return FileRecord(source.path, FileStatus.FAILED, source.content, source.language, source.oid, reason)


def unread_record(path: str, language: Language | None, reason: str) -> FileRecord:
    """The record of a file that could not be read: a source file has failed, an input counts as empty."""
    status = FileStatus.INPUT if language is None else FileStatus.FAILED
    return FileRecord(path, status, NO_CONTENT, language, "", reason)


def input_record(path: str, content: Content, oid: str) -> FileRecord:
    """The record of a file that no extractor reads but the graph depends on."""
    return FileRecord(path, FileStatus.INPUT, content, oid=oid)


def skipped_record(path: str, reason: str) -> FileRecord:
    """The record of what has no content to look at, with the reason."""
    return FileRecord(path, FileStatus.SKIPPED, NO_CONTENT, None, "", reason)


def batches(jobs: Collection[Job], slots: int) -> list[list[Job]]:
    """Jobs in batches of bounded bytes and number, the largest files first, so that no straggler ends the run alone."""
    limit = max(1, min(_BATCH_FILES, -(-len(jobs) // (slots * _BATCHES_PER_SLOT))))
    filled: list[list[Job]] = []
    size = 0
    for job in sorted(jobs, key=lambda job: (-job.content.size, job.path)):
        if not filled or len(filled[-1]) >= limit or size + job.content.size > _BATCH_BYTES:
            filled.append([])
            size = 0
        filled[-1].append(job)
        size += job.content.size
    return filled
