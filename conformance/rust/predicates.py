"""Classes of difference between Weft and Rust's tools, recognised by their circumstances."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache

from conformance.base import Difference, Evidence, Predicate
from conformance.graphs import WeftGraph
from conformance.rust.analyzer import closing_cycles
from conformance.rust.copies import unconditional
from conformance.rust.packages import MANIFEST, Metadata, read_metadata
from conformance.rust.text import Call, Text, read_text
from weft_storage.model.edges import Edge
from weft_storage.model.facts import EdgeKind
from weft_storage.model.paths import ancestors, basename, join

_HELD = frozenset({EdgeKind.MODULE, EdgeKind.ASSET})
_DEFINED = re.compile(rb"\bmacro_rules\s*!\s*(?:r#)?(\w+)")
_CONDITION = re.compile(r"#\s*\[\s*cfg\b")
_CONDITIONAL_PATH = re.compile(rb"cfg_attr\s*\([^\[\]]*\bpath\s*=")
_MODULE = re.compile(r"\bmod\s+(\w+)\s*;")
_ITEM_END = re.compile(r"[;{}]")


def patched(difference: Difference, evidence: Evidence) -> bool:
    """A dependency whose package the `[patch]` of a manifest above puts into that very folder."""
    words = difference.imported.removeprefix("build ").split(" ")
    if words[0] != "dependency" or len(words) != 4:
        return False
    folder = "" if words[3] == "." else words[3]
    above = (join(each, "Cargo.toml") or "Cargo.toml" for each in ancestors(difference.importer))
    return any(folder in _patched_folders(evidence.graph, manifest) for manifest in above)


def conditional_path(difference: Difference, evidence: Evidence) -> bool:
    """Every way of `mod` items to the file leads over one whose `#[cfg_attr(…, path = …)]` names a file."""
    graph, root = evidence.graph, difference.importer
    return difference.imported in _beneath(graph, root) - _beneath(graph, root, conditional=False)


def of_several_crates(difference: Difference, evidence: Evidence) -> bool:
    """A path within the crate, in a file that several crates have; the authority answers for another of them."""
    edge = difference.edge
    if edge is None or edge.specifier.split("::")[0] not in ("crate", "self", "super", "$crate"):
        return False
    trees = [tree for root in _roots(evidence.graph) if edge.importer in (tree := _beneath(evidence.graph, root))]
    theirs = {imported for importer, imported in evidence.answers.pairs if importer == edge.importer}
    return any(edge.imported in tree for tree in trees) and any(
        edge.imported not in tree and not theirs.isdisjoint(tree) for tree in trees
    )


def macro_made_by_macro(difference: Difference, evidence: Evidence) -> bool:
    """A macro whose `macro_rules!` stands in the definition of another one in the imported file."""
    edge = difference.edge
    if edge is None or edge.kind is not EdgeKind.MACRO:
        return False
    definitions = [call for call in _text(evidence.graph, edge.imported).calls() if call.own]
    return any(
        outer.start < inner.start < outer.end
        for inner in definitions
        if inner.own in edge.names
        for outer in definitions
    )


def in_unknown_call(difference: Difference, evidence: Evidence) -> bool:
    """The file is held only by items in calls of macros that the repository does not define, or by files held so."""
    return _is_hidden(evidence.graph, difference.imported, ())


def alternative(difference: Difference, evidence: Evidence) -> bool:
    """The path does not write the file's module, which has a condition; the authority found one beside it that has too.

    So a reexport leads on to either: `use imp::*` of two modules, or of two files that `#[path]` gives to one.
    """
    edge = difference.edge
    if edge is None or _module_name(edge.imported) in edge.specifier.split("::"):
        return False
    theirs = {imported for importer, imported in evidence.answers.pairs if importer == edge.importer}
    return any(not theirs.isdisjoint(_beneath(evidence.graph, other)) for other in _beside(evidence.graph, edge))


def included(difference: Difference, evidence: Evidence) -> bool:
    """One side says the file that holds an item, the other the one that includes that file by `include!`."""
    ours = {edge.imported for edge in evidence.graph.edges_of(difference.importer)}
    theirs = {imported for importer, imported in evidence.answers.pairs if importer == difference.importer}
    if difference.edge is not None:
        return any(edge.importer in theirs for edge in _including(evidence.graph, difference.imported))
    return any(edge.importer == difference.imported for target in ours for edge in _including(evidence.graph, target))


def in_definition(difference: Difference, evidence: Evidence) -> bool:
    """A `mod` item that stands in the definition of a macro names the file, or one that it hangs beneath."""
    seen, work = {difference.imported}, [difference.imported]
    while work:
        path = work.pop()
        if _module_name(path) in _defined_modules(evidence.graph):
            return True
        above = {edge.importer for edge in _holding(evidence.graph, path)} - seen
        seen |= above
        work += above
    return False


def development_cycle(difference: Difference, evidence: Evidence) -> bool:
    """A path of a library that begins with a development dependency which depends on that library."""
    edge = difference.edge
    if edge is None:
        return False
    metadata = _metadata(evidence.graph)
    folder = next((each for each in ancestors(edge.importer) if each in metadata.packages), None)
    if folder is None:
        return False
    depends = {name: each.directory for name, each in metadata.packages[folder].dependencies.items()}
    named = {**metadata.patched[folder], **depends}.get(edge.specifier.removeprefix("::").split("::")[0])
    return (folder, named) in closing_cycles(metadata)


PREDICATES: Mapping[str, Predicate] = {
    each.__name__: each
    for each in (
        patched,
        conditional_path,
        in_unknown_call,
        alternative,
        of_several_crates,
        macro_made_by_macro,
        included,
        in_definition,
        development_cycle,
    )
}


@lru_cache(maxsize=2)
def _metadata(graph: WeftGraph) -> Metadata:
    with unconditional(graph.root) as copy:
        return read_metadata(copy, [path for path in graph.paths if basename(path) == MANIFEST])


@lru_cache(maxsize=2)
def _defined_modules(graph: WeftGraph) -> frozenset[str]:
    """The names of `mod` items without a body in the definitions of macros."""
    found: set[str] = set()
    for path in graph.files:
        if path.endswith(".rs") and b"macro_rules" in graph.source(path):
            text = read_text(graph.source(path))
            for call in text.calls():
                found.update(_MODULE.findall(text.plain, call.start, call.end) if call.own else ())
    return frozenset(found)


def _module_name(path: str) -> str:
    parts = path.removesuffix(".rs").split("/")
    return parts[-2] if parts[-1] == "mod" and len(parts) > 1 else parts[-1]


@lru_cache(maxsize=2)
def _held_by(graph: WeftGraph) -> Mapping[str, list[Edge]]:
    """The edges that put a file into a crate, by the file."""
    found: dict[str, list[Edge]] = {}
    for edge in graph.edges:
        if edge.kind in _HELD and edge.importer.endswith(".rs"):
            found.setdefault(edge.imported, []).append(edge)
    return found


def _holding(graph: WeftGraph, path: str) -> list[Edge]:
    return _held_by(graph).get(path, [])


def _including(graph: WeftGraph, path: str) -> Iterator[Edge]:
    """The edges of `include!`, which name no module."""
    return (edge for edge in _holding(graph, path) if edge.kind is EdgeKind.MODULE and not edge.names)


@lru_cache(maxsize=2)
def _macros(graph: WeftGraph) -> frozenset[bytes]:
    """The names of all macros that the repository defines."""
    files = (path for path in graph.files if path.endswith(".rs"))
    return frozenset(name for path in files for name in _DEFINED.findall(graph.source(path)))


@lru_cache(maxsize=512)
def _text(graph: WeftGraph, path: str) -> Text:
    return read_text(graph.source(path))


def _is_hidden(graph: WeftGraph, path: str, below: tuple[str, ...]) -> bool:
    edges = [edge for edge in _holding(graph, path) if edge.importer not in below]
    return bool(edges) and all(
        _in_unknown_call(graph, edge) or _is_hidden(graph, edge.importer, (*below, path)) for edge in edges
    )


def _in_unknown_call(graph: WeftGraph, edge: Edge) -> bool:
    text = _text(graph, edge.importer)
    return any(
        text.line(call.start) <= edge.line - 1 <= text.line(call.end - 1)
        for call in text.calls()
        if _is_unknown(call, graph)
    )


def _is_unknown(call: Call, graph: WeftGraph) -> bool:
    return not call.own and call.name.encode() not in _macros(graph) and call.name not in _STANDARD


_STANDARD = frozenset(
    """
    include include_str include_bytes concat env option_env println print eprintln eprint format write writeln assert
    assert_eq assert_ne debug_assert debug_assert_eq debug_assert_ne vec matches panic todo unreachable unimplemented
    thread_local dbg cfg compile_error stringify
    """.split()  # noqa: SIM905 - a list literal is one name a line
)


def _has_conditional_path(graph: WeftGraph, edge: Edge) -> bool:
    lines = graph.source(edge.importer).splitlines()
    above = lines[max(0, edge.line - 6) : edge.line]
    return _CONDITIONAL_PATH.search(b" ".join(above)) is not None


def _beside(graph: WeftGraph, edge: Edge) -> Iterator[str]:
    """The files of conditional modules that stand beside the conditional module of an imported file."""
    for holding in _holding(graph, edge.imported):
        if _is_conditional(graph, holding):
            for other in graph.edges_of(holding.importer):
                if other.kind is EdgeKind.MODULE and other.imported != edge.imported and _is_conditional(graph, other):
                    yield other.imported


def _beneath(graph: WeftGraph, path: str, *, conditional: bool = True) -> set[str]:
    """The files of the modules below a file, itself included; without those of conditional paths if so asked."""
    seen, work = {path}, [path]
    while work:
        edges = [edge for edge in graph.edges_of(work.pop()) if edge.kind is EdgeKind.MODULE]
        below = {edge.imported for edge in edges if conditional or not _has_conditional_path(graph, edge)} - seen
        seen |= below
        work += below
    return seen


def _roots(graph: WeftGraph) -> list[str]:
    """The root files of all crates."""
    packages = _metadata(graph).packages
    return sorted({target.root for package in packages.values() for target in package.targets})


def _is_conditional(graph: WeftGraph, edge: Edge) -> bool:
    """Whether a `mod` has a condition of its own, or stands in a macro call that gives it one."""
    text = _text(graph, edge.importer)
    end = text.lines[edge.line] if edge.line < len(text.lines) else len(text.plain)
    start = text.lines[edge.line - 1]
    before = max((match.end() for match in _ITEM_END.finditer(text.plain, 0, start)), default=0)
    return _CONDITION.search(text.plain, before, end) is not None or any(
        call.start <= start < call.end for call in text.calls() if not call.own
    )


@lru_cache(maxsize=256)
def _patched_folders(graph: WeftGraph, manifest: str) -> frozenset[str]:
    try:
        tables = tomllib.loads(graph.source(manifest).decode("utf-8-sig")).get("patch", {}).values()
    except ValueError:
        return frozenset()
    patches = (patch for table in tables if isinstance(table, dict) for patch in table.values())
    folder = manifest.rpartition("/")[0]
    paths = (join(folder, each["path"]) for each in patches if isinstance(each, dict) and "path" in each)
    return frozenset(path for path in paths if path is not None)
