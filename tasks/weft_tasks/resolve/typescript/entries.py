"""Entries: from a package of the repository and a subpath to a file, sources standing in for outputs not built.

Knows packages and files, not how the package was found.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from weft_storage.model.languages import Family
from weft_storage.model.paths import join
from weft_tasks.resolve.typescript.conditions import exports_table, targets, versioned_targets
from weft_tasks.resolve.typescript.packages import Package
from weft_tasks.resolve.typescript.probing import Probe

_SOURCE_CONDITIONS = frozenset({"source", "development"})
# Folders of outputs that may stand deeper in a package; its topmost folder counts whatever its name.
_OUTPUT_FOLDERS = frozenset(
    {
        "browser",
        "build",
        "bundle",
        "cjs",
        "commonjs",
        "dist",
        "es",
        "esm",
        "lib",
        "module",
        "out",
        "output",
        "types",
        "umd",
    }
)
# An output deeper than this is not looked for level by level.
_MAX_LEVELS = 8


@dataclass(frozen=True, slots=True)
class Manner:
    """How an importer enters packages: its conditions, and whether `exports` come before paths (not for node10)."""

    conditions: frozenset[str]
    exports_first: bool = True

    def at_run_time(self) -> "Manner":
        """The same without regard to types."""
        return Manner(self.conditions - {"types"}, self.exports_first)


def package_file(probe: Probe, package: Package, subpath: str, manner: Manner, *, inside: bool = False) -> str | None:
    """The file that a subpath (`.` or `./…`) of a package means. With `exports`, they alone decide.

    `inside`: whether the importer is of the package itself.
    """
    if package.exports is not None and manner.exports_first:
        return exported_file(probe, package, exports_table(package.exports), subpath, manner, inside=inside)
    found = _root_file(probe, package) if subpath == "." else _inner_file(probe, package, subpath)
    if found is None and package.exports is not None:
        found = exported_file(probe, package, exports_table(package.exports), subpath, manner)
    return found


def exported_file(
    probe: Probe, package: Package, table: dict[str, object], subpath: str, manner: Manner, *, inside: bool = False
) -> str | None:
    """The file that a table of `exports` or `imports` gives for a subpath.

    To the package's own files an output is its source, built or not (the compiler's `tryLoadInputFileForPath`).
    """
    wanted = _paths(package, targets(table, subpath, manner.conditions))
    found = _first_source(probe, package, wanted) if inside else _first_written(probe, wanted)
    found = found or source_of_output(probe, package.folder, wanted)
    if found is not None:
        return found
    named = _paths(package, targets(table, subpath, manner.conditions | _SOURCE_CONDITIONS))
    usual = _paths(package, targets(table, subpath, manner.conditions | {"node"}))
    every = [*named, *usual, *_paths(package, targets(table, subpath, None))]
    found = _first_written(probe, named) or _beside_outputs(probe, package, [*wanted, *every])
    if found is None and every:
        found = _source_of_subpath(probe, package, subpath)
    return found or _first_written(probe, every)


def folder_file(probe: Probe, folder: str) -> str | None:
    """The file that a folder means when it is imported: by its package.json, else its index."""
    package = manifest_in(probe, folder)
    if package is not None:
        found = _by_fields(probe, package)
        if found is None and package.exports is not None:
            table = exports_table(package.exports)
            found = exported_file(probe, package, table, ".", Manner(frozenset({"types", "import", "node"})))
        if found is not None:
            return found
    return probe.indexed(folder)


def manifest_in(probe: Probe, folder: str) -> Package | None:
    """The package whose package.json stands in a folder."""
    if probe.index.file(f"{folder}/package.json".lstrip("/")) is None:
        return None
    package: Package | None = probe.index.ask(Family.TYPESCRIPT, f"manifest:{folder}")
    return package


def source_of_output(probe: Probe, folder: str, paths: Iterable[str]) -> str | None:
    """The source of an output, by `outDir` and `rootDir` of the tsconfigs in the package's folder."""
    outputs = probe.index.ask(Family.TYPESCRIPT, f"outputs:{folder}")
    for path in paths:
        for output, sources in outputs:
            if path.startswith(f"{output}/" if output else ""):
                rest = path[len(output) :].lstrip("/")
                found = next(filter(None, (probe.source(f"{each}/{rest}".lstrip("/")) for each in sources)), None)
                if found is not None:
                    return found
    return None


def _root_file(probe: Probe, package: Package) -> str | None:
    installed = probe.compiled(package.folder) if "node_modules/" in package.folder else None
    if installed is not None:  # A file beats a folder in node_modules too.
        return installed
    return _by_fields(probe, package) or probe.indexed(package.folder) or _source_of_subpath(probe, package, ".")


def _by_fields(probe: Probe, package: Package) -> str | None:
    """The file that `types`, `main`, `module` or `source` of a package.json lead to."""
    fields = (*(package.types if probe.typed else ()), package.main, package.module)
    # Unlike a target of `exports`, a field may lead out of its folder: `"main": "../utils/a.js"`.
    paths = [path for path in (join(package.folder, field) for field in fields if field) if path]
    for path in [*_versioned(probe, package, paths[:1] or [join(package.folder, "index")]), *paths]:
        found = probe.file(path) or (probe.indexed(path) if probe.index.directory(path) else None)
        if found is not None:
            return found
    source = _paths(package, [package.source] if package.source else [])
    return (
        source_of_output(probe, package.folder, paths)
        or _first_written(probe, source)
        or _beside_outputs(probe, package, paths)
    )


def _inner_file(probe: Probe, package: Package, subpath: str) -> str | None:
    """The file of a subpath by its place in the package's folder."""
    path = join(package.folder, subpath)
    if not path:
        return None
    redirected = (probe.file(each) or folder_file(probe, each) for each in _versioned(probe, package, [path]))
    found = next(filter(None, redirected), None)
    if found is None and not subpath.endswith("/"):
        found = probe.file(path)
    if found is None:
        found = folder_file(probe, path) if probe.index.directory(path) else None
    return (
        found
        or source_of_output(probe, package.folder, [path])
        or _beside_outputs(probe, package, [path], named=True)
        or _source_of_subpath(probe, package, subpath)
    )


def _versioned(probe: Probe, package: Package, paths: Iterable[str | None]) -> list[str]:
    """What `typesVersions` make of paths in the package: the compiler alone looks there."""
    inside = f"{package.folder}/" if package.folder else ""
    if not probe.typed or not package.versioned:
        return []
    found = (versioned_targets(package.versioned, each.removeprefix(inside)) for each in paths if each)
    return [each for targets_ in found for each in _paths(package, targets_)]


def _paths(package: Package, found: Iterable[str]) -> list[str]:
    """Paths of the repository for targets that lie in the package; others are left out."""
    joined = (join(package.folder, each) for each in found)
    inside = f"{package.folder}/" if package.folder else ""
    return [each for each in dict.fromkeys(joined) if each and each.startswith(inside)]


def _first_written(probe: Probe, paths: Iterable[str]) -> str | None:
    return next(filter(None, map(probe.written, paths)), None)


def _first_source(probe: Probe, package: Package, paths: Iterable[str]) -> str | None:
    found = (source_of_output(probe, package.folder, (path,)) or probe.written(path) for path in paths)
    return next(filter(None, found), None)


def _beside_outputs(probe: Probe, package: Package, paths: Iterable[str], *, named: bool = False) -> str | None:
    """The source of an output in the `src` beside its folder: `dist/esm/a.js` is made of `src/esm/a` or `src/a`.

    `named`: whether the topmost folder too must be called like one of outputs.
    """
    for path in dict.fromkeys(paths):
        parts = path.removeprefix(package.folder).lstrip("/").split("/")
        for level, part in enumerate(parts[:_MAX_LEVELS]):
            if level == len(parts) - 1 or ((level or named) and part not in _OUTPUT_FOLDERS):
                continue
            source = "/".join(filter(None, (package.folder, *parts[:level], "src")))
            if not probe.index.directory(source):
                continue
            for start in range(level + 1, min(len(parts), level + _MAX_LEVELS)):
                found = probe.source("/".join((source, *parts[start:])))
                if found is not None:
                    return found
                if parts[start] not in _OUTPUT_FOLDERS:
                    break
    return None


def _source_of_subpath(probe: Probe, package: Package, subpath: str) -> str | None:
    """`src/index.*` for the package itself, `src/a.*` or `src/a/index.*` for its subpath `./a`."""
    source = join(package.folder, f"src/{subpath}")
    root = f"{package.folder}/src".lstrip("/")
    if source is None or not probe.index.directory(root):
        return None
    if source == root:
        return probe.indexed(root)
    return probe.file(source) or (probe.indexed(source) if probe.index.directory(source) else None)
