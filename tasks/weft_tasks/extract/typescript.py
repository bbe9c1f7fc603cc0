"""TypeScript and JavaScript: bytes of one file -> its imports and declarations. Knows no other file.

The scripts of a component are read one by one. The module level is read from the tree, statement by statement. What
may stand at any depth (`import()`, `require`, import types, mocks) is found by its bytes first and then looked up in
the tree, which costs a few per cent of the parse where a query over the whole tree costs a third of it.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from blake3 import blake3
from tree_sitter import Node, Tree, TreeCursor

from weft_storage.model.facts import Declaration, DeclarationKind, EdgeKind, FileFacts, Import
from weft_storage.model.languages import COMPONENTS, Language
from weft_tasks.extract.components import read_component
from weft_tasks.extract.grammar import parser_of


def extract(source: bytes, language: Language) -> FileFacts:
    """Facts of a file. Imports and declarations are in source order; a syntax error is one problem."""
    return _extract_component(source, language) if language in COMPONENTS else _extract_script(source, language)


def _extract_component(source: bytes, language: Language) -> FileFacts:
    """The facts of all scripts of a component together."""
    component = read_component(source, language)
    starts = [0, *(match.end() for match in re.finditer(b"\n", source))]
    imports: list[Import] = []
    declarations: list[Declaration] = []
    problems = [f"line {bisect_right(starts, byte)}: {problem}" for byte, problem in component.problems]
    for script in component.scripts:
        line = bisect_right(starts, script.start)
        if script.source:
            name = script.source.decode("utf-8", "replace")
            imports.append(Import(name, EdgeKind.IMPORT, line, ("*",) if language is Language.VUE else ()))
            continue
        column = script.start - starts[line - 1]
        facts = _extract_script(source[script.start : script.end], script.language, (line - 1, column))
        imports += facts.imports
        declarations += facts.declarations
        problems += facts.problems
    return FileFacts(language, tuple(imports), tuple(declarations), problems=tuple(problems))


def _extract_script(source: bytes, language: Language, place: tuple[int, int] | None = None) -> FileFacts:
    """Facts of a script; `place` is the row and column (from 0) where it begins in a component."""
    tree, masked = _parse(source, language)
    module = _Module(source, first_row=place[0] if place else 0, is_script=place is None)
    module.read(tree.root_node)
    _read_deep(module, tree, masked, javascript=language is Language.JAVASCRIPT)
    problem = _recover(module, tree.root_node, place or (0, 0)) if tree.root_node.has_error else None
    return FileFacts(
        language=language,
        imports=tuple(module.imports[key] for key in sorted(module.imports)),
        declarations=module.finished_declarations(),
        problems=() if problem is None else (problem,),
    )


def _parse(source: bytes, language: Language) -> tuple[Tree, dict[int, bytes]]:
    """The tree, and the specifiers of the `import()` that were masked in it, by their place."""
    if language is not Language.JAVASCRIPT:
        text, masked = _mask(source)
        return parser_of(language).parse(text), masked
    tree = parser_of(language).parse(source)
    if tree.root_node.has_error:  # Annotated JavaScript (Flow) often reads better as TSX.
        other = parser_of(Language.TSX).parse(source)
        if len(_read_errors(other.root_node).errors) < len(_read_errors(tree.root_node).errors):
            return other, {}
    return tree, {}


# No quote, escape or line end may stand in what is masked: then it is one token's worth wherever it stands.
_MASKABLE = re.compile(rb"import\s*\(\s*(?:\"([^\"'`\\\n]*)\"|'([^\"'`\\\n]*)')\s*\)")
_EXPORTED_ALIAS = re.compile(rb"export(?=\s+import\s+(?:type\s+)?[\w$]+\s*=\s*require\b)")


def _mask(source: bytes) -> tuple[bytes, dict[int, bytes]]:
    """The source with each `import("x")` as an identifier of equal length, and the specifiers by their place.

    The grammars read import types as calls and stumble over `import("x").T[]`, `import("x").T<U>` and
    `f<typeof import("x")>()`. They do not know `export import a = require("x")` either.
    """
    masked: dict[int, bytes] = {}

    def identifier(match: re.Match[bytes]) -> bytes:
        start = match.start()
        # Line ends must stay, or every line below would be counted wrong.
        if (start and source[start - 1] in _WORD) or b"\n" in match[0]:
            return match[0]
        masked[start] = match[1] if match[1] is not None else match[2]
        return b"_" * len(match[0])

    if b"import" in source:
        source = _MASKABLE.sub(identifier, source)
    if b"require" in source:
        source = _EXPORTED_ALIAS.sub(b"      ", source)
    return source, masked


_DECLARED = {
    "function_declaration": DeclarationKind.FUNCTION,
    "generator_function_declaration": DeclarationKind.FUNCTION,
    "function_signature": DeclarationKind.FUNCTION,
    "function_expression": DeclarationKind.FUNCTION,
    "generator_function": DeclarationKind.FUNCTION,
    "arrow_function": DeclarationKind.FUNCTION,
    "class_declaration": DeclarationKind.CLASS,
    "abstract_class_declaration": DeclarationKind.CLASS,
    "class": DeclarationKind.CLASS,
    "interface_declaration": DeclarationKind.INTERFACE,
    "type_alias_declaration": DeclarationKind.TYPE_ALIAS,
    "enum_declaration": DeclarationKind.ENUM,
    "module": DeclarationKind.MODULE,
    "internal_module": DeclarationKind.MODULE,
}
# Namespaces nested deeper are not entered: their dotted names would grow with the square of their depth.
_LONGEST_PARENT = 1000
_VARIABLES = frozenset({"lexical_declaration", "variable_declaration"})
_METHODS = frozenset({"method_definition", "method_signature", "abstract_method_signature"})
_TYPE_WORDS = frozenset({b"type", b"typeof"})
_REFERENCE = re.compile(rb"///[ \t]*<reference[ \t][^>]*?\b(path|types)[ \t]*=[ \t]*(?:\"([^\"]*)\"|'([^']*)')")


@dataclass(slots=True)
class _Found:
    """A declaration on its way: `listed` is the key under which an export list may name it."""

    start: int
    declaration: Declaration
    listed: tuple[str, str]


@dataclass
class _Module:
    """What was read of a file so far; imports are keyed by where they stand."""

    source: bytes
    first_row: int
    is_script: bool
    imports: dict[tuple[int, int], Import] = field(default_factory=dict)
    found: list[_Found] = field(default_factory=list)
    # (parent, local name) of what `export { a }`, `export default a`, `exports.a = a` name.
    listed: set[tuple[str, str]] = field(default_factory=set)

    def read(self, root: Node) -> None:
        """Take in the statements of the module level, and of the namespaces in it."""
        self._read_references(root)
        # Statement, name of what it is a member of, whether an export keyword stands before it.
        pending: list[tuple[Node, str, bool]] = [(each, "", False) for each in root.named_children]
        while pending:
            node, parent, exported = pending.pop()
            kind = node.type
            if kind == "import_statement":
                self.is_script = False
                self.add_statement(node)
            elif kind == "export_statement":
                self.is_script = self.is_script and bool(parent)
                pending += self._read_export(node, parent)
            elif kind in ("ambient_declaration", "ERROR"):
                ambient = exported or (kind == "ambient_declaration" and bool(parent))
                pending += [(each, parent, ambient) for each in node.named_children]
            elif kind == "statement_block":  # of `declare global`
                pending += [(each, "global", True) for each in node.named_children]
            elif kind == "expression_statement":
                pending += self._read_expression(node, parent, exported)
            else:
                pending += self._declare(node, node, parent, exported)

    def add_import(
        self, node: Node, specifier: str, kind: EdgeKind, names: tuple[str, ...], detail: str = "", number: int = 0
    ) -> None:
        """Record an import that stands at `node`; once per place and kind, or more where they are numbered."""
        key = (node.start_byte, 1 if kind is EdgeKind.TYPE else 2 * number)
        line = self.first_row + node.start_point.row + 1
        self.imports[key] = Import(specifier, kind, line, tuple(dict.fromkeys(names)), detail=detail)

    def add_statement(self, node: Node) -> None:
        """Record an `import` statement, or an `export` statement with a source."""
        for child in node.named_children:
            if child.type == "import_require_clause":
                source = child.child_by_field_name("source")
                kind = EdgeKind.TYPE if _has_type_word(node) else EdgeKind.IMPORT
                if source is not None:
                    self.add_import(node, literal(source), kind, ("*",), detail="require")
                return
        source = node.child_by_field_name("source")
        if source is None or source.is_missing:
            return
        kind = EdgeKind.IMPORT if node.type == "import_statement" else EdgeKind.REEXPORT
        values, types = _clause_names(node)
        if _has_type_word(node):
            values, types = [], values + types
        elif values or not types:
            self.add_import(node, literal(source), kind, tuple(values))
            if not types:
                return
        self.add_import(node, literal(source), EdgeKind.TYPE, tuple(types))

    def add_lexical(
        self, start: int, double: bytes | None, single: bytes | None, kind: EdgeKind, names: tuple[str, ...]
    ) -> None:
        """Record an import that the tree does not show; the specifier was quoted in one of the two ways."""
        specifier = _unescape(double if double is not None else single or b"")
        line = self.first_row + bisect_left(self._line_ends, start) + 1
        self.imports[start, 1 if kind is EdgeKind.TYPE else 0] = Import(specifier, kind, line, names)

    def has_import(self, start: int) -> bool:
        """Whether an import was recorded that stands at that byte."""
        return (start, 0) in self.imports or (start, 1) in self.imports

    def finished_declarations(self) -> tuple[Declaration, ...]:
        """Every declaration, in source order, with what the export statements say of it."""
        if self.is_script:  # Its top level is global: other files can name all of it.
            self.listed |= {each.listed for each in self.found if not each.listed[0]}
        self.found.sort(key=lambda each: (each.start, -each.declaration.end_line))
        return tuple(
            _exported(each.declaration) if each.listed in self.listed else each.declaration for each in self.found
        )

    @cached_property
    def _line_ends(self) -> list[int]:
        return [match.start() for match in re.finditer(b"\n", self.source)]

    def _read_references(self, root: Node) -> None:
        if b"///" not in self.source:
            return
        for node in root.named_children:
            if node.type == "hash_bang_line":
                continue
            if node.type != "comment":
                break
            match = _REFERENCE.match(_text(node))
            if match is not None:
                specifier = (match[2] or match[3] or b"").decode("utf-8", "replace")
                self.add_import(node, specifier, EdgeKind.TYPE, (), detail=match[1].decode())

    def _read_export(self, node: Node, parent: str) -> list[tuple[Node, str, bool]]:
        if node.child_by_field_name("source") is not None:
            self.add_statement(node)
            return []
        declaration = node.child_by_field_name("declaration")
        if declaration is not None:
            return self._declare_exported(declaration, node, parent)
        value = node.child_by_field_name("value")
        for child in [value] if value is not None else node.named_children:
            if child.type == "export_clause":
                names = (each.child_by_field_name("name") for each in child.named_children)
                self.listed |= {(parent, _name(name)) for name in names if name is not None}
            elif child.type == "identifier":
                self.listed.add((parent, _name(child)))
            elif child is value:
                return self._declare(child, node, parent, exported=True, name="default")
        return []

    def _declare_exported(self, declaration: Node, node: Node, parent: str) -> list[tuple[Node, str, bool]]:
        if declaration.type == "ambient_declaration":
            return [(each, parent, True) for each in declaration.named_children]
        return self._declare(declaration, node, parent, exported=True)

    def _read_expression(self, node: Node, parent: str, exported: bool) -> list[tuple[Node, str, bool]]:
        child = node.named_child(0)
        if child is None:
            return []
        if child.type == "internal_module":
            return [(child, parent, exported)]
        if child.type == "assignment_expression" and not parent:
            self._read_assignment(child)
        return []

    def _read_assignment(self, node: Node) -> None:
        """`module.exports = a`, `module.exports = { a, b: c }`, `exports.a = b`."""
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None or left.type != "member_expression":
            return
        text = _text(left) if left.end_byte - left.start_byte < 200 else b""
        if not text.startswith((b"module.exports", b"exports.")):
            return
        self.is_script = False
        if right.type == "identifier":
            self.listed.add(("", _name(right)))
        elif right.type == "object":
            for child in right.named_children:
                value = child.child_by_field_name("value") if child.type == "pair" else child
                if value is not None and value.type in ("identifier", "shorthand_property_identifier"):
                    self.listed.add(("", _name(value)))

    def _declare(
        self, node: Node, whole: Node, parent: str, exported: bool, name: str = ""
    ) -> list[tuple[Node, str, bool]]:
        """Record what a statement declares; `whole` has its export keyword too. Returns the statements inside."""
        if node.type in _VARIABLES:
            self._declare_variables(node, parent, exported)
            return []
        kind = _DECLARED.get(node.type)
        if kind is None:
            if name:
                self._add(name, DeclarationKind.CONSTANT, whole, parent, exported)
            return []
        named = node.child_by_field_name("name")
        name = name if named is None else _member_name(named)
        if not name:
            return []
        self._add(name, kind, whole, parent, exported)
        if kind is DeclarationKind.CLASS:
            self._declare_methods(node, parent, name, exported)
        elif kind is DeclarationKind.MODULE:
            return self._enter_namespace(node, parent, name)
        return []

    def _declare_variables(self, node: Node, parent: str, exported: bool) -> None:
        for declarator in node.named_children:
            name = declarator.child_by_field_name("name") if declarator.type == "variable_declarator" else None
            if name is None:
                continue
            for bound in [_text(name)] if name.type == "identifier" else _bound_names(name):
                self._add(bound.decode("utf-8", "replace"), DeclarationKind.CONSTANT, declarator, parent, exported)

    def _declare_methods(self, node: Node, parent: str, name: str, exported: bool) -> None:
        body = node.child_by_field_name("body")
        for child in body.named_children if body is not None else ():
            member = child.child_by_field_name("name") if child.type in _METHODS else None
            if member is None:
                continue
            private = member.type == "private_property_identifier" or child.child(0) is None
            private = private or _text(child.child(0)) == b"private"
            key = ("", "") if private else (parent, name)  # An exported class has exported methods.
            inside = f"{parent}.{name}" if parent else name
            self._add(_member_name(member), DeclarationKind.METHOD, child, inside, exported and not private, key)

    def _enter_namespace(self, node: Node, parent: str, name: str) -> list[tuple[Node, str, bool]]:
        body, named = node.child_by_field_name("body"), node.child_by_field_name("name")
        if named is not None and named.type == "string" and name.startswith(("./", "../", "/")):
            self.add_import(node, name, EdgeKind.TYPE, ())
        elif named is not None and named.type == "string" and "*" not in name:
            self.add_import(node, name, EdgeKind.TYPE, (), detail="module")
        inside = f"{parent}.{name}" if parent else name
        if body is None or len(inside) > _LONGEST_PARENT:
            return []
        return [(each, inside, False) for each in body.named_children]

    def _add(
        self,
        name: str,
        kind: DeclarationKind,
        node: Node,
        parent: str,
        exported: bool,
        listed: tuple[str, str] | None = None,
    ) -> None:
        digest = blake3(self.source[node.start_byte : node.end_byte]).digest(length=8)
        line, end_line = self.first_row + node.start_point.row + 1, self.first_row + node.end_point.row + 1
        declaration = Declaration(name, kind, line, end_line, digest, parent, exported)
        self.found.append(_Found(node.start_byte, declaration, listed or (parent, name)))


def _exported(declaration: Declaration) -> Declaration:
    if declaration.exported:
        return declaration
    each = declaration
    return Declaration(each.name, each.kind, each.line, each.end_line, each.digest, each.parent, True)


def _has_type_word(statement: Node) -> bool:
    """Whether `type` (or Flow's `typeof`) follows the keyword; the grammars give some of them as errors."""
    word = statement.child(1)
    return word is not None and word.type in ("type", "typeof", "ERROR") and _text(word) in _TYPE_WORDS


def _clause_names(statement: Node) -> tuple[list[str], list[str]]:
    """The names that an import or export statement takes, as the exporter calls them: (values, types)."""
    values: list[str] = []
    types: list[str] = []
    for child in statement.children:
        if child.type == "import_clause":
            for part in child.named_children:
                if part.type == "identifier":
                    values.append("default")
                elif part.type == "namespace_import":
                    values.append("*")
                elif part.type == "named_imports":
                    _specifier_names(part, values, types)
        elif child.type == "export_clause":
            _specifier_names(child, values, types)
        elif child.type in ("*", "namespace_export"):
            values.append("*")
    return values, types


def _specifier_names(clause: Node, values: list[str], types: list[str]) -> None:
    for specifier in clause.named_children:
        name = specifier.child_by_field_name("name")
        if name is None:
            continue
        first = specifier.child(0)
        is_type = first is not None and first.type in ("type", "typeof") and first.start_byte != name.start_byte
        (types if is_type else values).append(_name(name))


def _bound_names(pattern: Node) -> Iterator[bytes]:
    """The identifiers that a destructuring pattern binds, in source order."""
    pending = [pattern]
    while pending:
        node = pending.pop()
        if node.type in ("identifier", "shorthand_property_identifier_pattern"):
            yield _text(node)
        elif node.type in ("object_pattern", "array_pattern", "rest_pattern"):
            pending += reversed(node.named_children)
        elif node.type in ("pair_pattern", "object_assignment_pattern", "assignment_pattern"):
            part = node.child_by_field_name("value" if node.type == "pair_pattern" else "left")
            if part is not None:
                pending.append(part)


def _member_name(node: Node) -> str:
    """The name of a declaration; a computed one (`[Symbol.iterator]`) as it is written."""
    return _name(node)[:200]


def _name(node: Node) -> str:
    return literal(node) if node.type == "string" else _text(node).decode("utf-8", "replace")


def _text(node: Node) -> bytes:
    return node.text or b""


# ---------------------------------------------------------------------------------------------------------------------
# String literals

_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([0-7]{1,3})|(\r\n|[\s\S]))")
_SIMPLE_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}
_LINE_ENDS = frozenset({"\r\n", "\n", "\r", "\u2028", "\u2029"})


def literal(node: Node) -> str:
    """The value of a string or of a template without substitution, quotes off and escapes decoded."""
    return _unescape(_text(node)[1:-1])


def _unescape(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    if "\\" not in text:
        return text
    # Surrogate pairs may be written as two escapes; a lone one is no Unicode text and becomes U+FFFD.
    return _ESCAPE.sub(_escaped, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _escaped(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code:
        value = int(code, 16)
        return chr(value) if value <= 0x10FFFF else "\ufffd"
    if match[4]:
        return chr(int(match[4], 8))
    return "" if match[5] in _LINE_ENDS else _SIMPLE_ESCAPES.get(match[5], match[5])


# ---------------------------------------------------------------------------------------------------------------------
# What may stand at any depth

# Comments between a word and its parenthesis are bounded, so that unclosed ones cannot make the search quadratic.
_GAP = rb"(?:\s|/\*[^*]{0,400}+\*/|//[^\n]{0,400}+\n)*+"
_DYNAMIC_IMPORT = re.compile(rb"import(?=" + _GAP + rb"\()")
_REQUIRE = re.compile(rb"require(?=" + _GAP + rb"(?:[(<]|(?:\?\.|\.)" + _GAP + rb"resolve\b|\?\.))")
_MOCK = re.compile(
    rb"(?:jest|vi|vitest)(?=" + _GAP + rb"\." + _GAP + rb"(mock|doMock|unmock|dontMock|doUnmock|deepUnmock|setMock"
    rb"|unstable_mockModule|unstable_unmockModule|requireActual|requireMock|importActual|importMock"
    rb"|createMockFromModule|genMockFromModule)\b)"
)
_GLOB = re.compile(rb"import(?=" + _GAP + rb"\." + _GAP + rb"meta" + _GAP + rb"\." + _GAP + rb"glob(?:Eager)?\b)")
_JSDOC_IMPORT = re.compile(rb"@import\b")
_JSDOC_CALL = re.compile(rb"import\s*\(\s*(?:\"([^\"\n]*)\"|'([^'\n]*)')[^()]{0,200}\)\s*(?:\.\s*([\w$]+))?")
# These tags may leave out the braces.
_JSDOC_BARE = re.compile(rb"@(?:type|enum|this)\s+\Z")
# These tags name classes: the compiler reads no import types in them.
_JSDOC_CLASS = re.compile(rb"@(?:implements|extends|augments)\s*\{?\s*\Z")
_JSDOC_CLAUSE = re.compile(rb"@import\b([^\"'@]{0,2000}+)(?:\"([^\"\n]*)\"|'([^'\n]*)')")
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$")
# Beyond this many finds the cursor steps from sibling to sibling, which is slower and never quadratic.
_MANY = 64


def _read_deep(module: _Module, tree: Tree, masked: dict[int, bytes], *, javascript: bool) -> None:
    hits = _hits(module.source, javascript)
    cursor = tree.walk()
    path = [tree.root_node]
    move = _move_stepwise if len(hits) > _MANY else _move_directly
    for start in hits:
        move(cursor, path, start)
        leaf = path[-1]
        if start in masked and leaf.start_byte == start and leaf.type in ("identifier", "type_identifier"):
            _read_masked_import(module, path, _unescape(masked[start]))
        elif "meta_property" in (leaf.type, path[-2].type if len(path) > 1 else ""):
            _read_glob(module, path)
        elif leaf.type == "import" and leaf.start_byte == start:
            _read_dynamic_import(module, path)
        elif leaf.type == "identifier" and leaf.start_byte == start:
            _read_call(module, path)
        elif javascript and leaf.type == "comment":
            _read_jsdoc(module, leaf, start)


def _hits(source: bytes, javascript: bool) -> list[int]:
    """Where `import(`, `require` or a mock may stand, ascending. The tree then judges."""
    patterns = []
    if b"import" in source:
        patterns.append(_DYNAMIC_IMPORT)
        if b"glob" in source:
            patterns.append(_GLOB)
    if javascript and b"@import" in source:
        patterns.append(_JSDOC_IMPORT)
    if b"require" in source:
        patterns.append(_REQUIRE)
    if b"ock" in source or b"Actual" in source:
        patterns.append(_MOCK)
    found = {match.start() for pattern in patterns for match in pattern.finditer(source)}
    return sorted(start for start in found if start == 0 or source[start - 1] not in _WORD)


def _move_directly(cursor: TreeCursor, path: list[Node], byte: int) -> None:
    """Bring the cursor to the leaf at `byte`; `path` are the nodes from the root to it."""
    while len(path) > 1 and path[-1].end_byte <= byte:
        path.pop()
        cursor.goto_parent()
    while cursor.goto_first_child_for_byte(byte) is not None:
        if not _enter(cursor, path, byte):
            return


def _move_stepwise(cursor: TreeCursor, path: list[Node], byte: int) -> None:
    """The same for ascending bytes, without ever looking at a sibling twice."""
    while len(path) > 1 and path[-1].end_byte <= byte:
        path.pop()
        if not cursor.goto_next_sibling():
            cursor.goto_parent()
        elif not _enter(cursor, path, byte):
            return
    while cursor.goto_first_child():
        if not _enter(cursor, path, byte):
            return
        while path[-1].end_byte <= byte and cursor.goto_next_sibling():
            path.pop()
            if not _enter(cursor, path, byte):
                return


def _enter(cursor: TreeCursor, path: list[Node], byte: int) -> bool:
    """Put the cursor's node on the path; False, and back to its parent, where it begins after `byte`."""
    node = cursor.node
    if node is None or node.start_byte > byte:
        cursor.goto_parent()
        return False
    path.append(node)
    return True


def _read_masked_import(module: _Module, path: list[Node], specifier: str) -> None:
    """`import("x")` that was read as an identifier; `path` ends with it."""
    at = len(path) - 1
    above = at - 1
    while above and path[above].type in ("nested_type_identifier", "nested_identifier", "member_expression"):
        above -= 1
    if path[at].type == "type_identifier" or _is_type_context(path[above], path[above + 1]):
        module.add_import(path[at], specifier, EdgeKind.TYPE, (_next_name(path, at),))
    else:
        module.add_import(path[at], specifier, EdgeKind.DYNAMIC, _used_names(path, at))


def _next_name(path: list[Node], at: int) -> str:
    """The first name behind the identifier at `path[at]` in a dotted name; `*` where it stands alone."""
    dotted = path[at - 1]
    if dotted.type not in ("nested_type_identifier", "nested_identifier", "member_expression"):
        return "*"
    last = dotted.named_child(dotted.named_child_count - 1)
    return "*" if last is None else _name(last)


def _read_dynamic_import(module: _Module, path: list[Node]) -> None:
    """`import("x")` as a value or as a type; `path` ends with its `import`."""
    at = len(path) - 1
    while at and path[at].type == "import":
        at -= 1
    call = path[at]
    source = _first_argument(call)
    if call.type != "call_expression" or source is None:
        return
    above = at - 1
    while above and path[above].type in ("member_expression", "nested_type_identifier", "nested_identifier"):
        above -= 1
    if _is_type_context(path[above], path[above + 1]):
        names = (_property(path[at - 1]),) if above < at - 1 else ("*",)
        module.add_import(call, literal(source), EdgeKind.TYPE, names)
    else:
        module.add_import(call, literal(source), EdgeKind.DYNAMIC, _used_names(path, at))


def _is_type_context(parent: Node, child: Node) -> bool:
    if parent.type in ("as_expression", "satisfies_expression"):
        return parent.child(0) != child
    return "type" in parent.type or parent.type in ("constraint", "implements_clause")


def _read_call(module: _Module, path: list[Node]) -> None:
    """`require("x")`, `require.resolve("x")`, `jest.mock("x")`; `path` ends with the first identifier."""
    word = _text(path[-1])
    if word == b"require":
        kind, at = EdgeKind.IMPORT, len(path) - 2
        if path[at].type == "member_expression" and _property(path[at]) == "resolve":
            at -= 1
    else:
        kind, at = EdgeKind.DYNAMIC, len(path) - 3
    if at < 0 or len(path) < 2:
        return
    while at > 0 and path[at].type == "await_expression":  # `await a.b<T>()` is read as `(await a.b)<T>()`.
        at -= 1
    call = path[at]
    function = call.child_by_field_name("function") if call.type == "call_expression" else None
    source = _first_argument(call) if function is not None and function.end_byte > path[-1].start_byte else None
    if source is None:
        return
    names: tuple[str, ...] = ()
    if word == b"require" or "Actual" in _property(path[-2]):
        names = _used_names(path, at)
    # An entry of a package may be another one for `require`.
    module.add_import(call, literal(source), kind, names, detail="require" if word == b"require" else "")


def _read_glob(module: _Module, path: list[Node]) -> None:
    """`import.meta.glob("./a/*.ts")`: an import per pattern; those that begin with `!` are the detail of each other."""
    at = next((at for at in range(len(path) - 1, -1, -1) if path[at].type == "meta_property"), 0) - 2
    call = path[at] if at >= 0 else None
    function = call.child_by_field_name("function") if call is not None and call.type == "call_expression" else None
    arguments = call.child_by_field_name("arguments") if call is not None and function is not None else None
    if call is None or function is None or arguments is None or not _property(function).startswith("glob"):
        return
    given = [child for child in arguments.named_children if child.type != "comment"]
    patterns = _literals(given[0]) if given else []
    options = _text(given[1]) if len(given) > 1 else b""
    eager = _property(function) == "globEager" or _EAGER.search(options) is not None
    kind = EdgeKind.IMPORT if eager else EdgeKind.DYNAMIC
    name = _TAKEN.search(options)
    base = _BASE.search(options)
    if base is not None:
        patterns = [_from_base(base[1].decode("utf-8", "replace"), each) for each in patterns]
    left_out = [each.removeprefix("!") for each in patterns if each.startswith("!")]
    taken = [each for each in patterns if not each.startswith("!")]
    for number, pattern in enumerate(taken):
        names = (name[1].decode("utf-8", "replace"),) if name is not None else ("*",)
        module.add_import(call, pattern, kind, names, detail="\n".join(("glob", *left_out)), number=number)


_EAGER = re.compile(rb"\beager\s*:\s*true\b")
_TAKEN = re.compile(rb"\bimport\s*:\s*[\"']([\w$]+)[\"']")
_BASE = re.compile(rb"\bbase\s*:\s*[\"']([^\"'\\\n]+)[\"']")
# More patterns than this in one call are no program.
_MOST_PATTERNS = 1000


def _from_base(base: str, pattern: str) -> str:
    """A pattern from the importer that is written from the folder of the option `base`."""
    mark, rest = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    return f"{mark}{base.rstrip('/')}/{rest.removeprefix('./')}" if rest.startswith(".") else pattern


def _literals(node: Node) -> list[str]:
    """The value of a literal, or those of a list of literals; none where one of them is computed."""
    nodes = [each for each in node.named_children if each.type != "comment"] if node.type == "array" else [node]
    plain = len(nodes) <= _MOST_PATTERNS and all(_is_literal(each) for each in nodes)
    return [literal(each) for each in nodes] if plain else []


def _is_literal(node: Node) -> bool:
    """Whether a node is a string, or a template without substitution."""
    is_template = node.type == "template_string"
    return node.type == "string" or (
        is_template and not any(each.type == "template_substitution" for each in node.named_children)
    )


def _first_argument(call: Node) -> Node | None:
    """The first argument, where it is a string or a template without substitution."""
    arguments = call.child_by_field_name("arguments")
    for child in arguments.named_children if arguments is not None else ():
        if child.type != "comment":
            return child if _is_literal(child) else None
    return None


def _used_names(path: list[Node], at: int) -> tuple[str, ...]:
    """The names that are taken at once from what the expression at `path[at]` gives; `*` where that is not seen."""
    child = path[at]
    for parent in reversed(path[:at]):
        if parent.type == "member_expression":
            name = _property(parent)
            return ("*",) if name in ("then", "catch", "finally") else (name,)
        if parent.type == "variable_declarator":
            pattern = parent.child_by_field_name("name")
            return _taken_names(pattern) if pattern is not None and pattern.type == "object_pattern" else ("*",)
        if parent.type == "expression_statement":
            return ()
        if parent.type not in ("await_expression", "parenthesized_expression", "as_expression"):
            return ("*",)
        child = parent
    return ("*",) if child is not None else ()


def _taken_names(pattern: Node) -> tuple[str, ...]:
    names = []
    for child in pattern.named_children:
        part = child
        if child.type == "pair_pattern":
            part = child.child_by_field_name("key") or child
        elif child.type == "object_assignment_pattern":
            part = child.child_by_field_name("left") or child
        if part.type not in ("property_identifier", "shorthand_property_identifier_pattern", "string"):
            return ("*",)
        names.append(_name(part))
    return tuple(names)


def _property(node: Node) -> str:
    found = node.child_by_field_name("property")
    return _text(found).decode("utf-8", "replace") if found is not None else "*"


def _read_jsdoc(module: _Module, comment: Node, start: int) -> None:
    """`{import("x").T}`, `@type import("x").T` and `@import { T } from "x"` in a documentation comment."""
    source = module.source
    if not source.startswith(b"/**", comment.start_byte):
        return
    if source.startswith(b"@", start):
        match = _JSDOC_CLAUSE.match(source, start, comment.end_byte)
        if match is not None:
            module.add_lexical(start, match[2], match[3], EdgeKind.TYPE, _jsdoc_names(match[1]))
        return
    begin = max(comment.start_byte, start - 2000)
    match = _JSDOC_CALL.match(source, start, comment.end_byte)
    braced = source.rfind(b"{", begin, start) > source.rfind(b"}", begin, start)
    if match is None or _JSDOC_CLASS.search(source, begin, start):
        return
    if braced or _JSDOC_BARE.search(source, begin, start):
        name = (match[3] or b"*").decode("utf-8", "replace")
        module.add_lexical(start, match[1], match[2], EdgeKind.TYPE, (name,))


def _jsdoc_names(clause: bytes) -> tuple[str, ...]:
    """The names in `{ A, B as C } from`, `D from`, `* as E from`, whose lines may begin with a star."""
    words = re.sub(r"\n\s*\*", "\n", clause.decode("utf-8", "replace")).removesuffix("from")
    head, _, named = words.partition("{")
    names = ["*"] if "*" in head else ["default"] if head.strip(" \t\r\n,") else []
    names += [part.split()[0] for part in named.split("}")[0].split(",") if part.split()]
    return tuple(names)


# ---------------------------------------------------------------------------------------------------------------------
# Syntax errors


# At the start of a line: an import or re-export whose statement the parser has lost. It ends before the next one.
_LOST = re.compile(
    rb"^[ \t]*(import|export)\b((?:(?!\n[ \t]*(?:import|export)\b)[^\"'`;()=])*+)(?:\"([^\"\n]*)\"|'([^'\n]*)')", re.M
)
# A file with more nodes in and beside its errors is no source; the rest is read by its text alone.
_MOST_BROKEN_NODES = 100_000


def _recover(module: _Module, root: Node, place: tuple[int, int]) -> str | None:
    """Take the imports that a broken tree holds in odd places; the sentence about the first error."""
    broken = _read_errors(root)
    for node in broken.statements:
        if not module.has_import(node.start_byte):
            module.add_statement(node)
    if not broken.errors:
        return None
    _recover_lost(module, [root] if broken.cut_short else broken.errors)
    point = broken.errors[0].start_point
    column = point.column + (0 if point.row else place[1])
    return f"syntax error at line {place[0] + point.row + 1}, column {column + 1}"


@dataclass(slots=True)
class _Broken:
    """What a tree with errors holds: its errors, and the imports and re-exports that stand beside them, in order."""

    errors: list[Node] = field(default_factory=list)
    statements: list[Node] = field(default_factory=list)
    cut_short: bool = False


def _read_errors(root: Node) -> _Broken:
    """Walk what has errors in it; not by a query, which takes quadratic time over the flat children of an error."""
    broken = _Broken()
    cursor = root.walk()
    parents: list[Node] = []
    for _ in range(_MOST_BROKEN_NODES):
        node = cursor.node
        if node is None:  # pragma: no cover - a cursor always has a node
            break
        above = parents[-1] if parents else None
        if node.type in ("import_statement", "export_statement"):
            broken.statements.append(node)
        if (node.is_error or node.is_missing) and not _is_known_gap(node, above):
            broken.errors.append(node)
        if node.has_error and cursor.goto_first_child():
            parents.append(node)
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return broken
            parents.pop()
    broken.cut_short = True
    return broken


def _is_known_gap(node: Node, parent: Node | None) -> bool:
    """Whether only the grammar errs: `export type * from`, `import defer * as a from`, `import source a from`."""
    if parent is None or parent.type not in ("import_statement", "export_statement") or node.is_missing:
        return False
    return _text(node).isalnum()


def _recover_lost(module: _Module, errors: list[Node]) -> None:
    """Read the statements inside errors by their text: the name of a file is better than nothing."""
    end = 0
    for node in errors:
        begin = max(end, node.start_byte)
        end = max(end, node.end_byte)
        for match in _LOST.finditer(module.source, begin, end):
            start = match.start(1)
            clause = match[2].split()
            if module.has_import(start) or clause[-1:] != ([b"from"] if clause or match[1] == b"export" else []):
                continue
            kind = EdgeKind.IMPORT if match[1] == b"import" else EdgeKind.REEXPORT
            kind = EdgeKind.TYPE if clause[:1] == [b"type"] and len(clause) > 2 else kind
            module.add_lexical(start, match[3], match[4], kind, ("*",) if clause else ())
