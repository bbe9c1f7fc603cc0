"""Checks of Rust edges that need no authority: crates from outside that became files of the repository."""

import re
from collections.abc import Iterator

from conformance.base import Finding
from conformance.graphs import WeftGraph

_STANDARD = frozenset({"std", "core", "alloc", "proc_macro", "test"})


_named = re.compile(rb"(?m)^\s*name\s*=\s*[\"'](\w+)[\"']").findall


def findings(root: str, graph: WeftGraph) -> Iterator[Finding]:
    """Paths of the standard library that lead to files, where no crate or module of the repository is called so."""
    del root
    own = {path.rpartition("/")[2].removesuffix(".rs") for path in graph.paths} | {
        part for path in graph.paths if path.endswith("/mod.rs") for part in path.split("/")[-2:-1]
    }
    own |= {name.decode() for path in graph.paths if path.endswith("Cargo.toml") for name in _named(graph.source(path))}
    for edge in graph.edges:
        first, separator, _ = edge.specifier.removeprefix("::").partition("::")
        if edge.importer.endswith(".rs") and separator and first in _STANDARD - own:
            yield Finding(edge.importer, edge.imported, edge.line, f"stands in for {edge.specifier}")
