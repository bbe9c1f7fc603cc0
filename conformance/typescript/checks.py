"""Checks of TypeScript and JavaScript edges that need no authority. Knows no tsconfig."""

import re
from collections.abc import Iterator

from conformance.base import Finding
from conformance.graphs import WeftGraph
from conformance.typescript.packages import read
from conformance.typescript.resolvers import READ
from weft_storage.model.paths import ancestors

_SCHEMES = ("node:", "http:", "https:", "npm:", "jsr:")


def findings(root: str, graph: WeftGraph) -> Iterator[Finding]:
    """Modules of Node.js written with their scheme, and addresses, that became files of the repository.

    `jsr:` may name a member of a Deno workspace: then a deno.json above the file has the name.
    """
    del root
    for edge in graph.edges:
        if not edge.importer.endswith(READ) or not edge.specifier.startswith(_SCHEMES):
            continue
        name = re.match(r"jsr:/?((?:@[^/]+/)?[^/@]+)", edge.specifier)
        above = (f"{each}/deno.json".lstrip("/") for each in ancestors(edge.imported))
        if name is None or not any(read(each, graph).get("name") == name[1] for each in above):
            yield Finding(edge.importer, edge.imported, edge.line, f"stands in for '{edge.specifier}'")
