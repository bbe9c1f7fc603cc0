"""SQL text by name, and the numbered migrations. Knows no database."""

import os
import re
from collections.abc import Iterator
from functools import cache

_FOLDER = os.path.join(os.path.dirname(__file__), "sql")
_HEADER = re.compile(r"^-- name: (?P<name>\S+)(?: \((?P<tables>[a-z ]+)\))?$", re.MULTILINE)


@cache
def statements(file: str = "statements.sql") -> dict[str, str]:
    """Every named statement of a file in `sql`; one per table where a block is written for several."""
    text = _read(file)
    headers = list(_HEADER.finditer(text))
    ends = [header.start() for header in headers[1:]] + [len(text)]
    found: dict[str, str] = {}
    for header, end in zip(headers, ends, strict=True):
        body = _without_comments(text[header.end() : end])
        for table in (header["tables"] or "").split() or [""]:
            found[header["name"].replace("{table}", table)] = body.replace("{table}", table)
    return found


@cache
def migrations() -> tuple[tuple[str, ...], ...]:
    """The statements of every migration, in order: the first leads from nothing to schema 1."""
    return tuple(tuple(_split(script)) for script in scripts("migrations"))


@cache
def scripts(folder: str) -> tuple[str, ...]:
    """The texts of all files of a folder in `sql`, in order of their names."""
    names = sorted(os.listdir(os.path.join(_FOLDER, folder)))
    return tuple(_read(os.path.join(folder, name)) for name in names if name.endswith(".sql"))


def _read(name: str) -> str:
    with open(os.path.join(_FOLDER, name), encoding="utf-8") as file:
        return file.read()


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("--")).strip()


def _split(script: str) -> Iterator[str]:
    for part in _without_comments(script).split(";\n"):
        statement = part.strip().removesuffix(";")
        if statement:
            yield statement
