"""Verification: the published graph of a store against one rebuilt from zero. Prints nothing."""

from collections.abc import Iterable, Iterator, Mapping

from weft.report.documents import Difference, DifferenceKind, DifferenceSubject
from weft_storage.backends import Store
from weft_storage.model.files import FileRecord
from weft_storage.model.states import Components
from weft_tasks.finalize.states import load_state


def differences(kept: Store, fresh: Store, project: str) -> Iterator[Difference]:
    """Everything in which the kept graph of a project differs from the fresh one; nothing where they are equal."""
    yield from _compare(DifferenceSubject.FILE, _files(kept, project), _files(fresh, project))
    yield from _compare(DifferenceSubject.EDGE, _edges(kept, project), _edges(fresh, project))
    yield from _compare(DifferenceSubject.OUTSIDE, _outside(kept, project), _outside(fresh, project))
    yield from _compare(DifferenceSubject.COMPONENT, _components(kept, project), _components(fresh, project))


def _compare(what: DifferenceSubject, kept: Mapping[str, object], fresh: Mapping[str, object]) -> Iterator[Difference]:
    for name in sorted({*kept, *fresh}):
        if name not in kept:
            yield Difference(kind=DifferenceKind.MISSING, what=what, detail=name)
        elif name not in fresh:
            yield Difference(kind=DifferenceKind.UNEXPECTED, what=what, detail=name)
        elif kept[name] != fresh[name]:
            detail = f"{name}: {kept[name]} is stored, {fresh[name]} is right"
            yield Difference(kind=DifferenceKind.DIFFERENT, what=what, detail=detail)


def _files(store: Store, project: str) -> dict[str, object]:
    return {record.path: _meaning(record) for record in store.files(project)}


def _meaning(record: FileRecord) -> tuple[object, ...]:
    """What a record says of the file; `oid` only says how its content was found out."""
    return (
        record.status.value,
        record.content.digest.hex(),
        record.language and record.language.value,
        record.reason,
        record.imports.hex(),
        record.interface.hex(),
        record.problems,
    )


def _edges(store: Store, project: str) -> dict[str, object]:
    return {
        f"{edge.importer} -> {edge.imported} ({edge.kind.value})": (
            f"line {edge.line}",
            edge.specifier,
            edge.names,
            "ambiguous" if edge.ambiguous else "",
        )
        for edge in store.edges(project)
    }


def _outside(store: Store, project: str) -> dict[str, object]:
    found: dict[str, list[object]] = {}
    for each in store.outside(project):
        name = f"{each.importer}:{each.line}: {each.specifier}"
        found.setdefault(name, []).append((each.status.value, each.kind.value, each.names, each.package, each.probed))
    return dict(found)


def _components(store: Store, project: str) -> dict[str, object]:
    return _named(load_state(store, project, Components).components)


def _named(components: Iterable[tuple[str, ...]]) -> dict[str, object]:
    return {f"{len(members)} files: {', '.join(members)}": True for members in components}
