"""The Python project: roots and declared dependencies of a repository, by folder. Knows no imports.

A *root* is a folder that holds top-level modules, a *project* one with pyproject.toml, setup.py or setup.cfg.
The questions that it answers:

- `roots:<folder>` -> (roots in order, its own root, the folder whose dependencies count, the root that the folder would
  have as a script's, if that is another, the conftest.py files around it, outermost first), for importers in it;
- `offers:<dotted name>` -> roots of all projects, sorted, and the repository's root, as far as they hold the module;
  "namespace" where the name is no more than folders;
- `stubs:<folder>` -> whether a .pyi lies directly in it;
- `distribution:<folder>:<dotted name>` -> the declared distribution that the name comes from, or "";
- `extension:<path without suffix>` -> the file of a compiled module, or None; `extensions` -> whether there are any;
- `modules:<folder>` -> whether modules lie directly in it;
- `renamed:<scope>:<top-level name>` -> (dotted name, folder) of packages that manifests keep in folders of other
  names, those of the projects around an importer's folder first;
- `stubbed:<top-level name>` -> the roots of all projects that hold `name-stubs`, None where no folder is called so;
- `strings` -> whether dotted strings are imports.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from weft_storage.model.paths import ancestors, basename, join, parent
from weft_storage.model.settings import Settings
from weft_tasks.resolve.base import RepositoryFiles
from weft_tasks.resolve.python.manifests import Manifest, read_manifest

PROJECT_MANIFESTS = ("pyproject.toml", "setup.cfg", "setup.py")
# pytest.ini, tox.ini and pants.toml only add search paths to a project; Pipfile only dependencies.
OTHER_MANIFESTS = ("pytest.ini", "tox.ini", "Pipfile", "pants.toml")

# What setuptools' automatic discovery leaves out of a flat layout: such a folder belongs to its project alone.
_PRIVATE = frozenset(
    {
        *("ci", "bin", "debian", "doc", "docs", "documentation", "manpages", "news", "newsfragments", "changelog"),
        *("test", "tests", "unit_test", "unit_tests", "example", "examples", "scripts", "tools", "util", "utils"),
        *("python", "build", "benchmark", "benchmarks", "exercise", "exercises", "htmlcov", "setup", "conftest"),
        *("toxfile", "noxfile", "pavement", "dodo", "tasks", "fabfile", "conanfile", "manage"),
    }
)
# Folders of programs, not of a package, wherever they lie.
_SCRIPTS = frozenset({"test", "tests", "example", "examples", "scripts", "benchmarks", "docs", "tools"})
_SEPARATORS = re.compile(r"[-_.]+")
_MAX_NAME_PARTS = 4
_MAX_PATTERNS = 30
_MAX_PROBLEMS = 5


def _is_requirements(path: str, name: str) -> bool:
    return name.endswith(".txt") and ("requirements" in name or basename(parent(path)) == "requirements")


@dataclass(frozen=True, slots=True)
class _Project:
    """A project's folder, its roots, and what of it other projects may import."""

    folder: str
    packaged: tuple[str, ...]
    """Roots that it is built from, the folder itself left out."""
    searched: tuple[str, ...]
    packages: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]
    """(dotted name, folder)"""
    name: str
    is_flat: bool
    """Whether it is built from modules that lie in its folder itself."""
    guessed: str | None
    """The root among `packaged` that no manifest speaks for: a `src` where nothing is built."""
    imports_tests_alone: bool


class PythonProject:
    """What the manifests and the layout of a repository mean to Python imports."""

    def __init__(self, files: RepositoryFiles, settings: Settings) -> None:
        self._files = files
        self._source_roots = _source_roots(files, settings.source_roots)
        self._overridden = bool(settings.source_roots)
        self._reads_strings = settings.string_imports
        self.problems: Sequence[tuple[str, str]] = ()
        manifests = self._read_manifests()
        self.problems = [*self.problems, *_leading_out(manifests), *_outside(files, settings)]
        self._projects = {
            folder: self._project(folder, [manifests[path] for path in paths])
            for folder, paths in _by_folder(manifests).items()
            if folder == "" or _is_declared(paths)
        }
        self._root_is_declared = _is_declared([path for path in manifests if not parent(path)])
        self._requires = _requires(manifests)

    def answer(self, key: str) -> Any:
        question, _, subject = key.partition(":")
        match question:
            case "roots":
                return self._roots(subject)
            case "offers":
                return self._offers(subject)
            case "distribution":
                folder, _, name = subject.rpartition(":")
                return self._distribution(folder, name)
            case "stubs":
                return subject in self._stub_folders
            case "extension":
                return self._extensions.get(subject)
            case "extensions":
                return bool(self._extensions)
            case "modules":
                return subject in self._module_folders
            case "renamed":
                folder, _, name = subject.rpartition(":")
                return self._renamed(folder, name)
            case "stubbed":
                return self._stubbed(subject)
            case "strings":
                return self._reads_strings
        return None

    def _read_manifests(self) -> dict[str, Manifest]:
        """Every manifest, by path, sorted."""
        names = (*PROJECT_MANIFESTS, *OTHER_MANIFESTS)
        found = {path for name in names for path in self._files.named(name)}
        found.update(
            path for path in self._files.paths if path.endswith(".txt") and _is_requirements(path, basename(path))
        )
        manifests = {path: read_manifest(basename(path), self._files.read(path) or b"") for path in sorted(found)}
        # A module of a package may be called setup too.
        for path in [path for path in self._files.named("setup.py") if self._is_regular(parent(path))]:
            if not manifests[path].distributes:
                del manifests[path]
        self.problems = [(path, each.problem) for path, each in manifests.items() if each.problem]
        return manifests

    def _project(self, folder: str, manifests: list[Manifest]) -> _Project:
        packaged = self._folders(folder, (root for each in manifests for root in each.roots))
        packaged += self._matching(folder, [pattern for each in manifests for pattern in each.patterns])
        source = join(folder, "src") or ""
        is_guessed = source not in packaged and not any(each.distributes for each in manifests)
        if self._files.is_directory(source) and not self._is_regular(source):
            packaged.append(source)
        packages = self._packages(folder, (package for each in manifests for package in each.packages))
        built_here = folder in packaged or (not packaged and any(each.distributes for each in manifests))
        return _Project(
            folder=folder,
            packaged=tuple(dict.fromkeys(root for root in packaged if root != folder)),
            searched=tuple(self._folders(folder, (root for each in manifests for root in each.search))),
            packages=tuple(packages),
            renamed=tuple(self._renamed_folders(folder, manifests)),
            name=next((each.name for each in manifests if each.name), ""),
            is_flat=built_here,
            guessed=source if is_guessed else None,
            imports_tests_alone=any(each.imports_tests_alone for each in manifests),
        )

    def _renamed_folders(self, folder: str, manifests: list[Manifest]) -> Iterator[tuple[str, str]]:
        for dotted, written in (pair for each in manifests for pair in each.renamed):
            for path in self._folders(folder, (written,)):
                yield dotted, path

    def _matching(self, folder: str, patterns: list[str]) -> list[str]:
        """The folders that Pants' patterns of roots mean: `/a/*` beneath its own folder, `a/*` at any depth."""
        if not patterns:
            return []
        prefix = f"{folder}/" if folder else ""
        folders = sorted(
            {
                above[len(prefix) :]
                for each in self._files.paths
                for above in ancestors(each)
                if above.startswith(prefix)
            }
        )
        split = [(pattern.startswith("/"), pattern.strip("/").split("/")) for pattern in patterns[:_MAX_PATTERNS]]
        return [
            prefix + each
            for each in folders
            if any(_is_at(each.split("/"), parts, is_whole) for is_whole, parts in split)
        ]

    def _folders(self, folder: str, written: Iterable[str]) -> list[str]:
        """The folders of the repository that the texts mean; what leads out of it, or nowhere, is left out."""
        joined = (join(folder, text) for text in written if "\0" not in text)
        return [path for path in dict.fromkeys(joined) if path is not None and self._files.is_directory(path)]

    def _packages(self, folder: str, written: Iterable[str]) -> list[str]:
        """The packages and modules of the repository that the texts mean, as folders and as files without a suffix."""
        joined = (join(folder, text) for text in written if "\0" not in text)
        found = (path for path in dict.fromkeys(joined) if path)
        return [path for path in found if self._files.is_directory(path) or f"{path}.py" in self._files.paths]

    def _is_regular(self, folder: str) -> bool:
        """Whether the folder is a package with an `__init__`. The repository's root has no name to be imported by."""
        paths = self._files.paths
        return bool(folder) and (f"{folder}/__init__.py" in paths or f"{folder}/__init__.pyi" in paths)

    def _enclosing(self, folder: str) -> list[_Project]:
        """The projects around a folder, innermost first."""
        above = [folder, *ancestors(folder)] if folder else [""]
        return [self._projects[each] for each in above if each in self._projects]

    def _roots(self, folder: str) -> tuple[tuple[str, ...], str, str, str | None, tuple[str, ...]]:
        own = self._above_packages(folder)
        scope = next((each for each in (folder, *ancestors(folder)) if each in self._requires), "")
        if self._overridden:
            inside = [root for root in self._source_roots if _is_inside(folder, root)]
            return self._source_roots, max(inside, key=len, default=own), scope, None, ()
        enclosing = self._enclosing(folder)
        conftests = self._conftests(folder, enclosing)
        # pytest puts the folder of a conftest.py on the path, whatever lies around it.
        added = [self._above_packages(parent(each)) for each in conftests]
        is_root = own in added or own in self._standard_stubs or not _is_portion(own, enclosing)
        found = [own] if is_root else []
        found += added
        for project in enclosing:
            found += [*project.packaged, *project.searched]
            if project.folder or self._root_is_declared:
                found.append(project.folder)
        beside = self._beside(folder, own, enclosing)
        return tuple(dict.fromkeys(found)), own, scope, beside, tuple(reversed(conftests))

    def _conftests(self, folder: str, enclosing: list[_Project]) -> list[str]:
        """The conftest.py files that pytest loads for a folder and puts on the path, innermost first."""
        if any(project.imports_tests_alone for project in enclosing):
            return []
        top = next((project.folder for project in enclosing if project.folder or self._root_is_declared), "")
        above = [each for each in (folder, *ancestors(folder)) if _is_inside(each, top)] if folder else [""]
        return [path for each in above if (path := join(each, "conftest.py")) in self._files.paths and path]

    def _beside(self, folder: str, own: str, enclosing: Iterable[_Project]) -> str | None:
        """The folder above the regular packages that `folder` lies in without a gap, where that is not its own root.

        None in a package that may be distributed: its folders without an `__init__` are packages too.
        """
        beside = folder
        while self._is_regular(beside):
            beside = parent(beside)
        parts = folder[len(own) :].strip("/").split("/")
        if beside == own or not _SCRIPTS.isdisjoint(parts):
            return None if beside == own else beside
        is_packaged = (own == "" or own in self._projects) and parts[0] not in _PRIVATE
        return None if is_packaged or _is_portion(beside, enclosing) else beside

    def _above_packages(self, folder: str) -> str:
        """The folder above the outermost regular package around `folder`; the folder itself where there is none."""
        above = (folder, *ancestors(folder))
        standard = next((each for each in above if each in self._standard_stubs), None)
        if standard is not None:
            return standard
        packages = [each for each in above if self._is_regular(each)]
        return parent(packages[-1]) if packages else folder

    @cached_property
    def _standard_stubs(self) -> frozenset[str]:
        """The folders that hold the stubs of a standard library, as typeshed's `stdlib` does."""
        return frozenset(parent(path) for path in self._files.named("builtins.pyi"))

    def _offers(self, name: str) -> tuple[str, ...] | str:
        if self._overridden:
            return ()
        top, *rest = name.split(".")
        roots = [root for root in self._offered.get(top, ()) if root]
        if ("", top) in self._names or self._files.is_directory(top):
            roots.append("")
        holders = [(root, f"{root}/{top}" if root else top) for root in roots]
        for part in rest:
            if not holders or any(self._is_module(path) for _, path in holders):
                break
            holders = [(root, f"{path}/{part}") for root, path in holders if (path, part) in self._names]
        if holders and not any(self._is_module(path) for _, path in holders):
            return "namespace"
        return tuple(root for root, _ in holders)

    def _renamed(self, folder: str, name: str) -> list[tuple[str, str]]:
        if self._overridden or name not in self._renamed_names:
            return []
        near = self._enclosing(folder)
        far = [self._projects[each] for each in sorted(self._projects) if self._projects[each] not in near]
        pairs = [pair for project in (*near, *far) for pair in project.renamed]
        return [pair for pair in pairs if pair[0].partition(".")[0] == name]

    @cached_property
    def _renamed_names(self) -> frozenset[str]:
        return frozenset(
            dotted.partition(".")[0] for project in self._projects.values() for dotted, _ in project.renamed
        )

    def _stubbed(self, name: str) -> tuple[str, ...] | None:
        stubs = f"{name}-stubs"
        if stubs not in self._stub_packages:
            return None
        return () if self._overridden else tuple(self._offered.get(stubs, ()))

    @cached_property
    def _stub_packages(self) -> frozenset[str]:
        """Names of the folders that hold stubs alone for a package, by PEP 561."""
        return frozenset(name for folder in self._stub_folders for name in folder.split("/") if name.endswith("-stubs"))

    def _is_module(self, path: str) -> bool:
        """Whether more than a folder without an `__init__` stands there."""
        paths = self._files.paths
        return self._is_regular(path) or f"{path}.py" in paths or f"{path}.pyi" in paths or path in self._extensions

    @cached_property
    def _offered(self) -> dict[str, list[str]]:
        """Roots of all projects that hold a top-level name for others, by the name, sorted."""
        offered: defaultdict[str, set[str]] = defaultdict(set)
        roots = {root for project in self._projects.values() for root in project.packaged}
        for holder, name in self._names:
            if holder in roots:
                offered[name].add(holder)
            project = self._projects.get(holder)
            if project is not None and project.is_flat and self._offers_flat(project, name):
                offered[name].add(holder)
        return {name: sorted(found) for name, found in offered.items()}

    @cached_property
    def _names(self) -> set[tuple[str, str]]:
        """(folder, name) of every module and every folder with modules somewhere beneath it."""
        found: set[tuple[str, str]] = set()
        for path in self._files.paths:
            if path.endswith((".py", ".pyi", ".so", ".pyd")):
                folder, _, name = path.rpartition("/")
                found.add((folder, name.partition(".")[0]))
        for folder in sorted(self._module_folders):
            path = folder
            while path and (parent(path), basename(path)) not in found:
                found.add((parent(path), basename(path)))
                path = parent(path)
        return found

    def _offers_flat(self, project: _Project, name: str) -> bool:
        """Whether a project that is built from its own folder brings the name to others."""
        path = join(project.folder, name)
        if project.packages:
            return any(package == path or package.startswith(f"{path}/") for package in project.packages)
        same = _normalized(name) == _normalized(project.name)
        return same or (name not in _PRIVATE and path is not None and self._is_regular(path))

    @cached_property
    def _module_folders(self) -> frozenset[str]:
        return frozenset(parent(path) for path in self._files.paths if path.endswith((".py", ".pyi")))

    @cached_property
    def _stub_folders(self) -> frozenset[str]:
        return frozenset(parent(path) for path in self._files.paths if path.endswith(".pyi"))

    @cached_property
    def _extensions(self) -> dict[str, str]:
        """Compiled modules by their path up to the first dot of the name; the first in order of several."""
        found = sorted(path for path in self._files.paths if path.endswith((".so", ".pyd")))
        return {
            path[: len(path) - len(basename(path))] + basename(path).partition(".")[0]: path for path in reversed(found)
        }

    def _distribution(self, folder: str, name: str) -> str:
        """The declared distribution with the longest name that the dotted name begins with."""
        scopes = [self._requires[each] for each in (folder, *ancestors(folder)) if each in self._requires]
        parts = name.split(".")[:_MAX_NAME_PARTS]
        for length in range(len(parts), 0, -1):
            normalized = _normalized("-".join(parts[:length]))
            for requires in scopes:
                if normalized in requires:
                    return requires[normalized]
        return ""


def _is_at(parts: list[str], patterns: list[str], is_whole: bool) -> bool:
    """Whether a folder's last parts, or all of them, are as a pattern has them; the pattern "" is the folder itself."""
    if patterns == [""]:
        return parts == [""]
    if len(parts) < len(patterns) or (is_whole and len(parts) != len(patterns)):
        return False
    return all(map(fnmatchcase, parts[-len(patterns) :], patterns))


def _source_roots(files: RepositoryFiles, written: Iterable[str]) -> tuple[str, ...]:
    """The configured roots in order, a glob's matches sorted."""
    found: list[str] = []
    folders: list[str] | None = None
    for text in written:
        path = join("", text)
        if path is None:
            continue
        if not set(path) & set("*?["):
            found.append(path)
            continue
        if folders is None:
            folders = sorted({above for each in files.paths for above in ancestors(each)})
        found += [folder for folder in folders if _matches(folder, path)]
    return tuple(dict.fromkeys(found))


def _matches(folder: str, glob: str) -> bool:
    parts, patterns = folder.split("/"), glob.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def _leading_out(manifests: dict[str, Manifest]) -> Iterator[tuple[str, str]]:
    """The problems of manifests that name folders out of the repository."""
    for path, manifest in manifests.items():
        renamed = (folder for _, folder in manifest.renamed)
        written = dict.fromkeys((*manifest.roots, *manifest.search, *manifest.packages, *renamed))
        for text in [text for text in written if join(parent(path), text) is None][:_MAX_PROBLEMS]:
            yield path, f"{text[:100]!r} leads out of the repository"


def _outside(files: RepositoryFiles, settings: Settings) -> Iterator[tuple[str, str]]:
    """The problems of configured roots out of the repository."""
    path = "weft.toml" if "weft.toml" in files.paths else "pyproject.toml"
    for text in settings.source_roots:
        if join("", text) is None:
            yield path, f"the source root {text[:100]!r} leads out of the repository"


def _by_folder(manifests: Iterable[str]) -> dict[str, list[str]]:
    """Manifests by the project folder that they speak of; the repository's root is always one."""
    found: dict[str, list[str]] = {"": []}
    for path in manifests:
        if not path.endswith(".txt"):
            found.setdefault(parent(path), []).append(path)
    return found


def _is_declared(manifests: Iterable[str]) -> bool:
    return any(basename(path) in PROJECT_MANIFESTS for path in manifests)


def _requires(manifests: dict[str, Manifest]) -> dict[str, dict[str, str]]:
    """Declared distributions by folder: normalized name -> name as first written."""
    found: dict[str, dict[str, str]] = {}
    for path, manifest in manifests.items():
        folder = parent(path)
        if path.endswith(".txt") and basename(folder) == "requirements":
            folder = parent(folder)
        declared = found.setdefault(folder, {})
        for name in manifest.requires:
            declared.setdefault(_normalized(name), name)
    return found


def _is_portion(own: str, enclosing: Iterable[_Project]) -> bool:
    """Whether a folder that would be a root is a part of a namespace package in a declared root instead."""
    return any(
        any(_is_inside(own, root) and own != root for root in project.packaged if root != project.guessed)
        or any(_is_inside(own, package) for package in project.packages)
        for project in enclosing
    )


def _is_inside(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _normalized(name: str) -> str:
    """The name as PEP 503 compares it."""
    return _SEPARATORS.sub("-", name).lower()
