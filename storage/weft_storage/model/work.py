"""Work: what a run has to do, cut into pieces that any process can carry out. Values only."""

import json
import zlib
from enum import StrEnum

import msgspec

from weft_storage.model.files import Content, FileRecord
from weft_storage.model.languages import Language
from weft_storage.model.runs import Run
from weft_storage.model.settings import Settings
from weft_storage.model.states import Names


class Job(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One content to extract: `key` is that of its facts; the first `path` that has it stands for all.

    `oid` is git's name for the content (hex), empty where git does not know it.
    """

    key: bytes
    path: str
    language: Language
    content: Content
    oid: str = ""


class Source(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A source file with its identity in this snapshot; `oid` is git's, empty where git does not vouch."""

    path: str
    language: Language
    content: Content
    oid: str
    key: bytes


class Failure(msgspec.Struct, frozen=True, array_like=True):
    """Why a job has no facts. `poison`: the content itself is to blame. `moved`: the file no longer had the content
    of the snapshot, so it was not extracted."""

    key: bytes
    path: str
    reason: str
    poison: bool = False
    moved: bool = False


class Limits(msgspec.Struct, frozen=True, array_like=True):
    """What one file may take: `memory` bytes of address space (0: no limit), `timeout` seconds."""

    memory: int = 2 << 30
    timeout: float = 30.0


class Terms(msgspec.Struct, frozen=True):
    """What holds for all batches of a run: `fingerprint` identifies the program that may carry them out, `lease` is for
    how many seconds a claim holds, `queue` the base name of the queue they are sent to."""

    project: str
    fingerprint: str
    queue: str
    limits: Limits
    lease: float


class Prepared(msgspec.Struct, frozen=True):
    """All that finalizing a run needs beside facts, in the words of the snapshot.

    `base` is the run whose graph was the published one (0: none). Of its records those hold as they are that are
    neither `gone` (or to be made anew) nor `restated` (the same content, named otherwise by git). `settled` records
    need no facts; `sources` wait for facts; of these, `fresh` are the keys that this run extracts.
    `oids` are git's names of all other files, `inputs` the identities of those that are known beforehand. `looks`
    counts how often files were looked at again that had changed since the snapshot; `planned` is the time (seconds
    since the epoch) at which extraction could begin.
    """

    run: Run
    full: bool
    epoch: str
    settings: Settings
    base: int
    names: Names
    gone: tuple[str, ...]
    restated: tuple[FileRecord, ...]
    settled: tuple[FileRecord, ...]
    sources: tuple[Source, ...]
    fresh: frozenset[bytes]
    oids: dict[str, str] = {}
    inputs: dict[str, Content] = {}
    looks: int = 0
    planned: float = 0.0


class NewBatch(msgspec.Struct, frozen=True):
    """Jobs that are carried out together. `pack` holds their contents where workers cannot be expected to reach them:
    a compressed msgpack map from keys to bytes."""

    jobs: tuple[Job, ...]
    pack: bytes | None = None


class Claim(msgspec.Struct, frozen=True):
    """A batch in the hands of one process. `attempt` counts from 1 and fences: a later claim makes this one void.

    `tries` counts this claim and those before it that were in vain for a reason of the batch: it did not wait.
    """

    run_id: int
    number: int
    attempt: int
    terms: Terms
    jobs: tuple[Job, ...]
    pack: bytes | None = None
    tries: int = 1


class BatchState(StrEnum):
    """Where a batch is. SPLIT ones live on in others; WAITING ones need a pack of contents before anybody can go on."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    SPLIT = "split"


class WorkProgress(msgspec.Struct, frozen=True):
    """How far the batches of a run are. Counts of batches, files and bytes (of sources); `workers` names all that hold
    or held a batch; `idle` seconds have passed since anything moved."""

    batches: int
    open_batches: int
    running: int
    waiting: int
    files: int
    files_done: int
    size: int
    size_done: int
    retried: int
    failures: int
    workers: tuple[str, ...]
    idle: float


class WorkerRecord(msgspec.Struct, frozen=True):
    """A worker as it reports itself: `name` is host:pid, `age` the seconds since it did so last.

    `reaches` are the projects whose contents it can read by itself: `git:NAME` from a repository, `mount:NAME` from a
    checkout.
    """

    name: str
    fingerprint: str
    queues: tuple[str, ...]
    slots: int
    version: str
    reaches: tuple[str, ...] = ()
    age: float = 0.0


def encode_prepared(prepared: Prepared) -> bytes:
    """A prepared run as it is stored: compressed JSON, for paths may hold any bytes and only JSON can escape those."""
    try:
        body = msgspec.json.encode(prepared)
    except UnicodeEncodeError:
        body = json.dumps(msgspec.to_builtins(prepared), separators=(",", ":")).encode()
    return zlib.compress(body, 1)


def decode_prepared(payload: bytes) -> Prepared:
    """The prepared run that `encode_prepared` wrote. Raises `ValueError` for anything else."""
    try:
        body = zlib.decompress(payload)
        try:
            return msgspec.json.decode(body, type=Prepared)
        except msgspec.DecodeError:
            return msgspec.convert(json.loads(body), Prepared)
    except (zlib.error, msgspec.ValidationError) as error:
        raise ValueError(str(error)) from error
