"""rust-analyzer: where the segments of paths lead, as its name resolution and macro expansion find them.

`rust-analyzer lsif` writes for each token of the repository where it is defined. The crates are given in a
rust-project.json made of what cargo says, so that no build script and no procedural macro is built or run. From the
tokens the pairs are put together by the contract: each leaf leads to the file of the deepest module on its path, or to
the file that defines what it finally names.
"""

import bisect
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from conformance.base import Answers, ConformanceError, Pair
from conformance.graphs import WeftGraph
from conformance.rust.copies import unconditional
from conformance.rust.packages import MANIFEST, Metadata, inside, read_metadata
from conformance.rust.paths import Form, paths
from conformance.rust.paths import Path as Written
from conformance.rust.text import Text, read_text
from conformance.rust.toolchain import environment, rust_analyzer
from weft_storage.model.edges import Edge
from weft_storage.model.facts import EdgeKind
from weft_storage.model.paths import basename
from weft_tasks.resolve.rust.cargo import Package, Target, TargetKind

_KINDS = frozenset({EdgeKind.IMPORT, EdgeKind.REEXPORT, EdgeKind.MACRO})
_SECONDS = 1500
_LIBRARY = Path(__file__).with_name("library.rs")
_ROOTED = re.compile(r"(?:crate|self|super)\s*::")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is defined; a `file` from outside is empty. `module`: it is a module."""

    file: str
    module: bool


@dataclass(slots=True)
class Tokens:
    """For each document, where the token at (line, column) leads."""

    by_file: dict[str, dict[tuple[int, int], Place]] = field(default_factory=dict)


class RustAnalyzer:
    """`Authority`: pairs of a file and another that its paths name."""

    name = "rust-analyzer"

    def version(self) -> str:
        return rust_analyzer().version

    def answers(self, root: str, graph: WeftGraph) -> Answers:
        with unconditional(root) as copy:
            metadata = read_metadata(copy, [path for path in graph.paths if basename(path) == MANIFEST])
            try:
                tokens = _tokens(copy, metadata)
            except ConformanceError as error:
                # It panics on a few crates, and then tells nothing of any.
                return Answers({}, {}, dict.fromkeys(metadata.packages, str(error)))
            found = _Found(graph)
            for file, places in tokens.by_file.items():
                if file in graph.files and file.endswith(".rs"):
                    found.add(file, read_text(Path(copy, file).read_bytes()), places)
        unread = {path: "of no crate" for path in graph.files if path.endswith(".rs") and path not in found.scopes}
        return Answers(found.pairs, found.scopes, unread | dict(metadata.unread))

    def pair_of(self, edge: Edge) -> Pair | None:
        return (edge.importer, edge.imported) if edge.kind in _KINDS and edge.importer.endswith(".rs") else None


class _Found:
    """What is known so far."""

    def __init__(self, graph: WeftGraph) -> None:
        self._graph = graph
        self.pairs: dict[Pair, int] = {}
        self.scopes: dict[str, frozenset[str]] = {}

    def add(self, file: str, text: Text, places: Mapping[tuple[int, int], Place]) -> None:
        """Put the pairs of one file together."""
        ours = {edge.imported: edge for edge in self._graph.edges_of(file) if edge.kind in _KINDS}
        allowed: set[str] = set()
        told: set[str] = set()
        silent = _Silence(text, places)
        found = list(paths(text))
        if _is_shadowed(text, found, places):
            return
        for written in found:
            named = [places.get(_at(text, position)) for position in written.segments]
            required = _deepest(written, named)
            also = {place.file for place in named if place and place.file}
            allowed |= also
            for target in [required] if required else []:
                if target not in ours and (final := named[-1]) and final.file in ours:
                    target = final.file
                told.add(target)
                self._keep(file, target, text.line(written.segments[0]) + 1)
        told |= allowed & ours.keys()
        for target in allowed & ours.keys():
            self._keep(file, target, ours[target].line)
        heard = {target for target, edge in ours.items() if not silent.covers(edge.line - 1)}
        self.scopes[file] = frozenset(heard | told)

    def _keep(self, file: str, target: str, line: int) -> None:
        if target != file:
            self.pairs.setdefault((file, target), line)


class _Silence:
    """The lines that rust-analyzer says nothing of: attributes, definitions of macros, calls of macros that it lacks.

    Nor does it tell of a token in a call that it cannot expand, as where that needs a procedural macro.
    """

    def __init__(self, text: Text, places: Mapping[tuple[int, int], Place]) -> None:
        known = sorted(text.position(*at) for at in places)
        spans = list(text.attributes())
        for call in text.calls():
            heard = bisect.bisect_left(known, call.start) < bisect.bisect_left(known, call.end)
            if call.own or not heard or _at(text, call.name_at) not in places:
                spans.append((call.start, call.end))
        self._lines = {line for start, end in spans for line in range(text.line(start), text.line(end - 1) + 1)}

    def covers(self, line: int) -> bool:
        return line in self._lines


def _is_shadowed(text: Text, found: Sequence[Written], places: Mapping[tuple[int, int], Place]) -> bool:
    """Whether nothing is known of a file but that it is there: of two `mod x;` under two conditions one counts.

    `crate`, `self` and `super` lead somewhere in any module of a crate.
    """
    rooted = [each.segments[0] for each in found if _ROOTED.match(text.plain, each.segments[0])]
    return bool(rooted) and all(_at(text, position) not in places for position in rooted)


def _deepest(written: Written, named: list[Place | None]) -> str:
    """The file of the deepest module that a path names as it goes; empty where it must lead nowhere."""
    if written.form is Form.MODULE:
        return ""
    if written.form is Form.MACRO and len(named) == 1:
        return ""
    deepest = ""
    for place in named:
        if place is None or not place.module:
            break
        deepest = place.file
    return deepest


def _at(text: Text, position: int) -> tuple[int, int]:
    line = text.line(position)
    return line, position - text.lines[line]


def _tokens(root: str, metadata: Metadata) -> Tokens:
    with tempfile.TemporaryDirectory(prefix="weft-conformance-") as folder:
        project = Path(folder, "rust-project.json")
        described = _project(root, metadata) | {"sysroot_src": _standard_library(folder)}
        project.write_text(json.dumps(described), encoding="utf-8")
        tool = rust_analyzer()
        arguments = [tool.path, "lsif", "--exclude-vendored-libraries", folder]
        with Path(folder, "lsif").open("w+b") as out:
            try:
                done = subprocess.run(
                    arguments,
                    cwd=folder,
                    env=environment(tool),
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.PIPE,
                    timeout=_SECONDS,
                )
            except subprocess.TimeoutExpired as error:
                raise ConformanceError(tool.path, f"did not end within {_SECONDS} s") from error
            if done.returncode:
                raise ConformanceError(tool.path, f"failed: {done.stderr.decode(errors='replace')[-500:]}")
            out.seek(0)
            return _Reader(root).read(out)


class _Reader:
    """Reads LSIF: vertices with ids, and edges between them."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._paths: dict[str, str | None] = {}
        self._documents: dict[int, str] = {}
        self._ranges: dict[int, dict[str, Any]] = {}
        self._results: dict[int, int] = {}
        self._definitions: dict[int, int] = {}
        self._items: dict[int, tuple[int, int]] = {}
        self._inside: dict[int, int] = {}

    def read(self, lines: Any) -> Tokens:
        for line in lines:
            # Hover texts are most of it, and nothing asks for them.
            if b'"hoverResult"' not in line and b'"foldingRange' not in line:
                self._element(json.loads(line))
        return self._tokens()

    def _element(self, element: dict[str, Any]) -> None:
        match element["label"]:
            case "document":
                self._documents[element["id"]] = unquote(element["uri"])
            case "range":
                self._ranges[element["id"]] = element
            case "next":
                self._results[element["outV"]] = element["inV"]
            case "textDocument/definition":
                self._definitions[element["outV"]] = element["inV"]
            case "item" if element.get("inVs"):
                self._items.setdefault(
                    element["outV"], (element["inVs"][0], element.get("document") or element["shard"])
                )
            case "contains":
                self._inside.update(dict.fromkeys(element["inVs"], element["outV"]))

    def _tokens(self) -> Tokens:
        found = Tokens()
        texts: dict[str, Text] = {}
        for uri in self._documents.values():
            if (path := self._path(uri)) is not None:
                found.by_file[path] = {}
        for number, element in self._ranges.items():
            document = self._path(self._documents.get(self._inside.get(number, -1), ""))
            if document is None:
                continue
            place = self._place(number, texts)
            if place is not None:
                found.by_file[document][element["start"]["line"], element["start"]["character"]] = place
        return found

    def _place(self, number: int, texts: dict[str, Text]) -> Place | None:
        definition = self._items.get(self._definitions.get(self._results.get(number, -1), -1))
        if definition is None:
            return None
        uri = self._documents.get(definition[1], "")
        start = self._ranges[definition[0]]["start"]
        path = self._path(uri)
        whole = (start["line"], start["character"]) == (0, 0)
        if path is None:
            return Place("", whole)
        if whole and not path.endswith(".rs"):
            return None
        return Place(path, whole or self._names_module(path, start, texts))

    def _names_module(self, path: str, start: dict[str, int], texts: dict[str, Text]) -> bool:
        """Whether a definition is the name of an inline module."""
        if path not in texts:
            texts[path] = read_text(Path(self._root, path).read_bytes())
        position = texts[path].position(start["line"], start["character"])
        return texts[path].plain[max(0, position - 16) : position].rstrip().endswith("mod")

    def _path(self, uri: str) -> str | None:
        """The path in the repository of what a document is, links followed; None for one from outside."""
        if uri not in self._paths:
            self._paths[uri] = inside(self._root, uri.removeprefix("file://"))
        return self._paths[uri]


def _project(root: str, metadata: Metadata) -> dict[str, Any]:
    """The crates as rust-project.json describes them."""
    packages = metadata.packages.values()
    targets = [(each, target) for each in packages for target in each.targets]
    libraries: dict[str, int] = {}
    for number, (package, target) in enumerate(targets):
        if target.kind is TargetKind.LIB:
            libraries.setdefault(package.directory, number)
    closing = closing_cycles(metadata)
    return {"crates": [_crate(root, *each, libraries, metadata, closing) for each in targets]}


def _standard_library(folder: str) -> str:
    """A standard library that has macros only: the pairs are of the repository's files, so nothing else is asked."""
    for name in ("core", "std", "alloc"):
        target = Path(folder, "library", name, "src", "lib.rs")
        target.parent.mkdir(parents=True)
        shutil.copy(_LIBRARY, target)
    return str(Path(folder, "library"))


def closing_cycles(metadata: Metadata) -> set[tuple[str, str]]:
    """(package, package) of the development dependencies that close a cycle: cargo builds such a library twice, while
    rust-analyzer has one crate of it, and no cycles of crates.
    """
    below: dict[str, set[str | None]] = {}
    for folder, package in metadata.packages.items():
        patched = metadata.patched[folder].values()
        below[folder] = {*patched, *(each.directory for each in package.dependencies.values())}
        below[folder] -= metadata.development[folder]
    closing: set[tuple[str, str]] = set()
    for folder, wanted in metadata.development.items():
        for other in sorted(wanted):
            if folder in _reachable(other, below):
                closing.add((folder, other))
            else:
                below[folder].add(other)
    return closing


def _reachable(start: str, below: Mapping[str, set[str | None]]) -> set[str | None]:
    seen: set[str | None] = {start}
    work: list[str | None] = [start]
    while work:
        for other in below.get(work.pop() or "", set()):
            if other not in seen:
                seen.add(other)
                work.append(other)
    return seen


def _crate(
    root: str,
    package: Package,
    target: Target,
    libraries: Mapping[str, int],
    metadata: Metadata,
    closing: set[tuple[str, str]],
) -> dict[str, Any]:
    library = target.kind is TargetKind.LIB
    table = package.build_dependencies if target.kind is TargetKind.BUILD else package.dependencies
    folders = {name: each.directory for name, each in table.items() if each.directory is not None}
    folders = {**metadata.patched[package.directory], **folders}
    depends = {
        name: libraries[folder]
        for name, folder in folders.items()
        if folder in libraries and not (library and (package.directory, folder) in closing)
    }
    if not library and target.kind is not TargetKind.BUILD and package.directory in libraries:
        depends.setdefault(package.library, libraries[package.directory])
    return {
        "root_module": os.path.join(root, target.root),
        "display_name": package.library if library else basename(target.root),
        "edition": str(target.edition),
        "deps": [{"crate": number, "name": name} for name, number in sorted(depends.items())],
        "cfg": [],
        "is_workspace_member": True,
        "is_proc_macro": False,
        "source": {"include_dirs": [root], "exclude_dirs": []},
        "env": {"CARGO_MANIFEST_DIR": os.path.join(root, package.directory)},
    }
