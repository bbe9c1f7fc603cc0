"""Heights: how far each node of a graph stands above those that depend on nothing. Knows no components."""

import numpy as np
import numpy.typing as npt

from weft_tasks.graph.digraph import Adjacency, Nodes

Heights = npt.NDArray[np.int64]


def heights(dependents: Adjacency, weights: Heights | None = None) -> Heights:
    """The greatest weight of a way down from each node, itself not counted; -1 for nodes on a cycle or above one.

    `dependents` leads from each node to what depends on it. Without weights every node weighs 1: a node stands one
    above the highest that it depends on. Kahn's algorithm, with waves of nodes instead of a queue.
    """
    if weights is None:
        weights = np.ones(dependents.size, dtype=np.int64)
    waiting_for = np.bincount(dependents.neighbours, minlength=dependents.size).astype(np.int64)
    found = np.zeros(dependents.size, dtype=np.int64)
    wave: Nodes | list[int] = np.flatnonzero(waiting_for == 0)
    while len(wave):
        if dependents.is_narrow(wave):
            wave = _narrow_wave(dependents, list(map(int, wave)), weights, waiting_for, found)
        else:
            wave = _wide_wave(dependents, np.asarray(wave, dtype=np.int64), weights, waiting_for, found)
    found[waiting_for > 0] = -1
    return found


def _narrow_wave(
    dependents: Adjacency, wave: list[int], weights: Heights, waiting_for: Heights, found: Heights
) -> Nodes | list[int]:
    weight, waiting, height = memoryview(weights), memoryview(waiting_for), memoryview(found)  # type: ignore[arg-type]
    following = []
    for node in wave:
        above = height[node] + weight[node]
        for dependent in dependents.of(node):
            if height[dependent] < above:
                height[dependent] = above
            waiting[dependent] -= 1
            if not waiting[dependent]:
                following.append(dependent)
    return following


def _wide_wave(
    dependents: Adjacency, wave: Nodes, weights: Heights, waiting_for: Heights, found: Heights
) -> Nodes | list[int]:
    above, lengths = dependents.of_all(wave)
    np.maximum.at(found, above, np.repeat(found[wave] + weights[wave], lengths))
    np.subtract.at(waiting_for, above, 1)
    freed = above[waiting_for[above] == 0]
    return np.unique(freed).astype(np.int64)
