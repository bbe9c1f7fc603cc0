"""Records of files: what became of each, and how many of each kind there are. Pure."""

from collections.abc import Collection, Iterable

from blake3 import blake3

from weft_storage.model.files import NO_CONTENT, Content, FileRecord, FileStatus
from weft_storage.model.languages import Language
from weft_storage.model.runs import StoredFacts
from weft_storage.model.work import Source

MANIFEST_LIMIT = 16 << 20
"""Bytes. No manifest that a person wrote is larger; one that is counts as unreadable."""


def analyzed_record(source: Source, facts: StoredFacts) -> FileRecord:
    """The record of a source file with its facts (imports and interface are enough)."""
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
