"""ruff: `ruff analyze graph`, which reads imports from the text and resolves them over the roots that it finds."""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator

from conformance.base import Answers, ConformanceError, Pair
from conformance.graphs import WeftGraph
from conformance.installation import python_tool
from conformance.python.referee import real_path
from weft_storage.model.edges import Edge
from weft_storage.model.facts import EdgeKind

VERSION = "0.17.6"

# Packages on the way are no imports to ruff; string arguments of importlib.import_module are not read.
_WARNING = re.compile(r"Failed to (?:generate import map for|read source for) (.+?): (.*)")
_KINDS = frozenset({EdgeKind.IMPORT, EdgeKind.TYPE})


class Ruff:
    """`Authority`: ruff's map of files to the files that they import."""

    name = "ruff"

    def version(self) -> str:
        python_tool("ruff", VERSION)
        return VERSION

    def answers(self, root: str, graph: WeftGraph) -> Answers:
        told, unread = _import_map(root, graph)
        pairs = {(importer, imported): 0 for importer, files in told.items() for imported in files}
        return Answers(pairs, dict.fromkeys(told), unread)

    def pair_of(self, edge: Edge) -> Pair | None:
        return (edge.importer, edge.imported) if edge.kind in _KINDS else None


class RuffStrings:
    """`Authority`: what ruff's map gains when string literals with a dot are imports. It speaks of nothing else."""

    name = "ruff strings"

    def version(self) -> str:
        python_tool("ruff", VERSION)
        return VERSION

    def answers(self, root: str, graph: WeftGraph) -> Answers:
        plain, _ = _import_map(root, graph)
        told, unread = _import_map(root, graph, "--detect-string-imports", "--min-dots", "1")
        scopes = {
            importer: graph.files - plain.get(importer, frozenset()) - _called(importer, graph) for importer in told
        }
        pairs = {(importer, each): 0 for importer, files in told.items() for each in files & scopes[importer]}
        return Answers(pairs, scopes, unread)

    def pair_of(self, edge: Edge) -> Pair | None:
        return (edge.importer, edge.imported) if edge.kind is EdgeKind.STRING else None


def _called(importer: str, graph: WeftGraph) -> set[str]:
    """The files that a file loads by a call with a literal: edges of a kind of their own, which ruff has not."""
    return {edge.imported for edge in graph.edges_of(importer) if edge.kind is EdgeKind.DYNAMIC}


def _import_map(root: str, graph: WeftGraph, *more: str) -> tuple[dict[str, frozenset[str]], dict[str, str]]:
    """The files that each file imports, and why others could not be read."""
    told, warnings = _told(root, more)
    unread = {path: why for path, why in _not_parsed(warnings, root) if path in graph.files}
    importers = [importer for importer in told if importer in graph.files and importer not in unread]
    # Weft follows links before it names a file.
    return {each: frozenset(real_path(root, imported) for imported in told[each]) for each in importers}, unread


def _told(root: str, more: Iterable[str]) -> tuple[dict[str, list[str]], str]:
    """Files by the file that imports them, and the warnings."""
    command = [str(python_tool("ruff", VERSION) / "ruff"), "analyze", "graph", "--isolated", "--preview"]
    # The repository's own lists of what to leave out would leave out what Weft reads.
    options = ["--config", "respect-gitignore = false", "--config", "exclude = []"]
    done = subprocess.run([*command, *options, *more, "."], cwd=root, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise ConformanceError("ruff analyze graph", f"failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout or "{}"), done.stderr


def _not_parsed(warnings: str, root: str) -> Iterator[tuple[str, str]]:
    """(file, reason) of the files that could not be read."""
    for found in _WARNING.finditer(warnings):
        yield os.path.relpath(found[1], root), found[2]
