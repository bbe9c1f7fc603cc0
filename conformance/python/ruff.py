"""ruff: `ruff analyze graph`, which reads imports from the text and resolves them over the roots that it finds."""

import json
import os
import re
import subprocess
from collections.abc import Iterator

from conformance.base import Answers, ConformanceError, Pair
from conformance.graphs import WeftGraph
from conformance.installation import python_tool
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
        told, warnings = _import_map(root)
        unread = {path: why for path, why in _not_parsed(warnings, root) if path in graph.files}
        scopes = {importer: None for importer in told if importer in graph.files and importer not in unread}
        pairs: dict[Pair, int] = {}
        for importer in scopes:
            # Weft follows links before it names a file.
            pairs.update(((importer, real_path(root, imported)), 0) for imported in told[importer])
        return Answers(pairs, scopes, unread)

    def pair_of(self, edge: Edge) -> Pair | None:
        return (edge.importer, edge.imported) if edge.kind in _KINDS else None


def real_path(root: str, path: str) -> str:
    """The path of a file of the folder, links followed; as it is where they lead out."""
    real = os.path.relpath(os.path.realpath(os.path.join(root, path)), root)
    return path if real.startswith("..") else real


def _import_map(root: str) -> tuple[dict[str, list[str]], str]:
    """Files by the file that imports them, and the warnings."""
    command = [str(python_tool("ruff", VERSION) / "ruff"), "analyze", "graph", "--isolated", "--preview"]
    # The repository's own lists of what to leave out would leave out what Weft reads.
    options = ["--config", "respect-gitignore = false", "--config", "exclude = []"]
    done = subprocess.run([*command, *options, "."], cwd=root, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise ConformanceError("ruff analyze graph", f"failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout or "{}"), done.stderr


def _not_parsed(warnings: str, root: str) -> Iterator[tuple[str, str]]:
    """(file, reason) of the files that could not be read."""
    for found in _WARNING.finditer(warnings):
        yield os.path.relpath(found[1], root), found[2]
