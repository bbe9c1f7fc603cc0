"""The whole run, embedded: what it publishes, how much it does for it, and what a failure leaves."""

import os
from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest

from repositories import PROJECT, Repository
from weft.pipeline.local import LocalPool
from weft_storage.backends import open_store
from weft_storage.model.files import FileStatus
from weft_storage.model.runs import RunState
from weft_storage.model.work import Job
from weft_tasks.contents.readers import ContentError, TreeContents
from weft_tasks.jobs import Extracted

SMALL = {"a.py": "import b\n", "b.py": "import c\n", "c.py": "X = 1\n", "d.py": "import missing_thing\n"}


def test_a_second_scan_does_nothing(repository: Repository) -> None:
    repository.write(SMALL)
    first = repository.scan()
    second = repository.scan()
    assert first.counts["analyzed"] == 4
    assert (second.counts["analyzed"], second.counts["cached"], second.counts["unchanged"]) == (0, 0, 4)
    assert second.affected == 0
    assert second.cache_hit_rate == 1.0
    assert second.edges == first.edges == 2
    assert repository.differences() == []


def test_an_edit_extracts_one_file_and_affects_its_dependents(repository: Repository) -> None:
    repository.write(SMALL)
    repository.scan()
    repository.write({"b.py": "import c\nY = 2\n"})
    run = repository.scan()
    assert (run.counts["analyzed"], run.counts["unchanged"], run.counts["modified"]) == (1, 3, 1)
    assert run.affected == 2
    assert repository.differences() == []


def test_creating_a_missing_file_re_resolves_its_importers(repository: Repository) -> None:
    repository.write({"pkg/__init__.py": "", "pkg/a.py": "from . import later\n", "pkg/b.py": "import os\n"})
    repository.scan()
    assert ("pkg/a.py", "pkg/later.py") not in repository.pairs()
    repository.write({"pkg/later.py": ""})
    run = repository.scan()
    assert ("pkg/a.py", "pkg/later.py") in repository.pairs()
    assert run.counts["analyzed"] <= 1
    assert repository.differences() == []


def test_deleting_a_file_affects_those_who_imported_it(repository: Repository) -> None:
    repository.write(SMALL)
    repository.scan()
    repository.delete("c.py")
    run = repository.scan()
    assert run.counts["deleted"] == 1
    assert run.affected == 3
    assert ("b.py", "c.py") not in repository.pairs()
    assert repository.differences() == []


def test_facts_are_shared_by_projects_and_survive_a_revert(git_repository: Repository) -> None:
    git_repository.write(SMALL)
    first = git_repository.commit()
    git_repository.scan()
    git_repository.write({"a.py": "import c\nimport d\n"})
    git_repository.commit()
    assert git_repository.scan().counts["analyzed"] == 1
    git_repository.git("checkout", "--quiet", first)
    run = git_repository.scan()
    assert (run.counts["analyzed"], run.counts["cached"]) == (0, 1)
    assert git_repository.differences() == []


def test_a_revision_is_read_without_a_checkout(git_repository: Repository) -> None:
    git_repository.write(SMALL)
    first = git_repository.commit()
    git_repository.write({"a.py": "import c\n"})
    git_repository.commit()
    run = git_repository.scan(rev=first)
    assert run.revision == first
    assert ("a.py", "b.py") in git_repository.pairs()
    assert git_repository.differences(rev=first) == []


def test_every_file_is_accounted_for(repository: Repository) -> None:
    repository.write(
        {**SMALL, "binary.py": b"\0\1\2", "big.py": "#" * 100, "notes.txt": "x", "weft.toml": "max_file_size = 60\n"}
    )
    run = repository.scan()
    counts = run.counts
    assert counts["files"] == 6
    assert counts["files"] == sum(counts[name] for name in ("analyzed", "unchanged", "cached", "skipped", "failed"))
    reasons = {record.path: record.reason for record in repository.store.files(PROJECT) if record.reason}
    assert reasons == {"binary.py": "binary", "big.py": "larger than 60 bytes (max_file_size)"}
    assert run.state is RunState.PUBLISHED


def test_a_file_that_takes_too_long_is_quarantined_and_named(repository: Repository) -> None:
    repository.write({**SMALL, "slow.py": "x = [\n" + "    [1, 2, (3, 4)],\n" * 100_000 + "]\n"})
    repository.write({"weft.toml": "file_timeout = 0.05\n"})
    run = repository.scan()
    assert run.state is RunState.INCOMPLETE
    assert run.counts["failed"] == 1
    assert [each.path for each in run.problems] == ["slow.py"]
    failed = repository.store.files(PROJECT, ["slow.py"])
    assert failed[0].status is FileStatus.FAILED
    assert repository.pairs() == {("a.py", "b.py"), ("b.py", "c.py")}
    again = repository.scan()
    assert again.seconds["extract"] < 0.05, "a file in quarantine is not tried again"
    assert again.state is RunState.INCOMPLETE
    repository.write({"slow.py": "import a\n"})
    assert repository.scan().state is RunState.PUBLISHED
    assert repository.differences() == []


def test_a_file_that_failed_under_tight_limits_is_tried_under_others(repository: Repository) -> None:
    repository.write({**SMALL, "weft.toml": "file_memory = 20\n"})
    assert repository.scan().counts["failed"] == 4, "no extractor can start in so little memory"
    repository.delete("weft.toml")
    assert repository.scan().state is RunState.PUBLISHED
    repository.write(
        {"slow.py": "x = [\n" + "    [1, 2, (3, 4)],\n" * 100_000 + "]\n", "weft.toml": "file_timeout = 0.05\n"}
    )
    assert [each.path for each in repository.scan().problems] == ["slow.py"]
    repository.delete("weft.toml")
    assert repository.scan().state is RunState.PUBLISHED
    assert repository.differences() == []


@pytest.mark.parametrize(
    ("files", "link", "later"),
    [
        ({"a.ts": 'import "./link/x";\n', "real/y.ts": ""}, "link", {"real/x.ts": "export const x = 1;\n"}),
        ({"a.py": "import link.x\nfrom link.x import *\n", "real/__init__.py": ""}, "link", {"real/x.py": "x = 1\n"}),
        (
            {"go.mod": "module e.x/m\n", "main.go": 'package main\nimport "e.x/m/link"\n', "real/y.txt": ""},
            "link",
            {"real/x.go": "package x\n"},
        ),
        (
            {
                "Cargo.toml": '[package]\nname = "a"\n',
                "src/lib.rs": '#[path = "link/x.rs"]\nmod x;\n',
                "src/real/y.rs": "",
            },
            "src/link",
            {"src/real/x.rs": "pub struct X;\n"},
        ),
    ],
    ids=["typescript", "python", "go", "rust"],
)
def test_what_comes_and_goes_behind_a_link_is_noticed(
    repository: Repository, files: dict[str, str], link: str, later: dict[str, str]
) -> None:
    repository.write(files)
    (repository.root / link).symlink_to("real")
    repository.scan()
    before = repository.pairs()
    repository.write(later)
    repository.scan()
    assert len(repository.pairs()) > len(before)
    assert repository.differences() == []
    repository.delete(*later)
    repository.scan()
    assert repository.pairs() == before
    assert repository.differences() == []


def test_the_inputs_of_a_language_go_with_its_last_file(repository: Repository) -> None:
    repository.write({"a.ts": 'import "lodash";\n', "package.json": "{", "b.py": "import os\n", "pyproject.toml": "["})
    assert {each.path for each in repository.scan().problems} == {"package.json", "pyproject.toml"}
    repository.write({"b.py": ""})
    run = repository.scan()
    assert {each.path for each in run.problems} == {"package.json", "pyproject.toml"}, "a file without imports is one"
    assert repository.differences() == []
    repository.delete("a.ts")
    assert {each.path for each in repository.scan().problems} == {"pyproject.toml"}
    assert repository.differences() == []
    repository.write({"a.ts": 'import "./b";\n', "b.ts": "", "package.json": "{}"})
    repository.scan()
    assert ("a.ts", "b.ts") in repository.pairs()
    assert repository.differences() == []


def test_what_a_project_looked_into_is_not_forgotten_by_a_run_that_asks_less(repository: Repository) -> None:
    """Editing `c.rs` asks the project little; the interfaces that other answers came from still count."""
    cargo = '[package]\nname = "a"\nedition = "2021"\n'
    repository.write({"Cargo.toml": cargo, "src/lib.rs": "mod b;\nmod c;\nmod d;\nuse b::T;\n", "src/c.rs": ""})
    repository.write({"src/b.rs": "pub use crate::d::T;\n", "src/d.rs": "pub struct T;\n"})
    repository.scan()
    repository.write({"src/c.rs": "use std::fmt;\n"})
    repository.scan()
    repository.write({"src/b.rs": "pub struct T;\n"})
    repository.scan()
    assert repository.differences() == []


@pytest.mark.parametrize("kind", ["link", "fifo", "folder", "binary", "huge"])
def test_a_manifest_or_source_may_become_anything_and_heal(repository: Repository, kind: str) -> None:
    files = {
        "a.ts": 'import "@/b";\n',
        "src/b.ts": "",
        "tsconfig.json": '{"compilerOptions": {"paths": {"@/*": ["src/*"]}}}',
        "pkg/__init__.py": "from .b import *\n",
        "pkg/b.py": "__all__ = ['x']\n",
        "c.py": "from pkg import x\nimport pkg.b\n",
    }
    repository.write(files)
    repository.scan()
    edges = repository.edges()
    for name in ("tsconfig.json", "pkg/b.py", "pkg/__init__.py", "src/b.ts"):
        path = repository.root / name
        path.unlink()
        match kind:
            case "link":
                path.symlink_to("/etc/passwd")
            case "fifo":
                os.mkfifo(path)
            case "folder":
                repository.write({f"{name}/x": ""})
            case "binary":
                path.write_bytes(b"\0")
            case "huge":
                path.write_bytes(b" " * (17 << 20))
        repository.scan()
        assert repository.differences() == []
        repository.delete(f"{name}/x" if kind == "folder" else name)
        repository.write({name: files[name]})
        repository.scan()
        assert repository.differences() == []
    assert repository.edges() == edges


@pytest.mark.parametrize("name", ["tsconfig.json", "data.json", "src/b.ts"])
def test_a_file_that_cannot_be_read_any_more_is_said_to_be_so(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A source file has then failed; without a manifest the graph is another, which is complete but has a problem."""
    repository.write({"a.ts": 'import "@/b";\nimport "./data.json";\n', "src/b.ts": "", "data.json": "{}"})
    repository.write({"tsconfig.json": '{"compilerOptions": {"paths": {"@/*": ["src/*"]}}}'})
    repository.scan()
    for method in ("read", "identify"):
        monkeypatch.setattr(TreeContents, method, _refusing(name, getattr(TreeContents, method)))
    os.utime(repository.root / name, (1, 1))
    run = repository.scan()
    assert run.state is (RunState.INCOMPLETE if name == "src/b.ts" else RunState.PUBLISHED)
    assert [(each.path, each.message) for each in run.problems] == [(name, "permission denied")]
    assert repository.differences() == []
    repository.write({"new.ts": ""})
    assert repository.scan().problems == run.problems
    monkeypatch.undo()
    assert repository.scan(full=True).problems == ()
    assert repository.differences() == []


def _refusing(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    def read(contents: TreeContents, path: str, *arguments: Any) -> Any:
        if path == name:
            raise ContentError(path, "permission denied")
        return method(contents, path, *arguments)

    return read


def test_revisions_and_the_work_tree_may_take_turns(git_repository: Repository) -> None:
    repository = git_repository
    repository.git("config", "core.autocrlf", "true")
    repository.write(
        {".gitattributes": "*.py text\n", "a.py": "import b\r\nimport c\r\n", "b.py": "", "c.py": "X = 1\r\n"}
    )
    repository.write({"data.json": "{}", "t.ts": 'import "./data.json";\n'})
    first = repository.commit()
    repository.delete("c.py")
    (repository.root / "l.py").symlink_to("b.py")
    repository.write({"a.py": "import l\n"})
    second = repository.commit()
    repository.write({"a.py": "import later\n", "later.py": "", "data.json": "[]"})
    for rev in (first, None, second, None, first, second, first, None, None):
        repository.scan(rev=rev)
        assert repository.differences(rev=rev) == []


def test_a_file_that_changes_during_the_scan_is_looked_at_again(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced after it was identified and before it is extracted."""
    repository.write(SMALL)
    repository.scan()
    repository.write({"b.py": "import a\n"})
    extract = LocalPool.extract

    def edit_first(pool: LocalPool, jobs: Collection[Job]) -> Iterator[Extracted]:
        if any(job.path == "b.py" for job in jobs):
            monkeypatch.undo()
            repository.write({"b.py": "import d\n"})
        return extract(pool, jobs)

    monkeypatch.setattr(LocalPool, "extract", edit_first)
    run = repository.scan()
    assert (run.state, run.token) == (RunState.PUBLISHED, "")
    assert ("b.py", "d.py") in repository.pairs()
    assert repository.differences() == []


def test_full_uses_nothing_that_is_known(repository: Repository) -> None:
    repository.write(SMALL)
    repository.scan()
    run = repository.scan(full=True)
    assert run.counts["analyzed"] == 4
    assert repository.differences() == []


def test_a_change_of_settings_is_noticed(repository: Repository) -> None:
    repository.write(SMALL)
    repository.scan()
    repository.write({"weft.toml": 'exclude = ["b.py"]\n'})
    run = repository.scan()
    assert run.counts["deleted"] == 1
    assert repository.pairs() == set()
    assert repository.differences() == []


def test_the_graph_does_not_depend_on_the_number_of_processes(repository: Repository) -> None:
    repository.write({f"m{number}.py": f"import m{number // 2}\nimport m{number // 3}\n" for number in range(120)})
    repository.scan(jobs=1)
    with open_store("memory://") as other:
        repository.scan(other, jobs=3)
        assert list(other.edges(PROJECT)) == repository.edges()
        assert list(other.outside(PROJECT)) == list(repository.store.outside(PROJECT))


def test_an_asset_is_a_node_and_its_change_affects_importers(repository: Repository) -> None:
    repository.write({"a.ts": 'import data from "./data.json";\n', "data.json": "{}", "other.json": "{}"})
    repository.scan()
    assert repository.pairs() == {("a.ts", "data.json")}
    repository.write({"data.json": "[]", "other.json": "[]"})
    run = repository.scan()
    assert (run.counts["modified"], run.counts["inputs_changed"]) == (0, 1)
    assert run.affected == 2
    assert repository.differences() == []


def test_odd_names_come_through(repository: Repository) -> None:
    odd = os.fsdecode(b"caf\xe9 \n'\".py")
    (repository.root / odd).write_text("import target\n")
    repository.write({"target.py": ""})
    repository.scan()
    assert (odd, "target.py") in repository.pairs()
    assert repository.scan().counts["unchanged"] == 2
    assert repository.differences() == []


def test_a_failed_run_leaves_the_published_graph(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.write(SMALL)
    repository.scan()
    published = repository.edges()
    repository.write({"b.py": "import d\n"})
    monkeypatch.setattr(type(repository.store), "publish", _fail)
    with pytest.raises(RuntimeError, match="no room"):
        repository.scan()
    monkeypatch.undo()
    assert repository.edges() == published
    assert repository.store.runs(PROJECT)[0].state is RunState.FAILED
    run = repository.scan()
    assert run.counts["cached"] == 1, "what the failed run extracted is not lost"
    assert repository.differences() == []


def _fail(*_: object) -> None:
    raise RuntimeError("no room")
