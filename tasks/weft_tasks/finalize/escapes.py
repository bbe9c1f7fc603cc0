"""Imports that name files outside of the repository: nothing is looked for there, and a person should know. Pure."""

import re
from collections.abc import Iterable, Iterator

from weft_storage.model.edges import Outside, Status
from weft_storage.model.languages import Family, family_of, language_of
from weft_storage.model.paths import join, parent

_MOST = 20
"""Problems of one file that are listed."""

_DOTS = re.compile(r"\.+")


def escapes(imports: Iterable[Outside]) -> tuple[str, ...]:
    """A sentence for each unresolved import of a file whose path leads out of the repository."""
    found = dict.fromkeys(_sentences(imports))
    listed = list(found)[:_MOST]
    more = [f"{len(found) - _MOST:,} more imports lead out of the repository"] if len(found) > _MOST else []
    return (*listed, *more)


def _sentences(imports: Iterable[Outside]) -> Iterator[str]:
    for each in imports:
        path = _path_outside(each) if each.status is Status.UNRESOLVED else None
        if path is not None:
            yield f"line {each.line}: {path!r} is outside the repository"


def _path_outside(each: Outside) -> str | None:
    """The path that leaves the root; None where none does."""
    language = language_of(each.importer)
    family = family_of(language) if language else None
    if family is Family.PYTHON:
        dots = _DOTS.match(each.specifier)
        # One dot is the importer's own folder.
        return each.specifier if dots and len(dots[0]) - 1 > each.importer.count("/") else None
    if each.specifier.startswith(("./", "../")) and join(parent(each.importer), each.specifier) is None:
        return each.specifier
    # An absolute path in JavaScript is one of the web server's root.
    starts = ("../", "/") if family is Family.RUST else ("../",)
    return next((path for path in each.probed if path.startswith(starts)), None)
