"""Laws of the graph algorithms, against networkx; and that deep and wide graphs are no trouble."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft_tasks.graph import Digraph, components, cyclic_components, levels, reach, shortest_cycle, shortest_path

MANY = 200_000


def graph_of(size: int, edges: list[tuple[int, int]]) -> Digraph:
    pairs = np.array(edges, dtype=np.uint32).reshape(-1, 2)
    return Digraph(size, pairs[:, 0], pairs[:, 1])


def networkx_of(graph: Digraph) -> "nx.DiGraph[int]":
    other: nx.DiGraph[int] = nx.DiGraph()
    other.add_nodes_from(range(graph.size))
    other.add_edges_from(zip(graph.sources.tolist(), graph.targets.tolist(), strict=True))
    return other


@st.composite
def graphs(draw: st.DrawFn) -> Digraph:
    size = draw(st.integers(1, 24))
    node = st.integers(0, size - 1)
    return graph_of(size, draw(st.lists(st.tuples(node, node), max_size=60)))


@st.composite
def graphs_with_nodes(draw: st.DrawFn) -> tuple[Digraph, list[int]]:
    graph = draw(graphs())
    return graph, draw(st.lists(st.integers(0, graph.size - 1), max_size=8))


@pytest.fixture(params=["as shipped", "arrays only"])
def ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small graphs would never leave the plain loops: each law is tried with the array operations alone too."""
    if request.param == "arrays only":
        # By path, as the package also has a function of that name.
        monkeypatch.setattr(sys.modules["weft_tasks.graph.digraph"], "NARROW", 0)
        monkeypatch.setattr(sys.modules["weft_tasks.graph.components"], "_FEW_EDGES", 0)


both_ways = pytest.mark.usefixtures("ways")


@both_ways
@given(graphs_with_nodes(), st.booleans(), st.none() | st.integers(0, 5))
def test_reach_is_what_breadth_first_search_finds(case: tuple[Digraph, list[int]], reverse: bool, depth: int) -> None:
    graph, starts = case
    other = networkx_of(graph)
    view = other.reverse() if reverse else other
    expected: set[int] = set()
    for start in starts:
        expected |= set(nx.single_source_shortest_path_length(view, start, cutoff=depth))
    found = reach(graph, starts, reverse=reverse, depth=depth)
    assert found.tolist() == sorted(expected)


@both_ways
@given(graphs())
def test_components_are_the_strong_ones_numbered_by_their_first_member(graph: Digraph) -> None:
    labels = components(graph).tolist()
    found: dict[int, set[int]] = {}
    for node, label in enumerate(labels):
        found.setdefault(label, set()).add(node)
    assert list(found) == list(range(len(found)))
    assert {frozenset(each) for each in found.values()} == {
        frozenset(each) for each in nx.strongly_connected_components(networkx_of(graph))
    }


@both_ways
@given(graphs())
def test_cyclic_components_are_those_of_two_members_or_more(graph: Digraph) -> None:
    expected = sorted(sorted(each) for each in nx.strongly_connected_components(networkx_of(graph)) if len(each) > 1)
    assert cyclic_components(graph) == expected


@both_ways
@given(graphs())
def test_a_shortest_cycle_is_a_cycle_and_none_is_shorter(graph: Digraph) -> None:
    other = networkx_of(graph)
    other.remove_edges_from(list(nx.selfloop_edges(other)))
    for members in cyclic_components(graph):
        cycle = shortest_cycle(graph, members)
        assert set(cycle) <= set(members)
        assert len(set(cycle)) == len(cycle)
        assert cycle[0] == min(cycle)
        assert all(other.has_edge(*edge) for edge in zip(cycle, [*cycle[1:], cycle[0]], strict=True))
        shortest = min(
            nx.shortest_path_length(other, target, source) + 1 for source, target in other.subgraph(members).edges
        )
        assert len(cycle) == shortest


@both_ways
@given(graphs_with_nodes())
def test_levels_are_topological_over_the_condensation_and_as_low_as_can_be(case: tuple[Digraph, list[int]]) -> None:
    graph, some = case
    check_levels(graph, None)
    check_levels(graph, some)


def check_levels(graph: Digraph, some: list[int] | None) -> None:
    chosen = set(range(graph.size)) if some is None else set(some)
    condensation = nx.condensation(networkx_of(graph))
    height: dict[int, int] = {}
    members = {number: sorted(condensation.nodes[number]["members"] & chosen) for number in condensation}
    for number in reversed(list(nx.topological_sort(condensation))):
        below = [height[each] + bool(members[each]) for each in condensation.successors(number)]
        height[number] = max(below, default=0)
    expected: dict[int, list[list[int]]] = {}
    for number, found in members.items():
        if found:
            expected.setdefault(height[number], []).append(found)
    assert levels(graph, some) == [sorted(expected[level]) for level in range(len(expected))]


@both_ways
@given(graphs(), st.data())
def test_a_shortest_path_is_the_smallest_of_the_shortest(graph: Digraph, data: st.DataObject) -> None:
    node = st.integers(0, graph.size - 1)
    start, goal = data.draw(node), data.draw(node)
    other = networkx_of(graph)
    expected = min(nx.all_shortest_paths(other, start, goal)) if nx.has_path(other, start, goal) else None
    assert shortest_path(graph, start, goal) == expected


@both_ways
@given(graphs(), st.randoms())
def test_the_order_and_repetition_of_edges_changes_nothing(graph: Digraph, random: Random) -> None:
    edges = list(zip(graph.sources.tolist(), graph.targets.tolist(), strict=True))
    mixed = edges + edges[: len(edges) // 2]
    random.shuffle(mixed)
    again = graph_of(graph.size, mixed)
    assert levels(again) == levels(graph)
    assert components(again).tolist() == components(graph).tolist()
    cyclic = cyclic_components(graph)
    assert cyclic_components(again) == cyclic
    assert [shortest_cycle(again, each) for each in cyclic] == [shortest_cycle(graph, each) for each in cyclic]


@both_ways
@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_larger_random_graphs_agree_too(seed: int) -> None:
    random = np.random.default_rng(seed)
    size = 2_000
    edges = random.integers(0, size, (int(random.integers(500, 6_000)), 2))
    graph = Digraph(size, edges[:, 0], edges[:, 1])
    other = networkx_of(graph)
    assert reach(graph, [0]).tolist() == sorted({0} | nx.descendants(other, 0))
    assert reach(graph, [0], reverse=True).tolist() == sorted({0} | nx.ancestors(other, 0))
    assert cyclic_components(graph) == sorted(
        sorted(each) for each in nx.strongly_connected_components(other) if len(each) > 1
    )
    check_levels(graph, None)
    check_levels(graph, list(range(0, size, 7)))


def test_a_graph_without_nodes_or_edges_has_empty_answers() -> None:
    empty = graph_of(0, [])
    assert (levels(empty), cyclic_components(empty), reach(empty, []).tolist()) == ([], [], [])
    assert components(empty).tolist() == []
    assert Digraph(2, np.array([]), np.array([])).forward.of(0) == []
    assert levels(graph_of(2, [])) == [[[0], [1]]]
    assert levels(graph_of(2, [(0, 1)]), []) == []


def test_dependencies_come_first() -> None:
    assert levels(graph_of(4, [(0, 1), (1, 2), (2, 1), (2, 3)])) == [[[3]], [[1, 2]], [[0]]]


def test_levels_of_some_nodes_know_ways_through_others() -> None:
    graph = graph_of(4, [(0, 1), (1, 2), (3, 1)])
    assert levels(graph, [0, 2, 3]) == [[[2]], [[0], [3]]]
    assert levels(graph, [0, 3]) == [[[0], [3]]]


def test_a_large_component_has_a_short_cycle() -> None:
    ring = [(node, (node + 1) % 1_000) for node in range(1_000)]
    graph = graph_of(1_000, [*ring, (500, 495), (500, 400), (10, 4)])
    assert shortest_cycle(graph, range(1_000)) == [495, 496, 497, 498, 499, 500]
    assert shortest_cycle(graph_of(1_000, [*ring, (8, 7)]), range(1_000)) == [7, 8]
    assert shortest_cycle(graph_of(1_000, ring), range(1_000)) == list(range(1_000))


@pytest.mark.parametrize("edges", [[(0, 2)], [(2, 0)]])
def test_an_edge_to_nowhere_is_rejected(edges: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="outside 0 to 1"):
        graph_of(2, edges)


def test_arrays_of_different_lengths_are_rejected() -> None:
    with pytest.raises(ValueError, match="1 sources and 0 targets"):
        Digraph(2, np.array([0]), np.array([], dtype=np.int64))


@pytest.mark.parametrize("node", [-1, 2])
def test_a_start_that_is_no_node_is_rejected(node: int) -> None:
    with pytest.raises(ValueError, match="outside 0 to 1"):
        reach(graph_of(2, []), [node])


class TestAtScale:
    """Two hundred thousand nodes in the worst shapes: nothing recurses, nothing is quadratic."""

    def test_a_long_chain(self) -> None:
        nodes = np.arange(MANY - 1)
        graph = Digraph(MANY, nodes, nodes + 1)
        with within(seconds=10):
            assert levels(graph) == [[[node]] for node in reversed(range(MANY))]
            assert len(reach(graph, [0])) == len(reach(graph, [MANY - 1], reverse=True)) == MANY
            assert shortest_path(graph, 0, MANY - 1) == list(range(MANY))
            assert cyclic_components(graph) == []

    def test_a_long_ring(self) -> None:
        nodes = np.arange(MANY)
        graph = Digraph(MANY, nodes, (nodes + 1) % MANY)
        with within(seconds=10):
            assert cyclic_components(graph) == [list(range(MANY))]
            assert shortest_cycle(graph, range(MANY)) == list(range(MANY))
            assert levels(graph) == [[list(range(MANY))]]

    def test_a_long_chain_of_small_cycles(self) -> None:
        nodes = np.arange(0, MANY, 2)
        sources = np.concatenate([nodes, nodes + 1, nodes[:-1]])
        targets = np.concatenate([nodes + 1, nodes, nodes[1:]])
        graph = Digraph(MANY, sources, targets)
        with within(seconds=15):
            found = cyclic_components(graph)
            assert found == [[node, node + 1] for node in range(0, MANY, 2)]
            assert all(shortest_cycle(graph, members) == members for members in found)
            assert levels(graph) == [[each] for each in reversed(found)]

    @pytest.mark.parametrize("inward", [True, False])
    def test_a_wide_star(self, inward: bool) -> None:
        hub, leaves = np.zeros(MANY - 1, dtype=np.int64), np.arange(1, MANY)
        graph = Digraph(MANY, leaves, hub) if inward else Digraph(MANY, hub, leaves)
        with within(seconds=5):
            assert [len(level) for level in levels(graph)] == ([1, MANY - 1] if inward else [MANY - 1, 1])
            assert len(reach(graph, [0], reverse=inward)) == MANY
            assert cyclic_components(graph) == []

    def test_a_dense_tangle(self) -> None:
        random = np.random.default_rng(7)
        graph = Digraph(MANY, random.integers(0, MANY, 5 * MANY), random.integers(0, MANY, 5 * MANY))
        with within(seconds=20):
            largest = max(cyclic_components(graph), key=len)
            assert len(largest) > MANY // 2
            assert 2 <= len(shortest_cycle(graph, largest)) <= 10
            assert sum(len(members) for level in levels(graph) for members in level) == MANY


@contextmanager
def within(*, seconds: float) -> Iterator[None]:
    """Fail where the block takes more processor time: generous, but far below what quadratic time would take."""
    started = time.process_time()
    yield
    assert time.process_time() - started < seconds
