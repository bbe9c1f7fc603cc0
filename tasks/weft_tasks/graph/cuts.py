"""Cuts: edges of a component without which it has no cycle, as light together as a heuristic finds them.

The lightest such set (the minimum feedback arc set) is NP-hard to find.
"""

import heapq
from collections.abc import Collection, Mapping

Arc = tuple[int, int]
Arcs = Mapping[Arc, int]
"""Weights (1 or more) of the edges between members, by (source, target)."""

# Moving single nodes costs members times arcs a round; larger components keep the order that was found first.
_IMPROVABLE = 300_000
_ROUNDS = 5
# Trying whether an arc must go is a search; larger components may lose an arc or two more than they must.
_REDUCIBLE = 5_000_000


def cut(members: Collection[int], arcs: Arcs) -> list[Arc]:
    """Arcs, sorted, without which the members have no cycle; none of them could stay, but in huge components.

    The order of Eades, Lin and Smyth (1993), with weights, is improved by moving single nodes; what points backwards in
    it is cut. Deterministic. Arcs with an end that is no member, and those of a node to itself, do not count.
    """
    inside = set(members)
    kept = {(a, b): weight for (a, b), weight in arcs.items() if a != b and a in inside and b in inside}
    order = _order(sorted(inside), kept)
    if len(order) * len(kept) <= _IMPROVABLE:
        order = _improved(order, kept)
    place = {node: number for number, node in enumerate(order)}
    backward = [arc for arc in kept if place[arc[0]] > place[arc[1]]]
    if len(backward) * len(kept) <= _REDUCIBLE:
        backward = _reduced(backward, kept)
    return sorted(backward)


def _order(nodes: list[int], arcs: Arcs) -> list[int]:
    """Sinks to the right, sources to the left, else the node whose arcs out outweigh its arcs in the most."""
    out: dict[int, dict[int, int]] = {node: {} for node in nodes}
    into: dict[int, dict[int, int]] = {node: {} for node in nodes}
    for (source, target), weight in arcs.items():
        out[source][target] = weight
        into[target][source] = weight
    balance = {node: sum(out[node].values()) - sum(into[node].values()) for node in nodes}
    left, right = list[int](), list[int]()
    heap = [_rank(node, out, into, balance) for node in nodes]
    heapq.heapify(heap)
    while balance:
        rank = heapq.heappop(heap)
        node = rank[-1]
        if node not in balance or rank != _rank(node, out, into, balance):
            continue  # It was taken, or has a newer rank.
        (right if not out[node] else left).append(node)
        del balance[node]
        touched = {*out[node], *into[node]}
        for target in out[node]:
            balance[target] += into[target].pop(node)
        for source in into[node]:
            balance[source] -= out[source].pop(node)
        for each in touched:
            heapq.heappush(heap, _rank(each, out, into, balance))
    return [*left, *reversed(right)]


def _rank(
    node: int, out: Mapping[int, dict[int, int]], into: Mapping[int, dict[int, int]], balance: Mapping[int, int]
) -> tuple[int, int, int]:
    """The smallest is taken next: sinks, then sources, then the greatest balance."""
    if not out[node]:
        return (0, 0, node)
    return (1, 0, node) if not into[node] else (2, -balance[node], node)


def _improved(order: list[int], arcs: Arcs) -> list[int]:
    """The order after single nodes were moved to where the least weight points backwards, until nothing is won."""
    around: dict[int, dict[int, int]] = {node: {} for node in order}
    for (source, target), weight in arcs.items():
        # Standing before its target a node gains the weight, standing before its source it loses it.
        around[source][target] = around[source].get(target, 0) + weight
        around[target][source] = around[target].get(source, 0) - weight
    for _ in range(_ROUNDS):
        moved = False
        for node in sorted(order):
            gain, at = _best_place(node, order, around[node])
            if gain > 0:
                order.remove(node)
                order.insert(at, node)
                moved = True
        if not moved:
            break
    return order


def _best_place(node: int, order: list[int], around: Mapping[int, int]) -> tuple[int, int]:
    """How much less would point backwards with a node elsewhere, and where (in the order without it)."""
    others = [each for each in order if each != node]
    forward = sum(around.values())  # As the first of all: every arc out of it points forward.
    here = order.index(node)
    best, best_at, current = forward, 0, forward if here == 0 else 0
    for at, other in enumerate(others, 1):
        forward -= around.get(other, 0)
        if forward > best:
            best, best_at = forward, at
        if at == here:
            current = forward
    return best - current, best_at


def _reduced(backward: list[Arc], arcs: Arcs) -> list[Arc]:
    """The arcs that must really go: the heaviest first, each goes back where it closes no cycle."""
    targets: dict[int, set[int]] = {}
    for source, target in arcs.keys() - set(backward):
        targets.setdefault(source, set()).add(target)
    cut_arcs = []
    for source, target in sorted(backward, key=lambda arc: (-arcs[arc], arc)):
        if _reaches(target, source, targets):
            cut_arcs.append((source, target))
        else:
            targets.setdefault(source, set()).add(target)
    return cut_arcs


def _reaches(start: int, goal: int, targets: Mapping[int, set[int]]) -> bool:
    seen = {start}
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if node == goal:
            return True
        new = targets.get(node, set()) - seen
        seen |= new
        waiting += new
    return False
