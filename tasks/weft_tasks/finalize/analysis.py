"""What a change of the graph means: the affected files, and the components. Knows no store."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from weft_storage.model.facts import CYCLE_KINDS
from weft_storage.model.files import ChangeKind
from weft_storage.model.languages import unit_of
from weft_storage.model.states import Affected, AffectedFile, Cause
from weft_tasks.finalize.graphs import ALL_KINDS, STRONG_KINDS, FileGraph, UnitGraph, union, unit_graph
from weft_tasks.graph import cyclic_components, reach

_NONE: Mapping[str, Cause] = MappingProxyType({})


def affected(
    *,
    old: FileGraph,
    new: FileGraph,
    files: Collection[str],
    changes: Mapping[str, ChangeKind],
    resolved_anew: Mapping[str, Cause] = _NONE,
    importers: Mapping[str, Cause] = _NONE,
    weak_importers: Mapping[str, Cause] = _NONE,
) -> Affected:
    """Changed files, importers whose edges changed or of whose packages some moved, and all that depends on them in the
    old or the new graph.

    `files` are all files with a record, before or after. A deleted file is affected, being changed; its importers
    are, through the old graph. A file is listed as weak when only edges of weak kinds lead to it, or only the types of
    a package moved.
    """
    both = union(old, new)
    seeds = {*changes, *resolved_anew, *importers}
    causes = {**importers, **resolved_anew}

    def entries(paths: Collection[str], causes: Mapping[str, Cause] = causes) -> tuple[AffectedFile, ...]:
        return tuple(
            AffectedFile(path, changes.get(path), path in resolved_anew, causes.get(path)) for path in sorted(paths)
        )

    if len(seeds) == len(files):  # Everything changed, as in a first run: nothing is left to reach.
        return Affected(entries(seeds))
    strong = _dependents(unit_graph(both, STRONG_KINDS, files), seeds, files)
    all_kinds = _dependents(unit_graph(both, ALL_KINDS, files), {*seeds, *weak_importers}, files)
    return Affected(entries(strong), entries(all_kinds - strong, weak_importers))


def _dependents(graph: UnitGraph, seeds: Collection[str], files: Iterable[str]) -> set[str]:
    """The seeds and every file of a unit that depends on one of theirs, however far."""
    reached = reach(graph.digraph, graph.of(seeds), reverse=True)
    units = {graph.units[node] for node in reached}
    return {*seeds, *(file for file in files if unit_of(file) in units)}


def components(graph: FileGraph) -> tuple[tuple[str, ...], ...]:
    """Members of each cyclic component, sorted by the first. A Go package's directory stands for its files."""
    units = unit_graph(graph, CYCLE_KINDS)
    found = cyclic_components(units.digraph)
    return tuple(tuple(units.units[node] for node in members) for members in found)
