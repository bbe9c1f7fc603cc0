"""Folders that a module adds to `sys.path` in so many words, relative to its own. Knows no other file.

Read are `sys.path.insert`, `.append` and `.extend`, and `site.addsitedir`, of what follows from `__file__` by the usual
functions of `os.path` and `pathlib`, and of literals that begin with a dot: `"../lib"`.
"""

import re
from typing import NamedTuple

from tree_sitter import Node

from weft_tasks.extract.python_tree import Seeker, call_of, string_of, text_of

_CHANGE = re.compile(rb"\bsys\s*+\.\s*+path\s*+\.\s*+(insert|append|extend)\b|\bsite\s*+\.\s*+(addsitedir)\b")
_CALLS_THAT_KEEP = frozenset(
    {"abspath", "realpath", "normpath", "str", "fspath", "Path", "PurePath", "PosixPath", "PurePosixPath"}
)
_METHODS_THAT_KEEP = frozenset({"resolve", "absolute", "as_posix", "expanduser"})
_DIGITS = re.compile(rb"[0-9]{1,2}")
# The file itself, as the last part of a way; its folder is the empty way.
_FILE = "\0"
# People write a handful; each may look for its variables through the whole text.
_MAX_CHANGES = 20
_MAX_VARIABLES = 40
_MAX_DEPTH = 40
_MAX_BACK = 64 * 1024


class AddedPath(NamedTuple):
    """A folder, relative to the module's own ("" is that), and whether it goes before what is on the path."""

    folder: str
    is_first: bool
    line: int

    def as_detail(self) -> str:
        """As facts have it: `<folder` for what goes first, `>folder` for what goes last."""
        return f"{'<' if self.is_first else '>'}{self.folder}"


def added_paths(root: Node, text: bytes) -> tuple[AddedPath, ...]:
    """The folders that the module adds to `sys.path`, in source order, each once."""
    if b"sys" not in text and b"site" not in text:
        return ()
    reader = _Ways(root, text)
    seeker = Seeker(root)
    found: dict[tuple[str, bool], AddedPath] = {}
    for match in list(_CHANGE.finditer(text))[:_MAX_CHANGES]:
        node = seeker.at(match.end() - 1)
        call = None if node is None or node.type != "identifier" else call_of(node, seeker)
        arguments = call and call.child_by_field_name("arguments")
        if not arguments:
            continue
        method = match[1] or match[2]
        written = [each for each in arguments.named_children if each.type != "comment"]
        if method == b"insert":
            written = written[1:2]
        elif method == b"extend":
            written = written[0].named_children if written and written[0].type in ("list", "tuple") else []
        for each in written[:_MAX_CHANGES]:
            way = reader.read(each)
            if way is not None and _FILE not in way:
                added = AddedPath("/".join(way), method == b"insert", each.start_point.row + 1)
                found.setdefault((added.folder, added.is_first), added)
    return tuple(found.values())


class _Ways:
    """Reads expressions as ways from the module's folder: ("..", "lib"). None for what is no such way."""

    def __init__(self, root: Node, text: bytes) -> None:
        self._root = root
        self._text = text
        self._variables_left = _MAX_VARIABLES

    def read(self, node: Node | None, depth: int = _MAX_DEPTH) -> tuple[str, ...] | None:
        if node is None or not depth:
            return None
        match node.type:
            case "identifier":
                return self._variable(node, depth)
            case "string":
                literal = string_of(node, self._text)
                return _onward((), literal) if literal is not None and literal.startswith(".") else None
            case "parenthesized_expression":
                return self.read(node.named_children[0], depth - 1) if node.named_child_count == 1 else None
            case "attribute":
                return self._attribute(node, depth)
            case "subscript":
                return self._subscript(node, depth)
            case "binary_operator":
                return self._operator(node, depth)
            case "call":
                return self._call(node, depth)
        return None

    def _variable(self, name: Node, depth: int) -> tuple[str, ...] | None:
        """What was last assigned to a name before the place where it stands."""
        written = self._raw(name)
        if written == b"__file__":
            return (_FILE,)
        if not self._variables_left:
            return None
        self._variables_left -= 1
        assigned = re.compile(rb"(?m)^[ \t]*+(" + re.escape(written) + rb")[ \t]*+=(?!=)")
        begin = max(0, name.start_byte - _MAX_BACK)
        places = [match.start(1) for match in assigned.finditer(self._text, begin, name.start_byte)]
        seeker = Seeker(self._root)
        if not places or seeker.at(places[-1]) is None:
            return None
        statement = seeker.parent()
        if statement is None or statement.type != "assignment" or statement.end_byte > name.start_byte:
            return None
        return self.read(statement.child_by_field_name("right"), depth - 1)

    def _attribute(self, node: Node, depth: int) -> tuple[str, ...] | None:
        if self._name(node.child_by_field_name("attribute")) != "parent":
            return None
        return _upward(self.read(node.child_by_field_name("object"), depth - 1), 1)

    def _subscript(self, node: Node, depth: int) -> tuple[str, ...] | None:
        """`path.parents[2]`"""
        value, index = node.child_by_field_name("value"), node.child_by_field_name("subscript")
        if value is None or index is None or value.type != "attribute" or not _DIGITS.fullmatch(self._raw(index)):
            return None
        if self._name(value.child_by_field_name("attribute")) != "parents":
            return None
        return _upward(self.read(value.child_by_field_name("object"), depth - 1), int(self._raw(index)) + 1)

    def _operator(self, node: Node, depth: int) -> tuple[str, ...] | None:
        operator = node.child_by_field_name("operator")
        left = self.read(node.child_by_field_name("left"), depth - 1)
        right = node.child_by_field_name("right")
        literal = None if right is None else string_of(right, self._text)
        if left is None or literal is None or operator is None:
            return None
        written = self._raw(operator)
        if written == b"/" or (written == b"+" and literal.startswith("/")):
            return _onward(left, literal.lstrip("/") if written == b"+" else literal)
        return None

    def _call(self, node: Node, depth: int) -> tuple[str, ...] | None:
        function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
        if function is None or arguments is None:
            return None
        is_method = function.type == "attribute"
        name = self._name(function.child_by_field_name("attribute") if is_method else function)
        given = [each for each in arguments.named_children if each.type != "comment"]
        if is_method and name in _METHODS_THAT_KEEP:
            return self.read(function.child_by_field_name("object"), depth - 1)
        if is_method and name == "joinpath":
            return self._joined(self.read(function.child_by_field_name("object"), depth - 1), given)
        first = self.read(given[0], depth - 1) if given else None
        if name == "dirname":
            return _upward(first, 1)
        if name in _CALLS_THAT_KEEP or name == "join":
            return self._joined(first, given[1:])
        return None

    def _joined(self, way: tuple[str, ...] | None, given: list[Node]) -> tuple[str, ...] | None:
        for each in given:
            raw = self._raw(each)
            literal = ".." if raw in (b"os.pardir", b"os.path.pardir", b"pardir") else string_of(each, self._text)
            way = None if way is None or literal is None else _onward(way, literal)
        return way

    def _name(self, node: Node | None) -> str:
        return "" if node is None else text_of(self._raw(node))

    def _raw(self, node: Node) -> bytes:
        return self._text[node.start_byte : node.end_byte]


def _onward(way: tuple[str, ...], relative: str) -> tuple[str, ...] | None:
    """The way, and on from there; None for a path that begins at the root of the machine, or is no path."""
    if relative.startswith("/") or "\0" in relative or "\n" in relative:
        return None
    found: tuple[str, ...] | None = way
    for part in relative.split("/"):
        if part == "..":
            found = _upward(found, 1)
        elif part not in ("", ".") and found is not None:
            found = (*found, part)
    return found


def _upward(way: tuple[str, ...] | None, levels: int) -> tuple[str, ...] | None:
    for _ in range(levels):
        if way is not None:
            way = way[:-1] if way and way[-1] != ".." else (*way, "..")
    return way
