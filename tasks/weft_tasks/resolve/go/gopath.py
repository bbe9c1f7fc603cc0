"""GOPATH mode: what imports of folders beneath no go.mod lead to. Knows no module and no importer's text.

The rules are those of `go help gopath`: the `vendor` folders of the importer's folder and of those above it, nearest
first; the repository's own import path, where it is written down; each folder called `src` above the importer, as
`src` of a GOPATH; the GOPATH that godep keeps in `Godeps/_workspace`. The own import path is told by import comments
(`package p // import "a.org/m/p"`), Godeps/Godeps.json, vendor/vendor.json or glide.yaml.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property

import msgspec

from weft_storage.model.interfaces.go import GoInterface
from weft_storage.model.paths import ancestors, basename, parent
from weft_tasks.resolve.base import RepositoryFiles
from weft_tasks.resolve.go.layout import below, head, is_hidden
from weft_tasks.resolve.go.scopes import Scope, Tier

_SOURCES = "src"
_VENDOR = "vendor"
_GODEP = "Godeps/_workspace/src"
_GLIDE_PACKAGE = re.compile(rb"(?m)^package:[ \t]*[\"']?([^\s\"'#]+)")


class Gopath:
    """GOPATH mode of a repository: `packages` are its folders with Go files, `is_free` says which no module has.

    `problems` are (path of the manifest, sentence).
    """

    def __init__(self, files: RepositoryFiles, packages: Collection[str], is_free: Callable[[str], bool]) -> None:
        self.problems: list[tuple[str, str]] = []
        self._files = files
        self._packages = packages
        self._is_free = is_free
        self._written = [*self._of_json("Godeps/Godeps.json", "ImportPath")]
        self._written += [*self._of_json("vendor/vendor.json", "rootPath"), *self._of_glide()]

    def place(self, folder: str) -> str | None:
        """The nearest folder, of those from `folder` upward, that has a say in imports; None where none has."""
        return next((each for each in (folder, *ancestors(folder)) if self._matters(each)), None)

    def scope(self, place: str) -> Scope:
        """The scope of the files in and below a place."""
        folders = [place, *ancestors(place)]
        vendors = [below(each, _VENDOR) for each in folders if each in self._vendored]
        sources = [each for each in folders if basename(each) == _SOURCES]
        sources += [below(each, _GODEP) for each in folders if below(each, _GODEP) in self._shelves]
        tiers = (*_whole(vendors), Tier(self._own, whole=True), *_whole(sources))
        return Scope(tiers, main=self._own, local=self._own)

    def _matters(self, folder: str) -> bool:
        return (
            folder in self._vendored
            or folder in self._own_folders
            or basename(folder) == _SOURCES
            or below(folder, _GODEP) in self._shelves
        )

    @cached_property
    def _vendored(self) -> frozenset[str]:
        """The folders that have a vendor folder with packages."""
        return frozenset(parent(each) for each in self._shelves if basename(each) == _VENDOR)

    @cached_property
    def _shelves(self) -> frozenset[str]:
        """The vendor folders, and the sources of GOPATHs of godep, that have packages."""
        found = {each for package in self._packages for each in ancestors(package)}
        return frozenset(each for each in found if basename(each) == _VENDOR or f"/{each}".endswith(f"/{_GODEP}"))

    @cached_property
    def _own(self) -> Mapping[str, str]:
        """Folders by the import path that is told of them; a path that is told of two folders says nothing."""
        found: dict[str, set[str]] = {}
        for path, folder in (*self._written, *self._commented()):
            found.setdefault(path, set()).add(folder)
        return {path: folders.pop() for path, folders in sorted(found.items()) if len(folders) == 1}

    @cached_property
    def _own_folders(self) -> frozenset[str]:
        return frozenset(self._own.values())

    def _of_json(self, name: str, key: str) -> Iterator[tuple[str, str]]:
        """(import path, folder) of the manifests of a dependency manager of earlier days."""
        for manifest in self._files.named(basename(name)):
            folder = parent(parent(manifest))
            if manifest == below(folder, name) and self._is_own(folder):
                path = self._read_json(manifest).get(key)
                if isinstance(path, str) and path:
                    yield path, folder

    def _read_json(self, path: str) -> Mapping[str, object]:
        try:
            read = msgspec.json.decode(self._files.read(path) or b"")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            read = None
        if not isinstance(read, dict):
            self.problems.append((path, "is no JSON object"))
            return {}
        return read

    def _of_glide(self) -> Iterator[tuple[str, str]]:
        for manifest in self._files.named("glide.yaml"):
            if self._is_own(parent(manifest)):
                path = _GLIDE_PACKAGE.search(self._files.read(manifest) or b"")
                if path:
                    yield path[1].decode("utf-8", "replace"), parent(manifest)

    def _commented(self) -> Iterator[tuple[str, str]]:
        """(import path, folder) that import comments tell, above the part in which path and folder agree."""
        for path in sorted(self._files.paths):
            if path.endswith(".go") and self._is_own(parent(path)):
                encoded = self._files.interface(path)
                told = msgspec.msgpack.decode(encoded, type=GoInterface).path if encoded else ""
                if told:
                    yield head(told, parent(path))

    def _is_own(self, folder: str) -> bool:
        """Whether a folder may be the repository's own: in no module, no fixture and no copy."""
        return not is_hidden(folder) and self._is_free(folder)


def _whole(folders: Iterable[str]) -> Iterator[Tier]:
    return (Tier({"": folder}, whole=True) for folder in folders)
