"""Components (.vue, .svelte, .astro): bytes of one file -> the scripts in it. Knows markup, not what scripts mean.

Each kind is cut as its own compiler cuts it. A script ends at the first `</script>`, in a string or comment too.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from weft_storage.model.languages import Language


class Script(NamedTuple):
    """A script of a component: where its text lies and what it is written in.

    `source` is the value of `src`: the file that stands in the place of the text.
    """

    start: int
    end: int
    language: Language
    source: bytes = b""


class Component(NamedTuple):
    """The scripts of a component in source order, and what was wrong with its markup: (byte, sentence)."""

    scripts: list[Script]
    problems: list[tuple[int, str]]


def read_component(source: bytes, language: Language) -> Component:
    """The scripts of a .vue, .svelte or .astro file."""
    markup = _Markup(source)
    if language is Language.VUE:
        return Component(list(_vue_scripts(markup)), markup.problems)
    if language is Language.SVELTE:
        return Component(list(_scripts_anywhere(markup, 0, Language.JAVASCRIPT)), markup.problems)
    front = _frontmatter(markup)
    begin = front[0].end if front else 0
    return Component([*front, *_scripts_anywhere(markup, begin, Language.TYPESCRIPT)], markup.problems)


# ---------------------------------------------------------------------------------------------------------------------
# What each kind takes for its scripts


def _vue_scripts(markup: "_Markup") -> Iterator[Script]:
    """Those at the top level. All other blocks are text up to their end; HTML templates may hold templates."""
    at = 0
    while found := markup.find(_TAG, at):
        name, start = found
        tag = markup.tag(start + 1 + len(name))
        if tag is None:
            return
        at = tag.end
        if name == b"script":
            end, at = markup.script_end(tag)
            yield from markup.script(start, tag, end, Language.JAVASCRIPT)
        elif not tag.closes_itself:
            is_html = name == b"template" and tag.attributes.get(b"lang", b"html") in (b"", b"html")
            # What is never closed hides nothing: reading goes on behind its tag.
            at = markup.template_ends.get(start, at) if is_html else markup.closing(name, at)[1] or at


def _scripts_anywhere(markup: "_Markup", at: int, default: Language) -> Iterator[Script]:
    """Those at any depth, as Svelte's preprocessor and Astro's compiler find them."""
    while found := markup.find(_SCRIPT, at):
        name, start = found
        tag = markup.tag(start + 1 + len(name))
        if tag is None:
            return
        end, at = markup.script_end(tag)
        if not _AS_WRITTEN & tag.attributes.keys():
            yield from markup.script(start, tag, end, default)


def _frontmatter(markup: "_Markup") -> list[Script]:
    """The script between Astro's fences: the second is the first that stands in no string and no comment."""
    source = markup.source
    opened = _FIRST_FENCE.match(source)
    if opened is None:
        return []
    end = _fence(source, opened.end())
    if end is None:
        fallback = _FENCE_LINE.search(source, opened.end())
        end = fallback.end() - 3 if fallback is not None else None
    if end is None:
        markup.problems.append((opened.end() - 3, "the frontmatter has no end"))
        end = len(source)
    return [Script(opened.end(), end, Language.TYPESCRIPT)]


def _fence(source: bytes, at: int) -> int | None:
    while match := _FRONTMATTER_TOKEN.search(source, at):
        token, at = match[0], match.end()
        if token == b"---":
            return match.start()
        if token == b"/*":
            at = source.find(b"*/", at) + 2
            if at == 1:
                return None
        elif token[:1] == b"`":
            literal = _TEMPLATE_LITERAL.match(source, match.start())
            if literal is None:
                return None
            at = literal.end()
    return None


# ---------------------------------------------------------------------------------------------------------------------
# Markup

_TAG = re.compile(rb"<!--|<([A-Za-z][^\s/>]*+)")
# A string in an expression is no markup: documentation shows scripts in them.
_SCRIPT = re.compile(rb"<!--|\{(?:@html\b)?\s*+`|<(script)(?=[\s/>])")
_TEMPLATE = re.compile(rb"<!--|<(/?template)(?=[\s/>])", re.I)
_CLOSING = re.compile(rb"</([A-Za-z][^\s/>]*+)[^<>]*+>?")
_MARKUP_AGAIN = re.compile(rb"^[ \t]*+(?=<[A-Za-z/!])|<script\b", re.M)
_NAME = re.compile(rb"[^\s/>={][^\s/>=]*+|=[^\s/>=]*+")
_VALUE = re.compile(rb"\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|(?![\"'{])([^\s>]*+))")
_EXPRESSION_VALUE = re.compile(rb"\s*+=\s*+(?=\{)")
# A quote without its fellow near by stands for itself.
_EXPRESSION_TOKEN = re.compile(
    rb"[{}]|\"(?:[^\"\\\n]|\\.){0,999}+\"|'(?:[^'\\\n]|\\.){0,999}+'|`(?:[^`\\]|\\[\s\S]){0,999}+`"
)
_TEMPLATE_LITERAL = re.compile(rb"`(?:[^`\\]|\\[\s\S])*+`")
_FIRST_FENCE = re.compile(rb"(?:\xef\xbb\xbf)?\s*+(?:<!--(?:(?!-->)[\s\S])*+-->\s*+)*+---")
_FENCE_LINE = re.compile(rb"^[ \t]*+---", re.M)
_FRONTMATTER_TOKEN = re.compile(rb"---|//[^\n]*+|/\*|\"(?:[^\"\\\n]|\\.){0,9999}+\"|'(?:[^'\\\n]|\\.){0,9999}+'|`")
# Astro leaves scripts with one of these as they are: their specifiers are addresses.
_AS_WRITTEN = frozenset({b"is:inline", b"define:vars", b"set:html", b"set:text"})
_LANGUAGES = {
    b"js": Language.JAVASCRIPT,
    b"jsx": Language.JAVASCRIPT,
    b"javascript": Language.JAVASCRIPT,
    b"ts": Language.TYPESCRIPT,
    b"typescript": Language.TYPESCRIPT,
    b"tsx": Language.TSX,
}
# Everything else that `type` may say (JSON, templates, import maps) makes the text data.
_TYPES = {
    b"module": b"",
    b"text/babel": b"",
    b"text/jsx": b"",
    b"text/javascript": b"",
    b"text/ecmascript": b"",
    b"application/javascript": b"",
    b"application/ecmascript": b"",
    b"text/typescript": b"ts",
    b"application/typescript": b"ts",
    b"ts": b"ts",
}


class _Tag(NamedTuple):
    """An opening tag: what it says (an expression in braces is None) and where it ends."""

    attributes: dict[bytes, bytes | None]
    end: int
    closes_itself: bool


@dataclass
class _Markup:
    """The text of a component. Every search is linear in the text, however often it is called on ever later places."""

    source: bytes
    problems: list[tuple[int, str]] = field(default_factory=list)
    # The beginnings of what is never closed: looked for once.
    _endless: set[bytes] = field(default_factory=set)

    def find(self, pattern: re.Pattern[bytes], at: int) -> tuple[bytes, int] | None:
        """The next tag that the pattern names, and where it begins; comments and strings are passed over."""
        while match := pattern.search(self.source, at):
            if match[1] is not None:
                return match[1], match.start()
            at = self._behind(match)
        return None

    def tag(self, at: int) -> _Tag | None:
        """The rest of a tag, from behind its name; None where the text ends before it."""
        source, attributes = self.source, dict[bytes, bytes | None]()
        begin, slash = at, False
        while at < len(source):
            char = source[at]
            if char == _GREATER:
                return _Tag(attributes, at + 1, slash)
            slash = char == _SLASH
            if slash or char in _SPACES:
                at += 1
            elif char == _BRACE:
                at = self._after_expression(at)
            else:
                at = self._attribute(at, attributes)
        self.problems.append((begin, "a tag has no end"))
        return None

    def script_end(self, tag: _Tag) -> tuple[int, int]:
        """Where the text of a script ends, and where its closing tag does; without one, where markup seems to go on."""
        if tag.closes_itself:
            return tag.end, tag.end
        end, behind = self.closing(b"script", tag.end)
        if not behind:
            self.problems.append((tag.end, "a script has no end"))
            markup = _MARKUP_AGAIN.search(self.source, tag.end)
            end = behind = markup.start() if markup is not None else len(self.source)
        return end, behind

    def closing(self, name: bytes, at: int) -> tuple[int, int]:
        """Where the next closing tag of that name begins and ends; (0, 0) where there is none."""
        places = self._closings.get(name.lower(), [])
        index = bisect_left(places, (at, 0))
        return places[index] if index < len(places) else (0, 0)

    def script(self, start: int, tag: _Tag, end: int, default: Language) -> Iterator[Script]:
        """The script with that tag, where it is one in a language that is read."""
        kind = (tag.attributes.get(b"type") or b"").strip().lower()
        if kind and kind not in _TYPES:
            return
        written_in = (tag.attributes.get(b"lang") or _TYPES.get(kind, b"")).strip().lower()
        language = _LANGUAGES.get(written_in) if written_in else default
        if language is None:
            self.problems.append((start, f"a script in '{written_in[:40].decode('utf-8', 'replace')}' is not read"))
            return
        yield Script(tag.end, end, language, (tag.attributes.get(b"src") or b"").strip())

    @cached_property
    def template_ends(self) -> dict[int, int]:
        """Where the element of each `<template` ends, for those that are closed."""
        ends: dict[int, int] = {}
        opened: list[int] = []
        at = 0
        while found := self.find(_TEMPLATE, at):
            name, start = found
            at = start + 1 + len(name)
            if name[:1] == b"/":
                if opened:
                    ends[opened.pop()] = at
            else:
                tag = self.tag(at)
                if tag is None:
                    break
                at = tag.end
                if not tag.closes_itself:
                    opened.append(start)
        return ends

    @cached_property
    def _closings(self) -> dict[bytes, list[tuple[int, int]]]:
        found: dict[bytes, list[tuple[int, int]]] = {}
        for match in _CLOSING.finditer(self.source):
            found.setdefault(match[1].lower(), []).append(match.span())
        return found

    def _behind(self, match: re.Match[bytes]) -> int:
        """Behind the comment or string that a match begins; behind the match where that has no end."""
        begun = match[0][:1]
        if begun in self._endless:
            return match.end()
        if begun == b"<":
            end = self.source.find(b"-->", match.end()) + 3
        else:
            literal = _TEMPLATE_LITERAL.match(self.source, match.end() - 1)
            end = literal.end() if literal is not None else 2
        if end == 2:
            self._endless.add(begun)
            return match.end()
        return end

    def _attribute(self, at: int, attributes: dict[bytes, bytes | None]) -> int:
        """Take in the attribute that begins there; where it ends."""
        name = _NAME.match(self.source, at)
        if name is None:  # pragma: no cover - the caller has excluded what begins no name
            return at + 1
        value = _VALUE.match(self.source, name.end())
        if value is not None:
            attributes.setdefault(name[0], next((each for each in value.groups() if each is not None), b""))
            return value.end()
        expression = _EXPRESSION_VALUE.match(self.source, name.end())
        if expression is not None:
            attributes.setdefault(name[0], None)
            return self._after_expression(expression.end())
        attributes.setdefault(name[0], b"")
        opened = _OPEN_QUOTE.match(self.source, name.end())
        return len(self.source) if opened is not None else name.end()

    def _after_expression(self, at: int) -> int:
        depth = 0
        for match in _EXPRESSION_TOKEN.finditer(self.source, at):
            if match[0] in (b"{", b"}"):
                depth += 1 if match[0] == b"{" else -1
                if not depth:
                    return match.end()
        return len(self.source)


_OPEN_QUOTE = re.compile(rb"\s*+=\s*+[\"']")
_GREATER, _SLASH, _BRACE = b">/{"
_SPACES = frozenset(b" \t\r\n\f\v")
