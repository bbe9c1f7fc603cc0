"""States: named blobs that live with a published graph, what a later run must know beside files and edges."""

import json
import zlib
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import msgspec

from weft_storage.model.files import ChangeKind
from weft_storage.model.languages import Family

T = TypeVar("T", bound=msgspec.Struct)


class Names(msgspec.Struct, frozen=True):
    """State `names`: every path of the snapshot, sorted, and its links."""

    paths: tuple[str, ...] = ()
    links: dict[str, str] = {}


class ProjectInputs(msgspec.Struct, frozen=True):
    """What one family's project was built from, and the problems (path, sentence) that it met."""

    manifests: tuple[str, ...] = ()
    reads_interfaces: bool = False
    problems: tuple[tuple[str, str], ...] = ()


class Inputs(msgspec.Struct, frozen=True):
    """State `inputs`: what resolution depended on beside names.

    `epoch` identifies everything that bears on all resolutions (settings, versions of resolvers, links). `answers`
    are the digests of all answers of projects that some importer used, by key. `escapes` are the imports that name
    files outside of the repository: sentences by importer.
    """

    epoch: str = ""
    answers: dict[str, bytes] = {}
    projects: dict[Family, ProjectInputs] = {}
    escapes: dict[str, tuple[str, ...]] = {}


class CauseKind(StrEnum):
    """Why a file is affected although neither it nor what it depends on in the repository changed.

    Its imports lead elsewhere, because a path that they ask for CAME or WENT, the INTERFACE of a file on the way or a
    MANIFEST is another, or the SETTINGS are. Or a PACKAGE from outside moved; one of an UNKNOWN name may have moved;
    or it cannot be told what did, because a LOCKFILE cannot be read.
    """

    CAME = "came"
    WENT = "went"
    INTERFACE = "interface"
    MANIFEST = "manifest"
    SETTINGS = "settings"
    PACKAGE = "package"
    UNKNOWN = "unknown"
    LOCKFILE = "lockfile"


class Cause(msgspec.Struct, frozen=True, array_like=True, order=True):
    """What affected a file. `path` is the file that tells: the one that came or went, the manifest, the lockfile.

    `package` moved from version `before` to `after` ("" where there was or is none; equal where only its content is
    another); `through` are the packages that lead to it, beginning with the one that the file imports.
    """

    kind: CauseKind
    path: str = ""
    package: str = ""
    before: str = ""
    after: str = ""
    through: tuple[str, ...] = ()


class AffectedFile(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A file that a run affected: changed itself (`change`), resolved anew to other edges, an importer of a package
    that moved (both have a `cause`), or a dependent of such."""

    path: str
    change: ChangeKind | None = None
    resolved_anew: bool = False
    cause: Cause | None = None

    @property
    def is_seed(self) -> bool:
        """Whether the file is affected by itself, not by what it depends on in the repository."""
        return self.change is not None or self.resolved_anew or self.cause is not None


class Affected(msgspec.Struct, frozen=True):
    """State `affected`: the files that the last run affected, sorted; `weak` those reached only over weak edges."""

    files: tuple[AffectedFile, ...] = ()
    weak: tuple[AffectedFile, ...] = ()


class Components(msgspec.Struct, frozen=True):
    """State `components`: members of each cyclic component, sorted; type-only edges count."""

    components: tuple[tuple[str, ...], ...] = ()


class Tracked(msgspec.Struct, frozen=True, array_like=True):
    """A component with its identity within the project, the run it is there since, and how many members it may have.

    `accepted` is 0 for one that came after the project's first run and was not accepted since.
    """

    id: int
    since: int
    accepted: int
    members: tuple[str, ...]


class Lineage(msgspec.Struct, frozen=True):
    """State `lineage`: the components of the last complete run, sorted by their first members; unlike all other states
    it depends on the runs before. `next_id` is 0 where no run has recorded one.
    """

    next_id: int = 0
    components: tuple[Tracked, ...] = ()


STATE_NAMES: Mapping[type[msgspec.Struct], str] = {
    Names: "names",
    Inputs: "inputs",
    Affected: "affected",
    Components: "components",
    Lineage: "lineage",
}


def encode_state(state: msgspec.Struct) -> bytes:
    """A state as it is stored: JSON, because paths may hold any bytes and only JSON can escape those."""
    return zlib.compress(json.dumps(msgspec.to_builtins(state), separators=(",", ":")).encode(), 1)


def decode_state(payload: bytes | None, kind: type[T]) -> T:
    """The state that was stored; an empty one where there was none."""
    if payload is None:
        return kind()
    return msgspec.convert(json.loads(zlib.decompress(payload)), kind)
