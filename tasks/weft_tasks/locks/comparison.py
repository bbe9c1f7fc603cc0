"""Comparing two locks: which packages moved, and which depend on one that did. Knows no importer."""

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from msgspec.structs import replace

from weft_storage.model.paths import ancestors
from weft_tasks.locks.base import Lock, Package


@dataclass(frozen=True, slots=True)
class Move:
    """A package that moved: its versions before and after ("" where there was or is none; equal where only its content
    or source is another), and the packages that lead to it, from the one that was asked for, the moved one left out."""

    package: str
    before: str
    after: str
    through: tuple[str, ...] = ()


class Side:
    """One of two locks, by names."""

    def __init__(self, lock: Lock) -> None:
        self.lock = lock

    @cached_property
    def by_name(self) -> dict[str, list[int]]:
        """Places of the packages of each name."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for place, package in enumerate(self.lock.packages):
            found[package.name].append(place)
        return dict(found)

    def meant(self, folder: str, name: str) -> list[int]:
        """The packages that a name may mean in a folder: the nearest scope's, else all of that name."""
        for above in (folder, *ancestors(folder)) if self.lock.scopes else ():
            place = self.lock.scopes.get(above, {}).get(name)
            if place is not None:
                return [place]
        return self.by_name.get(name, [])

    def keys(self, places: Iterable[int]) -> set[tuple[str, bytes]]:
        """Identities of some packages."""
        return {_key(self.lock.packages[place]) for place in places}

    @cached_property
    def needs(self) -> dict[tuple[str, bytes], set[frozenset[tuple[str, bytes]]]]:
        """What each package needs; several where it stands in several places."""
        found: defaultdict[tuple[str, bytes], set[frozenset[tuple[str, bytes]]]] = defaultdict(set)
        for package in self.lock.packages:
            found[_key(package)].add(frozenset(self.keys(package.requires)))
        return dict(found)


class Moves:
    """What moved between two locks."""

    def __init__(self, old: Lock, new: Lock) -> None:
        self.old, self.new = Side(old), Side(new)

    def __bool__(self) -> bool:
        return bool(self._onward[0] or self._onward[1]) or self.old.lock.scopes != self.new.lock.scopes

    def knows(self, folder: str, name: str) -> bool:
        """Whether the name meant a package before, or does now."""
        return bool(self.new.meant(folder, name) or self.old.meant(folder, name))

    def of(self, folder: str, name: str) -> Move | None:
        """How what a name means in a folder moved: the package itself, else the nearest one that it depends on."""
        found = [
            self._follow(side, onward, place)
            for side, onward in ((self.new, self._onward[1]), (self.old, self._onward[0]))
            for place in side.meant(folder, name)
            if place in onward
        ]
        if found:
            return min(found, key=lambda move: len(move.through))
        before, after = self.old.meant(folder, name), self.new.meant(folder, name)
        if self.old.keys(before) == self.new.keys(after):
            return None
        return self._versions(name, self.old.keys(before), self.new.keys(after))

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of the packages that moved themselves."""
        (old, new) = ({_key(package) for package in side.lock.packages} for side in (self.old, self.new))
        return frozenset(name for name, _ in old ^ new)

    @cached_property
    def _onward(self) -> tuple[dict[int, int], dict[int, int]]:
        """On either side, for each package that leads to a moved one the next on the way; itself where it moved."""
        return _steps(self.old, self.new), _steps(self.new, self.old)

    def _follow(self, side: Side, onward: dict[int, int], place: int) -> Move:
        through = []
        while onward[place] != place:
            through.append(side.lock.packages[place].name)
            place = onward[place]
        package = side.lock.packages[place]
        other = self.old if side is self.new else self.new
        if _key(package) in other.needs:
            return self._retaken(package, tuple(through))
        return replace_through(self._moved(package.name), tuple(through))

    def _moved(self, name: str) -> Move:
        """How all packages of a name moved."""
        before, after = (side.keys(side.by_name.get(name, ())) for side in (self.old, self.new))
        return self._versions(name, before, after)

    def _retaken(self, package: Package, through: tuple[str, ...]) -> Move:
        """A package that is what it was, and takes others than before."""
        before, after = (set().union(*side.needs.get(_key(package), ())) for side in (self.old, self.new))
        name = min(name for name, _ in before ^ after) if before ^ after else package.name
        move = self._versions(name, {key for key in before if key[0] == name}, {key for key in after if key[0] == name})
        return replace_through(move, (*through, package.name))

    def _versions(self, name: str, before: set[tuple[str, bytes]], after: set[tuple[str, bytes]]) -> Move:
        return Move(name, _text(self.old, before - after), _text(self.new, after - before))


def replace_through(move: Move, through: tuple[str, ...]) -> Move:
    """The move with the packages that lead to it."""
    return Move(move.package, move.before, move.after, through)


def same_versions(old: Lock, new: Lock) -> tuple[Lock, Lock]:
    """Both locks less what is at other versions in the other: only other contents of one version are left to move."""
    versions = [{(package.name, package.version) for package in lock.packages} for lock in (old, new)]
    both = versions[0] & versions[1]
    kept = [tuple(each for each in lock.packages if (each.name, each.version) in both) for lock in (old, new)]
    return replace(old, packages=kept[0], scopes={}), replace(new, packages=kept[1], scopes={})


def _steps(side: Side, other: Side) -> dict[int, int]:
    needed_by: defaultdict[int, list[int]] = defaultdict(list)
    onward: dict[int, int] = {}
    for place, package in enumerate(side.lock.packages):
        for required in package.requires:
            needed_by[required].append(place)
        key = _key(package)
        if side.needs[key] != other.needs.get(key):
            onward[place] = place
    waiting = deque(onward)
    while waiting:
        place = waiting.popleft()
        for needing in needed_by[place]:
            if needing not in onward:
                onward[needing] = place
                waiting.append(needing)
    return onward


def _key(package: Package) -> tuple[str, bytes]:
    return package.name, package.digest


def _text(side: Side, keys: set[tuple[str, bytes]]) -> str:
    """The versions of some packages, as people read them."""
    found = {
        side.lock.packages[place].version
        for name, _ in keys
        for place in side.by_name[name]
        if _key(side.lock.packages[place]) in keys
    }
    return ", ".join(sorted(found))
