"""The scan of a Rust file's tokens for what names other files. Knows no grammar: inside macro calls there is none.

The tokens of Rust can be told without parsing, and in a macro call they are all there is; so one pass
reads `use`, `mod`, `extern crate`, paths and macro calls wherever they stand. Linear in the length of the file.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from weft_storage.model.facts import EdgeKind, Import
from weft_storage.model.interfaces.rust import RustExternCrate, RustInclude, RustMacro, RustModule, RustUse

# Longer paths and deeper modules are no program's; the bounds keep hostile files linear.
_MAX_SEGMENTS = 128
_MAX_SCOPES = 64
# Bytes that are looked through behind an attribute for the item that it belongs to.
_MAX_ATTRIBUTES = 2048

_SKIPPED = rb"""
    //[^\n]*+
  | "(?:[^"\\]++|\\.)*+"?
  | '(?:[\x00-\x5b\x5d-\x7f]|[\xc2-\xf4][\x80-\xbf]++|\\[^\n][^'\n]{0,10}+)'
  | (?P<block>/\*)
  | (?P<raw>\b[bc]?r\#*+")
"""
_WORD = rb"[\w\x80-\xff$]++"
_SEGMENT = rb"(?:r\#)?+" + _WORD
# Every word is matched whole, and with the signs behind it, though few are wanted: a search that starts anew at each
# character costs twice as much. So a match may reach beyond its token, and its groups tell where that ends.
_TOKEN = re.compile(
    rb"(?:"
    + _SKIPPED
    + rb"| (?P<attribute>\#\s*+\[\s*+(?:path|macro_use|macro_export|cfg_attr)\b) |"
    + _WORD
    + rb"(?:(?P<path>(?:\s*+::\s*+"
    + _SEGMENT
    + rb")++(?:!\s*+[({\[])?+ | !\s*+[({\[])"
    + rb"| (?P<keyword>(?<=use)|(?<=mod)|(?<=extern)|(?<=macro_rules)))?+"
    + rb")[\s;,.(){}\[\]<>=&*|!?+\-:@%^~\\]*+",
    re.X | re.S,
)
_BRACKETS = re.compile(_SKIPPED + rb"| (?P<open>[({\[]) | (?P<close>[)}\]])", re.X | re.S)
_COMMENT_EDGE = re.compile(rb"/\*|\*/")

_USE_TEXT = re.compile(rb"(?:[\w\x80-\xff\s:{},*#$]++|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/)*+")
_USE_TOKEN = re.compile(rb"//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/|(?P<token>::|[{},*]|" + _SEGMENT + rb")")
# Most are so simple that no tree need be read; `self` at the end and `r#` are not.
_PLAIN_USE = re.compile(rb"\s++([A-Za-z_]\w*+(?:::[A-Za-z_]\w*+)++)")
_MODULE = re.compile(rb"\s++(?:r\#)?+([\w\x80-\xff]++)\s*+([;{])")
_EXTERN_CRATE = re.compile(rb"\s++crate\s++(?:r\#)?+([\w\x80-\xff]++)(?:\s++as\s++(?:r\#)?+([\w\x80-\xff]++))?+\s*+;")
_MACRO_RULES = re.compile(rb"\s*+!\s*+(?:r\#)?+([\w\x80-\xff]++)\s*+[({\[]")

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_ATTRIBUTES = re.compile(rb"(?:\s++|//[^\n]*+|\#\s*+\[(?:[^\[\]\"]++|" + _STRING + rb"|\[[^\[\]]*+\])*+\])*+", re.S)
_VISIBILITY = re.compile(rb"(?:pub\b\s*+(?:\([^()]*+\)\s*+)?+)?+")
_PUBLIC_BEFORE = re.compile(rb"\bpub\s*+(?:\([^()]*+\))?+\s*+\Z")
_PATH_VALUE = re.compile(rb"(\[\s*+)?\bpath\s*+=\s*+r?\#*\"([^\"\n]*+)\"")

# What is called is no module, though one may have its name.
_CALLED = re.compile(rb"\s*+\(")

_COLON, _HASH = b":"[0], b"#"[0]

_KEYWORDS = frozenset({"crate", "self", "super"})
_INCLUDES = {b"include": EdgeKind.MODULE, b"include_str": EdgeKind.ASSET, b"include_bytes": EdgeKind.ASSET}
_LITERAL = re.compile(rb"\s*+(?:r\#*+)?+\"([^\"\n]*+)\"\#*+\s*+,?+\s*+[)}\]]")
_MANIFEST_LITERAL = re.compile(
    rb"\s*+concat\s*+!\s*+[({\[]\s*+env\s*+!\s*+[({\[]\s*+\"CARGO_MANIFEST_DIR\"\s*+[)}\]]\s*+,"
    rb"\s*+\"([^\"\n]*+)\"\s*+,?+\s*+[)}\]]\s*+,?+\s*+[)}\]]"
)
MANIFEST_DIRECTORY = "$CARGO_MANIFEST_DIR"

_STANDARD_MACROS = frozenset(
    b"""addr_of addr_of_mut assert assert_eq assert_ne cfg column compile_error concat concat_idents dbg debug_assert
    debug_assert_eq debug_assert_ne env eprint eprintln file format format_args
    is_x86_feature_detected line matches module_path option_env panic print println stringify thread_local todo try
    unimplemented unreachable vec write writeln""".split()
)


@dataclass(slots=True)
class Scan:
    """What the scan found, in source order. `paths` are the indices of the `imports` that are paths or bare macros."""

    imports: list[Import] = field(default_factory=list)
    paths: list[int] = field(default_factory=list)
    modules: list[RustModule] = field(default_factory=list)
    uses: list[RustUse] = field(default_factory=list)
    crates: list[RustExternCrate] = field(default_factory=list)
    macros: list[RustMacro] = field(default_factory=list)
    includes: list[RustInclude] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def scan(
    source: bytes,
    bodies: Mapping[int, int],
    is_item: Collection[int],
    calls: Mapping[int, int],
    declaring: Mapping[int, int],
) -> Scan:
    """Read the tokens of a file.

    `bodies` maps where the body of an inline module opens to where it ends, as far as the grammar knows. `is_item`
    holds the ends of the `use` declarations that are items; `calls` the spans of macro calls that are items;
    `declaring` maps where a macro's definition begins whose items are read to where these begin.
    """
    reader = _Reader(source, bodies, is_item, calls, declaring)
    reader.read()
    return reader.scan


class _Reader:
    """The state of one scan: where it is, and inside which modules and macro definition."""

    def __init__(
        self,
        source: bytes,
        bodies: Mapping[int, int],
        is_item: Collection[int],
        calls: Mapping[int, int],
        declaring: Mapping[int, int],
    ) -> None:
        self.source = source
        self.scan = Scan()
        self._bodies = bodies
        self._items = is_item
        self._declaring = declaring
        self._calls = sorted(calls.items())
        self._call = 0
        self._braces: dict[int, int] | None = None
        self._scopes: list[tuple[int, str]] = []
        self._scope_end = len(source) + 1
        self._scope = ""
        self._seen: dict[str, set[bytes]] = {"": set()}
        self._definition_end = 0
        self._attributes: dict[int, bytes] = {}
        self._no_attribute_before = 0
        self._use_end = 0
        self._line, self._line_at = 1, 0

    def read(self) -> None:
        """Scan from the start to the end; a handler that answers a position makes the scan go on from there."""
        position: int | None = 3 if self.source.startswith(b"\xef\xbb\xbf") else 0
        while position is not None:
            position = self._read_from(position)

    def _read_from(self, position: int) -> int | None:
        source, seen = self.source, self._seen
        for token in _TOKEN.finditer(source, position):
            kind = token.lastgroup
            if kind is None:
                continue
            start = token.start()
            if start >= self._scope_end:
                self._leave_scopes(start)
            if kind == "path":
                end = token.end("path")
                text = source[start:end]
                if text in seen[self._scope] and source[start - 1] != _COLON:
                    continue
                jump = self._path(text, start, end)
            elif kind == "keyword":
                end = token.end("keyword")
                handler = self._KEYWORDS.get(source[start:end])
                jump = handler(self, start, end) if handler and source[start - 1] != _HASH else None
            elif kind == "attribute":
                jump = self._attribute(start)
            else:
                jump = _after_skipped(source, token)
            if jump is not None:
                return jump
        return None

    def _line_of(self, position: int) -> int:
        """The line of a position not before the last one asked for."""
        self._line += self.source.count(b"\n", self._line_at, position)
        self._line_at = position
        return self._line

    def _leave_scopes(self, position: int) -> None:
        while self._scopes and self._scopes[-1][0] <= position:
            self._scopes.pop()
        self._enter_scope()

    def _enter_scope(self) -> None:
        self._scope = "::".join(name for _, name in self._scopes)
        self._scope_end = self._scopes[-1][0] if self._scopes else len(self.source) + 1
        self._seen.setdefault(self._scope, set())

    def _in_definition(self, position: int) -> bool:
        return position < self._definition_end

    def _keep(self, specifier: str, kind: EdgeKind, line: int, names: tuple[str, ...] = (), detail: str = "") -> None:
        self.scan.imports.append(Import(specifier, kind, line, names, self._scope, detail))

    # Each token's handler answers where to go on, or None to go on behind the token.

    def _attribute(self, start: int) -> int | None:
        if start < self._no_attribute_before:
            return None
        run = _ATTRIBUTES.match(self.source, start, start + _MAX_ATTRIBUTES)
        assert run is not None
        self._no_attribute_before = run.end()
        visible = _VISIBILITY.match(self.source, run.end())
        assert visible is not None
        self._attributes[visible.end()] = run[0]
        return None

    def _use(self, start: int, end: int) -> int | None:
        if start >= self._use_end:
            text = _USE_TEXT.match(self.source, end)
            assert text is not None
            self._use_end = text.end()
        if self.source[self._use_end : self._use_end + 1] != b";":
            return None
        leaves = _use_leaves(self.source, end, self._use_end)
        if leaves is None:
            return None
        public = self._is_public(start)
        defined = self._in_definition(start)
        local = not (defined or self._use_end + 1 in self._items or self._in_call(start))
        kind = EdgeKind.REEXPORT if public else EdgeKind.IMPORT
        for specifier, last, name, position in leaves:
            if defined and not specifier.startswith(("crate::", "$crate::")):
                continue
            self._keep(specifier, kind, self._line_of(position), (last,))
            if not defined:
                self.scan.uses.append(RustUse(name, specifier, self._scope, public, local))
        return self._use_end

    def _in_call(self, position: int) -> bool:
        """Whether a position lies in a macro call that is an item; positions do not descend."""
        while self._call < len(self._calls) and self._calls[self._call][1] <= position:
            self._call += 1
        return self._call < len(self._calls) and self._calls[self._call][0] <= position

    def _is_public(self, start: int) -> bool:
        before = self.source[max(0, start - 256) : start]
        return before.rstrip().endswith((b"pub", b")")) and _PUBLIC_BEFORE.search(before) is not None

    def _mod(self, start: int, end: int) -> int | None:
        head = _MODULE.match(self.source, end)
        if head is None or self._in_definition(start):
            return None
        name, inline = _text(head[1]), head[2] == b"{"
        attributes = self._attributes.get(start, b"")
        paths, conditional = _path_values(attributes)
        self.scan.modules.append(
            RustModule(
                name=name,
                scope=self._scope,
                inline=inline,
                paths=paths,
                conditional=conditional,
                macro_use=b"macro_use" in attributes,
                public=self._is_public(start),
            )
        )
        if inline:
            self._open_module(name, head.end() - 1)
        else:
            detail = "\n".join((*paths, "") if conditional else paths)
            self._keep(name, EdgeKind.MODULE, self._line_of(start), (name,), detail)
        return head.end()

    def _open_module(self, name: str, brace: int) -> None:
        end = self._bodies.get(brace)
        if end is None:
            if self._braces is None:
                self._braces = _brace_pairs(self.source)
            end = self._braces.get(brace, len(self.source))
        if len(self._scopes) < _MAX_SCOPES:
            self._scopes.append((end, name))
            self._enter_scope()

    def _extern(self, start: int, end: int) -> int | None:
        item = _EXTERN_CRATE.match(self.source, end)
        if item is None or self._in_definition(start):
            return None
        crate, alias = _text(item[1]), _text(item[2] or item[1])
        public = self._is_public(start)
        macro_use = b"macro_use" in self._attributes.get(start, b"")
        self.scan.crates.append(RustExternCrate(alias, crate, self._scope, macro_use, public))
        kind = EdgeKind.REEXPORT if public else EdgeKind.IMPORT
        self._keep(crate, kind, self._line_of(start), (crate,), "extern")
        return item.end()

    def _macro_rules(self, start: int, end: int) -> int | None:
        head = _MACRO_RULES.match(self.source, end)
        if head is None or self._in_definition(start):
            return None
        exported = b"macro_export" in self._attributes.get(start, b"")
        items = self._declaring.get(start)
        self.scan.macros.append(RustMacro(_text(head[1]), self._scope, exported, items is not None))
        if items is not None:
            return items
        self._definition_end = _closing(self.source, head.end() - 1)
        return head.end()

    _KEYWORDS: ClassVar = {b"use": _use, b"mod": _mod, b"extern": _extern, b"macro_rules": _macro_rules}

    def _path(self, text: bytes, start: int, end: int) -> int | None:
        seen = self._seen[self._scope]
        if self.source[start - 1] == _COLON:
            before = self.source[max(0, start - 3) : start]
            if not before.endswith(b"::") or before[:1].isalnum() or before[:1] in (b">", b"}", b"_", b"$"):
                return None  # the tail of `<T as X>::a::b`
            text, start = b"::" + text, start - 2
            if text in seen:
                return None
        elif text.startswith(b"use") and not text[3:4].isalnum() and text[3:4] != b"_":
            return self._use(start, start + 3)
        if text.endswith((b"(", b"{", b"[")):
            name = text[:-1].rstrip()[:-1]
            if name in _STANDARD_MACROS:
                seen.add(text)
                return None
            return self._call_of(name, start, end)
        if start < self._definition_end and not text.startswith((b"crate", b"$crate")):
            return None  # it means what it means at the call
        seen.add(text)
        called = _CALLED.match(self.source, end) is not None
        self._keep_path(text, EdgeKind.IMPORT, start, detail="call" if called else "path")
        return None

    def _call_of(self, name: bytes, start: int, end: int) -> int | None:
        last = name.rpartition(b"::")[2].strip()
        if b"quote" in last:
            return _closing(self.source, end - 1)  # its tokens are another program's
        if last in _INCLUDES:
            self._include(last, start, end)
        elif b"::" in name:
            if name + b"!" not in self._seen[self._scope]:
                self._seen[self._scope].add(name + b"!")
                self._keep_path(name, EdgeKind.MACRO, start)
        elif name not in self._seen[self._scope]:
            self._keep_bare(name, start)
        return None

    def _keep_bare(self, name: bytes, start: int) -> None:
        if self._in_definition(start) or b"$" in name:
            return
        self._seen[self._scope].add(name)
        bare = _text(name)
        self.scan.paths.append(len(self.scan.imports))
        self._keep(f"{bare}!", EdgeKind.MACRO, self._line_of(start), (bare,), "path")

    def _keep_path(self, text: bytes, kind: EdgeKind, start: int, *, detail: str = "path") -> None:
        path = b"".join(text.split()).replace(b"r#", b"").decode("utf-8", "replace")
        first, _, rest = path.removeprefix("::").partition("::")
        if first == "Self" or "$" in rest or ("$" in first and first != "$crate"):
            return
        if start < self._definition_end and first not in ("crate", "$crate"):
            return
        if path.count("::") > _MAX_SEGMENTS or (first in _KEYWORDS and self._in_visibility(start)):
            return
        self.scan.paths.append(len(self.scan.imports))
        self._keep(path, kind, self._line_of(start), (path.rpartition("::")[2],), detail)

    def _in_visibility(self, start: int) -> bool:
        """Whether the path is that of `pub(in path)`, which names a module around it and imports nothing."""
        before = self.source[max(0, start - 16) : start].split()
        return (before[-1:] == [b"in"] and before[-2:-1] == [b"pub("]) or before[-1:] == [b"pub(in"]

    def _include(self, macro: bytes, start: int, end: int) -> None:
        literal = _LITERAL.match(self.source, end)
        path = _text(literal[1]) if literal else None
        if literal is None:
            literal = _MANIFEST_LITERAL.match(self.source, end)
            path = f"{MANIFEST_DIRECTORY}{_text(literal[1])}" if literal else None
        if path is None or self._in_definition(start):
            return
        self._keep(path, _INCLUDES[macro], self._line_of(start))
        if macro == b"include":
            self.scan.includes.append(RustInclude(path, self._scope))


def _text(word: bytes) -> str:
    return word.removeprefix(b"r#").decode("utf-8", "replace")


def _path_values(attributes: bytes) -> tuple[tuple[str, ...], bool]:
    """The values of `#[path]` among attributes, and whether all of them are conditional."""
    values = _PATH_VALUE.findall(attributes) if b"path" in attributes else []
    return tuple(_text(value) for _, value in values), bool(values) and not any(plain for plain, _ in values)


_Leaf: TypeAlias = tuple[str, str, str, int]


def _use_leaves(source: bytes, start: int, end: int) -> list[_Leaf] | None:
    """(path, last segment, name bound, position) of each leaf of the tree that a `use` declares; a glob ends in `*`.

    None where the text is no such tree, as when a semicolon is missing.
    """
    plain = _PLAIN_USE.fullmatch(source, start, end)
    if plain is not None and not plain[1].endswith(b"::self"):
        path = plain[1].decode()
        last = path.rpartition("::")[2]
        return [(path, last, last, plain.start(1))]
    return _tree_leaves(source, start, end)


def _tree_leaves(source: bytes, start: int, end: int) -> list[_Leaf] | None:
    leaves: list[_Leaf] = []
    path: list[str] = []
    around: list[int] = []  # the length of the path around each open brace
    base, position, alias, before = 0, start, "", b""
    for match in _USE_TOKEN.finditer(source, start, end):
        token = match["token"]
        if token is None:
            continue
        if token == b"{":
            around.append(base)
            base = len(path)
        elif token in (b",", b"}"):
            _add_leaf(leaves, path, base, alias, position)
            alias = ""
            if token == b"}":
                if not around:
                    return None
                base = around.pop()
            del path[base:]
        elif token == b"::":
            if not path:
                path.append("")
                position = match.start()
        elif before == b"as":
            alias = _text(token)
        elif token != b"as":
            if len(path) == base or path == [""]:
                position = match.start()
            elif before != b"::":
                return None
            path.append(_text(token))
        before = token
        if len(path) > _MAX_SEGMENTS or len(around) > _MAX_SEGMENTS:
            return None
    if around:
        return None
    _add_leaf(leaves, path, base, alias, position)
    return leaves


def _add_leaf(leaves: list[_Leaf], path: list[str], base: int, alias: str, position: int) -> None:
    if len(path) <= base or path[-1] == "":
        return
    whole = path[:-1] if path[-1] == "self" and len(path) > 1 and path[-2] else path
    specifier, last = "::".join(whole), whole[-1]
    if "$" not in specifier.removeprefix("$crate"):
        leaves.append((specifier, last, alias or last, position))


def _after_skipped(source: bytes, token: re.Match[bytes]) -> int:
    """Where the block comment or raw string ends that a token opens; the end of the file if it never does."""
    opened = token.end(token.lastgroup or 0)
    if token.lastgroup == "raw":
        closing = b'"' + b"#" * token["raw"].count(b"#")
        found = source.find(closing, opened)
        return len(source) if found < 0 else found + len(closing)
    depth = 1
    for edge in _COMMENT_EDGE.finditer(source, opened):
        depth += 1 if edge[0] == b"/*" else -1
        if depth == 0:
            return edge.end()
    return len(source)


def _brackets(source: bytes, position: int) -> Iterator[re.Match[bytes]]:
    """Every bracket from a position on that is neither in a comment nor in a literal."""
    jump: int | None = position
    while jump is not None:
        start, jump = jump, None
        for token in _BRACKETS.finditer(source, start):
            if token.lastgroup in ("raw", "block"):
                jump = _after_skipped(source, token)
                break
            if token.lastgroup is not None:
                yield token


def _closing(source: bytes, position: int) -> int:
    """Where the bracket that opens at a position is closed (one behind it); the end of the file if it never is."""
    depth = 0
    for bracket in _brackets(source, position):
        depth += 1 if bracket.lastgroup == "open" else -1
        if depth <= 0:
            return bracket.end()
    return len(source)


def _brace_pairs(source: bytes) -> dict[int, int]:
    """Where each opening bracket is closed, by its position."""
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for bracket in _brackets(source, 0):
        if bracket.lastgroup == "open":
            opened.append(bracket.start())
        elif opened:
            pairs[opened.pop()] = bracket.end()
    return pairs
