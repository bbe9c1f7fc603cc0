"""What two accounts of a repository differ in, in words. Knows not how either came about."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from weft.report.documents import Difference, DifferenceKind, DifferenceSubject
from weft_storage.backends import Part, Store
from weft_storage.model.edges import Edge, Outside
from weft_storage.model.files import FileRecord
from weft_storage.model.runs import StoredFacts
from weft_storage.model.states import Components
from weft_tasks.extract.encoding import decode_declarations, decode_imports
from weft_tasks.finalize.merge import facts_key_of
from weft_tasks.finalize.states import load_state

Thing: TypeAlias = tuple[str, str]
"""What an entry is about: the file, and the name under which a person knows it."""

Words: TypeAlias = Mapping[str, Sequence[str]]
"""What an entry says, by property. Of two entries only what differs is shown."""

T = TypeVar("T")

_AT_ONCE = 500
_EVERY_PART = Part.IMPORTS | Part.DECLARATIONS | Part.INTERFACE


@dataclass(frozen=True, slots=True)
class Account:
    """What there is to say of some files, or of all. `facts` gives those of the keys that there are."""

    records: Mapping[str, FileRecord]
    edges: Iterable[Edge]
    outside: Iterable[Outside]
    facts: Callable[[Sequence[bytes]], Iterable[StoredFacts]]
    components: Sequence[tuple[str, ...]] = ()
    coverage: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    problems: Sequence[tuple[str, str]] = ()


def account_of(store: Store, project: str) -> Account:
    """All that a store says of a project."""
    run = store.published(project)
    return Account(
        records={record.path: record for record in store.files(project)},
        edges=store.edges(project),
        outside=store.outside(project),
        facts=lambda keys: store.facts(keys, _EVERY_PART),
        components=load_state(store, project, Components).components,
        coverage=run.coverage if run else {},
        problems=[(each.path, each.message) for each in run.problems] if run else (),
    )


def differences(kept: Store, fresh: Store, project: str) -> Iterator[Difference]:
    """Everything in which what is kept of a project differs from what is right; nothing where they are equal."""
    return compare(account_of(kept, project), account_of(fresh, project))


def compare(kept: Account, right: Account) -> Iterator[Difference]:
    """Everything in which one account differs from another, which is right."""
    yield from _compare(DifferenceSubject.FILE, _files(kept), _files(right), _record_words)
    yield from _facts(kept, right)
    yield from _compare(DifferenceSubject.EDGE, _edges(kept), _edges(right), _edge_words)
    yield from _compare(DifferenceSubject.OUTSIDE, _outside(kept), _outside(right), _outside_words)
    yield from _compare(DifferenceSubject.COMPONENT, _components(kept), _components(right), _no_words)
    yield from _compare(DifferenceSubject.COVERAGE, _coverage(kept), _coverage(right), _coverage_words)
    yield from _compare(DifferenceSubject.PROBLEM, _problems(kept), _problems(right), _no_words)


def _compare(
    what: DifferenceSubject, kept: Mapping[Thing, T], right: Mapping[Thing, T], words: Callable[[T], Words]
) -> Iterator[Difference]:
    """Entries are compared as they are; words are only found for those that differ."""
    for thing in sorted(kept.keys() | right.keys()):
        old, new = kept.get(thing), right.get(thing)
        if old == new:
            continue
        kind = DifferenceKind.DIFFERENT
        if old is None or new is None:
            kind = DifferenceKind.MISSING if old is None else DifferenceKind.UNEXPECTED
        stored, wanted = _apart(words(old) if old is not None else {}, words(new) if new is not None else {})
        file, name = thing
        yield Difference(kind=kind, what=what, file=file, detail=name, stored=stored, right=wanted)


def _apart(stored: Words, right: Words) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What only the one and only the other says, property by property."""
    ours, theirs = [], []
    for name in dict.fromkeys((*stored, *right)):
        old, new = stored.get(name, ()), right.get(name, ())
        if old != new:
            only_old = [each for each in old if each not in new] or (old if not set(new) - set(old) else [])
            only_new = [each for each in new if each not in old] or (new if not set(old) - set(new) else [])
            ours += [f"{name} {each}" for each in only_old]
            theirs += [f"{name} {each}" for each in only_new]
    return tuple(ours), tuple(theirs)


# Entries, and what they say -------------------------------------------------------------------------


def _files(account: Account) -> dict[Thing, tuple[object, ...]]:
    return {(path, path): _meaning(record) for path, record in account.records.items()}


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


def _record_words(meaning: tuple[object, ...]) -> Words:
    names = ("status", "content", "language", "because", "imports", "interface", "problems")
    return {name: (str(value),) for name, value in zip(names, meaning, strict=True) if value}


def _facts(kept: Account, right: Account) -> Iterator[Difference]:
    """Differing facts of the contents that both accounts have, some hundred at a time: all would fill the memory."""
    paths: dict[bytes, str] = {}
    for path, record in sorted(right.records.items()):
        if (key := facts_key_of(record)) is not None and path in kept.records:
            paths.setdefault(key, path)
    keys = list(paths)
    for start in range(0, len(keys), _AT_ONCE):
        some = keys[start : start + _AT_ONCE]
        old, new = (
            {(paths[facts.key], paths[facts.key]): facts for facts in account.facts(some)} for account in (kept, right)
        )
        yield from _compare(DifferenceSubject.FACTS, old, new, _facts_words)


def _facts_words(facts: StoredFacts) -> Words:
    imports = decode_imports(facts.imports)
    declarations = decode_declarations(facts.declarations)
    return {
        "import": [_listed(f"{each.specifier!r} ({each.kind.value}) line {each.line}", each.names) for each in imports],
        "declaration": [f"{each.kind.value} {each.name} line {each.line} to {each.end_line}" for each in declarations],
        "interface": (facts.interface.hex(),),
        "problem": facts.problems,
    }


def _edges(account: Account) -> dict[Thing, Edge]:
    return {(each.importer, f"{each.importer} -> {each.imported} ({each.kind.value})"): each for each in account.edges}


def _edge_words(edge: Edge) -> Words:
    return {
        "line": (str(edge.line),),
        "specifier": (repr(edge.specifier),),
        "names": (", ".join(edge.names),) if edge.names else (),
        "ambiguous": ("yes",) if edge.ambiguous else (),
    }


def _outside(account: Account) -> dict[Thing, list[Outside]]:
    found: defaultdict[Thing, list[Outside]] = defaultdict(list)
    for each in account.outside:
        found[each.importer, f"{each.importer}:{each.line}: {each.specifier}"].append(each)
    return dict(found)


def _outside_words(imports: list[Outside]) -> Words:
    return {"import": [_outside_text(each) for each in imports]}


def _outside_text(outside: Outside) -> str:
    text = _listed(f"{outside.status.value} ({outside.kind.value})", outside.names)
    text += f", package {outside.package}" if outside.package else ""
    return f"{text}, looked for {', '.join(outside.probed)}" if outside.probed else text


def _listed(text: str, names: Sequence[str]) -> str:
    return f"{text}, names {', '.join(names)}" if names else text


def _components(account: Account) -> dict[Thing, bool]:
    return {(each[0], f"{len(each)} files: {', '.join(each)}"): True for each in account.components}


def _coverage(account: Account) -> dict[Thing, Mapping[str, int]]:
    return {("", f"imports of {language}"): statuses for language, statuses in account.coverage.items()}


def _coverage_words(statuses: Mapping[str, int]) -> Words:
    return {status: (str(number),) for status, number in sorted(statuses.items())}


def _problems(account: Account) -> dict[Thing, bool]:
    return {(path, f"{path}: {message}"): True for path, message in account.problems}


def _no_words(_: object) -> Words:
    return {}
