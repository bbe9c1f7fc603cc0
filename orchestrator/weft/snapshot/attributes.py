"""Git attributes: which tracked files may hold other bytes on disk than in git. Knows no contents but theirs."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from enum import StrEnum

from weft_tasks.contents.readers import ContentError, TreeContents
from weft_tasks.contents.repository import Repository

NAME = ".gitattributes"


class Conversion(StrEnum):
    """An attribute that makes git convert contents on their way to disk or back."""

    TEXT = "text"
    EOL = "eol"
    CRLF = "crlf"
    FILTER = "filter"
    IDENT = "ident"
    ENCODING = "working-tree-encoding"


OPAQUE = (Conversion.FILTER, Conversion.IDENT, Conversion.ENCODING)
"""Conversions that may change anything. The others remove or add carriage returns, so equal sizes are equal bytes."""

_EVERY = frozenset(Conversion)
_LIMIT = 4 * 1024 * 1024
# An attribute follows a space; `-text` and `!text` switch one off. What looks like one in a comment does no harm.
_MENTION = re.compile(rb"[ \t](text|eol|crlf|filter|ident|working-tree-encoding)(?=[=\s]|$)", re.MULTILINE)
_SYSTEM = "/etc/gitattributes"


def conversions(repository: Repository, contents: TreeContents, paths: Iterable[str]) -> frozenset[Conversion]:
    """The conversions that some file may undergo, given the paths of the work tree's .gitattributes.

    Cheap and never too few: what is mentioned anywhere counts. A .gitattributes that cannot be read, such as a
    deleted one whose indexed version git would use, counts for all.
    """
    found = set(_configured(repository))
    for path in paths:
        try:
            found |= _mentions(contents.read(path, _LIMIT))
        except ContentError:
            return _EVERY
    for place in _outside(repository):
        found |= _mentions(_read(place))
    return frozenset(found)


def opaque_paths(repository: Repository, wanted: Iterable[Conversion], paths: Iterable[str]) -> frozenset[str]:
    """Those of the paths (relative to the repository's folder) that undergo any of the wanted conversions."""
    names = sorted(wanted)
    if not names:
        return frozenset()
    asked = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
    answers = repository.git.run("check-attr", "-z", "--stdin", *names, stdin=asked).split(b"\0")
    triples = zip(answers[0::3], answers[2::3], strict=False)
    return frozenset(
        path.decode("utf-8", "surrogateescape") for path, value in triples if value not in (b"unspecified", b"unset")
    )


def _configured(repository: Repository) -> Iterator[Conversion]:
    configuration = repository.configuration
    if configuration.get("core.autocrlf", "false").lower() not in ("false", "no", "off", "0", ""):
        yield Conversion.TEXT
    if "attr.tree" in configuration:
        yield from Conversion


def _outside(repository: Repository) -> list[str]:
    """Files with attributes that are not part of the work tree."""
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    users = repository.configuration.get("core.attributesfile") or os.path.join(home, "git/attributes")
    return [
        _SYSTEM,
        os.path.join(repository.git.directory, os.path.expanduser(users)),
        os.path.join(repository.common_directory, "info/attributes"),
    ]


def _mentions(text: bytes) -> set[Conversion]:
    return {Conversion(name.decode()) for name in _MENTION.findall(text)}


def _read(place: str) -> bytes:
    """The first bytes of a regular file, none where there is no such file."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_LIMIT) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
