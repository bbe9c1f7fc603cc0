"""What is odd about a manifest whatever it means: its size, paths out of the repository, workspaces of every folder.

Nothing of it is followed, by any resolver; a person should know of it all the same. Knows names and text, no rules of a
language. go.mod and go.work are left to their own parser.
"""

import re
from collections.abc import Iterator
from itertools import islice

from weft_storage.model.paths import basename, join, parent

LARGE = 1 << 20
"""Bytes. Manifests of this size are read, but something else than a person wrote them."""

_MOST = 20  # sentences on one manifest
_LOOKED_AT = 1000  # places in it; each costs as much as the text before it is long
_NAMES = re.compile(
    r"(?:package|lerna|deno|[jt]sconfig(?:\.[^/]*)?)\.jsonc?|pnpm-workspace\.yaml|(?:Cargo|pyproject|pants|uv)\.toml"
    r"|setup\.(?:cfg|py)|pytest\.ini|Pipfile"
)
_UNQUOTED = (".yaml", ".cfg", ".ini")
_PROTOCOL = r"(?:(?:file|link|portal|workspace):)?"
_QUOTED_PATH = re.compile(rf"(?<=[\"']){_PROTOCOL}(?:\./)*\.\.(?:/[^\"'\n]{{0,1000}})?(?=[\"'])")
_PATH = re.compile(rf"(?<![^\s\"'=,]){_PROTOCOL}(?:\./)*\.\.(?:/[^\s\"',]{{0,1000}})?(?![^\s\"',])")
# Absolute paths are told from other texts by the keys before them.
_ABSOLUTE_PATH = re.compile(
    r"\b(?:path|where|from|pythonpath|package[-_]dir|extends|baseUrl|members)\b[^/\n]{0,80}?[\"'](/[^\"'\n]{1,1000})[\"']"
)
_EVERY_FOLDER = re.compile(r"(?<=[\"'\s])(?:\./)?\*\*(?:/\*{1,2})?(?=[\"'\s])")
_MEMBERS = re.compile(r"\b(?:workspaces|packages|members)\b[\"']?\s{0,9}[:=][^\]]*\Z")
_REACH = 2000  # characters between the key of a list and what is looked at of it
_COMMENT = re.compile(r"(?m)^[ \t]*(?:#|//).*$")
# What `paths` are relative to depends on the options around: their own resolver tells of them.
_PATHS = re.compile(r"\"paths\"\s{0,9}:\s{0,9}\{[^{}]{0,100000}\}")


def doubts(path: str, source: bytes) -> list[str]:
    """Sentences on the manifest at `path`, each once; none for a file that is no manifest."""
    if not _NAMES.fullmatch(basename(path)):
        return []
    found: dict[str, None] = {}
    for sentence in islice(_sentences(path, source), _LOOKED_AT):
        found[sentence] = None
        if len(found) > _MOST:
            return [*list(found)[:_MOST], "and more like these"]
    return list(found)


def _sentences(path: str, source: bytes) -> Iterator[str]:
    if len(source) >= LARGE:
        yield f"is a manifest of {len(source) / LARGE:.1f} MiB, which every scan after a change reads"
    text = _COMMENT.sub("", source[:LARGE].decode("utf-8", "replace"))
    if basename(path).startswith(("tsconfig", "jsconfig")):
        text = _PATHS.sub(_blank, text)
    if ".." in text:
        for found in (_PATH if path.endswith(_UNQUOTED) else _QUOTED_PATH).finditer(text):
            if join(parent(path), found[0].rpartition(":")[2]) is None:
                yield f"line {_line(text, found.start())}: {found[0]!r} is outside the repository"
    for found in _ABSOLUTE_PATH.finditer(text):
        yield f"line {_line(text, found.start(1))}: {found[1]!r} is outside the repository"
    for found in islice(_EVERY_FOLDER.finditer(text), _LOOKED_AT):
        if _MEMBERS.search(text, max(0, found.start() - _REACH), found.start()):
            yield f"line {_line(text, found.start())}: {found[0]!r} makes every folder a member"


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def _blank(found: re.Match[str]) -> str:
    """As many lines of nothing."""
    return "\n" * found[0].count("\n")
