"""Every case file, with extraction and resolution called directly on its files."""

from pathlib import Path

import msgspec
import pytest

from case_files import CASES, Step, all_cases, read_case
from weft_storage.model.edges import Status
from weft_storage.model.facts import FileFacts
from weft_storage.model.languages import language_of
from weft_storage.model.settings import Settings
from weft_tasks.extract import extract
from weft_tasks.resolve.imports import ResolvedFile, resolve_file
from weft_tasks.resolve.index import RecordingIndex, Repository


@pytest.mark.parametrize("path", all_cases(), ids=lambda path: str(path.relative_to(CASES)))
def test_case(path: Path) -> None:
    case = read_case(path)
    settings = msgspec.convert(case.settings, Settings)
    for number, step in enumerate(case.steps):
        resolved, problems = analyze(step, settings)
        check(step, resolved, problems, where=f"{path.name} step {number}")


def extracted(step: Step) -> tuple[dict[str, FileFacts], Repository]:
    """The facts of a step's source files, and its repository."""
    contents = {name: text.encode() for name, text in step.files.items()}
    facts: dict[str, FileFacts] = {}
    for name, source in contents.items():
        if language := language_of(name):
            facts[name] = extract(language, source)
    repository = Repository(
        contents,
        links=step.links,
        read=contents.get,
        interface=lambda name: facts[name].interface if name in facts else b"",
    )
    return facts, repository


def analyze(step: Step, settings: Settings) -> tuple[list[ResolvedFile], list[str]]:
    """The resolved files of a step's repository, and its problems as `path: sentence`."""
    facts, repository = extracted(step)
    index = RecordingIndex(repository, settings)
    extra = {edge.importer: [edge.imported] for edge in settings.extra_edges}
    resolved = [
        resolve_file(name, each.language, each.imports, index, extra.get(name, ()))
        for name, each in sorted(facts.items())
    ]
    problems = [f"{name}: {problem}" for name, each in facts.items() for problem in each.problems]
    for project in index.projects.values():
        problems += [f"{name}: {problem}" for name, problem in project.problems]
    return resolved, problems


def check(step: Step, resolved: list[ResolvedFile], problems: list[str], where: str) -> None:
    """Compare what was found with what the step expects."""
    assert step.edges is not None
    found = {(e.importer, e.imported, e.kind.value): e for each in resolved for e in each.edges}
    expected = {(e.importer, e.imported, e.kind): e for e in step.edges}
    assert sorted(found) == sorted(expected), where
    for key, edge in expected.items():
        if edge.names is not None:
            assert found[key].names == edge.names, (where, key)
        if edge.line is not None:
            assert found[key].line == edge.line, (where, key)
    outside = [each for file in resolved for each in file.outside]
    unresolved = sorted(f"{o.importer}: {o.specifier}" for o in outside if o.status is Status.UNRESOLVED)
    assert unresolved == sorted(step.unresolved), where
    for each in outside:
        if each.status is Status.UNRESOLVED:
            assert each.probed, (where, each, "an unresolved import names the paths that were looked for")
    if step.external is not None:
        plain = [f"{o.importer}: {o.specifier}" for o in outside if o.status is Status.EXTERNAL]
        named = [f"{o.importer}: {o.specifier} = {o.package}" for o in outside if o.status is Status.EXTERNAL]
        assert set(step.external) <= {*plain, *named}, where
        assert len(set(step.external)) == len(set(plain)), where
    ambiguous = sorted(f"{e.importer} -> {e.imported}" for e in found.values() if e.ambiguous)
    assert ambiguous == sorted(step.ambiguous), where
    for problem in step.problems or ():
        path, _, part = problem.partition(": ")
        assert any(each.startswith(path) and part in each for each in problems), (where, problem, problems)
