"""Formats: each is read back by a consumer of its own, also when names are attacks on it."""

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from report_samples import HOSTILE, ORDINARY, edges_among
from weft.report.documents import Component, component, edge_entry, export_document, to_json
from weft.report.escape import printable, storable
from weft.report.export import FORMATS, export, outside_lines, sarif
from weft.report.export.mermaid import MAX_CHARACTERS, MAX_EDGES
from weft_storage.model.edges import Edge, Outside, Status
from weft_storage.model.errors import UsageError
from weft_storage.model.facts import EdgeKind

NAMES = st.text(
    st.characters(exclude_categories=[]).filter(lambda each: not 0xD800 <= ord(each) < 0xDC80)
    | st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"])
    | st.sampled_from("\\\"'#%{}[]()<>&;:\n\r\t\0\x1b=+-@_ "),
    min_size=1,
).filter(lambda name: "/" not in name)

EVERY_FORMAT = pytest.mark.parametrize("name", sorted(FORMATS))


def written(name: str, edges: list[Edge], files: tuple[str, ...] = (), project: str = "p") -> str:
    return "".join(export(name, edges, files=files, project=project, run=7))


@pytest.fixture(params=[ORDINARY, HOSTILE], ids=["ordinary", "hostile"])
def names(request: pytest.FixtureRequest) -> tuple[str, ...]:
    found: tuple[str, ...] = request.param
    return found


# All formats --------------------------------------------------------------------------------------


@EVERY_FORMAT
def test_every_format_is_utf8_without_terminal_controls(name: str) -> None:
    text = written(name, edges_among(HOSTILE), HOSTILE, HOSTILE[1])
    text.encode()
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x9f]", text)


@EVERY_FORMAT
def test_every_format_writes_an_empty_graph(name: str) -> None:
    assert written(name, []) or name == "jsonl"


@EVERY_FORMAT
def test_edges_that_are_not_sorted_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not sorted"):
        written(name, edges_among(ORDINARY)[::-1])


def test_an_unknown_format_is_bad_usage() -> None:
    with pytest.raises(UsageError, match="jsonl"):
        export("yaml", [], files=(), project="p", run=1)


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"mermaid"}))
def test_formats_write_while_they_read(name: str) -> None:
    taken = 0

    def edges() -> Iterator[Edge]:
        nonlocal taken
        for taken in range(1, 20_001):
            yield Edge(f"pkg/{taken:06}.py", "pkg/all.py", EdgeKind.IMPORT, 1, "pkg.all")

    chunks = export(name, edges(), files=(), project="p", run=1)
    next(chunks)
    assert taken < 2_000
    assert sum(1 for _ in chunks) < 200
    assert taken == 20_000


# JSON lines, JSON, CSV ----------------------------------------------------------------------------


def test_json_lines_are_what_the_interface_shows() -> None:
    edge = Edge("pkg/a.py", "pkg/b.py", EdgeKind.IMPORT, 3, ".b", ("x",))
    assert written("jsonl", [edge]) == (
        '{"importer": "pkg/a.py", "imported": "pkg/b.py", "kind": "import", "strength": "strong", "line": 3, '
        '"specifier": ".b", "names": ["x"]}\n'
    )


def test_json_lines_hold_every_edge_in_order(names: tuple[str, ...]) -> None:
    edges = edges_among(names)
    lines = written("jsonl", edges).splitlines()
    assert [json.loads(line) for line in lines] == [json.loads(to_json(edge_entry(edge))) for edge in edges]


def test_json_is_the_export_document(names: tuple[str, ...]) -> None:
    edges = edges_among(names)
    text = written("json", edges, names[::-1], names[0])
    assert json.loads(text) == json.loads(to_json(export_document(names[0], 7, names, edges)))
    assert list(json.loads(text)) == ["schema", "project", "run", "files", "edges"]


def test_outside_lines_hold_their_fields() -> None:
    outside = Outside("a.py", 3, "b\udcff", Status.UNRESOLVED, EdgeKind.IMPORT, ("c",), "", ("b.py",))
    (line,) = outside_lines([outside])
    assert json.loads(line) == {
        "importer": "a.py",
        "line": 3,
        "specifier": "b\udcff",
        "status": "unresolved",
        "kind": "import",
        "names": ["c"],
        "package": "",
        "probed": ["b.py"],
    }


def csv_table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_csv_has_a_header_and_a_row_an_edge(names: tuple[str, ...]) -> None:
    edges = edges_among(names)
    header, *rows = csv_table(written("csv", edges))
    assert header == ["importer", "imported", "kind", "strength", "line", "specifier", "names"]
    assert [[cell.removeprefix("'") for cell in row] for row in rows] == [
        [
            storable(edge.importer),
            storable(edge.imported),
            edge.kind.value,
            edge_entry(edge).strength.value,
            str(edge.line),
            storable(edge.specifier),
            storable(" ".join(edge.names)),
        ]
        for edge in edges
    ]


@given(NAMES)
def test_no_csv_cell_is_a_formula(name: str) -> None:
    edge = Edge(name, name, EdgeKind.IMPORT, 1, name, (name,))
    for cell in csv_table(written("csv", [edge]))[1]:
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


# GraphML ------------------------------------------------------------------------------------------


def read_graphml(text: str) -> Any:
    return networkx.read_graphml(io.BytesIO(text.encode()), force_multigraph=True)


def test_networkx_reads_graphml(names: tuple[str, ...]) -> None:
    edges = edges_among(names)
    graph = read_graphml(written("graphml", edges, (*names, "alone.py"), names[0]))
    assert graph.is_directed()
    assert set(graph.nodes) == {"alone.py", *map(storable, names)}
    found = [(importer, imported, data["kind"], data["line"]) for importer, imported, data in graph.edges(data=True)]
    assert sorted(found) == sorted(
        (storable(edge.importer), storable(edge.imported), edge.kind.value, edge.line) for edge in edges
    )
    data = next(data for importer, _, data in graph.edges(data=True) if importer == storable(edges[0].importer))
    assert data["specifier"] == storable(edges[0].specifier)
    assert data["strength"] == edge_entry(edges[0]).strength.value


def test_graphml_declares_ends_that_are_no_files_before_their_edges() -> None:
    root = ET.fromstring(written("graphml", [Edge("a.go", "pkg", EdgeKind.IMPORT, 1, "m/pkg")], ("a.go",)))
    tags = [(each.tag.rpartition("}")[2], each.get("id")) for each in root[-1]]
    assert tags == [("node", "a.go"), ("node", "pkg"), ("edge", None)]


@given(st.lists(NAMES, min_size=2, unique=True))
def test_graphml_keeps_names_apart(names: list[str]) -> None:
    assert len(read_graphml(written("graphml", edges_among(names))).nodes) == len(names)


# DOT ----------------------------------------------------------------------------------------------


@dataclass
class Drawing:
    """What a consumer of DOT or Mermaid sees: (importer, imported) -> whether the line is broken."""

    nodes: set[str]
    edges: dict[tuple[str, str], bool]


_STRING = r'"(?:[^"\\\n]|\\.)*"'


def read_dot(text: str) -> Drawing:
    """A strict reader of the part of the DOT grammar that is used, by whole lines."""
    lines = text.split("\n")
    assert re.fullmatch(rf"digraph {_STRING} \{{", lines[0])
    assert lines[1:3] == ["  rankdir=LR;", "  node [shape=box];"]
    assert lines[-2:] == ["}", ""]
    drawing = Drawing(set(), {})
    for line in lines[3:-2]:
        match = re.fullmatch(rf"  ({_STRING})(?: -> ({_STRING})( \[style=dashed\])?)?;", line)
        assert match, line
        ends = [label(each) for each in match.group(1, 2) if each]
        drawing.nodes.update(ends)
        if len(ends) == 2:
            assert (ends[0], ends[1]) not in drawing.edges
            drawing.edges[ends[0], ends[1]] = match[3] is not None
    return drawing


def label(quoted: str) -> str:
    """What Graphviz shows: the lexer undoes an escaped quote, the label an escaped backslash."""
    return re.sub(r"\\(.)", r"\1", quoted[1:-1])


def expected_drawing(edges: list[Edge], show: Callable[[str], str] = printable) -> dict[tuple[str, str], bool]:
    strong = {(edge.importer, edge.imported) for edge in edges if edge.kind is EdgeKind.IMPORT}
    pairs = {(edge.importer, edge.imported) for edge in edges}
    return {(show(importer), show(imported)): (importer, imported) not in strong for importer, imported in pairs}


def test_dot_holds_files_and_links(names: tuple[str, ...]) -> None:
    edges = edges_among(names)
    drawing = read_dot(written("dot", edges, (*names, "alone.py"), names[0]))
    assert drawing.nodes == {"alone.py", *map(dot_name, names)}
    assert drawing.edges == expected_drawing(edges, dot_name)


def dot_name(name: str) -> str:
    """Graphviz shows numbers for names that begin with a percent sign."""
    return re.sub("^%", r"\\x25", printable(name))


def test_dot_draws_a_pair_once_and_dashed_only_if_all_its_edges_are_weak() -> None:
    weak = Edge("a", "b", EdgeKind.TYPE, 1, "b")
    assert read_dot(written("dot", [Edge("a", "b", EdgeKind.IMPORT, 2, "b"), weak])).edges == {("a", "b"): False}
    assert read_dot(written("dot", [weak])).edges == {("a", "b"): True}


@given(st.lists(NAMES, min_size=2, unique=True))
def test_dot_keeps_names_apart(names: list[str]) -> None:
    assert len(read_dot(written("dot", edges_among(names), project=names[0])).nodes) == len(names)


# Mermaid ------------------------------------------------------------------------------------------


def read_mermaid(text: str) -> Drawing:
    """A strict reader of the part of Mermaid's grammar that is used."""
    header, *lines = text.rstrip("\n").split("\n")
    assert header == "flowchart LR"
    names: dict[str, str] = {}
    drawing = Drawing(set(), {})
    for line in lines:
        if node := re.fullmatch(r'  (n\d+)\["((?:[\w./-]|#\d+;)+)"\]', line):
            names[node[1]] = re.sub(r"#(\d+);", lambda match: chr(int(match[1])), node[2])
        elif edge := re.fullmatch(r"  (n\d+) (-->|-\.->) (n\d+)", line):
            drawing.edges[names[edge[1]], names[edge[3]]] = edge[2] == "-.->"
        else:
            assert re.fullmatch(r"  %% [a-z0-9 :,]+", line), line
    drawing.nodes.update(names.values())
    return drawing


def test_mermaid_holds_links(names: tuple[str, ...]) -> None:
    edges = edges_among(names)
    drawing = read_mermaid(written("mermaid", edges, (*names, "alone.py")))
    assert drawing.nodes == set(map(printable, names))
    assert drawing.edges == expected_drawing(edges)


def test_mermaid_labels_are_not_markdown() -> None:
    text = written("mermaid", [Edge("a/__init__.py", "*b*.py", EdgeKind.IMPORT, 1, "b")])
    assert "__" not in text
    assert "*" not in text


def test_mermaid_within_its_limits_shows_files() -> None:
    edges = [Edge(f"a/{i:04}.py", "b/c.py", EdgeKind.IMPORT, 1, "b") for i in range(MAX_EDGES)]
    text = written("mermaid", edges)
    assert "%%" not in text
    assert len(read_mermaid(text).edges) == MAX_EDGES


def test_mermaid_above_its_limits_gathers_files_into_the_deepest_folders_that_fit() -> None:
    edges = sorted(
        Edge(f"app{i % 3}/pkg{i % 40}/part/f{i}.py", f"lib/l{i % 7}/x{j}.py", EdgeKind.IMPORT, 1, "x")
        for i in range(200)
        for j in range(5)
    )
    text = written("mermaid", edges)
    drawing = read_mermaid(text)
    assert "%% too large to draw whole: folders, 3 levels deep, stand for the files in them" not in text
    assert "%% too large to draw whole: folders, 2 levels deep, stand for the files in them" in text
    assert ("app0/pkg0", "lib/l0") in drawing.edges
    assert len(drawing.edges) <= MAX_EDGES


def test_mermaid_gathers_because_of_characters_too() -> None:
    edges = [Edge(f"{'long' * 60}/{'folder' * 40}/{i:03}.py", "b.py", EdgeKind.IMPORT, 1, "b") for i in range(400)]
    text = written("mermaid", edges)
    assert len(text) <= MAX_CHARACTERS
    assert read_mermaid(text).nodes == {f"{'long' * 60}/{'folder' * 40}", "b.py"}


def test_a_gathered_link_is_weak_only_if_all_its_files_are() -> None:
    edges = [
        Edge(f"{folder}/{i:04}.py", "c/x.py", EdgeKind.TYPE if folder == "a" or i else EdgeKind.IMPORT, 1, "x")
        for folder in ("a", "b")
        for i in range(MAX_EDGES)
    ]
    assert read_mermaid(written("mermaid", edges)).edges == {("a", "c"): True, ("b", "c"): False}


def test_a_gathered_folder_is_the_go_package_of_the_same_name() -> None:
    edges = sorted(
        [
            Edge("pkg/a/x.go", "pkg/b", EdgeKind.IMPORT, 1, "m/pkg/b"),
            Edge("pkg/b/y.go", "pkg/c", EdgeKind.IMPORT, 1, "c"),
        ]
        + [Edge(f"pkg/a/{i:04}.go", "pkg/b", EdgeKind.IMPORT, 1, "m/pkg/b") for i in range(MAX_EDGES)]
    )
    assert read_mermaid(written("mermaid", edges)).edges == {("pkg/a", "pkg/b"): False, ("pkg/b", "pkg/c"): False}


def test_mermaid_of_a_flat_repository_that_fits_nowhere_is_one_node_or_less() -> None:
    edges = [Edge(f"{i:05}.py", "x.py", EdgeKind.IMPORT, 1, "x") for i in range(5_000)]
    text = written("mermaid", edges)
    assert "0 levels" in text
    assert not read_mermaid(text).edges


def test_very_deep_paths_do_not_cost_a_try_a_level() -> None:
    deep = "/".join("d" * 2_000)
    edges = [Edge(f"{deep}/{i:04}.py", f"{deep}/x.py", EdgeKind.IMPORT, 1, "x") for i in range(1_000)]
    assert len(written("mermaid", edges)) <= MAX_CHARACTERS


# SARIF --------------------------------------------------------------------------------------------


def read_sarif(components: list[Component], unresolved: list[Outside]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    log = json.loads("".join(sarif(components, unresolved, version="1.2.3")))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["message"]["text"]
        assert result["locations"]
    return run, run["results"]


def place(location: dict[str, Any]) -> tuple[str, int]:
    artifact = location["physicalLocation"]["artifactLocation"]
    assert artifact["uriBaseId"] == "%SRCROOT%"
    assert re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", artifact["uri"])
    path = unquote_to_bytes(artifact["uri"]).decode("utf-8", "surrogateescape")
    return path, location["physicalLocation"].get("region", {"startLine": 0})["startLine"]


def test_sarif_names_the_tool_and_its_rules() -> None:
    run, results = read_sarif([], [])
    assert run["tool"]["driver"]["version"] == "1.2.3"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["dependency-cycle", "unresolved-import"]
    assert results == []


def test_sarif_leads_to_every_import_of_a_cycle(names: tuple[str, ...]) -> None:
    edges = edges_among(names)
    _, (result,) = read_sarif([component(names, edges)], [])
    assert place(result["locations"][0]) == (edges[0].importer, edges[0].line)
    assert [place(each) for each in result["relatedLocations"]] == [(edge.importer, edge.line) for edge in edges]
    linked = re.findall(r"(?<!\\)\[(?:[^\[\]\\]|\\.)*\]\((\d+)\)", result["message"]["text"])
    assert linked == [str(each["id"]) for each in result["relatedLocations"]] + ["1"]


def test_sarif_messages_hold_neither_foreign_links_nor_placeholders(names: tuple[str, ...]) -> None:
    outside = [Outside(name, 4, name, Status.UNRESOLVED, EdgeKind.IMPORT, (), "", names) for name in names]
    _, results = read_sarif([component(names, edges_among(names))], outside)
    texts = [result["message"]["text"] for result in results]
    texts += [each["message"]["text"] for each in results[0]["relatedLocations"]]
    for text in texts:
        assert not re.search(r"(?<!\\)\]\((?!\d+\))", text)
        assert not re.search(r"\{\d", text.replace("{{", ""))


def test_sarif_shows_unresolved_imports_where_they_stand() -> None:
    _, (result,) = read_sarif([], [Outside("a b.py", 4, "./c", Status.UNRESOLVED, EdgeKind.IMPORT, (), "", ("c.py",))])
    assert place(result["locations"][0]) == ("a b.py", 4)
    assert result["message"]["text"] == "'./c' leads to nothing; looked for c.py."


def test_fingerprints_stay_when_lines_move_and_differ_between_findings() -> None:
    def fingerprints(offset: int) -> list[Any]:
        edges = [msgspec.structs.replace(edge, line=edge.line + offset) for edge in edges_among(ORDINARY)]
        outside = [
            Outside("a.py", line + offset, "./x", Status.UNRESOLVED, EdgeKind.IMPORT, (), "", ()) for line in (3, 5)
        ]
        found = [component(ORDINARY, edges), component(ORDINARY[1:], edges)]
        return [result["partialFingerprints"] for result in read_sarif(found, outside)[1]]

    assert fingerprints(0) == fingerprints(17)
    assert len({json.dumps(each) for each in fingerprints(0)}) == 4


def test_an_edge_without_a_line_has_no_region() -> None:
    edges = [Edge("a", "b", EdgeKind.IMPORT, 0, ""), Edge("b", "a", EdgeKind.IMPORT, 2, "")]
    _, (result,) = read_sarif([component("ab", edges)], [])
    assert "region" not in result["locations"][0]["physicalLocation"]
    assert place(result["relatedLocations"][1]) == ("b", 2)
