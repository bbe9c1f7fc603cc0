"""The directed graph: edges as arrays, and the neighbours of each node. Knows no algorithm."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Nodes = npt.NDArray[np.int64]


# Below this many edges a plain loop over some nodes is faster than the dozen array operations that stand for it.
NARROW = 128


class Adjacency:
    """The neighbours of every node in one direction: compressed rows, each sorted, without doubles and self-loops."""

    def __init__(self, size: int, sources: npt.NDArray[np.integer[Any]], targets: npt.NDArray[np.integer[Any]]) -> None:
        # One number per edge: sorting those is several times as fast as sorting by two keys.
        shift = max(size - 1, 1).bit_length()
        keys = sources.astype(np.int64) << shift
        keys |= targets.astype(np.int64)
        keys = keys[sources != targets]
        keys.sort()
        if len(keys):
            keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
        self.offsets: Nodes = np.searchsorted(keys, np.arange(size + 1, dtype=np.int64) << shift).astype(np.int64)
        self.neighbours: npt.NDArray[np.int32] = (keys & ((1 << shift) - 1)).astype(np.int32)
        # Element by element, a memoryview is read several times as fast as an array.
        self._offsets = memoryview(self.offsets)  # type: ignore[arg-type]
        self._neighbours = memoryview(self.neighbours)

    def of(self, node: int) -> list[int]:
        """The neighbours of one node, sorted."""
        found: list[int] = self._neighbours[self._offsets[node] : self._offsets[node + 1]].tolist()
        return found

    @property
    def size(self) -> int:
        """The number of nodes."""
        return len(self.offsets) - 1

    def degree(self, node: int) -> int:
        """How many neighbours a node has."""
        return int(self._offsets[node + 1] - self._offsets[node])

    def is_narrow(self, nodes: Nodes | list[int]) -> bool:
        """Whether so few edges leave the nodes that a plain loop is the faster way to follow them."""
        return len(nodes) < NARROW and sum(map(self.degree, nodes)) < NARROW

    def of_all(self, nodes: Nodes) -> tuple[npt.NDArray[np.int32], Nodes]:
        """The neighbours of many nodes, one row after the other, and the length of each row."""
        begins = self.offsets[nodes]
        lengths = self.offsets[nodes + 1] - begins
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        places = np.arange(total, dtype=np.int64) + np.repeat(begins - ends + lengths, lengths)
        return self.neighbours[places], lengths


@dataclass(frozen=True, eq=False)
class Digraph:
    """A directed graph over the nodes 0 to size - 1; edge i leads from `sources[i]` to `targets[i]`.

    The arrays must not be changed afterwards. Self-loops and repeated edges are allowed and mean nothing.
    Raises ValueError if the arrays differ in length or name a node that is not there.
    """

    size: int
    sources: npt.NDArray[np.integer[Any]]
    targets: npt.NDArray[np.integer[Any]]

    def __post_init__(self) -> None:
        if len(self.sources) != len(self.targets):
            raise ValueError(f"{len(self.sources)} sources and {len(self.targets)} targets")
        for ends in (self.sources, self.targets):
            if len(ends) and not 0 <= int(ends.min()) <= int(ends.max()) < self.size:
                raise ValueError(f"an edge has an end outside 0 to {self.size - 1}")

    @cached_property
    def forward(self) -> Adjacency:
        """From each node to what it depends on."""
        return Adjacency(self.size, self.sources, self.targets)

    @cached_property
    def backward(self) -> Adjacency:
        """From each node to what depends on it."""
        return Adjacency(self.size, self.targets, self.sources)

    def nodes(self, nodes: Iterable[int]) -> Nodes:
        """Some nodes as an array, sorted, each once. Raises ValueError for one that is not there."""
        given = nodes if isinstance(nodes, np.ndarray) else np.fromiter(nodes, dtype=np.int64)
        found = np.unique(given).astype(np.int64)
        if len(found) and not 0 <= found[0] <= found[-1] < self.size:
            raise ValueError(f"a node is outside 0 to {self.size - 1}")
        return found


def induced(graph: Digraph, nodes: Nodes) -> Digraph:
    """The graph between some nodes (sorted); its node i is `nodes[i]`."""
    if len(nodes) == graph.size:
        return graph
    number = np.full(graph.size, -1, dtype=np.int64)
    number[nodes] = np.arange(len(nodes))
    sources, targets = number[graph.sources], number[graph.targets]
    inside = (sources >= 0) & (targets >= 0)
    return Digraph(len(nodes), sources[inside], targets[inside])
