"""The seams of conformance: what an authority answers, what a difference is. Knows no language and no corpus.

A *pair* is (importer, imported), both paths in the repository. An authority speaks of some pairs only: of importers
that it could read, of edges of some kinds. The comparison is between

    W   the pairs of Weft's edges of which the authority can speak (`Authority.pair_of`, `Answers.covers`)
    A   the authority's pairs

Each difference, in W alone or in A alone, is looked up in the register. Where its class says that Weft is right, a
pair of W counts as agreement and one of A is struck out; any other, explained or not, counts against Weft:

    precision = |W ∩ T| / |W|      recall = |W ∩ T| / |T|      T = A, plus and minus what the register corrects
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from conformance.graphs import WeftGraph
from weft_storage.model.edges import Edge
from weft_storage.model.errors import WeftError

Pair: TypeAlias = tuple[str, str]


class ConformanceError(WeftError):
    """A comparison cannot be made here."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What an authority says of one repository.

    `pairs` have the line of the import where the authority tells it, else 0. `scopes` are the importers that it read,
    each with the files that it could lead to: None for all. `unread` are importers that it could not answer for,
    with the reason. `external` are (importer, specifier) that it says lead out of the repository, where it tells.
    """

    pairs: Mapping[Pair, int]
    scopes: Mapping[str, frozenset[str] | None]
    unread: Mapping[str, str] = field(default_factory=dict)
    external: frozenset[Pair] = frozenset()
    restated: tuple[Edge, ...] | None = None
    """Weft's side in the authority's terms, where those are no edges of the graph: what a root reaches, for one."""

    def covers(self, pair: Pair) -> bool:
        """Whether the authority speaks of a pair at all."""
        importer, imported = pair
        if importer not in self.scopes:
            return False
        scope = self.scopes[importer]
        return scope is None or imported in scope


class Authority(Protocol):
    """A tool that says where the imports of one language lead."""

    @property
    def name(self) -> str: ...

    def version(self) -> str:
        """Its version; installs it where it is missing. Raises `ConformanceError` that says what to install."""

    def answers(self, root: str, graph: WeftGraph) -> Answers:
        """What it says of the folder `root`, which it leaves as it was. `graph` only tells which files there are."""

    def pair_of(self, edge: Edge) -> Pair | None:
        """The pair that an edge of Weft is, None for edges of kinds that the authority does not have."""


class Side(StrEnum):
    """Who alone has a pair."""

    EXTRA = "weft only"
    MISSING = "authority only"


@dataclass(frozen=True, slots=True)
class Difference:
    """A pair that one side has alone. `edge` is Weft's for EXTRA; `line` is 0 where nobody tells it."""

    importer: str
    imported: str
    side: Side
    line: int
    edge: Edge | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a predicate may look at: the exported folder, both sides' answers."""

    root: str
    graph: WeftGraph
    answers: Answers


# Whether a difference is of a class: narrow, or it would hide errors.
Predicate: TypeAlias = Callable[[Difference, Evidence], bool]


@dataclass(frozen=True, slots=True)
class Finding:
    """An edge that must not be, whatever an authority says."""

    importer: str
    imported: str
    line: int
    problem: str


class LanguageConformance(Protocol):
    """What the package of a language offers (as a module's names)."""

    SUFFIXES: tuple[str, ...]
    AUTHORITIES: Sequence[Authority]
    PREDICATES: Mapping[str, Predicate]

    def findings(self, root: str, graph: WeftGraph) -> Iterable[Finding]:
        """Packages from outside that became files of the repository, told without an authority."""
