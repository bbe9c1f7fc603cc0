"""The graph of files as numbers, before and after a run. Knows kinds and units, no store and no algorithm."""

from array import array
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from weft_storage.backends.base import KINDS
from weft_storage.model.edges import Edge
from weft_storage.model.facts import WEAK_KINDS, EdgeKind
from weft_storage.model.languages import unit_of
from weft_storage.model.paths import parent
from weft_storage.model.runs import ImporterRow, StoredGraph
from weft_tasks.graph import Digraph

Ids = npt.NDArray[np.uint32]

_NUMBER = {kind: number for number, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class FileGraph:
    """Edges between files as parallel arrays: `names[importers[i]]` -> `names[imported[i]]`, kind `KINDS[kinds[i]]`."""

    names: tuple[str, ...]
    importers: Ids
    imported: Ids
    kinds: npt.NDArray[np.uint8]


def from_stored(stored: StoredGraph) -> FileGraph:
    """A graph as the store has it."""
    return FileGraph(
        stored.paths,
        np.frombuffer(stored.importers, np.uint32),
        np.frombuffer(stored.imported, np.uint32),
        np.frombuffer(stored.kinds, np.uint8),
    )


def from_rows(rows: Iterable[ImporterRow]) -> FileGraph:
    """The graph of the edges of some importers."""
    ids: dict[str, int] = {}
    importers, imported, kinds = array("I"), array("I"), array("B")
    for row in rows:
        for edge in row.edges:
            importers.append(ids.setdefault(edge.importer, len(ids)))
            imported.append(ids.setdefault(edge.imported, len(ids)))
            kinds.append(_NUMBER[edge.kind])
    return FileGraph(
        tuple(ids),
        np.frombuffer(importers.tobytes(), np.uint32),
        np.frombuffer(imported.tobytes(), np.uint32),
        np.frombuffer(kinds.tobytes(), np.uint8),
    )


def without(graph: FileGraph, importers: Collection[str]) -> FileGraph:
    """The graph less all edges of some importers."""
    dropped = np.array([name in importers for name in graph.names], dtype=bool)
    kept = ~dropped[graph.importers] if len(graph.names) else np.zeros(0, dtype=bool)
    return FileGraph(graph.names, graph.importers[kept], graph.imported[kept], graph.kinds[kept])


def union(first: FileGraph, second: FileGraph) -> FileGraph:
    """The edges of both."""
    ids = {name: number for number, name in enumerate(first.names)}
    renumbered = np.array([ids.setdefault(name, len(ids)) for name in second.names], dtype=np.uint32)
    if not len(second.importers):
        return FileGraph(tuple(ids), first.importers, first.imported, first.kinds)
    return FileGraph(
        tuple(ids),
        np.concatenate([first.importers, renumbered[second.importers]]),
        np.concatenate([first.imported, renumbered[second.imported]]),
        np.concatenate([first.kinds, second.kinds]),
    )


def imported_unit(edge: Edge) -> str:
    """The unit that an edge leads to. All but an asset are units already, also a Go package in a folder `nats.go`."""
    return unit_of(edge.imported) if edge.kind is EdgeKind.ASSET else edge.imported


@dataclass(frozen=True, slots=True)
class UnitGraph:
    """The graph of units: a Go package's files are one node, every other file is its own."""

    digraph: Digraph
    units: tuple[str, ...]
    ids: dict[str, int]

    def of(self, files: Iterable[str]) -> list[int]:
        """Nodes of the units of some files, sorted; files without a node have no edges."""
        return self.of_units(map(unit_of, files))

    def of_units(self, units: Iterable[str]) -> list[int]:
        """Nodes of some units, sorted."""
        found = {self.ids.get(unit) for unit in units}
        return sorted(node for node in found if node is not None)


def unit_graph(graph: FileGraph, kinds: Collection[EdgeKind], files: Iterable[str] = ()) -> UnitGraph:
    """The units of a graph, over edges of the given kinds, as nodes in the order of their names.

    A Go test file also depends on its own package, which its text does not say: `files` names the files to
    look for those among (and to have nodes without any edge).
    """
    files = list(files)
    targets_of_imports = set(np.unique(graph.imported[graph.kinds != _NUMBER[EdgeKind.ASSET]]).tolist())
    unit_names = [name if node in targets_of_imports else unit_of(name) for node, name in enumerate(graph.names)]
    units = sorted({*unit_names, *map(unit_of, files)})
    ids = {unit: number for number, unit in enumerate(units)}
    nodes = np.array([ids[unit] for unit in unit_names], dtype=np.int64)
    wanted = np.isin(graph.kinds, [_NUMBER[kind] for kind in kinds])
    sources, targets = nodes[graph.importers[wanted]], nodes[graph.imported[wanted]]
    tests = _own_packages(files, ids) if EdgeKind.TEST in kinds else []
    if tests:
        added = np.array(tests, dtype=np.int64)
        sources, targets = np.concatenate([sources, added[:, 0]]), np.concatenate([targets, added[:, 1]])
    apart = sources != targets
    return UnitGraph(Digraph(len(units), sources[apart], targets[apart]), tuple(units), ids)


def _own_packages(files: Sequence[str], ids: dict[str, int]) -> list[tuple[int, int]]:
    packages = {unit_of(file) for file in files if file.endswith(".go")}
    return [
        (ids[file], ids[parent(file) or "."])
        for file in files
        if file.endswith("_test.go") and (parent(file) or ".") in packages
    ]


STRONG_KINDS = frozenset(EdgeKind) - WEAK_KINDS
ALL_KINDS = frozenset(EdgeKind)
