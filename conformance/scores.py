"""The scores: a row per corpus and authority, kept as JSON beside the page that shows them. Knows no repository."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of one authority on one corpus. `classes` are differences by register class."""

    corpus: str
    commit: str
    language: str
    authority: str
    version: str
    weft: str
    date: str
    files: int
    unread: int
    edges: int
    raw_precision: float
    raw_recall: float
    precision: float
    recall: float
    unexplained: tuple[str, ...]
    findings: tuple[str, ...]
    classes: Mapping[str, int] = field(default_factory=dict)


def load(page: Path) -> list[Row]:
    """The rows kept for a page; none where there is none yet."""
    kept = page.with_suffix(".json")
    if not kept.exists():
        return []
    return [_row(each) for each in json.loads(kept.read_text(encoding="utf-8"))]


def merge(kept: Iterable[Row], new: Iterable[Row]) -> list[Row]:
    """All rows, new ones in the place of old ones of the same corpus and authority; sorted."""
    rows = {(row.language, row.corpus, row.authority): row for row in [*kept, *new]}
    return [rows[key] for key in sorted(rows)]


def save(page: Path, rows: Iterable[Row]) -> None:
    """Write the page and the rows beside it."""
    rows = list(rows)
    page.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(row) for row in rows], indent=1, sort_keys=True)
    page.with_suffix(".json").write_text(f"{text}\n", encoding="utf-8")
    page.write_text(render(rows), encoding="utf-8")


def explained(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Differences by class, then by corpus."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        for name, count in row.classes.items():
            found[name][row.corpus] = found[name].get(row.corpus, 0) + count
    return dict(found)


def render(rows: Iterable[Row]) -> str:
    """The page."""
    by_language: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_language[row.language].append(row)
    sections = [_section(language, by_language[language]) for language in sorted(by_language)]
    return "\n".join([_HEAD, *sections])


_HEAD = """\
<!-- Made by `python -m conformance --scores docs/scores.md REPOSITORY...`: do not edit. -->
# Scores: Weft against each language's own authority

Edges are pairs (importer, imported) of which both sides can speak; precision and recall are exact counts, first as
they are (raw), then with the differences that the [register](conformance.md) adjudicates; `conformance/base.py` has
the definition. Unread are files that the authority could not answer for. Open are unexplained differences, listed
below the table. Wrong are edges to nothing, and packages from outside that were taken for files of the repository:
checked on every edge, without the authority.
"""


def _section(language: str, rows: list[Row]) -> str:
    lines = [
        f"## {language.capitalize()}\n",
        "| corpus | commit | authority | files (unread) | edges | raw | precision | recall | open | wrong | by class |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        *map(_line, rows),
        "",
        *_notes(rows),
    ]
    versions = sorted({f"{row.authority} {row.version}" for row in rows})
    dates = sorted({row.date for row in rows})
    wefts = sorted({row.weft for row in rows})
    lines.append(
        f"{', '.join(versions)}; Weft {', '.join(wefts)}; {' to '.join(dict.fromkeys((dates[0], dates[-1])))}.\n"
    )
    return "\n".join(lines)


def _line(row: Row) -> str:
    unread = f" ({row.unread:,})" if row.unread else ""
    classes = ", ".join(f"{name} {count}" for name, count in sorted(row.classes.items()))
    raw = f"{show(row.raw_precision)} / {show(row.raw_recall)}"
    return (
        f"| {row.corpus} | {row.commit[:10]} | {row.authority} | {row.files:,}{unread} | {row.edges:,} | {raw} "
        f"| {show(row.precision)} | {show(row.recall)} | {len(row.unexplained)} | {len(row.findings)} | {classes} |"
    )


def _notes(rows: list[Row]) -> list[str]:
    """What is unexplained or wrong, one by one."""
    found = [f"- {row.corpus}, {row.authority}: {each}" for row in rows for each in (*row.unexplained, *row.findings)]
    return [*found, ""] if found else []


def show(ratio: float) -> str:
    """A ratio that says 1 only where it is 1."""
    return "1" if ratio == 1 else f"{min(ratio, 0.9999):.4f}"


def _row(kept: dict[str, Any]) -> Row:
    return Row(**kept | {"unexplained": tuple(kept["unexplained"]), "findings": tuple(kept["findings"])})
