"""vendor/modules.txt: its text -> what it vouches for. Knows no folder and no go.mod.

The format is that of `go mod vendor`; `readVendorList` of the go command reads it.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vendored:
    """What a modules.txt lists: the import paths of `packages`. `workspace`: whether `go work vendor` wrote it."""

    packages: frozenset[str]
    workspace: bool


def parse_vendored(source: bytes) -> Vendored:
    """Read a modules.txt; lines of no meaning are passed over, as the go command does."""
    lines = source.decode("utf-8", "replace").split("\n")
    return Vendored(frozenset(_packages(lines)), "workspace" in _annotations(lines[0]))


def _annotations(line: str) -> list[str]:
    return [each.strip() for each in line[3:].split(";")] if line.startswith("## ") else []


def _packages(lines: list[str]) -> Iterator[str]:
    """The packages: one word a line, below the line of a module."""
    module = False
    for line in lines:
        words = line.split()
        if line.startswith("# "):
            if len(words) > 2:
                module = words[2] == "=>" or words[2].startswith("v")
        elif module and len(words) == 1 and not line.startswith("#"):
            yield words[0]
