"""The project of Rust: the repository's crates, and answers to where their paths lead. Knows no import, only questions.

Questions, their parts separated by `//`, which no path of a file or a module holds:

    place:FILE                          -> [[crate, module], …] that the file is
    package:FILE                        -> folder of the package that the file lies in, or None
    mod:FILE//SCOPE//NAME               -> [files, paths probed] of a `mod` item
    use|path|call:CRATE//MODULE//PATH   -> [status, [[file, name], …], package, paths probed]; of a `call`, the last
                                           segment is a function
    extern:CRATE//NAME                  -> the same
    bare:CRATE//MODULE//NAME            -> files that declare the macro of that name in textual scope there

A crate or file that is no longer there has answers too: nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from weft_storage.model.edges import Status
from weft_storage.model.paths import ancestors, basename, join, parent
from weft_tasks.resolve.base import RepositoryFiles
from weft_tasks.resolve.rust.cargo import (
    MANIFEST,
    Package,
    Target,
    TargetKind,
    read_layout,
    read_packages,
)
from weft_tasks.resolve.rust.modules import (
    Crate,
    Part,
    Sources,
    child_path,
    grow,
    inline_part,
    layout_part,
    layout_path,
    locate,
    root_part,
)
from weft_tasks.resolve.rust.names import Module, Named, Names, Visible

Answer = tuple[str, tuple[tuple[str, str], ...], str, tuple[str, ...]]

NOTHING: Answer = (Status.RESOLVED.value, (), "", ())
# Paths that start so name something of the repository: that they lead nowhere is worth telling.
_ROOTED = frozenset({"crate", "self", "super", "$crate"})


class RustProject:
    """The crates of a repository. Manifests are read when it is made, module trees at the first question."""

    def __init__(self, files: RepositoryFiles) -> None:
        self._files = files
        self._layout = read_layout(files)
        self._packages, self._problems = read_packages(files, self._layout)
        self._sources = Sources(files)
        self._visible: dict[str, Visible] = {}
        self._names = Names(self._sources, self._visible_to)

    @property
    def problems(self) -> Sequence[tuple[str, str]]:
        return self._problems

    def answer(self, key: str) -> Any:
        kind, _, rest = key.partition(":")
        if kind == "place":
            return self._place(rest)
        if kind == "package":
            return self._package_folder(rest)
        if kind == "extern":
            return self._extern(*rest.split("//", 1))
        # Only the last part comes from source text, and may hold anything.
        place, scope, name = rest.split("//", 2)
        if kind == "mod":
            return self._mod(place, scope, name)
        if kind == "bare":
            return self._bare(place, scope, name)
        if kind == "call":
            return self._called(place, scope, name)
        return self._path(place, scope, name, importing=kind == "use")

    @cached_property
    def _trees(self) -> "_Trees":
        return _Trees(self._packages, self._layout.files, self._sources)

    def _place(self, path: str) -> tuple[tuple[str, str], ...]:
        return tuple(self._trees.places.get(path, ()))

    def _package_folder(self, path: str) -> str | None:
        package = enclosing(self._packages, path)
        return package.directory if package else None

    def _mod(self, path: str, scope: str, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        found: dict[str, None] = {}
        probed: dict[str, None] = {}
        for part in self._trees.parts_of(path):
            inside = _inside(part, scope, self._sources)
            for item in self._sources.scope(inside).modules.get(name, ()) if inside else ():
                if inside is not None and not item.inline:
                    parts, looked_for = locate(inside, item, self._sources)
                    found.update((each.file, None) for each in parts)
                    probed.update((each, None) for each in looked_for)
        return tuple(found), tuple(probed)

    def _path(self, identity: str, module: str, path: str, *, importing: bool) -> Answer:
        crate = self._trees.crates.get(identity)
        if crate is None:
            return NOTHING
        start = Module(crate, module)
        segments = path.split("::")
        followed = path
        if segments[-1] == "*":
            # `use *` is the root's in 2015 and nothing later.
            followed = "::".join(segments[:-1]) or "crate"
        named = self._names.follow(start, followed, importing=importing)
        if named.modules:
            return self._inside_repository(named, segments, importing)
        if named.packages:
            return (Status.EXTERNAL.value, (), named.packages[0], ())
        return self._nowhere(start, segments, named, importing)

    def _called(self, identity: str, module: str, path: str) -> Answer:
        crate = self._trees.crates.get(identity)
        around, _, name = path.rpartition("::")
        if crate is None or not around:
            return self._path(identity, module, path, importing=False)
        named = self._names.follow(Module(crate, module), around, importing=False)
        if named.modules and not named.rest and not named.packages:
            return (Status.RESOLVED.value, self._files_of(named.modules, name), "", ())
        return self._path(identity, module, path, importing=False)

    @staticmethod
    def _files_of(modules: Iterable[Module], name: str) -> tuple[tuple[str, str], ...]:
        return tuple(dict.fromkeys((file, name) for each in modules for file in each.crate.files(each.path)))

    def _inside_repository(self, named: Named, segments: Sequence[str], importing: bool) -> Answer:
        told = importing or segments[0] in _ROOTED
        if told and self._is_missing(named):
            return (Status.UNRESOLVED.value, (), "", self._probed(named.modules, named.rest[0]))
        name = named.rest[0] if named.rest else segments[-1]
        targets: dict[tuple[str, str], None] = {}
        for module in named.modules:
            exported = [] if module.path or len(named.rest) != 1 or named.item else module.crate.exported.get(name, [])
            targets.update(((file, name), None) for file in exported or module.crate.files(module.path))
        return (Status.RESOLVED.value, tuple(targets), "", ())

    def _is_missing(self, named: Named) -> bool:
        """Whether what follows the last module should be one, and is nothing: a segment in lower case before others."""
        if len(named.rest) < 2 or named.item or named.open:
            return False
        return not named.rest[0][:1].isupper()

    def _nowhere(self, start: Module, segments: Sequence[str], named: Named, importing: bool) -> Answer:
        first = segments[0]
        if first in _ROOTED:
            return (Status.UNRESOLVED.value, (), "", self._probed([start], segments[-1]))
        name = first or (segments[1] if len(segments) > 1 else "")
        if not importing or named.item or named.open or name[:1].isupper():
            return NOTHING
        macros = self._bare(start.crate.identity, start.path, name) if len(segments) == 1 else ()
        if macros:
            return (Status.RESOLVED.value, tuple((file, name) for file in macros), "", ())
        package = name if start.crate.package is None else self._library_called(name, start.crate)
        if package is not None:
            return (Status.EXTERNAL.value, (), package, ())
        return (Status.UNRESOLVED.value, (), "", self._probed([start], name))

    def _library_called(self, name: str, crate: Crate) -> str | None:
        """The external package whose library may be called so: `md5` of `md-5`, `libcst_native` of `libcst`.

        What a library is called stands in its own manifest, which is not here. The repository's own are not guessed.
        """
        if any(package.library == name for package in self._packages.values()):
            return None
        packages = self._visible_to(crate).packages
        plain = _plain(name)
        for dependency in sorted(packages):
            other = _plain(dependency)
            if plain == other or name.startswith(f"{dependency}_") or dependency.startswith(f"{name}_"):
                return packages[dependency]
        return None

    def _probed(self, modules: Iterable[Module], name: str) -> tuple[str, ...]:
        """Where a module of that name would be."""
        found: dict[str, None] = {}
        for module in modules:
            for part in module.crate.parts(module.path):
                base = join(part.folder, part.stem) or ""
                found.update((path, None) for each in (f"{name}.rs", f"{name}/mod.rs") if (path := join(base, each)))
            if module.crate.package is not None:
                found[join(module.crate.package.directory, MANIFEST) or MANIFEST] = None
        return tuple(found) or (f"{name}.rs",)

    def _extern(self, identity: str, name: str) -> Answer:
        crate = self._trees.crates.get(identity)
        if crate is None:
            return NOTHING
        named = self._names.extern_crate(crate, name)
        if named.modules:
            return (Status.RESOLVED.value, tuple((each.crate.root, name) for each in named.modules), "", ())
        if crate.package is None:
            return (Status.EXTERNAL.value, (), name, ())
        package = named.packages[0] if named.packages else self._library_called(name, crate)
        if package is not None:
            return (Status.EXTERNAL.value, (), package, ())
        return (Status.UNRESOLVED.value, (), "", (join(crate.package.directory, MANIFEST) or MANIFEST,))

    def _bare(self, identity: str, module: str, name: str) -> tuple[str, ...]:
        crate = self._trees.crates.get(identity)
        if crate is None:
            return ()
        above = module
        while True:
            files = self._textual(crate, above, name)
            if files or not above:
                break
            above = above.rpartition("::")[0]
        return tuple(dict.fromkeys(files or self._imported_macro(crate, name)))

    def _textual(self, crate: Crate, module: str, name: str) -> list[str]:
        found = crate.textual.get((module, name), [])
        return found or (crate.base.textual.get((module, name), []) if crate.base is not None else [])

    def _imported_macro(self, crate: Crate, name: str) -> list[str]:
        """The files of a macro that `#[macro_use] extern crate` in the root brings in."""
        for scope in self._names.scopes(Module(crate, "")):
            for items in scope.crates.values():
                for item in items:
                    for module in self._names.extern_crate(crate, item.crate).modules if item.macro_use else ():
                        if name in module.crate.exported:
                            return module.crate.exported[name]
        return []

    def _visible_to(self, crate: Crate) -> Visible:
        if crate.identity not in self._visible:
            self._visible[crate.identity] = self._see(crate)
        return self._visible[crate.identity]

    def _see(self, crate: Crate) -> Visible:
        package = crate.package
        if package is None:
            return Visible({}, {})
        build = crate.kind is TargetKind.BUILD
        crates: dict[str, Crate] = {}
        packages: dict[str, str] = {}
        for name, dependency in (package.build_dependencies if build else package.dependencies).items():
            library = self._trees.library(dependency.directory)
            if library is not None:
                crates[name] = library
            else:
                packages[name] = dependency.package
        own = self._trees.library(package.directory)
        if own is not None and crate.kind not in (TargetKind.BUILD, TargetKind.LIB):
            crates.setdefault(package.library, own)
        return Visible(crates, packages)


class _Trees:
    """Every crate with its modules, and in which places each file is."""

    def __init__(self, packages: Mapping[str, Package], layout: Mapping[str, Sequence[str]], sources: Sources) -> None:
        self.crates: dict[str, Crate] = {}
        self.places: dict[str, list[tuple[str, str]]] = {}
        self._packages = packages
        self._sources = sources
        self._parts: defaultdict[str, list[Part]] = defaultdict(list)
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._libraries: dict[str, Crate] = {}
        for package in packages.values():
            for target in package.targets:
                self._add(target, package)
        self._add_strays(sorted(join(folder, name) or name for folder, names in layout.items() for name in names))

    def library(self, directory: str | None) -> Crate | None:
        """The library crate of the package in a folder."""
        return self._libraries.get(directory) if directory is not None else None

    def parts_of(self, path: str) -> Sequence[Part]:
        """The parts of modules that a file is."""
        return self._parts.get(path, ())

    def _add(self, target: Target, package: Package | None) -> Crate:
        folder = package.directory if package else ""
        crate = Crate(
            identity=f"{target.kind.value}@{folder}@{target.root}",
            root=target.root,
            kind=target.kind,
            edition=target.edition,
            package=package,
        )
        grow(crate, [("", root_part(target.root))], self._sources, self._counts)
        self._keep(crate)
        if target.kind is TargetKind.LIB and package is not None:
            self._libraries.setdefault(package.directory, crate)
        return crate

    def _keep(self, crate: Crate) -> None:
        self.crates[crate.identity] = crate
        for module, parts in crate.modules.items():
            for part in parts:
                if not part.scope:
                    self._counts[part.file] += 1
                    self._parts[part.file].append(part)
                    places = self.places.setdefault(part.file, [])
                    if (crate.identity, module) not in places:
                        places.append((crate.identity, module))

    def _add_strays(self, paths: Sequence[str]) -> None:
        """Give a place to the files that no target reaches.

        A `lib.rs` or `main.rs` among them is a crate that no manifest tells of. Another one below the root of a
        crate is the module that its place would make it; one elsewhere stands for itself, as a compile test does.
        """
        strays = [path for path in paths if path not in self.places]
        for path in sorted(strays, key=lambda each: (each.count("/"), each)):
            if basename(path) in ("lib.rs", "main.rs") and path not in self.places:
                kind = TargetKind.LIB if basename(path) == "lib.rs" else TargetKind.BIN
                self._add(self._stray_target(kind, path), enclosing(self._packages, path))
        roots = self._roots()
        below: defaultdict[str, list[str]] = defaultdict(list)
        alone: list[str] = []
        for path in strays:
            if path not in self.places:
                root = self._root_above(path, roots)
                (below[root.identity] if root is not None else alone).append(path)
        for identity, inside in below.items():
            self._add_layout(self.crates[identity], inside)
        for path in alone:
            if path not in self.places:
                self._add(self._stray_target(TargetKind.TEST, path), enclosing(self._packages, path))

    def _stray_target(self, kind: TargetKind, path: str) -> Target:
        package = enclosing(self._packages, path)
        return Target(kind, path, package.edition if package else 2021)

    def _roots(self) -> dict[str, Crate]:
        """By folder, the crate whose modules lie there: that of `lib.rs`, or else of `main.rs`."""
        roots: dict[str, Crate] = {}
        for crate in self.crates.values():
            if crate.kind is TargetKind.LIB or basename(crate.root) == "main.rs":
                roots.setdefault(parent(crate.root), crate)
        return roots

    def _root_above(self, path: str, roots: Mapping[str, Crate]) -> Crate | None:
        package = enclosing(self._packages, path)
        for folder in ancestors(path):
            if folder in roots:
                return roots[folder]
            if package is not None and folder == package.directory:
                return None
        return None

    def _add_layout(self, base: Crate, paths: Iterable[str]) -> None:
        """Modules over those of a crate, by the names of files that it does not reach."""
        crate = Crate(
            identity=f"layout@{base.identity}",
            root=base.root,
            kind=base.kind,
            edition=base.edition,
            package=base.package,
        )
        crate.base = base
        for path in paths:
            module = layout_path(base.root, path)
            if module is not None:
                grow_inline(crate, module, layout_part(path), self._sources)
        self._keep(crate)


def _plain(name: str) -> str:
    return name.removeprefix("rust_").removesuffix("_rs").removesuffix("_rust").replace("_", "")


def grow_inline(crate: Crate, module: str, part: Part, sources: Sources) -> None:
    """Add a file and its inline modules to a crate, and none of the files that it declares."""
    work = [(module, part)]
    while work:
        path, inside = work.pop()
        crate.modules.setdefault(path, []).append(inside)
        for items in sources.scope(inside).modules.values():
            work.extend((child_path(path, item.name), inline_part(inside, item)) for item in items if item.inline)


def enclosing(packages: Mapping[str, Package], path: str) -> Package | None:
    """The package that a file lies in: the nearest one above it."""
    return next((packages[folder] for folder in ancestors(path) if folder in packages), None)


def _inside(part: Part, scope: str, sources: Sources) -> Part | None:
    """The part that inline modules of a part are."""
    for name in scope.split("::") if scope else ():
        item = next((each for each in sources.scope(part).modules.get(name, ()) if each.inline), None)
        if item is None:
            return None
        part = inline_part(part, item)
    return part
