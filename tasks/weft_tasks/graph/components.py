"""Strongly connected components: which nodes depend on each other. Knows no order between them."""

import numpy as np
import numpy.typing as npt

from weft_tasks.graph.digraph import Digraph, Nodes, induced
from weft_tasks.graph.heights import heights

# With fewer edges a plain loop is done before scipy would be imported (0.3 s).
_FEW_EDGES = 150_000

Labels = npt.NDArray[np.int64]


def components(graph: Digraph) -> Labels:
    """The number of each node's component; components are numbered in the order of their smallest members."""
    smallest = np.arange(graph.size, dtype=np.int64)
    core = _core(graph)
    if len(core):
        labels = _strong_components(induced(graph, core))
        firsts = np.full(len(core), graph.size, dtype=np.int64)
        np.minimum.at(firsts, labels, core)
        smallest[core] = firsts[labels]
    return np.unique(smallest, return_inverse=True)[1].astype(np.int64)


def cyclic_components(graph: Digraph) -> list[list[int]]:
    """The members, sorted, of every component of two nodes or more; sorted by the first. Self-loops do not count."""
    core = _core(graph)
    members: dict[int, list[int]] = {}
    if len(core):
        for node, label in zip(core.tolist(), _strong_components(induced(graph, core)).tolist(), strict=True):
            members.setdefault(label, []).append(node)
    return [found for found in members.values() if len(found) > 1]


def _core(graph: Digraph) -> Nodes:
    """The nodes on cycles and on ways from one cycle to another. In most graphs they are few."""
    above = np.flatnonzero(heights(graph.backward) < 0)
    if not len(above):
        return above
    part = induced(graph, above)
    return above[heights(part.forward) < 0]


def _strong_components(graph: Digraph) -> Labels:
    """A number per node, the same within each component and nowhere else."""
    if len(graph.sources) < _FEW_EDGES:
        return np.array(_tarjan(graph), dtype=np.int64)
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    forward = graph.forward
    present = np.ones(len(forward.neighbours), dtype=np.int8)
    matrix = csr_array((present, forward.neighbours, forward.offsets), shape=(graph.size, graph.size))
    return np.asarray(connected_components(matrix, directed=True, connection="strong")[1], dtype=np.int64)


def _tarjan(graph: Digraph) -> list[int]:
    """Tarjan's algorithm (1972) with an explicit stack. The label of a component is one of its nodes."""
    targets = [graph.forward.of(node) for node in range(graph.size)]
    unseen, done = -1, graph.size
    # While a node is open its low is the earliest node of the open ones that it is known to reach, by number.
    low = [unseen] * graph.size
    labels = [unseen] * graph.size
    opened: list[int] = []
    count = 0
    for root in range(graph.size):
        if low[root] != unseen:
            continue
        way = [(root, count, iter(targets[root]))]
        low[root], count = count, count + 1
        opened.append(root)
        while way:
            node, number, rest = way[-1]
            for target in rest:
                if low[target] == unseen:
                    way.append((target, count, iter(targets[target])))
                    low[target], count = count, count + 1
                    opened.append(target)
                    break
                low[node] = min(low[node], low[target])
            else:
                way.pop()
                if way:
                    above = way[-1][0]
                    low[above] = min(low[above], low[node])
                if low[node] == number:
                    member = unseen
                    while member != node:
                        member = opened.pop()
                        # A finished node is no longer earlier than any other.
                        low[member], labels[member] = done, node
    return labels
