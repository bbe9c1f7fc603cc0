"""rustc --emit=dep-info: every file that the compiler reads for a crate, in one set per root. It tells no edges.

rustc expands the crate and resolves its names without any dependency: what it cannot find it reports, and goes on.
Nothing of the repository is run, as there are no procedural macros without dependencies.
"""

import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from conformance.base import Answers, ConformanceError, Pair
from conformance.graphs import WeftGraph
from conformance.rust.copies import unconditional
from conformance.rust.packages import MANIFEST, read_metadata
from conformance.rust.toolchain import rustc
from weft_storage.model.edges import Edge
from weft_storage.model.facts import EdgeKind
from weft_storage.model.paths import basename
from weft_tasks.resolve.rust.cargo import Package, Target

_REACHED_BY = frozenset({EdgeKind.MODULE, EdgeKind.ASSET})
_RULE = re.compile(r"^(?P<files>(?:\\.|[^\\\n:])*):\s*$", re.M)
_ESCAPED = re.compile(r"\\(.)")


class DepInfo:
    """`Authority`: pairs of a crate's root and a file of it. Weft's are those that module and asset edges reach."""

    name = "rustc"

    def version(self) -> str:
        return rustc().version

    def answers(self, root: str, graph: WeftGraph) -> Answers:
        with unconditional(root) as copy:
            manifests = [path for path in graph.paths if basename(path) == MANIFEST]
            metadata = read_metadata(copy, manifests)
            roots = {target.root: (target, each) for each in metadata.packages.values() for target in each.targets}
            unread = dict(metadata.unread)
            pairs: dict[Pair, int] = {}
            for path, (target, package) in sorted(roots.items()):
                try:
                    pairs.update(((path, file), 0) for file in _read_for(copy, target, package))
                except ConformanceError as error:
                    unread[path] = str(error)
        read = dict.fromkeys(path for path in roots if path not in unread)
        return Answers(pairs, read, unread, restated=tuple(_reach(graph.edges, read)))

    def pair_of(self, edge: Edge) -> Pair | None:
        return edge.importer, edge.imported


def _read_for(root: str, target: Target, package: Package) -> set[str]:
    """The files that rustc reads for a crate."""
    path = target.root
    with tempfile.TemporaryDirectory(prefix="weft-conformance-") as temporary:
        out = Path(temporary, "crate.d")
        done = rustc().run(
            root,
            f"--edition={target.edition}",
            "--test",
            "--crate-name=crate_in_hand",
            "--cap-lints=allow",
            f"--emit=dep-info={out}",
            path,
            variables={"CARGO_MANIFEST_DIR": os.path.join(root, package.directory)},
        )
        if not out.exists():
            raise ConformanceError(path, f"rustc gave no dep-info: {done.stderr.strip()[-300:]}")
        found = (_ESCAPED.sub(r"\1", match["files"]) for match in _RULE.finditer(out.read_text(errors="replace")))
        real = os.path.realpath(root)
        inside = (os.path.relpath(os.path.realpath(Path(root, file)), real) for file in found)
        return {file for file in inside if not file.startswith("../") and file != path}


def _reach(edges: Iterable[Edge], roots: Iterable[str]) -> Iterable[Edge]:
    """An edge from each root to each file beneath it, with the line and text of the one that led there last."""
    below: defaultdict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        if edge.kind in _REACHED_BY and edge.importer.endswith(".rs"):
            below[edge.importer].append(edge)
    for root in roots:
        yield from _reached_from(root, below)


def _reached_from(root: str, below: Mapping[str, list[Edge]]) -> Iterable[Edge]:
    seen, work = {root}, [root]
    while work:
        for edge in below.get(work.pop(), ()):
            if edge.imported not in seen:
                seen.add(edge.imported)
                work.append(edge.imported)
                yield Edge(root, edge.imported, edge.kind, edge.line, f"{edge.importer}: {edge.specifier}")
