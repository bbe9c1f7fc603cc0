"""go list: where the import paths of every Go file lead, as the go command resolves them from the file's module.

The imports are those that Go's own parser reads, of every file: test files, and files that build constraints leave out
here, count too. Each distinct path of a module is asked for with `go list -e -find`; for files beneath no go.mod,
go/build is asked in GOPATH mode.
"""

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache as cached
from pathlib import Path
from typing import Any

from conformance.base import Answers, ConformanceError, Pair
from conformance.corpora import kept
from conformance.go.gopath import find_packages
from conformance.go.toolchain import Go, find_go, list_packages, prepare, stand_ins
from conformance.graphs import WeftGraph
from conformance.installation import cache
from weft_storage.model.edges import Edge
from weft_storage.model.facts import EdgeKind
from weft_storage.model.paths import ancestors, basename, parent

_PARSER = Path(__file__).with_name("imports.go")
_KINDS = frozenset({EdgeKind.IMPORT, EdgeKind.TEST})

# (import path, line) of one file.
_Imports = list[tuple[str, int]]


class GoList:
    """`Authority`: pairs of a file and the directory of the package that it imports, "." at the root."""

    name = "go list"

    def version(self) -> str:
        return find_go().version

    def answers(self, root: str, graph: WeftGraph) -> Answers:
        changed = [path for path in graph.paths if basename(path) in ("go.mod", "go.sum", "go.work", "modules.txt")]
        with kept(root, changed), stand_ins(root, graph.paths) as modules:
            return _answers(root, graph, modules)

    def pair_of(self, edge: Edge) -> Pair | None:
        if edge.kind not in _KINDS or not edge.importer.endswith(".go"):
            return None
        # A package of nothing but tests is imported by its own outer tests: Weft leads to the files.
        imported = parent(edge.imported) or "." if edge.imported.endswith("_test.go") else edge.imported
        return edge.importer, imported


def _answers(root: str, graph: WeftGraph, modules: list[str]) -> Answers:
    go = find_go()
    imports, unread = _parsed(go, root, sorted(path for path in graph.files if path.endswith(".go")))
    works = [parent(path) for path in graph.paths if basename(path) == "go.work"]
    modes, failed = prepare(go, root, modules, works)
    found = _Found(unread=unread)
    for module, files in _by_module(imports, modules).items():
        if module is None:
            _ask_go_build(_parser(go), root, files, imports, found)
            continue
        if module in failed:
            found.unread.update(dict.fromkeys(files, failed[module]))
            continue
        paths = sorted({path for file in files for path, _ in imports[file] if path != "C"})
        try:
            told = list_packages(go, os.path.join(root, module), modes[module], paths)
        except ConformanceError as error:
            found.unread.update(dict.fromkeys(files, str(error)))
            continue
        places = {path: _place(root, package) for path, package in told.items()}
        for file in files:
            found.add(file, imports[file], places)
    return Answers(found.pairs, dict.fromkeys(found.read), found.unread, frozenset(found.external))


def _ask_go_build(program: str, root: str, files: list[str], imports: Mapping[str, _Imports], found: "_Found") -> None:
    """Add the answers for files beneath no go.mod."""
    asked = {(parent(file), path) for file in files for path, _ in imports[file] if path != "C"}
    told = find_packages(program, root, map(parent, files), asked)
    places = {key: _place(root, package) for key, package in told.items()}
    for file in files:
        found.add(
            file, imports[file], {path: place for (folder, path), place in places.items() if folder == parent(file)}
        )


class _Found:
    """What is known so far."""

    def __init__(self, unread: dict[str, str]) -> None:
        self.pairs: dict[Pair, int] = {}
        self.read: list[str] = []
        self.unread = unread
        self.external: set[Pair] = set()

    def add(self, file: str, imports: _Imports, places: dict[str, tuple[str, bool] | None]) -> None:
        self.read.append(file)
        for path, line in imports:
            place = places.get(path)
            if place is None:
                self.external.add((file, path))
            elif not place[1] or place[0] == (parent(file) or "."):
                self.pairs.setdefault((file, place[0]), line)


def _parsed(go: Go, root: str, files: list[str]) -> tuple[dict[str, _Imports], dict[str, str]]:
    """The imports of every file, and the files whose imports do not parse, with the reason."""
    done = subprocess.run(
        [_parser(go)], cwd=root, input="\n".join(files), capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        raise ConformanceError(str(_PARSER), f"failed: {done.stderr.strip()[-500:]}")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    unread = {each["File"]: each["Error"] for each in told if each["Error"]}
    imports = {each["File"]: [(one["Path"], one["Line"]) for one in each["Imports"]] for each in told}
    return {file: found for file, found in imports.items() if file not in unread}, unread


@cached
def _parser(go: Go) -> str:
    """The compiled parser of imports."""
    program = cache("go-imports") / f"imports-{go.version}-{_PARSER.stat().st_mtime_ns}"
    if not program.exists():
        done = go.run(str(_PARSER.parent), "build", "-o", str(program), _PARSER.name, work="off")
        if done.returncode:
            raise ConformanceError("go build", f"failed: {done.stderr.strip()[-500:]}")
    return str(program)


def _by_module(files: Iterable[str], modules: list[str]) -> dict[str | None, list[str]]:
    """Files by the folder of the nearest go.mod above them."""
    known = set(modules)
    found: defaultdict[str | None, list[str]] = defaultdict(list)
    for file in files:
        found[next((each for each in ancestors(file) if each in known), None)].append(file)
    return found


def _place(root: str, package: dict[str, Any]) -> tuple[str, bool] | None:
    """The directory of a package of the repository, and whether it has only tests; None for a package from outside."""
    folder = package.get("Dir")
    if not folder or package.get("Standard"):
        return None
    relative = os.path.relpath(os.path.realpath(folder), os.path.realpath(root))
    if relative == ".." or relative.startswith("../"):
        return None
    ignored = [
        name for name in package.get("IgnoredGoFiles") or () if not name.endswith("_test.go") and name[0] not in "._"
    ]
    if ignored or any(package.get(kind) for kind in ("GoFiles", "CgoFiles", "InvalidGoFiles")):
        return relative, False
    return (relative, True) if package.get("TestGoFiles") else None
