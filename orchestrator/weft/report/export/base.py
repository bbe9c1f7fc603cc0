"""The graph as formats receive it. Knows no format."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

from weft_storage.model.edges import Edge
from weft_storage.model.facts import WEAK_KINDS


@dataclass(frozen=True, slots=True)
class Graph:
    """A published graph. `edges` are sorted and may be read once; `files` are sorted, and need not hold their ends."""

    edges: Iterable[Edge]
    files: Sequence[str]
    project: str
    run: int


Exporter: TypeAlias = Callable[[Graph], Iterator[str]]
"""A format: the pieces of its text. Whatever it writes is valid UTF-8, whatever names the repository holds."""


@dataclass(frozen=True, slots=True)
class Link:
    """One file names another, by edges of whatever kinds; `weak` where all of them are."""

    importer: str
    imported: str
    weak: bool


def links(edges: Iterable[Edge]) -> Iterator[Link]:
    """Sorted edges, with those of different kinds between the same two files as one."""
    for (importer, imported), group in groupby(edges, key=lambda edge: (edge.importer, edge.imported)):
        yield Link(importer, imported, all(edge.kind in WEAK_KINDS for edge in group))


def json_array(items: Iterable[str], indent: str) -> Iterator[str]:
    """The pieces of a JSON array that stands at an indent, one item a line; the items are JSON already."""
    separator = "["
    for item in items:
        yield f"{separator}\n{indent}  {item}"
        separator = ","
    yield "[]" if separator == "[" else f"\n{indent}]"


def in_chunks(pieces: Iterable[str], size: int = 1 << 16) -> Iterator[str]:
    """The pieces joined to chunks that are worth a system call each."""
    chunk: list[str] = []
    length = 0
    for piece in pieces:
        chunk.append(piece)
        length += len(piece)
        if length >= size:
            yield "".join(chunk)
            chunk, length = [], 0
    yield "".join(chunk)
