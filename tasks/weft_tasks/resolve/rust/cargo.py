"""Cargo's packages: their targets and what they depend on, from manifests and layout. Knows no module.

The rules are those of the Cargo book: manifest targets, target discovery, specifying dependencies, workspaces.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from weft_storage.model.paths import ancestors, basename, join, parent
from weft_tasks.resolve.base import RepositoryFiles

MANIFEST = "Cargo.toml"


class TargetKind(StrEnum):
    """What a crate is built as."""

    LIB = "lib"
    BIN = "bin"
    TEST = "test"
    EXAMPLE = "example"
    BENCH = "bench"
    BUILD = "build"


@dataclass(frozen=True, slots=True)
class Target:
    """A crate that Cargo builds: `root` is its first file."""

    kind: TargetKind
    root: str
    edition: int


@dataclass(frozen=True, slots=True)
class Dependency:
    """A crate by the name that code calls it. `directory` holds its package where that is in the repository."""

    package: str
    directory: str | None = None


@dataclass(frozen=True, slots=True)
class Package:
    """One `[package]`: `library` is the name that other code calls its library crate by."""

    directory: str
    name: str
    library: str
    edition: int
    targets: tuple[Target, ...] = ()
    dependencies: Mapping[str, Dependency] = field(default_factory=dict)
    build_dependencies: Mapping[str, Dependency] = field(default_factory=dict)

    def target(self, kind: TargetKind) -> Target | None:
        """The first target of a kind."""
        return next((target for target in self.targets if target.kind is kind), None)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the Rust files of a repository lie: names by folder, and the folders that hold a `main.rs`, by parent."""

    files: Mapping[str, tuple[str, ...]]
    mains: Mapping[str, tuple[str, ...]]


def read_layout(files: RepositoryFiles) -> Layout:
    """The layout of a repository; names are sorted."""
    by_folder: dict[str, list[str]] = {}
    for path in files.paths:
        if path.endswith(".rs"):
            folder, _, name = path.rpartition("/")
            by_folder.setdefault(folder, []).append(name)
    mains: dict[str, list[str]] = {}
    for path in files.named("main.rs"):
        folder = parent(path)
        if folder:
            mains.setdefault(parent(folder), []).append(basename(folder))
    return Layout(
        {folder: tuple(sorted(names)) for folder, names in by_folder.items()},
        {folder: tuple(sorted(names)) for folder, names in mains.items()},
    )


def read_packages(files: RepositoryFiles, layout: Layout) -> tuple[dict[str, Package], list[tuple[str, str]]]:
    """Every package by its folder, and (path, sentence) per manifest that could not be read."""
    manifests: dict[str, Mapping[str, Any]] = {}
    problems: list[tuple[str, str]] = []
    for path in files.named(MANIFEST):
        try:
            manifests[parent(path)] = tomllib.loads((files.read(path) or b"").decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            problems.append((path, f"not a readable manifest: {type(error).__name__}"))
    workspaces = _Workspaces(manifests)
    drafts = {
        directory: _read_package(directory, manifest, workspaces, files, layout)
        for directory, manifest in sorted(manifests.items())
        if _text(_table(manifest, "package").get("name"))
    }
    return {
        directory: _with_dependencies(draft, manifests, workspaces, drafts) for directory, draft in drafts.items()
    }, problems


class _Workspaces:
    """Which workspace a package belongs to, and what it inherits from there."""

    def __init__(self, manifests: Mapping[str, Mapping[str, Any]]) -> None:
        self._manifests = manifests
        self._globs: dict[str, tuple[frozenset[str | None], frozenset[str | None]]] = {}
        self._patched: dict[str, Mapping[str, str]] = {}

    def root_of(self, directory: str) -> str | None:
        """The folder of the workspace's manifest; None for a package of its own."""
        manifest = self._manifests[directory]
        pointer = _text(_table(manifest, "package").get("workspace"))
        if pointer:
            root = join(directory, pointer)
            return root if root in self._manifests else None
        if "workspace" in manifest:
            return directory
        for above in ancestors(directory) if directory else ():
            if "workspace" in self._manifests.get(above, {}):
                return None if self._excludes(above, directory) else above
        return None

    def _excludes(self, root: str, directory: str) -> bool:
        if root not in self._globs:
            workspace = _table(self._manifests[root], "workspace")
            members, excluded = _texts(workspace.get("members")), _texts(workspace.get("exclude"))
            self._globs[root] = (
                frozenset(join(root, each) for each in members),
                frozenset(join(root, each) for each in excluded),
            )
        named, left_out = self._globs[root]
        # A member that is named in full wins over an exclusion, as in Cargo.
        return directory not in named and not left_out.isdisjoint([directory, *ancestors(directory)])

    def table(self, directory: str, name: str) -> tuple[str, Mapping[str, Any]]:
        """(folder, table `workspace.<name>`) that a package inherits from."""
        root = self.root_of(directory)
        if root is None:
            return directory, {}
        return root, _table(_table(self._manifests[root], "workspace"), name)

    def patches(self, directory: str) -> Mapping[str, str]:
        """Folders that stand in for packages of a registry, by the package's name."""
        root = self.root_of(directory)
        root = directory if root is None else root
        if root not in self._patched:
            self._patched[root] = self._read_patches(root)
        return self._patched[root]

    def _read_patches(self, root: str) -> Mapping[str, str]:
        found: dict[str, str] = {}
        manifest = self._manifests[root]
        tables = [table for table in _table(manifest, "patch").values() if isinstance(table, dict)]
        for table in (*tables, _table(manifest, "replace")):
            for key, patch in table.items():
                path = _text(patch.get("path")) if isinstance(patch, dict) else ""
                folder = join(root, path) if path else None
                if folder is not None:
                    found[_text(patch.get("package")) or key.partition(":")[0]] = folder
        return found


def _read_package(
    directory: str, manifest: Mapping[str, Any], workspaces: _Workspaces, files: RepositoryFiles, layout: Layout
) -> Package:
    package, library = _table(manifest, "package"), _table(manifest, "lib")
    name = _text(package.get("name"))
    written = package.get("edition")
    if isinstance(written, dict):
        written = workspaces.table(directory, "package")[1].get("edition")
    edition = _edition(written, 2015)
    finder = _Targets(directory, name, manifest, edition, files, layout)
    return Package(
        directory=directory,
        name=name,
        library=in_code(_text(library.get("name")) or name),
        edition=edition,
        targets=tuple(finder.find()),
    )


class _Targets:
    """The targets of one package, declared and discovered."""

    def __init__(
        self,
        directory: str,
        name: str,
        manifest: Mapping[str, Any],
        edition: int,
        files: RepositoryFiles,
        layout: Layout,
    ) -> None:
        self._directory = directory
        self._name = name
        self._manifest = manifest
        self._package = _table(manifest, "package")
        self._edition = edition
        self._files = files
        self._layout = layout

    def find(self) -> Iterator[Target]:
        """Every target whose root file exists, once; the library first."""
        seen: set[tuple[TargetKind, str]] = set()
        for target in self._candidates():
            if (target.kind, target.root) not in seen and target.root in self._files.paths:
                seen.add((target.kind, target.root))
                yield target

    def _candidates(self) -> Iterator[Target]:
        yield from self._library()
        yield from self._several(TargetKind.BIN, "src/bin", "autobins")
        yield from self._several(TargetKind.TEST, "tests", "autotests")
        yield from self._several(TargetKind.EXAMPLE, "examples", "autoexamples")
        yield from self._several(TargetKind.BENCH, "benches", "autobenches")
        yield from self._build_scripts()

    def _library(self) -> Iterator[Target]:
        library = _table(self._manifest, "lib")
        if "lib" not in self._manifest and self._package.get("autolib") is False:
            return
        default = "src/lib.rs"
        if not self._exists(default) and library and self._edition == 2015:
            default = f"src/{_text(library.get('name')) or self._name}.rs"
        yield from self._at(TargetKind.LIB, _text(library.get("path")) or default, library)

    def _several(self, kind: TargetKind, folder: str, automatic: str) -> Iterator[Target]:
        declared = [table for table in _list(self._manifest.get(kind.value)) if isinstance(table, dict)]
        for table in declared:
            path = _text(table.get("path"))
            for candidate in [path] if path else self._usual(kind, folder, _text(table.get("name"))):
                if self._exists(candidate):
                    yield from self._at(kind, candidate, table)
                    break
        found = self._package.get(automatic)
        # Until 2018, declaring one target of a kind turned the discovery of the others off.
        if found is True or (found is not False and not (declared and self._edition == 2015)):
            yield from self._discovered(kind, folder)

    def _usual(self, kind: TargetKind, folder: str, name: str) -> list[str]:
        places = [f"{folder}/{name}.rs", f"{folder}/{name}/main.rs"]
        if kind is TargetKind.BIN:
            places += ["src/main.rs"] if name == self._name or self._edition == 2015 else []
            places += [f"src/{name}.rs"] if self._edition == 2015 else []
        return places

    def _discovered(self, kind: TargetKind, folder: str) -> Iterator[Target]:
        if kind is TargetKind.BIN:
            yield from self._at(kind, "src/main.rs", {})
        where = join(self._directory, folder)
        assert where is not None
        for name in self._layout.files.get(where, ()):
            if not name.startswith("."):
                yield from self._at(kind, f"{folder}/{name}", {})
        for name in self._layout.mains.get(where, ()):
            if not name.startswith("."):
                yield from self._at(kind, f"{folder}/{name}/main.rs", {})

    def _build_scripts(self) -> Iterator[Target]:
        written = self._package.get("build")
        if written is False:
            return
        for path in _texts(written) if isinstance(written, list) else [_text(written) or "build.rs"]:
            yield from self._at(TargetKind.BUILD, path, {})

    def _exists(self, path: str) -> bool:
        return join(self._directory, path) in self._files.paths

    def _at(self, kind: TargetKind, path: str, table: Mapping[str, Any]) -> Iterator[Target]:
        root = join(self._directory, path)
        if root:
            yield Target(kind, root, _edition(table.get("edition"), self._edition))


def _with_dependencies(
    package: Package,
    manifests: Mapping[str, Mapping[str, Any]],
    workspaces: _Workspaces,
    packages: Mapping[str, Package],
) -> Package:
    manifest = manifests[package.directory]
    reader = _Dependencies(package.directory, workspaces, packages)
    tables = [manifest, *(table for table in _table(manifest, "target").values() if isinstance(table, dict))]
    # Unit tests stand in the same files as the code: what only they may use is seen there too.
    ordinary = reader.read(_entries(tables, ("dependencies", "dev-dependencies", "dev_dependencies")))
    build = reader.read(_entries(tables, ("build-dependencies", "build_dependencies")))
    return Package(
        directory=package.directory,
        name=package.name,
        library=package.library,
        edition=package.edition,
        targets=package.targets,
        dependencies=ordinary,
        build_dependencies=build,
    )


def _entries(tables: Iterable[Mapping[str, Any]], names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for table in tables:
        for name in names:
            yield from _table(table, name).items()


class _Dependencies:
    """Reads the dependency tables of one package."""

    def __init__(self, directory: str, workspaces: _Workspaces, packages: Mapping[str, Package]) -> None:
        self._directory = directory
        self._inherited_from, self._inherited = workspaces.table(directory, "dependencies")
        self._patches = workspaces.patches(directory)
        self._packages = packages

    def read(self, entries: Iterable[tuple[str, Any]]) -> dict[str, Dependency]:
        """Dependencies by the name that code calls them; one that is in the repository wins over its namesake."""
        found: dict[str, Dependency] = {}
        for key, value in entries:
            name, dependency = self._read_one(key, value)
            if name not in found or found[name].directory is None:
                found[name] = dependency
        return found

    def _read_one(self, key: str, value: Any) -> tuple[str, Dependency]:
        base = self._directory
        if isinstance(value, dict) and value.get("workspace") is True:
            base, value = self._inherited_from, self._inherited.get(key)
        table = value if isinstance(value, dict) else {}
        renamed = _text(table.get("package"))
        package = renamed or key
        path = table.get("path")
        # An empty path is the folder itself: a workspace whose root is a package says so.
        directory = join(base, path) if isinstance(path, str) else self._patches.get(package)
        provided = self._packages.get(directory) if directory is not None else None
        if provided is None or provided.target(TargetKind.LIB) is None:
            return in_code(key), Dependency(package)
        return in_code(key) if renamed else provided.library, Dependency(package, directory)


def in_code(name: str) -> str:
    """A package's name as code writes it."""
    return name.replace("-", "_")


def _edition(written: Any, default: int) -> int:
    return int(written) if isinstance(written, str) and written in ("2015", "2018", "2021", "2024") else default


# Manifests are anyone's: every value is looked at before it is believed.


def _table(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    return [each for each in _list(value) if isinstance(each, str)]
