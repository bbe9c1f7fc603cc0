"""`//go:embed` patterns over the paths of a repository. Knows no source and no manifest.

Rules: the documentation of package embed, and `resolveEmbed` of the go command.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

_VERSION_CONTROL = frozenset({".bzr", ".git", ".hg", ".svn"})
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[1-9]|lpt[1-9])(?:\.|$)", re.I)
# What a module's archive may not hold in a name (golang.org/x/mod/module, CheckFilePath); letters beyond ASCII may be.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\"'*<>?`|/\\:;]")


class Tree:
    """The directories of a sorted list of paths, read by bisection: looking at one costs nothing for the others."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths
        self._children: dict[str, tuple[Sequence[str], Sequence[str]]] = {}

    def is_file(self, path: str) -> bool:
        """Whether there is a file of that path."""
        at = bisect_left(self._paths, path)
        return at < len(self._paths) and self._paths[at] == path

    def is_directory(self, path: str) -> bool:
        """Whether some file lies beneath the path."""
        at = bisect_left(self._paths, f"{path}/")
        return at < len(self._paths) and self._paths[at].startswith(f"{path}/")

    def children(self, directory: str) -> tuple[Sequence[str], Sequence[str]]:
        """Names of the (directories, files) directly in a directory, sorted."""
        if directory not in self._children:
            self._children[directory] = self._read(f"{directory}/" if directory else "")
        return self._children[directory]

    def _read(self, prefix: str) -> tuple[Sequence[str], Sequence[str]]:
        directories, files = [], []
        at = bisect_left(self._paths, prefix)
        while at < len(self._paths) and self._paths[at].startswith(prefix):
            name, slash, _ = self._paths[at][len(prefix) :].partition("/")
            if slash:
                directories.append(name)
                # "0" follows "/": the next path that is not beneath that directory.
                at = bisect_left(self._paths, f"{prefix}{name}0", at)
            else:
                files.append(name)
                at += 1
        return directories, files


def embedded_files(tree: Tree, folder: str, pattern: str, is_module: Callable[[str], bool]) -> list[str]:
    """The files that a pattern embeds, sorted; none where it is no valid pattern.

    `folder` is the package's directory, `is_module` says whether a directory begins another module.
    """
    segments = [_parse(segment) for segment in pattern.removeprefix("all:").split("/")]
    search = _Search(tree, is_module, everything=pattern.startswith("all:"))
    return sorted(search.glob(folder, [each for each in segments if each])) if all(segments) else []


@dataclass
class _Search:
    """The walk of one pattern through the tree."""

    tree: Tree
    is_module: Callable[[str], bool]
    everything: bool

    def glob(self, folder: str, segments: "list[_Segment]") -> Iterator[str]:
        """The files that the segments match from the folder, and all those beneath the directories they match."""
        level = [folder]
        for segment in segments[:-1]:
            level = [path for each in level for path in self._directories(each, segment)]
        for directory in level:
            yield from self._files(directory, segments[-1])
            for matched in self._directories(directory, segments[-1]):
                yield from self._beneath(matched)

    def _directories(self, directory: str, segment: "_Segment") -> Iterator[str]:
        if segment.literal is not None:
            names = [segment.literal] if self.tree.is_directory(_join(directory, segment.literal)) else []
        else:
            names = [name for name in self.tree.children(directory)[0] if segment.matches(name)]
        return self._open(directory, names)

    def _files(self, directory: str, segment: "_Segment") -> Iterator[str]:
        if segment.literal is not None:
            names = [segment.literal] if self.tree.is_file(_join(directory, segment.literal)) else []
        else:
            names = [name for name in self.tree.children(directory)[1] if segment.matches(name)]
        return (_join(directory, name) for name in names if _is_embeddable(name))

    def _beneath(self, top: str) -> Iterator[str]:
        pending = [top]
        while pending:
            directory = pending.pop()
            directories, files = self.tree.children(directory)
            yield from (_join(directory, name) for name in files if self._is_shown(name) and _is_embeddable(name))
            pending += self._open(directory, filter(self._is_shown, directories))

    def _open(self, directory: str, names: Iterable[str]) -> Iterator[str]:
        """The paths of those directories that a module's archive holds."""
        paths = (_join(directory, name) for name in names if _is_embeddable(name))
        return (path for path in paths if not self.is_module(path))

    def _is_shown(self, name: str) -> bool:
        return self.everything or name[0] not in "._"


@dataclass(frozen=True)
class _Segment:
    """A pattern for one name: `runs` are the parts between the stars; `literal` is the name if it can be only one."""

    runs: "tuple[tuple[_Character, ...], ...]"
    literal: str | None

    def matches(self, name: str) -> bool:
        """Whether the whole name matches. Each star takes as little as it can, so no part is tried twice over."""
        first, *others = self.runs
        if not _fits(first, name, 0):
            return False
        if not others:
            return len(name) == len(first)
        position, (*middle, last) = len(first), others
        for run in middle:
            while position + len(run) <= len(name) and not _fits(run, name, position):
                position += 1
            position += len(run)
        end = len(name) - len(last)
        return end >= position and _fits(last, name, end)


@dataclass(frozen=True)
class _Character:
    """A set of characters: those in `ranges` (low, high), or all others where it is `negated`."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    def holds(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) is not self.negated


_ANY = _Character((), negated=True)


def _fits(run: tuple[_Character, ...], name: str, position: int) -> bool:
    if position + len(run) > len(name):
        return False
    return all(each.holds(name[position + offset]) for offset, each in enumerate(run))


_SPECIAL = re.compile(r"[*?\[\\]")
_PIECE = re.compile(
    r"(?P<star>\*)|(?P<any>\?)|\[(?P<negated>\^?)(?P<class>(?:\\.|[^\\\]])++)\]|\\(?P<escaped>.)|(?P<plain>[^\[\\])",
    re.S,
)
_RANGE = re.compile(r"(?P<low>\\.|[^\\\-\]])(?:-(?P<high>\\.|[^\\\-\]]))?", re.S)


def _parse(segment: str) -> _Segment | None:
    """The pattern of one path element by the rules of path.Match; None where it breaks them or names no element."""
    if segment in ("", ".", ".."):
        return None
    pieces: list[_Character | None] = []
    position = 0
    while position < len(segment):
        piece = _PIECE.match(segment, position)
        if piece is None:
            return None
        position = piece.end()
        if piece["star"]:
            pieces.append(None)
        elif piece["any"]:
            pieces.append(_ANY)
        elif piece["class"]:
            ranges = _ranges(piece["class"])
            if ranges is None:
                return None
            pieces.append(_Character(ranges, negated=bool(piece["negated"])))
        else:
            character = piece["escaped"] or piece["plain"]
            pieces.append(_Character(((character, character),)))
    return _Segment(_runs(pieces), literal=None if _SPECIAL.search(segment) else segment)


def _ranges(text: str) -> tuple[tuple[str, str], ...] | None:
    found: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        part = _RANGE.match(text, position)
        if part is None:
            return None
        low, high = part["low"][-1], (part["high"] or part["low"])[-1]
        found.append((low, high))
        position = part.end()
    return tuple(found)


def _runs(pieces: "list[_Character | None]") -> "tuple[tuple[_Character, ...], ...]":
    """The pieces between the stars (None); stars side by side are one."""
    runs: list[tuple[_Character, ...]] = [()]
    for is_star, group in groupby(pieces, key=lambda piece: piece is None):
        if is_star:
            runs.append(())
        else:
            runs[-1] = tuple(piece for piece in group if piece is not None)
    return tuple(runs)


def _is_embeddable(name: str) -> bool:
    """Whether a module's archive may hold the name: others are never embedded."""
    return (
        name not in _VERSION_CONTROL
        and not name.endswith(".")
        and not _FORBIDDEN.search(name)
        and not _RESERVED.match(name)
    )


def _join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name
