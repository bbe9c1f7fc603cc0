"""The resolver of Rust: one import at a time, by questions to the project. Knows no manifest and no module tree."""

from collections.abc import Hashable, Iterable

from weft_storage.model.edges import Resolution, Status, Target
from weft_storage.model.facts import EdgeKind, Import
from weft_storage.model.languages import Family
from weft_storage.model.paths import join, parent
from weft_storage.model.settings import Settings
from weft_tasks.resolve.base import Index, Project, RepositoryFiles
from weft_tasks.resolve.rust.modules import child_path
from weft_tasks.resolve.rust.project import Answer, RustProject

_MANIFEST_DIRECTORY = "$CARGO_MANIFEST_DIR"
_QUIET = Resolution(Status.RESOLVED)


class RustResolver:
    """Rust's rules. A path leads to the file of the deepest module that it names."""

    family = Family.RUST

    def build(self, files: RepositoryFiles, settings: Settings) -> Project:  # noqa: ARG002
        return RustProject(files)

    def context(self, importer: str) -> Hashable:  # noqa: ARG002
        return None  # A path means something else in every file; what files share are the answers.

    def resolve(self, importer: str, imported: Import, index: Index) -> Resolution:
        if imported.kind is EdgeKind.ASSET or (imported.kind is EdgeKind.MODULE and not imported.names):
            return _included(importer, imported, index)
        if imported.kind is EdgeKind.MODULE:
            return _module(importer, imported, index)
        if imported.specifier.endswith("!"):
            return _bare_macro(importer, imported, index)
        return _path(importer, imported, index)


def _included(importer: str, imported: Import, index: Index) -> Resolution:
    """`include!` and its like name a file beside the one they stand in, or below the package's folder."""
    path = imported.specifier
    if path.startswith(_MANIFEST_DIRECTORY):
        folder = index.ask(Family.RUST, f"package:{importer}")
        target = None if folder is None else join(folder, path.removeprefix(_MANIFEST_DIRECTORY).lstrip("/"))
    else:
        target = join(parent(importer), path)
    found = index.file(target)
    if found is None:
        return Resolution(Status.UNRESOLVED, probed=(target or path,))
    return Resolution(Status.RESOLVED, (Target(found, imported.kind, imported.names),))


def _module(importer: str, imported: Import, index: Index) -> Resolution:
    found, probed = index.ask(Family.RUST, f"mod:{importer}//{imported.scope}//{imported.specifier}")
    if not found:
        return Resolution(Status.UNRESOLVED, probed=tuple(probed) or (f"{imported.specifier}.rs",))
    return Resolution(Status.RESOLVED, tuple(Target(path, imported.kind, imported.names) for path in found))


def _places(importer: str, scope: str, index: Index) -> Iterable[tuple[str, str]]:
    """(crate, module) of each place that a scope of a file has in the module trees."""
    for crate, module in index.ask(Family.RUST, f"place:{importer}"):
        yield crate, child_path(module, scope) if scope else module


def _bare_macro(importer: str, imported: Import, index: Index) -> Resolution:
    name = imported.names[0]
    found: dict[str, None] = {}
    for crate, module in _places(importer, imported.scope, index):
        found.update((path, None) for path in index.ask(Family.RUST, f"bare:{crate}//{module}//{name}"))
    return Resolution(Status.RESOLVED, tuple(Target(path, EdgeKind.MACRO, (name,)) for path in found))


def _path(importer: str, imported: Import, index: Index) -> Resolution:
    kind = imported.detail if imported.detail in ("path", "call", "extern") else "use"
    answers: list[Answer] = []
    for crate, module in _places(importer, imported.scope, index):
        question = f"extern:{crate}" if kind == "extern" else f"{kind}:{crate}//{_start(module, imported.specifier)}"
        answers.append(index.ask(Family.RUST, f"{question}//{imported.specifier}"))
    return _merge(answers, imported)


def _start(module: str, specifier: str) -> str:
    """The module that a path is asked from: one from the crate's root means the same everywhere."""
    return "" if specifier.startswith(("crate::", "$crate::")) else module


def _merge(answers: Iterable[Answer], imported: Import) -> Resolution:
    """What a path means in all the crates that its file belongs to: everything that it leads to in any."""
    targets: dict[tuple[str, str], None] = {}
    packages: list[str] = []
    probed: dict[str, None] = {}
    resolved = False
    for status, found, package, looked_for in answers:
        resolved = resolved or status == Status.RESOLVED.value
        targets.update(((path, name), None) for path, name in found)
        packages += [package] if status == Status.EXTERNAL.value else []
        probed.update((path, None) for path in looked_for)
    if resolved:
        return Resolution(Status.RESOLVED, tuple(Target(path, imported.kind, (name,)) for path, name in targets))
    if packages:
        return Resolution(Status.EXTERNAL, package=packages[0])
    return Resolution(Status.UNRESOLVED, probed=tuple(probed)) if probed else _QUIET
