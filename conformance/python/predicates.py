"""Classes of difference between Weft and ruff or grimp, recognised by their circumstances.

Each asks the referee, not Weft's resolver, whether the circumstances hold.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from conformance.base import Difference, Evidence, Predicate, Side
from conformance.python.referee import (
    bindings,
    declared_around,
    find,
    is_declared,
    is_regular,
    listed,
    meant,
    module_names,
    own_root,
    root_for,
)
from weft_storage.model.edges import Status
from weft_storage.model.facts import EdgeKind, Import
from weft_storage.model.paths import ancestors, join, parent


def relative_without_init(difference: Difference, evidence: Evidence) -> bool:
    """A relative import in a folder without `__init__`, to the very file that the dots mean by PEP 328."""
    edge = difference.edge
    if edge is None or is_regular(parent(difference.importer), evidence.graph.paths):
        return False
    return any(
        difference.imported in _relative_files(difference.importer, each) for each in _imports(difference, evidence)
    )


def namespace_portion(difference: Difference, evidence: Evidence) -> bool:
    """An absolute import into a namespace package: CPython finds the very file with its plain root on the path."""
    paths = evidence.graph.paths
    for each in _absolute(difference, evidence):
        found = root_for(difference.imported, each.specifier, each.names)
        if found is not None and is_declared(found[0], paths):
            top = join(found[0], found[1].partition(".")[0]) or ""
            if not is_regular(top, paths) and _module(difference, paths) in _files(evidence, [found[0]], each):
                return True
    return False


def own_project_first(difference: Difference, evidence: Evidence) -> bool:
    """Several roots hold the name, and CPython finds Weft's file with the importer's own roots on the path.

    A relative import never leaves its package: the file that the dots mean counts as found.
    """
    paths, importer = evidence.graph.paths, difference.importer
    roots = [own_root(importer, paths), *declared_around(importer, paths)]
    theirs = [imported for by, imported in evidence.answers.pairs if by == importer]
    for found, names in _meant(difference, evidence, roots):
        if any(edge.kind is not EdgeKind.ANCESTOR for edge in evidence.graph.edges_between(importer, found)):
            mine = _roots_by(found, names)
            rivals = [one for one in theirs if one != found and _rival_roots(one, names, paths) - mine]
            if difference.imported in rivals:
                return True
            is_ours = difference.side is Side.EXTRA and difference.imported == found
            if is_ours and (rivals or _is_held_elsewhere(found, names, evidence)):
                return True
    return False


def undeclared_rival(difference: Difference, evidence: Evidence) -> bool:
    """Weft leads to that name beneath a plain root, as CPython does; nothing declares the root of the file found."""
    paths, importer = evidence.graph.paths, difference.importer
    for edge in evidence.graph.edges_of(importer):
        ours = root_for(edge.imported, edge.specifier, edge.names)
        theirs = root_for(difference.imported, edge.specifier, edge.names)
        if ours and theirs and ours != theirs and ours[1] == theirs[1] and is_declared(ours[0], paths):
            is_foreign = not is_declared(theirs[0], paths) and theirs[0] not in ancestors(importer)
            if is_foreign and find(evidence.root, [ours[0]], ours[1]) == edge.imported:
                return True
    return False


def above_script(difference: Difference, evidence: Evidence) -> bool:
    """The root of the file found lies above the importer's own, is no package, and no manifest declares it."""
    paths, own = evidence.graph.paths, own_root(difference.importer, evidence.graph.paths)
    for each in _external(difference, evidence):
        found = root_for(difference.imported, each.specifier, each.names)
        if found and found[0] and found[0] in ancestors(own) and not is_declared(found[0], paths):
            return True
    return False


def named_from_above(difference: Difference, evidence: Evidence) -> bool:
    """An import by a name that begins above the outermost package, from a root above the importer: CPython finds it."""
    above = ancestors(own_root(difference.imported, evidence.graph.paths))
    for each in _absolute(difference, evidence):
        found = root_for(difference.imported, each.specifier, each.names)
        if found and found[0] in above and found[0] in ancestors(difference.importer):
            return difference.imported in _files(evidence, [found[0]], each)
    return False


def own_package_lacks_it(difference: Difference, evidence: Evidence) -> bool:
    """CPython finds the importer's own package of that name, which has no such module: Weft says UNRESOLVED."""
    paths, importer = evidence.graph.paths, difference.importer
    roots = [own_root(importer, paths), *declared_around(importer, paths)]
    for each in evidence.graph.outside_of(importer):
        found = root_for(difference.imported, each.specifier, each.names)
        if each.status is Status.UNRESOLVED and found and found[0] not in roots:
            top = find(evidence.root, roots, found[1].partition(".")[0])
            if top is not None and find(evidence.root, roots, found[1]) is None:
                return True
    return False


def declared_root(difference: Difference, evidence: Evidence) -> bool:
    """A manifest names the root of Weft's file, and CPython finds it there; ruff sees no package in it, and no root."""
    paths = evidence.graph.paths
    for each in _absolute(difference, evidence):
        found = root_for(difference.imported, each.specifier, each.names)
        is_named = found is not None and _is_named(found[0], evidence) and not _holds_packages(found[0], paths)
        if found and is_named and difference.imported in _files(evidence, [found[0]], each):
            return True
    return False


def other_portion(difference: Difference, evidence: Evidence) -> bool:
    """A relative import in a namespace package, to a portion in another plain root: CPython finds it over both."""
    paths, importer = evidence.graph.paths, difference.importer
    mine = [(root, dotted) for root, dotted in module_names(importer) if is_declared(root, paths)]
    theirs = [(root, dotted) for root, dotted in module_names(difference.imported) if is_declared(root, paths)]
    relative = [each for each in _imports(difference, evidence) if each.specifier.startswith(".")]
    return any(
        ours[0] != other[0]
        and any(other[1] in _dotted(ours[1], each) for each in relative)
        and find(evidence.root, [ours[0], other[0]], other[1]) == difference.imported
        for ours in mine[:1]
        for other in theirs[:1]
    )


def script_hides_standard_library(difference: Difference, evidence: Evidence) -> bool:
    """A script's own folder holds a module called like one of the standard library, and CPython finds it first."""
    own = own_root(difference.importer, evidence.graph.paths)
    return own == parent(difference.importer) and any(
        each.specifier in sys.stdlib_module_names and find(evidence.root, [own], each.specifier) == difference.imported
        for each in _absolute(difference, evidence)
    )


def compiled_module(difference: Difference, evidence: Evidence) -> bool:
    """A compiled module: ruff reads no folder for .so and .pyd files, and falls back to the package."""
    paths = evidence.graph.paths
    edges = [each for each in evidence.graph.edges_of(difference.importer) if each.imported.endswith((".so", ".pyd"))]
    inits = {f"{parent(each.imported)}/__init__.py" for each in edges}
    compiled = {each.imported for each in edges if each.imported in paths}
    return difference.imported in compiled or difference.imported in inits


def package_sibling(difference: Difference, evidence: Evidence) -> bool:
    """The root of the file found is the importer's own folder, no regular package but within one."""
    paths, folder = evidence.graph.paths, parent(difference.importer)
    if is_regular(folder, paths) or not any(is_regular(each, paths) for each in ancestors(folder)):
        return False
    found = (root_for(difference.imported, each.specifier, each.names) for each in _external(difference, evidence))
    return any(each is not None and each[0] == folder for each in found)


def private_folder(difference: Difference, evidence: Evidence) -> bool:
    """`tests` or `tools` of another project: no build takes them along."""
    for each in _external(difference, evidence):
        found = root_for(difference.imported, each.specifier, each.names)
        if found and each.specifier.partition(".")[0] in _PRIVATE and found[0] not in ancestors(difference.importer):
            return True
    return False


def foreign_root(difference: Difference, evidence: Evidence) -> bool:
    """The root of the file found is neither around the importer nor declared, and Weft says the name is external."""
    paths = evidence.graph.paths
    for each in _external(difference, evidence):
        found = root_for(difference.imported, each.specifier, each.names)
        if found and not is_declared(found[0], paths) and found[0] not in ancestors(difference.importer):
            return True
    return False


def portion_as_root(difference: Difference, evidence: Evidence) -> bool:
    """The root of the file found is a folder of a namespace package, inside a `src` folder."""
    for each in _external(difference, evidence):
        found = root_for(difference.imported, each.specifier, each.names)
        above = ancestors(found[0]) if found else []
        is_inside = any(one.rpartition("/")[2] == "src" for one in above)
        if found and is_inside and not is_regular(found[0], evidence.graph.paths):
            return True
    return False


def standard_library(difference: Difference, evidence: Evidence) -> bool:
    """The name is in the standard library, and no root of the importer holds it."""
    paths, importer = evidence.graph.paths, difference.importer
    roots = [own_root(importer, paths), *declared_around(importer, paths)]
    for each in _external(difference, evidence):
        found = root_for(difference.imported, each.specifier, each.names)
        if found and each.specifier.partition(".")[0] in sys.stdlib_module_names and not is_regular(found[0], paths):
            return find(evidence.root, roots, each.specifier) is None
    return False


def bound_name(difference: Difference, evidence: Evidence) -> bool:
    """`from package import name` where the `__init__` binds the name itself, and there is a submodule of that name."""
    for package, name in _taken(difference, evidence):
        init = f"{package}/__init__.py"
        bound = f"{evidence.root}/{init}"
        submodules = {f"{package}/{name}.py", f"{package}/{name}/__init__.py"}
        ours = evidence.graph.edges_between(difference.importer, init)
        theirs = {(difference.importer, each) in evidence.answers.pairs for each in submodules}
        if difference.imported in {init, *submodules} and ours and any(theirs) and name in bindings(bound):
            return True
    return False


def module_getattr(difference: Difference, evidence: Evidence) -> bool:
    """A module-level `__getattr__` may make the name up: Weft marks both as ambiguous."""
    edge = difference.edge
    if edge is None or not edge.ambiguous or not edge.imported.endswith("/__init__.py"):
        return False
    return "__getattr__" in bindings(f"{evidence.root}/{edge.imported}")


def star_lists_submodule(difference: Difference, evidence: Evidence) -> bool:
    """`from package import *`, and the package's `__all__` names the submodule."""
    folder, _, name = difference.imported.removesuffix("/__init__.py").removesuffix(".py").rpartition("/")
    if name not in listed(f"{evidence.root}/{folder}/__init__.py"):
        return False
    return any("*" in each.names for each in evidence.graph.edges_between(difference.importer, f"{folder}/__init__.py"))


def nearest_package(difference: Difference, evidence: Evidence) -> bool:
    """`import package.missing`: Weft says that the module is not there."""
    names = [dotted for _, dotted in module_names(difference.imported)]
    return any(
        each.status is Status.UNRESOLVED
        and difference.line == each.line
        and any(each.specifier.startswith(f"{dotted}.") for dotted in names)
        for each in evidence.graph.outside_of(difference.importer)
    )


_PRIVATE = frozenset({"test", "tests", "testing", "tools", "docs", "examples", "scripts", "benchmarks", "utils"})

PREDICATES: Mapping[str, Predicate] = {
    each.__name__: each
    for each in (
        relative_without_init,
        namespace_portion,
        own_project_first,
        named_from_above,
        own_package_lacks_it,
        declared_root,
        other_portion,
        script_hides_standard_library,
        compiled_module,
        package_sibling,
        private_folder,
        undeclared_rival,
        above_script,
        foreign_root,
        portion_as_root,
        standard_library,
        bound_name,
        module_getattr,
        star_lists_submodule,
        nearest_package,
    )
}


def _imports(difference: Difference, evidence: Evidence) -> tuple[Import, ...]:
    return evidence.graph.facts(difference.importer).imports


def _absolute(difference: Difference, evidence: Evidence) -> Iterator[Import]:
    return (each for each in _imports(difference, evidence) if not each.specifier.startswith("."))


def _external(difference: Difference, evidence: Evidence) -> Iterator[Import]:
    """Imports of the importer that Weft says lead out of the repository, or to a mere folder beside the importer.

    None where another of its imports plainly names the file: then Weft has missed that one.
    """
    paths, own = evidence.graph.paths, own_root(difference.importer, evidence.graph.paths)
    if _is_plainly_named(difference, evidence):
        return
    outside = evidence.graph.outside_of(difference.importer)
    said = {each.specifier for each in outside if each.status is Status.EXTERNAL}
    for each in _absolute(difference, evidence):
        relative = join(own, each.specifier.replace(".", "/")) or ""
        is_folder = Path(evidence.root, relative).is_dir() and not is_regular(relative, paths)
        if each.specifier in said or is_folder:
            yield each


def _is_plainly_named(difference: Difference, evidence: Evidence) -> bool:
    """Whether an import means the file by its dots, or by its name beneath the roots of the projects around."""
    roots = declared_around(difference.importer, evidence.graph.paths)
    for each in _imports(difference, evidence):
        if difference.imported in _relative_files(difference.importer, each):
            return True
        found = root_for(difference.imported, each.specifier, each.names)
        if found and found[0] in roots and difference.imported in _files(evidence, roots, each):
            return True
    return False


def _meant(difference: Difference, evidence: Evidence, roots: list[str]) -> Iterator[tuple[str, set[str]]]:
    """(file, dotted names that it goes by there) for all that the importer's imports mean, by the referee."""
    paths, importer = evidence.graph.paths, difference.importer
    own = own_root(importer, paths)
    for each in _imports(difference, evidence):
        for file in _relative_files(importer, each) & paths:
            yield file, {dotted for root, dotted in module_names(file) if root == own}
        if not each.specifier.startswith("."):
            names = {each.specifier, *(f"{each.specifier}.{name}" for name in each.names)}
            yield from ((file, names) for file in _files(evidence, roots, each))


def _is_held_elsewhere(path: str, names: set[str], evidence: Evidence) -> bool:
    """Whether the top-level package or module of a file stands in another root too."""
    top = min(names).partition(".")[0]
    root = next((root for root, dotted in module_names(path) if dotted.partition(".")[0] == top), None)
    endings = (f"/{top}/__init__.py", f"/{top}.py")
    return any(f"/{each}".endswith(endings) and f"{root}/{top}" not in each for each in evidence.graph.paths)


def _roots_by(path: str, names: set[str]) -> set[str]:
    """The roots beneath which a file goes by one of the dotted names."""
    return {root for root, dotted in module_names(path) if dotted in names}


def _rival_roots(path: str, names: set[str], paths: frozenset[str]) -> set[str]:
    """The same without the folders that are regular packages, which no authority takes for roots."""
    return {root for root in _roots_by(path, names) if not is_regular(root, paths)}


def _files(evidence: Evidence, roots: list[str], imported: Import) -> set[str]:
    return meant(evidence.root, roots, imported.specifier, imported.names)


def _module(difference: Difference, paths: frozenset[str]) -> str:
    """The file that runs: a stub goes with the module of its name."""
    path = difference.imported
    return path[:-1] if path.endswith(".pyi") and path[:-1] in paths else path


def _holds_packages(root: str, paths: frozenset[str]) -> bool:
    """Whether regular packages lie directly in a folder."""
    depth = root.count("/") + 2 if root else 1
    return any(path.endswith("/__init__.py") and path.startswith(root) and path.count("/") == depth for path in paths)


def _is_named(root: str, evidence: Evidence) -> bool:
    """Whether a manifest of a folder above says the way to a root, or to a package in it."""
    for above in ancestors(root) if root else ():
        relative = root[len(above) :].strip("/")
        for name in ("pyproject.toml", "setup.py", "setup.cfg", "pytest.ini", "tox.ini"):
            manifest = evidence.graph.source(f"{above}/{name}" if above else name)
            if relative.encode(errors="surrogateescape") in manifest:
                return True
    return False


def _dotted(importer: str, imported: Import) -> set[str]:
    """The dotted names that a relative import means in the module of that dotted name."""
    rest = imported.specifier.lstrip(".")
    package = importer.split(".")[: -(len(imported.specifier) - len(rest)) or None]
    base = ".".join([*package, *filter(None, [rest])])
    return {base, *(f"{base}.{name}" for name in imported.names)}


def _relative_files(importer: str, imported: Import) -> set[str]:
    """The files that a relative import may mean."""
    rest = imported.specifier.lstrip(".")
    level = len(imported.specifier) - len(rest)
    if not level:
        return set()
    folders = parent(importer).split("/")
    folder = "/".join(folders[: len(folders) - level + 1])
    base = "/".join(part for part in (folder, rest.replace(".", "/")) if part)
    bases = [base, *(f"{base}/{name}" for name in imported.names)]
    return {
        file for each in bases for file in (f"{each}.py", f"{each}/__init__.py", f"{each}.pyi", f"{each}/__init__.pyi")
    }


def _taken(difference: Difference, evidence: Evidence) -> Iterator[tuple[str, str]]:
    """(package's folder, name) for every name that the importer takes from the package around the imported file."""
    folder = parent(difference.imported)
    packages = {folder, parent(folder)}
    for edge in evidence.graph.edges_of(difference.importer):
        if parent(edge.imported) in packages and edge.imported.endswith("/__init__.py"):
            yield from ((parent(edge.imported), name) for name in edge.names)
