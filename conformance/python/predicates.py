"""Classes of difference between Weft and ruff or grimp, recognised by their circumstances.

Each asks the referee, not Weft's resolver, whether the circumstances hold.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path

from conformance.base import Difference, Evidence, Predicate, Side
from conformance.python.referee import (
    added_paths,
    beside,
    bindings,
    declared_around,
    find,
    is_declared,
    is_pants_root,
    is_portion,
    is_regular,
    listed,
    meant,
    module_names,
    own_root,
    root_for,
    strings,
)
from weft_storage.model.edges import Outside, Status
from weft_storage.model.facts import EdgeKind, Import
from weft_storage.model.paths import ancestors, join, parent


def relative_without_init(difference: Difference, evidence: Evidence) -> bool:
    """A relative import, in or beneath a folder without `__init__.py`, to the file that CPython finds by the dots.

    For stubs, of which CPython knows nothing: one that the dots mean by PEP 328.
    """
    paths, folder = evidence.graph.paths, parent(difference.importer)
    inside = takewhile(lambda each: each and not is_declared(each, paths), (folder, *ancestors(folder)))
    if all(f"{each}/__init__.py" in paths for each in inside):
        return False
    is_stub = difference.imported.endswith(".pyi") and _module(difference, paths) == difference.imported
    return any(
        difference.imported in _relative_files(difference.importer, each)
        and (is_stub or _module(difference, paths) in _meant_by_dots(folder, each, evidence))
        for each in _imports(difference, evidence)
    )


def namespace_portion(difference: Difference, evidence: Evidence) -> bool:
    """An absolute import into a namespace package, none of the standard library, beneath a plain root.

    CPython finds the very file with the roots of the projects around the importer on the path, then that root.
    """
    paths = evidence.graph.paths
    near = declared_around(difference.importer, paths)
    for each in _absolute(difference, evidence):
        found = root_for(difference.imported, each.specifier, each.names)
        if found is not None and is_declared(found[0], paths):
            top = found[1].partition(".")[0]
            is_space = not is_regular(join(found[0], top) or "", paths) and top not in sys.stdlib_module_names
            if is_space and _module(difference, paths) in _files(evidence, [*near, found[0]], each):
                return True
    return False


def own_project_first(difference: Difference, evidence: Evidence) -> bool:
    """Several roots hold the name, and CPython finds Weft's file with the importer's own roots on the path.

    A relative import never leaves its package: the file that the dots mean counts as found.
    """
    paths, importer = evidence.graph.paths, difference.importer
    roots = [own_root(importer, paths), *declared_around(importer, paths), beside(importer, paths)]
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
    importer = difference.importer
    for edge in evidence.graph.edges_of(importer):
        ours = root_for(edge.imported, edge.specifier, edge.names)
        theirs = root_for(difference.imported, edge.specifier, edge.names)
        if ours and theirs and ours != theirs and ours[1] == theirs[1] and _is_told(ours[0], difference, evidence):
            is_foreign = not _is_told(theirs[0], difference, evidence) and theirs[0] not in ancestors(importer)
            if is_foreign and find(evidence.root, [ours[0]], ours[1]) == edge.imported:
                return True
    return False


def above_script(difference: Difference, evidence: Evidence) -> bool:
    """The root of the file found lies above the importer's own, and nothing declares it.

    Neither a manifest, nor a conftest.py in it, nor the importer by a folder that it adds to `sys.path`.
    """
    paths, importer = evidence.graph.paths, difference.importer
    for each in _external(difference, evidence):
        found = root_for(difference.imported, each.specifier, each.names)
        is_above = found and found[0] in ancestors(parent(importer)) and found[0] != own_root(importer, paths)
        if found and found[0] and is_above and not _is_told(found[0], difference, evidence):
            return f"{found[0]}/conftest.py" not in paths
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
        if found is None:
            continue
        is_named = _is_named(found[0], evidence) and not _holds_packages(found[0], paths)
        if (is_named or is_pants_root(evidence.root, found[0])) and difference.imported in _files(
            evidence, [found[0]], each
        ):
            return True
    return False


def renamed_package(difference: Difference, evidence: Evidence) -> bool:
    """A manifest's `package_dir` gives a package another folder, and CPython finds the rest of the name from there."""
    for manifest in (path for path in evidence.graph.paths if path.rpartition("/")[2] in _MANIFESTS):
        text = evidence.graph.source(manifest).decode(errors="replace")
        if "package_dir" in text or "package-dir" in text:
            for name, written in _RENAMED.findall(text):
                folder = join(parent(manifest), written)
                imports = _absolute(difference, evidence) if folder is not None else ()
                if any(_is_below(difference, evidence, name, folder or "", each) for each in imports):
                    return True
    return False


def _is_below(difference: Difference, evidence: Evidence, name: str, folder: str, imported: Import) -> bool:
    """Whether an import means the file, in a package of that name which is kept in that folder."""
    below = [each[len(name) + 1 :] for each in _names(imported) if each.startswith(f"{name}.")]
    return any(find(evidence.root, [folder], each) == difference.imported for each in below if each)


def other_portion(difference: Difference, evidence: Evidence) -> bool:
    """A relative import in a namespace package, to a portion in another plain root: CPython finds it over both."""
    paths, importer = evidence.graph.paths, difference.importer
    mine = [(root, dotted) for root, dotted in module_names(importer) if is_declared(root, paths)]
    theirs = [(root, dotted) for root, dotted in module_names(difference.imported) if is_declared(root, paths)]
    relative = [each for each in _imports(difference, evidence) if each.specifier.startswith(".")]
    is_package = importer.endswith(("/__init__.py", "/__init__.pyi"))
    return any(
        ours[0] != other[0]
        and any(other[1] in _dotted(f"{ours[1]}{'.__init__' * is_package}", each) for each in relative)
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
    """The root of the file found is the importer's own folder, no regular package but within one, and not of tests."""
    paths, folder = evidence.graph.paths, parent(difference.importer)
    if is_regular(folder, paths) or not any(is_regular(each, paths) for each in ancestors(folder)):
        return False
    if f"{folder}/conftest.py" in paths or _is_told(folder, difference, evidence):
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
    for each in _external(difference, evidence):
        found = root_for(difference.imported, each.specifier, each.names)
        if found and found[0] not in ancestors(difference.importer):
            return not _is_told(found[0], difference, evidence)
    return False


def portion_as_root(difference: Difference, evidence: Evidence) -> bool:
    """The root of the file found is a folder of a namespace package, inside the `src` of a project that is built."""
    for each in _external(difference, evidence):
        found = root_for(difference.imported, each.specifier, each.names)
        is_inside = found is not None and is_portion(evidence.root, found[0])
        if found and is_inside and not is_regular(found[0], evidence.graph.paths):
            return not is_pants_root(evidence.root, found[0])
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
    for init, name in _taken(difference, evidence):
        package = parent(init)
        bound = f"{evidence.root}/{init}"
        submodules = {f"{package}/{name}{ending}" for ending in (".py", ".pyi", "/__init__.py", "/__init__.pyi")}
        ours = evidence.graph.edges_between(difference.importer, init)
        theirs = {(difference.importer, each) in evidence.answers.pairs for each in submodules}
        if difference.imported in {init, *submodules} and ours and any(theirs) and name in bindings(bound):
            return True
    return False


def module_getattr(difference: Difference, evidence: Evidence) -> bool:
    """A module-level `__getattr__` may make the name up: Weft marks both as ambiguous."""
    edge = difference.edge
    if edge is None or not edge.ambiguous or not edge.imported.endswith(("/__init__.py", "/__init__.pyi")):
        return False
    return "__getattr__" in bindings(f"{evidence.root}/{_module(difference, evidence.graph.paths)}")


def star_lists_submodule(difference: Difference, evidence: Evidence) -> bool:
    """`from package import *`, and the package's `__all__` names the submodule."""
    folder, _, name = difference.imported.removesuffix("/__init__.py").removesuffix(".py").rpartition("/")
    if name not in listed(f"{evidence.root}/{folder}/__init__.py"):
        return False
    return any("*" in each.names for each in evidence.graph.edges_between(difference.importer, f"{folder}/__init__.py"))


def nearest_package(difference: Difference, evidence: Evidence) -> bool:
    """`import package.missing`: Weft says that the module is not there, or it is a folder without modules."""
    folder = parent(difference.imported)
    names = [dotted for _, dotted in module_names(difference.imported)]
    missing = {each.specifier for each in evidence.graph.outside_of(difference.importer) if _is_missing(each)}
    for each in _absolute(difference, evidence):
        name = next((dotted for dotted in names if each.specifier.startswith(f"{dotted}.")), None)
        if name is not None and difference.line == each.line:
            below = Path(evidence.root, folder, *each.specifier[len(name) + 1 :].split("."))
            return each.specifier in missing or (below.is_dir() and not any(below.rglob("*.py*")))
    return False


def stub_alone(difference: Difference, evidence: Evidence) -> bool:
    """`from package import name`, where all that there is of the submodule is its stub, which grimp does not read."""
    folder = parent(difference.imported)
    ours = {each.imported for each in evidence.graph.edges_of(difference.importer) if each.kind is EdgeKind.TYPE}
    for each in _imports(difference, evidence):
        names = [each.specifier.rpartition(".")[2], *each.names]
        for name in names if difference.line == each.line else ():
            is_lone = f"{folder}/{name}.pyi" in ours and f"{folder}/{name}.py" not in evidence.graph.paths
            if is_lone and f"{folder}/{name}/__init__.py" not in evidence.graph.paths:
                return True
    return False


def unshadowable(difference: Difference, evidence: Evidence) -> bool:
    """A stub of the standard library, from a stub beside it: in the nearest folder with builtins.pyi."""
    above = [f"{each}/" if each else "" for each in ancestors(difference.importer)]
    top = next((each for each in above if f"{each}builtins.pyi" in evidence.graph.paths), None)
    return top is not None and any(
        each.specifier.partition(".")[0] in sys.stdlib_module_names | {"typing_extensions", "_typeshed"}
        and difference.imported in {f"{top}{name}.pyi", f"{top}{name}/__init__.pyi"}
        for each in _absolute(difference, evidence)
        for name in {
            each.specifier.replace(".", "/"),
            *(f"{each.specifier}.{name}".replace(".", "/") for name in each.names),
        }
    )


def added_path(difference: Difference, evidence: Evidence) -> bool:
    """The importer, or a conftest.py above it, adds the root of Weft's file to `sys.path`; CPython finds it there."""
    above = [path for each in ancestors(difference.importer) if (path := join(each, "conftest.py"))]
    added = [root for path in (difference.importer, *above) for root in added_paths(evidence.root, path)]
    for each in _absolute(difference, evidence):
        found = root_for(difference.imported, each.specifier, each.names)
        if found and found[0] in added and _module(difference, evidence.graph.paths) in _files(evidence, added, each):
            return True
    return False


def added_path_first(difference: Difference, evidence: Evidence) -> bool:
    """Weft has another file of that name, in a folder that the importer adds before its own."""
    for edge in evidence.graph.edges_of(difference.importer):
        ours = Difference(difference.importer, edge.imported, Side.EXTRA, edge.line, edge)
        theirs = root_for(difference.imported, edge.specifier, edge.names)
        mine = root_for(edge.imported, edge.specifier, edge.names)
        if theirs and mine and theirs != mine and theirs[1] == mine[1] and added_path(ours, evidence):
            return True
    return False


def string_by_root(difference: Difference, evidence: Evidence) -> bool:
    """A literal names the file from a root that ruff does not know, or that it merges with others.

    CPython finds the very file with the importer's own root, those of the projects around it and then that root.
    """
    paths, edge = evidence.graph.paths, difference.edge
    near = [own_root(difference.importer, paths), *declared_around(difference.importer, paths)]
    for root, dotted in module_names(difference.imported) if edge is not None else ():
        if edge is not None and "." in dotted and f"{edge.specifier}.".startswith(f"{dotted}."):
            top = join(root, dotted.partition(".")[0]) or ""
            is_unknown = not is_regular(top, paths) or _is_held_elsewhere(difference.imported, {dotted}, evidence)
            is_ours = root in near or is_declared(root, paths) or is_pants_root(evidence.root, root)
            found = find(evidence.root, [*near, root], dotted)
            # Of stubs CPython knows nothing: it must have found nothing else.
            is_stub = difference.imported.endswith(".pyi") and found is None
            if is_unknown and is_ours and (is_stub or found == _module(difference, paths)):
                return True
    return False


def string_in_condition(difference: Difference, evidence: Evidence) -> bool:
    """The literal stands in the condition of an `if` alone, where ruff looks for none."""
    edge, file = difference.edge, os.path.join(evidence.root, difference.importer)
    return edge is not None and edge.specifier in strings(file) - strings(file, but_conditions=True)


def string_of_other_root(difference: Difference, evidence: Evidence) -> bool:
    """The literal names a file from a root that is none of the importer's, or CPython finds another file in those."""
    paths, importer = evidence.graph.paths, difference.importer
    ours = [own_root(importer, paths), *declared_around(importer, paths)]
    for each in strings(os.path.join(evidence.root, importer)):
        for root, dotted in module_names(difference.imported.replace("-stubs/", "/", 1)):
            if f"{each}.".startswith(f"{dotted}.") and "." in dotted:
                is_ours = root in ours and not is_portion(evidence.root, root)
                is_foreign = not is_ours and not _is_told(root, difference, evidence)
                rival = find(evidence.root, ours, dotted)
                if is_foreign or rival not in (None, difference.imported):
                    return True
    return False


_MANIFESTS = ("pyproject.toml", "setup.py", "setup.cfg")
_RENAMED = re.compile(r"""["']?([\w.]+)["']?[ \t]*[:=][ \t]*["']?([\w./-]+)""")
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
        stub_alone,
        unshadowable,
        added_path,
        added_path_first,
        renamed_package,
        string_by_root,
        string_in_condition,
        string_of_other_root,
    )
}


def _imports(difference: Difference, evidence: Evidence) -> list[Import]:
    """The imports of the importer; string literals are none."""
    return [each for each in evidence.graph.facts(difference.importer).imports if each.kind is not EdgeKind.STRING]


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


def _is_told(root: str, difference: Difference, evidence: Evidence) -> bool:
    """Whether anything says that a folder is a root for the importer: then Weft has missed it."""
    paths, importer = evidence.graph.paths, difference.importer
    is_source = root.rpartition("/")[2] == "src"
    is_strange = is_source and parent(root) not in ancestors(importer) and not is_declared(parent(root), paths)
    return (
        (is_declared(root, paths) and not is_strange)
        or is_pants_root(evidence.root, root)
        or root in added_paths(evidence.root, difference.importer)
    )


def _names(imported: Import) -> set[str]:
    """The dotted names that an absolute import may mean."""
    return {imported.specifier, *(f"{imported.specifier}.{name}" for name in imported.names)}


def _is_missing(each: Outside) -> bool:
    return each.status is Status.UNRESOLVED


def _is_plainly_named(difference: Difference, evidence: Evidence) -> bool:
    """Whether an import means the file by its dots, or by its name beneath a `src` or a root of the projects around."""
    roots = declared_around(difference.importer, evidence.graph.paths)
    for each in _imports(difference, evidence):
        if difference.imported in _relative_files(difference.importer, each):
            return True
        found = root_for(difference.imported, each.specifier, each.names)
        is_source = found is not None and found[0].rpartition("/")[2] == "src"
        is_standard = each.specifier.partition(".")[0] in sys.stdlib_module_names
        is_plain = found is not None and (found[0] in roots or (is_source and not is_standard))
        if found and is_plain and difference.imported in _files(evidence, [*roots, found[0]], each):
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
    ours = f"{root}/{top}" if root else top
    others = (each for each in evidence.graph.paths if not each.startswith((f"{ours}/", f"{ours}.")))
    return any(f"/{each}".endswith(endings) for each in others)


def _roots_by(path: str, names: set[str]) -> set[str]:
    """The roots beneath which a file goes by one of the dotted names."""
    return {root for root, dotted in module_names(path) if dotted in names}


def _rival_roots(path: str, names: set[str], paths: frozenset[str]) -> set[str]:
    """The same without the folders that are regular packages, which no authority takes for roots."""
    return {root for root in _roots_by(path, names) if not is_regular(root, paths)}


def _meant_by_dots(folder: str, imported: Import, evidence: Evidence) -> set[str]:
    """The files that CPython finds for a relative import, from the folder that its dots mean."""
    rest = imported.specifier.lstrip(".")
    for _ in range(len(imported.specifier) - len(rest) - 1):
        folder = parent(folder)
    if rest:
        return meant(evidence.root, [folder], rest, imported.names)
    base = f"{folder}/__init__.py"
    bound = bindings(os.path.join(evidence.root, base)) if base in evidence.graph.paths else frozenset()
    found = {base} if bound else set()
    for name in imported.names:
        submodule = None if name in bound else find(evidence.root, [folder], name)
        found |= {submodule} if submodule else {base}
    return found


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
    """The dotted names that a relative import means in the module of that dotted name, `__init__` included."""
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
    """(`__init__`, name) for every name that the importer takes from the package around the imported file."""
    folder = parent(difference.imported)
    packages = {folder, parent(folder)}
    for edge in evidence.graph.edges_of(difference.importer):
        if parent(edge.imported) in packages and edge.imported.endswith(("/__init__.py", "/__init__.pyi")):
            yield from ((edge.imported, name) for name in edge.names)
