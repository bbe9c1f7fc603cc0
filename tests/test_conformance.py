"""The conformance harness: its counting, its register, its scores. The authorities run in `make conformance`."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import register, scores
from conformance.__main__ import LANGUAGES, classes_of_language
from conformance.base import Answers, Difference, Evidence, Pair, Side
from conformance.comparison import compare, impossible, joined
from conformance.graphs import WeftGraph
from conformance.python.grimp import package_groups
from conformance.python.referee import bindings, find, root_for
from conformance.register import DifferenceClass, Right
from conformance.rust.copies import without_conditions
from conformance.rust.nameres import crates, fixtures
from conformance.rust.paths import paths
from conformance.rust.text import read_text
from weft_storage.model.edges import Edge, Outside, Status
from weft_storage.model.facts import EdgeKind


class Fixed:
    """An authority whose answers are given."""

    name = "fixed"

    def __init__(self, *pairs: Pair, read: tuple[str, ...] = ("a", "b")) -> None:
        self._answers = Answers(dict.fromkeys(pairs, 7), dict.fromkeys(read))

    def version(self) -> str:
        return "1"

    def answers(self, root: str, graph: WeftGraph) -> Answers:
        return self._answers

    def pair_of(self, edge: Edge) -> Pair | None:
        return (edge.importer, edge.imported) if edge.kind is EdgeKind.IMPORT else None


def graph_of(*pairs: Pair, kind: EdgeKind = EdgeKind.IMPORT) -> WeftGraph:
    edges = (Edge(importer, imported, kind, 3, imported) for importer, imported in pairs)
    return WeftGraph("/nowhere", tuple(edges), (), frozenset({"a", "b"}))


def class_of(side: Side, right: Right, imported: str) -> DifferenceClass:
    def holds(difference: Difference, evidence: Evidence) -> bool:
        return difference.imported == imported

    empty = dict.fromkeys(
        ("title", "versions", "authority_says", "weft_says", "why", "source", "case", "predicate", "language"), ""
    )
    return DifferenceClass(
        id=f"{imported}-{right}", authorities=("fixed",), side=side, right=right, holds=holds, **empty
    )


def test_precision_and_recall_are_counts_of_pairs() -> None:
    outcome = compare(Fixed(("a", "x"), ("a", "y"), ("b", "z")), "/", graph_of(("a", "x"), ("a", "w")), ())
    assert (outcome.edges, outcome.raw_precision, outcome.raw_recall) == (2, 1 / 2, 1 / 3)
    assert (outcome.precision, outcome.recall) == (1 / 2, 1 / 3)
    assert [(each.imported, each.line) for each in outcome.unexplained] == [("w", 3), ("y", 7), ("z", 7)]


def test_a_class_in_which_weft_is_right_counts_as_agreement() -> None:
    classes = [class_of(Side.EXTRA, Right.WEFT, "w"), class_of(Side.MISSING, Right.WEFT, "y")]
    outcome = compare(Fixed(("a", "x"), ("a", "y")), "/", graph_of(("a", "x"), ("a", "w")), classes)
    assert (outcome.precision, outcome.recall, outcome.unexplained) == (1, 1, [])
    assert outcome.classes == {"w-weft": 1, "y-weft": 1}


def test_a_class_in_which_the_authority_is_right_explains_and_still_counts_against_weft() -> None:
    classes = [class_of(Side.MISSING, Right.AUTHORITY, "y")]
    outcome = compare(Fixed(("a", "x"), ("a", "y")), "/", graph_of(("a", "x")), classes)
    assert (outcome.recall, outcome.unexplained) == (1 / 2, [])


def test_a_class_explains_only_its_own_side() -> None:
    outcome = compare(Fixed(), "/", graph_of(("a", "w")), [class_of(Side.MISSING, Right.WEFT, "w")])
    assert [each.imported for each in outcome.unexplained] == ["w"]


def test_pairs_of_which_the_authority_cannot_speak_are_left_out() -> None:
    outcome = compare(Fixed(("a", "x"), read=("a",)), "/", graph_of(("a", "x"), ("b", "w")), ())
    assert (outcome.edges, outcome.precision) == (1, 1)
    other_kind = compare(Fixed(read=("a",)), "/", graph_of(("a", "x"), kind=EdgeKind.ANCESTOR), ())
    assert other_kind.edges == 0


def test_comparisons_of_several_corpora_add_up() -> None:
    one = compare(Fixed(("a", "x")), "/", graph_of(("a", "x")), ()).named("first")
    two = compare(Fixed(), "/", graph_of(("a", "w")), ()).named("second")
    both = joined([one, two])
    assert (both.edges, both.precision, both.unexplained[0].importer) == (2, 1 / 2, "second: a")


def test_an_edge_to_nothing_is_found(tmp_path: Path) -> None:
    tmp_path.joinpath("b.py").touch()
    graph = graph_of(("a.py", "b.py"), ("a.py", "gone.py"))
    assert [each.imported for each in impossible(str(tmp_path), graph, (".py",))] == ["gone.py"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_register_is_whole(language: str) -> None:
    classes = classes_of_language(language)
    assert len({each.id for each in classes}) == len(classes)
    cases = [each.case for each in [*classes, *register.pinned_of(language)] if each.case]
    assert [case for case in cases if not Path(__file__).parent.joinpath("cases", case).exists()] == []


def test_scores_are_merged_by_corpus_and_authority(tmp_path: Path) -> None:
    row = scores.Row(
        corpus="c", commit="", language="go", authority="go list", version="1", weft="1", date="2024-01-01", files=1,
        unread=0, edges=2, raw_precision=1, raw_recall=0.99999, precision=1, recall=1, unexplained=(), findings=(),
        classes={"x": 3},
    )  # fmt: skip
    page = tmp_path / "scores.md"
    scores.save(page, scores.merge([replace(row, edges=1), replace(row, corpus="d")], [row]))
    assert scores.load(page) == [row, replace(row, corpus="d")]
    assert "| 1 / 0.9999 |" in page.read_text()
    assert scores.explained(scores.load(page)) == {"x": {"c": 3, "d": 3}}


def test_the_referee_finds_what_cpython_would(tmp_path: Path) -> None:
    for name in ("one/space/a.py", "two/space/b/__init__.py", "one/package/__init__.py", "two/package/c.py"):
        tmp_path.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        tmp_path.joinpath(name).touch()
    roots = ["one", "two"]
    assert find(str(tmp_path), roots, "space.b") == "two/space/b/__init__.py"
    assert find(str(tmp_path), roots, "space.a") == "one/space/a.py"
    assert find(str(tmp_path), roots, "package.c") is None
    assert root_for("two/space/b/__init__.py", "space", ["b"]) == ("two", "space.b")


def test_the_referee_reads_bindings_from_the_text(tmp_path: Path) -> None:
    file = tmp_path / "__init__.py"
    file.write_text("from .x import x\nfrom . import y\nimport a.b\ntry:\n    z = 1\nexcept E:\n    def w(): pass\n")
    assert bindings(str(file)) == {"x", "a", "z", "w"}


def test_the_referee_follows_star_imports(tmp_path: Path) -> None:
    tmp_path.joinpath("__init__.py").write_text("from .one import *\nfrom .two import *\n")
    tmp_path.joinpath("one.py").write_text("from .two import *\nfrom . import *\n__all__ = ['a']\nb = 1\n")
    tmp_path.joinpath("two.py").write_text("c = _d = 1\n")
    assert bindings(str(tmp_path / "__init__.py")) == {"a", "c"}


def test_packages_of_all_source_folders_are_one_group() -> None:
    files = ["one/src/space/a/__init__.py", "two/src/space/b/__init__.py", "tests/__init__.py", "x-y/__init__.py"]
    assert package_groups(files, lambda _: True) == [
        {"tests": "tests"},
        {"space.a": "one/src/space/a", "space.b": "two/src/space/b"},
    ]
    assert package_groups(files[:1], lambda _: False) == [{"a": "one/src/space/a"}]


def explained(root: Path, files: dict[str, str], difference: Difference, *outside: str) -> str | None:
    """The class of a difference with ruff, where Weft says that these specifiers of the importer are external."""
    for name, text in files.items():
        root.joinpath(name).parent.mkdir(parents=True, exist_ok=True)
        root.joinpath(name).write_text(text)
    importer = difference.importer
    said = tuple(Outside(importer, 1, each, Status.EXTERNAL, EdgeKind.IMPORT) for each in outside)
    edges = () if difference.edge is None else (difference.edge,)
    evidence = Evidence(str(root), WeftGraph(str(root), edges, said, frozenset(files)), Answers({}, {}))
    classes = (each for each in classes_of_language("python") if "ruff" in each.authorities)
    return next(
        (each.id for each in classes if each.side is difference.side and each.holds(difference, evidence)), None
    )


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [("[tool.mypy]\nstrict = true\n", None), ("[project]\nname = 'x'\n", "py-portion-as-root")],
)
def test_only_what_is_built_from_makes_namespaces(tmp_path: Path, manifest: str, expected: str | None) -> None:
    files = {
        "pyproject.toml": manifest,
        "src/python/app/__init__.py": "",
        "src/python/app/a.py": "import app.core",
        "src/python/app/core.py": "",
    }
    missed = Difference("src/python/app/a.py", "src/python/app/core.py", Side.MISSING, 1)
    assert explained(tmp_path, files, missed, "app.core") == expected


def test_a_module_called_setup_makes_no_root_for_its_siblings(tmp_path: Path) -> None:
    files = {
        "lib/pkg/__init__.py": "",
        "lib/pkg/setup.py": "",
        "lib/pkg/tempfile.py": "",
        "lib/pkg/a.py": "import tempfile",
    }
    edge = Edge("lib/pkg/a.py", "lib/pkg/tempfile.py", EdgeKind.IMPORT, 1, "tempfile")
    wrong = Difference(edge.importer, edge.imported, Side.EXTRA, 1, edge)
    assert explained(tmp_path, files, wrong) is None


@pytest.mark.parametrize(("told", "expected"), [("", "py-above-script"), ("tests/conftest.py", None)])
def test_a_folder_that_a_conftest_adds_is_no_folder_above(tmp_path: Path, told: str, expected: str | None) -> None:
    files = {"tests/helper.py": "", "tests/unit/test_a.py": "import helper"} | ({told: ""} if told else {})
    missed = Difference("tests/unit/test_a.py", "tests/helper.py", Side.MISSING, 1)
    assert explained(tmp_path, files, missed, "helper") == expected


def test_conditions_are_blanked_where_they_stand() -> None:
    source = b'#[cfg(all(a, feature = ")"))]\nmod a;\n#![cfg(\n  b\n)]\n#[cfg_attr(c, path = "x.rs")] mod d;\ncfg!(e)'
    blanked = without_conditions(source)
    assert len(blanked) == len(source)
    assert blanked.split() == [b"mod", b"a;", b"#[cfg_attr(c,", b"path", b"=", b'"x.rs")]', b"mod", b"d;", b"cfg!(e)"]
    assert blanked.count(b"\n") == source.count(b"\n")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("use a::{b, c::{self, D as E}, f::*};", ["a::b", "a::c::self", "a::c::D", "a::f"]),
        ("pub(in crate::x) fn f(y: a::B<c::D>) -> e::F {}", ["a::B", "c::D", "e::F"]),
        ("mod m; extern crate n as o; p!(q::r); <S as t::U>::v()", ["m", "n", "p", "q::r", "t::U"]),
        ("x.y::<Z>(); // a::b\nlet s = r#\"c::d\"#; 'l'; ::e::f()", ["e::f"]),
        ("use ::{a, b::c}; use *; use d", ["a", "b::c", "d"]),
    ],
)
def test_paths_of_rust_are_cut_from_the_text(source: str, expected: list[str]) -> None:
    text = read_text(source.encode())

    def word(position: int) -> str:
        found = re.match(r"\w+", text.plain[position:])
        return found[0] if found else ""

    assert ["::".join(map(word, each.segments)) for each in paths(text)] == expected


def test_fixtures_of_name_resolution_become_packages(tmp_path: Path) -> None:
    source = (
        'fn one() {\n    check(\n        r#"\n//- /main.rs crate:main deps:x,y edition:2015\nmod a;\n//- /a.rs\n'
        '//- /x.rs crate:x@0.1.0\n"#,\n        expect![[r#"\n            crate\n            - a : type\n"#]],\n'
        "    );\n}\n"
    )
    [(name, text)] = fixtures(source)
    assert name == "one"
    main, other = crates(text)
    assert (main.name, main.root, main.edition, main.dependencies) == ("main", "main.rs", "2015", ("x", "y"))
    assert (list(main.files), other.name) == (["main.rs", "a.rs"], "x")
    main.write(tmp_path)
    assert tmp_path.joinpath("main/main.rs").read_text() == "mod a;\n"
