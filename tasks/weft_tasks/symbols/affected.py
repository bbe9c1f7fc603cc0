"""Affected symbols: from what changed to every unit that depends on it, by the names that texts mention. Pure.

A unit depends on a name of another file if its own file imports that file and its text has the name, or another name
that an import gives to it. What names cannot tell is taken as a whole.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from weft_tasks.symbols.reading import ALL, LOADING, FileSymbols, Unit


class World(Protocol):
    """What the analysis asks about the files, before and after the change taken together."""

    def symbols(self, file: str) -> Collection[FileSymbols]:
        """The symbols of a file before and after: none where it has none (data), one where both are equal."""
        ...

    def importers(self, file: str) -> Mapping[str, Collection[str]]:
        """The files that import a file over edges that count, with the names that each takes.

        ALL is among them for all names; none at all where they are not known.
        """
        ...

    def peers(self, file: str) -> Collection[str]:
        """The other files that see the names of a file without an import (a Go package)."""
        ...


def changed_names(old: FileSymbols | None, new: FileSymbols | None) -> set[str]:
    """The names of a file that no longer mean what they did: none for comments and layout.

    ALL where it cannot be told, and LOADING where what happens on loading is different.
    """
    if old is None or new is None or old.opaque or new.opaque:
        loads = any(each and (each.opaque or LOADING in each.units) for each in (old, new))
        return {ALL, LOADING} if loads else {ALL}
    names = {name for name in {*old.units, *new.units} if _digest(old, name) != _digest(new, name)}
    for one, other in ((old, new), (new, old)):
        names.update(*(words for digest, words in one.statements.items() if digest not in other.statements))
    return names


def _digest(symbols: FileSymbols, name: str) -> bytes:
    unit = symbols.units.get(name)
    return unit.digest if unit else b""


def affected_symbols(changes: Mapping[str, Collection[str]], world: World) -> dict[str, set[str]]:
    """The units that a change affects, by file; ALL among them where the file is affected as a whole.

    `changes` are the names, by file, that no longer mean what they did.
    """
    spreading = _Spreading(world)
    for file in sorted(changes):
        for name in sorted({*changes[file]} - {LOADING}):
            spreading.add(file, name)
    for file in sorted(changes):
        if LOADING in changes[file]:
            spreading.load(file)
    while spreading.waiting:
        spreading.spread(*spreading.waiting.pop())
    found = {file: spreading.units_among(file, names) for file, names in spreading.reached.items()}
    return {file: units for file, units in sorted(found.items()) if units}


@dataclass
class _Spreading:
    world: World
    reached: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    waiting: list[tuple[str, str]] = field(default_factory=list)
    altered: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    loading: set[str] = field(default_factory=set)

    def add(self, file: str, name: str) -> None:
        """A name of a file is affected; once all are, one more is no news."""
        names = self.reached[file]
        if name not in names and ALL not in names:
            names.add(name)
            self.waiting.append((file, name))

    def load(self, file: str) -> None:
        """What happens on loading a file has changed: all who load it may notice, though no name shows it."""
        self.add(file, ALL)
        waiting = [file]
        while waiting:
            for importer in self.world.importers(waiting.pop()):
                if importer not in self.loading:
                    self.loading.add(importer)
                    self.add(importer, ALL)
                    waiting.append(importer)

    def spread(self, file: str, name: str) -> None:
        """To whom the name matters."""
        if name == ALL:
            self._spread_whole(file)
        else:
            self._spread_name(file, name)

    def _spread_whole(self, file: str) -> None:
        for symbols in self.world.symbols(file):
            for unit in symbols.units.values():
                self._alter(file, symbols, unit)
        for importer, taken in self.world.importers(file).items():
            if taken and ALL not in taken:
                self._touch(importer, taken)
            else:
                self.add(importer, ALL)
        for peer in self.world.peers(file):
            self.add(peer, ALL)

    def _spread_name(self, file: str, name: str) -> None:
        names = {name}
        for symbols in self.world.symbols(file):
            names |= symbols.aliases.get(name, frozenset())
            if unit := symbols.units.get(name):
                names |= unit.members
                self._alter(file, symbols, unit)
        if name != LOADING:
            for reader in (file, *self.world.peers(file), *self.world.importers(file)):
                self._touch(reader, names)

    def _alter(self, file: str, symbols: FileSymbols, unit: Unit) -> None:
        """Loading the file may alter things that a unit names: all who load it and mention one may notice."""
        if not unit.effects:
            return
        bound = frozenset().union(*symbols.statements.values())
        altered = {name for name in unit.effects if name in bound or name in symbols.units}
        altered |= {name for name, aliases in symbols.aliases.items() if not aliases.isdisjoint(altered)}
        waiting = [(file, frozenset(altered))]
        while waiting:
            loader, names = waiting.pop()
            new = names - self.altered[loader]
            if new:
                self.altered[loader] |= new
                self._touch(loader, new)
                waiting += ((importer, new) for importer in self.world.importers(loader))

    def _touch(self, file: str, names: Collection[str]) -> None:
        """Names that a file can see are affected: so are its units that mention one, and those that it passes on."""
        versions = self.world.symbols(file)
        if not versions or any(symbols.opaque for symbols in versions):
            self.add(file, ALL)
            return
        for symbols in versions:
            seen = {*names, *_aliases(symbols, names)}
            for name, unit in symbols.units.items():
                if unit.dynamic or not seen.isdisjoint(unit.mentions):
                    self.add(file, name)
            for name in seen if ALL in symbols.passed_on else seen & symbols.passed_on:
                self.add(file, name)

    def units_among(self, file: str, names: Collection[str]) -> set[str]:
        """Those of the names that are units of the file, or ALL."""
        if ALL in names:
            return {ALL}
        return {name for symbols in self.world.symbols(file) for name in symbols.units if name in names}


def _aliases(symbols: FileSymbols, names: Iterable[str]) -> set[str]:
    return {alias for name in names for alias in symbols.aliases.get(name, ())}
