"""Records, rows and publications for tests of stores, and a store as plain dictionaries to compare with."""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
from blake3 import blake3

from weft_storage.backends.base import KINDS, Store
from weft_storage.model.edges import Edge, Outside, Status
from weft_storage.model.facts import EdgeKind
from weft_storage.model.files import Content, FileRecord, FileStatus, Trait
from weft_storage.model.languages import Language
from weft_storage.model.runs import ImporterRow, Publication, Run, RunState, StoredFacts

ODD_NAMES = (
    "with space.py",
    "line\nbreak.py",
    "tab\t\x01.py",
    "bytes\udcff\udc80.py",
    "bytes\udcff 100%.py",
    "100%/%41.py",
    "quote'\"`;--.py",
    "back\\slash/\\ud800.py",
    "emoji 🧵/été/中.py",
    "-dash",
    ".",
    "a/" * 2000 + "long.py",
    "CASE.py",
    "case.py",
)

ODD_TEXT = "null\0 lone\ud800 bytes\udcff 🧵 \\ud83d \"'\n/%41"


def digest(seed: object, size: int = 16) -> bytes:
    """Some bytes that differ for different seeds."""
    return blake3(repr(seed).encode()).digest(size)


def record(path: str, seed: object = 0) -> FileRecord:
    """A file with a value in every field."""
    return FileRecord(
        path=path,
        status=FileStatus.ANALYZED,
        content=Content(digest((path, seed)), 12, Trait.TEXT),
        language=Language.PYTHON,
        oid=digest((seed, path), 20).hex(),
        imports=digest(seed, 8),
        interface=digest((seed, 1), 8),
        problems=(f"problem {seed}",),
    )


def edge(importer: str, imported: str, kind: EdgeKind = EdgeKind.IMPORT, line: int = 1) -> Edge:
    """An edge with a value in every field."""
    return Edge(importer, imported, kind, line, f"specifier of {imported}", ("one", "two"), line % 2 == 0)


def external(importer: str, package: str, line: int = 1) -> Outside:
    """An import of a package."""
    return Outside(importer, line, package, Status.EXTERNAL, EdgeKind.IMPORT, ("x",), package=package)


def unresolved(importer: str, line: int = 1) -> Outside:
    """An import of nothing."""
    return Outside(importer, line, "gone", Status.UNRESOLVED, EdgeKind.TYPE, probed=("gone.py", "gone/__init__.py"))


def row(importer: str, *imported: str, line: int = 1, reads: Iterable[int] = ()) -> ImporterRow:
    """An importer of some files, and of one package."""
    return ImporterRow(
        importer,
        tuple(sorted(edge(importer, each, line=line) for each in imported)),
        (external(importer, "numpy", line), unresolved(importer, line + 1)),
        array("I", sorted(reads)).tobytes(),
    )


def facts(seed: object, size: int = 10) -> StoredFacts:
    """Facts with bytes in every part."""
    return StoredFacts(digest(seed), b"i" * size, b"d" * size, b"f" * size, (f"problem {seed}",))


def publish(
    store: Store,
    project: str = "p",
    *,
    files: Iterable[FileRecord] = (),
    removed_files: Iterable[str] = (),
    rows: Iterable[ImporterRow] = (),
    removed_rows: Iterable[str] = (),
    states: Mapping[str, bytes] | None = None,
) -> Run:
    """A whole run that publishes these changes."""
    run = msgspec.structs.replace(store.begin(Run(project=project)), state=RunState.PUBLISHED)
    store.publish(Publication(run, files, removed_files, rows, removed_rows, states or {}))
    return run


@dataclass
class Graph:
    """What a project's graph holds, by path; everything a store must be able to tell of it."""

    files: dict[str, FileRecord] = field(default_factory=dict)
    rows: dict[str, ImporterRow] = field(default_factory=dict)
    states: dict[str, bytes] = field(default_factory=dict)

    def copy(self) -> "Graph":
        """A graph that changes apart from this one."""
        return Graph(dict(self.files), dict(self.rows), dict(self.states))

    def edges(self) -> list[Edge]:
        """All edges, sorted."""
        return sorted(edge for each in self.rows.values() for edge in each.edges)

    def outside(self) -> list[Outside]:
        """All imports that lead nowhere, sorted."""
        return sorted(each for row in self.rows.values() for each in row.outside)


def check(store: Store, project: str, expected: Graph, at: int | None = None) -> None:
    """The graph of a project (at a run) is the expected one, however it is read."""
    assert store.files(project, at=at) == [expected.files[path] for path in sorted(expected.files)]
    assert list(store.edges(project, at=at)) == expected.edges()
    assert list(store.outside(project, at=at)) == expected.outside()
    for name in {*expected.states, "absent"}:
        assert store.state(project, name, at=at) == expected.states.get(name)
    check_numbers(store, project, expected, at)


def check_numbers(store: Store, project: str, expected: Graph, at: int | None = None) -> None:
    """The graph as numbers is the expected one, and sorted."""
    stored = store.graph(project, at=at)
    importers, imported = array("I", stored.importers), array("I", stored.imported)
    numbers = list(zip(importers, imported, stored.kinds, strict=True))
    assert numbers == sorted(numbers)
    assert list(stored.paths) == sorted({path for edge in expected.edges() for path in (edge.importer, edge.imported)})
    triples = [(stored.paths[a], stored.paths[b], KINDS[kind]) for a, b, kind in numbers]
    assert sorted(triples) == [(edge.importer, edge.imported, edge.kind) for edge in expected.edges()]
