"""Identity of cyclic components over runs: which of now is which of before. Knows no store and no edge.

A component keeps its identity while it grows, shrinks or loses parts: of the components now, the one that shares the
most members with a former one is that one. Where several merge, the greatest share decides.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from weft_storage.model.states import Lineage, Tracked

Members = tuple[str, ...]


def first_lineage(components: Iterable[Members], run_id: int) -> Lineage:
    """The lineage of components that are looked at for the first time: all of them are accepted."""
    tracked = tuple(Tracked(id, run_id, len(members), members) for id, members in enumerate(components, 1))
    return Lineage(len(tracked) + 1, tracked)


def next_lineage(before: Lineage, components: Iterable[Members], run_id: int) -> Lineage:
    """The lineage of the components of a run, in their order; where no run has recorded one before, the first.

    What is accepted only shrinks: a component may have as many members as it was accepted with, or as few as it once
    had since. A part that comes off an accepted component is accepted as it is.
    """
    if not before.next_id:
        return first_lineage(components, run_id)
    now = list(components)
    continued = match([each.members for each in before.components], now)
    owners = {member: each for each in before.components for member in each.members}
    next_id = before.next_id
    tracked = []
    for number, members in enumerate(now):
        if number in continued:
            known = before.components[continued[number]]
            tracked.append(Tracked(known.id, known.since, min(known.accepted, len(members)), members))
        else:
            tracked.append(Tracked(next_id, run_id, _accepted_part(members, owners), members))
            next_id += 1
    return Lineage(next_id, tuple(tracked))


def _accepted_part(members: Members, owners: Mapping[str, Tracked]) -> int:
    """The size of a new component whose members were all in one accepted component; 0 for others."""
    parent = owners.get(members[0])
    if parent is None or is_new(parent) or not set(members) <= set(parent.members):
        return 0
    return len(members)


def accept_all(lineage: Lineage) -> Lineage:
    """The lineage with every component accepted as it is."""
    return replace(lineage, components=tuple(replace(each, accepted=len(each.members)) for each in lineage.components))


def is_new(tracked: Tracked) -> bool:
    """Whether a component is none that was accepted, or has more members than were."""
    return len(tracked.members) > tracked.accepted


def match(before: Sequence[Members], now: Sequence[Members]) -> dict[int, int]:
    """For components of now, by number, the one of before that each continues: one to one, greatest shares first."""
    owner = {member: number for number, members in enumerate(before) for member in members}
    shares = Counter(
        (owner[member], number) for number, members in enumerate(now) for member in members if member in owner
    )
    continued: dict[int, int] = {}
    taken = set()
    for (old, new), _ in sorted(shares.items(), key=lambda each: (-each[1], each[0])):
        if old not in taken and new not in continued:
            continued[new] = old
            taken.add(old)
    return continued
