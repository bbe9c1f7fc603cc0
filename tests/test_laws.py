"""Laws of the pure parts: extraction is total, order and batching mean nothing."""

import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from case_files import CASES, Step, all_cases, read_case
from test_cases_direct import extracted
from weft_storage.model.files import Content
from weft_storage.model.languages import Language, language_of
from weft_storage.model.settings import Settings
from weft_storage.model.work import Job
from weft_tasks.extract import extract
from weft_tasks.extract.encoding import decode_declarations, decode_imports, encode_facts
from weft_tasks.jobs import batches
from weft_tasks.resolve.imports import ResolvedFile, resolve_file
from weft_tasks.resolve.index import RecordingIndex


def sources(language: Language) -> list[bytes]:
    """The sources of a language in all case files: something for hypothesis to break."""
    steps = [step for path in all_cases() for step in read_case(path).steps]
    found = {text.encode() for step in steps for name, text in step.files.items() if language_of(name) is language}
    return sorted(found) or [b"import './a'\n"]


SOURCES = {language: sources(language) for language in Language}


@pytest.mark.parametrize("language", Language)
@given(data=st.data())
def test_any_bytes_have_facts_that_can_be_stored(language: Language, data: st.DataObject) -> None:
    source = data.draw(st.one_of(st.binary(max_size=200), st.sampled_from(SOURCES[language])))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(source)))
        source = source[:at] + data.draw(st.binary(max_size=4)) + source[at + data.draw(st.integers(0, 9)) :]
    facts = extract(language, source)
    stored = encode_facts(b"", facts)
    assert decode_imports(stored.imports) == facts.imports
    assert decode_declarations(stored.declarations) == facts.declarations
    lines = source.count(b"\n") + source.count(b"\r") + 1
    assert all(1 <= each.line <= lines for each in facts.imports)
    assert all(1 <= each.line <= each.end_line <= lines + 1 for each in facts.declarations)
    assert extract(language, source) == facts


@pytest.mark.parametrize("path", all_cases(), ids=lambda path: str(path.relative_to(CASES)))
def test_the_order_of_resolution_means_nothing(path: Path) -> None:
    """Edges and reads alike: whatever one importer left in the shared index, the next must not notice."""
    case = read_case(path)
    settings = msgspec.convert(case.settings, Settings)
    step = case.steps[-1]
    alone = [resolve(step, settings, [name])[0] for name in sorted(step.files) if language_of(name)]
    for seed in range(3):
        order = [each.importer for each in alone]
        random.Random(seed).shuffle(order)
        assert sorted(resolve(step, settings, order), key=lambda each: each.importer) == alone


def resolve(step: Step, settings: Settings, order: list[str]) -> list[ResolvedFile]:
    """The files of a step resolved one after the other with one index."""
    facts, repository = extracted(step)
    index = RecordingIndex(repository, settings)
    return [resolve_file(name, facts[name].language, facts[name].imports, index) for name in order]


@given(sizes=st.lists(st.integers(0, 5 << 20), max_size=300), slots=st.integers(1, 16))
def test_batches_hold_every_job_once_and_stay_small(sizes: list[int], slots: int) -> None:
    jobs = [
        Job(number.to_bytes(16, "big"), f"{number}.py", Language.PYTHON, Content(b"", size))
        for number, size in enumerate(sizes)
    ]
    made = batches(jobs, slots)
    assert sorted(job.key for batch in made for job in batch) == [job.key for job in jobs]
    assert all(len(batch) == 1 or sum(job.content.size for job in batch) <= 2 << 20 for batch in made)
    assert all(0 < len(batch) <= 200 for batch in made)
