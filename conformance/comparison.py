"""The comparison: Weft's pairs against an authority's, each difference adjudicated. Knows no language and no corpus."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from conformance.base import Answers, Authority, Difference, Evidence, Finding, Pair, Side
from conformance.graphs import WeftGraph
from conformance.register import DifferenceClass, Right
from weft_storage.model.edges import Edge


@dataclass(frozen=True, slots=True)
class Adjudicated:
    """A difference, and the first class of the register that it is of; None where nothing explains it."""

    difference: Difference
    of_class: DifferenceClass | None

    @property
    def agrees(self) -> bool:
        """Whether the register says that Weft is right."""
        return self.of_class is not None and self.of_class.right is Right.WEFT


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome for one authority on one corpus. The figures are those of `conformance.base`."""

    authority: str
    version: str
    files: int
    unread: int
    agreed: int
    differences: tuple[Adjudicated, ...]

    @property
    def edges(self) -> int:
        """Pairs of Weft that the authority speaks of."""
        return self.agreed + len(self._of(Side.EXTRA))

    @property
    def raw_precision(self) -> float:
        return _ratio(self.agreed, self.edges)

    @property
    def raw_recall(self) -> float:
        return _ratio(self.agreed, self.agreed + len(self._of(Side.MISSING)))

    @property
    def precision(self) -> float:
        return _ratio(self._true, self.edges)

    @property
    def recall(self) -> float:
        wrong = sum(not each.agrees for each in self._of(Side.MISSING))
        return _ratio(self._true, self._true + wrong)

    @property
    def _true(self) -> int:
        return self.agreed + sum(each.agrees for each in self._of(Side.EXTRA))

    @property
    def classes(self) -> dict[str, int]:
        """How many differences each class explains."""
        return dict(sorted(Counter(each.of_class.id for each in self.differences if each.of_class).items()))

    @property
    def unexplained(self) -> list[Difference]:
        return [each.difference for each in self.differences if each.of_class is None]

    def named(self, name: str) -> "Comparison":
        """The same with a name before every importer."""
        return replace(self, differences=tuple(_named(each, name) for each in self.differences))

    def _of(self, side: Side) -> list[Adjudicated]:
        return [each for each in self.differences if each.difference.side is side]


def compare(authority: Authority, root: str, graph: WeftGraph, classes: Sequence[DifferenceClass]) -> Comparison:
    """Ask the authority about the folder, compare, and adjudicate every difference."""
    answers = authority.answers(root, graph)
    evidence = Evidence(root, graph, answers)
    ours = _pairs(authority, answers, graph.edges if answers.restated is None else answers.restated)
    found = sorted(_differences(ours, answers), key=lambda each: (each.importer, each.imported))
    mine = [each for each in classes if authority.name in each.authorities]
    return Comparison(
        authority=authority.name,
        version=authority.version(),
        files=len(answers.scopes),
        unread=len(answers.unread),
        agreed=sum(pair in answers.pairs for pair in ours),
        differences=tuple(Adjudicated(each, _class_of(each, evidence, mine)) for each in found),
    )


def joined(parts: Sequence[Comparison]) -> Comparison:
    """Comparisons of one authority on several corpora, as one."""
    return replace(
        parts[0],
        files=sum(each.files for each in parts),
        unread=sum(each.unread for each in parts),
        agreed=sum(each.agreed for each in parts),
        differences=tuple(difference for each in parts for difference in each.differences),
    )


def impossible(root: str, graph: WeftGraph, suffixes: tuple[str, ...]) -> list[Finding]:
    """Edges to what does not exist in the folder."""
    edges = (edge for edge in graph.edges if edge.importer.endswith(suffixes))
    return [
        Finding(edge.importer, edge.imported, edge.line, "does not exist")
        for edge in edges
        if not Path(root, edge.imported).exists()
    ]


def _named(each: Adjudicated, name: str) -> Adjudicated:
    difference = each.difference
    return replace(each, difference=replace(difference, importer=f"{name}: {difference.importer}"))


def _pairs(authority: Authority, answers: Answers, edges: Iterable[Edge]) -> dict[Pair, Edge]:
    """Weft's pairs that the authority speaks of, each with its first edge."""
    found: dict[Pair, Edge] = {}
    for edge in edges:
        pair = authority.pair_of(edge)
        if pair is not None and pair[0] != pair[1] and answers.covers(pair):
            found.setdefault(pair, edge)
    return found


def _differences(ours: dict[Pair, Edge], answers: Answers) -> Iterable[Difference]:
    for (importer, imported), edge in ours.items():
        if (importer, imported) not in answers.pairs:
            yield Difference(importer, imported, Side.EXTRA, edge.line, edge)
    for (importer, imported), line in answers.pairs.items():
        if (importer, imported) not in ours and importer != imported and answers.covers((importer, imported)):
            yield Difference(importer, imported, Side.MISSING, line)


def _class_of(difference: Difference, evidence: Evidence, classes: Sequence[DifferenceClass]) -> DifferenceClass | None:
    return next((each for each in classes if each.side is difference.side and each.holds(difference, evidence)), None)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
