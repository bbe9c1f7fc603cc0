"""The classes of Go in the register, tried with errors that they must not cover; the checks without an authority."""

from pathlib import Path

import pytest

from conformance.base import Answers, Difference, Evidence, Side
from conformance.go.checks import findings
from conformance.go.predicates import relative_import, unconnected_sibling
from conformance.graphs import WeftGraph
from weft_storage.model.edges import Edge
from weft_storage.model.facts import EdgeKind

FILES = {
    "go.mod": "module example.com/m\n",
    "a.go": "",
    "sub/go.mod": "module example.com/m/sub/v2\n",
    "sub/p/p.go": "",
    "sub/p/only/x_test.go": "",
    "sdk/go/go.mod": "module example.io/sdk\n",
    "sdk/go/sdk.go": "",
    "testdata/x/x.go": "",
    "nested/go.mod": "module example.com/m/nested\nrequire example.com/m/sub/v2 v2.1.0\n",
    "nested/n.go": "",
    "vendor/v.org/v/v.go": "",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def graph(root: Path, *edges: Edge) -> WeftGraph:
    return WeftGraph(str(root), edges, (), frozenset(FILES))


def extra(root: Path, importer: str, imported: str, specifier: str) -> tuple[Difference, Evidence]:
    """A pair that Weft has alone, which `go list` says leads outside."""
    edge = Edge(importer, imported, EdgeKind.IMPORT, 3, specifier)
    answers = Answers({}, {importer: None}, external=frozenset({(importer, specifier)}))
    return Difference(importer, imported, Side.EXTRA, 3, edge), Evidence(str(root), graph(root, edge), answers)


@pytest.mark.parametrize(
    ("importer", "imported", "specifier", "covered"),
    [
        ("a.go", "sub/p", "example.com/m/sub/v2/p", True),
        ("a.go", "sub/p", "example.com/m/sub/p", False),
        ("a.go", "sub", "example.com/m/sub/v2/p", False),
        ("a.go", "sdk/go", "example.io/sdk", False),
        ("testdata/x/x.go", "sub/p", "example.com/m/sub/v2/p", False),
        ("nested/n.go", "sub/p", "example.com/m/sub/v2/p", False),
    ],
)
def test_a_sibling_is_one_of_the_same_layout_alone(
    root: Path, importer: str, imported: str, specifier: str, covered: bool
) -> None:
    assert unconnected_sibling(*extra(root, importer, imported, specifier)) is covered


@pytest.mark.parametrize(
    ("imported", "specifier", "covered"),
    [
        ("sub/p", "./sub/p", True),
        ("sub", "./sub/p", False),
        ("sub/p/only", "./sub/p/only", False),
        ("sub/p", "sub/p", False),
    ],
)
def test_a_relative_import_leads_to_that_very_folder(root: Path, imported: str, specifier: str, covered: bool) -> None:
    assert relative_import(*extra(root, "a.go", imported, specifier)) is covered


@pytest.mark.parametrize(
    ("imported", "specifier", "stands_in"),
    [
        ("sub/p", "example.com/m/sub/v2/p", False),
        ("vendor/v.org/v", "v.org/v", False),
        ("sub/p", "v.org/v", True),
        ("sdk/go", "example.com/mx/sdk", True),
        ("vendor/v.org/v", "w.org/w", True),
    ],
)
def test_a_package_from_outside_is_found_without_an_authority(
    root: Path, imported: str, specifier: str, stands_in: bool
) -> None:
    edge = Edge("a.go", imported, EdgeKind.IMPORT, 3, specifier)
    assert [each.imported for each in findings(str(root), graph(root, edge))] == ([imported] if stands_in else [])
