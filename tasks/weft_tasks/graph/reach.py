"""Breadth-first reach over a graph. Knows nothing of files or storage."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from weft_tasks.graph.digraph import Adjacency, Digraph, Nodes


def reach(graph: Digraph, starts: Iterable[int], *, reverse: bool = False, depth: int | None = None) -> Nodes:
    """The starts and all that they depend on, sorted; with `reverse`, all that depends on them.

    `depth` is how many edges a way there may have at most; None for any number.
    """
    adjacency = graph.backward if reverse else graph.forward
    return np.flatnonzero(distances(adjacency, graph.nodes(starts), depth=depth) >= 0)


def distances(
    adjacency: Adjacency, starts: Nodes, *, depth: int | None = None, goal: int | None = None
) -> npt.NDArray[np.int32]:
    """Per node the number of edges on a shortest way to it from a start, -1 where there is none.

    Ends with the wave that reaches `goal`: nodes farther away have -1 too.
    """
    found = np.full(adjacency.size, -1, dtype=np.int32)
    found[starts] = 0
    wave: Nodes | list[int] = starts
    distance = 0
    while len(wave) and distance != depth and (goal is None or found[goal] < 0):
        distance += 1
        if adjacency.is_narrow(wave):
            wave = _narrow_wave(adjacency, list(map(int, wave)), found, distance)
        else:
            wave = _wide_wave(adjacency, np.asarray(wave, dtype=np.int64), found, distance)
    return found


def _narrow_wave(
    adjacency: Adjacency, wave: list[int], found: npt.NDArray[np.int32], distance: int
) -> Nodes | list[int]:
    reached = memoryview(found)  # type: ignore[arg-type]
    following = []
    for node in wave:
        for neighbour in adjacency.of(node):
            if reached[neighbour] < 0:
                reached[neighbour] = distance
                following.append(neighbour)
    return following


def _wide_wave(adjacency: Adjacency, wave: Nodes, found: npt.NDArray[np.int32], distance: int) -> Nodes | list[int]:
    neighbours, _ = adjacency.of_all(wave)
    fresh = neighbours[found[neighbours] < 0]
    # Of equal nodes one stays: each writes its place, the last one written finds itself there.
    found[fresh] = np.arange(len(fresh), dtype=np.int32)
    following: Nodes = fresh[found[fresh] == np.arange(len(fresh), dtype=np.int32)].astype(np.int64)
    found[fresh] = distance
    return following
