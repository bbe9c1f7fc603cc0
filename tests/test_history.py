"""What differs between runs, and components over runs, on real folders and through the command line."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from repositories import PROJECT, Repository
from weft.pipeline.unchanged import accept_components
from weft.queries import GraphView, cycles
from weft.queries.history import diff
from weft_storage.backends import open_store
from weft_storage.model.files import ChangeKind
from weft_storage.model.history import ComponentChangeKind, Package
from weft_storage.model.languages import Family
from weft_storage.model.runs import RunState

CYCLE = {"a.py": "import b\n", "b.py": "import a\n", "c.py": "import a\n", "d.py": "", "e.py": ""}


@pytest.fixture(params=["sqlite", "postgres"])
def repository(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Repository]:
    url = f"sqlite:///{tmp_path}/graph.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    root = tmp_path / "repository"
    root.mkdir()
    with open_store(url) as store:
        yield Repository(root, store)


def view(repository: Repository, at: int | None = None) -> GraphView:
    return GraphView(repository.store, PROJECT, at=at)


def changes(repository: Repository, old: int, new: int) -> list[tuple[int, str, str]]:
    found = diff(view(repository, old), view(repository, new))
    return [(each.id, each.kind.value, " ".join(each.members)) for each in found.components]


def new_cycles(repository: Repository) -> list[tuple[str, ...]]:
    return [each.members for each in cycles(view(repository)) if each.is_new]


def test_a_diff_names_files_edges_packages_and_what_leads_nowhere(repository: Repository) -> None:
    repository.write({**CYCLE, "d.py": "import attrs\nfrom a import gone_module\n", "pkg/__init__.py": ""})
    first = repository.scan().id
    repository.write({"d.py": "import requests\nimport pkg.gone\nimport c\n", "f.py": ""})
    repository.delete("e.py")
    found = diff(view(repository, first), view(repository, repository.scan().id))
    assert found.files == {"d.py": ChangeKind.MODIFIED, "e.py": ChangeKind.DELETED, "f.py": ChangeKind.ADDED}
    assert {(e.importer, e.imported) for e in found.added_edges} == {("d.py", "c.py")}
    assert {(e.importer, e.imported) for e in found.removed_edges} == {("d.py", "a.py")}
    assert found.added_packages == (Package(Family.PYTHON, "requests"),)
    assert found.removed_packages == (Package(Family.PYTHON, "attrs"),)
    assert [each.specifier for each in found.added_unresolved] == ["pkg.gone"]
    assert not found.components


def test_a_component_grows_by_an_import_that_is_named_and_shrinks_again(repository: Repository) -> None:
    repository.write(CYCLE)
    first = repository.scan().id
    repository.write({"a.py": "import b\n\nimport c\n"})
    second = repository.scan().id
    (grew,) = diff(view(repository, first), view(repository, second)).components
    assert (grew.kind, grew.joined, grew.left) == (ComponentChangeKind.GREW, ("c.py",), ())
    assert [(edge.importer, edge.line, edge.imported) for edge in grew.made_by] == [("a.py", 3, "c.py")]
    repository.write({"c.py": ""})
    third = repository.scan().id
    (shrank,) = diff(view(repository, second), view(repository, third)).components
    assert (shrank.id, shrank.kind, shrank.left) == (grew.id, ComponentChangeKind.SHRANK, ("c.py",))
    assert [(edge.importer, edge.imported) for edge in shrank.ended_by] == [("c.py", "a.py")]


def test_components_appear_merge_split_and_vanish(repository: Repository) -> None:
    repository.write(CYCLE)
    runs = [repository.scan().id]
    for edit in (
        {"d.py": "import e\n", "e.py": "import d\n"},
        {"a.py": "import b\nimport d\n", "d.py": "import e\nimport a\n"},
        {"a.py": "import b\n"},
        {"b.py": ""},
    ):
        repository.write(edit)
        runs.append(repository.scan().id)
    assert changes(repository, runs[0], runs[1]) == [(2, "appeared", "d.py e.py")]
    merged = changes(repository, runs[1], runs[2])
    assert merged == [(1, "merged", "a.py b.py d.py e.py"), (2, "vanished", "d.py e.py")]
    split = changes(repository, runs[2], runs[3])
    assert split == [(1, "split", "a.py b.py"), (3, "appeared", "d.py e.py")]
    assert changes(repository, runs[3], runs[4]) == [(1, "vanished", "a.py b.py")]
    assert changes(repository, runs[0], runs[0]) == []


def test_a_new_cycle_stays_new_until_it_is_gone_or_accepted(repository: Repository) -> None:
    repository.write(CYCLE)
    repository.scan()
    assert new_cycles(repository) == []
    repository.write({"d.py": "import e\n", "e.py": "import d\n"})
    for _ in range(2):
        repository.scan()
        assert new_cycles(repository) == [("d.py", "e.py")]
    before = repository.store.runs(PROJECT)[0]
    accepted = accept_components(repository.store, PROJECT, lock_timeout=5)
    assert new_cycles(repository) == []
    assert (accepted.state, accepted.token, accepted.edges) == (RunState.PUBLISHED, before.token, before.edges)
    assert repository.scan().counts["analyzed"] == 0
    assert new_cycles(repository) == []


def test_what_shrank_may_not_grow_again(repository: Repository) -> None:
    repository.write({**CYCLE, "a.py": "import b\nimport c\n"})
    repository.scan()
    for text, expected in (("import b\n", 0), ("import b\nimport c\n", 1)):
        repository.write({"a.py": text})
        repository.scan()
        assert len(new_cycles(repository)) == expected


def test_an_incomplete_run_forgets_no_accepted_cycle(repository: Repository) -> None:
    repository.write({"weft.toml": "file_timeout = 1\n", **CYCLE})
    repository.scan()
    repository.write({"b.py": "import a\n" + "x = (\n" * 5 + "(" * 3_900_000})
    run = repository.scan()
    repository.write({"b.py": "import a  # again\n"})
    repository.scan()
    assert run.state is RunState.INCOMPLETE
    assert new_cycles(repository) == []


def test_a_cut_weighs_names_and_types_are_apart(repository: Repository) -> None:
    repository.write(
        {
            "a.ts": 'import { one, two, three } from "./b";\nimport type { T } from "./c";\n',
            "b.ts": 'import { x } from "./a";\n',
            "c.ts": 'import type { U } from "./a";\n',
        }
    )
    repository.scan()
    (found,) = cycles(view(repository))
    assert found.at_run_time
    # Of the two between a and c one is as heavy as the other.
    assert [(edge.importer, edge.imported) for edge in found.cut] == [("b.ts", "a.ts"), ("c.ts", "a.ts")]
    assert found.names == 2
    (running,) = cycles(view(repository), runtime=True)
    assert (running.id, running.members) == (found.id, ("a.ts", "b.ts"))
    repository.write({"b.ts": ""})
    repository.scan()
    (left,) = cycles(view(repository))
    assert not left.at_run_time


def weft(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "weft", *arguments], cwd=folder, capture_output=True, text=True)


def document(folder: Path, *arguments: str) -> Any:
    done = weft(folder, *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_commands(tmp_path: Path) -> None:
    for name, text in CYCLE.items():
        (tmp_path / name).write_text(text)
    assert weft(tmp_path, "scan", "--fail-on", "new-cycles").returncode == 0
    assert "has no graph before it" in weft(tmp_path, "diff").stderr
    (tmp_path / "a.py").write_text("import b\nimport c\n")
    for _ in range(2):
        failed = weft(tmp_path, "scan", "--fail-on", "new-cycles")
        assert failed.returncode == 1
        assert "cycle 1 of 3 files, 2 accepted: a.py, b.py, c.py; see `weft cycles`" in failed.stdout
    (component,) = document(tmp_path, "cycles")["components"]
    assert (component["id"], component["since"], component["new"]) == (1, 1, True)
    difference = document(tmp_path, "diff", "1")
    assert (difference["old"], difference["new"]) == (1, 3)
    assert [each["kind"] for each in difference["components"]] == ["grew"]
    assert document(tmp_path, "diff")["components"] == []
    assert not document(tmp_path, "cycles", "--accept")["components"][0]["new"]
    assert weft(tmp_path, "scan", "--fail-on", "new-cycles").returncode == 0
    unknown = weft(tmp_path, "diff", "98", "99")
    assert (unknown.returncode, len(unknown.stderr.splitlines())) == (2, 1)
