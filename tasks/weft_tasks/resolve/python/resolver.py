"""The Python resolver: an import -> the files it names. Rules: docs/semantics/python.md."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace

from weft_storage.model.edges import Resolution, Status, Target
from weft_storage.model.facts import WEAK_KINDS, EdgeKind, Import
from weft_storage.model.languages import Family
from weft_storage.model.paths import join, parent
from weft_storage.model.settings import Settings
from weft_tasks.resolve.base import Index, Project, RepositoryFiles
from weft_tasks.resolve.python.members import Binding, binding_of
from weft_tasks.resolve.python.modules import Module, Walk, child, interface, package_at, probes, walk, walk_from
from weft_tasks.resolve.python.project import PythonProject
from weft_tasks.resolve.python.standard_library import BUILT_IN, STANDARD_LIBRARY


class PythonResolver:
    """Absolute imports over the importer's roots, relative ones over folders."""

    family = Family.PYTHON

    def build(self, files: RepositoryFiles, settings: Settings) -> Project:
        return PythonProject(files, settings)

    def context(self, importer: str) -> Hashable:
        return parent(importer), importer.endswith(".pyi")

    def resolve(self, importer: str, imported: Import, index: Index) -> Resolution:
        level, parts = _split(imported.specifier)
        if parts is None or (not level and not parts):
            return Resolution(Status.UNRESOLVED, probed=(imported.specifier,))
        kind = _kind_for(importer, imported.kind)
        search = _search_from(index, parent(importer))
        if imported.kind is EdgeKind.STRING:
            return _named_by_string(search, parts)
        if level and imported.detail:
            folder_parts = _anchored(imported.detail, level)
            if folder_parts is None:
                return Resolution(Status.UNRESOLVED, probed=(imported.specifier,))
            return _absolute(search, (*folder_parts, *parts), imported.names, kind)
        if level:
            return _relative(search, level, parts, imported, kind)
        if imported.detail:
            search = search.with_added(search.folder, imported.detail.split("\n"))
        return _absolute(search, parts, imported.names, kind)


def _split(specifier: str) -> tuple[int, tuple[str, ...] | None]:
    """The number of leading dots and the dotted parts; None for parts that cannot name a module."""
    rest = specifier.lstrip(".")
    level = len(specifier) - len(rest)
    if not rest:
        return level, ()
    parts = tuple(rest.split("."))
    return level, None if "" in parts or "/" in rest or "\0" in rest or "\n" in rest else parts


def _kind_for(importer: str, kind: EdgeKind) -> EdgeKind:
    """A stub never runs: what it imports it needs for types."""
    return EdgeKind.TYPE if importer.endswith(".pyi") else kind


def _anchored(package: str, level: int) -> tuple[str, ...] | None:
    """The parts of the package that `level` dots mean from `package`."""
    _, parts = _split(package)
    return None if parts is None or level > len(parts) else parts[: len(parts) - level + 1]


def _search_from(index: Index, folder: str) -> "_Search":
    return index.memo(("python search", folder), lambda: _search(index, folder))


def _search(index: Index, folder: str) -> "_Search":
    roots, top, scope, beside, conftests = index.ask(Family.PYTHON, f"roots:{folder}")
    search = _Search(index, folder, tuple(roots), top, scope, beside)
    for conftest in conftests:
        search = search.with_added(parent(conftest), interface(index, conftest).search)
    return search


@dataclass(frozen=True, slots=True)
class _Search:
    """Where the imports of one folder's files are looked for.

    `top` is the folder above the packages around it; `scope` the folder whose declared dependencies count; `beside` the
    root that its files have only as scripts. Absolute imports depend on `roots`, `scope`, `beside` and `around` alone,
    those of built-in modules on `top` too.
    """

    index: Index
    folder: str
    roots: tuple[str, ...]
    top: str
    scope: str
    beside: str | None

    def with_added(self, folder: str, added: Iterable[str]) -> "_Search":
        """The same with folders that a module in `folder` adds to `sys.path`: `<way` before it, `>way` after it."""
        roots = self.roots
        for each in added:
            path = join(folder, each[1:])
            if path is not None and self.index.directory(path):
                roots = (path, *roots) if each.startswith("<") else (*roots, path)
        return replace(self, roots=tuple(dict.fromkeys(roots)))

    def find(self, parts: tuple[str, ...]) -> Walk:
        """The modules of a dotted name: from the importer's own roots, else from these and those of other projects.

        What is in none of them, nor in the standard library or a declared dependency, may lie beside a script, or in
        the namespace package of that name around it.
        """
        found = self._find(parts)
        name, around = parts[0], self.around(parts)
        if (self.beside is None and around is None) or found.modules or name in STANDARD_LIBRARY or name in BUILT_IN:
            return found
        if self.distribution(parts):
            return found
        if self.beside is not None:
            beside = walk_from(self.index, (self.beside,), parts)
            if beside.last is not None and beside.is_complete and not beside.last.is_namespace:
                return beside
        above = None if around is None else walk_from(self.index, (around,), parts)
        return above if above is not None and above.is_complete else found

    def around(self, parts: tuple[str, ...]) -> str | None:
        """The folder above the folders around the importer that are called like the first two parts of a name.

        One part would not do: the folder of examples for a distribution is often called like it. Within a regular
        package they are its subpackages.
        """
        folders = self.folder.split("/")
        for place in range(len(folders) - 1):
            root = "/".join(folders[:place])
            is_above = not root or f"{self.top}/".startswith(f"{root}/")
            if is_above and tuple(folders[place : place + 2]) == parts[:2]:
                return root
        return None

    def distribution(self, parts: tuple[str, ...]) -> str:
        """The declared dependency that a dotted name comes from, or nothing."""
        found: str = self.index.ask(Family.PYTHON, f"distribution:{self.scope}:{'.'.join(parts[:4])}")
        return found

    def _find(self, parts: tuple[str, ...]) -> Walk:
        roots, name = self.roots, parts[0]
        if name in BUILT_IN and self.index.file(join(self.top, "builtins.pyi")) is None:
            return Walk((), (), is_complete=False)
        near = walk_from(self.index, roots, parts)
        if name in STANDARD_LIBRARY or (near.last is not None and near.is_complete and not near.last.is_namespace):
            return near
        renamed = self._renamed(parts)
        if renamed is not None:
            return renamed
        offers = self.index.ask(Family.PYTHON, f"offers:{'.'.join(parts)}")
        more = () if offers == "namespace" else tuple(root for root in offers if root not in roots)
        if not more:
            return near
        far = walk_from(self.index, roots + more, parts)
        return far if far.is_complete or not near.modules else near

    def _renamed(self, parts: tuple[str, ...]) -> Walk | None:
        """The modules beneath a package that a manifest keeps in a folder of another name, if there are all."""
        for dotted, folder in self.index.ask(Family.PYTHON, f"renamed:{self.scope}:{parts[0]}"):
            above = tuple(dotted.split("."))
            if parts[: len(above)] == above:
                package = package_at(self.index, folder)
                below = walk(self.index, package.portions, parts[len(above) :])
                if below.is_complete:
                    ways = (Module(None, None),) * (len(above) - 1)
                    return Walk((*ways, package, *below.modules), below.portions, is_complete=True)
        return None

    def is_namespace(self, parts: tuple[str, ...], found: Walk) -> bool:
        """Whether the dotted name, found or not among the own roots, is a namespace package somewhere."""
        return found.is_complete or self.index.ask(Family.PYTHON, f"offers:{'.'.join(parts)}") == "namespace"

    def locate(self, file: str, specifier: str) -> Module | None:
        """The module that a specifier means in a file."""
        level, parts = _split(specifier)
        if parts is None or (not level and not parts):
            return None
        search = _search_from(self.index, parent(file))
        found = search.within(level, parts)[1] if level else search.find(parts)
        if found is None or not found.is_complete:
            return None
        return found.last or package_at(self.index, search.upward(level) or "")

    def upward(self, level: int) -> str | None:
        """The folder that `level` dots mean, None where they lead out of the repository."""
        folder = self.folder
        for _ in range(level - 1):
            if not folder:
                return None
            folder = parent(folder)
        return folder

    def within(self, level: int, parts: tuple[str, ...]) -> tuple[str, Walk | None]:
        """The folder that the dots mean, and the modules of the dotted name beneath it."""
        folder = self.upward(level)
        if folder is None:
            return "", None
        found = walk(self.index, (folder,), parts)
        if found.is_complete or not parts or not folder:
            return folder, found
        base = self.package(folder)
        if base.is_namespace or (base.file is not None and interface(self.index, base.file).open_path):
            elsewhere = self.find((*self.dotted(folder), *parts))
            if elsewhere.is_complete:
                return folder, Walk(elsewhere.modules[-len(parts) :], elsewhere.portions, is_complete=True)
        return folder, found

    def dotted(self, folder: str) -> tuple[str, ...]:
        """The dotted name of a folder, from the first root that it lies beneath."""
        for root in self.roots:
            if folder != root and (not root or folder.startswith(f"{root}/")):
                return tuple(folder[len(root) :].strip("/").split("/"))
        return tuple(folder.split("/"))

    def package(self, folder: str) -> Module:
        return self.index.memo(("python package", folder), lambda: package_at(self.index, folder))

    def packages_around(self, folder: str) -> list[Module]:
        """The packages that are imported before a module in `folder`: from the outermost to that of the folder."""
        found: list[Module] = []
        while folder and folder != self.top:
            found.append(self.package(folder))
            folder = parent(folder)
        return found[::-1]


class _Targets:
    """The files that one import leads to, each with the names taken from it, in the order in which they were found."""

    def __init__(self, kind: EdgeKind) -> None:
        self._kind = kind
        self._names: dict[tuple[str, EdgeKind], list[str]] = {}
        self.is_ambiguous = False

    def add(self, module: Module, names: Iterable[str] = ()) -> None:
        if module.file is not None:
            self._names.setdefault((module.file, self._kind), []).extend(names)
        if module.stub is not None:
            kind = EdgeKind.STRING if self._kind is EdgeKind.STRING else EdgeKind.TYPE
            self._names.setdefault((module.stub, kind), []).extend(names)

    def add_ancestors(self, modules: Iterable[Module]) -> None:
        """The packages on the way, which run too; nothing runs for the sake of types or strings."""
        if self._kind not in WEAK_KINDS:
            for module in modules:
                if module.file is not None and (module.file, self._kind) not in self._names:
                    self._names.setdefault((module.file, EdgeKind.ANCESTOR), [])

    def resolution(self) -> Resolution:
        targets = tuple(Target(path, kind, tuple(names)) for (path, kind), names in self._names.items())
        return Resolution(Status.AMBIGUOUS if self.is_ambiguous else Status.RESOLVED, targets)


def _named_by_string(search: _Search, parts: tuple[str, ...]) -> Resolution:
    """The deepest module on the path that a string literal names, of two names at least, if there is one."""
    targets = _Targets(EdgeKind.STRING)
    if search.index.ask(Family.PYTHON, "strings"):
        modules = list(search.find(parts).modules)
        while modules and modules[-1].is_namespace:
            modules.pop()
        if len(modules) > 1:
            targets.add(modules[-1], parts[len(modules) :][:1])
    return targets.resolution()


def _absolute(search: _Search, parts: tuple[str, ...], names: tuple[str, ...], kind: EdgeKind) -> Resolution:
    top = search.top if parts[0] in BUILT_IN else ""
    key = ("python absolute", search.roots, search.scope, search.beside, search.around(parts), top, parts, names, kind)
    return search.index.memo(key, lambda: _from_roots(search, parts, names, kind))


def _from_roots(search: _Search, parts: tuple[str, ...], names: tuple[str, ...], kind: EdgeKind) -> Resolution:
    found = search.find(parts)
    targets = _Targets(kind)
    if found.last is not None and found.is_complete and not found.last.is_namespace:
        _take(search, found.last, found.modules[:-1], names, targets)
        return targets.resolution()
    if not names or not search.is_namespace(parts, found):
        return _missing(search, found, parts, kind)
    # A namespace package is open to all projects: each name is looked for as the module that it must be.
    is_found = False
    for name in names:
        walked = search.find((*parts, name))
        if name != "*" and walked.last is not None and walked.is_complete:
            is_found = True
            targets.add(walked.last)
            targets.add_ancestors(walked.modules[:-1])
    if is_found:
        return targets.resolution()
    missing = next((name for name in names if name != "*"), "")
    return _missing(search, search.find((*parts, missing)) if missing else found, (*parts, missing), kind)


def _relative(search: _Search, level: int, parts: tuple[str, ...], imported: Import, kind: EdgeKind) -> Resolution:
    folder, found = search.within(level, parts)
    if found is None:
        return Resolution(Status.UNRESOLVED, probed=(imported.specifier,))
    if not found.is_complete:
        return Resolution(Status.UNRESOLVED, probed=_probed(found, parts))
    targets = _Targets(kind)
    around = search.packages_around(folder)
    base = found.last or search.package(folder)
    ways = [*around, *found.modules[:-1]] if parts else around[:-1]
    if not base.is_namespace:
        _take(search, base, ways, imported.names, targets)
        return targets.resolution()
    return _from_namespace(search, level, parts, imported, targets, ways)


def _from_namespace(
    search: _Search,
    level: int,
    parts: tuple[str, ...],
    imported: Import,
    targets: _Targets,
    ways: list[Module],
) -> Resolution:
    """`from . import x` in a folder without an `__init__`: every name must be a module."""
    probed: tuple[str, ...] = ()
    is_found = False
    for name in imported.names:
        folder, walked = search.within(level, (*parts, name))
        if walked is not None and walked.last is not None and walked.is_complete:
            is_found = True
            targets.add(walked.last)
        elif walked is not None:
            probed += probes(walked.portions or (folder,), name)
    if not is_found:
        return Resolution(Status.UNRESOLVED, probed=probed or (imported.specifier,))
    targets.add_ancestors(ways)
    return targets.resolution()


def _take(search: _Search, base: Module, ways: Iterable[Module], names: tuple[str, ...], targets: _Targets) -> None:
    """Add what `import base` or `from base import names` leads to; `ways` are the packages above `base`."""
    if not names:
        targets.add(base)
    inside = False
    for name in names:
        if name == "*":
            targets.add(base, names)
            inside |= _take_listed(search, base, targets)
            continue
        submodule = _submodule(search, base, name, targets)
        if submodule is None or submodule.is_namespace:
            targets.add(base, (name,))
        else:
            inside = True
            targets.add(submodule)
    targets.add_ancestors([*ways, base] if inside else ways)


def _take_listed(search: _Search, base: Module, targets: _Targets) -> bool:
    """Add the submodules in a package's `__all__`, which a star import loads; whether there were any."""
    init = base.file or base.stub
    if not base.is_package or init is None:
        return False
    found = [_submodule(search, base, name) for name in interface(search.index, init).dunder_all or ()]
    for module in found:
        if module is not None:
            targets.add(module)
    return any(found)


def _submodule(search: _Search, base: Module, name: str, targets: _Targets | None = None) -> Module | None:
    """The submodule that a name taken from a package means, None where the package itself has it.

    Where that cannot be known both are meant: the package is added and the targets are marked ambiguous.
    """
    init = base.file or base.stub
    if not base.is_package or init is None or _split(name) != (0, (name,)):
        return None
    binding = binding_of(search.index, init, name, search.locate)
    if binding is Binding.BOUND:
        return None
    module = child(search.index, base.portions, name)
    if module is not None and not module.is_namespace and binding is Binding.UNKNOWN and targets is not None:
        targets.add(base, (name,))
        targets.is_ambiguous = True
    return module


def _missing(search: _Search, found: Walk, parts: tuple[str, ...], kind: EdgeKind) -> Resolution:
    """An absolute import that leads nowhere: outside the repository, or missing from a package that is in it."""
    parts = tuple(part for part in parts if part)
    if parts[0] in STANDARD_LIBRARY or parts[0] in BUILT_IN:
        return Resolution(Status.EXTERNAL, package=parts[0])
    distribution = search.distribution(parts)
    if distribution or found.last is None or _is_open(search.index, found):
        return Resolution(Status.EXTERNAL, package=distribution or parts[0])
    if len(found.modules) == len(parts):
        targets = _Targets(kind)  # a folder alone: there is no file that it could lead to
        targets.add_ancestors(found.modules)
        return targets.resolution()
    return Resolution(Status.UNRESOLVED, probed=_probed(found, parts))


def _probed(found: Walk, parts: tuple[str, ...]) -> tuple[str, ...]:
    """Where the first missing part was looked for; a plain module would have to become a package first."""
    portions = found.portions
    if not portions and found.last is not None:
        portions = tuple(file.rpartition(".")[0] for file in (found.last.file or found.last.stub,) if file)
    return probes(portions, parts[len(found.modules)])


def _is_open(index: Index, found: Walk) -> bool:
    """Whether the missing part may lie outside: in a namespace package, which by PEP 420 holds packages alone.

    A folder without an `__init__` but with modules in it is a package of this repository, written carelessly; one
    within a regular package has no other portions.
    """
    if found.last is None or not all(each.is_namespace for each in found.modules):
        return False
    return not any(index.ask(Family.PYTHON, f"modules:{folder}") for folder in found.last.portions)
