"""Graphs of numbered nodes: reach, components, order, paths. Knows neither files nor stores.

An edge source -> target says that the source depends on the target. Nodes are 0 to size - 1. Nothing recurses,
and every result depends on the graph alone, not on the order of its edges.
"""

from weft_tasks.graph.components import components, cyclic_components
from weft_tasks.graph.digraph import Digraph
from weft_tasks.graph.order import levels
from weft_tasks.graph.paths import shortest_cycle, shortest_path
from weft_tasks.graph.reach import reach

__all__ = ["Digraph", "components", "cyclic_components", "levels", "reach", "shortest_cycle", "shortest_path"]
