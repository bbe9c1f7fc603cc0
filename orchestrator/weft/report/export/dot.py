"""Graphviz DOT (https://graphviz.org/doc/info/lang.html). Knows nothing of layout."""

from collections.abc import Iterator

from weft.report.escape import printable
from weft.report.export.base import Graph, links


def dot(graph: Graph) -> Iterator[str]:
    """A digraph with one node a file and one edge a pair of files, dashed where it is weak."""
    yield f"digraph {_quoted(graph.project)} {{\n  rankdir=LR;\n  node [shape=box];\n"
    for file in graph.files:
        yield f"  {_quoted(file)};\n"
    for link in links(graph.edges):
        style = " [style=dashed]" if link.weak else ""
        yield f"  {_quoted(link.importer)} -> {_quoted(link.imported)}{style};\n"
    yield "}\n"


def _quoted(name: str) -> str:
    """A quoted ID. Backslashes are doubled: the lexer keeps a pair as it is, and in a label it means one."""
    text = printable(name)
    if text.startswith("%"):  # Graphviz takes such names for its own, of nodes without one, and shows numbers instead.
        text = "\\x25" + text[1:]
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
