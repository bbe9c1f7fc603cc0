"""The listing of a snapshot: its files, links and what was left out. Pure: knows neither git nor disk."""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from weft_storage.model.errors import ConfigurationError
from weft_storage.model.files import LINK_LOOP, LINK_OUTSIDE

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

LONGEST_TARGET = 4096
"""Bytes of a symbolic link's text, and of the path that it leads to; Linux allows no more either."""

SUBMODULE = "submodule"
NESTED = "nested repository"
OUTSIDE = LINK_OUTSIDE
DANGLING = "symlink to nothing in the repository"
LOOP = LINK_LOOP
SPECIAL = "special file"
NOT_CHECKED_OUT = "not checked out"
UNREADABLE = "unreadable"
UNSAFE = "not a path that a file can have"

_END = "/"  # of what a link says, among the components of a path
_UNSAFE_SIGNS = ("//", "./", "/.\0", "..\0", "\0.\0", "\0/", "/\0")


@dataclass(slots=True)
class Findings:
    """What was found in one or several trees, before anything is excluded or any link followed.

    `files` is an ordered set: git lists names almost as they are sorted, and sorting them is cheap then. `oids` are
    vouched for by git: the content of the file is the blob. `converted` are as well, if the sizes are
    equal. `claimed` are those of the index for files that may differ from it. `texts` are what links say.
    """

    files: dict[str, None] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    oids: dict[str, str] = field(default_factory=dict)
    converted: dict[str, str] = field(default_factory=dict)
    claimed: dict[str, str] = field(default_factory=dict)

    def add(self, other: "Findings") -> None:
        """Take in what was found in another tree."""
        self.files |= other.files
        self.texts |= other.texts
        self.skipped |= other.skipped
        self.oids |= other.oids
        self.converted |= other.converted
        self.claimed |= other.claimed


@dataclass(frozen=True, slots=True)
class Listing:
    """The names of a snapshot, sorted; `links` lead to a path that is no link and has none above it."""

    paths: tuple[str, ...]
    links: Mapping[str, str]
    skipped: Mapping[str, str]
    oids: Mapping[str, str]
    converted: Mapping[str, str]
    claimed: Mapping[str, str]


def settle(found: Findings, exclude: Sequence[str], root: str) -> Listing:
    """The listing of what was found, but for what `exclude` (gitignore patterns) leaves out.

    `root` is the absolute folder that absolute links are compared with. Raises ConfigurationError for a bad pattern.
    """
    _drop_unsafe(found)
    if exclude:
        _drop_excluded(found, _specification(tuple(exclude)).match_file)
    paths = tuple(sorted(found.files))
    texts = dict(sorted(found.texts.items()))
    links, lost = follow_links(texts, paths, root)
    skipped = dict(sorted((found.skipped | lost).items()))
    return Listing(paths, links, skipped, found.oids, found.converted, found.claimed)


def follow_links(texts: Mapping[str, str], paths: Sequence[str], root: str) -> tuple[dict[str, str], dict[str, str]]:
    """Where each link leads, and the reason for each that leads to none of the sorted `paths` or their folders.

    `texts` are what the links say; `root` is the absolute folder that absolute ones are compared with.
    """
    known: dict[str, tuple[str, str]] = {}
    for link in texts:
        if link not in known:
            _follow(link, texts, root, known)
    followed = {link: target for link, (target, reason) in known.items() if not reason and _exists(target, paths)}
    lost = {link: reason or DANGLING for link, (_, reason) in known.items() if link not in followed}
    return dict(sorted(followed.items())), lost


def _follow(link: str, texts: Mapping[str, str], root: str, known: dict[str, tuple[str, str]]) -> None:
    """Note the path that a link leads to, or "" and the reason why to none; likewise for all links on the way.

    As the kernel does it, component by component. A link's path has no link above it, so it always means the same and
    is followed once: the time is linear in the texts.
    """
    here: list[str] = []
    ahead = link.split("/")[::-1]
    entered: dict[str, None] = {}
    reason = ""
    while ahead and not reason:
        part = ahead.pop()
        if part == _END:
            known[entered.popitem()[0]] = "/".join(here), ""
        elif part == "..":
            reason = "" if here else OUTSIDE
            here = here[:-1]
        elif part not in ("", "."):
            here.append(part)
            path = "/".join(here)
            if len(path) > LONGEST_TARGET:
                reason = DANGLING
            elif path in known:
                target, reason = known[path]
                here = target.split("/") if target else []
            elif path in texts:
                reason = LOOP if path in entered else _enter(texts[path], root, here, ahead)
                entered[path] = None
    known |= dict.fromkeys(entered, ("", reason))
    known.setdefault(link, ("/".join(here), reason))


def _enter(text: str, root: str, here: list[str], ahead: list[str]) -> str:
    """Go on with what a link says instead of its name; the reason where that leads to nothing."""
    inside = _inside(text, root)
    if not text or "\0" in text:
        return DANGLING
    if inside is None:
        return OUTSIDE
    here[:] = [] if text.startswith("/") else here[:-1]
    ahead += [_END, *inside.split("/")[::-1]]
    return ""


def _inside(text: str, root: str) -> str | None:
    """What a link says, relative to the root if it is absolute; None where that is not beneath the root."""
    if not text.startswith("/"):
        return text
    beneath = root.rstrip("/") + "/"
    return (text + "/").removeprefix(beneath) if (text + "/").startswith(beneath) else None


def _exists(path: str, paths: Sequence[str]) -> bool:
    """Whether a path is one of the sorted paths, or a folder of one."""
    if not path:
        return True
    at = bisect_left(paths, path)
    if at < len(paths) and paths[at] == path:
        return True
    at = bisect_left(paths, path + "/")
    return at < len(paths) and paths[at].startswith(path + "/")


def _drop_unsafe(found: Findings) -> None:
    """Skip names that no checkout would create; only a forged tree or index holds them."""
    joined = "\0" + "\0".join((*found.files, *found.texts, *found.skipped)) + "\0"
    if not any(sign in joined for sign in _UNSAFE_SIGNS) and ".git/" not in joined.lower():
        return
    for path in [path for path in (*found.files, *found.texts, *found.skipped) if _is_unsafe(path)]:
        _drop(found, path)
        found.skipped[path] = UNSAFE


def _is_unsafe(path: str) -> bool:
    return any(part in ("", ".", "..") or part.lower() == ".git" for part in path.split("/"))


def _drop_excluded(found: Findings, excluded: Callable[[str], bool]) -> None:
    for path in [path for path in {**found.files, **found.texts, **found.skipped} if excluded(path)]:
        _drop(found, path)


def _drop(found: Findings, path: str) -> None:
    for named in (found.files, found.texts, found.skipped, found.oids, found.converted, found.claimed):
        named.pop(path, None)


@cache
def _specification(exclude: tuple[str, ...]) -> "GitIgnoreSpec":
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(exclude)
    except ValueError as error:
        raise ConfigurationError("exclude", f"not a gitignore pattern: {error}", "see `man gitignore`") from error
