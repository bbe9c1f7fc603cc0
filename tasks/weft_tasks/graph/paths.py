"""Short ways through a graph: from one node to another, and around a component. Knows nothing of levels."""

from collections.abc import Collection, Iterable

import numpy as np

from weft_tasks.graph.digraph import Digraph
from weft_tasks.graph.reach import distances

# A search from every member is quadratic. Above this size a cycle of two is still found if there is one; else it is
# the shortest through any of some best-connected members: so many that they cost about so many steps.
_EXHAUSTIVE = 200
_STARTS = 32
_STEPS = 3_000_000


def shortest_path(graph: Digraph, start: int, goal: int) -> list[int] | None:
    """A shortest way from start to goal, both included; None where there is none.

    Of all shortest ways it takes the smallest next node at each step.
    """
    left = distances(graph.backward, graph.nodes([goal]), goal=start)
    if left[start] < 0:
        return None
    way = [start]
    while way[-1] != goal:
        nearer = left[way[-1]] - 1
        way.append(next(node for node in graph.forward.of(way[-1]) if left[node] == nearer))
    return way


def shortest_cycle(graph: Digraph, members: Collection[int]) -> list[int]:
    """A cycle within a component of two nodes or more, from its smallest node on, that node not repeated at the end.

    A shortest one in components of up to 200 members; in larger ones a short one. Empty if there is no cycle.
    """
    inside = set(members)
    targets = {node: [each for each in graph.forward.of(node) if each in inside] for node in sorted(inside)}
    best = _mutual(targets)
    for start in () if best else _starts(targets):
        found = _cycle_through(start, targets, shorter_than=len(best) or len(inside) + 1)
        best = found or best
    return _from_smallest(best)


def _mutual(targets: dict[int, list[int]]) -> list[int]:
    """The first two nodes that depend on each other."""
    edges = {(node, target) for node, found in targets.items() for target in found}
    return next(([node, each] for node, found in targets.items() for each in found if (each, node) in edges), [])


def _starts(targets: dict[int, list[int]]) -> Iterable[int]:
    """The nodes to search from, in order."""
    if len(targets) <= _EXHAUSTIVE:
        return targets
    number = max(1, min(_STARTS, _STEPS // sum(map(len, targets.values()))))
    incoming = dict.fromkeys(targets, 0)
    for found in targets.values():
        for node in found:
            incoming[node] += 1
    return sorted(targets, key=lambda node: (-len(targets[node]) * incoming[node], node))[:number]


def _cycle_through(start: int, targets: dict[int, list[int]], *, shorter_than: int) -> list[int]:
    """A shortest cycle through a node if it has fewer nodes than that, else empty. Breadth first, smallest first."""
    before = {start: start}
    wave = [start]
    for _ in range(1, shorter_than):
        following: list[int] = []
        for node in wave:
            for target in targets[node]:
                if target == start:
                    return _back(node, before)
                if target not in before:
                    before[target] = node
                    following.append(target)
        wave = following
        if not wave:
            break
    return []


def _back(node: int, before: dict[int, int]) -> list[int]:
    way = [node]
    while before[way[-1]] != way[-1]:
        way.append(before[way[-1]])
    return way[::-1]


def _from_smallest(cycle: list[int]) -> list[int]:
    at = int(np.argmin(cycle)) if cycle else 0
    return cycle[at:] + cycle[:at]
