"""The Go project of a repository: where an import path leads among its packages. Knows no importer's text.

The rules are those of the go command (The Go Modules Reference; `importFromModules` and `dirInModule` in cmd/go): of
the modules in scope, the one with the longest module path that is a prefix and whose folder holds the package. In
scope are, seen from a folder,

- the module of that folder, and all that its go.work uses if it uses that module;
- the folders that their `replace` directives point to;
- `vendor/` beside the go.mod (in a workspace: beside the go.work), if it has a modules.txt.

A module of the repository that none of these reaches is left alone where a published version of it is required: the
go command takes that one, and a change here does not reach the importer, so the import is EXTERNAL. Where no go.mod
requires it, or requires the placeholder v0.0.0, the go command finds nothing; then the text can only mean the module in
this repository, and leads there if it is the only one of its path outside `vendor`, `testdata`, `_` and `.` folders.

A replacement of one version counts if that version is the required one, or none is. Folders outside the repository
are never followed. A package is a folder with a Go file that is no test; build constraints are not asked.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import msgspec

from weft_storage.model.paths import basename, decode_text, encode_text, parent
from weft_tasks.resolve.base import RepositoryFiles
from weft_tasks.resolve.go.embed import Tree, embedded_files
from weft_tasks.resolve.go.modules import Modules, Scope

PACKAGE, EXTERNAL, MISSING = "package", "external", "missing"
STANDARD_LIBRARY = "std"

# ("package", folder), ("external", name) or ("missing", (folder, …)); folders as `encode_text` writes them.
Answer: TypeAlias = tuple[str, str | tuple[str, ...]]


def question(verb: str, *words: str) -> str:
    """A question to the project, as the key that `GoProject.answer` reads."""
    return msgspec.json.encode((verb, *words)).decode()


class GoProject:
    """`Project` of the Go family. Questions, with folders as `encode_text` writes them:

    - `distribution`: whether the repository is the Go distribution, whose standard library is its own;
    - `scope` FOLDER: the name of the scope of the files in a folder;
    - `import` SCOPE PATH: where an import path leads, an `Answer`;
    - `package` FOLDER: whether the folder holds a package;
    - `embed` FOLDER PATTERN: the files that a pattern embeds, sorted.
    """

    def __init__(self, files: RepositoryFiles) -> None:
        self._paths = files.paths
        self._modules = Modules(files)

    @property
    def problems(self) -> Sequence[tuple[str, str]]:
        return sorted(self._modules.problems)

    def answer(self, key: str) -> Any:
        match msgspec.json.decode(key):
            case ["import", scope, path]:
                return self._import(self._modules.scope(scope), path)
            case ["scope", folder]:
                return self._modules.scope_name(decode_text(folder))
            case ["package", folder]:
                return decode_text(folder) in self._packages
            case ["embed", folder, pattern]:
                found = embedded_files(self._tree, decode_text(folder), pattern, self._modules.__contains__)
                return tuple(map(encode_text, found))
            case ["distribution"]:
                return self._distribution is not None
            case _:
                raise ValueError(f"not a question: {key!r}")

    @cached_property
    def _packages(self) -> frozenset[str]:
        sources = (path for path in self._paths if path.endswith(".go") and not path.endswith("_test.go"))
        return frozenset(parent(path) for path in sources if basename(path)[0] not in "._")

    @cached_property
    def _tree(self) -> Tree:
        return Tree(sorted(self._paths))

    @cached_property
    def _distribution(self) -> str | None:
        """The folder of the standard library's own module, in which import paths have no prefix."""
        found = [folder for path, folder in self._modules.folders() if path == STANDARD_LIBRARY]
        found = [folder for folder in found if {_join(folder, "fmt"), _join(folder, "unsafe")} <= self._packages]
        return found[0] if len(found) == 1 else None

    @cached_property
    def _lone_modules(self) -> Mapping[str, str]:
        """Folders of the modules whose path no other module has."""
        folders: defaultdict[str, list[str]] = defaultdict(list)
        for path, folder in self._modules.folders():
            if not any(_is_hidden(part) for part in folder.split("/")):
                folders[path].append(folder)
        return {path: found[0] for path, found in folders.items() if len(found) == 1}

    def _import(self, scope: Scope, path: str) -> Answer:
        probed: dict[str, None] = {}
        for modules in self._tiers(scope):
            for prefix in _prefixes(path):
                folder = modules.get(prefix)
                if folder is not None:
                    place = _join(folder, path[len(prefix) :].lstrip("/"))
                    if self._holds(folder, place, vendored=folder == scope.vendor):
                        return PACKAGE, encode_text(place)
                    probed[encode_text(place)] = None
        return self._elsewhere(scope, path, probed)

    def _tiers(self, scope: Scope) -> Iterator[Mapping[str, str]]:
        """Folders by module path, in the order in which they are searched."""
        if scope.vendor is not None:
            yield scope.main
            yield {"": scope.vendor}
        yield scope.local
        if self._distribution is not None:
            yield {"": self._distribution}

    def _elsewhere(self, scope: Scope, path: str, probed: dict[str, None]) -> Answer:
        """Where a path leads that no module in scope holds."""
        lone = False
        for prefix in _prefixes(path):
            if prefix in scope.local:
                return MISSING, tuple(probed)
            if prefix in scope.published:
                return EXTERNAL, prefix
            folder = self._lone_modules.get(prefix)
            if folder is not None:
                place = _join(folder, path[len(prefix) :].lstrip("/"))
                if self._holds(folder, place):
                    return PACKAGE, encode_text(place)
                probed[encode_text(place)] = None
                lone = True
        if lone:
            return MISSING, tuple(probed)
        return EXTERNAL, path if "." in path.partition("/")[0] else STANDARD_LIBRARY

    def _holds(self, folder: str, place: str, *, vendored: bool = False) -> bool:
        """Whether a package at `place` belongs to the module of `folder`: no other module begins on the way there."""
        if place not in self._packages:
            return False
        while not vendored and len(place) > len(folder):
            if place in self._modules:
                return False
            place = parent(place)
        return True


def _prefixes(path: str) -> Iterator[str]:
    """The path and those above it, longest first, the empty one last."""
    while path:
        yield path
        path = parent(path)
    yield ""


def _join(folder: str, relative: str) -> str:
    return f"{folder}/{relative}" if folder and relative else folder or relative


def _is_hidden(name: str) -> bool:
    """Whether the go command passes over a folder of that name unless it is named."""
    return name in ("testdata", "vendor") or name.startswith(("_", "."))
