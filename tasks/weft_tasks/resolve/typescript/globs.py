"""Globs of tsconfig.json and of workspaces, matched segment by segment in time linear in pattern and path."""

from collections.abc import Collection, Iterable, Sequence
from enum import Enum
from functools import lru_cache
from typing import TypeAlias

from weft_storage.model.paths import join

# The segments of a glob; `**` stands for any number of segments.
Glob: TypeAlias = tuple[str, ...]

# `{a,b}{c,d}…` doubles with every group.
_MAX_ALTERNATIVES = 256
# What may be left of a glob that takes any file directly in a folder.
_ANY_FILE = frozenset({("*",), ("**",), ("**", "*")})
_NOT_ENTERED = frozenset({"node_modules", "bower_components", "jspm_packages"})


class Verdict(Enum):
    """Whether a set of globs takes the files directly in a folder."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


@lru_cache(maxsize=4096)
def compile_glob(pattern: str) -> Glob:
    """The segments of a pattern that is relative to the root."""
    segments: list[str] = []
    for segment in pattern.split("/"):
        if segment in ("", ".") or (segment == "**" and segments[-1:] == ["**"]):
            continue
        segments.append(segment)
    return tuple(segments)


def include_glob(folder: str, pattern: str) -> str | None:
    """An `include` entry relative to the root: a folder's name stands for all in it. None where it leaves the root."""
    absolute = join(folder, pattern)
    if absolute is None:
        return None
    last = absolute.rpartition("/")[2]
    if last == "**" or not absolute:
        return f"{absolute}/*".lstrip("/") if absolute else "**/*"
    return absolute if any(char in last for char in "*?.") else f"{absolute}/**/*"


def static_base(glob: str) -> str:
    """The folder below which all matches of a glob lie."""
    segments = glob.split("/")[:-1]
    wild = (at for at, segment in enumerate(segments) if "*" in segment or "?" in segment)
    return "/".join(segments[: next(wild, len(segments))])


def verdict(files: Sequence[str], include: Iterable[str], exclude: Iterable[str], folder: str) -> Verdict:
    """Whether a tsconfig's globs take the files directly in `folder` (see `included`)."""
    parts = tuple(folder.split("/")) if folder else ()
    named = Verdict.SOME if any(path.rpartition("/")[0] == folder for path in files) else Verdict.NONE
    taken = max((_taken(compile_glob(each), parts) for each in include), key=_rank, default=Verdict.NONE)
    dropped = max((_dropped(compile_glob(each), parts) for each in exclude), key=_rank, default=Verdict.NONE)
    if taken is Verdict.NONE or dropped is Verdict.ALL:
        return named
    return Verdict.ALL if taken is Verdict.ALL and dropped is Verdict.NONE else Verdict.SOME


def included(files: Iterable[str], include: Iterable[str], exclude: Iterable[str], path: str) -> bool:
    """Whether a tsconfig takes the file: named in `files`, or matched by `include` and not by `exclude`."""
    if path in files:
        return True
    parts = tuple(path.split("/"))
    if not any(len(glob) in _states(glob, parts, hidden=False) for glob in map(compile_glob, include)):
        return False
    return not any(_matches_above(compile_glob(each), parts) for each in exclude)


def matches(pattern: str, path: str) -> bool:
    """Whether a workspace glob (with braces) matches a folder."""
    parts = tuple(path.split("/")) if path else ()
    return any(len(glob) in _states(glob, parts, hidden=False) for glob in map(compile_glob, _alternatives(pattern)))


def alternatives(pattern: str) -> list[str]:
    """The pattern with its braces written out: `{a,b}/c` is `a/c` and `b/c`. At most a few hundred."""
    return _alternatives(pattern)


def advanced(glob: Glob, states: Collection[int], part: str) -> frozenset[int]:
    """How much of a glob may have been used up after one more part of a path; `start` is before the first."""
    return frozenset(_stepped(glob, set(states), part, hidden=False))


def start(glob: Glob) -> frozenset[int]:
    """How much of a glob may have been used up before the first part of a path."""
    return frozenset(_closed(glob, {0}))


def _rank(verdict: Verdict) -> int:
    return (Verdict.NONE, Verdict.SOME, Verdict.ALL).index(verdict)


def _taken(glob: Glob, folder: Glob) -> Verdict:
    if not _meets(glob, folder):
        return Verdict.NONE
    rests = {glob[state:] for state in _states(glob, folder, hidden=False)} - {()}
    if not rests:
        return Verdict.NONE
    return Verdict.ALL if rests & _ANY_FILE else Verdict.SOME


def _dropped(glob: Glob, folder: Glob) -> Verdict:
    if not _meets(glob, folder):
        return Verdict.NONE
    if _matches_above(glob, folder):
        return Verdict.ALL
    rests = {glob[state:] for state in _states(glob, folder, hidden=True)}
    if rests & _ANY_FILE:
        return Verdict.ALL
    # A glob that only reaches deeper than the folder's own files says nothing about them.
    return Verdict.SOME if any(sum(part != "**" for part in rest) <= 1 for rest in rests) else Verdict.NONE


def _meets(glob: Glob, folder: Glob) -> bool:
    """Whether the glob's literal beginning and the folder do not part ways."""
    for segment, part in zip(glob, folder, strict=False):
        if "*" in segment or "?" in segment:
            return True
        if segment != part:
            return False
    return True


def _matches_above(glob: Glob, parts: Glob) -> bool:
    """Whether the glob matches the path or a folder above it."""
    states = _closed(glob, {0})
    for part in parts:
        states = _stepped(glob, states, part, hidden=True)
        if len(glob) in states:
            return True
    return False


def _states(glob: Glob, parts: Glob, *, hidden: bool) -> set[int]:
    """How much of the glob may have been used up by the parts; its length stands for a match."""
    states = _closed(glob, {0})
    for part in parts:
        states = _stepped(glob, states, part, hidden=hidden)
        if not states:
            break
    return states


def _stepped(glob: Glob, states: set[int], part: str, *, hidden: bool) -> set[int]:
    """`hidden`: whether wildcards stand for dot folders and node_modules too."""
    shown = hidden or not (part.startswith(".") or part in _NOT_ENTERED)
    following = set()
    for state in states:
        if state == len(glob):
            continue
        segment = glob[state]
        if segment == "**":
            if shown:
                following.add(state)
        elif part == segment or ((shown or segment[0] == ".") and _wildcard(segment, part)):
            following.add(state + 1)
    return _closed(glob, following)


def _closed(glob: Glob, states: set[int]) -> set[int]:
    closed = set(states)
    for state in states:
        while state < len(glob) and glob[state] == "**":
            state += 1
            closed.add(state)
    return closed


def _wildcard(pattern: str, name: str) -> bool:
    """Whether a segment with `*` and `?` matches a name."""
    if pattern == "*":
        return True
    prefix, star, suffix = pattern.partition("*")
    if "?" not in pattern and "*" not in suffix:
        if not star:
            return pattern == name
        return len(name) >= len(prefix) + len(suffix) and name.startswith(prefix) and name.endswith(suffix)
    return _backtracking_wildcard(pattern, name)


def _backtracking_wildcard(pattern: str, name: str) -> bool:
    """Any number of wildcards, by the two-pointer method: no backtracking beyond the last star."""
    at, star, mark, here = 0, -1, 0, 0
    while here < len(name):
        if at < len(pattern) and pattern[at] == "*":
            star, mark = at, here
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", name[here]):
            at += 1
            here += 1
        elif star >= 0:
            mark += 1
            at, here = star + 1, mark
        else:
            return False
    return all(char == "*" for char in pattern[at:])


def _alternatives(pattern: str) -> list[str]:
    """The pattern with its braces written out: `{a,b}/c` is `a/c` and `b/c`."""
    done: list[str] = []
    pending = [pattern]
    while pending and len(pending) + len(done) <= _MAX_ALTERNATIVES:
        each = pending.pop()
        close = each.find("}")
        open_ = each.rfind("{", 0, close) if close >= 0 else -1
        if open_ < 0:
            done.append(each)
        else:
            middle = each[open_ + 1 : close].split(",")
            pending += [each[:open_] + part + each[close + 1 :] for part in middle]
    return done
