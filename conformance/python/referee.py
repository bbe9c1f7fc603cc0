"""The referee: what CPython itself finds and binds, asked without running anything of the repository.

`importlib.machinery.PathFinder` looks through folders as `import` does, namespace portions included; `ast` reads what a
module binds. Neither knows Weft or an authority.
"""

import ast
import os
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

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
    """The folder above the packages around a file: `sys.path[0]` if it were run, or what pytest would insert."""
    folder = parent(importer)
    while folder and is_regular(folder, paths):
        folder = parent(folder)
    return folder


def is_regular(folder: str, paths: frozenset[str]) -> bool:
    return any(f"{folder}/__init__.{suffix}" in paths for suffix in ("py", "pyi"))


def is_declared(folder: str, paths: frozenset[str]) -> bool:
    """Whether a folder is plainly a root: a `src`, or where a manifest lies."""
    prefix = f"{folder}/" if folder else ""
    return folder.rpartition("/")[2] == "src" or any(prefix + name in paths for name in _MANIFESTS)


def declared_around(importer: str, paths: frozenset[str]) -> list[str]:
    """The plain roots of the projects around a file, innermost first, with their `src`."""
    found = []
    for folder in ancestors(importer):
        if is_declared(folder, paths):
            found += [f"{folder}/src" if folder else "src", folder]
    return found


@lru_cache(maxsize=4096)
def bindings(file: str) -> frozenset[str]:
    """Names that a module's own statements bind, but for what it takes from itself, as `from . import name` does.

    Blocks for type checkers bind nothing.
    """
    return frozenset(_bound(_tree(file).body, file.removesuffix("/__init__.py")))


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
                yield from (each.asname or each.name for each in names if each.asname or not own)
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
