"""Values for tests of reports: a small graph with ordinary names, and the same shape with a hostile repository's."""

from collections.abc import Sequence

import msgspec

from weft.report.documents import (
    Check,
    Difference,
    DifferenceKind,
    DifferenceSubject,
    Finding,
    SampleEntry,
    StoreDocument,
    Use,
    affected_document,
    affected_entry,
    component,
    cycles_document,
    declaration_entry,
    dependents_document,
    deps_document,
    diff_document,
    doctor_document,
    export_document,
    order_document,
    runs_document,
    scan_document,
    status_document,
    symbols_document,
    unresolved_document,
    verify_document,
    why_document,
)
from weft_storage.model.edges import Edge, Outside, Status
from weft_storage.model.facts import Declaration, DeclarationKind, EdgeKind
from weft_storage.model.files import NO_CONTENT, ChangeKind, FileRecord, FileStatus
from weft_storage.model.history import ComponentChange, ComponentChangeKind, GraphDiff, Package
from weft_storage.model.languages import Family
from weft_storage.model.runs import Problem, Run, RunState
from weft_storage.model.states import AffectedFile, Cause, CauseKind
from weft_storage.model.work import WorkProgress

ORDINARY = ("pkg/a.py", "pkg/b.py", "pkg/c.py")

HOSTILE = (
    'quote"back\\.py',
    "esc\x1b[31mred\x1b]0;title\x07.py",
    "byte\udcff.py",
    "byte\udcfe.py",
    "new\nline.py",
    "carriage\rreturn.py",
    "tab\there.py",
    "c1\x9b31m.py",
    "bidi\u202egnp.py",
    "separator\u2028.py",
    "nul\x00.py",
    "nonchar\uffff.py",
    "=cmd|'/c calc'!A0",
    "@scope/+page.ts",
    "%%{init: {}}%%.js",
    "</node><!--&amp;.tsx",
    "[link](http://evil).py",
    "[id]/{0}/x.tsx",
    "__init__.py",
    "#quot;.py",
    "日本語/ü b.py",
    "tail\\",
    "a;b,c.py",
    "x:y.py",
)


def edges_among(names: Sequence[str]) -> list[Edge]:
    """A cycle through all of the names, and a weak edge back for every second one."""
    found = []
    for number, (importer, imported) in enumerate(zip(names, [*names[1:], names[0]], strict=True)):
        found.append(Edge(importer, imported, EdgeKind.IMPORT, 3 + number, f"./{imported}", ("x", imported)))
        if number % 2 == 0:
            found.append(Edge(imported, importer, EdgeKind.TYPE, 0, importer))
    return sorted(found)


def sample_run(name: str, **changes: object) -> Run:
    """A run that did a little of everything, with `name` wherever a repository chooses the text."""
    run = Run(
        id=12,
        project=name,
        root=f"/src/{name}",
        revision="1a2b3c4d5e6f7890",
        state=RunState.INCOMPLETE,
        started=1_769_824_800.25,
        finished=1_769_824_801.5,
        counts={"files": 1200, "analyzed": 3, "unchanged": 1195, "skipped": 1, "failed": 1, "added": 2, "deleted": 1},
        edges=4321,
        unresolved=1,
        affected=7,
        components=1,
        cache_hit_rate=0.25,
        seconds={"extract": 0.5, "snapshot": 0.25},
        coverage={
            "python": {"resolved": 2996, "external": 3, "ambiguous": 0, "unresolved": 1},
            "go": {"resolved": 0, "external": 1, "ambiguous": 0, "unresolved": 0},
        },
        problems=(Problem(name, f"cannot be parsed at '{name}'"),),
    )
    return msgspec.structs.replace(run, **changes)


def graph_diff(names: Sequence[str], edges: Sequence[Edge]) -> GraphDiff:
    """A little of everything that can differ, full of the names."""
    first, second = names[0], names[1]
    unresolved = Outside(first, 2, second, Status.UNRESOLVED, EdgeKind.IMPORT, (first,), "", tuple(names))
    return GraphDiff(
        files={first: ChangeKind.ADDED, second: ChangeKind.DELETED},
        added_edges=tuple(edges[:1]),
        removed_edges=tuple(edges[1:2]),
        added_packages=(Package(Family.PYTHON, first),),
        removed_packages=(Package(Family.GO, second),),
        added_unresolved=(unresolved,),
        removed_unresolved=(unresolved,),
        components=(
            ComponentChange(
                3, ComponentChangeKind.GREW, tuple(names), tuple(names[:1]), (), (4,), tuple(edges), tuple(edges[:1])
            ),
        ),
    )


def sample_documents(names: Sequence[str]) -> dict[str, msgspec.Struct]:
    """One document of each command, full of the names."""
    first, second = names[0], names[1]
    edges = edges_among(names)
    run = sample_run(first)
    unresolved = Outside(first, 2, second, Status.UNRESOLVED, EdgeKind.IMPORT, (first,), "", tuple(names))
    external = Outside(first, 1, second, Status.EXTERNAL, EdgeKind.IMPORT, (), second)
    declaration = Declaration(first, DeclarationKind.CLASS, 3, 9, b"", second, False)
    cause = Cause(CauseKind.PACKAGE, first, second, first, second, (first,))
    entries = [
        affected_entry(AffectedFile(first, ChangeKind.MODIFIED), weak=False),
        affected_entry(AffectedFile(second, None, True, cause), weak=True, why=edges[:2]),
    ]
    return {
        "affected": affected_document(first, 12, entries),
        "cycles": cycles_document(
            first, 12, [component(names, edges, id=3, since=2, new=True, cut=edges, cut_names=4)], runtime=True
        ),
        "dependents": dependents_document(first, 12, first, names[1:], edges, transitive=True),
        "deps": deps_document(first, 12, first, names[1:], edges, transitive=False),
        "diff": diff_document(first, old=11, new=12, diff=graph_diff(names, edges)),
        "doctor": doctor_document([Check(name="git", ok=True, detail=first), Check(name="x", ok=False, detail=second)]),
        "export": export_document(first, 12, names, edges),
        "order": order_document(first, 12, [[[first]], [names[1:]]]),
        "runs": runs_document(
            first, [run, sample_run(first, id=13, state=RunState.FAILED, error=second, finished=0.0)]
        ),
        "scan": scan_document(run, [Finding(kind="cycles", message=second)]),
        "status": status_document(
            msgspec.structs.replace(run, error=first),
            [FileRecord(first, FileStatus.SKIPPED, NO_CONTENT, reason=second)],
            WorkProgress(4, 3, 1, 0, 9, 2, 100, 20, 0, 1, (first, second), 0.5),
        ),
        "store": StoreDocument(url=f"sqlite:///{first}", stats={"facts": 3, "bytes": 4096}),
        "symbols": symbols_document(first, 12, first, [declaration_entry(declaration, [Use(importer=second, line=4)])]),
        "unresolved": unresolved_document(first, 12, [unresolved, external]),
        "verify": verify_document(
            first,
            12,
            [
                Difference(
                    kind=DifferenceKind.MISSING,
                    what=DifferenceSubject.EDGE,
                    file=first,
                    detail=f"{first} -> {second}",
                    right=("line 3",),
                )
            ],
            sample=SampleEntry(files=1, of=1200, seed=7),
        ),
        "why": why_document(first, 12, importer=first, imported=second, path=edges[:1]),
    }
