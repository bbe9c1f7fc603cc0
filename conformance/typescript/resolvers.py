"""The TypeScript compiler's `resolveModuleName` and oxc-resolver, asked by a program for Node.js."""

import json
from functools import lru_cache
from typing import TypeAlias

from conformance.base import Answers, Pair
from conformance.graphs import WeftGraph
from conformance.typescript.node import OXC, TYPESCRIPT, modules, run
from conformance.typescript.workspaces import linked
from weft_storage.model.edges import Edge
from weft_storage.model.facts import EdgeKind

READ = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
# Specifier, line, and the file of the repository that it leads to, if any.
_Answer: TypeAlias = tuple[str, int, str | None]
_KINDS = frozenset({EdgeKind.IMPORT, EdgeKind.REEXPORT, EdgeKind.DYNAMIC, EdgeKind.TYPE, EdgeKind.ASSET})


class TypeScript:
    """`Authority`: what the compiler's parser names and its resolver finds, workspaces being linked."""

    name = "typescript"

    def version(self) -> str:
        modules()
        return TYPESCRIPT

    def answers(self, root: str, graph: WeftGraph) -> Answers:
        return answers_of(self.name, root, graph)

    def pair_of(self, edge: Edge) -> Pair | None:
        """Components, styles and pictures are no modules to the compiler."""
        known = edge.imported.endswith((*READ, ".json"))
        return (edge.importer, edge.imported) if known and edge.kind in _KINDS else None


class Oxc:
    """`Authority`: the same imports, resolved by oxc-resolver as a bundler is set up for TypeScript."""

    name = "oxc"

    def version(self) -> str:
        modules()
        return OXC

    def answers(self, root: str, graph: WeftGraph) -> Answers:
        return answers_of(self.name, root, graph)

    def pair_of(self, edge: Edge) -> Pair | None:
        return (edge.importer, edge.imported) if edge.kind in _KINDS else None


@lru_cache(maxsize=2)
def answers_of(authority: str, root: str, graph: WeftGraph) -> Answers:
    """What an authority says; kept, as one is asked again about the other's differences."""
    paths = sorted(path for path in graph.files if path.endswith(READ) and "\n" not in path)
    with linked(root, graph.paths):
        files, unread = _ask(authority, root, paths)
    pairs: dict[Pair, int] = {}
    for importer, imports in files.items():
        for _, line, imported in imports:
            if imported is not None:
                pairs.setdefault((importer, imported), line)
    outside = {(importer, each[0]) for importer, imports in files.items() for each in imports if each[2] is None}
    return Answers(pairs, dict.fromkeys(files), unread, frozenset(outside))


def _ask(authority: str, root: str, paths: list[str]) -> tuple[dict[str, list[_Answer]], dict[str, str]]:
    """What every file names, and why some could not be read."""
    answers = json.loads(run("driver.cjs", [authority], paths, root=root))
    return answers["files"], answers["unread"]
