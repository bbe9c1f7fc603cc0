"""The referee: what CPython itself finds and binds, asked without running anything of the repository.

`importlib.machinery.PathFinder` looks through folders as `import` does, namespace portions included; `ast` reads what a
module binds. Neither knows Weft or an authority.
"""

import ast
import os
import sys
import tomllib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path, PurePath, PurePosixPath

from weft_storage.model.paths import ancestors, parent

_MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg")


def find(root: str, roots: Iterable[str], dotted: str) -> str | None:
    """The file that `import dotted` finds in a repository with these folders as `sys.path`; None for none."""
    path: Sequence[str] = [os.path.join(root, each) for each in roots]
    spec: ModuleSpec | None = None
    sys.path_importer_cache.clear()
    for part in dotted.split("."):
        # By the part alone: with the whole name a namespace would ask `sys.modules` for the packages around it.
        spec = PathFinder.find_spec(part, path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or ())
    return os.path.relpath(spec.origin, root) if spec and spec.origin and spec.has_location else None


def meant(root: str, roots: Sequence[str], specifier: str, names: Iterable[str]) -> set[str]:
    """The files that an absolute import leads to: of each name the submodule, unless the package binds the name."""
    base = find(root, roots, specifier)
    files = set() if names else {base}
    for name in names:
        submodule = None if name == "*" else find(root, roots, f"{specifier}.{name}")
        is_bound = base is not None and name in bindings(os.path.join(root, base))
        files.add(base if submodule is None or is_bound else submodule)
    return {file for file in files if file is not None}


def real_path(root: str, path: str) -> str:
    """The path of a file of the folder, links followed; as it is where they lead out."""
    real = os.path.relpath(os.path.realpath(os.path.join(root, path)), root)
    return path if real.startswith("..") else real


def module_names(path: str) -> Iterator[tuple[str, str]]:
    """(root, dotted name) for every folder above a file that may be the root of it as a module, nearest first."""
    base = path.rpartition(".")[0]
    parts = (parent(base) if base.rpartition("/")[2] == "__init__" else base).split("/")
    for start in range(len(parts) - 1, -1, -1):
        yield "/".join(parts[:start]), ".".join(parts[start:])


def root_for(path: str, specifier: str, names: Iterable[str] = ()) -> tuple[str, str] | None:
    """The root from which a file is what an absolute import says: its specifier, or a name taken from that."""
    meant = {specifier, *(f"{specifier}.{name}" for name in names)}
    return next(((root, dotted) for root, dotted in module_names(path) if dotted in meant), None)


def own_root(importer: str, paths: frozenset[str]) -> str:
    """The folder above the outermost regular package around a file; a script's own folder."""
    packages = [folder for folder in ancestors(importer) if folder and is_regular(folder, paths)]
    return parent(packages[-1]) if packages else parent(importer)


def beside(importer: str, paths: frozenset[str]) -> str:
    """The first folder upward without an `__init__`: what pytest inserts; where a script beneath a package looks."""
    folder = parent(importer)
    while folder and is_regular(folder, paths):
        folder = parent(folder)
    return folder


def is_portion(root: str, folder: str) -> bool:
    """Whether a folder lies inside the `src` of a project that is built: then it is a part of a namespace package."""
    return any(each.rpartition("/")[2] == "src" and is_built(root, parent(each)) for each in ancestors(folder))


def is_regular(folder: str, paths: frozenset[str]) -> bool:
    return any(f"{folder}/__init__.{suffix}" in paths for suffix in ("py", "pyi"))


def is_declared(folder: str, paths: frozenset[str]) -> bool:
    """Whether a folder is plainly a root: a `src`, or where a manifest lies; a module of a package may be setup.py."""
    prefix = f"{folder}/" if folder else ""
    manifests = [name for name in _MANIFESTS if prefix + name in paths]
    is_module = manifests == ["setup.py"] and is_regular(folder, paths)
    return folder.rpartition("/")[2] == "src" or bool(manifests and not is_module)


def is_built(root: str, folder: str) -> bool:
    """Whether a manifest in a folder says that it is built into a distribution."""
    texts = {name: _text(Path(root, folder, name)) for name in _MANIFESTS}
    tables = ("[project]", "[build-system]", "[tool.poetry]")
    return (
        any(table in texts["pyproject.toml"] for table in tables)
        or any(table in texts["setup.cfg"] for table in ("[metadata]", "[options]"))
        or ("setup(" in texts["setup.py"] and ("setuptools" in texts["setup.py"] or "distutils" in texts["setup.py"]))
    )


def is_pants_root(root: str, folder: str) -> bool:
    """Whether the patterns of a pants.toml above name a folder; `match` compares from the right, as Pants does."""
    for above in ancestors(folder):
        try:
            document = tomllib.loads(_text(Path(root, above, "pants.toml")))
        except tomllib.TOMLDecodeError:
            continue
        relative = PurePosixPath("/", folder[len(above) :].strip("/"))
        if any(relative.match(each) for each in document.get("source", {}).get("root_patterns", ()) if each != "/"):
            return True
    return False


def declared_around(importer: str, paths: frozenset[str]) -> list[str]:
    """The plain roots of the projects around a file, innermost first, with their `src`."""
    found = []
    for folder in ancestors(importer):
        if is_declared(folder, paths):
            found += [f"{folder}/src" if folder else "src", folder]
    return found


@lru_cache(maxsize=4096)
def bindings(file: str) -> frozenset[str]:
    """Names that a module's statements bind, but for what it takes from itself, as `from . import name` does.

    Blocks for type checkers bind nothing. Relative star imports bind what `__all__` lists, or the public names.
    """
    names: set[str] = set(_bound(_tree(file).body, file.removesuffix("i").removesuffix("/__init__.py")))
    seen, pending = {file}, list(_starred(file))
    while pending:
        source = pending.pop()
        if source not in seen:
            seen.add(source)
            names |= listed(source) or {each for each in _bound(_tree(source).body, source) if each[0] != "_"}
            pending += () if listed(source) else _starred(source)
    return frozenset(names)


def _starred(file: str) -> Iterator[str]:
    """The files that a module imports all names from, by dots."""
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.ImportFrom) and node.level and node.names[0].name == "*":
            base = Path(file).parents[node.level - 1].joinpath(*(node.module or "").split("."))
            yield from (str(each) for each in (base / "__init__.py", base.with_suffix(".py")) if each.is_file())


@lru_cache(maxsize=4096)
def listed(file: str) -> frozenset[str]:
    """The literal strings in what is assigned to `__all__`."""
    found: set[str] = set()
    for node in ast.walk(_tree(file)):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(each, ast.Name) and each.id == "__all__" for each in targets):
            strings = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
            found.update(each for each in strings if isinstance(each, str))
    return frozenset(found)


@lru_cache(maxsize=4096)
def strings(file: str, *, but_conditions: bool = False) -> frozenset[str]:
    """The string literals of a module, without those in conditions of `if` where that is asked for."""
    found: set[str] = set()
    pending: list[ast.AST] = [_tree(file)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        if isinstance(node, ast.If) and but_conditions:
            pending += [*node.body, *node.orelse]
        else:
            pending += ast.iter_child_nodes(node)
    return frozenset(found)


@lru_cache(maxsize=4096)
def _tree(file: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(Path(file).read_bytes())
        except (OSError, SyntaxError, ValueError):
            return ast.Module([], [])


def _bound(body: Iterable[ast.stmt], package: str) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=names):
                yield from (each.asname or each.name.partition(".")[0] for each in names)
            case ast.ImportFrom(names=names, module=module, level=level):
                own = module is None if level else package.endswith(f"/{(module or '').replace('.', '/')}")
                yield from (each.asname or each.name for each in names if each.asname or not (own or each.name == "*"))
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"), orelse=orelse):
                yield from _bound(orelse, package)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.For() | ast.With():
                yield from _stored(node)
                yield from _bound(getattr(node, "body", ()), package)
            case ast.If() | ast.Try() | ast.While():
                yield from _bound(node.body, package)
                yield from _bound(getattr(node, "orelse", ()), package)
                yield from _bound(getattr(node, "finalbody", ()), package)
                for handler in getattr(node, "handlers", ()):
                    yield from _bound(handler.body, package)


def _stored(node: ast.stmt) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            yield each.id


def added_paths(root: str, path: str) -> frozenset[str]:
    """The folders, in the repository, that a file adds to `sys.path` by expressions of `__file__` and literals."""
    return _added_paths(os.path.realpath(root), path)


@lru_cache(maxsize=4096)
def _added_paths(root: str, path: str) -> frozenset[str]:
    file = Path(root, path)
    if b"sys" not in (file.read_bytes() if file.is_file() else b""):
        return frozenset()
    names: dict[str, PurePath | None] = {"__file__": file}
    found: set[str] = set()
    for node in ast.walk(_tree(str(file))):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names[node.targets[0].id] = _way(node.value, names, file.parent)
    for node in ast.walk(_tree(str(file))):
        match node:
            case ast.Call(func=ast.Attribute(attr="insert" | "append" | "extend" | "addsitedir"), args=[*_, last]):
                written = last.elts if isinstance(last, ast.List | ast.Tuple) else [last]
                ways = (_way(each, names, file.parent) for each in written)
                found.update(os.path.relpath(each, root) for each in ways if each is not None)
    return frozenset("" if each == "." else each for each in found if not each.startswith(".."))


def _way(node: ast.expr, names: Mapping[str, PurePath | None], folder: Path) -> PurePath | None:
    """The absolute path that an expression of `os.path` or `pathlib` gives, run in the file's own folder."""
    match node:
        case ast.Name(id=name):
            return names.get(name)
        case ast.Constant(value=str(text)) if text.startswith("."):
            return PurePath(os.path.normpath(folder / text))
        case ast.Attribute(value=value, attr="parent"):
            way = _way(value, names, folder)
            return way and way.parent
        case ast.Subscript(value=ast.Attribute(value=value, attr="parents"), slice=ast.Constant(value=int(level))):
            way = _way(value, names, folder)
            return way.parents[level] if way and level < len(way.parents) else None
        case ast.BinOp(left=left, right=ast.Constant(value=str(text))):
            way = _way(left, names, folder)
            return way and PurePath(os.path.normpath(f"{way}/{text}"))
        case ast.Call(func=ast.Attribute(value=value, attr="resolve" | "absolute" | "as_posix")):
            return _way(value, names, folder)
        case ast.Call(func=ast.Attribute(value=value, attr="joinpath"), args=args):
            return _joined(_way(value, names, folder), args)
        case ast.Call(func=ast.Attribute(attr="dirname") | ast.Name(id="dirname"), args=[first]):
            way = _way(first, names, folder)
            return way and way.parent
        case ast.Call(args=[first, *rest]):
            return _joined(_way(first, names, folder), rest)
    return None


def _joined(way: PurePath | None, args: Iterable[ast.expr]) -> PurePath | None:
    for each in args:
        literal = each.value if isinstance(each, ast.Constant) else ".." if "pardir" in ast.dump(each) else None
        way = PurePath(os.path.normpath(way / literal)) if way and isinstance(literal, str) else None
    return way


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
