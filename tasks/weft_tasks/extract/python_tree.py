"""Python's syntax tree: places in it, calls and literals. Knows no imports and no declarations."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from unicodedata import normalize

from tree_sitter import Node

_LITERAL = re.compile(rb"""[uUrR]?+(\"\"\"|'''|"|')([^\\"']*+)\1""")
_SEQUENCES = frozenset({"list", "tuple", "set", "expression_list", "parenthesized_expression", "tuple_expression"})
# The next place is most often in the statement after this one; beyond, going down again from above is faster.
_MAX_BESIDE = 6


class Ranges:
    """Byte ranges, for asking whether a place lies in one."""

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(ranges):
            if self._ends and start <= self._ends[-1]:
                self._ends[-1] = max(end, self._ends[-1])
            else:
                self._starts.append(start)
                self._ends.append(end)

    def holds(self, place: int) -> bool:
        if not self._starts:
            return False
        last = bisect_right(self._starts, place) - 1
        return last >= 0 and place < self._ends[last]


class Seeker:
    """Finds what stands at ever later places of a tree, in one pass over it.

    Asking the root for each place, or a node for its parent, takes time that grows with the depth of the tree.
    """

    def __init__(self, root: Node) -> None:
        self._cursor = root.walk()

    def at(self, place: int) -> Node | None:
        """The innermost node at a byte; no place may lie before the last one."""
        cursor = self._cursor
        node = cursor.node
        beside = _MAX_BESIDE
        while node is not None and node.end_byte <= place:
            if beside and cursor.goto_next_sibling():
                beside -= 1
                node = cursor.node
            else:
                node = cursor.node if cursor.goto_parent() else None
        if node is None or node.start_byte > place:
            return None
        while cursor.goto_first_child_for_byte(place) is not None:
            inner = cursor.node
            if inner is None or inner.start_byte > place:
                cursor.goto_parent()
                break
            node = inner
        return node

    def parent(self) -> Node | None:
        """The node around the last one that `at` or this gave."""
        return self._cursor.node if self._cursor.goto_parent() else None


def call_of(identifier: Node, seeker: Seeker) -> Node | None:
    """The call whose function the identifier names, plain or as an attribute."""
    node, parent = identifier, seeker.parent()
    if parent is not None and parent.type == "attribute" and node.end_byte == parent.end_byte:
        node, parent = parent, seeker.parent()
    if parent is None or parent.type != "call" or parent.child_by_field_name("function") != node:
        return None
    return parent


def arguments_of(arguments: Node, parameters: tuple[str, ...], text: bytes) -> Iterator[tuple[str, Node]]:
    """(parameter, value) of a call's arguments, up to one that is spread."""
    position = 0
    for node in arguments.named_children:
        if node.type == "keyword_argument":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name is not None and value is not None:
                yield text_of(text[name.start_byte : name.end_byte]), value
        elif node.type in ("list_splat", "dictionary_splat"):
            return
        elif node.type != "comment":
            if position < len(parameters):
                yield parameters[position], node
            position += 1


def strings_of(value: Node, text: bytes) -> tuple[list[str], bool]:
    """The string literals of a list, a tuple or a sum of such, in order, and whether it holds nothing else."""
    names: list[str] = []
    complete = True
    stack = [value]
    while stack:
        node = stack.pop()
        if node.type in _SEQUENCES:
            stack.extend(reversed(node.named_children))
        elif node.type == "binary_operator" and _operator(node, text) == b"+":
            stack.extend(each for each in (node.child_by_field_name(side) for side in ("right", "left")) if each)
        elif node.type != "comment":
            name = string_of(node, text)
            if name is None:
                complete = False
            else:
                names.append(name)
    return names, complete


def _operator(node: Node, text: bytes) -> bytes:
    operator = node.child_by_field_name("operator")
    return b"" if operator is None else text[operator.start_byte : operator.end_byte]


def string_of(node: Node, text: bytes) -> str | None:
    """The value of a string literal without escapes, adjacent parts joined; None for anything else."""
    while node.type == "parenthesized_expression" and node.named_child_count == 1:
        node = node.named_children[0]
    if node.type == "string":
        parts = [node]
    elif node.type == "concatenated_string":
        parts = [part for part in node.named_children if part.type != "comment"]
    else:
        return None
    values = [_LITERAL.fullmatch(text, part.start_byte, part.end_byte) for part in parts]
    return None if None in values else "".join(text_of(value[2]) for value in values if value)


def text_of(raw: bytes) -> str:
    """Source text as Python compares it: identifiers are equal under NFKC."""
    text = raw.decode("utf-8", "replace")
    return text if text.isascii() else normalize("NFKC", text)
