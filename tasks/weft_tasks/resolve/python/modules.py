"""Modules: a dotted name -> files, as importlib's path finder looks through folders. Knows no projects, no imports."""

from dataclasses import dataclass

import msgspec

from weft_storage.model.interfaces.python import PythonInterface
from weft_storage.model.languages import Family
from weft_storage.model.paths import parent
from weft_tasks.resolve.base import Index

_DECODER = msgspec.msgpack.Decoder(PythonInterface)
_EMPTY = PythonInterface()


@dataclass(frozen=True, slots=True)
class Module:
    """A module or package. `file` runs, `stub` is its .pyi; a namespace package has neither.

    `portions` are the folders that hold its submodules; none for a plain module.
    """

    file: str | None
    stub: str | None
    portions: tuple[str, ...] = ()

    @property
    def is_namespace(self) -> bool:
        return self.file is None and self.stub is None

    @property
    def is_package(self) -> bool:
        """Whether it is a package with an `__init__`."""
        return bool(self.portions) and not self.is_namespace


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a dotted name leads: the modules found for its parts in order, and the folders that hold the next."""

    modules: tuple[Module, ...]
    portions: tuple[str, ...]
    is_complete: bool

    @property
    def last(self) -> Module | None:
        return self.modules[-1] if self.modules else None


def walk(index: Index, portions: tuple[str, ...], parts: tuple[str, ...]) -> Walk:
    """The modules that the parts of a dotted name lead to, one within the other."""
    modules: list[Module] = []
    for part in parts:
        module = child(index, portions, part)
        if module is None:
            return Walk(tuple(modules), portions, is_complete=False)
        modules.append(module)
        portions = module.portions
    return Walk(tuple(modules), portions, is_complete=True)


def walk_from(index: Index, roots: tuple[str, ...], parts: tuple[str, ...]) -> Walk:
    """The modules of a dotted name from its top level on, where `name-stubs` packages stand beside (PEP 561)."""
    stub_roots = index.ask(Family.PYTHON, f"stubbed:{parts[0]}")
    if stub_roots is None:
        return walk(index, roots, parts)
    top = child(index, roots, parts[0])
    stubs = child(index, tuple(dict.fromkeys((*roots, *stub_roots))), f"{parts[0]}-stubs")
    if top is not None and stubs is not None:
        top = (
            _with_stub(top, stubs) if top.file else Module(None, top.stub or stubs.stub, stubs.portions + top.portions)
        )
    top = top or stubs
    if top is None:
        return Walk((), roots, is_complete=False)
    below = walk(index, top.portions, parts[1:])
    return Walk((top, *below.modules), below.portions if parts[1:] else top.portions, below.is_complete)


def child(index: Index, portions: tuple[str, ...], name: str) -> Module | None:
    """The module of that name in the folders: the first package or module, else a namespace over all of them."""
    return index.memo(("python child", portions, name), lambda: _child(index, portions, name))


def _child(index: Index, portions: tuple[str, ...], name: str) -> Module | None:
    spaces: list[str] = []
    stub: Module | None = None
    for place, folder in enumerate(portions):
        base = f"{folder}/{name}" if folder else name
        is_folder = index.directory(base)
        found = _package(index, base, portions[place + 1 :], name) if is_folder else None
        found = found or _plain(index, base)
        if found is not None and found.file is not None:
            return found if stub is None else _with_stub(found, stub)
        if found is not None:
            # A stub alone does not hide what runs in a later folder.
            stub = stub or found
        elif is_folder:
            spaces.append(base)
    return stub or (Module(None, None, tuple(spaces)) if spaces else None)


def _with_stub(module: Module, stub: Module) -> Module:
    """The module with the stub that stands in another folder; of two stubs the module's own counts."""
    return Module(module.file, module.stub or stub.stub, tuple(dict.fromkeys((*stub.portions, *module.portions))))


def package_at(index: Index, folder: str) -> Module:
    """The package that a folder is: regular with an `__init__`, else a namespace."""
    return _package(index, folder, (), "") or Module(None, None, (folder,))


def _package(index: Index, base: str, later: tuple[str, ...], name: str) -> Module | None:
    prefix = f"{base}/" if base else ""
    file, stub = _files(index, f"{prefix}__init__")
    if file is None and stub is None:
        return None
    portions = [base]
    others = [other for folder in later if index.directory(other := f"{folder}/{name}" if folder else name)]
    if others and file is not None and interface(index, file).open_path:
        portions += others
    return Module(file, stub, tuple(portions))


def _plain(index: Index, base: str) -> Module | None:
    file, stub = _files(index, base)
    return None if file is None and stub is None else Module(file, stub)


def _files(index: Index, base: str) -> tuple[str | None, str | None]:
    """The file that runs as the module at `base`, and its stub."""
    file = index.file(f"{base}.py") or _extension(index, base)
    if file is not None and not index.ask(Family.PYTHON, f"stubs:{parent(file)}"):
        return file, None
    return file, index.file(f"{base}.pyi")


def _extension(index: Index, base: str) -> str | None:
    """The compiled module of that name."""
    if not index.ask(Family.PYTHON, "extensions"):
        return None
    found: str | None = index.ask(Family.PYTHON, f"extension:{base}")
    return found


def interface(index: Index, path: str) -> PythonInterface:
    """What the module of that file binds."""
    return index.memo(("python interface", path), lambda: _decoded(index.interface(path)))


def _decoded(encoded: bytes) -> PythonInterface:
    return _DECODER.decode(encoded) if encoded else _EMPTY


def probes(portions: tuple[str, ...], name: str) -> tuple[str, ...]:
    """The paths at which a module of that name was looked for."""
    bases = [f"{folder}/{name}" if folder else name for folder in portions]
    return tuple(path for base in bases for path in (f"{base}/__init__.py", f"{base}.py"))
