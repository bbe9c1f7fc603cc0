"""Rust: bytes of a file -> its facts. The grammar tells what is declared, the scan of the tokens what is named."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from blake3 import blake3
from tree_sitter import Node, Parser, Range

from weft_storage.model.facts import Declaration, DeclarationKind, EdgeKind, FileFacts, Import
from weft_storage.model.interfaces.rust import RustCall, RustInterface
from weft_storage.model.languages import Language
from weft_tasks.extract.grammar import captures, grammar_of, parser_of, query_of
from weft_tasks.extract.rust_scan import Scan, scan

# Items of a macro call are parsed by themselves, and those of a call among them: each level reads its text again.
_MAX_CALLS = 4
# Deeper nesting is no program's; names of parents would grow with the square of it.
_MAX_NESTING = 64

_ITEM = re.compile(rb"\b(?:mod|fn|struct|enum|union|trait|impl|type|const|static|macro_rules)\b")
_IMPORTING_ITEM = re.compile(rb"\b(?:use|mod|extern\s+crate)\b")
_MODULE_IN_FILE = re.compile(rb"\bmod\s+\w+\s*;")
_TYPE_NAME = re.compile(r"(?:\w+\s*::\s*)*(?P<name>(?!(?:mut|dyn|const)\b)\w+)")

_KINDS = {
    "function": DeclarationKind.FUNCTION,
    "class": DeclarationKind.CLASS,
    "enum": DeclarationKind.ENUM,
    "interface": DeclarationKind.INTERFACE,
    "type_alias": DeclarationKind.TYPE_ALIAS,
    "constant": DeclarationKind.CONSTANT,
    "module": DeclarationKind.MODULE,
    "macro": DeclarationKind.MACRO,
}
_TYPES = frozenset({DeclarationKind.CLASS, DeclarationKind.ENUM, DeclarationKind.INTERFACE, DeclarationKind.TYPE_ALIAS})
# First segments that name nothing of any repository: primitive types, and the namespaces of tools in attributes.
_BUILTIN = frozenset(
    """
    bool char f16 f32 f64 f128 i8 i16 i32 i64 i128 isize str u8 u16 u32 u64 u128 usize
    clippy rustfmt rustdoc diagnostic miri rust_analyzer
    """.split()  # noqa: SIM905 - a list literal is one name a line
)


def extract(source: bytes, language: Language) -> FileFacts:
    """The facts of a Rust file; what a macro call holds counts where it reads as items."""
    root = parser_of(language).parse(source).root_node
    items = _read_items(root, source, language)
    found = scan(source, items.bodies, items.uses, items.calls, items.declaring)
    problems = (f"line {_first_error(root)}: not understood as Rust",) if root.has_error else ()
    return FileFacts(
        language=language,
        imports=tuple(_imports(found, items)),
        declarations=tuple(items.declarations[position] for position in sorted(items.declarations)),
        interface=msgspec.msgpack.encode(_interface(found, items)),
        problems=problems,
    )


@dataclass(slots=True)
class _Items:
    """What the grammar shows. Positions are bytes: `bodies` of inline modules, ends of `uses`, spans of `calls`, and
    where the items of the `declaring` macros begin, by where their definitions do."""

    declarations: dict[int, Declaration] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    bodies: dict[int, int] = field(default_factory=dict)
    uses: set[int] = field(default_factory=set)
    calls: dict[int, int] = field(default_factory=dict)
    declaring: dict[int, int] = field(default_factory=dict)
    empty_calls: dict[RustCall, None] = field(default_factory=dict)
    open: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Region:
    """A list of items: a file, the body of a module, trait or impl, or what a macro call holds."""

    node: Node
    scope: str = ""
    parent: str = ""
    member: bool = False
    exported: bool = False
    nesting: int = 0
    calls: int = 0


def _read_items(root: Node, source: bytes, language: Language) -> _Items:
    items = _Items()
    query = query_of(language, "rust")
    regions = [_Region(root)]
    while regions:
        region = regions.pop()
        for label, nodes in captures(query, region.node, max_start_depth=1).items():
            for node in nodes:
                regions.extend(_read_item(label, node, region, items, source, language))
    return items


def _read_item(
    label: str, node: Node, region: _Region, items: _Items, source: bytes, language: Language
) -> Iterator[_Region]:
    """Keep what one item says, and give the lists of items inside it."""
    if label == "use":
        items.uses.add(node.end_byte)
    elif label == "call":
        yield from _in_call(node, region, items, source, language)
    elif label in ("impl", "foreign"):
        yield from _in_block(node, region, source)
    else:
        yield from _declare(_KINDS[label], node, region, items, source)
        if label == "macro":
            yield from _in_definition(node, region, items, source, language)


def _in_definition(node: Node, region: _Region, items: _Items, source: bytes, language: Language) -> Iterator[_Region]:
    """The items of a macro that takes nothing and declares modules in files: it is called where they are to stand."""
    rules = [child for child in node.children if child.type == "macro_rule"]
    left = rules[0].child_by_field_name("left") if len(rules) == 1 else None
    body = rules[0].child_by_field_name("right") if len(rules) == 1 else None
    if left is None or body is None or source[left.start_byte + 1 : left.end_byte - 1].strip():
        return
    if region.calls >= _MAX_CALLS or not _MODULE_IN_FILE.search(source, body.start_byte, body.end_byte):
        return
    items.declaring[node.start_byte] = body.start_byte + 1
    root = _parse_inside(body, source, language)
    yield _Region(root, region.scope, region.parent, nesting=region.nesting, calls=region.calls + 1)


def _declare(kind: DeclarationKind, node: Node, region: _Region, items: _Items, source: bytes) -> Iterator[_Region]:
    name_node = node.child_by_field_name("name")
    if name_node is None or name_node.is_missing:
        return
    name = _text(source[name_node.start_byte : name_node.end_byte])
    body = node.child_by_field_name("body") if kind in (DeclarationKind.MODULE, DeclarationKind.INTERFACE) else None
    exported = region.exported or source.startswith(b"pub", node.start_byte)
    if kind is DeclarationKind.MACRO:
        exported = b"macro_export" in source[max(0, node.start_byte - 160) : node.start_byte].rpartition(b"}")[2]
    if kind is DeclarationKind.FUNCTION and region.member:
        kind = DeclarationKind.METHOD
    items.declarations[node.start_byte] = Declaration(
        name=name,
        kind=kind,
        line=node.start_point.row + 1,
        end_line=node.end_point.row + 1,
        digest=blake3(source[node.start_byte : node.end_byte]).digest(8),
        parent=region.parent,
        exported=exported,
    )
    if kind in _TYPES and not region.member:
        items.types[f"{region.scope}::{name}" if region.scope else name] = name
    if body is not None and region.nesting < _MAX_NESTING:
        yield _body_region(kind, name, body, region, items, exported)


def _body_region(
    kind: DeclarationKind, name: str, body: Node, region: _Region, items: _Items, exported: bool
) -> _Region:
    parent = f"{region.parent}.{name}" if region.parent else name
    if kind is DeclarationKind.INTERFACE:
        return _Region(body, region.scope, parent, True, exported, region.nesting + 1, region.calls)
    items.bodies[body.start_byte] = body.end_byte
    scope = f"{region.scope}::{name}" if region.scope else name
    return _Region(body, scope, parent, nesting=region.nesting + 1, calls=region.calls)


def _in_block(node: Node, region: _Region, source: bytes) -> Iterator[_Region]:
    """The items of an `impl`, whose parent is the type, or of an `extern` block, which has no name."""
    body = node.child_by_field_name("body")
    if body is None or region.nesting >= _MAX_NESTING:
        return
    implemented = node.child_by_field_name("type")
    if implemented is None:
        yield _Region(body, region.scope, region.parent, nesting=region.nesting + 1, calls=region.calls)
        return
    written = _text(source[implemented.start_byte : min(implemented.end_byte, implemented.start_byte + 512)])
    match = _TYPE_NAME.search(written)
    name = match["name"] if match else ""
    parent = f"{region.parent}.{name}" if region.parent else name
    of_trait = node.child_by_field_name("trait") is not None
    yield _Region(body, region.scope, parent, True, of_trait, region.nesting + 1, region.calls)


def _in_call(node: Node, region: _Region, items: _Items, source: bytes, language: Language) -> Iterator[_Region]:
    """The items inside a macro call that is an item itself; a call that holds none may declare anything."""
    tree = node.child(node.child_count - 1)
    if tree is None or tree.type != "token_tree" or region.member:
        return
    items.calls[tree.start_byte] = tree.end_byte
    name = node.child_by_field_name("macro")
    if name is not None and name.type == "identifier" and tree.child_count == 2:
        items.empty_calls[RustCall(_text(source[name.start_byte : name.end_byte]), region.scope)] = None
    if name is not None and b"quote" in source[name.start_byte : name.end_byte]:
        return
    if not source.startswith(b"{", tree.start_byte) or region.calls >= _MAX_CALLS:
        items.open[region.scope] = None
        return
    transparent = _IMPORTING_ITEM.search(source, tree.start_byte, tree.end_byte) is not None
    for inside in _item_lists(tree, source):
        if _ITEM.search(source, inside.start_byte, inside.end_byte):
            root = _parse_inside(inside, source, language)
            transparent = transparent or not root.has_error
            yield _Region(root, region.scope, region.parent, nesting=region.nesting, calls=region.calls + 1)
    if not transparent:
        items.open[region.scope] = None


def _item_lists(tree: Node, source: bytes) -> list[Node]:
    """The brackets that may hold items: those of the call, or those of each arm in `cfg_if! { if … { } else { } }`."""
    first = tree.child(1)
    if first is not None and first.type == "if":
        return [arm for arm in tree.children if arm.type == "token_tree" and source.startswith(b"{", arm.start_byte)]
    return [tree]


def _parse_inside(tree: Node, source: bytes, language: Language) -> Node:
    first, last = tree.child(0), tree.child(tree.child_count - 1)
    assert first is not None
    assert last is not None
    inside = Range(first.end_point, last.start_point, first.end_byte, last.start_byte)
    return Parser(grammar_of(language), included_ranges=[inside]).parse(source).root_node


def _imports(found: Scan, items: _Items) -> Iterator[Import]:
    """The imports of a file, without the paths that start from a name which the file itself explains."""
    types = frozenset(items.types.values())
    macros = {macro.name for macro in found.macros}
    modules = {(module.scope, module.name) for module in found.modules}
    bound = {(use.scope, use.name) for use in found.uses}
    names = {use.name for use in found.uses}
    globs = {use.scope for use in found.uses if use.name == "*"}
    functions = {each.name for each in items.declarations.values() if each.kind is DeclarationKind.FUNCTION}
    paths = frozenset(found.paths)

    def explained(imported: Import) -> bool:
        if imported.specifier.endswith("!"):
            return imported.names[0] in macros or imported.names[0] in names
        first, *rest = imported.specifier.split("::")
        if first in ("", "crate", "self", "super", "$crate") or (imported.scope, first) in modules:
            return False
        if first in types:
            return True
        if len(rest) > 1:
            return False
        if first in _BUILTIN or (imported.scope, first) in bound:
            return True
        # Modules and crates are spelled in lower case; the others can only come through a glob.
        return first[:1].isupper() and (first in names or imported.scope not in globs)

    for position, imported in enumerate(found.imports):
        if position in paths:
            if not explained(imported):
                yield imported
        elif imported.specifier not in functions or imported.detail or imported.kind is EdgeKind.MODULE:
            yield imported  # `use name as other` of a function beside it names no other file


def _interface(found: Scan, items: _Items) -> RustInterface:
    return RustInterface(
        modules=tuple(found.modules),
        uses=tuple(found.uses),
        crates=tuple(found.crates),
        macros=tuple(found.macros),
        includes=tuple(found.includes),
        types=tuple(sorted(path for path, name in items.types.items() if not name[:1].isupper())),
        open=tuple(sorted(items.open)),
        calls=tuple(items.empty_calls),
    )


def _first_error(root: Node) -> int:
    """The line of the first node that the grammar could not read."""
    node = root
    while not (node.is_error or node.is_missing):
        inside = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inside is None:
            break
        node = inside
    return node.start_point.row + 1


def _text(word: bytes) -> str:
    return word.removeprefix(b"r#").decode("utf-8", "replace")
