"""Checks of TypeScript and JavaScript edges that need no authority. Knows no tsconfig."""

from collections.abc import Iterator

from conformance.base import Finding
from conformance.graphs import WeftGraph
from conformance.typescript.resolvers import READ


def findings(root: str, graph: WeftGraph) -> Iterator[Finding]:
    """Modules of Node.js written with their scheme, and addresses, that became files of the repository."""
    del root
    for edge in graph.edges:
        if edge.importer.endswith(READ) and edge.specifier.startswith(("node:", "http:", "https:", "npm:", "jsr:")):
            yield Finding(edge.importer, edge.imported, edge.line, f"stands in for '{edge.specifier}'")
