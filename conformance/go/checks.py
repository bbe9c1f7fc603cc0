"""Checks of Go edges that need no authority: packages from outside that became directories of the repository."""

import re
from collections.abc import Iterator

from conformance.base import Finding
from conformance.graphs import WeftGraph
from weft_storage.model.facts import EdgeKind
from weft_storage.model.paths import basename, parent

_MODULE = re.compile(rb"^\s*module\s+\"?([^\s\"]+)", re.M)
_REPLACED = re.compile(rb"([^\s\"(]+)(?:\s+v\S+)?\s+=>\s+\.")
_OWN_PATH = re.compile(
    rb"""^package:\s*(\S+)|"(?:ImportPath|rootPath)"\s*:\s*"([^"]+)"|^package\s+\w+\s*/[/*]\s*import\s+"([^"]+)\"""",
    re.M,
)
_MANIFESTS = ("go.mod", "go.work", "vendor.mod")
_OLD_MANIFESTS = ("Godeps.json", "vendor.json", "glide.yaml")


def findings(root: str, graph: WeftGraph) -> Iterator[Finding]:
    """Imports that begin with no path that the repository gives itself or replaces, and lead to no vendor folder."""
    del root
    known = _known_paths(graph)
    if "std" in known:
        return  # The repository is a Go distribution, in which import paths have no prefix.
    for edge in graph.edges:
        is_import = edge.importer.endswith(".go") and edge.kind is not EdgeKind.ASSET
        if is_import and not edge.specifier.startswith(".") and not _is_shelved(edge.imported, edge.specifier):
            parts = edge.specifier.split("/")
            if not any("/".join(parts[:length]) in known for length in range(1, len(parts) + 1)):
                yield Finding(edge.importer, edge.imported, edge.line, f"stands in for {edge.specifier}")


def _is_shelved(imported: str, specifier: str) -> bool:
    """Whether a package stands under its whole import path in a vendor folder, or in `src` of a GOPATH."""
    shelf = imported.removesuffix(specifier).rstrip("/")
    return imported.endswith(specifier) and basename(shelf) in ("vendor", "src")


def _known_paths(graph: WeftGraph) -> set[str]:
    """The import paths of modules and of repositories without, and what is replaced by folders."""
    known: set[str] = set()
    for path in graph.paths:
        if basename(path) in _MANIFESTS:
            text = graph.source(path)
            known |= {told.decode(errors="replace") for told in (*_MODULE.findall(text), *_REPLACED.findall(text))}
        elif basename(path) in _OLD_MANIFESTS or (path.endswith(".go") and "vendor" not in path.split("/")):
            for found in _OWN_PATH.findall(graph.source(path)):
                told = next(filter(None, found)).decode(errors="replace")
                known.add(_without_folder(told, parent(path)) if path.endswith(".go") else told)
    return known


def _without_folder(path: str, folder: str) -> str:
    """The import path of the repository, by that of one of its folders."""
    return path.removesuffix(folder).rstrip("/") if f"/{path}".endswith(f"/{folder}") else path
