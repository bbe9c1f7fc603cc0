"""The rules of TypeScript and JavaScript: from a specifier and its importer to files. Sees names, never contents.

The order is that of the TypeScript compiler (`resolveModuleName`), workspaces being linked; what it does not know
(components, assets, import maps, outputs that are not built) comes after what it does.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import NamedTuple

from weft_storage.model.edges import Resolution, Status, Target
from weft_storage.model.facts import EdgeKind, Import
from weft_storage.model.languages import Family
from weft_storage.model.paths import join, parent
from weft_storage.model.settings import Settings
from weft_tasks.resolve.base import Index, RepositoryFiles
from weft_tasks.resolve.typescript import specifiers
from weft_tasks.resolve.typescript.conditions import targets
from weft_tasks.resolve.typescript.entries import Manner, exported_file, folder_file, package_file, source_of_output
from weft_tasks.resolve.typescript.globs import included
from weft_tasks.resolve.typescript.packages import Package
from weft_tasks.resolve.typescript.patterns import is_readable, matching_files
from weft_tasks.resolve.typescript.probing import SCRIPTS, TYPED, Probe, is_code, is_declaration
from weft_tasks.resolve.typescript.project import ImportMap, Surroundings, TypeScriptProject
from weft_tasks.resolve.typescript.tsconfig import Options

_WITHOUT_EXPORTS = frozenset({"node", "node10", "classic"})
_OUTSIDE_MARK = "outside:"


class TypeScriptResolver:
    """Rules of one language family; see `weft_tasks.resolve.base.Resolver`."""

    family = Family.TYPESCRIPT

    def build(self, files: RepositoryFiles, settings: Settings) -> TypeScriptProject:  # noqa: ARG002 - the seam's
        return TypeScriptProject(files)

    def context(self, importer: str) -> Hashable:  # noqa: ARG002 - the seam's
        return None  # Two files of one folder may belong to two tsconfigs; what can be shared is kept here.

    def resolve(self, importer: str, imported: Import, index: Index) -> Resolution:
        if imported.detail.partition("\n")[0] == "glob":
            return _matched(importer, imported, index)
        requires = imported.detail == "require"
        site = index.memo(("typescript site", importer, requires), lambda: _site(importer, requires, index))
        return _resolution(imported, _locate(site, imported), index)


RESOLVER = TypeScriptResolver()


@dataclass(frozen=True, slots=True)
class _Site:
    """From where something is imported: all that bears on it besides the specifier."""

    folder: str
    surroundings: Surroundings
    options: Options
    manner: Manner
    index: Index

    def probe(self, *, typed: bool = True) -> Probe:
        return Probe(self.index, typed=typed, suffixes=self.options.module_suffixes)

    def shared(self, specifier: str, typed: bool) -> Hashable:
        """The key of what all importers share that enter packages in the same way."""
        each = self.surroundings
        return ("typescript", specifier, typed, each.scope, each.anchor, each.maps, self.options.config, self.manner)


class _Found(NamedTuple):
    """Where a specifier leads: a path of the repository, or the name of what is outside, or neither."""

    path: str | None = None
    outside: str | None = None
    tried: tuple[str, ...] = ()


class _Located(NamedTuple):
    """What the compiler finds and, where that only declares types, what runs in its place."""

    found: _Found
    run: str | None = None


def _site(importer: str, requires: bool, index: Index) -> _Site:
    folder = parent(importer)
    surroundings: Surroundings = index.ask(Family.TYPESCRIPT, f"folder:{folder}")
    config = next(
        (
            choice.config
            for choice in surroundings.configs
            if choice.takes_all or included(choice.files, choice.include, choice.exclude, importer)
        ),
        None,
    )
    options: Options = index.ask(Family.TYPESCRIPT, f"config:{config}") if config else Options()
    return _Site(folder, surroundings, options, _manner(options, requires), index)


def _manner(options: Options, requires: bool) -> Manner:
    names = {"types", "require" if requires else "import", *options.custom_conditions}
    if options.module_resolution != "bundler":
        names.add("node")
    return Manner(frozenset(names), exports_first=options.module_resolution not in _WITHOUT_EXPORTS)


def _resolution(imported: Import, located: _Located, index: Index) -> Resolution:
    found = located.found
    if found.outside is not None:
        return Resolution(Status.EXTERNAL, package=found.outside)
    if found.path is None:
        return Resolution(Status.UNRESOLVED, probed=found.tried or (imported.specifier[: specifiers.MAX_LENGTH],))
    return Resolution(Status.RESOLVED, tuple(_targets(imported, found.path, located.run, index)))


def _matched(importer: str, imported: Import, index: Index) -> Resolution:
    """The files that a pattern of `import.meta.glob` takes; the detail holds those that take files away again."""
    site = index.memo(("typescript site", importer, False), lambda: _site(importer, False, index))
    left_out = [found for each in imported.detail.split("\n")[1:] for found in _rooted_patterns(site, each)]

    def files_of(pattern: str) -> list[str] | None:
        return index.memo(("typescript glob", pattern, *left_out), lambda: matching_files(index, pattern, left_out))

    patterns = _rooted_patterns(site, imported.specifier) if is_readable(imported.specifier) else []
    files = next(filter(None, map(files_of, patterns)), None)
    if files is None:
        return Resolution(Status.UNRESOLVED, probed=(imported.specifier[: specifiers.MAX_LENGTH],))
    found = [Target(each, imported.kind if is_code(each) else EdgeKind.ASSET, imported.names) for each in files]
    return Resolution(Status.RESOLVED, tuple(found))


def _rooted_patterns(site: _Site, pattern: str) -> list[str]:
    """What a pattern may be from the root: from the importer, the root of the site (`/a`), or by `paths`."""
    if specifiers.is_relative(pattern):
        places = [join(site.folder, pattern)]
    elif pattern.startswith("**"):
        return [pattern]
    elif pattern.startswith("/"):
        places = [join(each, pattern.lstrip("/")) for each in dict.fromkeys((site.surroundings.scope or "", ""))]
    else:
        substitutions, rest, _ = _by_pattern(site, pattern)
        places = [join("", _substituted(each, rest).lstrip("/")) for each in substitutions]
    return [each for each in places if each]


def _targets(imported: Import, path: str, run: str | None, index: Index) -> list[Target]:
    """A file that only declares types has a `type` edge beside the one to the file that runs."""
    if imported.kind is EdgeKind.TYPE:
        return [Target(path, EdgeKind.TYPE, imported.names)]
    main = path if run is None else run
    kind = imported.kind if is_code(main) else EdgeKind.ASSET
    declared = path if run is not None else None
    if declared is None and not main.endswith(SCRIPTS):
        stem, dot, suffix = main.rpartition(".")
        declared = index.file(f"{main}.d.ts") or (index.file(f"{stem}.d.{suffix}.ts") if dot else None)
    found = [Target(main, kind, imported.names)]
    return [*found, Target(declared, EdgeKind.TYPE, imported.names)] if declared is not None else found


def _locate(site: _Site, imported: Import) -> _Located:
    specifier = specifiers.stripped(imported.specifier)
    if len(specifier) > specifiers.MAX_LENGTH or not specifier:
        return _Located(_Found())
    if imported.detail == "path":
        return _Located(_reference(site, specifier))
    if imported.detail == "types" and not specifiers.is_relative(specifier):
        return _Located(_type_reference(site, specifier))
    if specifiers.is_relative(specifier):
        return _twice(lambda typed: _relative(site, specifier, typed))
    if specifier.startswith("/") and not specifier.startswith("//"):
        return _twice(lambda typed: _rooted(site, specifier, typed))

    def shared(typed: bool) -> _Found:
        return site.index.memo(site.shared(specifier, typed), lambda: _bare(site, specifier, typed))

    located = _twice(shared)
    if imported.detail == "module" and located.found.path is None:  # The augmented package is outside.
        return _Located(_Found(outside=specifiers.outside_name(specifier)))
    return located


def _twice(locate: Callable[[bool], _Found]) -> _Located:
    """Look for what the compiler takes; where that only declares types, look for what runs too."""
    found = locate(True)
    if found.path is None or not is_declaration(found.path):
        return _Located(found)
    run = locate(False).path
    return _Located(found, run if run is not None and not is_declaration(run) else None)


def _relative(site: _Site, specifier: str, typed: bool) -> _Found:
    path = join(site.folder, specifier)
    if path is None:
        return _Found(tried=(specifier,))
    probe = site.probe(typed=typed)
    only_folder = specifier.endswith("/") or specifier.rpartition("/")[2] in (".", "..")
    for each in (*_in_root_dirs(site, path), path):
        found = _file_or_folder(probe, each, only_folder=only_folder)
        if found is not None:
            return _Found(found)
    found = _source_of_output(probe, path)
    outside = specifiers.package_in_node_modules(path) if found is None else None
    return _Found(found, outside, tuple(probe.tried))


def _source_of_output(probe: Probe, path: str) -> str | None:
    """The source of a path below the `outDir` of its package: tests and commands often import what is built."""
    scope = probe.index.ask(Family.TYPESCRIPT, f"scope:{parent(path)}")
    return None if scope is None else source_of_output(probe, scope, (path, f"{path}/index"))


def _file_or_folder(probe: Probe, path: str, *, only_folder: bool = False) -> str | None:
    """A file beats a folder, unless only bundlers would add its suffix."""
    if only_folder or not path:
        return folder_file(probe, path)
    found = probe.compiled(path)
    if found is None:
        found = folder_file(probe, path)
    return probe.bundled(path) if found is None else found


def _in_root_dirs(site: _Site, path: str) -> list[str]:
    """The places of a path in the folders that `rootDirs` lays over each other, the written one first."""
    own = [each for each in site.options.root_dirs if path == each or path.startswith(f"{each}/" if each else "")]
    if not own:
        return []
    nearest = max(own, key=len)
    rest = path[len(nearest) :].lstrip("/")
    others = (f"{each}/{rest}".strip("/") for each in site.options.root_dirs if each != nearest)
    return [path, *others]


def _rooted(site: _Site, specifier: str, typed: bool) -> _Found:
    """`/a`: by `paths`; else below the package's folder, its `public`, or the root, as development servers serve it."""
    package = specifiers.package_in_node_modules(specifier)
    if package is not None or specifier.startswith("/@"):
        return _Found(outside=package or specifier)
    probe = site.probe(typed=typed)
    mapped, _ = _by_paths(site, probe, specifier)
    if mapped is not None:
        return _Found(mapped)
    scope = site.surroundings.scope or ""
    for base in dict.fromkeys((scope, f"{scope}/public".lstrip("/"), "")):
        path = join(base, specifier.lstrip("/"))
        found = _file_or_folder(probe, path) if path else None
        if found is not None:
            return _Found(found)
    return _Found(tried=tuple(probe.tried))


def _reference(site: _Site, specifier: str) -> _Found:
    """`/// <reference path="…" />`: always relative to the file."""
    path = join(site.folder, specifier)
    if path is None:
        return _Found(tried=(specifier,))
    probe = site.probe()
    found = probe.exact(path) or probe.file(path)
    outside = specifiers.package_in_node_modules(path) if found is None else None
    return _Found(found, outside, tuple(probe.tried))


def _type_reference(site: _Site, specifier: str) -> _Found:
    """`/// <reference types="…" />`: below `typeRoots`, else a package; never by `paths`, never what only runs."""
    probe = site.probe()
    for root in site.options.type_roots:
        path = join(root, specifier)
        found = _file_or_folder(probe, path) if path else None
        if found is not None and found.endswith(TYPED):
            return _Found(found)
    package = _package(site, probe, specifier)
    if package is None or (package.path is not None and not package.path.endswith(TYPED)):
        return _Found(outside=specifiers.outside_name(specifier))
    return package


def _bare(site: _Site, specifier: str, typed: bool) -> _Found:
    """A specifier that begins at no folder: mapped, below `baseUrl`, of the package itself, or of a package."""
    probe = site.probe(typed=typed)
    mapped = _by_import_map(site, probe, specifier)
    if mapped is not None:
        return mapped
    found, is_alias = _by_paths(site, probe, specifier)
    if found is None and site.options.base_url is not None and not specifiers.is_url(specifier):
        path = join(site.options.base_url, specifier)
        found = _file_or_folder(probe, path) if path else None
    if found is not None:
        return _Found(found)
    if specifier.startswith("#"):
        return _by_imports(site, probe, specifier, is_alias)
    bare = specifiers.of_jsr(specifier)
    if specifiers.is_builtin(specifier) or specifiers.is_url(bare):
        return _Found(outside=specifiers.outside_name(specifier))
    package = _package(site, probe, bare)
    if package is not None:
        return _types_beside(site, probe, bare, package) if typed else package
    if is_alias and not _is_declared(site, specifier):
        return _Found(tried=tuple(probe.tried))
    return _Found(outside=specifiers.outside_name(specifier))


def _types_beside(site: _Site, probe: Probe, specifier: str, package: _Found) -> _Found:
    """The types in `@types/a` where a checked-in package `a` has none; else what was found."""
    if package.path is None or "node_modules/" not in package.path or package.path.endswith(TYPED):
        return package
    name, subpath = specifiers.split_package(specifier)
    types = _package(site, probe, f"{specifiers.types_package(name)}{subpath[1:]}")
    return types if types is not None and types.path is not None else package


def _by_import_map(site: _Site, probe: Probe, specifier: str) -> _Found | None:
    for path in site.surroundings.maps:
        entries: ImportMap = site.index.ask(Family.TYPESCRIPT, f"map:{path}")
        fitting = [
            (key, target)
            for key, target in entries.imports
            if specifier == key or (key.endswith("/") and specifier.startswith(key))
        ]
        if not fitting:
            continue
        key, target = max(fitting, key=lambda each: len(each[0]))
        if target.startswith(_OUTSIDE_MARK):
            real = target.removeprefix(_OUTSIDE_MARK) + specifier[len(key) :]
            return _package(site, probe, specifiers.of_jsr(real)) or _Found(outside=specifiers.outside_name(real))
        found_at = join(target.rstrip("/"), specifier[len(key) :])
        found = _file_or_folder(probe, found_at) if found_at is not None else None
        return _Found(found, tried=tuple(probe.tried))
    return None


def _by_paths(site: _Site, probe: Probe, specifier: str) -> tuple[str | None, bool]:
    """The file that `paths` give, and whether a pattern other than `*` took the specifier."""
    substitutions, rest, is_alias = _by_pattern(site, specifier)
    for each in substitutions:
        path = join("", _substituted(each, rest).lstrip("/"))
        found = _file_or_folder(probe, path) if path is not None else None
        if found is not None:
            return found, is_alias
    return None, is_alias


def _by_pattern(site: _Site, specifier: str) -> tuple[tuple[str, ...], str, bool]:
    """What the best pattern of `paths` stands for, what its star took, and whether it is another than `*`."""
    config = site.options.config
    if not site.options.paths:
        return (), "", False
    exact, patterns = site.index.memo(("typescript paths", config), lambda: _path_table(site.options))
    if specifier in exact:
        return exact[specifier], "", True
    fitting = (
        each
        for each in patterns
        if len(specifier) >= len(each[0]) + len(each[1])
        and specifier.startswith(each[0])
        and specifier.endswith(each[1])
    )
    best = max(fitting, key=lambda each: len(each[0]), default=None)
    if best is None:
        return (), "", False
    prefix, suffix, substitutions = best
    return substitutions, specifier[len(prefix) : len(specifier) - len(suffix)], bool(prefix or suffix)


def _substituted(target: str, rest: str) -> str:
    """A target of `paths` with what the star took; as the compiler has it, it stays a star where that is nothing."""
    return target.replace("*", rest) if rest else target


def _path_table(options: Options) -> tuple[dict[str, tuple[str, ...]], list[tuple[str, str, tuple[str, ...]]]]:
    """`paths` split into exact ones and (prefix, suffix, targets) of those with a star."""
    exact = {pattern: found for pattern, found in options.paths if "*" not in pattern}
    halves = ((pattern.partition("*"), found) for pattern, found in options.paths if "*" in pattern)
    return exact, [(prefix, suffix, found) for (prefix, _, suffix), found in halves]


def _by_imports(site: _Site, probe: Probe, specifier: str, is_alias: bool) -> _Found:
    """`#a` by `imports` of the package that holds the importer."""
    package = _manifest(site, site.surroundings.scope)
    if package is None or not isinstance(package.imports, dict):
        return _Found(tried=tuple(probe.tried)) if is_alias else _Found(outside=specifier)
    manner = site.manner if probe.typed else site.manner.at_run_time()
    wanted = targets(package.imports, specifier, manner.conditions)
    for target in wanted:
        if not target.startswith(("./", "../", "/", "#")):
            return _package(site, probe, target) or _Found(outside=specifiers.outside_name(target))
    found = exported_file(probe, package, package.imports, specifier, manner, inside=True)
    manifest = f"{package.folder}/package.json".lstrip("/")
    return _Found(found, tried=tuple(probe.tried) or (manifest,))


def _package(site: _Site, probe: Probe, specifier: str) -> _Found | None:
    """The file of a package of the repository; None where the name means none of them."""
    name, subpath = specifiers.split_package(specifier)
    if not name:
        return None
    folder = site.index.ask(Family.TYPESCRIPT, f"package:{name}:{site.surroundings.anchor}")
    package = _manifest(site, folder)
    if package is None:
        return None
    manner = site.manner if probe.typed else site.manner.at_run_time()
    found = package_file(probe, package, subpath, manner, inside=package.folder == site.surroundings.scope)
    return _Found(found, tried=tuple(probe.tried) or (f"{package.folder}/package.json".lstrip("/"),))


def _manifest(site: _Site, folder: str | None) -> Package | None:
    if folder is None:
        return None
    package: Package | None = site.index.ask(Family.TYPESCRIPT, f"manifest:{folder}")
    return package


def _is_declared(site: _Site, specifier: str) -> bool:
    name, _ = specifiers.split_package(specifier)
    anchor = site.surroundings.anchor
    return bool(name) and any(
        site.index.ask(Family.TYPESCRIPT, f"declared:{each}:{anchor}")
        for each in (name, specifiers.types_package(name))
    )
