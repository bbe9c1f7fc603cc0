"""Export: a published graph in the formats of other programs. Knows no store and writes no file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from weft.report.export.base import Exporter, Graph, in_chunks
from weft.report.export.dot import dot
from weft.report.export.graphml import graphml
from weft.report.export.lines import csv_rows, json_document, json_lines, outside_lines
from weft.report.export.mermaid import mermaid
from weft.report.export.sarif import sarif
from weft_storage.model.edges import Edge
from weft_storage.model.errors import UsageError

__all__ = ["FORMATS", "Exporter", "Graph", "export", "outside_lines", "sarif"]

FORMATS: Mapping[str, Exporter] = {
    "jsonl": json_lines,
    "json": json_document,
    "csv": csv_rows,
    "dot": dot,
    "mermaid": mermaid,
    "graphml": graphml,
}
"""Formats of the graph by name. SARIF is about findings, not about the graph: see `sarif`."""


def export(name: str, edges: Iterable[Edge], *, files: Sequence[str], project: str, run: int) -> Iterator[str]:
    """The pieces of the graph's text in one of FORMATS; joined and encoded as UTF-8 they are the file.

    `edges` must come sorted, as `Store.edges` gives them (ValueError where they do not), and are not held, except by
    mermaid: memory does not grow with them. `files` are nodes even where no edge leads to or from them.
    """
    exporter = FORMATS.get(name)
    if exporter is None:
        raise UsageError(name, "is not an export format", f"choose one of {', '.join(FORMATS)}")
    return in_chunks(exporter(Graph(_ascending(edges), sorted(files), project, run)))


def _ascending(edges: Iterable[Edge]) -> Iterator[Edge]:
    """The edges, checked: formats that stream cannot sort, and an order that differs would go unnoticed."""
    iterator = iter(edges)
    first = next(iterator, None)
    if first is None:
        return
    yield first
    previous = first
    for edge in iterator:
        if edge < previous:
            raise ValueError(f"edges are not sorted: {edge.importer!r} comes after {previous.importer!r}")
        yield edge
        previous = edge
