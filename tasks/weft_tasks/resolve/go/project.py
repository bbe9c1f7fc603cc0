"""The Go project of a repository: where an import path leads among its packages. Knows no importer's text.

The rules are those of the go command (The Go Modules Reference; `importFromModules` and `dirInModule` in cmd/go): of
the modules in scope, the one with the longest module path that is a prefix and whose folder holds the package. In
scope are, seen from a folder,

- the module of that folder, and all that its go.work uses if it uses that module;
- the folders that their `replace` directives point to;
- `vendor/` beside the go.mod (in a workspace: beside the go.work), if it has a modules.txt;
- beneath no go.mod, what GOPATH mode finds (see `gopath`).

A module of the repository that none of these reaches is left alone where a published version of it is required: the
go command takes that one, and a change here does not reach the importer, so the import is EXTERNAL. Where no go.mod
requires it, or requires the placeholder v0.0.0, the go command finds nothing; then the text can only mean the module in
this repository if both follow one layout (example.com/m in the root, example.com/m/sub in `sub`), it is the only one of
its path, and neither is in a `vendor`, `testdata`, `_` or `.` folder: what stands there is a copy or a fixture.

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
from weft_tasks.resolve.go.gopath import Gopath
from weft_tasks.resolve.go.layout import below, head, is_hidden
from weft_tasks.resolve.go.modules import Modules
from weft_tasks.resolve.go.scopes import Scope, Tier

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
    - `fixture` SCOPE PATH: the same for an importer in a folder that the go command passes over;
    - `package` FOLDER: whether the folder holds a package;
    - `embed` FOLDER PATTERN: the files that a pattern embeds, sorted.
    """

    def __init__(self, files: RepositoryFiles) -> None:
        self._paths = files.paths
        self._modules = Modules(files)
        self._gopath = Gopath(files, self._packages, lambda folder: not self._modules.scope_name(folder))

    @property
    def problems(self) -> Sequence[tuple[str, str]]:
        return sorted([*self._modules.problems, *self._gopath.problems])

    def answer(self, key: str) -> Any:
        match msgspec.json.decode(key):
            case ["import" | "fixture" as verb, scope, path]:
                return self._import(self._scope(scope), path, fixture=verb == "fixture")
            case ["scope", folder]:
                return self._scope_name(decode_text(folder))
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
        found = [folder for folder in found if {below(folder, "fmt"), below(folder, "unsafe")} <= self._packages]
        return found[0] if len(found) == 1 else None

    @cached_property
    def _lone_modules(self) -> Mapping[str, str]:
        """Folders of the modules whose path no other module has."""
        folders: defaultdict[str, list[str]] = defaultdict(list)
        for path, folder in self._modules.folders():
            if not is_hidden(folder):
                folders[path].append(folder)
        return {path: found[0] for path, found in folders.items() if len(found) == 1}

    def _scope_name(self, folder: str) -> str:
        """The name of a scope of modules, else `gopath FOLDER`; empty where nothing has a say in imports."""
        place = None if (name := self._modules.scope_name(folder)) else self._gopath.place(folder)
        return name if place is None else f"gopath {encode_text(place)}"

    def _scope(self, name: str) -> Scope:
        kind, _, folder = name.partition(" ")
        return self._gopath.scope(decode_text(folder)) if kind == "gopath" else self._modules.scope(name)

    def _import(self, scope: Scope, path: str, *, fixture: bool) -> Answer:
        probed: dict[str, None] = {}
        for tier in (*scope.tiers, *self._standard_library()):
            for prefix in _prefixes(path) if tier.offers(path) else ():
                folder = tier.folders.get(prefix)
                if folder is not None:
                    place = below(folder, path[len(prefix) :].lstrip("/"))
                    if self._holds(folder, place, whole=tier.whole):
                        return PACKAGE, encode_text(place)
                    probed[encode_text(place)] = None
        return self._elsewhere(scope, path, probed, fixture=fixture)

    def _standard_library(self) -> Iterator[Tier]:
        if self._distribution is not None:
            yield Tier({"": self._distribution})

    def _elsewhere(self, scope: Scope, path: str, probed: dict[str, None], *, fixture: bool) -> Answer:
        """Where a path leads that no module in scope holds."""
        sibling = False
        for prefix in _prefixes(path):
            if prefix in scope.local:
                return MISSING, tuple(probed)
            if prefix in scope.published:
                return EXTERNAL, prefix
            folder = None if fixture else self._sibling(scope, prefix)
            if folder is not None:
                place = below(folder, path[len(prefix) :].lstrip("/"))
                if self._holds(folder, place):
                    return PACKAGE, encode_text(place)
                probed[encode_text(place)] = None
                sibling = True
        if sibling:
            return MISSING, tuple(probed)
        return EXTERNAL, path if "." in path.partition("/")[0] else STANDARD_LIBRARY

    def _sibling(self, scope: Scope, module: str) -> str | None:
        """The folder of a module that nothing connects with the scope, but that follows the same layout."""
        folder = self._lone_modules.get(module)
        if folder is None:
            return None
        place = head(module, folder)
        return folder if (place in scope.heads if scope.heads else not place[1]) else None

    def _holds(self, folder: str, place: str, *, whole: bool = False) -> bool:
        """Whether a package at `place` belongs to the module of `folder`: no other module begins on the way there."""
        if place not in self._packages:
            return False
        while not whole and len(place) > len(folder):
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
