"""Packages of the repository: package.json and deno.json, workspaces, and which package a name means to whom.

Knows no sources and no tsconfig.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from weft_storage.model.paths import ancestors, join, parent
from weft_tasks.resolve.base import RepositoryFiles
from weft_tasks.resolve.typescript.conditions import types_of_version
from weft_tasks.resolve.typescript.globs import matches
from weft_tasks.resolve.typescript.manifests import (
    UnreadableManifest,
    cleaned,
    mapping,
    read_json,
    read_json_with_comments,
    read_yaml,
    text,
    texts,
)
from weft_tasks.resolve.typescript.probing import split_suffix

Reader: TypeAlias = Callable[[bytes], dict[str, Any]]

DENO_NAMES = ("deno.json", "deno.jsonc")
# The first that names a package wins: what a package installs for itself says more than what it expects of others.
_DEPENDENCIES = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
_PATH_PROTOCOLS = ("file:", "link:", "portal:")
_OUTSIDE = re.compile(r"npm:|jsr:|patch:|git[+:@]|github:|gitlab:|bitbucket:|gist:|https?:|ssh:|[\w.-]+/[\w.-]+(#|$)")


class Package(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a package.json says of how its package is entered; `exports` and `imports` are plain JSON values."""

    folder: str
    name: str = ""
    exports: Any = None
    imports: Any = None
    types: tuple[str, ...] = ()
    main: str = ""
    module: str = ""
    source: str = ""
    tsconfig: str = ""
    # The patterns of `typesVersions` that hold for a current compiler.
    versioned: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(slots=True)
class _Manifest:
    """A package with what only lookups need."""

    package: Package
    dependencies: Mapping[str, str]
    raw: Mapping[str, Any]


@dataclass(slots=True)
class _Workspace:
    """A workspace root: its globs, its members by name, and the versions that it forces on them."""

    patterns: tuple[str, ...]
    excluded: tuple[str, ...]
    overrides: Mapping[str, str]
    members: dict[str, str] = field(default_factory=dict)


class Packages:
    """Every package of the repository. `problems` are (path, sentence) per unreadable manifest."""

    def __init__(self, files: RepositoryFiles) -> None:
        self.problems: list[tuple[str, str]] = []
        self._files = files
        self._manifests = self._read_manifests()
        self._workspaces = self._read_workspaces()
        self._installed = {folder for folder in self._manifests if _is_installed(folder)}
        self._installed.update(_installed_folders(files.paths))
        self._named = self._enrol()

    def package(self, folder: str) -> Package | None:
        """The package whose manifest stands in the folder; one in node_modules may have none."""
        manifest = self._manifests.get(folder)
        if manifest is None:
            return Package(folder) if folder in self._installed else None
        return manifest.package

    def anchors(self) -> set[str]:
        """The folders from which a name may mean another package than from the folder above."""
        installed = {each.rpartition("node_modules/")[0].rstrip("/") for each in self._installed}
        return {*self._manifests, *self._workspaces, *installed}

    def scope(self, folder: str) -> str | None:
        """The nearest folder upward (itself too) with a package.json."""
        return next((each for each in (folder, *ancestors(folder)) if each in self._manifests), None)

    def lookup(self, folder: str, name: str) -> str | None:
        """The folder of the package that a name means to files in `folder`; None where it is not in the repository.

        Goes upward as Node does: at each folder what its package.json asks for, else what its workspace links.
        """
        found = self._lookup(folder, name)
        if found is not None or name.startswith("@types/") or self.is_declared(folder, name):
            return found
        return self._lookup(folder, f"@types/{name.removeprefix('@').replace('/', '__')}")

    def is_declared(self, folder: str, name: str) -> bool:
        """Whether a package.json in the folder or above it lists the name as a dependency."""
        above = (self._manifests.get(each) for each in (folder, *ancestors(folder)))
        return any(each is not None and name in each.dependencies for each in above)

    def _lookup(self, folder: str, name: str) -> str | None:
        nearest = True
        for each in (folder, *ancestors(folder)):
            installed = f"{each}/node_modules/{name}".lstrip("/")
            if installed in self._installed:
                return installed
            manifest = self._manifests.get(each)
            if manifest is not None:
                own = manifest.package
                if own.name == name and (own.exports is not None or name not in manifest.dependencies) and nearest:
                    return each
                nearest = False  # Only the package around the importer may be named by its own name.
                if name in manifest.dependencies:
                    linked = self._linked(each, name, manifest.dependencies[name])
                    return linked if linked is not None else self._installed_above(each, name)
            workspace = self._workspaces.get(each)
            if workspace is not None and name in workspace.members:
                return workspace.members[name]
        return None

    def _installed_above(self, folder: str, name: str) -> str | None:
        """The checked-in copy of a package from outside that stands nearest above a folder."""
        places = (f"{each}/node_modules/{name}".lstrip("/") for each in ancestors(folder))
        return next((each for each in places if each in self._installed), None)

    def _linked(self, folder: str, name: str, wanted: str) -> str | None:
        """The package that a dependency means: `wanted` is what package.json has for it."""
        folder, wanted = self._overridden(folder, name, wanted)
        for protocol in _PATH_PROTOCOLS:
            if wanted.startswith(protocol):
                return self._at_path(folder, wanted.removeprefix(protocol))
        if wanted.startswith("workspace:"):
            return self._in_workspace(folder, name, wanted.removeprefix("workspace:"))
        if wanted.startswith((".", "/", "~/")):
            return self._at_path(folder, wanted)
        if wanted.startswith("npm:"):
            real = wanted.removeprefix("npm:").rpartition("@")[0] or wanted.removeprefix("npm:")
            return self._member(folder, real) if real == name else None
        return None if _OUTSIDE.match(wanted) else self._member(folder, name)

    def _overridden(self, folder: str, name: str, wanted: str) -> tuple[str, str]:
        """What is asked for in the end, and the folder that its paths are relative to."""
        for each in (folder, *ancestors(folder)):
            workspace = self._workspaces.get(each)
            if workspace is not None and name in workspace.overrides:
                return each, workspace.overrides[name]
        return folder, wanted

    def _at_path(self, folder: str, path: str) -> str | None:
        found = join(folder, path.removeprefix("//"))
        return found if found is not None and found in self._manifests else None

    def _in_workspace(self, folder: str, name: str, wanted: str) -> str | None:
        if wanted.startswith("."):
            return self._at_path(folder, wanted)
        real = wanted.rpartition("@")[0] or name
        found = self._member(folder, real)
        if found is not None:
            return found
        # A workspace that no manifest shows: the package of that name that lies nearest.
        same = self._named.get(real, ())
        return max(same, key=lambda each: (_shared(each, folder), -len(each)), default=None)

    def _member(self, folder: str, name: str) -> str | None:
        for each in (folder, *ancestors(folder)):
            workspace = self._workspaces.get(each)
            if workspace is not None and name in workspace.members:
                return workspace.members[name]
        return None

    def _read_manifests(self) -> dict[str, _Manifest]:
        found: dict[str, _Manifest] = {}
        for name in DENO_NAMES:
            for path in self._files.named(name):
                found.setdefault(parent(path), _deno_manifest(parent(path), self._read(path, read_json_with_comments)))
        for path in self._files.named("package.json"):
            found[parent(path)] = _manifest(parent(path), self._read(path, read_json), found.get(parent(path)))
        return dict(sorted(found.items()))

    def _read_workspaces(self) -> dict[str, _Workspace]:
        found: dict[str, _Workspace] = {}
        for folder, manifest in self._manifests.items():
            declared = manifest.raw.get("workspaces", manifest.raw.get("workspace"))
            patterns = texts(mapping(declared).get("packages", mapping(declared).get("members")) or declared)
            if patterns and not _is_installed(folder):
                found[folder] = _workspace(folder, patterns, _overrides(manifest.raw))
        for path in self._files.named("lerna.json"):
            lerna = self._read(path, read_json)
            if parent(path) not in found:
                patterns = texts(lerna.get("packages")) or ("packages/*",)
                found[parent(path)] = _workspace(parent(path), patterns, self._overrides_at(parent(path)))
        for path in self._files.named("rush.json"):
            rush = self._read(path, read_json_with_comments).get("projects")
            folders = [text(mapping(each).get("projectFolder")) for each in rush] if isinstance(rush, list) else []
            found[parent(path)] = _workspace(parent(path), [each for each in folders if each], {})
        for path in self._files.named("pnpm-workspace.yaml"):
            pnpm = self._read(path, read_yaml)
            overrides = {**self._overrides_at(parent(path)), **_only_texts(pnpm.get("overrides"))}
            patterns = texts(pnpm.get("packages"))
            if patterns or parent(path) not in found:  # pnpm keeps other settings in this file too.
                found[parent(path)] = _workspace(parent(path), patterns, overrides)
        return found

    def _overrides_at(self, folder: str) -> dict[str, str]:
        manifest = self._manifests.get(folder)
        return {} if manifest is None else _overrides(manifest.raw)

    def _enrol(self) -> dict[str, list[str]]:
        """Make every package a member of the workspaces above it that name it; all packages by name."""
        named: dict[str, list[str]] = {}
        for folder, manifest in self._manifests.items():
            name = manifest.package.name
            if not name or _is_installed(folder):
                continue
            named.setdefault(name, []).append(folder)
            for root in (folder, *ancestors(folder)):
                workspace = self._workspaces.get(root)
                if workspace is not None and _is_member(workspace, folder, root):
                    workspace.members.setdefault(name, folder)
        return named

    def _read(self, path: str, reader: Reader) -> dict[str, Any]:
        try:
            return reader(self._files.read(path) or b"{}")
        except UnreadableManifest as exc:
            if not _is_installed(path):
                self.problems.append((path, str(exc)))
            return {}


def _manifest(folder: str, raw: dict[str, Any], deno: _Manifest | None) -> _Manifest:
    """The manifest of a package.json; what only a deno.json beside it says is kept."""
    dependencies: dict[str, str] = {}
    for key in reversed(_DEPENDENCIES):
        dependencies |= _only_texts(raw.get(key))
    package = Package(
        folder=folder,
        name=text(raw.get("name")),
        exports=cleaned(raw.get("exports")),
        imports=cleaned(raw.get("imports")),
        types=tuple(each for each in (text(raw.get("types")), text(raw.get("typings"))) if each),
        main=text(raw.get("main")),
        module=text(raw.get("module")),
        source=next(iter(texts(raw.get("source"))), ""),
        tsconfig=text(raw.get("tsconfig")),
        versioned=types_of_version(mapping(raw.get("typesVersions"))),
    )
    if deno is not None:
        raw = {**deno.raw, **raw}
        package = package if package.name else deno.package
    return _Manifest(package, dependencies, raw)


def _deno_manifest(folder: str, raw: dict[str, Any]) -> _Manifest:
    exports = cleaned(raw.get("exports"))
    return _Manifest(Package(folder, text(raw.get("name")), exports), {}, {"workspace": raw.get("workspace")})


def _workspace(folder: str, patterns: Iterable[str], overrides: Mapping[str, str]) -> _Workspace:
    taken: list[str] = []
    excluded: list[str] = []
    for pattern in patterns:
        target = join(folder, pattern.removeprefix("!"))
        if target is not None:
            (excluded if pattern.startswith("!") else taken).append(target)
    return _Workspace(tuple(taken), tuple(excluded), overrides)


def _is_member(workspace: _Workspace, folder: str, root: str) -> bool:
    if folder == root:
        return True
    return any(matches(each, folder) for each in workspace.patterns) and not any(
        matches(each, folder) for each in workspace.excluded
    )


def _overrides(raw: Mapping[str, Any]) -> dict[str, str]:
    return {
        **_only_texts(raw.get("overrides")),
        **_only_texts(mapping(raw.get("pnpm")).get("overrides")),
        **_only_texts(raw.get("resolutions")),
    }


def _only_texts(value: object) -> dict[str, str]:
    return {key: each for key, each in mapping(value).items() if isinstance(each, str)}


def _is_installed(path: str) -> bool:
    return path.startswith("node_modules/") or "/node_modules/" in path


def _installed_folders(paths: Iterable[str]) -> Iterator[str]:
    """What lies directly in a node_modules (or in a scope there): folders with a manifest or without, files' stems."""
    for path in paths:
        before, folder, inside = path.rpartition("node_modules/")
        if folder and (not before or before.endswith("/")) and not inside.startswith("."):
            parts = inside.split("/")
            count = 2 if inside.startswith("@") else 1
            if len(parts) > count:
                yield before + folder + "/".join(parts[:count])
            elif len(parts) == count and parts[-1].endswith((".js", ".cjs", ".mjs", ".ts")):
                yield before + folder + split_suffix(inside)[0]


def _shared(one: str, other: str) -> int:
    """How many leading folders two paths share."""
    count = 0
    for left, right in zip(one.split("/"), other.split("/"), strict=False):
        if left != right:
            break
        count += 1
    return count
