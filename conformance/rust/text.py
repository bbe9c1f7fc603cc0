"""The tokens of a Rust file as conformance reads them: brackets, macro calls, attributes. Knows no edge and no crate.

Positions are characters of the text, which is decoded so that each of them is one UTF-16 unit or two.
"""

import bisect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HIDDEN = re.compile(
    r"""
    //[^\n]*+
  | (?P<block>/\*)
  | \b[bc]?r(?P<hashes>\#*+)".*?"(?P=hashes)
  | "(?:[^"\\]++|\\.)*+"
  | '(?:[^'\\\n]|\\[^\n][^'\n]{0,10}+)'
    """,
    re.X | re.S,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_NOT_A_LINE = re.compile(r"[^\n]")
_BRACKET = re.compile(r"[(){}\[\]]")
_CALL = re.compile(r"\b(?P<name>[A-Za-z_]\w*+)\s*+!\s*+(?P<own>(?:r\#)?+[A-Za-z_]\w*+)?\s*+(?P<open>[({\[])")
_ATTRIBUTE = re.compile(r"\#\s*+!?+\s*+(?P<open>\[)")


@dataclass(frozen=True, slots=True)
class Call:
    """A macro call: where its name stands, its brackets. `own` is what `macro_rules!` defines."""

    name: str
    name_at: int
    start: int
    end: int
    own: str = ""


@dataclass(slots=True)
class Text:
    """A file without its comments and literals, which are blank."""

    plain: str
    lines: list[int] = field(default_factory=list)
    pairs: dict[int, int] = field(default_factory=dict)

    def position(self, line: int, column: int) -> int:
        """The position of a line and column, both counted from 0."""
        return self.lines[line] + column if line < len(self.lines) else len(self.plain)

    def line(self, position: int) -> int:
        """The line of a position, counted from 0."""
        return bisect.bisect_right(self.lines, position) - 1

    def calls(self) -> Iterator[Call]:
        """Every macro call and definition, also those inside others."""
        for match in _CALL.finditer(self.plain):
            end = self.pairs.get(match.start("open"), len(self.plain))
            if bool(match["own"]) == (match["name"] == "macro_rules"):
                yield Call(match["name"], match.start("name"), match.start("open"), end, match["own"] or "")

    def attributes(self) -> Iterator[tuple[int, int]]:
        """Where attributes stand."""
        for match in _ATTRIBUTE.finditer(self.plain):
            yield match.start(), self.pairs.get(match.start("open"), len(self.plain))


def read_text(source: bytes) -> Text:
    """The text of a file."""
    plain = _without_hidden(source.decode("utf-8", "replace"))
    # Columns are counted in UTF-16: a character beyond it takes two places.
    plain = "".join(character if character < "\U00010000" else "__" for character in plain)
    lines = [0, *(match.end() for match in re.finditer("\n", plain))]
    return Text(plain, lines, _bracket_pairs(plain))


def _without_hidden(text: str) -> str:
    parts: list[str] = []
    position = 0
    while match := _HIDDEN.search(text, position):
        end = _end_of_block(text, match.end()) if match["block"] else match.end()
        parts += [text[position : match.start()], _NOT_A_LINE.sub(" ", text[match.start() : end])]
        position = end
    return "".join([*parts, text[position:]])


def _end_of_block(text: str, position: int) -> int:
    depth = 1
    for edge in _BLOCK_EDGE.finditer(text, position):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(text)


def _bracket_pairs(plain: str) -> dict[int, int]:
    pairs: dict[int, int] = {}
    opened: list[int] = []
    for match in _BRACKET.finditer(plain):
        if match[0] in "([{":
            opened.append(match.start())
        elif opened:
            pairs[opened.pop()] = match.end()
    return pairs
