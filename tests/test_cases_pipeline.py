"""Every case file through the whole pipeline: each step from an empty store, and all steps on a kept one."""

import json
import os
from pathlib import Path

import pytest

from case_files import CASES, Case, Step, all_cases, read_case
from repositories import PROJECT, Repository
from test_cases_direct import check
from weft_storage.backends import Store, open_store
from weft_storage.model.runs import Run
from weft_tasks.resolve.imports import ResolvedFile


@pytest.mark.parametrize("path", all_cases(), ids=lambda path: str(path.relative_to(CASES)))
def test_case(path: Path, repository: Repository) -> None:
    case = read_case(path)
    before = Step()
    for number, step in enumerate(case.steps):
        where = f"{path.name} step {number}"
        change(repository, before, step, case)
        with open_store("memory://") as fresh:
            run = repository.scan(fresh)
            check(step, resolved(fresh), problems(run), where=f"{where}, fresh store")
        run = repository.scan()
        check(step, resolved(repository.store), problems(run), where=f"{where}, kept store")
        assert repository.differences() == [], where
        before = step


def change(repository: Repository, before: Step, after: Step, case: Case) -> None:
    """Edit the folder from one step of a case to the next."""
    for name in before.links.keys() - after.links.keys():
        repository.delete(name)
    repository.delete(*(before.files.keys() - after.files.keys()))
    repository.write({name: text for name, text in after.files.items() if before.files.get(name) != text})
    for name, target in after.links.items():
        link = repository.root / name
        if before.links.get(name) != target:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            # Case files give the target from the root; on disk a link is relative to its own folder.
            os.symlink(os.path.relpath(repository.root / target, link.parent), link)
    if case.settings:
        repository.write({"weft.toml": "\n".join(f"{key} = {toml(value)}" for key, value in case.settings.items())})


def toml(value: object) -> str:
    """A setting as TOML; inline tables need `=` where JSON has `:`."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def resolved(store: Store) -> list[ResolvedFile]:
    """What the published graph holds, as resolution gives it."""
    edges = tuple(store.edges(PROJECT))
    return [ResolvedFile("", edges, tuple(store.outside(PROJECT)), frozenset())]


def problems(run: Run) -> list[str]:
    """Problems as `path: sentence`."""
    return [f"{each.path}: {each.message}" for each in run.problems]
