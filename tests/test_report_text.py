"""Texts for people: what they show, and that no name of a repository can play with a terminal."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report_samples import HOSTILE, ORDINARY, edges_among, sample_documents, sample_run
from weft.report import text
from weft.report.documents import (
    StoreDocument,
    affected_document,
    affected_entry,
    component,
    cycles_document,
    dependents_document,
    deps_document,
    diff_document,
    order_document,
    runs_document,
    scan_document,
    status_document,
    symbols_document,
    unresolved_document,
    verify_document,
    why_document,
)
from weft.report.escape import printable, storable
from weft_storage.model.edges import Edge, Outside, Status
from weft_storage.model.facts import EdgeKind
from weft_storage.model.files import NO_CONTENT, ChangeKind, FileRecord, FileStatus
from weft_storage.model.history import ComponentChange, ComponentChangeKind, GraphDiff, Package
from weft_storage.model.languages import Family
from weft_storage.model.runs import Problem, RunState
from weft_storage.model.states import AffectedFile, Cause, CauseKind

RENDERERS: dict[str, Callable[..., str]] = {
    "affected": text.affected_text,
    "cycles": text.cycles_text,
    "dependents": text.dependents_text,
    "deps": text.deps_text,
    "diff": text.diff_text,
    "doctor": text.doctor_text,
    "order": text.order_text,
    "runs": text.runs_text,
    "scan": text.scan_text,
    "status": text.status_text,
    "store": text.store_text,
    "symbols": text.symbols_text,
    "unresolved": text.unresolved_text,
    "verify": text.verify_text,
    "why": text.why_text,
}

ANY_TEXT = st.text(st.characters(exclude_categories=[]))


def edge(importer: str, imported: str, line: int, kind: EdgeKind = EdgeKind.IMPORT) -> Edge:
    return Edge(importer, imported, kind, line, f"./{imported}")


# Escaping -----------------------------------------------------------------------------------------


@given(ANY_TEXT)
def test_printable_text_is_one_line_that_any_terminal_takes(name: str) -> None:
    printable(name).encode()
    assert printable(name).isprintable()


@given(ANY_TEXT, ANY_TEXT)
def test_printable_and_storable_keep_texts_apart(one: str, other: str) -> None:
    assert (printable(one) == printable(other)) == (one == other)
    assert (storable(one) == storable(other)) == (one == other)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("pkg/ü 日本語.py", "pkg/ü 日本語.py"),
        ("a\x1b[31m", "a\\x1b[31m"),
        ("a\udcff", "a\\xff"),
        ("a\xff", "aÿ"),
        ("a\x9b", "a\\u009b"),
        ("a\u202eb", "a\\u202eb"),
        ("a\n\r\t", "a\\n\\r\\t"),
        ("a\\n", "a\\\\n"),
        ("a\U000e0001", "a\\U000e0001"),
    ],
)
def test_names_are_escaped_as_python_would(name: str, shown: str) -> None:
    assert printable(name) == shown


def test_storable_text_keeps_tabs_and_newlines() -> None:
    assert storable("a\tb\nc\rd\u202e") == "a\tb\nc\rd\u202e"
    assert storable("a\n\0") == "a\\n\\x00"


# All texts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", sorted(RENDERERS))
def test_no_name_moves_the_cursor_or_breaks_a_line(command: str) -> None:
    shown = RENDERERS[command](sample_documents(HOSTILE)[command])
    shown.encode()
    assert shown.endswith("\n")
    assert all(line.isprintable() for line in shown.split("\n"))
    ordinary = RENDERERS[command](sample_documents([f"{number:02}.py" for number in range(len(HOSTILE))])[command])
    assert shown.count("\n") == ordinary.count("\n")


@pytest.mark.parametrize("command", sorted(RENDERERS))
def test_styles_add_only_what_they_add(command: str) -> None:
    roles = set()

    def marked(shown: str, role: str) -> str:
        roles.add(role)
        return f"«{role}:{shown}»"

    document = sample_documents(ORDINARY)[command]
    styled = RENDERERS[command](document, style=marked)
    assert re.sub(r"«[a-z]+:|»", "", styled) == RENDERERS[command](document)
    assert roles <= set(text.Role)
    assert roles or command in ("affected",)


# Each text ----------------------------------------------------------------------------------------


def test_a_scan_shows_its_figures_aligned() -> None:
    assert text.scan_text(scan_document(sample_run("acme"))) == (
        "run 12 of acme: incomplete, revision 1a2b3c4d5e6f\n"
        "  files           1,200  3 analyzed, 1,195 unchanged, 1 skipped, 1 failed; 0 from the cache (25.0 %)\n"
        "  changes             3  2 added, 0 modified, 1 deleted\n"
        "  edges           4,321\n"
        "  unresolved          1  99.9 % of all imports understood\n"
        "  cycles              1\n"
        "  affected            7\n"
        "  seconds          0.75  snapshot 0.25, diff 0.00, extract 0.50, resolve 0.00, merge 0.00, analyze 0.00\n"
        "1 problem\n"
        "  acme: cannot be parsed at 'acme'\n"
    )


def test_a_scan_shows_the_first_problems_and_a_count() -> None:
    problems = tuple(Problem(f"{number:02}.py", "broken") for number in range(25))
    lines = text.scan_text(scan_document(sample_run("p", problems=problems))).splitlines()
    assert lines[-12:] == ["25 problems", *(f"  {number:02}.py: broken" for number in range(10)), "  and 15 more"]


def test_all_imports_understood_is_said_only_of_all() -> None:
    def shown(unresolved: int) -> str:
        coverage = {"go": {"resolved": 10_000_000, "unresolved": unresolved}}
        return text.scan_text(scan_document(sample_run("p", coverage=coverage)))

    assert " 100.0 % of" in shown(0)
    assert " 99.9 % of" in shown(1)


def test_affected_files_show_their_reason_and_chain() -> None:
    chain = [edge("a.py", "b.py", 3), edge("b.py", "c.py", 7)]
    entries = [
        affected_entry(AffectedFile("a.py"), weak=False, why=chain, seed=AffectedFile("c.py", ChangeKind.MODIFIED)),
        affected_entry(AffectedFile("b.py"), weak=False),
        affected_entry(AffectedFile("c.py", ChangeKind.MODIFIED), weak=False),
        affected_entry(AffectedFile("d.py", None, True), weak=True),
    ]
    assert text.affected_text(affected_document("p", 1, entries)) == (
        "a.py  dependent\n"
        "    a.py:3 imports b.py:7 imports c.py: modified\n"
        "b.py  dependent\n"
        "c.py  modified\n"
        "d.py  resolved-anew, over weak edges only\n"
    )
    assert text.affected_text(affected_document("p", 1, [])) == "nothing is affected\n"


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (Cause(CauseKind.CAME, "x.ts"), "resolved otherwise, x.ts came"),
        (Cause(CauseKind.WENT, "x.ts"), "resolved otherwise, x.ts went"),
        (Cause(CauseKind.INTERFACE, "x.py"), "resolved otherwise, x.py has other names"),
        (Cause(CauseKind.MANIFEST, "tsconfig.json"), "resolved otherwise, tsconfig.json changed"),
        (Cause(CauseKind.SETTINGS), "resolved otherwise, the settings changed"),
        (Cause(CauseKind.PACKAGE, "uv.lock", "x", "1", "2"), "x 1 -> 2 in uv.lock"),
        (Cause(CauseKind.PACKAGE, "uv.lock", "x", "1", "1"), "x 1 with other content in uv.lock"),
        (Cause(CauseKind.PACKAGE, "uv.lock", "x", "", "2"), "x 2 came in uv.lock"),
        (Cause(CauseKind.PACKAGE, "uv.lock", "x", "1", "", ("a", "b")), "a needs b needs x 1 went in uv.lock"),
        (
            Cause(CauseKind.UNKNOWN, "go.mod", "x", "1", "2"),
            "may need x 1 -> 2 in go.mod, which does not tell who does",
        ),
        (Cause(CauseKind.UNKNOWN, "uv.lock", "x"), "packages moved in uv.lock, and x may be part of one"),
        (Cause(CauseKind.LOCKFILE, "uv.lock"), "uv.lock changed, and what moved in it cannot be told"),
    ],
)
def test_what_changed_is_said_in_words(cause: Cause, words: str) -> None:
    entry = affected_entry(AffectedFile("a.py", None, False, cause), weak=False)
    assert text.affected_text(affected_document("p", 1, [entry])) == f"a.py  package\n    {words}\n"


def test_an_order_shows_levels_and_keeps_cycles_together() -> None:
    document = order_document("p", 1, [[["b.py"], ["a.py"]], [["d.py", "c.py"]]])
    assert text.order_text(document) == "level 1\n  a.py\n  b.py\nlevel 2\n  c.py + d.py\n"
    assert text.order_text(order_document("p", 1, [])) == "nothing to order\n"


def test_cycles_show_every_import_of_one_and_name_the_other_members() -> None:
    cycle = [edge("a.py", "b.py", 3), edge("b.py", "a.py", 9, EdgeKind.TYPE)]
    members = ["a.py", "b.py", *(f"m{number:02}.py" for number in range(12))]
    document = cycles_document("p", 1, [component("xy", []), component(members, cycle)], runtime=False)
    assert text.cycles_text(document) == (
        "1. 14 files\n"
        '   a.py:3 imports b.py  (import, "./b.py")\n'
        '   b.py:9 imports a.py  (type, "./a.py")\n'
        "   with m00.py, m01.py, m02.py, m03.py, m04.py, m05.py, m06.py, m07.py, m08.py, m09.py and 2 more\n"
        "\n"
        "2. 2 files\n"
        "   with x, y\n"
    )
    assert text.cycles_text(cycles_document("p", 1, [], runtime=True)) == "no cycles\n"


def test_the_packages_of_a_go_cycle_are_not_named_twice() -> None:
    cycle = [edge("p/a.go", "q", 3), edge("q/b.go", "p", 4)]
    shown = text.cycles_text(cycles_document("p", 1, [component(["p", "q"], cycle)], runtime=False))
    assert "with" not in shown


def test_dependencies_show_their_edges() -> None:
    edges = [edge("a.py", "b.py", 3), edge("a.py", "b.py", 5, EdgeKind.TYPE), edge("a.py", "c.py", 0)]
    assert text.deps_text(deps_document("p", 1, "a.py", ["b.py", "c.py"], edges, transitive=False)) == (
        'b.py  (import, line 3, "./b.py")\nb.py  (type, line 5, "./b.py")\nc.py  (import, "./c.py")\n'
    )
    assert text.deps_text(deps_document("p", 1, "a.py", [], [], transitive=False)) == (
        "a.py depends on nothing in the repository\n"
    )


def test_transitive_neighbours_are_one_line_each_with_where_they_hang() -> None:
    edges = [edge("a.py", "b.py", 3), edge("b.py", "c.py", 4), edge("d.py", "c.py", 5)]
    assert text.deps_text(deps_document("p", 1, "a.py", ["b.py", "c.py", "x"], edges, transitive=True)) == (
        'b.py  (import, line 3, "./b.py", in a.py)\nc.py  (import, line 4, "./c.py", in b.py)\nx\n'
    )
    assert text.dependents_text(dependents_document("p", 1, "c.py", ["a.py", "b.py"], edges[:2], transitive=True)) == (
        'a.py  (import, line 3, "./b.py", of b.py)\nb.py  (import, line 4, "./c.py", of c.py)\n'
    )


def test_nothing_depends_on_a_leaf() -> None:
    document = dependents_document("p", 1, "a.py", [], [], transitive=False)
    assert text.dependents_text(document) == "nothing in the repository depends on a.py\n"


def test_why_shows_every_step_or_that_there_is_none() -> None:
    def shown(path: list[Edge] | None) -> str:
        return text.why_text(why_document("p", 1, importer="a", imported="c", path=path))

    assert shown([edge("a", "b", 1), edge("b", "c", 2)]) == (
        'a:1 imports b  (import, "./b")\nb:2 imports c  (import, "./c")\n'
    )
    assert shown(None) == "a does not depend on c\n"
    assert shown([]) == "a and c are one\n"


def test_imports_that_lead_nowhere_show_what_was_looked_for() -> None:
    imports = [
        Outside("a.py", 3, "./b", Status.UNRESOLVED, EdgeKind.IMPORT, (), "", ("b.py", "b/__init__.py")),
        Outside("a.py", 4, "numpy.linalg", Status.EXTERNAL, EdgeKind.IMPORT, (), "numpy"),
        Outside("a.py", 5, "$x", Status.UNRESOLVED, EdgeKind.DYNAMIC),
    ]
    assert text.unresolved_text(unresolved_document("p", 1, imports)) == (
        "a.py:3  ./b  looked for: b.py, b/__init__.py\na.py:4  numpy.linalg  package: numpy\na.py:5  $x\n"
    )
    assert text.unresolved_text(unresolved_document("p", 1, [])) == "none\n"


def test_symbols_show_their_uses() -> None:
    assert text.symbols_text(sample_documents(ORDINARY)["symbols"]) == (  # type: ignore[arg-type]
        "     3  class       pkg/b.py.pkg/a.py  (not exported)\n        used by pkg/b.py:4\n"
    )
    assert text.symbols_text(symbols_document("p", 1, "a.py", [])) == "a.py declares nothing\n"


def test_runs_are_a_table_with_the_errors_of_failed_ones() -> None:
    ended = sample_run("p", revision="1a2b")
    failed = sample_run(
        "p", revision="", id=13, state=RunState.FAILED, error="the store went away", finished=0.0, seconds={}
    )
    assert text.runs_text(runs_document("p", [ended, failed])) == (
        "run  state       started (UTC)        seconds  files  changes  edges  unresolved  affected  cycles  revision\n"
        " 13  failed      2026-01-31 02:00:00     0.00  1,200        3  4,321           1         7       1\n"
        "  the store went away\n"
        " 12  incomplete  2026-01-31 02:00:00     0.75  1,200        3  4,321           1         7       1  1a2b\n"
    )
    assert text.runs_text(runs_document("p", [])) == "no runs yet\n"


def test_a_diff_is_marked_as_diffs_are() -> None:
    gone = Outside("a.py", 4, "./gone", Status.UNRESOLVED, EdgeKind.IMPORT)
    grew = ComponentChange(
        7, ComponentChangeKind.GREW, ("a.py", "b.py", "d.py"), ("a.py",), (), (), (edge("a.py", "b.py", 3),), ()
    )
    found = GraphDiff(
        files={"a.py": ChangeKind.ADDED, "b.py": ChangeKind.MODIFIED, "c.py": ChangeKind.DELETED},
        added_edges=(edge("a.py", "b.py", 3),),
        removed_edges=(edge("c.py", "b.py", 0),),
        added_packages=(Package(Family.PYTHON, "attrs"),),
        removed_packages=(),
        added_unresolved=(gone,),
        removed_unresolved=(),
        components=(grew,),
    )
    assert text.diff_text(diff_document("p", old=1, new=2, diff=found)) == (
        "run 1 to run 2 of p\n"
        "+ a.py\n"
        "~ b.py\n"
        "- c.py\n"
        "- c.py -> b.py (import)\n"
        "+ a.py:3 -> b.py (import)\n"
        "+ package attrs (python)\n"
        "+ unresolved a.py:4 -> ./gone\n"
        "+ cycle 7 grew: 3 files, a.py, b.py, d.py\n"
        "+     a.py\n"
        "+     a.py:3 -> b.py (import)\n"
    )


def test_a_diff_without_differences_says_so() -> None:
    nothing = GraphDiff({}, (), (), (), (), (), (), ())
    shown = text.diff_text(diff_document("p", old=1, new=2, diff=nothing))
    assert shown == "run 1 to run 2 of p\nno difference\n"


def test_a_component_says_since_when_it_is_there_and_what_to_cut() -> None:
    cycle = [edge("a.py", "b.py", 3), edge("b.py", "a.py", 9, EdgeKind.TYPE)]
    found = component(["a.py", "b.py"], cycle, id=7, since=3, new=True, runtime=False, cut=cycle[1:], cut_names=2)
    assert text.cycles_text(cycles_document("p", 4, [found], runtime=False)) == (
        "1. 2 files  cycle 7 since run 3, of types only, new\n"
        '   a.py:3 imports b.py  (import, "./b.py")\n'
        '   b.py:9 imports a.py  (type, "./a.py")\n'
        "   without 1 import of 2 names there is no cycle:\n"
        '     b.py:9 imports a.py  (type, "./a.py")\n'
    )


def test_status_shows_coverage_and_what_was_skipped() -> None:
    records = [FileRecord(name, FileStatus.SKIPPED, NO_CONTENT, reason="binary") for name in ("a", "b")]
    lines = text.status_text(status_document(sample_run("acme"), records)).splitlines()
    assert lines[1:3] == [
        "  root        /src/acme",
        "  time        2026-01-31 02:00:00 to 2026-01-31 02:00:01 UTC",
    ]
    assert lines[9:17] == [
        "imports of        resolved    external   ambiguous  unresolved  understood",
        "go              0    0.0 %  1  100.0 %  0    0.0 %  0    0.0 %     100.0 %",
        "python      2,996   99.9 %  3    0.1 %  0    0.0 %  1  < 0.1 %      99.9 %",
        "all         2,996   99.8 %  4    0.1 %  0    0.0 %  1  < 0.1 %      99.9 %",
        "`weft unresolved` lists the unresolved ones with the paths that were looked for",
        "2 files skipped",
        "  binary: 2",
        "1 problem",
    ]


def test_problems_of_manifests_are_shown_before_those_of_sources() -> None:
    problems = (*(Problem(f"a{number}.py", "broken") for number in range(20)), Problem("tsconfig.json", "odd"))
    lines = text.status_text(status_document(sample_run("acme", problems=problems), [])).splitlines()
    at = lines.index("21 problems")
    assert lines[at + 1 : at + 3] == ["  tsconfig.json: odd", "  a0.py: broken"]
    assert lines[-1] == "  and 11 more"


def test_a_verification_shows_every_difference() -> None:
    assert text.verify_text(verify_document("p", 3, [])) == "run 3 equals a graph rebuilt from zero\n"
    assert text.verify_text(sample_documents(ORDINARY)["verify"]) == (  # type: ignore[arg-type]
        "run 12 differs from 1 of 1,200 files made from zero (--seed 7) in 1 place\n"
        "  missing edge: pkg/a.py -> pkg/b.py\n"
        "    right   line 3\n"
    )


def test_doctor_marks_what_fails() -> None:
    shown = text.doctor_text(sample_documents(ORDINARY)["doctor"])  # type: ignore[arg-type]
    assert shown == "ok    git  pkg/a.py\nfail  x    pkg/b.py\n"


def test_a_store_shows_what_it_holds_or_what_was_dropped() -> None:
    assert text.store_text(StoreDocument(url="sqlite:///x.db", stats={"runs": 3, "edges": 12345})) == (
        "sqlite:///x.db\n  edges  12,345\n  runs        3\n"
    )
    assert text.store_text(StoreDocument(url="memory://", collected={})) == "memory://, dropped\n"


def test_long_texts_take_linear_time() -> None:
    names = [f"{number:05}.py" for number in range(20_000)]
    edges = edges_among(names)
    assert text.deps_text(deps_document("p", 1, "a", names, edges, transitive=False)).count("\n") == len(edges)
    assert len(text.cycles_text(cycles_document("p", 1, [component(names, edges)], runtime=False))) > len(edges)
