"""What differs between the published graphs of two runs: files, edges, packages outside, components. Prints nothing."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from weft.queries.components import lineage
from weft.queries.view import GraphView
from weft_storage.model.edges import Edge, Outside, Status
from weft_storage.model.facts import CYCLE_KINDS
from weft_storage.model.files import ChangeKind, FileRecord
from weft_storage.model.history import ComponentChange, ComponentChangeKind, GraphDiff, Package
from weft_storage.model.languages import family_of, language_of, unit_of
from weft_storage.model.states import Tracked
from weft_tasks.finalize.graphs import imported_unit


def diff(old: GraphView, new: GraphView) -> GraphDiff:
    """What differs between two published graphs of one project."""
    added, removed = _apart(old.edges(), new.edges(), lambda edge: (edge.importer, edge.imported, edge.kind))
    outside_then, outside_now = (list(view.store.outside(view.project, at=view.at)) for view in (old, new))
    unresolved = _apart(
        _unresolved(outside_then), _unresolved(outside_now), lambda each: (each.importer, each.specifier, each.kind)
    )
    packages_then, packages_now = _packages(outside_then), _packages(outside_now)
    return GraphDiff(
        files=_file_changes(old.records, new.records),
        added_edges=added,
        removed_edges=removed,
        added_packages=tuple(sorted(packages_now - packages_then)),
        removed_packages=tuple(sorted(packages_then - packages_now)),
        added_unresolved=unresolved[0],
        removed_unresolved=unresolved[1],
        components=tuple(_component_changes(lineage(old).components, lineage(new).components, added, removed)),
    )


Link = TypeVar("Link", Edge, Outside)


def _apart(
    old: Iterable[Link], new: Iterable[Link], identity: Callable[[Link], object]
) -> tuple[tuple[Link, ...], tuple[Link, ...]]:
    """Those that only the new have, and those that only the old have, sorted."""
    before, after = ({identity(each): each for each in links} for links in (old, new))
    added = (each for key, each in after.items() if key not in before)
    removed = (each for key, each in before.items() if key not in after)
    return tuple(sorted(added)), tuple(sorted(removed))


def _unresolved(outside: Iterable[Outside]) -> Iterator[Outside]:
    return (each for each in outside if each.status is Status.UNRESOLVED)


def _packages(outside: Iterable[Outside]) -> set[Package]:
    external = (each for each in outside if each.status is Status.EXTERNAL)
    return {Package(family_of(language), each.package) for each in external if (language := language_of(each.importer))}


def _file_changes(old: Mapping[str, FileRecord], new: Mapping[str, FileRecord]) -> dict[str, ChangeKind]:
    """How the files that were read differ, by content and by what became of them."""
    changes = {}
    for path in sorted({*old, *new}):
        before, after = old.get(path), new.get(path)
        if before is None:
            changes[path] = ChangeKind.ADDED
        elif after is None:
            changes[path] = ChangeKind.DELETED
        elif before.content.digest != after.content.digest or before.status is not after.status:
            changes[path] = ChangeKind.MODIFIED
    return changes


def _component_changes(
    old: Iterable[Tracked], new: Iterable[Tracked], added: Iterable[Edge], removed: Iterable[Edge]
) -> Iterator[ComponentChange]:
    """What became of the components, sorted by id."""
    before, after = ({each.id: each for each in components} for components in (old, new))
    then, now = _owners(before), _owners(after)
    made_by, ended_by = _within(now, added), _within(then, removed)
    for id in sorted({*before, *after}):
        members_then = frozenset(before[id].members if id in before else ())
        members_now = frozenset(after[id].members if id in after else ())
        if members_then == members_now:
            continue
        joined, left = sorted(members_now - members_then), sorted(members_then - members_now)
        from_others, to_others = (
            {owner[m] for m in members if m in owner} - {id} for owner, members in ((then, joined), (now, left))
        )
        yield ComponentChange(
            id=id,
            kind=_kind(bool(members_then), bool(members_now), joined, left, from_others, to_others),
            members=tuple(sorted(members_now or members_then)),
            joined=tuple(joined),
            left=tuple(left),
            others=tuple(sorted(from_others | to_others)),
            made_by=tuple(made_by.get(id, ())),
            ended_by=tuple(ended_by.get(id, ())),
        )


def _kind(
    was: bool,
    is_there: bool,
    joined: Sequence[str],
    left: Sequence[str],
    merged: Collection[int],
    split: Collection[int],
) -> ComponentChangeKind:
    if not was:
        return ComponentChangeKind.APPEARED
    if not is_there:
        return ComponentChangeKind.VANISHED
    if merged:
        return ComponentChangeKind.MERGED
    if split:
        return ComponentChangeKind.SPLIT
    if joined and left:
        return ComponentChangeKind.CHANGED
    return ComponentChangeKind.GREW if joined else ComponentChangeKind.SHRANK


def _owners(components: Mapping[int, Tracked]) -> dict[str, int]:
    return {member: each.id for each in components.values() for member in each.members}


def _within(owners: Mapping[str, int], edges: Iterable[Edge]) -> dict[int, list[Edge]]:
    """Of some edges those between two members of a component, by its id."""
    found: defaultdict[int, list[Edge]] = defaultdict(list)
    for edge in edges:
        id = owners.get(unit_of(edge.importer))
        if id is not None and edge.kind in CYCLE_KINDS and owners.get(imported_unit(edge)) == id:
            found[id].append(edge)
    return found
