"""The documents of what is an edge: each rule names case files that show it, each case file is named by a rule."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted((ROOT / "docs" / "semantics").glob("*.md"))
CASES = sorted((ROOT / "tests" / "cases").glob("*/*.md"))

_LINK = re.compile(r"\]\(([^)\s]+)\)")


def rules(document: Path) -> list[str]:
    """The list items of a document, each in one line, up to "Not yet"."""
    text = document.read_text().split("## Not yet")[0]
    items = re.split(r"(?m)^- ", text)[1:]
    return [" ".join(re.split(r"\n(?=\n|\S)", item)[0].split()) for item in items]


def linked_cases(document: Path, text: str) -> list[Path]:
    targets = [(document.parent / link).resolve() for link in _LINK.findall(text) if "/cases/" in link]
    return [target for target in targets if target.suffix == ".md"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_each_rule_names_a_case_file_that_exists(document: Path) -> None:
    assert rules(document)
    for rule in rules(document):
        cases = linked_cases(document, rule)
        assert cases, f"no case file shows: {rule}"
        assert not [case for case in cases if not case.is_file()], rule


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)
def test_each_case_file_of_a_language_is_named_by_a_rule(document: Path) -> None:
    named = {case for rule in rules(document) for case in linked_cases(document, rule)}
    of_the_language = {case for case in CASES if case.parent.name == document.stem}
    assert not of_the_language - named
