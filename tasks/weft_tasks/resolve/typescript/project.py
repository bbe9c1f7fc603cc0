"""The project: what the manifests of a repository mean to TypeScript and JavaScript, as answers to questions."""

from collections.abc import Sequence
from typing import Any

import msgspec

from weft_storage.model.paths import ancestors, join, parent
from weft_tasks.resolve.base import RepositoryFiles
from weft_tasks.resolve.typescript.manifests import (
    UnreadableManifest,
    mapping,
    read_json_with_comments,
    text,
)
from weft_tasks.resolve.typescript.packages import DENO_NAMES, Package, Packages
from weft_tasks.resolve.typescript.tsconfig import Choice, Configs


class Surroundings(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What the files directly in a folder share.

    `scope` is the folder of the nearest package.json, `anchor` the nearest folder from which names of packages
    may mean something else than from the one above it. `configs` are the candidates of `Configs.choices`,
    `maps` the import maps that hold here, nearest first.
    """

    scope: str | None
    anchor: str
    configs: tuple[Choice, ...]
    maps: tuple[str, ...]


class ImportMap(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The `imports` of a deno.json or an import map: (key, target), targets in the repository relative to its root.

    A target that is no path (`npm:react`, `https://…`) stands as it is written, after `outside:`.
    """

    imports: tuple[tuple[str, str], ...]


class TypeScriptProject:
    """Answers: `folder:F` Surroundings, `config:P` Options, `manifest:F` Package or None, `map:P` ImportMap,
    `scope:F` the folder of the nearest package.json, `outputs:F` the output folders of the configs in a folder,
    `package:NAME:F` the folder of the package that a name means in F, `declared:NAME:F` whether a manifest lists it.
    """

    def __init__(self, files: RepositoryFiles) -> None:
        self._files = files
        self._packages = Packages(files)
        self._configs = Configs(files, self._packages.lookup, self._manifest_of)
        self._maps, map_problems = _read_maps(files)
        self._anchors = self._find_anchors()
        self.problems: Sequence[tuple[str, str]] = sorted(
            {*self._packages.problems, *self._configs.problems, *map_problems}
        )

    def answer(self, key: str) -> Any:
        verb, _, rest = key.partition(":")
        match verb:
            case "folder":
                return self._surroundings(rest)
            case "scope":
                return self._packages.scope(rest)
            case "config":
                return self._configs.options(rest)
            case "manifest":
                return self._packages.package(rest)
            case "outputs":
                return self._configs.outputs(rest)
            case "map":
                return ImportMap(self._maps.get(rest, ()))
        name, _, folder = rest.partition(":")
        if verb == "package":
            return self._packages.lookup(folder, name)
        if verb == "declared":
            return self._packages.is_declared(folder, name)
        return None

    def _surroundings(self, folder: str) -> Surroundings:
        above = (folder, *ancestors(folder))
        return Surroundings(
            scope=self._packages.scope(folder),
            anchor=next((each for each in above if each in self._anchors), ""),
            configs=self._configs.choices(folder),
            maps=tuple(path for each in above for path in self._maps_in(each)),
        )

    def _maps_in(self, folder: str) -> list[str]:
        paths = (f"{folder}/{name}".lstrip("/") for name in DENO_NAMES)
        return [path for path in paths if path in self._maps][:1]

    def _manifest_of(self, folder: str) -> Package:
        return self._packages.package(folder) or Package(folder)

    def _find_anchors(self) -> frozenset[str]:
        found = set(self._packages.anchors())
        for name in (*DENO_NAMES,):
            found |= {parent(path) for path in self._files.named(name)}
        return frozenset(found)


def _read_maps(files: RepositoryFiles) -> tuple[dict[str, tuple[tuple[str, str], ...]], list[tuple[str, str]]]:
    """The import map of every deno.json that has one, and what was wrong with them."""
    maps: dict[str, tuple[tuple[str, str], ...]] = {}
    problems: list[tuple[str, str]] = []
    for path in (path for name in DENO_NAMES for path in files.named(name)):
        try:
            raw = read_json_with_comments(files.read(path) or b"")
            folder = parent(path)
            elsewhere = join(folder, text(raw.get("importMap"))) if "imports" not in raw else None
            if elsewhere and elsewhere in files.paths:
                raw, folder = read_json_with_comments(files.read(elsewhere) or b""), parent(elsewhere)
        except UnreadableManifest as exc:
            problems.append((path, str(exc)))
            continue
        entries = {key: text(value) for key, value in mapping(raw.get("imports")).items()}
        if entries:
            maps[path] = tuple((key, _map_target(folder, value)) for key, value in entries.items())
    return maps, problems


def _map_target(folder: str, value: str) -> str:
    if not value.startswith(("./", "../")):
        return f"outside:{value}"
    target = join(folder, value)
    if target is None:
        return f"outside:{value}"
    return f"{target}/" if value.endswith("/") and target else target
