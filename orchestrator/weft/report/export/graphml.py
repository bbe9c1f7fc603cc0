"""GraphML (http://graphml.graphdrawing.org/primer/graphml-primer.html). Knows nothing of layout."""

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from weft.report.escape import storable
from weft.report.export.base import Graph
from weft_storage.model.edges import Edge
from weft_storage.model.facts import strength_of

_KEYS = {"kind": "string", "strength": "string", "line": "int", "specifier": "string", "names": "string"}


def graphml(graph: Graph) -> Iterator[str]:
    """One node a file, whose id is its path, and one edge an edge, with typed keys; names are joined by spaces.

    Ids are paths, as most programs write and read them, where the schema would have name tokens: a reader can ask for
    a file without a table. What XML cannot hold is escaped with backslashes.
    """
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
    for name, kind in _KEYS.items():
        yield f'  <key id="{name}" for="edge" attr.name="{name}" attr.type="{kind}"/>\n'
    yield f'  <graph id={_attribute(graph.project)} edgedefault="directed">\n'
    declared = set(graph.files)
    for file in graph.files:
        yield _node(file)
    for edge in graph.edges:
        for end in (edge.importer, edge.imported):
            if end not in declared:
                declared.add(end)
                yield _node(end)
        yield _edge(edge)
    yield "  </graph>\n</graphml>\n"


def _node(path: str) -> str:
    return f"    <node id={_attribute(path)}/>\n"


def _edge(edge: Edge) -> str:
    values = (edge.kind.value, strength_of(edge.kind).value, str(edge.line), edge.specifier, " ".join(edge.names))
    data = "".join(f'<data key="{key}">{_text(value)}</data>' for key, value in zip(_KEYS, values, strict=True))
    return f"    <edge source={_attribute(edge.importer)} target={_attribute(edge.imported)}>{data}</edge>\n"


def _attribute(value: str) -> str:
    return quoteattr(storable(value))


def _text(value: str) -> str:
    # A parser turns a bare carriage return into a newline.
    return escape(storable(value), {"\r": "&#13;"})
