"""Finalizing a run whose batches other processes carried out. Knows no queue; anybody may call it, however often."""

import time
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Protocol

from msgspec.structs import replace

from weft_storage.backends import Part, Store, WorkStore
from weft_storage.model.errors import RunEnded
from weft_storage.model.files import Content, FileRecord
from weft_storage.model.runs import Run, RunState
from weft_storage.model.work import Failure, Prepared, Source, decode_prepared
from weft_tasks.contents import ContentError, ContentUnreachable
from weft_tasks.contents.digest import identify_bytes
from weft_tasks.finalize.merge import Known, Scanned
from weft_tasks.finalize.records import (
    MANIFEST_LIMIT,
    analyzed_record,
    counts,
    failed_record,
    hit_rate,
    input_record,
    unread_record,
)
from weft_tasks.finalize.run import finalize, load_known
from weft_tasks.finalize.watching import Progress, Silent

_OBJECT_FORMATS = {40: "sha1", 64: "sha256"}


class Finalized(StrEnum):
    """What came of an attempt to finalize a run.

    OVER: it was published, failed or cancelled before. HELD: somebody else is at it. OPEN: batches are not done yet.
    MOVED: files changed since the snapshot and must be looked at again. UNREACHABLE: contents are needed that the
    caller cannot reach.
    """

    PUBLISHED = "published"
    INCOMPLETE = "incomplete"
    OVER = "over"
    HELD = "held"
    OPEN = "open"
    MOVED = "moved"
    UNREACHABLE = "unreachable"


class RunContents(Protocol):
    """The files of a run's snapshot, as far as the caller can reach them."""

    def read(self, path: str, oid: str, limit: int | None) -> bytes:
        """The bytes of a file, which git knows as `oid` ("" where it does not). Raises ContentError, also where there
        are more than `limit`, and ContentUnreachable."""
        ...


def finalize_staged(
    store: Store,
    work: WorkStore,
    run_id: int,
    contents: RunContents,
    progress: Progress | None = None,
    *,
    trusted: bool = False,
    accept_moved: bool = False,
) -> Finalized:
    """Resolve, analyze and publish a run all of whose batches are done; whoever comes first does it, once.

    `trusted` contents are those that the snapshot was taken from; others are used where they are provably the same.
    With `accept_moved` files that changed since the snapshot have failed, as they have after they were looked at again.
    Raises StoreError where the store fails, and the run can be finalized another time; RunEnded where it never can.
    """
    with work.finalizing(run_id) as held:
        if not held:
            return _reason(work, run_id)
        payload = work.prepared(run_id)
        if payload is None:
            return Finalized.OVER
        prepared = decode_prepared(payload)
        failures = {failure.key: failure for failure in work.failures(run_id)}
        if prepared.looks == 0 and not accept_moved and any(failure.moved for failure in failures.values()):
            return Finalized.MOVED
        try:
            reader = _Reader(store, prepared, contents, trusted=trusted)
            run = _finalize(store, prepared, failures, reader, progress or Silent())
        except ContentUnreachable:
            return Finalized.UNREACHABLE
    return Finalized.INCOMPLETE if run.state is RunState.INCOMPLETE else Finalized.PUBLISHED


def _reason(work: WorkStore, run_id: int) -> Finalized:
    """Why a run cannot be held for finalizing."""
    run = work.run(run_id)
    if run is None or run.state is not RunState.RUNNING:
        return Finalized.OVER
    return Finalized.OPEN if work.open_batches(run_id) else Finalized.HELD


def _finalize(
    store: Store, prepared: Prepared, failures: Mapping[bytes, Failure], reader: "_Reader", progress: Progress
) -> Run:
    project = prepared.run.project
    known = load_known(store, project, anew=prepared.full)
    _check_base(store, prepared)
    unchanged = _unchanged(known, prepared)
    records = unchanged | {record.path: record for record in prepared.settled}
    records |= _of_sources(store, prepared.sources, failures)
    analyzed = {source.path for source in prepared.sources if source.key in prepared.fresh}
    found = counts(records.values(), unchanged=unchanged, analyzed=analyzed)
    reader.records = records
    scanned = Scanned(records, prepared.names, prepared.settings, prepared.epoch, reader.read, reader.identify)
    seconds = prepared.run.seconds | {"extract": round(max(0.0, time.time() - prepared.planned), 6)}
    moved = any(failure.moved for failure in failures.values())
    run = replace(
        prepared.run,
        token="" if moved else prepared.run.token,
        seconds=seconds,
        counts=found,
        cache_hit_rate=hit_rate(found),
    )
    return finalize(store, run, known, scanned, progress)


def _check_base(store: Store, prepared: Prepared) -> None:
    """The records that hold as they are hold for the graph that the plan was made against, and no other."""
    published = store.published(prepared.run.project)
    if (published.id if published else 0) != prepared.base:
        problem = "was planned against another graph than the published one"
        raise RunEnded(f"run {prepared.run.id}", problem, "scan again")


def _unchanged(known: Known, prepared: Prepared) -> dict[str, FileRecord]:
    gone = set(prepared.gone)
    kept = {path: record for path, record in known.records.items() if path not in gone}
    return kept | {record.path: record for record in prepared.restated}


def _of_sources(store: Store, sources: Collection[Source], failures: Mapping[bytes, Failure]) -> dict[str, FileRecord]:
    """The records of the files that waited for facts."""
    waiting: dict[bytes, list[Source]] = {}
    for source in sources:
        waiting.setdefault(source.key, []).append(source)
    records: dict[str, FileRecord] = {}
    for facts in store.facts([key for key in waiting if key not in failures], Part.IMPORTS | Part.INTERFACE):
        records.update((source.path, analyzed_record(source, facts)) for source in waiting.pop(facts.key))
    for key, left in waiting.items():
        reason = failures[key].reason if key in failures else "its facts were lost from the store"
        records.update((source.path, failed_record(source, reason)) for source in left)
    return records


class _Reader:
    """Manifests and other inputs of the graph. Nothing is believed that is not what the snapshot saw: a checkout of
    another commit is as good as none."""

    def __init__(self, store: Store, prepared: Prepared, contents: RunContents, *, trusted: bool) -> None:
        self.records: Mapping[str, FileRecord] = {}
        self._store = store
        self._oids = prepared.oids
        self._inputs = prepared.inputs
        self._contents = contents
        self._trusted = trusted

    def read(self, path: str) -> bytes | None:
        """The bytes of a manifest; None where they cannot be had by anybody."""
        try:
            return self._verified(path, MANIFEST_LIMIT)[0]
        except ContentError:
            return None

    def identify(self, paths: Collection[str]) -> dict[str, FileRecord]:
        """The records of files that have become inputs of the graph."""
        known = self._store.blobs([oid for oid in map(self._oid, paths) if oid])
        fresh: dict[str, Content] = {}
        records: dict[str, FileRecord] = {}
        for path in paths:
            oid = self._oid(path)
            content = self._inputs.get(path) or known.get(oid)
            try:
                if content is None:
                    content = self._verified(path, None)[1]
                    if oid:
                        fresh[oid] = content
                records[path] = input_record(path, content, oid)
            except ContentError as error:
                records[path] = unread_record(path, None, error.reason)
        self._store.put_blobs(fresh)
        return records

    def _oid(self, path: str) -> str:
        record = self.records.get(path)
        return (record.oid if record else "") or self._oids.get(path, "")

    def _verified(self, path: str, limit: int | None) -> tuple[bytes, Content]:
        """The bytes of a file and their identity. Raises ContentUnreachable for others than those of the snapshot."""
        oid = self._oid(path)
        data = self._contents.read(path, oid, limit)
        content, name = identify_bytes([data], len(data), _OBJECT_FORMATS.get(len(oid)))
        if not (self._trusted or (oid and name == oid) or content == self._expected(path)):
            raise ContentUnreachable(path)
        return data, content

    def _expected(self, path: str) -> Content | None:
        record = self.records.get(path)
        return record.content if record else self._inputs.get(path)
