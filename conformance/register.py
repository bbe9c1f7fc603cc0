"""The adjudication register: classes of difference, from `register/*.toml`, and the page that shows them.

Knows no repository; a class is recognised by the predicate that it names, a function of the language's package.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from conformance.base import ConformanceError, Predicate, Side

_FOLDER = Path(__file__).resolve().parent / "register"


PINNED = "pinned"


class Right(StrEnum):
    """Who is right about a class."""

    WEFT = "weft"
    AUTHORITY = "authority"


@dataclass(frozen=True, slots=True)
class DifferenceClass:
    """One class of difference. `source` is where the rule is written, `case` the case file that pins it."""

    id: str
    language: str
    title: str
    authorities: tuple[str, ...]
    versions: str
    side: Side
    right: Right
    authority_says: str
    weft_says: str
    why: str
    source: str
    case: str
    predicate: str
    holds: Predicate


def classes_of(language: str, predicates: Mapping[str, Predicate]) -> list[DifferenceClass]:
    """The classes of a language, in the order in which they are tried. Raises `ConformanceError` on a bad register."""
    path = _FOLDER / f"{language}.toml"
    with path.open("rb") as file:
        written = tomllib.load(file).get("class", [])
    classes = [_class(path, language, each, predicates) for each in written]
    unused = set(predicates) - {each.predicate for each in classes}
    if unused:
        raise ConformanceError(str(path), f"no class uses the predicates {sorted(unused)}", "remove them")
    return classes


def pinned_of(language: str) -> list[DifferenceClass]:
    """Single differences on cases, each explained by the case that its `title` names: pairs that no class covers."""
    with (_FOLDER / f"{language}.toml").open("rb") as file:
        written = tomllib.load(file).get("pinned", [])
    return [_pinned(language, each) for each in written]


def _pinned(language: str, written: dict[str, str]) -> DifferenceClass:
    importer, _, imported = written["pair"].partition(" -> ")
    return DifferenceClass(
        id=PINNED,
        language=language,
        title=written["case"],
        authorities=(written["authority"],),
        versions="",
        side=Side(written["side"]),
        right=Right.WEFT,
        authority_says="",
        weft_says="",
        why=written["why"],
        source="",
        case=written["case"].partition("#")[0],
        predicate="",
        holds=lambda difference, _: (difference.importer, difference.imported) == (importer, imported),
    )


def _class(path: Path, language: str, written: dict[str, str], predicates: Mapping[str, Predicate]) -> DifferenceClass:
    try:
        return DifferenceClass(
            id=written["id"],
            language=language,
            title=written["title"],
            authorities=tuple(written["authorities"]),
            versions=written["versions"],
            side=Side(written["side"]),
            right=Right(written["right"]),
            authority_says=written["authority_says"],
            weft_says=written["weft_says"],
            why=written["why"],
            source=written["source"],
            case=written.get("case", ""),
            predicate=written["predicate"],
            holds=predicates[written["predicate"]],
        )
    except (KeyError, ValueError) as error:
        raise ConformanceError(
            f"{path}: {written.get('id', '')}", f"is no class: {error}", "see register.py"
        ) from error


def render(classes: Iterable[DifferenceClass], explained: Mapping[str, Mapping[str, int]]) -> str:
    """The register as a page; `explained` are the differences that each class explains, by corpus."""
    lines = [_HEAD]
    language = ""
    for each in classes:
        if each.language != language:
            language = each.language
            lines.append(f"## {language.capitalize()}\n")
        lines.append(_section(each, explained.get(each.id, {})))
    return "\n".join(lines)


_HEAD = """\
<!-- Made by `python -m conformance --register-only` from conformance/register/*.toml: edit those. -->
# Where Weft and an authority differ, and who is right

Every difference between Weft's edges and an authority's answer (see [scores.md](scores.md)) must be of a class below,
or it counts as unexplained. A class is recognised mechanically, by the named function in
`conformance/<language>/predicates.py`; those functions ask for the very circumstances, so that another mistake in the
same place is not covered. Where Weft was wrong it was changed, and the case file says how.
"""


def _section(each: DifferenceClass, explained: Mapping[str, int]) -> str:
    counts = ", ".join(f"{corpus} {count}" for corpus, count in sorted(explained.items())) or "none on the corpora kept"
    lines = [
        f"### {each.id}: {each.title}\n",
        f"- authority: {', '.join(each.authorities)} {each.versions}; pairs of {each.side}",
        f"- it says: {each.authority_says}",
        f"- Weft says: {each.weft_says}",
        f"- right is **{each.right}**: {each.why}",
        f"- rule: {each.source}",
    ]
    if each.case:
        lines.append(f"- case: [{each.case}](../tests/cases/{each.case})")
    return "\n".join([*lines, f"- recognised by `{each.predicate}`; explains: {counts}", ""])
