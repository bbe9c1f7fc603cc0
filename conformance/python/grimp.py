"""grimp: the import graph of packages. It is given the packages of one root at a time, as if that were `sys.path`."""

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from conformance.base import Answers, ConformanceError, Pair
from conformance.corpora import kept
from conformance.graphs import WeftGraph
from conformance.installation import python_tool
from conformance.python.referee import is_built, real_path
from weft_storage.model.edges import Edge
from weft_storage.model.facts import EdgeKind
from weft_storage.model.paths import ancestors, parent

VERSION = "3.19"

_DRIVER = Path(__file__).with_name("grimp_driver.py")
_KINDS = frozenset({EdgeKind.IMPORT, EdgeKind.TYPE})


class Grimp:
    """`Authority`: grimp's direct imports between modules of packages that lie beneath the same root."""

    name = "grimp"

    def version(self) -> str:
        python_tool("grimp", VERSION)
        return VERSION

    def answers(self, root: str, graph: WeftGraph) -> Answers:
        groups = package_groups(graph.files, lambda source: is_built(root, parent(source)))
        pairs: dict[Pair, int] = {}
        scopes: dict[str, frozenset[str] | None] = {}
        unread: dict[str, str] = {}
        with kept(root, (path for path in graph.files if path.endswith(".py"))):
            answers = _ask(root, groups)
        for told in answers:
            files = {name: os.path.relpath(path, root) for name, path in told["modules"].items()}
            # Weft follows links before it names a file.
            real = {name: real_path(root, path) for name, path in files.items()}
            broken = {os.path.relpath(path, root): why for path, why in told["broken"].items()}
            unread.update((path, why) for path, why in broken.items() if path in graph.files)
            inside = frozenset(real.values())
            scopes.update((path, inside) for path in inside if path in graph.files and path not in broken)
            for importer, imported, line in told["imports"]:
                if imported in files:
                    pairs.setdefault((files[importer], real[imported]), line)
        return Answers({pair: line for pair, line in pairs.items() if pair[0] in scopes}, scopes, unread)

    def pair_of(self, edge: Edge) -> Pair | None:
        return (edge.importer, edge.imported) if edge.kind in _KINDS and edge.imported.endswith(".py") else None


def package_groups(files: Iterable[str], is_source: Callable[[str], bool]) -> list[dict[str, str]]:
    """Groups of outermost regular packages, {dotted name: folder}: those of one root, or of all `src` roots at once.

    `is_source` says whether a folder called `src` is built from, and not merely called so.
    """
    regular = {parent(path) for path in files if path.endswith("/__init__.py")}
    outermost = [each for each in sorted(regular) if not any(above in regular for above in ancestors(each))]
    by_root: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for folder in outermost:
        top = _root_of(folder, is_source)
        name = folder[len(top) :].strip("/").replace("/", ".")
        if all(part.isidentifier() for part in name.split(".")):
            by_root[top][name] = folder
    sources = [by_root.pop(top) for top in list(by_root) if top.rpartition("/")[2] == "src"]
    joined = {name: folder for packages in sources for name, folder in packages.items()}
    together = [joined] if len(joined) == sum(map(len, sources)) else sources
    return [packages for packages in [*by_root.values(), *together] if packages]


def _root_of(package: str, is_source: Callable[[str], bool]) -> str:
    """The nearest `src` folder above an outermost package, else the folder above it."""
    sources = (above for above in ancestors(package) if above.rpartition("/")[2] == "src" and is_source(above))
    return next(sources, parent(package))


def _ask(root: str, groups: list[dict[str, str]]) -> list[dict[str, Any]]:
    absolute = [{name: os.path.join(root, folder) for name, folder in packages.items()} for packages in groups]
    command = [str(python_tool("grimp", VERSION) / "python"), "-I", str(_DRIVER)]
    done = subprocess.run(command, input=json.dumps(absolute), capture_output=True, text=True, cwd=root)
    if done.returncode:
        raise ConformanceError("grimp", f"failed: {done.stderr.strip()[-500:]}")
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers
