"""Python: the bytes of a module -> its imports, declarations and interface. Knows no other file.

Imports are found by the places where the bytes hold `import`; the tree then says what stands there. Module level and
class bodies are walked, function bodies never, so that the cost beside the parse is a few per cent.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec
from blake3 import blake3
from tree_sitter import Node

from weft_storage.model.facts import Declaration, DeclarationKind, EdgeKind, FileFacts, Import
from weft_storage.model.interfaces.python import PythonInterface
from weft_storage.model.languages import Language
from weft_tasks.extract.grammar import parser_of
from weft_tasks.extract.python_paths import AddedPath, added_paths
from weft_tasks.extract.python_source import readable
from weft_tasks.extract.python_strings import dotted_strings
from weft_tasks.extract.python_tree import Ranges, Seeker, arguments_of, call_of, string_of, strings_of, text_of

_IMPORT = re.compile(rb"import(?:_module|__)?+(?!\w)")
_TYPE_CHECKING = re.compile(rb"TYPE_CHECKING(?!\w)")
_WALRUS = re.compile(rb":=")
_OPEN_PATH = re.compile(rb"__path__\s*+(?:\+?=(?!=)|\.\s*+(?:append|extend|insert)\b)")
_REPLACED = re.compile(rb"modules\s*+\[\s*+__name__\s*+\]\s*+=(?!=)")
# The commonest statements, which need not be read word by word.
_PLAIN_FROM = re.compile(r"from[ ]([\w.]++)[ ]import[ ](?:([\w, ]++)|\(([\w,\s]++)\))")
_PLAIN_IMPORT = re.compile(r"import[ ](\w++(?:\.\w++)*+)")
_KEYWORDS = frozenset({"import", "from", "as"})
_TOKEN = re.compile(r"#[^\n]*+|\\\n|\w++|[.,*()\n]")
_NAME = re.compile(r"\w++")
_LEVEL = re.compile(rb"[0-9]{1,2}")
# What a module name in a string cannot hold; hyphens and the like are importable with import_module.
_NOT_A_MODULE = re.compile(r"[\s/\\\0]|[^.]\.\.|[^.]\.\Z|\A\.*\Z")

_IMPORT_STATEMENTS = frozenset({"import_statement", "import_from_statement", "future_import_statement"})
# Nodes whose children are read as if they stood in their parent's place.
_TRANSPARENT = frozenset(
    {
        *("ERROR", "block", "if_statement", "elif_clause", "else_clause", "try_statement", "finally_clause"),
        *("while_statement", "match_statement", "case_clause", "with_statement", "with_clause", "with_item"),
        *("parenthesized_expression", "for_statement", "expression_statement"),
    }
)
_PATTERNS = frozenset(
    {
        *("pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern", "parenthesized_expression"),
        *("expression_list", "tuple", "list", "list_splat", "as_pattern_target"),
    }
)
_SCOPES = frozenset({"function_definition", "class_definition", "lambda"})
# Deeper classes are not read: each is hashed with all that it holds, which would grow with the square of the depth.
_MAX_CLASS_DEPTH = 32
# Conditions and expressions that people write are not nested deeper; climbing further would cost the square of it.
_MAX_CLIMB = 50
# The children of an ERROR node are one long list, searched from its beginning.
_MAX_BROKEN = 1000


class _Taken(NamedTuple):
    """One module that an import statement names: `names` are (name, alias) pairs, None for a plain `import`."""

    specifier: str
    names: tuple[tuple[str, str], ...] | None
    alias: str


def extract(source: bytes, language: Language) -> FileFacts:
    """Facts of a Python module. Total: bytes that no Python reads give what can be read, and problems."""
    text, problems = readable(source)
    root = parser_of(language).parse(text).root_node
    guards = _type_only_ranges(root, text)
    imports = _Imports(text, guards)
    imports.read(root)
    module = _Module(text, guards, imports.statements)
    module.read(root)
    added = added_paths(root, text)
    named = {each.specifier for each in imports.found if not each.names}
    strings = (each for each in dotted_strings(root, text) if each[0] not in named)
    found = [*_searching(imports.found, added), *(Import(name, EdgeKind.STRING, line) for name, line in strings)]
    if root.has_error:
        problems = (*problems, f"line {_first_error(root)}: not read as Python syntax")
    return FileFacts(
        language=language,
        imports=tuple(sorted(found, key=lambda each: each.line)),
        declarations=module.declarations(),
        interface=msgspec.msgpack.encode(module.interface(added)),
        problems=problems,
    )


def _type_only_ranges(root: Node, text: bytes) -> Ranges:
    """Where the text runs only for a type checker: the body of `if TYPE_CHECKING:`, the rest of `if not …:`."""
    ranges: list[tuple[int, int]] = []
    if b"TYPE_CHECKING" in text:
        seeker = Seeker(root)
        for match in _TYPE_CHECKING.finditer(text):
            node = seeker.at(match.start())
            if node is not None and node.type == "identifier" and node.end_byte - node.start_byte == len(match[0]):
                ranges.extend(_guarded(node, seeker))
    return Ranges(ranges)


def _guarded(constant: Node, seeker: Seeker) -> list[tuple[int, int]]:
    """Where the text runs only if TYPE_CHECKING is true, given the node of the constant."""
    node, clause, holds_if = constant, None, True
    for _ in range(_MAX_CLIMB):
        parent = seeker.parent()
        kind = parent.type if parent is not None else ""
        if parent is None or clause is not None:
            return [] if parent is None or clause is None else [(clause.end_byte, parent.end_byte)]
        if kind in ("if_statement", "elif_clause"):
            block = parent.child_by_field_name("consequence")
            if block is None or parent.child_by_field_name("condition") != node:
                return []
            if holds_if:
                return [(block.start_byte, block.end_byte)]
            if kind == "if_statement":
                return [(block.end_byte, parent.end_byte)]
            clause = parent  # the statement around it holds the branches that follow
        elif kind == "not_operator":
            holds_if = not holds_if
        elif kind == "boolean_operator":
            operator = parent.child_by_field_name("operator")
            if operator is None or operator.type != ("and" if holds_if else "or"):
                return []
        elif kind != "parenthesized_expression" and not (kind == "attribute" and node.end_byte == parent.end_byte):
            return []
        node = parent
    return []


def _searching(found: Iterable[Import], added: tuple[AddedPath, ...]) -> Iterator[Import]:
    """The imports, absolute ones with the folders that the module has added to `sys.path` before them."""
    for each in found:
        if not added or each.specifier.startswith("."):
            yield each
        else:
            detail = "\n".join(path.as_detail() for path in added if path.line <= each.line)
            yield msgspec.structs.replace(each, detail=detail) if detail else each


class _Imports:
    """The imports of a module in source order (`found`), and its import statements by where they start."""

    def __init__(self, text: bytes, guards: Ranges) -> None:
        self._text = text
        self._guards = guards
        self._read_to = 0
        self._broken = 0
        self.found: list[Import] = []
        self.statements: dict[int, list[_Taken]] = {}

    def read(self, root: Node) -> None:
        seeker = Seeker(root)
        for match in _IMPORT.finditer(self._text):
            node = seeker.at(match.start())
            if node is None:
                continue
            if node.type == "import":
                self._statement(node, seeker.parent())
            elif node.type == "identifier":
                self._call(node, seeker)
            if self._broken > _MAX_BROKEN:
                break

    def _statement(self, keyword: Node, statement: Node | None) -> None:
        if statement is None or statement.type not in _IMPORT_STATEMENTS:
            self._broken += 1
            start, end = self._rest_of_line(keyword)
            line = keyword.start_point.row + 1
        else:
            start, end, line = statement.start_byte, statement.end_byte, statement.start_point.row + 1
        if start < self._read_to:  # a statement that swallowed the next one has been read with it
            return
        self._read_to = end
        taken = _read_statement(text_of(self._text[start:end]))
        self.statements[start] = taken
        kind = EdgeKind.TYPE if self._guards.holds(start) else EdgeKind.IMPORT
        for each in taken:
            names = () if each.names is None else tuple(name for name, _ in each.names)
            self.found.append(Import(each.specifier, kind, line, names))

    def _rest_of_line(self, keyword: Node) -> tuple[int, int]:
        """The line of an import that the parser did not understand, from its `from` or `import` to its end."""
        start = self._text.rfind(b"\n", 0, keyword.start_byte) + 1
        end = self._text.find(b"\n", keyword.end_byte)
        head = self._text[start : keyword.start_byte]
        start = start + len(head) - len(head.lstrip()) if head.lstrip().startswith(b"from ") else keyword.start_byte
        return start, len(self._text) if end < 0 else end

    def _call(self, identifier: Node, seeker: Seeker) -> None:
        called = self._text[identifier.start_byte : identifier.end_byte]
        if called not in (b"import_module", b"__import__"):
            return
        call = call_of(identifier, seeker)
        self._broken += call is None
        arguments = call and call.child_by_field_name("arguments")
        if not call or not arguments:
            return
        parameters = ("name", "package") if called == b"import_module" else _DUNDER_IMPORT
        given = dict(arguments_of(arguments, parameters, self._text))
        name = given.get("name")
        specifier = None if name is None else string_of(name, self._text)
        if specifier is not None and not _NOT_A_MODULE.search(specifier):
            reader = self._import_module if called == b"import_module" else self._dunder_import
            found = reader(specifier, given, call.start_point.row + 1)
            if found is not None:
                self.found.append(found)

    def _import_module(self, specifier: str, given: dict[str, Node], line: int) -> Import | None:
        if not specifier.startswith("."):
            return Import(specifier, EdgeKind.DYNAMIC, line)
        package = given.get("package")
        if package is None:
            return None
        if package.type == "identifier":
            own = self._text[package.start_byte : package.end_byte] in (b"__package__", b"__name__")
            return Import(specifier, EdgeKind.DYNAMIC, line) if own else None
        anchor = string_of(package, self._text)
        if not anchor or anchor.startswith(".") or _NOT_A_MODULE.search(anchor):
            return None
        return Import(specifier, EdgeKind.DYNAMIC, line, detail=anchor)

    def _dunder_import(self, specifier: str, given: dict[str, Node], line: int) -> Import | None:
        if specifier.startswith("."):
            return None
        level = given.get("level")
        if level is not None:
            digits = self._text[level.start_byte : level.end_byte]
            specifier = "." * int(digits) + specifier if _LEVEL.fullmatch(digits) else specifier
        fromlist = given.get("fromlist")
        names = () if fromlist is None else tuple(strings_of(fromlist, self._text)[0])
        return Import(specifier, EdgeKind.DYNAMIC, line, names)


_DUNDER_IMPORT = ("name", "globals", "locals", "fromlist", "level")


def _read_statement(text: str) -> list[_Taken]:
    """What an import statement takes. Reads its words only, so that a statement broken off gives its beginning."""
    match = _PLAIN_FROM.fullmatch(text)
    if match is not None:
        names = (match[2] or match[3]).replace(",", " ").split()
        if _KEYWORDS.isdisjoint(names):
            return [_Taken(match[1], tuple([(name, name) for name in names]), "")]
    elif (match := _PLAIN_IMPORT.fullmatch(text)) is not None:
        return [_Taken(match[1], None, "")]
    words = _words(text)
    taken: list[_Taken] = []
    place = 0
    while place < len(words):
        word = words[place]
        if word == "from":
            each, place = _read_from(words, place + 1)
            taken.extend(each)
        elif word == "import":
            each, place = _read_plain(words, place + 1)
            taken.extend(each)
        else:
            place += 1
    return taken


def _words(text: str) -> list[str]:
    """The words, dots and commas of a statement, and the line ends that end it."""
    words: list[str] = []
    depth = 0
    for word in _TOKEN.findall(text):
        if word == "(" or word == ")":
            depth += 1 if word == "(" else -1
        elif word[0] not in "#\\" and (word != "\n" or depth <= 0):
            words.append(word)
    return words


def _read_from(words: list[str], place: int) -> tuple[list[_Taken], int]:
    level = place
    while place < len(words) and words[place] == ".":
        place += 1
    specifier = "." * (place - level)
    if words[place : place + 1] != ["import"]:
        dotted, place = _read_dotted(words, place)
        specifier += dotted
    if not specifier or words[place : place + 1] != ["import"]:
        return [], place
    names: list[tuple[str, str]] = []
    place += 1
    while place < len(words) and _is_name(words[place]):
        name, alias = words[place], words[place]
        place += 1
        if words[place : place + 1] == ["as"] and place + 1 < len(words):
            alias = words[place + 1]
            place += 2
        names.append((name, alias))
        if words[place : place + 1] != [","]:
            break
        place += 1
    return [_Taken(specifier, tuple(names), "")], place


def _read_plain(words: list[str], place: int) -> tuple[list[_Taken], int]:
    taken: list[_Taken] = []
    while place < len(words) and _is_name(words[place]):
        specifier, place = _read_dotted(words, place)
        alias = ""
        if words[place : place + 1] == ["as"] and place + 1 < len(words):
            alias = words[place + 1]
            place += 2
        if specifier:
            taken.append(_Taken(specifier, None, alias))
        if words[place : place + 1] != [","]:
            break
        place += 1
    return taken, place


def _read_dotted(words: list[str], place: int) -> tuple[str, int]:
    parts: list[str] = []
    while place < len(words) and _is_name(words[place]) and words[place] != "*":
        parts.append(words[place])
        if words[place + 1 : place + 2] != ["."]:
            return ".".join(parts), place + 1
        place += 2
    return ".".join(parts), place


def _is_name(word: str) -> bool:
    return word not in _KEYWORDS and word not in (".", ",", "\n")


class _Module:
    """Module level and class bodies: what a module declares and binds."""

    def __init__(self, text: bytes, guards: Ranges, statements: dict[int, list[_Taken]]) -> None:
        self._text = text
        self._guards = guards
        self._statements = statements
        self._declared: list[tuple[str, DeclarationKind, Node, str, bytes]] = []
        self._bindings: set[str] = set()
        self._from_imports: list[tuple[str, tuple[str, ...]]] = []
        self._deleted: dict[str, int] = {}
        self._all: list[str] | None = None
        self._open_all = False

    def read(self, root: Node) -> None:
        stack = [(child, "") for child in reversed(root.children)] if root.type == "module" else [(root, "")]
        while stack:
            node, owner = stack.pop()
            kind = node.type
            if kind in _TRANSPARENT:
                if kind == "for_statement" and not owner:
                    self._bind_targets(node.child_by_field_name("left"))
                stack.extend((child, owner) for child in reversed(node.children))
            elif kind in ("function_definition", "class_definition", "decorated_definition"):
                stack.extend(self._definition(node, owner))
            elif kind == "except_clause":
                # What `as` binds here is unbound again at the clause's end.
                stack.extend((child, owner) for child in reversed(node.children) if child.type == "block")
            elif not owner:
                self._statement(node, kind)
        if b":=" in self._text:
            self._bind_walruses(root)

    def declarations(self) -> tuple[Declaration, ...]:
        listed = frozenset(self._all or ())
        return tuple(self._declaration(*each, listed) for each in self._declared)

    def interface(self, added: Iterable[AddedPath]) -> PythonInterface:
        return PythonInterface(
            bindings=tuple(sorted(self._bindings)),
            from_imports=tuple(self._kept_from_imports()),
            dunder_all=None if self._all is None else tuple(self._all),
            open_all=self._open_all,
            dynamic="__getattr__" in self._bindings or bool(_REPLACED.search(self._text)),
            open_path=(b"__path__" in self._text and bool(_OPEN_PATH.search(self._text)))
            or b"declare_namespace(" in self._text,
            search=tuple(each.as_detail() for each in added),
        )

    def _declaration(
        self, name: str, kind: DeclarationKind, node: Node, owner: str, digest: bytes, listed: frozenset[str]
    ) -> Declaration:
        if owner:
            outer, _, inner = owner.partition(".")
            exported = (outer in listed or not outer.startswith("_")) and all(
                _is_public(part) for part in (*inner.split("."), name)
            )
        else:
            exported = name in listed or not name.startswith("_")
        return Declaration(
            name=name,
            kind=kind,
            line=node.start_point.row + 1,
            end_line=node.end_point.row + 1,
            digest=digest,
            parent=owner,
            exported=exported,
        )

    def _definition(self, node: Node, owner: str) -> list[tuple[Node, str]]:
        """Declare a function or class; the members of a class are still to be read, each with its owner."""
        inner = node.child_by_field_name("definition") if node.type == "decorated_definition" else node
        name = inner and self._name(inner)
        if not inner or not name:
            return []
        if not owner:
            self._bind(name, node)
        if inner.type != "class_definition":
            kind = DeclarationKind.METHOD if owner else DeclarationKind.FUNCTION
            self._declared.append((name, kind, node, owner, self._digest(node)))
            return []
        self._declared.append((name, DeclarationKind.CLASS, node, owner, self._digest(node)))
        body = inner.child_by_field_name("body")
        if body is None or owner.count(".") >= _MAX_CLASS_DEPTH:
            return []
        return [(body, f"{owner}.{name}" if owner else name)]

    def _statement(self, node: Node, kind: str) -> None:
        """A statement at module level."""
        if kind in _IMPORT_STATEMENTS:
            self._bind_imports(node)
        elif kind == "assignment":
            self._assignment(node)
        elif kind == "augmented_assignment":
            if self._is(node.child_by_field_name("left"), b"__all__"):
                self._extend_all(node.child_by_field_name("right"))
        elif kind == "call":
            self._call(node)
        elif kind == "as_pattern":
            self._bind_targets(node.child_by_field_name("alias"))
        elif kind == "type_alias_statement":
            self._type_alias(node)
        elif kind == "delete_statement":
            self._unbind(node)

    def _bind(self, name: str, node: Node) -> None:
        if not self._guards.holds(node.start_byte):
            self._bindings.add(name)

    def _bind_imports(self, node: Node) -> None:
        if self._guards.holds(node.start_byte):
            return
        for taken in self._statements.get(node.start_byte, ()):
            if taken.names is None:
                head, _, last = taken.specifier.rpartition(".")
                if head and taken.alias == last:
                    self._from_imports.append((head, (last,)))  # `import a.b as b` is `from a import b`
                else:
                    self._bindings.add(taken.alias or taken.specifier.partition(".")[0])
                continue
            kept = tuple(name for name, alias in taken.names if name == alias)
            self._bindings.update(alias for name, alias in taken.names if name != alias)
            if kept:
                self._from_imports.append((taken.specifier, kept))

    def _assignment(self, statement: Node) -> None:
        node: Node | None = statement
        digest = self._digest(statement)
        while node is not None and node.type == "assignment":  # a = b = 1 nests to the right
            left = node.child_by_field_name("left")
            for name in self._targets(left):
                self._declared.append((name, DeclarationKind.CONSTANT, statement, "", digest))
                self._bind(name, statement)
            listed = self._is(left, b"__all__")
            node = node.child_by_field_name("right")
            if listed and node is not None:
                self._all, self._open_all = [], False
                self._extend_all(node)

    def _extend_all(self, value: Node | None) -> None:
        names, complete = ([], False) if value is None else strings_of(value, self._text)
        self._all = self._all or []
        self._all.extend(names)
        self._open_all |= not complete

    def _call(self, call: Node) -> None:
        """`__all__.extend([...])` and the like."""
        function, arguments = call.child_by_field_name("function"), call.child_by_field_name("arguments")
        if function is None or arguments is None or function.type != "attribute":
            return
        if self._is(function.child_by_field_name("object"), b"__all__"):
            method = function.child_by_field_name("attribute")
            value = arguments.named_children[0] if arguments.named_child_count == 1 else None
            if self._is(method, b"extend") or self._is(method, b"append"):
                self._extend_all(value)
            else:
                self._open_all = True

    def _type_alias(self, node: Node) -> None:
        left = node.child_by_field_name("left")
        match = None if left is None else _NAME.match(text_of(self._text[left.start_byte : left.end_byte]))
        if match is not None:
            self._declared.append((match[0], DeclarationKind.TYPE_ALIAS, node, "", self._digest(node)))
            self._bind(match[0], node)

    def _unbind(self, node: Node) -> None:
        """`del name` at the beginning of a line; in a branch it may not run."""
        if node.start_point.column:
            return
        for child in node.named_children:
            for name in self._targets(child):
                self._bindings.discard(name)
                self._deleted[name] = len(self._from_imports)

    def _kept_from_imports(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for place, (specifier, names) in enumerate(self._from_imports):
            kept = tuple(name for name in names if self._deleted.get(name, 0) <= place) if self._deleted else names
            if kept:
                yield specifier, kept

    def _bind_targets(self, target: Node | None) -> None:
        if target is not None:
            for name in self._targets(target):
                self._bind(name, target)

    def _bind_walruses(self, root: Node) -> None:
        seeker = Seeker(root)
        for match in _WALRUS.finditer(self._text):
            operator = seeker.at(match.start())
            node = seeker.parent() if operator is not None and operator.type == ":=" else None
            name = node.child_by_field_name("name") if node is not None else None
            if name is not None and _is_at_module_level(seeker):
                self._bind(text_of(self._text[name.start_byte : name.end_byte]), name)

    def _targets(self, target: Node | None) -> list[str]:
        """The identifiers that an assignment to the target binds, in source order."""
        names: list[str] = []
        stack = [] if target is None else [target]
        while stack:
            node = stack.pop()
            if node.type == "identifier":
                names.append(text_of(self._text[node.start_byte : node.end_byte]))
            elif node.type in _PATTERNS:
                stack.extend(reversed(node.named_children))
        return names

    def _digest(self, node: Node) -> bytes:
        return blake3(self._text[node.start_byte : node.end_byte]).digest(8)

    def _name(self, definition: Node) -> str:
        name = definition.child_by_field_name("name")
        return "" if name is None else text_of(self._text[name.start_byte : name.end_byte])

    def _is(self, node: Node | None, text: bytes) -> bool:
        return node is not None and self._text[node.start_byte : node.end_byte] == text


def _is_at_module_level(seeker: Seeker) -> bool:
    for _ in range(_MAX_CLIMB):
        node = seeker.parent()
        if node is None:
            return True
        if node.type in _SCOPES:
            return False
    return False


def _is_public(name: str) -> bool:
    return not name.startswith("_") or (name.startswith("__") and name.endswith("__"))


def _first_error(root: Node) -> int:
    node = root
    while not (node.is_error or node.is_missing):
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None:
            break
        node = inner
    return node.start_point.row + 1
