"""Reading: bytes of one file -> its units, each with the digest of what it says and all names that it mentions. Pure.

A *unit* is a top-level declaration with everything in it: methods belong to their class, a Go method and the items of a
Rust `impl` to their type. What stands between declarations is the unit "" (code that runs when the file is loaded).
Import and export statements are no unit: they bind names.

Mentions are the words of the text, those in strings included: `getattr(x, "name")` and the path in a mock mean the
name. Digests leave out comments and layout, but nothing of a string.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from blake3 import blake3
from tree_sitter import Node, TreeCursor

from weft_storage.model.facts import Declaration
from weft_storage.model.languages import Family, Language, family_of
from weft_tasks.extract.grammar import parser_of

ALL = "*"
"""Among names: all of them."""
LOADING = ""
"""Among names and units: the code that runs when the file is loaded, and its effects."""
SCRIPT = "__main__"
"""The unit of code that runs only where the file is the program."""

_WORD = re.compile(rb"[A-Za-z_$\x80-\xff][\w$\x80-\xff]*")
_ALIAS = re.compile(rb"([\w$]+)\s+as\s+([\w$]+)")
_DEFAULT_IMPORT = re.compile(rb"\bimport\s+(?:type\s+)?([A-Za-z_$][\w$]*)\s*(?:,|from\b)")
_DEFAULT_EXPORT = re.compile(rb"\bexport\s+default\s+([A-Za-z_$][\w$]*)\s*;?\s*$")
_DYNAMIC = re.compile(
    rb"\b(?:getattr|setattr|globals|locals|vars|eval|exec|__dict__|import_module|__import__|attrgetter|getmembers)\b"
)
_IMPORTS = frozenset(
    (
        "import_statement",
        "import_from_statement",
        "future_import_statement",
        "import_declaration",
        "use_declaration",
        "extern_crate_declaration",
        "package_clause",
    )
)
# Statements whose parts are looked at one by one: imports stand in them, beside other code.
_BLOCKS = frozenset(
    (
        "if_statement",
        "elif_clause",
        "else_clause",
        "try_statement",
        "except_clause",
        "finally_clause",
        "with_statement",
        "block",
        "statement_block",
    )
)
_KEYWORDS = frozenset(
    ("import", "from", "as", "type", "export", "default", "require", "use", "pub", "crate", "self", "super", "extern")
)
# Decorators that only wrap what they stand above; any other may make it known elsewhere.
_WRAPPING = frozenset(
    (
        *("property", "cached_property", "setter", "getter", "deleter", "staticmethod", "classmethod"),
        *("abstractmethod", "override", "overload", "final", "wraps", "cache", "lru_cache", "singledispatch"),
        *("singledispatchmethod", "total_ordering", "contextmanager", "asynccontextmanager", "dataclass", "define"),
        *("frozen", "runtime_checkable", "unique", "deprecated", "no_type_check", "fixture", "parametrize", "mark"),
        *("usefixtures", "patch", "given", "settings"),
    )
)
_COMPONENTS = frozenset((Language.VUE, Language.SVELTE, Language.ASTRO))


@dataclass(frozen=True, slots=True)
class Unit:
    """A declaration: `digest` (16 bytes) of what it says, the words in it, and what only its text can tell.

    `members` are names of what it contains that others may use without naming it (Go's methods, items of Rust's
    modules and `impl`s). `effects` are names whose things it may alter when the file is loaded: all that code between
    declarations mentions, the decorator that may register what it stands above. `dynamic` says that it reaches for
    names which its text may not have.
    """

    digest: bytes
    mentions: frozenset[str]
    members: frozenset[str] = frozenset()
    effects: frozenset[str] = frozenset()
    dynamic: bool = False


@dataclass(frozen=True, slots=True)
class FileSymbols:
    """The units of a file by name, and its import and export statements: digest -> words of the statement.

    Words of a statement may be ALL and LOADING too. `aliases` are further names that statements give to a name,
    `passed_on` the names that they let others import from here. `opaque` says that the text could not be told apart:
    the file must be taken as a whole.
    """

    units: Mapping[str, Unit]
    statements: Mapping[bytes, frozenset[str]]
    aliases: Mapping[str, frozenset[str]]
    passed_on: frozenset[str] = frozenset()
    opaque: bool = False


OPAQUE = FileSymbols({}, {}, {}, opaque=True)


def read_symbols(source: bytes, language: Language, declarations: Iterable[Declaration]) -> FileSymbols:
    """The symbols of a file, of which `declarations` are those that its extractor found.

    A file with syntax errors, and a component of several scripts, is opaque.
    """
    if language in _COMPONENTS:
        return OPAQUE
    root = parser_of(language).parse(source).root_node
    if root.has_error:
        return OPAQUE
    declared, family = list(declarations), family_of(language)
    owners = _owners(declared)
    pieces: defaultdict[str, list[Node]] = defaultdict(list)
    statements: dict[bytes, frozenset[str]] = {}
    aliases: defaultdict[str, set[str]] = defaultdict(set)
    passed_on: set[str] = set()
    for node in _parts(root):
        if not _binds(node):
            for name in _names(node, owners):
                pieces[name].append(node)
                if node.type == "export_statement" and any(child.type == "default" for child in node.children):
                    aliases[name].add("default")
            continue
        text = source[node.start_byte : node.end_byte]
        words = statements[_digest([node], source)] = _bound(node, text, family)
        passed_on |= words if _passes_on(node, family) else frozenset()
        for name, alias in _aliases(text):
            aliases[name].add(alias)
    members = _members(declared) if family in (Family.GO, Family.RUST) else {}
    units = {name: _unit(name, nodes, source, family, members.get(name, ())) for name, nodes in pieces.items()}
    named = {name: frozenset(found) for name, found in aliases.items()}
    return FileSymbols(units, statements, named, frozenset(passed_on - {LOADING}))


def _owners(declarations: Iterable[Declaration]) -> dict[int, set[str]]:
    """The names of the units that each line belongs to (lines count from 0)."""
    owners: defaultdict[int, set[str]] = defaultdict(set)
    for each in declarations:
        unit = each.parent.split(".")[0] or each.name
        for line in range(each.line - 1, each.end_line):
            owners[line].add(unit)
    return owners


def _members(declarations: Iterable[Declaration]) -> dict[str, set[str]]:
    members: defaultdict[str, set[str]] = defaultdict(set)
    for each in declarations:
        if each.parent:
            members[each.parent.split(".")[0]].add(each.name)
    return members


def _parts(node: Node) -> Iterator[Node]:
    """The top-level statements of a file, those within conditions one by one; no comments, no docstring."""
    for child in node.children:
        if _is_comment(child) or _is_docstring(child):
            continue
        if child.type in _BLOCKS and not _is_script(child):
            yield from _parts(child)
        else:
            yield child


def _is_docstring(node: Node) -> bool:
    """A string by itself, in Python; in JavaScript it may be a directive, which has a meaning."""
    return node.type == "string"


def _is_script(node: Node) -> bool:
    """`if __name__ == "__main__":`"""
    condition = node.child_by_field_name("condition") if node.type == "if_statement" else None
    text = (condition and condition.text) or b""
    return b"__name__" in text and b"__main__" in text


def _binds(node: Node) -> bool:
    """Whether a statement only gives names to things that stand elsewhere."""
    if node.type in _IMPORTS:
        return True
    if node.type != "export_statement" or node.child_by_field_name("declaration") is not None:
        return False
    value = node.child_by_field_name("value")
    return value is None or value.type == "identifier"


def _names(node: Node, owners: Mapping[int, set[str]]) -> set[str]:
    """The units that a statement belongs to: the declarations on its lines, else the code between them."""
    if _is_script(node):
        return {SCRIPT}
    rows = range(node.start_point.row, node.end_point.row + 1)
    return {name for row in rows for name in owners.get(row, ())} or {LOADING}


def _bound(node: Node, text: bytes, family: Family) -> frozenset[str]:
    words = _words(text) - _KEYWORDS
    if b"*" in text:
        words |= {ALL}
    if family is Family.TYPESCRIPT and node.type == "import_statement":
        has_clause = any(child.type in ("import_clause", "import_require_clause") for child in node.children)
        words |= frozenset() if has_clause else {LOADING}
    return words


def _passes_on(node: Node, family: Family) -> bool:
    """Whether others can import from this file what a statement names."""
    if family is Family.PYTHON:
        return True
    if family is Family.RUST:
        return any(child.type == "visibility_modifier" for child in node.children)
    return node.type == "export_statement"


def _unit(name: str, nodes: list[Node], source: bytes, family: Family, members: Iterable[str]) -> Unit:
    text = b"\n".join(source[node.start_byte : node.end_byte] for node in nodes)
    return Unit(
        digest=_digest(nodes, source),
        mentions=_words(text) - {name},
        members=frozenset(members),
        effects=_effects(name, nodes, source, family),
        # Code that runs on loading alters what it mentions; to take it for more would make most files wholes.
        dynamic=name != LOADING and _DYNAMIC.search(text) is not None,
    )


def _effects(name: str, nodes: Iterable[Node], source: bytes, family: Family) -> frozenset[str]:
    runs = name == LOADING or (family is Family.GO and name in ("init", "_"))
    at_once = nodes if runs else [each for node in nodes for each in (node, *node.children) if each.type == "decorator"]
    texts = (source[node.start_byte : node.end_byte] for node in at_once)
    return frozenset().union(*(_words(text) for text in texts if runs or not _wraps(text)))


def _wraps(decorator: bytes) -> bool:
    return not _words(decorator.split(b"(")[0]).isdisjoint(_WRAPPING)


def _words(text: bytes) -> frozenset[str]:
    return frozenset(_decoded(word) for word in set(_WORD.findall(text)))


def _decoded(word: bytes) -> str:
    return word.decode("utf-8", "replace")


def _aliases(text: bytes) -> Iterator[tuple[str, str]]:
    """Names that a statement gives to names: (name there, name here) of an import, and the reverse of an export."""
    for name, alias in _ALIAS.findall(text):
        yield _decoded(name), _decoded(alias)
    if found := _DEFAULT_IMPORT.search(text):
        yield "default", _decoded(found[1])
    if found := _DEFAULT_EXPORT.search(text):
        yield _decoded(found[1]), "default"


def _digest(nodes: Iterable[Node], source: bytes) -> bytes:
    """The identity of what statements say: their tree and their text, less comments and the space between words."""
    hasher = blake3()
    for node in nodes:
        _feed(hasher, node.walk(), source)
    return hasher.digest(16)


def _feed(hasher: blake3, cursor: TreeCursor, source: bytes) -> None:
    depth = 0
    while True:
        node = cursor.node
        assert node is not None
        if not _is_comment(node):
            if not _is_text(node) and cursor.goto_first_child():
                hasher.update(b"(" + node.type.encode())
                depth += 1
                continue
            text = source[node.start_byte : node.end_byte]
            # With its length before it no text can run into the next.
            hasher.update(b"%d:" % len(text) + text)
        while not cursor.goto_next_sibling():
            if not depth:
                return
            cursor.goto_parent()
            depth -= 1
            hasher.update(b")")


def _is_comment(node: Node) -> bool:
    return "comment" in node.type


def _is_text(node: Node) -> bool:
    """Whether the space in a node matters, or not all of its text stands in its children."""
    return any(part in node.type for part in ("string", "template", "regex", "char", "jsx_text"))
