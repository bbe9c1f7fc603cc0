"""Mermaid flowcharts (https://mermaid.js.org/syntax/flowchart.html), within the limits of its renderers."""

import re
from collections.abc import Collection, Iterator

from weft.report.escape import printable
from weft.report.export.base import Graph, Link, links

# Defaults of `maxEdges` and `maxTextSize`: GitHub and GitLab draw nothing above them, and a file cannot raise them.
MAX_EDGES = 500
MAX_CHARACTERS = 50_000

# Labels are read as Markdown (`__init__` would be bold), as HTML, and for directives (`%%{init: …}%%`).
_SPECIAL = re.compile(r"[^\w./-]|_")


def mermaid(graph: Graph) -> Iterator[str]:
    """One node a file that has edges, dotted arrows where they are weak.

    Above the limits files are gathered into folders, no more levels deep than fit, and a comment says so.
    """
    found = list(links(graph.edges))
    deepest = max((path.count("/") + 1 for path in _ends(found)), default=0)
    drawing = _draw(found, deepest, deepest)
    if drawing is None:
        drawing = _draw(found, _depth_that_fits(found, deepest), deepest)
    assert drawing is not None, "everything in one node fits"
    yield drawing


def _depth_that_fits(found: Collection[Link], deepest: int) -> int:
    """The greatest depth that fits, found by halving: a lesser one never has more nodes or more edges."""
    fits, too_deep = 0, deepest
    while too_deep - fits > 1:
        depth = (fits + too_deep) // 2
        if _draw(found, depth, deepest) is None:
            too_deep = depth
        else:
            fits = depth
    return fits


def _draw(found: Collection[Link], depth: int, deepest: int) -> str | None:
    """The flowchart with paths cut at a depth, or None where it is too large."""
    gathered = found if depth == deepest else _gather(found, depth)
    if len(gathered) > MAX_EDGES:
        return None
    numbers = {end: number for number, end in enumerate(_ends(gathered))}
    lines = ["flowchart LR"]
    if depth < deepest:
        lines.append(f"  %% too large to draw whole: folders, {depth} levels deep, stand for the files in them")
    lines += [f'  n{number}["{_label(end)}"]' for end, number in numbers.items()]
    lines += [f"  n{numbers[e.importer]} {'-.->' if e.weak else '-->'} n{numbers[e.imported]}" for e in gathered]
    text = "\n".join(lines) + "\n"
    return text if len(text) <= MAX_CHARACTERS else None


def _gather(found: Collection[Link], depth: int) -> list[Link]:
    """The links between the folders at a depth (and the files above it), sorted; none of a folder to itself."""
    folders = {end: _folder(end, depth) for end in _ends(found)}
    weak: dict[tuple[str, str], bool] = {}
    for link in found:
        pair = folders[link.importer], folders[link.imported]
        weak[pair] = link.weak and weak.get(pair, True)
    return [Link(*pair, weak[pair]) for pair in sorted(weak) if pair[0] != pair[1]]


def _folder(path: str, depth: int) -> str:
    """A path cut at a depth. A file and a folder never share a name, and a Go package is its folder already."""
    return "/".join(path.split("/", depth)[:depth]) or "."


def _ends(found: Collection[Link]) -> list[str]:
    return sorted({end for link in found for end in (link.importer, link.imported)})


def _label(path: str) -> str:
    """A quoted string's content, all but harmless characters as entities."""
    return _SPECIAL.sub(lambda match: f"#{ord(match[0])};", printable(path))
