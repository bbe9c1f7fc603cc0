"""The difference between a snapshot and the published run: what is unchanged, what must be looked at."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from weft.snapshot import Caches, Identities, Snapshot, identify, skip_reason
from weft_storage.model.files import Content, FileRecord, FileStatus
from weft_storage.model.languages import language_of
from weft_storage.model.settings import Settings
from weft_storage.model.work import Source
from weft_tasks.extract.encoding import facts_key
from weft_tasks.finalize.records import input_record, skipped_record, unread_record


@dataclass(frozen=True, slots=True)
class Difference:
    """`unchanged` records hold as they are; `settled` are new records that need no facts (skipped, unreadable, inputs);
    `sources` are the files that need facts. `moving`: files changed since the snapshot was taken."""

    unchanged: Mapping[str, FileRecord]
    settled: Mapping[str, FileRecord]
    sources: tuple[Source, ...]
    moving: bool


def diff(known: Mapping[str, FileRecord], snapshot: Snapshot, caches: Caches, settings: Settings) -> Difference:
    """Compare by content. `known` are the records that may be kept where the content is the same: none, to look anew.

    Files that no extractor reads are compared only where they are known as inputs of the graph.
    """
    unchanged: dict[str, FileRecord] = {}
    settled = {path: skipped_record(path, reason) for path, reason in snapshot.skipped.items()}
    unsure: list[str] = []
    for path in snapshot.paths:
        record = known.get(path)
        if path in settled or (record is None and language_of(path) is None):
            continue
        if record is not None and _same_blob(record, snapshot.oids.get(path)):
            unchanged[path] = record
        else:
            unsure.append(path)
    found = identify(snapshot, unsure, caches)
    sources: list[Source] = []
    for path, content in found.contents.items():
        record, oid = known.get(path), found.oids.get(path, "")
        if record is not None and record.content == content and record.status is not FileStatus.FAILED:
            unchanged[path] = replace(record, oid=oid)
        else:
            _sort(path, content, oid, settings, settled, sources)
    return Difference(unchanged, settled | _unread(found), tuple(sources), bool(found.changed))


def look_again(paths: Collection[str], snapshot: Snapshot, caches: Caches, settings: Settings) -> Difference:
    """The identity of files that were not what anybody vouched for, from their bytes as they are now."""
    found = identify(snapshot, paths, caches, doubted=True)
    settled: dict[str, FileRecord] = {}
    sources: list[Source] = []
    for path, content in found.contents.items():
        _sort(path, content, found.oids.get(path, ""), settings, settled, sources)
    return Difference({}, settled | _unread(found), tuple(sources), moving=True)


def identify_inputs(paths: Collection[str], snapshot: Snapshot, caches: Caches) -> dict[str, FileRecord]:
    """The records of files that have become inputs of the graph."""
    found = identify(snapshot, paths, caches)
    records = {path: input_record(path, content, found.oids.get(path, "")) for path, content in found.contents.items()}
    return records | _unread(found)


def _unread(found: Identities) -> dict[str, FileRecord]:
    return {path: unread_record(path, language_of(path), reason) for path, reason in found.failures.items()}


def _same_blob(record: FileRecord, oid: str | None) -> bool:
    return bool(oid) and record.oid == oid and record.status is not FileStatus.FAILED


def _sort(
    path: str,
    content: Content,
    oid: str,
    settings: Settings,
    settled: dict[str, FileRecord],
    sources: list[Source],
) -> None:
    """Put a file with new content where it belongs."""
    language = language_of(path)
    if language is None:
        settled[path] = input_record(path, content, oid)
    elif reason := skip_reason(path, content, settings):
        settled[path] = FileRecord(path, FileStatus.SKIPPED, content, language, oid, reason)
    else:
        sources.append(Source(path, language, content, oid, facts_key(content.digest, language)))
