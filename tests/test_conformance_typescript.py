"""The predicates of TypeScript's register, tried with made-up mistakes: what is near to a class and not of it."""

from pathlib import Path

from conformance.base import Answers, Difference, Evidence, Side
from conformance.graphs import WeftGraph
from conformance.typescript.outputs import is_beside, is_entry_of_build, is_never_kept, stem
from conformance.typescript.packages import USUAL, entries, package_of
from conformance.typescript.predicates import import_map, meta_glob, other_condition, output_beside_source
from weft_storage.model.edges import Edge
from weft_storage.model.facts import EdgeKind

PACKAGE = (
    '{"name": "p", "exports": {".": {"types": "./dist/index.d.ts", "default": "./dist/esm/index.js"}, "./b": "./b.js"}}'
)


def graph_of(root: Path, files: dict[str, str], edges: tuple[Edge, ...] = ()) -> WeftGraph:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return WeftGraph(str(root), edges, (), frozenset(files))


def extra(edge: Edge, graph: WeftGraph) -> tuple[Difference, Evidence]:
    """An edge of Weft that the authority leaves without an answer."""
    answers = Answers({}, {edge.importer: None}, external=frozenset({(edge.importer, edge.specifier)}))
    return Difference(edge.importer, edge.imported, Side.EXTRA, 1, edge), Evidence(graph.root, graph, answers)


def test_suffixes_of_sources_and_outputs_are_one() -> None:
    assert {stem(f"a/b{each}") for each in (".ts", ".d.ts", ".mjs", ".d.cts", ".tsx", ".vue")} == {"a/b"}
    assert stem("a/b.service") == "a/b.service"


def test_a_source_lies_as_the_output_does_but_for_folders_of_formats(tmp_path: Path) -> None:
    files = dict.fromkeys(("p/src/index.ts", "p/src/deep/a.ts", "p/src/a.ts", "p/src/two.ts", "p/src/two.js"), "")
    graph = graph_of(tmp_path, files)
    assert is_beside("p/src/index.ts", "p/dist/esm/index.js", "p", graph)
    assert is_beside("p/src/deep/a.ts", "p/dist/deep/a.d.ts", "p", graph)
    assert not is_beside("p/src/a.ts", "p/dist/deep/a.js", "p", graph)  # Another file bears the path.
    assert not is_beside("p/src/a.ts", "p/dist/other/a.js", "p", graph)  # No folder of a format.
    assert not is_beside("p/src/two.ts", "p/dist/two.js", "p", graph)  # Two sources may be meant.


def test_what_git_ignores_or_has_no_folder_is_never_kept(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, {".gitignore": "/p/lib\n", "p/lib/kept.js": "", "p/bin/a.js": ""})
    assert is_never_kept("p/lib/index.js", graph)
    assert is_never_kept("p/dist/index.js", graph)
    assert not is_never_kept("p/bin/index.js", graph)


def test_a_program_that_builds_names_the_very_source(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, {"p/rollup.config.js": "input: 'src/index.ts'", "p/notes.txt": "src/other.ts"})
    assert is_entry_of_build("p/src/index.ts", "p", graph)
    assert not is_entry_of_build("p/src/other.ts", "p", graph)
    assert not is_entry_of_build("p/src/in.ts", "p", graph)


def test_an_entry_is_that_of_the_package_which_the_importer_sees(tmp_path: Path) -> None:
    graph = graph_of(
        tmp_path,
        {"package.json": '{"workspaces": ["p"]}', "p/package.json": PACKAGE, "x/p/package.json": PACKAGE, "a.ts": ""},
    )
    edge = Edge("a.ts", "p/src/index.ts", EdgeKind.IMPORT, 1, "p")
    assert package_of(edge, graph) == "p"
    assert entries(edge, graph, USUAL) == ["p/dist/index.d.ts", "p/dist/esm/index.js"]


def test_a_wrong_source_of_an_output_is_covered_by_no_class(tmp_path: Path) -> None:
    files = {"package.json": '{"workspaces": ["p"]}', "p/package.json": PACKAGE, "a.ts": ""}
    files |= dict.fromkeys(("p/src/index.ts", "p/src/main.ts", "p/lib/index.ts"), "")
    graph = graph_of(tmp_path, files)
    right = Edge("a.ts", "p/src/index.ts", EdgeKind.IMPORT, 1, "p")
    assert output_beside_source(*extra(right, graph))
    for wrong in ("p/src/main.ts", "p/lib/index.ts"):
        assert not output_beside_source(*extra(Edge("a.ts", wrong, EdgeKind.IMPORT, 1, "p"), graph))
    answered = Evidence(graph.root, graph, Answers({("a.ts", "p/lib/index.ts"): 1}, {"a.ts": None}))
    assert not output_beside_source(extra(right, graph)[0], answered)


def test_a_usual_condition_is_no_other_condition(tmp_path: Path) -> None:
    exports = '{"name": "p", "exports": {".": {"svelte": "./s.js"}, "./b": {"default": "./b.js", "svelte": "./s.js"}}}'
    graph = graph_of(tmp_path, {"package.json": '{"workspaces": ["p"]}', "p/package.json": exports, "p/s.js": ""})
    assert other_condition(*extra(Edge("a.ts", "p/s.js", EdgeKind.IMPORT, 1, "p"), graph))
    assert not other_condition(*extra(Edge("a.ts", "p/s.js", EdgeKind.IMPORT, 1, "p/b"), graph))


def test_an_import_map_explains_its_own_target_alone(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, {"deno.json": '{"imports": {"lib/": "./src/"}}', "src/a.ts": "", "src/ab.ts": ""})
    assert import_map(*extra(Edge("m.ts", "src/a.ts", EdgeKind.IMPORT, 1, "lib/a.ts"), graph))
    assert not import_map(*extra(Edge("m.ts", "src/ab.ts", EdgeKind.IMPORT, 1, "lib/a.ts"), graph))


def test_a_pattern_explains_what_it_matches_alone(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, {"m.ts": 'import.meta.glob("./a/*.ts")', "a/x.ts": "", "a/b/y.ts": ""})
    assert meta_glob(*extra(Edge("m.ts", "a/x.ts", EdgeKind.DYNAMIC, 1, "./a/*.ts"), graph))
    assert not meta_glob(*extra(Edge("m.ts", "a/b/y.ts", EdgeKind.DYNAMIC, 1, "./a/*.ts"), graph))
