"""Dotted string literals that may name a module: `"app.settings"`. Knows no other file."""

import re
from collections.abc import Iterator

from tree_sitter import Node

from weft_tasks.extract.python_tree import Seeker, text_of

_NAME = rb"[A-Za-z_\x80-\xff][\w\x80-\xff]*+"
_DOTTED = re.compile(
    rb"""(?<![\w"'])[rRuU]?+(\"\"\"|'''|"|')(?P<name>""" + _NAME + rb"(?:\." + _NAME + rb""")++)\1(?!["'])"""
)
# Beyond these it is a table of data; what it names is looked for by no `import`.
_MAX_STRINGS = 2000
_MAX_LENGTH = 200


def dotted_strings(root: Node, text: bytes) -> Iterator[tuple[str, int]]:
    """(literal, line) of the string literals that are nothing but names joined by dots, each at its first place."""
    seeker = Seeker(root)
    found: set[bytes] = set()
    for match in _DOTTED.finditer(text):
        name = match["name"]
        if name in found or len(name) > _MAX_LENGTH:
            continue
        node = seeker.at(match.start())
        parent = seeker.parent() if node is not None and node.type == "string_start" else None
        if parent is None or (parent.start_byte, parent.end_byte) != match.span():
            continue
        line = parent.start_point.row + 1
        around = seeker.parent()
        if around is not None and around.type == "concatenated_string":
            continue
        if len(found) == _MAX_STRINGS:
            return
        found.add(name)
        yield text_of(name), line
