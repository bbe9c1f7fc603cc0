"""All imports of one file -> its edges, what leads outside, and what that depended on."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from weft_storage.model.edges import Edge, Outside, Resolution, Status, Target
from weft_storage.model.facts import EdgeKind, Import
from weft_storage.model.languages import Language, family_of, unit_of
from weft_tasks.resolve import resolver_of
from weft_tasks.resolve.index import RecordingIndex


class ResolvedFile(msgspec.Struct, frozen=True, gc=False):
    """What the imports of one file came to. `edges` and `outside` are sorted; `reads` are keys of the index."""

    importer: str
    edges: tuple[Edge, ...]
    outside: tuple[Outside, ...]
    reads: frozenset[str]


def resolve_file(
    importer: str,
    language: Language,
    imports: Sequence[Import],
    index: RecordingIndex,
    extra: Sequence[str] = (),
) -> ResolvedFile:
    """Resolve every import of a file. `extra` are the paths it is configured to depend on beside its text."""
    resolver = resolver_of(family_of(language))
    context = resolver.context(importer)
    merged: defaultdict[tuple[str, EdgeKind], list[Edge]] = defaultdict(list)
    outside: list[Outside] = []
    index.reads = set()

    def keep(imported: Import, resolution: Resolution) -> None:
        if resolution.status in (Status.EXTERNAL, Status.UNRESOLVED):
            outside.append(
                Outside(
                    importer=importer,
                    line=imported.line,
                    specifier=imported.specifier,
                    status=resolution.status,
                    kind=imported.kind,
                    names=imported.names,
                    package=resolution.package,
                    probed=resolution.probed,
                )
            )
        for target in resolution.targets:
            # A file that imports itself, or a Go file its own package, says nothing about dependencies.
            if target.path not in (importer, unit_of(importer)):
                edge = Edge(
                    importer=importer,
                    imported=target.path,
                    kind=target.kind,
                    line=imported.line,
                    specifier=imported.specifier,
                    names=target.names,
                    ambiguous=resolution.status is Status.AMBIGUOUS,
                )
                merged[target.path, target.kind].append(edge)

    for imported in imports:
        if context is None:
            keep(imported, resolver.resolve(importer, imported, index))
            continue
        # The line does not change where an import leads; everything else of it may.
        key = (resolver.family, context, msgspec.structs.replace(imported, line=0))
        keep(imported, index.memo(key, lambda imported=imported: resolver.resolve(importer, imported, index)))  # type: ignore[misc]
    for path in extra:
        keep(Import(path, EdgeKind.IMPORT, 0), _configured(path, index))
    return ResolvedFile(
        importer=importer,
        edges=tuple(sorted(_merge(edges) for edges in merged.values())),
        outside=tuple(sorted(outside)),
        reads=frozenset(index.reads),
    )


def _configured(path: str, index: RecordingIndex) -> Resolution:
    found = index.file(path)
    if found is None:
        return Resolution(Status.UNRESOLVED, probed=(path,))
    return Resolution(Status.RESOLVED, (Target(unit_of(found), EdgeKind.IMPORT),))


def _merge(edges: list[Edge]) -> Edge:
    """One edge for all imports of a file that lead to one place in one way: the first line, all the names."""
    first = min(edges, key=lambda edge: (edge.line, edge.specifier))
    names = tuple(sorted({name for edge in edges for name in edge.names}))
    return msgspec.structs.replace(first, names=names, ambiguous=all(edge.ambiguous for edge in edges))
