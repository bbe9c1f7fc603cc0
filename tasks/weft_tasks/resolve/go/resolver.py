"""The resolver of Go: an import path or an embed pattern of a file -> directories and files. Knows no manifest."""

from collections.abc import Hashable

import msgspec

from weft_storage.model.edges import Resolution, Status, Target
from weft_storage.model.facts import EdgeKind, Import
from weft_storage.model.interfaces.go import GoInterface
from weft_storage.model.languages import Family
from weft_storage.model.paths import decode_text, encode_text, join, parent
from weft_storage.model.settings import Settings
from weft_tasks.resolve.base import Index, Project, RepositoryFiles
from weft_tasks.resolve.go.layout import is_hidden
from weft_tasks.resolve.go.project import EXTERNAL, PACKAGE, STANDARD_LIBRARY, GoProject, question
from weft_tasks.resolve.go.standard import STANDARD_PACKAGES

# No file system opens a longer path; without a bound, a path of a million elements would have a million prefixes.
_MAX_PATH = 4096


class GoResolver:
    """`Resolver` of the Go family. An import leads to a package's directory ("." at the root), a pattern to files."""

    family = Family.GO

    def build(self, files: RepositoryFiles, settings: Settings) -> Project:
        del settings
        return GoProject(files)

    def context(self, importer: str) -> Hashable:
        return parent(importer), _is_test(importer)

    def resolve(self, importer: str, imported: Import, index: Index) -> Resolution:
        if imported.kind is EdgeKind.ASSET:
            return _embedded(parent(importer), imported, index)
        if not _is_clean(imported.specifier):
            # Nothing was looked for: the go command rejects the path as malformed.
            return Resolution(Status.UNRESOLVED, probed=(parent(importer) or ".",))
        if imported.specifier.split("/", 1)[0] in (".", ".."):
            return _relative(importer, imported, index)
        if imported.specifier in STANDARD_PACKAGES and not index.ask(Family.GO, question("distribution")):
            return Resolution(Status.EXTERNAL, package=STANDARD_LIBRARY)
        return _absolute(importer, imported, index)


RESOLVER = GoResolver()


def _embedded(folder: str, imported: Import, index: Index) -> Resolution:
    """The files that a `//go:embed` pattern matches from the package's folder."""
    pattern = imported.specifier
    if not pattern.isprintable() or len(pattern) > _MAX_PATH:
        return Resolution(Status.UNRESOLVED, probed=(folder or ".",))
    found = index.ask(Family.GO, question("embed", encode_text(folder), pattern))
    if not found:
        return Resolution(Status.UNRESOLVED, probed=(join(folder, pattern.removeprefix("all:")) or folder or ".",))
    targets = tuple(Target(decode_text(path), imported.kind, imported.names) for path in found)
    return Resolution(Status.RESOLVED, targets)


def _relative(importer: str, imported: Import, index: Index) -> Resolution:
    place = join(parent(importer), imported.specifier)
    if place is None:
        return Resolution(Status.UNRESOLVED, probed=(parent(importer) or ".",))
    if index.ask(Family.GO, question("package", encode_text(place))):
        return _package(place, importer, imported)
    return _looked_for((place,), importer, imported, index)


def _absolute(importer: str, imported: Import, index: Index) -> Resolution:
    scope = index.ask(Family.GO, question("scope", encode_text(parent(importer))))
    verb = "fixture" if is_hidden(parent(importer)) else "import"
    status, found = index.ask(Family.GO, question(verb, scope, imported.specifier))
    if status == PACKAGE:
        return _package(decode_text(found), importer, imported)
    if status == EXTERNAL:
        return Resolution(Status.EXTERNAL, package=found)
    return _looked_for(tuple(map(decode_text, found)), importer, imported, index)


def _package(directory: str, importer: str, imported: Import) -> Resolution:
    target = Target(directory or ".", _kind(importer, imported), imported.names)
    return Resolution(Status.RESOLVED, (target,))


def _looked_for(places: tuple[str, ...], importer: str, imported: Import, index: Index) -> Resolution:
    """What is at the places where the project knows no package: one behind a link, the tests of a package, nothing."""
    for place in places:
        linked = _behind_link(place, index)
        if linked is not None:
            return _package(linked, importer, imported)
    if _is_test(importer) and parent(importer) in places:
        tests = _inner_tests(parent(importer), index)
        if tests:
            kind = _kind(importer, imported)
            return Resolution(Status.RESOLVED, tuple(Target(path, kind, imported.names) for path in tests))
    return Resolution(Status.UNRESOLVED, probed=tuple(place or "." for place in places))


def _behind_link(place: str, index: Index) -> str | None:
    """The directory of the package that a path reaches through a symbolic link inside the repository."""
    for name in index.entries(place):
        if name.endswith(".go") and not _is_test(name) and name[0] not in "._":
            found = index.file(f"{place}/{name}" if place else name)
            # A directory may be called x.go; and without a link the project would have known.
            if found is not None and parent(found) != place:
                return parent(found)
    return None


def _inner_tests(folder: str, index: Index) -> list[str]:
    """Test files of the package itself: where it has no other, they are what its outer tests import."""
    found = []
    for name in index.entries(folder):
        path = f"{folder}/{name}" if folder else name
        if _is_test(name) and name[0] not in "._" and index.file(path) == path:
            encoded = index.interface(path)
            if encoded and not msgspec.msgpack.decode(encoded, type=GoInterface).package.endswith("_test"):
                found.append(path)
    return found


def _kind(importer: str, imported: Import) -> EdgeKind:
    return EdgeKind.TEST if imported.kind is EdgeKind.IMPORT and _is_test(importer) else imported.kind


def _is_test(path: str) -> bool:
    return path.endswith("_test.go")


def _is_clean(specifier: str) -> bool:
    """Whether a path may be looked for: printable, no empty element, dots only at the start."""
    if not specifier.isprintable() or not 0 < len(specifier) <= _MAX_PATH:
        return False
    elements = specifier.split("/")
    if elements[0] in (".", ".."):
        return True
    return not any(element in ("", ".", "..") for element in elements)
