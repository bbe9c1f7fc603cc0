"""What differs between two published graphs of one project, as values."""

from dataclasses import dataclass
from enum import StrEnum

from weft_storage.model.edges import Edge, Outside
from weft_storage.model.files import ChangeKind
from weft_storage.model.languages import Family


class ComponentChangeKind(StrEnum):
    """What became of a cyclic component."""

    APPEARED = "appeared"
    CHANGED = "changed"
    GREW = "grew"
    MERGED = "merged"
    SHRANK = "shrank"
    SPLIT = "split"
    VANISHED = "vanished"


@dataclass(frozen=True, slots=True)
class ComponentChange:
    """How one component differs between two runs.

    `joined` and `left` are members, `others` the ids of the components that it took in or fell into. `made_by` are the
    edges within the component now that were not there before (each lies on a cycle), `ended_by` those within the
    component of before that are gone.
    """

    id: int
    kind: ComponentChangeKind
    members: tuple[str, ...]
    joined: tuple[str, ...]
    left: tuple[str, ...]
    others: tuple[int, ...]
    made_by: tuple[Edge, ...]
    ended_by: tuple[Edge, ...]


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """A package outside the repository that files of a language family import."""

    family: Family
    name: str


@dataclass(frozen=True, slots=True)
class GraphDiff:
    """What differs between two graphs, everything sorted. Edges are told apart by importer, imported and kind."""

    files: dict[str, ChangeKind]
    added_edges: tuple[Edge, ...]
    removed_edges: tuple[Edge, ...]
    added_packages: tuple[Package, ...]
    removed_packages: tuple[Package, ...]
    added_unresolved: tuple[Outside, ...]
    removed_unresolved: tuple[Outside, ...]
    components: tuple[ComponentChange, ...]
