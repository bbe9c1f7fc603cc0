"""Checks of Go edges that need no authority: packages from outside that became directories of the repository."""

import re
from collections.abc import Iterator

from conformance.base import Finding
from conformance.graphs import WeftGraph
from weft_storage.model.facts import EdgeKind

_MODULE = re.compile(rb"^\s*module\s+\"?([^\s\"]+)", re.M)
_REPLACED = re.compile(rb"([^\s\"(]+)(?:\s+v\S+)?\s+=>\s+\.")


def findings(root: str, graph: WeftGraph) -> Iterator[Finding]:
    """Imports that begin with no module path of the repository, and no path that is replaced or vendored here."""
    del root
    manifests = [graph.source(path) for path in graph.paths if path.rpartition("/")[2] in ("go.mod", "go.work")]
    known = {found.decode(errors="replace") for each in manifests for found in _MODULE.findall(each)}
    known |= {found.decode(errors="replace") for each in manifests for found in _REPLACED.findall(each)}
    if "std" in known:
        return  # The repository is a Go distribution, in which import paths have no prefix.
    for edge in graph.edges:
        is_import = edge.importer.endswith(".go") and edge.kind is not EdgeKind.ASSET
        if is_import and not edge.specifier.startswith(".") and "vendor" not in edge.imported.split("/"):
            parts = edge.specifier.split("/")
            if not any("/".join(parts[:length]) in known for length in range(1, len(parts) + 1)):
                yield Finding(edge.importer, edge.imported, edge.line, f"stands in for {edge.specifier}")
