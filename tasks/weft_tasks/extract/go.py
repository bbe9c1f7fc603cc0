"""Go: the bytes of one file -> its imports, embedded files and package-level declarations. Knows not the file's name.

Everything asked for stands in the top levels of the tree, so they are walked by a plain loop: it costs less than a
query, which besides takes quadratic time over the flat ERROR node that some broken files are.
"""

import re
from typing import TYPE_CHECKING

import msgspec
from blake3 import blake3

from weft_storage.model.facts import Declaration, DeclarationKind, EdgeKind, FileFacts, Import
from weft_storage.model.interfaces.go import GoInterface
from weft_storage.model.languages import Language
from weft_tasks.extract.grammar import parser_of

if TYPE_CHECKING:
    from tree_sitter import Node

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLOCK_COMMENT = re.compile(rb"/\*.*?(?:\*/|\Z)", re.S)
_BUILD_LINE = re.compile(rb"^[ \t]*//go:build[ \t]+([^\r\n]*)", re.M)
_IMPORT_COMMENT = re.compile(rb"[ \t\r]*(?://([^\n]*)|/\*([^\n]*?)\*/)")
_IMPORT_OF_COMMENT = re.compile(r"import\s*(\"[^\"]+\"|`[^`]+`)")
_EMBED = re.compile(r"//go:embed[ \t](.*)", re.S)
_EMBED_PATTERN = re.compile(r'\s*+(?:`(?P<raw>[^`]*+)`|(?P<quoted>"(?:[^"\\]|\\.)*+")|(?P<plain>[^\s"`]\S*+))(?=\s|\Z)')
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.S)
_SIMPLE_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
# Since Go 1.26 `new` takes values; the grammar takes only types, which as arguments of other functions it rejects.
_NEW_OF_VALUE = re.compile(rb"\bnew\((?!\s*(?:map\b|chan\b|func\b|struct\b|interface\b|\[|<-))")
# The specification lets a compiler exclude these from import paths, and go/parser does.
_ILLEGAL_IN_PATH = re.compile("[!\"#$%&'()*,:;<=>?\\[\\\\\\]^`{|}\ufffd ]")


def extract(source: bytes, language: Language) -> FileFacts:
    """Facts of a Go file.

    One Import per import spec (not for `import "C"`) and per `//go:embed` pattern; a pattern keeps its `all:`.
    The kind of an import is IMPORT even if the file is a test: only its name tells.
    """
    if source.startswith(_BYTE_ORDER_MARK):
        source = source[len(_BYTE_ORDER_MARK) :]
    root = _parsed(source, language)
    reader = _Reader(source)
    reader.read(root)
    if root.has_error:
        reader.problems.append(f"line {_first_error(root).start_point[0] + 1}: syntax error")
    return reader.facts(language)


def _parsed(source: bytes, language: Language) -> "Node":
    """The root of the syntax tree. Only the places of its nodes tell the source: their own text may be masked."""
    root = parser_of(language).parse(source).root_node
    if root.has_error:
        masked = _NEW_OF_VALUE.sub(b"neu(", source)
        if masked != source:
            again = parser_of(language).parse(masked).root_node
            return root if again.has_error else again
    return root


class _Reader:
    """What has been read of one file so far."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.imports: list[Import] = []
        self.embeds: list[Import] = []
        self.declarations: list[Declaration] = []
        self.problems: list[str] = []
        self.package = ""
        self.path = ""
        self.header_end = len(source)

    def read(self, root: "Node") -> None:
        """Read the children of the root, and of the ERROR nodes among them as if they were the root's own."""
        has_embeds = b"//go:embed" in self.source
        pending = list(reversed(root.children))
        while pending:
            node = pending.pop()
            kind = node.type
            if kind == "comment":
                if has_embeds:
                    self._embed(node)
            elif kind == "function_declaration":
                self._function(node, DeclarationKind.FUNCTION, "")
            elif kind == "method_declaration":
                self._function(node, DeclarationKind.METHOD, self._receiver(node))
            elif kind in _CONTAINERS:
                pending.extend(reversed(node.children))
            elif kind == "import_spec":
                self._import(node)
            elif kind in ("type_spec", "type_alias"):
                self._type(node)
            elif kind == "var_spec":
                self._values(node, self._digest(node))
            elif kind == "const_declaration":
                self._constants(node)
            elif kind == "package_clause":
                self._package_clause(node)

    def facts(self, language: Language) -> FileFacts:
        """The facts, once all is read."""
        # The go command looks for embedded files only where the file imports "embed".
        embeds = self.embeds if any(each.specifier == "embed" for each in self.imports) else []
        interface = GoInterface(self.package, self._constraint(), self.path)
        return FileFacts(
            language=language,
            imports=tuple(sorted((*self.imports, *embeds), key=lambda each: each.line)),
            declarations=tuple(self.declarations),
            interface=msgspec.msgpack.encode(interface),
            problems=tuple(self.problems),
        )

    def _import(self, node: "Node") -> None:
        literal = node.child_by_field_name("path")
        if literal is None:
            return
        specifier, line = _unquote(self._text(literal)), _line(node)
        if specifier == "C":
            return
        if not _is_import_path(specifier):
            self.problems.append(f"line {line}: invalid import path {specifier!r}")
            return
        name = node.child_by_field_name("name")
        names = ("*",) if name is not None and name.type == "dot" else ()
        self.imports.append(Import(specifier, EdgeKind.IMPORT, line, names))

    def _embed(self, node: "Node") -> None:
        directive = _EMBED.match(self._text(node))
        if directive is None or not self._starts_line(node):
            return
        line, patterns = _line(node), directive[1]
        position = 0
        while rest := _EMBED_PATTERN.match(patterns, position):
            position = rest.end()
            pattern = _unquote(rest["quoted"]) if rest["quoted"] else rest["raw"] or rest["plain"] or ""
            if pattern.isprintable():
                self.embeds.append(Import(pattern, EdgeKind.ASSET, line))
            else:
                self.problems.append(f"line {line}: invalid pattern {pattern!r} in //go:embed")
        if patterns[position:].strip():
            self.problems.append(f"line {line}: invalid quoted string in //go:embed")

    def _function(self, node: "Node", kind: DeclarationKind, parent: str) -> None:
        name = node.child_by_field_name("name")
        if name is not None:
            self._declare(name, kind, node, self._digest(node), parent)

    def _receiver(self, node: "Node") -> str:
        """The name of the receiver's base type, without pointer, parentheses and type parameters."""
        base = node.child_by_field_name("receiver")
        while base is not None and base.type != "type_identifier":
            base = base.child_by_field_name("type") or next(iter(base.named_children), None)
        return self._text(base) if base is not None else ""

    def _type(self, node: "Node") -> None:
        name, meaning = node.child_by_field_name("name"), node.child_by_field_name("type")
        if name is None:
            return
        kind = DeclarationKind.TYPE_ALIAS
        if node.type == "type_spec" and meaning is not None:
            kind = _TYPE_KINDS.get(meaning.type, kind)
        self._declare(name, kind, node, self._digest(node))

    def _constants(self, declaration: "Node") -> None:
        """Constants of one declaration. A value that is repeated or counts by iota depends on the whole group."""
        specs = [each for each in declaration.named_children if each.type == "const_spec"]
        whole: bytes | None = None
        for spec in specs:
            value = spec.child_by_field_name("value")
            if len(specs) > 1 and (value is None or "iota" in self._text(value)):
                whole = whole or self._digest(declaration)
                self._values(spec, whole)
            else:
                self._values(spec, self._digest(spec))

    def _values(self, spec: "Node", digest: bytes) -> None:
        for name in spec.children_by_field_name("name"):
            if name.type == "identifier":
                self._declare(name, DeclarationKind.CONSTANT, spec, digest)

    def _declare(self, name: "Node", kind: DeclarationKind, node: "Node", digest: bytes, parent: str = "") -> None:
        text = self._text(name)
        if text and text != "_":
            declaration = Declaration(
                name=text,
                kind=kind,
                line=_line(node),
                end_line=node.end_point[0] + 1,
                digest=digest,
                parent=parent,
                exported=text[0].isupper(),
            )
            self.declarations.append(declaration)

    def _package_clause(self, node: "Node") -> None:
        name = next((each for each in node.named_children if each.type == "package_identifier"), None)
        if name is not None and not self.package:
            self.package = self._text(name)
            self.header_end = node.start_byte
            self.path = self._import_comment(node.end_byte)

    def _import_comment(self, position: int) -> str:
        """The path of the import comment behind the package clause (`go help importpath`)."""
        comment = _IMPORT_COMMENT.match(self.source, position)
        text = (comment[1] or comment[2] or b"").decode("utf-8", "replace").strip() if comment else ""
        found = _IMPORT_OF_COMMENT.fullmatch(text)
        path = _unquote(found[1]) if found else ""
        return path if _is_import_path(path) else ""

    def _constraint(self) -> str:
        header = self.source[: self.header_end]
        if not self.package or b"//go:build" not in header:
            return ""
        line = _BUILD_LINE.search(_BLOCK_COMMENT.sub(b"", header))
        return line[1].decode("utf-8", "replace").strip() if line else ""

    def _starts_line(self, node: "Node") -> bool:
        begin = self.source.rfind(b"\n", 0, node.start_byte) + 1
        return not self.source[begin : node.start_byte].strip()

    def _text(self, node: "Node") -> str:
        return self.source[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def _digest(self, node: "Node") -> bytes:
        return blake3(self.source[node.start_byte : node.end_byte]).digest(length=8)


_CONTAINERS = frozenset(
    {"import_declaration", "import_spec_list", "type_declaration", "var_declaration", "var_spec_list", "ERROR"}
)
_TYPE_KINDS = {"struct_type": DeclarationKind.CLASS, "interface_type": DeclarationKind.INTERFACE}


def _line(node: "Node") -> int:
    return node.start_point[0] + 1


def _first_error(node: "Node") -> "Node":
    """The first ERROR or MISSING node below; of a text whose bytes no rule takes, the innermost node that says so."""
    while not (node.is_error or node.is_missing):
        inner = next((each for each in node.children if each.has_error), None)
        if inner is None:
            break
        node = inner
    return node


def _unquote(literal: str) -> str:
    """The value of a Go string literal."""
    if literal.startswith("`"):
        return literal.strip("`").replace("\r", "")
    body = literal[1:-1] if literal.endswith('"') else literal[1:]
    return _ESCAPE.sub(_unescape, body) if "\\" in body else body


def _unescape(escape: re.Match[str]) -> str:
    two, four, eight, octal, simple = escape.groups()
    if simple is not None:
        return _SIMPLE_ESCAPES.get(simple, simple)
    code = int(octal, 8) if octal else int(two or four or eight, 16)
    # A surrogate or a number beyond Unicode is no character: the replacement character is no path either.
    return chr(code) if code < 0xD800 or 0xE000 <= code <= 0x10FFFF else "\ufffd"


def _is_import_path(specifier: str) -> bool:
    return bool(specifier) and specifier.isprintable() and not _ILLEGAL_IN_PATH.search(specifier)
