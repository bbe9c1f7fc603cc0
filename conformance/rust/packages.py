"""cargo metadata: the packages of a repository, their targets and path dependencies, as Cargo itself reads manifests.

`--no-deps` reads manifests only: nothing is resolved, fetched or built, and no script is run.
"""

import json
import os
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from conformance.base import Answers, Pair
from conformance.graphs import WeftGraph
from conformance.rust.copies import unconditional
from conformance.rust.toolchain import cargo
from weft_storage.model.edges import Edge
from weft_storage.model.facts import EdgeKind
from weft_storage.model.paths import basename, join, parent
from weft_tasks.resolve.rust.cargo import Dependency, Package, Target, TargetKind, read_layout, read_packages

MANIFEST = "Cargo.toml"
# Before the name of a dependency that is not renamed.
_OWN_NAME = "="
_KINDS = {
    "bin": TargetKind.BIN,
    "test": TargetKind.TEST,
    "example": TargetKind.EXAMPLE,
    "bench": TargetKind.BENCH,
    "custom-build": TargetKind.BUILD,
}


@dataclass(frozen=True, slots=True)
class Metadata:
    """The packages by folder, with the targets whose file exists; and the manifests that cargo refuses, with why.

    `development` are the folders of the packages that a package's tests depend on, and nothing else of it. `patched`
    are dependencies on a registry, by their name in code, that the workspace's `[patch]` leads to a folder: cargo tells
    of them only once it has resolved everything.
    """

    packages: Mapping[str, Package]
    unread: Mapping[str, str]
    development: Mapping[str, frozenset[str]]
    patched: Mapping[str, Mapping[str, str]]


def read_metadata(root: str, manifests: Collection[str]) -> Metadata:
    """What cargo says of the manifests of a folder; a workspace's members are read with it."""
    packages: dict[str, Package] = {}
    unread: dict[str, str] = {}
    development: dict[str, frozenset[str]] = {}
    patched: dict[str, dict[str, str]] = {}
    for manifest in sorted(manifests, key=lambda each: (each.count("/"), each)):
        if parent(manifest) in packages:
            continue
        done = cargo().run(
            root, "metadata", "--no-deps", "--offline", "--format-version=1", f"--manifest-path={manifest}"
        )
        if done.returncode:
            unread[manifest] = " ".join(done.stderr.split())[-300:]
            continue
        told = json.loads(done.stdout)
        patches = _patches(root, told["workspace_root"])
        for written in told["packages"]:
            package = _package(root, written)
            if package is not None:
                packages[package.directory] = package
                development[package.directory] = _development(root, written, patches)
                patched[package.directory] = {
                    (each["rename"] or each["name"]).replace("-", "_"): patches[each["name"]]
                    for each in written["dependencies"]
                    if not each.get("path") and each["name"] in patches
                }
    named = {folder: _named(package, packages) for folder, package in packages.items()}
    return Metadata(named, unread, development, patched)


class CargoMetadata:
    """`Authority`: pairs of a manifest and what it declares, a target's root or a package that it depends on by path.

    Both are written as text: `lib 2021 src/lib.rs` and `dependency NAME at FOLDER`. They are no edges of the graph;
    Weft's are those from which it makes its module trees.
    """

    name = "cargo metadata"

    def version(self) -> str:
        return cargo().version

    def answers(self, root: str, graph: WeftGraph) -> Answers:
        with unconditional(root) as copy:
            metadata = read_metadata(copy, [path for path in graph.paths if basename(path) == MANIFEST])
        pairs = {pair: 0 for package in metadata.packages.values() for pair in _pairs(package)}
        ours = read_packages(files := _Files(graph), read_layout(files))[0]
        return Answers(
            pairs=pairs,
            scopes=dict.fromkeys(_manifest(folder) for folder in metadata.packages),
            unread=metadata.unread,
            restated=tuple(
                Edge(importer, imported, EdgeKind.IMPORT, 0, imported)
                for package in ours.values()
                for importer, imported in _pairs(_readable(package, metadata))
            ),
        )

    def pair_of(self, edge: Edge) -> Pair | None:
        return edge.importer, edge.imported


class _Files:
    """The repository as `read_packages` asks for it."""

    def __init__(self, graph: WeftGraph) -> None:
        self._graph = graph

    @property
    def paths(self) -> Collection[str]:
        return self._graph.paths

    def file(self, path: str) -> str | None:
        return inside(self._graph.root, str(Path(self._graph.root, path))) if path in self._graph.paths else None

    def is_directory(self, path: str) -> bool:
        return Path(self._graph.root, path).is_dir()

    def named(self, name: str) -> list[str]:
        return sorted(path for path in self._graph.paths if basename(path) == name)

    def read(self, path: str) -> bytes | None:
        return self._graph.source(path)

    def interface(self, path: str) -> bytes:
        del path
        return b""


def _pairs(package: Package) -> Iterator[Pair]:
    manifest = _manifest(package.directory)
    for target in package.targets:
        yield manifest, f"{target.kind} {target.edition} {target.root}"
    for tables in (package.dependencies, package.build_dependencies):
        build = "build " if tables is package.build_dependencies else ""
        for name, dependency in tables.items():
            if dependency.directory is not None:
                yield manifest, f"{build}dependency {name} at {dependency.directory or '.'}"


def _readable(package: Package, metadata: Metadata) -> Package:
    """Weft's package without dependencies on packages that cargo refuses to read."""
    refused = {parent(manifest) for manifest in metadata.unread}
    kept = {name: each for name, each in package.dependencies.items() if each.directory not in refused}
    return replace(package, dependencies=kept)


def _manifest(folder: str) -> str:
    return join(folder, MANIFEST) or MANIFEST


def _package(root: str, written: Mapping[str, Any]) -> Package | None:
    """One package as Weft's values; None where it lies outside."""
    folder = inside(root, parent(written["manifest_path"]))
    if folder is None:
        return None
    library = next((each for each in written["targets"] if _kind(each) is TargetKind.LIB), None)
    return Package(
        directory=folder,
        name=written["name"],
        library=(library["name"] if library else written["name"]).replace("-", "_"),
        edition=int(written["edition"]),
        targets=tuple(_targets(root, written["targets"])),
        dependencies=_dependencies(root, written, build=False),
        build_dependencies=_dependencies(root, written, build=True),
    )


def _targets(root: str, written: list[Mapping[str, Any]]) -> Iterator[Target]:
    for each in written:
        path = inside(root, each["src_path"])
        if path and Path(root, path).is_file():
            yield Target(_kind(each), path, int(each["edition"]))


def _kind(target: Mapping[str, Any]) -> TargetKind:
    return next((_KINDS[kind] for kind in target["kind"] if kind in _KINDS), TargetKind.LIB)


def _dependencies(root: str, written: Mapping[str, Any], *, build: bool) -> dict[str, Dependency]:
    """By the name that the manifest gives them, `=` before the package's own."""
    found: dict[str, Dependency] = {}
    for each in written["dependencies"]:
        if (each["kind"] == "build") is build and each.get("path"):
            folder = inside(root, each["path"])
            if folder is not None:
                found[each["rename"] or f"{_OWN_NAME}{each['name']}"] = Dependency(each["name"], folder)
    return found


def _patches(root: str, workspace: str) -> dict[str, str]:
    """The folders that `[patch]` of a workspace gives, by the package's name."""
    tables = tomllib.loads(Path(workspace, MANIFEST).read_text(encoding="utf-8-sig")).get("patch", {}).values()
    found: dict[str, str] = {}
    for name, patch in (entry for table in tables for entry in table.items()):
        if isinstance(patch, dict) and "path" in patch:
            folder = inside(root, os.path.join(workspace, patch["path"]))
            if folder is not None:
                found[patch.get("package", name)] = folder
    return found


def _development(root: str, written: Mapping[str, Any], patches: Mapping[str, str]) -> frozenset[str]:
    folders: dict[str | None, set[str | None]] = {None: set(), "dev": set(), "build": set()}
    for each in written["dependencies"]:
        folders[each["kind"]].add(inside(root, each["path"]) if each.get("path") else patches.get(each["name"]))
    return frozenset(folder for folder in folders["dev"] - folders[None] if folder is not None)


def _named(package: Package, packages: Mapping[str, Package]) -> Package:
    """The package with its dependencies by the names that code calls them; those without a library are left out."""
    return replace(
        package,
        dependencies=_by_name_in_code(package.dependencies, packages),
        build_dependencies=_by_name_in_code(package.build_dependencies, packages),
    )


def _by_name_in_code(table: Mapping[str, Dependency], packages: Mapping[str, Package]) -> dict[str, Dependency]:
    found: dict[str, Dependency] = {}
    for name, dependency in table.items():
        provided = packages.get(dependency.directory or "")
        if provided is not None and provided.target(TargetKind.LIB) is not None:
            own = name.startswith(_OWN_NAME)
            found[provided.library if own else name.replace("-", "_")] = dependency
    return found


def inside(root: str, path: str) -> str | None:
    """The path in the repository of a path on disk, links followed; None where it lies outside."""
    relative = os.path.relpath(os.path.realpath(path), os.path.realpath(root))
    if relative == ".." or relative.startswith("../"):
        return None
    return "" if relative == "." else relative
