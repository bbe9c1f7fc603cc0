"""What rows hold of an importer's edges and other imports, in which order. Knows no packing and no database."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from weft_storage.backends.base import KINDS
from weft_storage.model.edges import Edge, Outside, Status
from weft_storage.model.facts import EdgeKind
from weft_storage.model.runs import ImporterRow

KIND_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}
"""The numbers of kinds in stored graphs."""


class DetailRow(msgspec.Struct, array_like=True, gc=False):
    """What else there is to say of an edge, as `detail_rows` has it."""

    line: int
    specifier: str
    names: tuple[str, ...]
    ambiguous: bool


class OutsideRow(msgspec.Struct, array_like=True, gc=False):
    """An import that leads to nothing in the repository, as `outside_rows` has it."""

    line: int
    specifier: str
    status: Status
    kind: EdgeKind
    names: tuple[str, ...]
    package: str
    probed: tuple[str, ...]


def detail_rows(row: ImporterRow) -> list[tuple[Any, ...]]:
    """What else there is to say of an importer's edges than where they lead, in their order."""
    return [(edge.line, edge.specifier, edge.names, edge.ambiguous) for edge in row.edges]


def edges_of(
    importer: str,
    targets: Iterable[int],
    kinds: Iterable[int],
    details: Iterable[DetailRow],
    paths: Mapping[int, str],
) -> list[Edge]:
    """The edges of an importer, sorted; `paths` names all targets. Raises ValueError, KeyError or IndexError for
    rows that do not belong together."""
    found = [
        Edge(importer, paths[target], KINDS[kind], detail.line, detail.specifier, detail.names, detail.ambiguous)
        for target, kind, detail in zip(targets, kinds, details, strict=True)
    ]
    return sorted(found)


def outside_rows(row: ImporterRow) -> list[tuple[Any, ...]]:
    """Imports of an importer that lead to nothing in the repository."""
    return [
        (each.line, each.specifier, each.status, each.kind, each.names, each.package, each.probed)
        for each in row.outside
    ]


def outside_of(importer: str, rows: Iterable[OutsideRow]) -> list[Outside]:
    """The imports of an importer that `outside_rows` gave, sorted."""
    found = [
        Outside(importer, row.line, row.specifier, row.status, row.kind, row.names, row.package, row.probed)
        for row in rows
    ]
    return sorted(found)
