"""The TypeScript compiler's `resolveModuleName` and oxc-resolver, asked by a program for Node.js."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import TypeAlias

from conformance.base import Answers, ConformanceError, Pair
from conformance.graphs import WeftGraph
from conformance.installation import cache
from conformance.typescript.workspaces import linked
from weft_storage.model.edges import Edge
from weft_storage.model.facts import EdgeKind

TYPESCRIPT = "5.9.3"
OXC = "11.24.2"

READ = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
# Specifier, line, and the file of the repository that it leads to, if any.
_Answer: TypeAlias = tuple[str, int, str | None]
_DRIVER = Path(__file__).with_name("driver.cjs")
_KINDS = frozenset({EdgeKind.IMPORT, EdgeKind.REEXPORT, EdgeKind.DYNAMIC, EdgeKind.TYPE, EdgeKind.ASSET})


class TypeScript:
    """`Authority`: what the compiler's parser names and its resolver finds, workspaces being linked."""

    name = "typescript"

    def version(self) -> str:
        _modules()
        return TYPESCRIPT

    def answers(self, root: str, graph: WeftGraph) -> Answers:
        return _answers(self.name, root, graph)

    def pair_of(self, edge: Edge) -> Pair | None:
        """Components, styles and pictures are no modules to the compiler."""
        known = edge.imported.endswith((*READ, ".json"))
        return (edge.importer, edge.imported) if known and edge.kind in _KINDS else None


class Oxc:
    """`Authority`: the same imports, resolved by oxc-resolver as a bundler is set up for TypeScript."""

    name = "oxc"

    def version(self) -> str:
        _modules()
        return OXC

    def answers(self, root: str, graph: WeftGraph) -> Answers:
        return _answers(self.name, root, graph)

    def pair_of(self, edge: Edge) -> Pair | None:
        return (edge.importer, edge.imported) if edge.kind in _KINDS else None


def _answers(authority: str, root: str, graph: WeftGraph) -> Answers:
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
    command = [_node(), "--max-old-space-size=4096", str(_DRIVER), str(_modules()), root, authority]
    done = subprocess.run(command, input="\n".join(paths), capture_output=True, text=True, cwd=root)
    if done.returncode:
        raise ConformanceError(f"{authority} on {root}", f"failed: {done.stderr.strip()[-500:]}")
    answers = json.loads(done.stdout)
    return answers["files"], answers["unread"]


def _node() -> str:
    found = shutil.which("node")
    if found is None:
        raise ConformanceError("node", "is not on PATH", "install Node.js 20 or later")
    return found


def _modules() -> Path:
    """The folder whose node_modules hold the authorities at their pinned versions; made where it is missing."""
    folder = cache(f"typescript-{TYPESCRIPT}-oxc-{OXC}")
    done = folder / ".installed"
    if not done.exists():
        (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--save-exact"]
        packages = [f"typescript@{TYPESCRIPT}", f"oxc-resolver@{OXC}"]
        installed = subprocess.run([*command, *packages], cwd=folder, capture_output=True, text=True)
        if installed.returncode:
            problem = (installed.stderr or installed.stdout).strip()[-500:]
            raise ConformanceError(" ".join(packages), f"cannot be installed: {problem}", "npm must reach its registry")
        done.touch()
    return folder
