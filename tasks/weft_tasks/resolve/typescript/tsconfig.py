"""tsconfig.json and jsconfig.json: what each says after `extends`, and which of them governs a folder's files."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from weft_storage.model.paths import ancestors, basename, join, parent
from weft_tasks.resolve.base import RepositoryFiles
from weft_tasks.resolve.typescript.conditions import exports_table, targets
from weft_tasks.resolve.typescript.globs import Verdict, include_glob, static_base, verdict
from weft_tasks.resolve.typescript.manifests import (
    UnreadableManifest,
    mapping,
    read_json_with_comments,
    text,
    texts,
)
from weft_tasks.resolve.typescript.packages import Package

CONFIG_NAMES = ("tsconfig.json", "jsconfig.json")
_CONFIG_CONDITIONS = frozenset({"require", "import", "node"})
_NEVER_INCLUDED = ("node_modules", "bower_components", "jspm_packages")


class Options(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The options of a tsconfig that decide resolution; every path is relative to the repository's root.

    `paths` are (pattern, targets) in source order. `module_resolution` is in lower case, empty where not set.
    """

    config: str = ""
    base_url: str | None = None
    paths: tuple[tuple[str, tuple[str, ...]], ...] = ()
    root_dirs: tuple[str, ...] = ()
    module_suffixes: tuple[str, ...] = ()
    custom_conditions: tuple[str, ...] = ()
    module_resolution: str = ""
    type_roots: tuple[str, ...] = ()


class Choice(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A tsconfig that governs those files of a folder that its globs take; all of them where there are no globs."""

    config: str
    files: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def takes_all(self) -> bool:
        return not (self.files or self.include)


@dataclass(slots=True)
class _Config:
    """A tsconfig after `extends`: every value with the folder of the file that sets it."""

    folder: str
    options: dict[str, tuple[str, Any]] = field(default_factory=dict)
    globs: dict[str, tuple[str, Any]] = field(default_factory=dict)
    references: tuple[str, ...] = ()


class Configs:
    """Every tsconfig of the repository. `problems` are (path, sentence) per config that could not be read as meant.

    `find_package` gives the folder of the package that a name means to files in a folder, None where it is outside.
    """

    def __init__(
        self,
        files: RepositoryFiles,
        find_package: Callable[[str, str], str | None],
        manifest_of: Callable[[str], Package],
    ) -> None:
        self.problems: list[tuple[str, str]] = []
        self._files = files
        self._find_package = find_package
        self._manifest_of = manifest_of
        self._raw: dict[str, dict[str, Any]] = {}
        self._configs: dict[str, _Config] = {}
        self._in_folder: dict[str, list[str]] = {}
        # Per config: the configs that it leads to, by the folders in which their globs begin.
        self._by_base: dict[str, dict[str, list[tuple[int, Choice]]]] = {}
        named = [path for path in sorted(filter(is_config, files.paths)) if not _is_installed(path)]
        for path in named:
            self._in_folder.setdefault(parent(path), []).append(path)
        # All at once and not when asked for: what was read must not depend on the questions.
        seen, pending = set(named), named[::-1]
        while pending:
            fresh = [each for each in self._load(pending.pop()).references if each not in seen]
            seen.update(fresh)
            pending += fresh
        for path in sorted(self._configs):
            self._check_paths(path)

    def options(self, path: str) -> Options:
        """The effective options of a config; the default ones where there is no such file any more."""
        config = self._configs.get(path)
        if config is None:
            return Options(config=path)
        base, paths = _folder_option(config, "baseUrl"), config.options.get("paths")
        origin = base if base is not None else (paths[0] if paths else "")
        return Options(
            config=path,
            base_url=base,
            paths=_path_table(config, origin, paths[1]) if paths else (),
            root_dirs=_folders_option(config, "rootDirs"),
            module_suffixes=texts(_value(config, "moduleSuffixes")),
            custom_conditions=texts(_value(config, "customConditions")),
            module_resolution=text(_value(config, "moduleResolution")).lower(),
            type_roots=_folders_option(config, "typeRoots"),
        )

    def choices(self, folder: str) -> tuple[Choice, ...]:
        """The configs that may govern files directly in a folder, the first that takes a file being the file's.

        The nearest upward that includes the file, itself or by a project that it references; else the nearest.
        """
        nearest = ""
        found: list[Choice] = []
        for path in (self._at(each) for each in (folder, *ancestors(folder))):
            if path is None:
                continue
            nearest = nearest or path
            for choice in self._candidates(path, folder):
                taken = verdict(choice.files, choice.include, choice.exclude, folder)
                if taken is Verdict.ALL:
                    return _simplified([*found, Choice(choice.config)])
                if taken is Verdict.SOME:
                    found.append(choice)
        return _simplified([*found, Choice(nearest)]) if nearest else ()

    def outputs(self, folder: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The folders that the configs directly in a folder write to, each with the folders of its sources."""
        found: dict[str, list[str]] = {}
        for path in sorted(
            self._in_folder.get(folder, ()), key=lambda each: (basename(each) not in CONFIG_NAMES, each)
        ):
            config = self._configs[path]
            source = _folder_option(config, "rootDir")
            sources = [source] if source is not None else [f"{folder}/src".lstrip("/"), folder]
            for key in ("outDir", "declarationDir"):
                output = _folder_option(config, key)
                if output is not None and output not in sources:
                    found.setdefault(output, []).extend(sources)
        return tuple((output, tuple(dict.fromkeys(sources))) for output, sources in found.items())

    def _at(self, folder: str) -> str | None:
        paths = (f"{folder}/{name}".lstrip("/") for name in CONFIG_NAMES)
        return next((path for path in paths if path in self._configs), None)

    def _candidates(self, path: str, folder: str) -> list[Choice]:
        """A config and all that it references, in order, those left out that cannot take a file of the folder."""
        by_base = self._by_base.get(path)
        if by_base is None:
            by_base = self._by_base[path] = {}
            for rank, choice in enumerate(map(self._choice, self._with_references(path))):
                for base in {*map(static_base, choice.include), *map(parent, choice.files)}:
                    by_base.setdefault(base, []).append((rank, choice))
        found = {rank: choice for each in (folder, *ancestors(folder)) for rank, choice in by_base.get(each, ())}
        return [choice for _, choice in sorted(found.items())]

    def _with_references(self, path: str) -> Iterable[str]:
        """A config and those that it references, nearest first, each once."""
        seen, pending = {path: None}, deque([path])
        while pending:
            for reference in self._load(pending.popleft()).references:
                if reference not in seen:
                    seen[reference] = None
                    pending.append(reference)
        return seen

    def _choice(self, path: str) -> Choice:
        config = self._load(path)
        files = tuple(filter(None, (_placed(config, *each) for each in _globs(config, "files"))))
        if "include" in config.globs or "files" in config.globs:
            placed = (_origin(config, *each) for each in _globs(config, "include"))
            include = tuple(glob for each in placed if (glob := include_glob(*each)) is not None)
        else:
            include = (f"{config.folder}/**/*".lstrip("/"),)
        return Choice(path, files, include, self._excluded(config))

    def _excluded(self, config: _Config) -> tuple[str, ...]:
        if "exclude" in config.globs:
            return tuple(filter(None, (_placed(config, *each) for each in _globs(config, "exclude"))))
        outputs = (_folder_option(config, key) for key in ("outDir", "declarationDir"))
        own = (f"{config.folder}/{each}".lstrip("/") for each in _NEVER_INCLUDED)
        # A config that writes beside its sources excludes nothing by that.
        return (*own, *(each for each in outputs if each and each != config.folder))

    def _load(self, path: str) -> _Config:
        """The config with all that it extends, read depth first with an explicit stack: chains may be long."""
        if path in self._configs:
            return self._configs[path]
        stack, active = [path], {path}
        while stack:
            top = stack[-1]
            extended = [] if top in self._configs else self._extended(top)
            waiting = [each for each in extended if each not in self._configs]
            cycle = [each for each in waiting if each in active]
            if cycle:
                self._complain(top, f"extends itself by way of '{cycle[0]}'")
                waiting = [each for each in waiting if each not in active]
            if waiting and top not in self._configs:
                stack.append(waiting[0])
                active.add(waiting[0])
                continue
            if top not in self._configs:
                self._configs[top] = self._merged(top, extended)
            active.discard(stack.pop())
        return self._configs[path]

    def _merged(self, path: str, extended: Iterable[str]) -> _Config:
        config = _Config(parent(path))
        for each in extended:
            base = self._configs.get(each)
            if base is not None:
                config.options |= base.options
                config.globs |= base.globs
        raw = self._read(path)
        config.options |= {key: (config.folder, each) for key, each in mapping(raw.get("compilerOptions")).items()}
        config.globs |= {key: (config.folder, raw[key]) for key in ("files", "include", "exclude") if key in raw}
        references = raw.get("references")
        named = [text(mapping(each).get("path")) for each in references] if isinstance(references, list) else []
        config.references = tuple(filter(None, (self._referenced(config.folder, each) for each in named if each)))
        return config

    def _check_paths(self, path: str) -> None:
        """Complain of the `paths` that a config sets itself and that lead out of the repository."""
        config, own = self._configs[path], mapping(mapping(self._read(path).get("compilerOptions")).get("paths"))
        base = _folder_option(config, "baseUrl")
        for substitution in [each for value in own.values() for each in texts(value)]:
            if _placed(config, config.folder if base is None else base, substitution) is None:
                self._complain(path, f"`paths` leads to {substitution[:200]!r}, which is outside the repository")

    def _referenced(self, folder: str, name: str) -> str | None:
        target = join(folder, name)
        if target is None:
            return None
        return target if target in self._files.paths else self._existing(f"{target}/tsconfig.json".lstrip("/"))

    def _extended(self, path: str) -> list[str]:
        """The configs that one extends, those of least weight first."""
        found = (self._extended_path(path, each) for each in texts(self._read(path).get("extends")))
        return [each for each in found if each is not None]

    def _extended_path(self, path: str, name: str) -> str | None:
        folder = parent(path)
        if not name.startswith((".", "/")):
            return self._packaged(folder, name)
        target = join(folder, name)
        found = None if target is None else self._existing(target) or self._existing(f"{target}.json")
        if found is None and "node_modules" not in name.split("/"):
            self._complain(path, f"extends '{name[:200]}', which does not exist")
        return found

    def _packaged(self, folder: str, name: str) -> str | None:
        """A config in a package of the repository; None where the package is outside."""
        parts = name.split("/")
        count = 2 if name.startswith("@") else 1
        package = self._find_package(folder, "/".join(parts[:count]))
        if package is None:
            return None
        subpath = "/".join((".", *parts[count:]))
        rest = subpath if subpath != "." else self._manifest_of(package).tsconfig or "tsconfig.json"
        for each in (*self._exported(package, subpath), rest):
            target = join(package, each)
            tried = (target, f"{target}.json", f"{target}/tsconfig.json".lstrip("/")) if target is not None else ()
            found = next(filter(None, map(self._existing, tried)), None)
            if found is not None:
                return found
        return None

    def _exported(self, package: str, subpath: str) -> list[str]:
        exports = self._manifest_of(package).exports
        return [] if exports is None else targets(exports_table(exports), subpath, _CONFIG_CONDITIONS)

    def _existing(self, path: str) -> str | None:
        return path if path in self._files.paths else None

    def _read(self, path: str) -> dict[str, Any]:
        if path not in self._raw:
            try:
                self._raw[path] = read_json_with_comments(self._files.read(path) or b"")
            except UnreadableManifest as exc:
                self._raw[path] = {}
                self._complain(path, str(exc))
        return self._raw[path]

    def _complain(self, path: str, problem: str) -> None:
        if (path, problem) not in self.problems:
            self.problems.append((path, problem))


def is_config(path: str) -> bool:
    """Whether the name is that of a tsconfig or jsconfig (tsconfig.build.json is one too)."""
    name = basename(path)
    return name in CONFIG_NAMES or (name.startswith("tsconfig.") and name.endswith(".json"))


def _simplified(choices: list[Choice]) -> tuple[Choice, ...]:
    """The choices without those that change nothing: the last takes what is left anyway."""
    last = choices[-1]
    while len(choices) > 1 and choices[-2].config == last.config:
        choices.pop(-2)
    return tuple(choices)


def _path_table(config: _Config, origin: str, paths: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    table = []
    for pattern, substitutions in mapping(paths).items():
        if pattern.count("*") <= 1:
            joined = (_placed(config, origin, each) for each in texts(substitutions) if each.count("*") <= 1)
            table.append((pattern, tuple(each for each in joined if each is not None)))
    return tuple(table)


def _globs(config: _Config, key: str) -> list[tuple[str, str]]:
    """(folder of the file that says it, glob) per entry of `files`, `include` or `exclude`."""
    origin, value = config.globs.get(key, ("", None))
    return [(origin, each) for each in texts(value)]


def _folder_option(config: _Config, key: str) -> str | None:
    origin, value = config.options.get(key, ("", None))
    return _placed(config, origin, value) if isinstance(value, str) else None


def _folders_option(config: _Config, key: str) -> tuple[str, ...]:
    origin, value = config.options.get(key, ("", None))
    placed = (_placed(config, origin, each) for each in texts(value))
    return tuple(each for each in placed if each is not None)


def _placed(config: _Config, origin: str, path: str) -> str | None:
    return join(*_origin(config, origin, path))


def _origin(config: _Config, origin: str, path: str) -> tuple[str, str]:
    """What a path is relative to, and the path: `${configDir}` is the folder of the config that is used."""
    if path.startswith("${configDir}"):
        return config.folder, path.removeprefix("${configDir}").lstrip("/")
    return origin, path


def _value(config: _Config, key: str) -> Any:
    return config.options.get(key, ("", None))[1]


def _is_installed(path: str) -> bool:
    return path.startswith("node_modules/") or "/node_modules/" in path
