"""What paths in code name: modules, by way of `use` bindings, globs and the crates in sight. Knows no manifest.

The rules are those of the Rust reference, "Paths", "Use declarations" and "Preludes". A path is followed as far as it
names modules; what comes behind the last one is an item of it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from weft_storage.model.interfaces.rust import RustUse
from weft_tasks.resolve.rust.modules import Crate, Scope, Sources, child_path

# Bindings that one path may be followed through. Globs of globs are commonly a dozen; thousands are a trap.
_MAX_STEPS = 400
_MAX_DEPTH = 48
# Look-ups that are given up, for a loop or a limit, before the globs around are given up too.
_MAX_REFUSALS = 500
# More globs in one scope are no program's, and would be followed for each other's names.
_MAX_GLOBS = 512

STANDARD_CRATES = frozenset({"std", "core", "alloc", "proc_macro", "test"})


class Module(NamedTuple):
    """A module of a crate, by its path."""

    crate: Crate
    path: str


@dataclass(slots=True)
class Named:
    """What one name, or a whole path, stands for.

    `modules` it names; `packages` outside the repository; `item` says that it is bound to something else; `open` that
    something which cannot be followed might bind it. For a path, `rest` is what lies behind `modules`.
    """

    modules: list[Module] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    item: bool = False
    open: bool = False
    rest: Sequence[str] = ()

    def add(self, other: "Named") -> None:
        """Take in what another one found."""
        if other.modules:
            self.modules += [module for module in other.modules if module not in self.modules]
        if other.packages:
            self.packages += [package for package in other.packages if package not in self.packages]
        self.item = self.item or other.item
        self.open = self.open or other.open

    @property
    def found(self) -> bool:
        """Whether the name is bound to anything."""
        return bool(self.modules or self.packages or self.item)


class Visible:
    """The crates that a crate's code may name: `crates` in the repository, `packages` outside, both by name."""

    __slots__ = ("crates", "packages")

    def __init__(self, crates: Mapping[str, Crate], packages: Mapping[str, str]) -> None:
        self.crates = crates
        self.packages = packages

    def named(self, name: str) -> Named:
        """The crate of a name."""
        if name in self.crates:
            return Named(modules=[Module(self.crates[name], "")])
        package = self.packages.get(name)
        if package is None and (name in STANDARD_CRATES or name.startswith("rustc_")):
            package = name
        return Named(packages=[package]) if package is not None else Named()


_Key: TypeAlias = tuple[Module, str, Module | None]


class _Known(NamedTuple):
    """The outcome of a look-up: how many steps and how deep it went, and whether a loop or a limit cut it short."""

    named: Named
    steps: int
    depth: int
    cut: bool


class Names:
    """Follows paths. One lives as long as a project, and remembers what each name of a module stands for."""

    def __init__(self, sources: Sources, visible: Callable[[Crate], Visible]) -> None:
        self._sources = sources
        self._visible = visible
        self._known: dict[_Key, _Known] = {}

    def follow(self, start: Module, specifier: str, *, importing: bool) -> Named:
        """What a path in a module names. `importing`: it is that of a `use`, which the 2015 edition roots elsewhere."""
        return _Walk(self._sources, self._visible, self._known).path(start, specifier.split("::"), importing, 0)

    def extern_crate(self, crate: Crate, name: str) -> Named:
        """What `extern crate name` names."""
        return Named(modules=[Module(crate, "")]) if name == "self" else self._visible(crate).named(name)

    def scopes(self, module: Module) -> list[Scope]:
        """The items of a module, part by part."""
        return [self._sources.scope(part) for part in module.crate.parts(module.path)]


class _Walk:
    """The following of one path: what is being looked up already, and how far it may still go."""

    def __init__(
        self,
        sources: Sources,
        visible: Callable[[Crate], Visible],
        known: dict[_Key, _Known],
    ) -> None:
        self._sources = sources
        self._visible = visible
        self._known = known
        self._steps = _MAX_STEPS
        self._refusals = _MAX_REFUSALS
        self._active: set[tuple[Module, str]] = set()
        self._cut = False
        self._deepest = 0

    def path(self, start: Module, segments: Sequence[str], importing: bool, depth: int) -> Named:
        """Follow a path as far as it names modules."""
        first, used = self._first(start, segments, importing, depth)
        named = Named(first.modules, first.packages, first.item, first.open)
        outside = bool(named.packages)
        while used < len(segments) and named.modules:
            following = self._name(named.modules[0], segments[used], start, depth)
            for module in named.modules[1:]:
                following = _either(following, self._name(module, segments[used], start, depth))
            if not following.modules:
                named.item = following.item or bool(following.packages)
                named.open = following.open or outside
                break
            named, used = Named(following.modules, following.packages, following.item, following.open), used + 1
            # A name may be bound here under one condition and to another crate's module under the other.
            outside = outside or bool(named.packages)
        named.rest = segments[used:] if named.modules else segments[max(used - 1, 0) :]
        return named

    def _first(self, start: Module, segments: Sequence[str], importing: bool, depth: int) -> tuple[Named, int]:
        """(what the start of a path names, how many segments that took)."""
        first = segments[0]
        if first in ("crate", "$crate"):
            return Named(modules=[Module(start.crate, "")]), 1
        if first in ("self", "super"):
            return _upward(start, segments)
        old = start.crate.edition == 2015
        if first == "":
            if len(segments) < 2:
                return Named(), 1
            return self._from_root(start, segments[1], depth) if old else self._crate(start, segments[1]), 2
        if old and importing:
            return self._from_root(start, first, depth), 1
        named = self._name(start, first, start, depth)
        return (named if named.found else _either(named, self._crate(start, first))), 1

    def _from_root(self, start: Module, name: str, depth: int) -> Named:
        named = self._name(Module(start.crate, ""), name, start, depth)
        return named if named.found else _either(named, self._crate(start, name))

    def _crate(self, start: Module, name: str) -> Named:
        """A crate in sight: a dependency, or what the root's `extern crate … as name` calls so."""
        named = self._visible(start.crate).named(name)
        if named.found:
            return named
        for part in start.crate.parts(""):
            for item in self._sources.scope(part).crates.get(name, ()):
                named.add(self._extern(start.crate, item.crate))
        return named

    def _extern(self, crate: Crate, name: str) -> Named:
        return Named(modules=[Module(crate, "")]) if name == "self" else self._visible(crate).named(name)

    def _name(self, module: Module, name: str, origin: Module, depth: int) -> Named:
        """What a name in a module stands for, as seen from `origin`."""
        outermost = not self._active
        if outermost:
            self._steps, self._refusals = _MAX_STEPS, _MAX_REFUSALS
        key = (module, name, origin if _sees_private(origin, module) else None)
        known = self._known.get(key)
        if known is not None and (outermost or self._is_the_same(known, depth)):
            self._steps -= known.steps
            self._deepest = max(self._deepest, depth + known.depth)
            return known.named
        if depth > _MAX_DEPTH or self._steps <= 0 or (module, name) in self._active:
            self._cut = True
            self._refusals -= 1
            return Named()
        return self._remember(key, origin, depth, outermost)

    def _is_the_same(self, known: _Known, depth: int) -> bool:
        """Whether to look a name up again here would come to what is known, so that no answer depends on the order."""
        return not known.cut and known.steps <= self._steps and depth + known.depth <= _MAX_DEPTH

    def _remember(self, key: _Key, origin: Module, depth: int, outermost: bool) -> Named:
        module, name, _ = key
        cut, deepest, steps = self._cut, self._deepest, self._steps
        self._cut, self._deepest = False, depth
        self._steps -= 1
        self._active.add((module, name))
        named = self._look_up(module, name, origin, depth)
        self._active.discard((module, name))
        if outermost or not self._cut:
            self._known[key] = _Known(named, steps - self._steps, self._deepest - depth, self._cut)
        self._cut, self._deepest = cut or self._cut, max(deepest, self._deepest)
        return named

    def _look_up(self, module: Module, name: str, origin: Module, depth: int) -> Named:
        child = Module(module.crate, child_path(module.path, name))
        if module.crate.parts(child.path):
            return Named(modules=[child])
        named = Named()
        scopes = [self._sources.scope(part) for part in module.crate.parts(module.path)]
        for scope in scopes:
            named.item = named.item or name in scope.types
            named.open = named.open or scope.open
            for item in scope.crates.get(name, ()):
                named.add(self._extern(module.crate, item.crate))
        self._bindings(named, module, name, origin, depth, scopes)
        if not named.found:
            self._globs(named, module, name, origin, depth, scopes)
        return named

    def _bindings(
        self, named: Named, module: Module, name: str, origin: Module, depth: int, scopes: Iterable[Scope]
    ) -> None:
        uses = [use for scope in scopes for use in scope.uses.get(name, ())]
        for use in sorted(uses, key=lambda each: each.local):
            if use.local and (origin != module or named.found):
                continue
            if not use.public and not _sees_private(origin, module):
                continue
            target = self.path(module, use.target.split("::"), True, depth + 1)
            if target.modules and not target.rest:
                named.add(target)
            elif target.packages and not target.modules:
                named.add(Named(packages=target.packages))
            elif target.modules or not self._is_itself(use, name):
                named.item = True

    @staticmethod
    def _is_itself(use: RustUse, name: str) -> bool:
        """Whether a binding that led nowhere is one such as `use name;`, and so says nothing about the name."""
        return use.target.split("::")[0] == name

    def _globs(
        self, named: Named, module: Module, name: str, origin: Module, depth: int, scopes: Iterable[Scope]
    ) -> None:
        for scope in scopes:
            if len(scope.globs) > _MAX_GLOBS:
                named.open = True
                continue
            for glob in scope.globs:
                if self._refusals <= 0:
                    return  # Whatever was refused has marked the outcome as cut short.
                if glob.local and origin != module:
                    continue
                if not glob.public and not _sees_private(origin, module):
                    continue
                target = self.path(module, glob.target.split("::")[:-1] or ["crate"], True, depth + 1)
                if target.rest or not target.modules:
                    named.open = named.open or not target.modules
                    continue
                for each in target.modules:
                    if each != module:
                        named.add(self._name(each, name, module, depth + 1))


def _either(named: Named, other: Named) -> Named:
    both = Named()
    both.add(named)
    both.add(other)
    return both


def _upward(start: Module, segments: Sequence[str]) -> tuple[Named, int]:
    """(the module that leading `self` and `super` name, how many they are); none above the root."""
    path, used = start.path, 1 if segments[0] == "self" else 0
    while used < len(segments) and segments[used] == "super":
        if not path:
            return Named(), used + 1
        path, used = path.rpartition("::")[0], used + 1
    return Named(modules=[Module(start.crate, path)]), used


def _sees_private(origin: Module, module: Module) -> bool:
    """Whether code of `origin` lies in `module`, and so sees what is private there."""
    if origin.crate is not module.crate and origin.crate.base is not module.crate:
        return False
    # Paths from the root are asked as from there, whoever writes them; only who may see what they name does.
    return not origin.path or not module.path or f"{origin.path}::".startswith(f"{module.path}::")
