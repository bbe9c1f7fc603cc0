"""The paths that a Rust file writes, cut from its tokens: in `use` trees, `mod`, `extern crate`, code and macro calls.

Knows no meaning of a name. A path is the positions of its segments; a `use` tree has a path per leaf.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from conformance.rust.text import Text

_WORD = re.compile(r"(?:r\#)?[A-Za-z_\u0080-\uffff$][\w$]*")
_SEPARATOR = re.compile(r"\s*::\s*")
_SPACE = re.compile(r"\s*")
_BEFORE = re.compile(r"(?:::|(?<!\.)\.|')\s*\Z")
_TAIL = re.compile(r"[\w>\])}$]\Z")
_VISIBILITY = re.compile(r"\bpub\s*\(\s*\Z")
_KEYWORD_BEFORE = re.compile(r"\b(?P<word>use|mod|crate)\s+\Z")


class Form(StrEnum):
    """What a path stands in."""

    USE = "use"
    MODULE = "module"
    CRATE = "crate"
    CODE = "code"
    MACRO = "macro"


@dataclass(frozen=True, slots=True)
class Path:
    """The positions of a path's segments; `glob` where a star follows."""

    form: Form
    segments: tuple[int, ...]
    glob: bool = False


def paths(text: Text) -> Iterator[Path]:
    """Every path of a file; names that stand alone in code are none."""
    plain, position = text.plain, 0
    while word := _WORD.search(plain, position):
        position = word.end()
        if word[0] == "in" and _VISIBILITY.search(plain, max(0, word.start() - 16), word.start()):
            position = plain.find(")", position)  # `pub(in path)` imports nothing
            continue
        if word[0] in ("use", "as", "in", "pub", "let", "fn", "impl", "for", "where"):
            if word[0] == "use":
                tree = _SPACE.match(plain, position)
                assert tree is not None
                leading = _SEPARATOR.match(plain, tree.end())
                leaves, position = _tree(plain, leading.end() if leading else tree.end(), ())
                yield from leaves
            continue
        if _BEFORE.search(plain, max(0, word.start() - 8), word.start()) and not _from_crates(plain, word.start()):
            continue
        found, position = _path(plain, word)
        if found is not None:
            yield found


def _from_crates(plain: str, position: int) -> bool:
    """Whether the `::` before a position begins the path."""
    before = plain[max(0, position - 64) : position].rstrip()
    return before.endswith("::") and _TAIL.search(before.removesuffix("::").rstrip()) is None


def _path(plain: str, word: re.Match[str]) -> tuple[Path | None, int]:
    """The path that begins with a word, and where it ends; None for a name that stands alone."""
    segments, position = [word.start()], word.end()
    while separator := _SEPARATOR.match(plain, position):
        following = _WORD.match(plain, separator.end())
        if following is None:
            break
        segments.append(following.start())
        position = following.end()
    if re.compile(r"\s*!\s*[({\[]").match(plain, position):
        return Path(Form.MACRO, tuple(segments)), position
    keyword = _KEYWORD_BEFORE.search(plain, max(0, word.start() - 16), word.start())
    if keyword is not None and len(segments) == 1:
        form = {"mod": Form.MODULE, "crate": Form.CRATE}.get(keyword["word"])
        if form is not None and re.compile(r"\s*(?:;|as\b)").match(plain, position):
            return Path(form, tuple(segments)), position
    return (Path(Form.CODE, tuple(segments)) if len(segments) > 1 else None), position


def _tree(plain: str, position: int, above: tuple[int, ...]) -> tuple[list[Path], int]:
    """The leaves of the `use` tree at a position, and where it ends."""
    segments = list(above)
    while True:
        position = _skip(plain, position)
        if plain.startswith("{", position):
            return _group(plain, position + 1, tuple(segments))
        if plain.startswith("*", position):
            return [Path(Form.USE, tuple(segments), glob=True)] if segments else [], position + 1
        word = _WORD.match(plain, position)
        if word is None:
            return [], position
        segments.append(word.start())
        separator = _SEPARATOR.match(plain, word.end())
        if separator is None:
            return [Path(Form.USE, tuple(segments))], _after_alias(plain, word.end())
        position = separator.end()


def _group(plain: str, position: int, above: tuple[int, ...]) -> tuple[list[Path], int]:
    found: list[Path] = []
    while True:
        position = _skip(plain, position)
        if position >= len(plain) or plain[position] in "};":
            return found, position + 1
        if plain[position] == ",":
            position += 1
            continue
        leading = _SEPARATOR.match(plain, position)
        leaves, after = _tree(plain, leading.end() if leading else position, above)
        found += leaves
        if after <= position:
            return found, position + 1
        position = after


def _after_alias(plain: str, position: int) -> int:
    alias = re.compile(r"\s+as\s+(?:r\#)?\w+").match(plain, position)
    return alias.end() if alias else position


def _skip(plain: str, position: int) -> int:
    space = _SPACE.match(plain, position)
    return space.end() if space else position
