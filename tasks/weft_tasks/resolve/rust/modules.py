"""The module trees of crates: which file, or part of a file, each module is. Follows no name but those of `mod` items.

The rules for files are rustc's (`rustc_expand::module`): a `mod` item leads to `name.rs` or `name/mod.rs` in the
folder of the module's children, `#[path]` to a file beside the one it stands in.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from weft_storage.model.interfaces.rust import (
    RustExternCrate,
    RustInterface,
    RustMacro,
    RustModule,
    RustUse,
)
from weft_storage.model.paths import basename, join, parent
from weft_tasks.resolve.base import RepositoryFiles
from weft_tasks.resolve.rust.cargo import Package, TargetKind

# A file may be a module in several places of one crate, and deep; beyond this it is a loop or a trap.
_MAX_PLACES_IN_CRATE = 8
_MAX_PLACES = 256
_MAX_DEPTH = 96


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of text that is a module, or a part of one: the items of `file` inside its inline modules `scope`.

    Its child files lie in `folder`, below `stem` where that is not empty. `included` says that it came by `include!`.
    `caller` is the file whose macro call brought it, to which paths through it lead.
    """

    file: str
    scope: str
    folder: str
    stem: str = ""
    included: bool = False
    caller: str = ""


@dataclass(slots=True)
class Scope:
    """The items of one scope of a file that names may lead through."""

    modules: defaultdict[str, list[RustModule]] = field(default_factory=lambda: defaultdict(list))
    uses: defaultdict[str, list[RustUse]] = field(default_factory=lambda: defaultdict(list))
    globs: list[RustUse] = field(default_factory=list)
    crates: defaultdict[str, list[RustExternCrate]] = field(default_factory=lambda: defaultdict(list))
    macros: list[RustMacro] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    types: set[str] = field(default_factory=set)  # and macros: a path through one leads no further
    open: bool = False


_NOTHING = Scope()


class Sources:
    """The interfaces of source files, decoded once and sorted by scope."""

    def __init__(self, files: RepositoryFiles) -> None:
        self._files = files
        self._scopes: dict[str, Mapping[str, Scope]] = {}
        self._decode = msgspec.msgpack.Decoder(RustInterface).decode

    def file(self, path: str | None) -> str | None:
        """The file of that path, links followed; None where there is none."""
        return None if path is None else self._files.file(path)

    def scope(self, part: Part) -> Scope:
        """The items of a part; nothing where it is no Rust file that could be read."""
        if part.file not in self._scopes:
            self._scopes[part.file] = self._read(part.file)
        return self._scopes[part.file].get(part.scope, _NOTHING)

    def _read(self, path: str) -> Mapping[str, Scope]:
        encoded = self._files.interface(path) if path.endswith(".rs") else b""
        try:
            return _by_scope(self._decode(encoded)) if encoded else {}
        except (msgspec.DecodeError, RecursionError):
            return {}


def _by_scope(interface: RustInterface) -> Mapping[str, Scope]:
    scopes: defaultdict[str, Scope] = defaultdict(Scope)
    for module in interface.modules:
        scopes[module.scope].modules[module.name].append(module)
    for use in interface.uses:
        if use.name == "*":
            scopes[use.scope].globs.append(use)
        else:
            scopes[use.scope].uses[use.name].append(use)
    for crate in interface.crates:
        scopes[crate.scope].crates[crate.name].append(crate)
    for macro in interface.macros:
        scopes[macro.scope].macros.append(macro)
        scopes[macro.scope].types.add(macro.name)
    for include in interface.includes:
        scopes[include.scope].includes.append(include.path)
    for call in interface.calls:
        scopes[call.scope].calls.append(call.name)
    for path in interface.types:
        scope, _, name = path.rpartition("::")
        scopes[scope].types.add(name)
    for scope in interface.open:
        scopes[scope].open = True
    return scopes


class Crate:
    """A crate: a tree of modules. `package` is None for one that no manifest describes."""

    def __init__(self, *, identity: str, root: str, kind: TargetKind, edition: int, package: Package | None) -> None:
        self.identity = identity
        self.root = root
        self.kind = kind
        self.edition = edition
        self.package = package
        self.base: Crate | None = None
        self.modules: dict[str, list[Part]] = {}
        self.textual: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self.exported: defaultdict[str, list[str]] = defaultdict(list)

    def parts(self, module: str) -> Sequence[Part]:
        """The parts of a module; none where the crate has no such module."""
        found = self.modules.get(module)
        if found is None and self.base is not None:
            found = self.base.modules.get(module)
        return found or ()

    def files(self, module: str) -> list[str]:
        """The files that a module's text lies in; those that are included there only where it has no other."""
        parts = self.parts(module)
        proper = [part.caller or part.file for part in parts if not part.included]
        return list(dict.fromkeys(proper or [part.file for part in parts]))


def root_part(path: str) -> Part:
    """The part that a crate's root file is."""
    return Part(path, "", parent(path))


def grow(crate: Crate, starts: Sequence[tuple[str, Part]], sources: Sources, places: Mapping[str, int]) -> None:
    """Add the modules that are reached from some parts to a crate.

    `places` counts in how many places each file is already. Loops end, and so does a file that is everywhere.
    """
    counts: defaultdict[str, int] = defaultdict(int)
    work: list[tuple[str, Part, frozenset[str]]] = [(module, part, frozenset()) for module, part in reversed(starts)]
    macro_use: set[str] = set()
    calls: list[tuple[str, str, Part, frozenset[str]]] = []
    while work or calls:
        if not work:  # All modules are known that stand in texts, and with them the macros.
            name, module, part, above = calls.pop()
            work.extend((module, items, above) for items in _declared_by(name, module, part, crate, sources))
            continue
        module, part, above = work.pop()
        if not part.scope:
            counts[part.file] += 1
            if (
                part.file in above
                or counts[part.file] > _MAX_PLACES_IN_CRATE
                or places.get(part.file, 0) + counts[part.file] > _MAX_PLACES
            ):
                continue
            above = above | {part.file} if len(above) < _MAX_DEPTH else above
        crate.modules.setdefault(module, []).append(part)
        scope = sources.scope(part)
        if module.count("::") < _MAX_DEPTH:
            children = list(_children(module, part, scope, sources, macro_use))
            work.extend((name, child, above) for name, child in reversed(children))
        calls.extend((name, module, part, above) for name in scope.calls)
        _keep_macros(crate, module, part, scope, macro_use)


def _declared_by(name: str, module: str, part: Part, crate: Crate, sources: Sources) -> Iterator[Part]:
    """The items of a macro of another file that is called in a part of a module; in the same file they are there."""
    above = module
    while above and (above, name) not in crate.textual:
        above = above.rpartition("::")[0]
    files = crate.textual.get((above, name), ())
    for file in () if part.file in files else files:
        defined = Part(file, "", part.folder, part.stem, included=True, caller=part.caller or part.file)
        if any(each.name == name and each.declares for each in sources.scope(defined).macros):
            yield defined


def _children(
    module: str, part: Part, scope: Scope, sources: Sources, macro_use: set[str]
) -> Iterator[tuple[str, Part]]:
    for items in scope.modules.values():
        for item in items:
            path = child_path(module, item.name)
            if item.macro_use:
                macro_use.add(path)
            if item.inline:
                yield path, inline_part(part, item)
            else:
                for file in locate(part, item, sources)[0]:
                    yield path, file
    for include in scope.includes:
        target = join(parent(part.file), include)
        real = sources.file(target)
        if target is not None and real is not None:
            yield module, Part(real, "", parent(target), included=True)


def _keep_macros(crate: Crate, module: str, part: Part, scope: Scope, macro_use: set[str]) -> None:
    """A `macro_rules!` is seen below its module, and above it as far as `#[macro_use]` carries it."""
    for macro in scope.macros:
        if macro.exported:
            crate.exported[macro.name].append(part.file)
        seen_in = module
        crate.textual[seen_in, macro.name].append(part.file)
        while seen_in and seen_in in macro_use:
            seen_in = seen_in.rpartition("::")[0]
            crate.textual[seen_in, macro.name].append(part.file)


def child_path(module: str, name: str) -> str:
    """The path of a module's child."""
    return f"{module}::{name}" if module else name


def inline_part(part: Part, item: RustModule) -> Part:
    """The part that an inline module is. A `#[path]` on it names the folder of its children."""
    base: str | None = join(part.folder, part.stem)
    folder = join(part.folder, item.paths[0]) if item.paths else join(base or "", item.name)
    scope = child_path(part.scope, item.name)
    return Part(part.file, scope, folder if folder is not None else part.folder, caller=part.caller)


def locate(part: Part, item: RustModule, sources: Sources) -> tuple[list[Part], list[str]]:
    """The files of a `mod x;` in a part, several where `#[cfg_attr]` chooses; and the paths that it may be at."""
    found: list[Part] = []
    probed: list[str] = []
    for path in item.paths:
        target = join(part.folder, path)
        probed.append(target or path)
        file = sources.file(target)
        if target is not None and file is not None:
            # A file named by `#[path]` keeps its children beside itself, as a mod.rs does.
            found.append(Part(file, "", parent(target)))
    if not item.paths or item.conditional:
        base = join(part.folder, part.stem) or ""
        flat, nested = join(base, f"{item.name}.rs") or "", join(base, f"{item.name}/mod.rs") or ""
        probed += [flat, nested]
        # The children of a link's file lie beside the link: rustc takes paths as they are written.
        if (real := sources.file(flat)) is not None:
            found.append(Part(real, "", base, item.name))
        elif (real := sources.file(nested)) is not None:
            found.append(Part(real, "", parent(nested)))
    return found, probed


def layout_path(root: str, path: str) -> str | None:
    """The module that a file would be by its place below a crate's root file; None where it lies elsewhere."""
    folder = parent(root)
    if folder and not path.startswith(f"{folder}/"):
        return None
    below = path[len(folder) + 1 if folder else 0 :].removesuffix(".rs").split("/")
    if below[-1] == "mod" and len(below) > 1:
        below.pop()
    return "::".join(below)


def layout_part(path: str) -> Part:
    """The part that a file is by its name alone."""
    name = basename(path)
    return Part(path, "", parent(path), "" if name in ("mod.rs", "lib.rs", "main.rs") else name.removesuffix(".rs"))
