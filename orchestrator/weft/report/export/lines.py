"""Formats of one record a line: JSON lines, the JSON document, CSV. Knows nothing of graphs but their edges."""

import csv
import json
from collections.abc import Iterable, Iterator

import msgspec

from weft.report.documents import EdgeEntry, export_document, outside_entry
from weft.report.escape import storable
from weft.report.export.base import Graph, json_array
from weft_storage.model.edges import Edge, Outside
from weft_storage.model.facts import strength_of

# A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection"), and the names are a stranger's.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def json_lines(graph: Graph) -> Iterator[str]:
    """One edge a line, in the graph's order."""
    for edge in graph.edges:
        yield _edge(edge) + "\n"


def outside_lines(imports: Iterable[Outside]) -> Iterator[str]:
    """One import that leads out of the repository a line, in the given order."""
    for each in imports:
        yield json.dumps(msgspec.to_builtins(outside_entry(each))) + "\n"


def json_document(graph: Graph) -> Iterator[str]:
    """The document `weft/export/1`, with a file or an edge a line."""
    head = msgspec.to_builtins(export_document(graph.project, graph.run, (), ()))
    del head["files"], head["edges"]
    yield json.dumps(head, indent=2).removesuffix("\n}")
    yield ',\n  "files": '
    yield from json_array(map(json.dumps, graph.files), "  ")
    yield ',\n  "edges": '
    yield from json_array(map(_edge, graph.edges), "  ")
    yield "\n}\n"


def csv_rows(graph: Graph) -> Iterator[str]:
    """A header and one edge a row (RFC 4180); names are joined by spaces, formulas disarmed by an apostrophe."""
    writer = csv.writer(_Echo())
    yield str(writer.writerow(EdgeEntry.__struct_fields__))
    for edge in graph.edges:
        cells = {**_fields(edge), "names": " ".join(edge.names)}
        yield str(writer.writerow([_cell(each) if isinstance(each, str) else each for each in cells.values()]))


def _edge(edge: Edge) -> str:
    return json.dumps(_fields(edge))


def _fields(edge: Edge) -> dict[str, object]:
    """The fields of `EdgeEntry`, without making one: there may be millions."""
    return {
        "importer": edge.importer,
        "imported": edge.imported,
        "kind": edge.kind.value,
        "strength": strength_of(edge.kind).value,
        "line": edge.line,
        "specifier": edge.specifier,
        "names": edge.names,
    }


def _cell(text: str) -> str:
    text = storable(text)
    return f"'{text}" if text.startswith(_FORMULA) else text


class _Echo:
    """A file that gives back what is written: `writerow` returns it."""

    def write(self, text: str) -> str:
        return text
