"""Runs: one analysis of one project, from its beginning to what it published."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from weft_storage.model.edges import Edge, Outside
from weft_storage.model.files import FileRecord


class RunState(StrEnum):
    """Where a run is. Only PUBLISHED and INCOMPLETE ones have a graph; INCOMPLETE names the files that failed."""

    RUNNING = "running"
    PUBLISHED = "published"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def has_graph(self) -> bool:
        """Whether a run in this state has published one."""
        return self in (RunState.PUBLISHED, RunState.INCOMPLETE)


class Problem(msgspec.Struct, frozen=True, order=True):
    """Something in the repository that a person should know: `path` and one sentence."""

    path: str
    message: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Times are seconds since the epoch (UTC); `seconds` are per phase.

    `token` is the identity of snapshot, settings and program: equal tokens, equal graphs. `revision` is the commit
    that was read or that the work tree stands on, empty outside git. `coverage` counts imports per language and
    status.
    """

    id: int = 0
    project: str
    root: str = ""
    revision: str = ""
    rev_argument: str = ""
    state: RunState = RunState.RUNNING
    token: str = ""
    started: float = 0.0
    finished: float = 0.0
    counts: dict[str, int] = {}
    edges: int = 0
    unresolved: int = 0
    affected: int = 0
    components: int = 0
    cache_hit_rate: float = 0.0
    seconds: dict[str, float] = {}
    coverage: dict[str, dict[str, int]] = {}
    problems: tuple[Problem, ...] = ()
    error: str = ""
    host: str = ""
    pid: int = 0
    version: str = ""


class StoredFacts(msgspec.Struct, frozen=True, gc=False):
    """Facts of one content, encoded by the extractor: `key` is their identity (16 bytes), the parts are msgpack.

    They stay bytes until somebody needs them: imports to resolve, declarations to show, interfaces to be asked.
    """

    key: bytes
    imports: bytes
    declarations: bytes
    interface: bytes
    problems: tuple[str, ...] = ()


class ImporterRow(msgspec.Struct, frozen=True, gc=False):
    """All that one file imports. `edges` and `outside` are sorted; `reads` are 32-bit hashes of index keys, sorted."""

    importer: str
    edges: tuple[Edge, ...] = ()
    outside: tuple[Outside, ...] = ()
    reads: bytes = b""


@dataclass(frozen=True, slots=True)
class StoredGraph:
    """The graph as numbers: edge i leads from `paths[importers[i]]` to `paths[imported[i]]`, of kind `KINDS[kinds[i]]`.

    `importers` and `imported` are native unsigned 32-bit arrays, `kinds` bytes. `paths` are sorted, each an end of an
    edge. Edges are sorted by (importer, imported, kind).
    """

    paths: tuple[str, ...]
    importers: bytes
    imported: bytes
    kinds: bytes


@dataclass(frozen=True, slots=True)
class Publication:
    """What a run changes in the published graph of its project; whatever it does not name stays.

    `states` are named blobs that live with the graph (answers, manifests, components, affected, …).
    """

    run: Run
    files: Iterable[FileRecord] = ()
    removed_files: Iterable[str] = ()
    rows: Iterable[ImporterRow] = ()
    removed_rows: Iterable[str] = ()
    states: Mapping[str, bytes] = field(default_factory=dict)
