"""Topological order over the condensation of a graph. Knows no cycles but as one step of the order."""

from collections.abc import Iterable

import numpy as np

from weft_tasks.graph.components import components
from weft_tasks.graph.digraph import Digraph, Nodes, induced
from weft_tasks.graph.heights import heights
from weft_tasks.graph.reach import reach


def levels(graph: Digraph, nodes: Iterable[int] | None = None) -> list[list[list[int]]]:
    """Components by level: all that a component depends on stands in earlier levels, and each as early as that allows.

    A component is the sorted list of its members, a level the sorted list of its components. With `nodes` only
    these are listed; ways between them through other nodes count all the same.
    """
    chosen = np.arange(graph.size, dtype=np.int64) if nodes is None else graph.nodes(nodes)
    part, originals = _between(graph, chosen)
    labels = components(part)
    condensation = part
    if len(labels) and int(labels.max()) + 1 < part.size:
        condensation = Digraph(int(labels.max()) + 1, labels[part.sources], labels[part.targets])
    places = np.searchsorted(originals, chosen)
    weights = np.zeros(condensation.size, dtype=np.int64)
    weights[labels[places]] = 1
    height = heights(condensation.backward, weights)
    return _listed(chosen, labels[places], height[labels[places]])


def _between(graph: Digraph, chosen: Nodes) -> tuple[Digraph, Nodes]:
    """The graph of the chosen nodes and all on ways between them, and what its nodes are in the whole graph."""
    if len(chosen) == graph.size:
        return graph, chosen
    between = np.intersect1d(reach(graph, chosen), reach(graph, chosen, reverse=True), assume_unique=True)
    return induced(graph, between), between


def _listed(nodes: Nodes, labels: Nodes, height: Nodes) -> list[list[list[int]]]:
    """The nodes (sorted) as components within levels. Members come in order, so components come by their first."""
    found: list[dict[int, list[int]]] = [{} for _ in range(int(height.max()) + 1)] if len(nodes) else []
    for node, label, level in zip(nodes.tolist(), labels.tolist(), height.tolist(), strict=True):
        found[level].setdefault(label, []).append(node)
    return [list(level.values()) for level in found]
