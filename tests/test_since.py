"""What changed since a commit: equal to a scan of it followed by a scan of now, without looking at what is the same."""

# ruff: noqa: E501 - a table of manifests reads best as one

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repositories import GIT_ENVIRONMENT, PROJECT, Repository
from weft.queries.affected import Change
from weft.since import Comparison, changed_since, read_since
from weft.verification import differences
from weft_storage.backends import Store, open_store
from weft_storage.backends.branch import Branch
from weft_storage.model.errors import RepositoryError, UsageError
from weft_storage.model.files import ChangeKind
from weft_storage.model.states import Affected, Components
from weft_tasks.contents.objects import Objects
from weft_tasks.contents.readers import TreeContents
from weft_tasks.finalize.states import load_state

FILES = {
    "a.py": "import b\n",
    "b.py": "import c\n",
    "c.py": "X = 1\n",
    "alone.py": "",
    "web/a.ts": 'import "./b";\nimport "leaf";\n',
    "web/b.ts": "export const x = 1;\n",
    "web/package.json": '{"dependencies": {"leaf": "1.0.0"}}',
}


def npm_lock(version: str) -> str:
    packages = {"": {}, "node_modules/leaf": {"version": version}}
    return json.dumps({"lockfileVersion": 3, "packages": packages})


@contextmanager
def since(repository: Repository, name: str, rev: str | None = None, store: Store | None = None) -> Iterator[Change]:
    root = str(repository.root)
    with changed_since(store or repository.store, root, PROJECT, read_since(root, name, rev), jobs=1) as change:
        yield change


def changes(change: Change) -> dict[str, ChangeKind | None]:
    return {file.path: file.change for file in change.affected.files}


# The same as two scans --------------------------------------------------------------------------------

_LINES = {
    ".py": ["import a", "import b", "from pkg import a", "from . import b", "import yaml", "import requests", "x = 1"],
    ".ts": [
        'import "./a";',
        'import "./b";',
        'import "leaf";',
        'import type { T } from "other";',
        "export const x = 1;",
    ],
    ".go": ['import _ "m.test/pkg"', 'import _ "x.test/leaf"', "var x = 1"],
}
_MANIFESTS = {
    "package-lock.json": [npm_lock("1.0.0"), npm_lock("1.1.0"), "{"],
    "package.json": ['{"dependencies": {"leaf": "1"}}', '{"dependencies": {"leaf": "2", "other": "1"}}'],
    "uv.lock": ['version = 1\n[[package]]\nname = "pyyaml"\nversion = "6"\n', 'version = 1\n[[package]]\nname = "pyyaml"\nversion = "7"\n'],
    "requirements.txt": ["requests==1\n", "requests==2\nleaf==1\n"],
    "go.mod": ["module m.test\ngo 1.22\nrequire x.test/leaf v1.0.0\n", "module m.test\ngo 1.22\nrequire x.test/leaf v1.0.1\n"],
    "pkg/go.mod": ["module m.test/pkg\n"],
    "tsconfig.json": ["{}", '{"compilerOptions": {"baseUrl": "."}}'],
    "weft.toml": ["", 'exclude = ["pkg/a.*"]\n'],
}  # fmt: skip
_names = st.builds(os.path.join, st.sampled_from(["", "pkg"]), st.builds("{}{}".format, st.sampled_from("ab"), st.sampled_from(sorted(_LINES))))  # fmt: skip


def _source(name: str) -> st.SearchStrategy[str]:
    suffix = os.path.splitext(name)[1]
    head = "package p\n" if suffix == ".go" else ""
    return st.lists(st.sampled_from(_LINES[suffix]), max_size=3).map(lambda lines: head + "\n".join(lines))


_sources = _names.flatmap(lambda name: st.tuples(st.just(name), st.none() | _source(name)))
_manifests = st.sampled_from(sorted(_MANIFESTS)).flatmap(
    lambda name: st.tuples(st.just(name), st.none() | st.sampled_from(_MANIFESTS[name]))
)
_edits = st.lists(st.one_of(_sources, _sources, _manifests), max_size=6)
_histories = st.lists(_edits, min_size=3, max_size=3)


def _edit(repository: Repository, edits: list[tuple[str, str | None]]) -> None:
    for name, content in edits:
        if content is not None:
            repository.write({name: content})
        elif (repository.root / name).exists():
            repository.delete(name)


def _carry_out(histories: list[list[tuple[str, str | None]]], open_one: Callable[[Path], Store]) -> None:
    """The kept store has a graph of some state; what is asked is from another to the work tree."""
    with tempfile.TemporaryDirectory(prefix="weft-since-") as folder, open_one(Path(folder)) as store:
        root = Path(folder) / "repository"
        root.mkdir()
        repository = Repository(root, store)
        repository.git("init", "--quiet")
        published, base, now = histories
        _edit(repository, published)
        repository.commit()
        repository.scan()
        before = store.published(PROJECT)
        _edit(repository, base)
        commit = repository.commit()
        _edit(repository, now)
        with open_store("memory://") as fresh:
            repository.scan(fresh, rev=commit)
            repository.scan(fresh)
            with since(repository, commit) as change:
                assert isinstance(change.new.store, Branch)
                assert change.affected == load_state(fresh, PROJECT, Affected)
                assert list(differences(change.new.store, fresh, PROJECT)) == []
                _equal(change.new.store, fresh)
            with open_store("memory://") as empty, since(repository, commit, store=empty) as change:
                assert change.affected == load_state(fresh, PROJECT, Affected)
                assert empty.projects() == []
        assert store.published(PROJECT) == before


def _equal(branch: Store, fresh: Store) -> None:
    """All that can be read of a branch is what can be read of a store."""
    assert branch.graph(PROJECT) == fresh.graph(PROJECT)
    assert load_state(branch, PROJECT, Components) == load_state(fresh, PROJECT, Components)
    paths = [record.path for record in fresh.files(PROJECT)]
    some = [*paths[::2], "no-such-file"]
    assert [each.path for each in branch.files(PROJECT, some)] == paths[::2]
    assert list(branch.edges(PROJECT, some)) == list(fresh.edges(PROJECT, some))
    assert list(branch.outside(PROJECT, some)) == list(fresh.outside(PROJECT, some))
    published = branch.published(PROJECT)
    assert published is not None
    assert [run.id for run in branch.runs(PROJECT, limit=3)] == [published.id, published.id - 1, published.id - 2]


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(_histories)
def test_since_equals_two_scans(histories: list[list[tuple[str, str | None]]]) -> None:
    _carry_out(histories, lambda folder: open_store(f"sqlite:///{folder}/graph.db"))


def test_since_equals_two_scans_in_postgres(postgres_url: str) -> None:
    @settings(max_examples=8, suppress_health_check=list(HealthCheck))
    @given(_histories)
    def law(histories: list[list[tuple[str, str | None]]]) -> None:
        # Every example goes on from the graph that the one before has left.
        _carry_out(histories, lambda _: open_store(postgres_url))

    law()


# The work ---------------------------------------------------------------------------------------------


def test_only_what_differs_is_read_and_extracted(git_repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = git_repository
    repository.write(FILES | {f"many/{number}.py": f"x = {number}\n" for number in range(300)})
    commits = [repository.commit()]
    repository.write({"c.py": "X = 2\n"})
    commits.append(repository.commit())
    repository.write({"b.py": "import c\nimport alone\n"})
    repository.scan()
    read: list[str] = []
    _note_reads(monkeypatch, read)
    with since(repository, commits[0]) as change:
        assert changes(change) == {"a.py": None, "b.py": ChangeKind.MODIFIED, "c.py": ChangeKind.MODIFIED}
        now, then = change.new.store.runs(PROJECT)[:2]
    assert (then.counts["analyzed"], then.counts["unchanged"]) == (2, len(FILES) - 1 + 300 - 2)
    assert (now.counts["analyzed"], now.counts["resolved"]) == (0, 1)
    sources = [each for each in read if each.endswith(".py")]
    assert sources == [], "what the work tree holds was read by the scan"
    # The two blobs that the work tree does not hold, and the manifest whenever a project is built.
    assert len({each for each in read if "." not in each}) <= 3
    with since(repository, "HEAD~1") as change:
        assert change.new.run.counts["analyzed"] == change.new.store.runs(PROJECT)[1].counts["analyzed"] == 0


def _note_reads(monkeypatch: pytest.MonkeyPatch, read: list[str]) -> None:
    """Write down the blobs and paths whose whole content is read."""
    blob, file = Objects.read, TreeContents.read

    def read_blob(self: Objects, oid: str, limit: int | None = None) -> bytes:
        read.append(oid)
        return blob(self, oid, limit)

    def read_file(self: TreeContents, path: str, limit: int | None = None) -> bytes:
        read.append(path)
        return file(self, path, limit)

    monkeypatch.setattr(Objects, "read", read_blob)
    monkeypatch.setattr(TreeContents, "read", read_file)


def test_an_unchanged_work_tree_affects_nothing(git_repository: Repository) -> None:
    git_repository.write(FILES)
    git_repository.commit()
    git_repository.scan()
    with since(git_repository, "HEAD") as change:
        assert change.affected == Affected()


# Renames and deletes ----------------------------------------------------------------------------------


def test_both_names_of_a_renamed_file_count(git_repository: Repository) -> None:
    repository = git_repository
    repository.write(FILES | {"later.py": "import moved\n"})
    commit = repository.commit()
    repository.scan()
    repository.git("mv", "c.py", "moved.py")
    with since(repository, commit) as change:
        assert changes(change) == {
            "a.py": None,
            "b.py": None,
            "c.py": ChangeKind.DELETED,
            "later.py": None,
            "moved.py": ChangeKind.ADDED,
        }
        why = change.reasons(weak=False)["a.py"]
        assert [(edge.importer, edge.imported) for edge in why.path] == [("a.py", "b.py")]


def test_a_lockfile_of_the_commit_is_compared_with_that_of_now(git_repository: Repository) -> None:
    repository = git_repository
    repository.write(FILES | {"web/package-lock.json": npm_lock("1.0.0")})
    repository.commit()
    repository.write({"web/package-lock.json": npm_lock("1.1.0"), "c.py": "X = 2\n"})
    repository.commit()
    repository.scan()
    with since(repository, "HEAD~1") as change:
        assert "web/a.ts" in changes(change)
        assert "web/b.ts" not in changes(change)


# Which commits ----------------------------------------------------------------------------------------


@pytest.fixture
def forked(git_repository: Repository) -> Repository:
    """A branch `topic`, checked out, that left `main` one commit ago; both went on."""
    repository = git_repository
    repository.write(FILES)
    repository.commit()
    repository.git("tag", "--annotate", "--message", "one", "v1")
    repository.git("branch", "-M", "main")
    repository.git("switch", "--quiet", "--create", "topic")
    repository.write({"alone.py": "x = 1\n"})
    repository.commit()
    repository.git("switch", "--quiet", "main")
    repository.write({"c.py": "X = 2\n"})
    repository.commit()
    repository.git("switch", "--quiet", "topic")
    repository.write({"web/b.ts": "export const x = 2;\n"})
    return repository


@pytest.mark.parametrize(
    ("name", "rev", "expected"),
    [
        ("main", None, {"alone.py", "c.py", "b.py", "a.py", "web/b.ts", "web/a.ts"}),
        ("main...", None, {"alone.py", "web/b.ts", "web/a.ts"}),
        ("main...HEAD", None, {"alone.py"}),
        ("main...", "HEAD", {"alone.py"}),
        ("topic...main", None, {"a.py", "b.py", "c.py"}),
        ("topic..main", None, {"alone.py", "c.py", "b.py", "a.py"}),
        ("..main", None, {"alone.py", "c.py", "b.py", "a.py"}),
        ("v1", None, {"alone.py", "web/b.ts", "web/a.ts"}),
        ("v1", "main", {"a.py", "b.py", "c.py"}),
    ],
)
def test_a_commit_a_tag_and_ranges(forked: Repository, name: str, rev: str | None, expected: set[str]) -> None:
    with since(forked, name, rev) as change:
        assert changes(change).keys() == expected


def test_three_dots_mean_where_the_branches_parted(forked: Repository) -> None:
    base = forked.git("rev-parse", "v1^{commit}").strip()
    assert read_since(str(forked.root), "main...topic") == Comparison(base, "topic")
    assert read_since(str(forked.root), "main...") == Comparison(base, None)


def test_what_names_no_commit_is_refused(forked: Repository) -> None:
    for name in ("no-such-branch", "main...no-such", "no-such..main", "--help", "HEAD~99"):
        with pytest.raises(RepositoryError, match="there is no commit"):
            read_since(str(forked.root), name)
    with pytest.raises(UsageError, match="both ends"):
        read_since(str(forked.root), "main...topic", "HEAD")


def test_histories_without_a_common_commit(forked: Repository) -> None:
    forked.git("checkout", "--quiet", "--orphan", "other")
    forked.commit()
    with pytest.raises(RepositoryError, match="no commit in common; name a commit of this history"):
        read_since(str(forked.root), "main...other")
    with since(forked, "main..other") as change:
        assert "alone.py" in changes(change), "without a merge base two trees are compared as they are"


def test_a_shallow_clone_without_the_commit_says_what_to_do(forked: Repository, tmp_path: Path) -> None:
    forked.commit()
    parted = forked.git("rev-parse", "v1^{commit}").strip()
    shallow = tmp_path / "shallow"
    url = f"file://{forked.root}"
    environment = {**os.environ, **GIT_ENVIRONMENT}
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", "--no-single-branch", "--no-tags", url, str(shallow)],
        env=environment,
        check=True,
    )
    subprocess.run(["git", "-C", str(shallow), "branch", "main", "origin/main"], env=environment, check=True)
    store = tmp_path / "graph.db"
    for name in ("HEAD~1", parted, "main..."):
        done = subprocess.run(
            [sys.executable, "-m", "weft", "affected", "--since", name, "--store", str(store)],
            cwd=shallow,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) == 1
        assert "shallow clone" in done.stderr
        assert "`git fetch --unshallow` or `git fetch --deepen=N`" in done.stderr
    with since(Repository(shallow, forked.store), "main..HEAD") as change:
        assert "alone.py" in changes(change), "both ends are there"


# While others scan ------------------------------------------------------------------------------------


def test_a_graph_published_meanwhile_is_noticed(git_repository: Repository) -> None:
    repository = git_repository
    repository.write(FILES)
    repository.commit()
    repository.scan()
    branch = Branch(repository.store, PROJECT)
    assert branch.is_current
    assert Branch(branch, PROJECT).is_current
    repository.write({"c.py": "X = 2\n"})
    repository.scan()
    assert not branch.is_current
    assert not Branch(branch, PROJECT).is_current


def test_a_branch_needs_a_graph_and_is_for_one_run(git_repository: Repository) -> None:
    with pytest.raises(UsageError, match="has no graph"):
        Branch(git_repository.store, PROJECT)
    git_repository.write(FILES)
    git_repository.scan()
    branch = Branch(git_repository.store, PROJECT)
    git_repository.scan(branch)
    with pytest.raises(UsageError, match="one run"):
        git_repository.scan(branch)
