"""States: named blobs that live with a published graph, what a later run must know beside files and edges."""

import json
import zlib
from collections.abc import Mapping
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


class AffectedFile(msgspec.Struct, frozen=True, array_like=True, order=True):
    """A file that a run affected: changed itself (`change`), resolved anew to other edges, or a dependent of such."""

    path: str
    change: ChangeKind | None = None
    resolved_anew: bool = False


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
