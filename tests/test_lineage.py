"""Identity of components over runs, and what of them is accepted; and cuts of components."""

import graphlib
import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from weft_storage.model.states import Lineage
from weft_tasks.finalize.lineage import accept_all, first_lineage, is_new, next_lineage
from weft_tasks.graph.cuts import cut


def components(*members: str) -> list[tuple[str, ...]]:
    """A component per word, a member per letter."""
    return [tuple(sorted(word)) for word in sorted(members)]


def ids(lineage: Lineage) -> dict[str, int]:
    return {"".join(each.members): each.id for each in lineage.components}


def new(lineage: Lineage) -> list[str]:
    return ["".join(each.members) for each in lineage.components if is_new(each)]


class TestIdentity:
    """Which component of now is which of before."""

    def test_one_that_grows_and_shrinks_stays_itself(self) -> None:
        lineage = first_lineage(components("ab", "xyz"), 1)
        for run, words in enumerate((("abc", "xyz"), ("abcd", "xy"), ("bcd", "wxy")), 2):
            lineage = next_lineage(lineage, components(*words), run)
            assert list(ids(lineage).values()) == [1, 2]

    def test_of_two_that_merge_the_greater_share_stays(self) -> None:
        lineage = next_lineage(first_lineage(components("ab", "xyz"), 1), components("abxyz"), 2)
        assert ids(lineage) == {"abxyz": 2}

    def test_of_one_that_splits_the_greater_part_stays(self) -> None:
        lineage = next_lineage(first_lineage(components("abxyz"), 1), components("ab", "xyz"), 2)
        assert ids(lineage) == {"ab": 2, "xyz": 1}

    def test_numbers_are_never_given_twice(self) -> None:
        lineage = first_lineage(components("ab"), 1)
        lineage = next_lineage(lineage, [], 2)
        lineage = next_lineage(lineage, components("ab"), 3)
        assert ids(lineage) == {"ab": 2}
        assert [each.since for each in lineage.components] == [3]


class TestAccepted:
    """What `--fail-on new-cycles` lets pass."""

    def test_those_that_were_there_first(self) -> None:
        assert not new(first_lineage(components("ab", "xyz"), 1))

    def test_a_new_one_stays_new_until_it_is_accepted(self) -> None:
        lineage = next_lineage(first_lineage([], 1), components("ab"), 2)
        for run in (3, 4):
            assert new(lineage) == ["ab"]
            lineage = next_lineage(lineage, components("ab"), run)
        assert not new(next_lineage(accept_all(lineage), components("ab"), 5))

    def test_one_that_grows_is_new_until_it_is_as_small_as_it_was(self) -> None:
        lineage = first_lineage(components("abc"), 1)
        lineage = next_lineage(lineage, components("abcd"), 2)
        assert new(lineage) == ["abcd"]
        lineage = next_lineage(lineage, components("abc"), 3)
        assert not new(lineage)

    def test_one_that_shrank_may_not_grow_again(self) -> None:
        lineage = next_lineage(first_lineage(components("abcd"), 1), components("abc"), 2)
        assert not new(lineage)
        assert new(next_lineage(lineage, components("abcd"), 3)) == ["abcd"]

    def test_parts_of_an_accepted_one(self) -> None:
        assert not new(next_lineage(first_lineage(components("abxyz"), 1), components("ab", "xyz"), 2))

    def test_parts_of_one_that_is_new_are_new(self) -> None:
        lineage = next_lineage(first_lineage([], 1), components("abxyz"), 2)
        assert new(next_lineage(lineage, components("ab", "xyz"), 3)) == ["ab", "xyz"]

    def test_two_accepted_ones_that_merge_are_new(self) -> None:
        assert new(next_lineage(first_lineage(components("ab", "xyz"), 1), components("abxyz"), 2)) == ["abxyz"]

    def test_a_file_of_another_name_is_no_growth(self) -> None:
        assert not new(next_lineage(first_lineage(components("abc"), 1), components("abd"), 2))


partitions = st.lists(st.integers(0, 3), min_size=8, max_size=8).map(
    lambda numbers: [
        tuple(letter for letter, number in zip("abcdefgh", numbers, strict=True) if number == each)
        for each in sorted({*numbers})
        if numbers.count(each) > 1 and each
    ]
)


@given(st.lists(partitions, min_size=2, max_size=6))
def test_whatever_happens_ids_are_unique_and_what_is_accepted_never_grows(history: list[list[tuple[str, ...]]]) -> None:
    lineage = first_lineage(history[0], 1)
    for run, now in enumerate(history[1:], 2):
        accepted = {each.id: each.accepted for each in lineage.components}
        total = sum(accepted.values())
        lineage = next_lineage(lineage, now, run)
        assert [each.members for each in lineage.components] == now
        numbers = [each.id for each in lineage.components]
        assert len(set(numbers)) == len(numbers)
        assert all(number < lineage.next_id for number in numbers)
        assert all(each.accepted <= accepted.get(each.id, each.accepted) for each in lineage.components)
        assert sum(each.accepted for each in lineage.components) <= total


graphs = st.dictionaries(
    st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda arc: arc[0] != arc[1]), st.integers(1, 4), max_size=16
)


@given(graphs)
def test_a_cut_leaves_no_cycle_and_cuts_nothing_in_vain(arcs: dict[tuple[int, int], int]) -> None:
    found = cut(range(6), arcs)
    assert is_acyclic(arcs.keys() - set(found))
    assert all(not is_acyclic(arcs.keys() - set(found) | {arc}) for arc in found)


def test_cuts_are_nearly_as_light_as_can_be() -> None:
    found = lightest = 0
    for seed in range(200):
        chance = random.Random(seed)
        pairs = itertools.permutations(range(6), 2)
        arcs = {arc: chance.randint(1, 4) for arc in pairs if chance.random() < 0.4}
        found += sum(arcs[arc] for arc in cut(range(6), arcs))
        orders = itertools.permutations(range(6))
        lightest += min(sum(w for (a, b), w in arcs.items() if order[a] > order[b]) for order in orders)
    assert lightest <= found <= 1.02 * lightest


def test_the_cut_of_a_large_component_ends() -> None:
    size = 3_000
    arcs = {(node, (node * 7 + step) % size): 1 for node in range(size) for step in range(1, 6)}
    assert is_acyclic(arcs.keys() - set(cut(range(size), arcs)))


def is_acyclic(arcs: set[tuple[int, int]]) -> bool:
    sorter = graphlib.TopologicalSorter[int]()
    for source, target in arcs:
        sorter.add(source, target)
    try:
        sorter.prepare()
    except graphlib.CycleError:
        return False
    return True
