"""Snapshots of git work trees: what counts, as it is on disk."""

import os
import shutil
from pathlib import Path

import pytest

from git_repository import GitRepository, isolate, write
from snapshot_caches import bytes_of, identities, take
from weft.snapshot import ContentError, TreeContents
from weft_storage.model.errors import ConfigurationError, RepositoryError


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitRepository:
    isolate(monkeypatch, tmp_path / "home")
    return GitRepository(tmp_path / "repository")


def test_tracked_and_untracked_files_count_and_ignored_ones_do_not(repository: GitRepository) -> None:
    repository.commit({"a.py": "a", "pkg/b.py": "b", ".gitignore": "*.log\n/build/\n"})
    repository.write({"new.py": "n", "x.log": "", "build/c.py": "", "pkg/build/d.py": "d"})
    snapshot = take(repository.path)
    assert snapshot.paths == (".gitignore", "a.py", "new.py", "pkg/b.py", "pkg/build/d.py")
    assert snapshot.revision == repository.git("rev-parse", "HEAD")
    assert set(snapshot.oids) == {".gitignore", "a.py", "pkg/b.py"}
    assert snapshot.oids["a.py"] == repository.git("rev-parse", "HEAD:a.py")


def test_a_tracked_file_counts_although_it_is_ignored(repository: GitRepository) -> None:
    repository.write({"node_modules/a.js": "a", "x.log": "x"})
    repository.git("add", "--force", ".")
    repository.write({".gitignore": "*.log\n", "node_modules/b.js": "b"})
    assert take(repository.path).paths == (".gitignore", "node_modules/a.js", "x.log")


def test_contents_are_those_on_disk(repository: GitRepository) -> None:
    repository.commit({"a.py": "old", "b.py": "b"})
    repository.write({"a.py": "new"})
    snapshot = take(repository.path)
    assert bytes_of(snapshot) == {"a.py": b"new", "b.py": b"b"}
    assert set(snapshot.oids) == {"b.py"}


def test_a_file_deleted_from_disk_is_gone(repository: GitRepository) -> None:
    repository.commit({"a.py": "a", "pkg/b.py": "b", "pkg/c.py": "c"})
    (repository.path / "a.py").unlink()
    shutil.rmtree(repository.path / "pkg")
    assert take(repository.path).paths == ()


def test_a_staged_deletion_of_a_file_that_is_still_there_makes_it_untracked(repository: GitRepository) -> None:
    repository.commit({"a.py": "a"})
    repository.git("rm", "--cached", "--quiet", "a.py")
    snapshot = take(repository.path)
    assert snapshot.paths == ("a.py",)
    assert snapshot.oids == {}


def test_unmerged_files_count_once_as_they_are_on_disk(repository: GitRepository) -> None:
    repository.commit({"a.py": "base\n", "gone.py": "base\n"})
    repository.git("checkout", "--quiet", "-b", "other")
    repository.commit({"a.py": "theirs\n", "gone.py": "theirs\n"})
    repository.git("checkout", "--quiet", "main")
    (repository.path / "gone.py").unlink()
    repository.commit({"a.py": "ours\n"})
    repository.git("merge", "other", check=False)
    (repository.path / "gone.py").unlink()
    snapshot = take(repository.path)
    assert snapshot.paths == ("a.py",)
    assert b"<<<<<<<" in bytes_of(snapshot)["a.py"]
    assert snapshot.oids == snapshot.skipped == {}


def test_a_file_to_be_added_later_is_read(repository: GitRepository) -> None:
    repository.write({"a.py": "a", "empty.py": ""})
    repository.git("add", "--intent-to-add", ".")
    snapshot = take(repository.path)
    assert snapshot.paths == ("a.py", "empty.py")
    assert snapshot.oids == {}


def test_a_file_that_became_a_link_is_one(repository: GitRepository) -> None:
    repository.commit({"a.py": "a", "b.py": "b"})
    (repository.path / "a.py").unlink()
    (repository.path / "a.py").symlink_to("b.py")
    snapshot = take(repository.path)
    assert snapshot.paths == ("b.py",)
    assert snapshot.links == {"a.py": "b.py"}


def test_a_link_that_became_a_file_is_one(repository: GitRepository) -> None:
    (repository.path / "a.py").symlink_to("b.py")
    repository.commit({"b.py": "b"})
    (repository.path / "a.py").unlink()
    repository.write({"a.py": "a"})
    snapshot = take(repository.path)
    assert bytes_of(snapshot) == {"a.py": b"a", "b.py": b"b"}
    assert snapshot.links == {}


def test_a_file_that_became_a_folder_is_gone(repository: GitRepository) -> None:
    repository.commit({"a": "a"})
    (repository.path / "a").unlink()
    repository.write({"a/b.py": "b"})
    assert take(repository.path).paths == ("a/b.py",)


def test_a_folder_that_became_a_link_holds_nothing(repository: GitRepository, tmp_path: Path) -> None:
    repository.commit({"pkg/a.py": "a"})
    shutil.move(repository.path / "pkg", tmp_path / "elsewhere")
    (repository.path / "pkg").symlink_to(tmp_path / "elsewhere")
    snapshot = take(repository.path)
    assert snapshot.paths == ()
    assert snapshot.skipped == {"pkg": "symlink out of the repository"}


def test_a_file_that_became_a_pipe_is_skipped(repository: GitRepository) -> None:
    repository.commit({"a.py": "a"})
    (repository.path / "a.py").unlink()
    os.mkfifo(repository.path / "a.py")
    snapshot = take(repository.path)
    assert snapshot.paths == ()
    assert snapshot.skipped == {"a.py": "special file"}


def test_names_that_differ_in_case_are_different_files(repository: GitRepository) -> None:
    repository.commit({"a.py": "a", "B.py": "b"})
    (repository.path / "a.py").rename(repository.path / "A.py")
    repository.write({"b.py": "other"})
    assert take(repository.path).paths == ("A.py", "B.py", "b.py")


ODD_NAMES = (
    " leading.py",
    "-rf",
    "--help.py",
    "a\nb.py",
    'quo"te.py',
    "tab\there.py",
    "back\\slash.py",
    "caf\u00e9.py",
    "caf\udce9.py",
    "\udcff\udcfe/\udc80.py",
    "e\u0301.py",
    "*.py",
    "[a].py",
    ":(glob)x.py",
    "n" * 252 + ".py",
    "dots../..x.py",
    "x" * 200 + "/" + "y" * 200 + "/z.py",
)


@pytest.mark.parametrize("tracked", [True, False])
def test_any_name_that_a_file_can_have(repository: GitRepository, tracked: bool) -> None:
    files: dict[str, str | bytes] = {name: name.encode("utf-8", "surrogateescape") for name in ODD_NAMES}
    repository.write(files)
    if tracked:
        repository.commit()
    snapshot = take(repository.path)
    assert snapshot.paths == tuple(sorted(ODD_NAMES))
    assert bytes_of(snapshot) == files
    assert set(snapshot.oids) == (set(ODD_NAMES) if tracked else set())
    found = identities(snapshot)
    assert not found.failures
    if tracked:
        committed = take(repository.path, "HEAD")
        assert committed.paths == snapshot.paths
        assert identities(committed).contents == found.contents


def test_a_folder_of_a_work_tree_is_a_snapshot_of_its_own(repository: GitRepository) -> None:
    repository.commit({"top.py": "", "pkg/a.py": "a", "pkg/sub/b.py": "b", ".gitignore": "*.log\n"})
    repository.write({"pkg/a.py": "changed", "pkg/new.py": "n", "pkg/x.log": "", "new.py": ""})
    snapshot = take(repository.path / "pkg")
    assert bytes_of(snapshot) == {"a.py": b"changed", "new.py": b"n", "sub/b.py": b"b"}
    assert set(snapshot.oids) == {"sub/b.py"}
    assert snapshot.root == str(repository.path / "pkg")


def test_an_ignored_folder_of_a_work_tree_is_a_plain_folder(repository: GitRepository) -> None:
    repository.commit({".gitignore": "/vendor/\n*.log\n", "a.py": ""})
    repository.write(
        {"vendor/lib/b.py": "b", "vendor/lib/x.log": "", "vendor/lib/.gitignore": "*.tmp", "vendor/lib/y.tmp": ""}
    )
    for folder, prefix in (("vendor", "lib/"), ("vendor/lib", "")):
        snapshot = take(repository.path / folder)
        assert snapshot.paths == (prefix + ".gitignore", prefix + "b.py", prefix + "x.log")
        assert snapshot.revision == ""


def test_a_folder_named_like_a_default_exclude_can_be_analyzed_itself(repository: GitRepository) -> None:
    repository.write({"node_modules/pkg/a.js": "a", "node_modules/pkg/node_modules/b.js": "b"})
    assert take(repository.path / "node_modules/pkg").paths == ("a.js",)
    assert take(repository.path).paths == ()


def test_default_excludes_leave_out_what_is_not_tracked(repository: GitRepository) -> None:
    folders = ("node_modules", ".venv", "__pycache__", ".hg", ".tox", ".weft")
    repository.write({f"pkg/{folder}/a.py": "" for folder in folders} | {"pkg/a.py": "", "pkg/node_modules_x/b.py": ""})
    assert take(repository.path).paths == ("pkg/a.py", "pkg/node_modules_x/b.py")


def test_exclude_applies_to_everything(repository: GitRepository) -> None:
    repository.commit({"a.py": "", "gen/b.py": "", "gen/keep.py": "", "pkg/gen/c.py": "", "x_test.py": ""})
    repository.write({"gen/new.py": "", "y_test.py": ""})
    (repository.path / "gen/link.py").symlink_to("../a.py")
    (repository.path / "gen/bad.py").symlink_to("/etc/passwd")
    snapshot = take(repository.path, exclude=["/gen/*", "!/gen/keep.py", "*_test.py"])
    assert snapshot.paths == ("a.py", "gen/keep.py", "pkg/gen/c.py")
    assert snapshot.links == snapshot.skipped == {}
    assert set(snapshot.oids) == set(snapshot.paths)
    assert take(repository.path, exclude=["gen/"]).paths == ("a.py", "x_test.py", "y_test.py")


def test_exclude_is_relative_to_the_folder_that_is_analyzed(repository: GitRepository) -> None:
    repository.write({"build/app/a.py": "", "build/app/build/b.py": "", "build/app/src/build/c.py": ""})
    assert take(repository.path / "build/app", exclude=["/build/"]).paths == ("a.py", "src/build/c.py")
    assert take(repository.path / "build/app", exclude=["build"]).paths == ("a.py",)


def test_a_bad_exclude_is_an_error_of_the_configuration(repository: GitRepository) -> None:
    repository.write({"a.py": ""})
    with pytest.raises(ConfigurationError, match="gitignore pattern"):
        _ = take(repository.path, exclude=["!"]).paths


def test_a_nested_repository_is_skipped(repository: GitRepository) -> None:
    repository.commit({"a.py": ""})
    GitRepository(repository.path / "nested/inner").commit({"b.py": ""})
    snapshot = take(repository.path)
    assert snapshot.paths == ("a.py",)
    assert snapshot.skipped == {"nested/inner": "nested repository"}


def test_files_assumed_unchanged_are_looked_at(repository: GitRepository) -> None:
    repository.commit({"a.py": "a", "b.py": "b", "c.py": "c"})
    repository.git("update-index", "--assume-unchanged", "a.py", "b.py")
    before = take(repository.path)
    repository.write({"a.py": "x"})
    (repository.path / "b.py").unlink()
    snapshot = take(repository.path)
    assert bytes_of(snapshot) == {"a.py": b"x", "c.py": b"c"}
    assert set(snapshot.oids) == {"c.py"}
    assert snapshot.token != before.token


def test_files_of_a_sparse_checkout_stay_known_by_name(repository: GitRepository) -> None:
    repository.commit({"a/a.py": "a", "b/b.py": "b", "top.py": ""})
    repository.git("sparse-checkout", "set", "a")
    snapshot = take(repository.path)
    assert snapshot.paths == ("a/a.py", "b/b.py", "top.py")
    assert snapshot.skipped == {"b/b.py": "not checked out"}
    assert identities(snapshot).failures == {"b/b.py": "not checked out"}
    with snapshot.contents() as contents, pytest.raises(ContentError):
        contents.read("b/b.py")
    repository.write({"b/b.py": "back"})
    assert bytes_of(take(repository.path))["b/b.py"] == b"back"


def test_a_sparse_index_lists_every_file(repository: GitRepository) -> None:
    repository.commit({"a/a.py": "a", "b/c/b.py": "b", "top.py": ""})
    repository.git("sparse-checkout", "set", "--cone", "--sparse-index", "a")
    assert take(repository.path).paths == ("a/a.py", "b/c/b.py", "top.py")


def test_a_linked_work_tree_is_read(repository: GitRepository, tmp_path: Path) -> None:
    repository.commit({"a.py": "a"})
    repository.git("worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "side")
    (tmp_path / "linked" / "b.py").write_text("b")
    snapshot = take(tmp_path / "linked")
    assert snapshot.paths == ("a.py", "b.py")
    assert snapshot.revision == repository.git("rev-parse", "HEAD")


def test_an_empty_repository_is_an_empty_snapshot(repository: GitRepository) -> None:
    snapshot = take(repository.path)
    assert (snapshot.paths, snapshot.revision) == ((), "")


def test_a_repository_without_a_commit_has_its_staged_files(repository: GitRepository) -> None:
    repository.write({"a.py": "a"})
    repository.git("add", "a.py")
    snapshot = take(repository.path)
    assert (snapshot.paths, snapshot.revision) == (("a.py",), "")


def test_sha256_repositories_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path / "home")
    repository = GitRepository(tmp_path / "repository", "--object-format=sha256")
    repository.commit({"a.py": "a", "pkg/b.py": "b"})
    snapshot = take(repository.path)
    assert len(snapshot.oids["a.py"]) == len(snapshot.revision) == 64
    assert identities(snapshot).oids == snapshot.oids
    assert identities(take(repository.path, "HEAD")) == identities(snapshot)


def test_submodules_are_skipped_unless_asked_for(repository: GitRepository, tmp_path: Path) -> None:
    library = GitRepository(tmp_path / "library")
    deeper = GitRepository(tmp_path / "deeper")
    deeper.commit({"deep.py": "deep"})
    library.commit({"lib.py": "lib"})
    library.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(deeper.path), "deeper")
    library.commit()
    for name in ("libs/one", "libs/two"):
        repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.path), name)
    repository.git(
        "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "--recursive", "libs/one"
    )
    repository.commit({"a.py": "a"})
    repository.git("submodule", "--quiet", "deinit", "libs/two")
    write(repository.path / "libs/one", {"new.py": "new"})
    snapshot = take(repository.path)
    assert snapshot.paths == (".gitmodules", "a.py")
    assert snapshot.skipped == {"libs/one": "submodule", "libs/two": "submodule"}
    whole = take(repository.path, submodules=True)
    assert whole.paths == (
        ".gitmodules",
        "a.py",
        "libs/one/.gitmodules",
        "libs/one/deeper/deep.py",
        "libs/one/lib.py",
        "libs/one/new.py",
    )
    assert whole.skipped == {"libs/two": "submodule, not checked out"}
    assert bytes_of(whole)["libs/one/deeper/deep.py"] == b"deep"
    assert identities(whole).oids == whole.oids
    assert take(repository.path, submodules=True).token == whole.token != snapshot.token
    write(repository.path / "libs/one/deeper", {"deep.py": "edit"})
    assert take(repository.path, submodules=True).token != whole.token
    assert take(repository.path).token == snapshot.token
    assert take(repository.path, "HEAD", submodules=True).skipped == {"libs/one": "submodule", "libs/two": "submodule"}


def test_a_folder_that_cannot_be_entered_is_listed_as_unreadable(repository: GitRepository) -> None:
    repository.commit({"a.py": ""})
    repository.write({"secret/b.py": ""})
    (repository.path / "secret").chmod(0)
    try:
        snapshot = take(repository.path)
        if os.geteuid():
            assert snapshot.skipped == {"secret": "unreadable"}
        else:
            assert snapshot.paths == ("a.py", "secret/b.py")
    finally:
        (repository.path / "secret").chmod(0o700)


def test_the_index_is_not_touched(repository: GitRepository) -> None:
    repository.commit({"a.py": "a", "b.py": "b"})
    os.utime(repository.path / "a.py")  # git would refresh its index now
    before = _everything_in(repository.path / ".git")
    identities(take(repository.path))
    identities(take(repository.path, "HEAD"))
    assert _everything_in(repository.path / ".git") == before


def _everything_in(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in folder.rglob("*")}


def test_folders_that_cannot_be_read_say_so(tmp_path: Path, repository: GitRepository) -> None:
    with pytest.raises(RepositoryError, match="no such folder"):
        take(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(RepositoryError, match="not a folder"):
        take(tmp_path / "file")
    with pytest.raises(RepositoryError, match="not a path"):
        take(Path("a\0b"))
    with pytest.raises(RepositoryError, match="no part of a work tree"):
        take(repository.path / ".git")
    for root in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(RepositoryError):
            TreeContents(str(root))


def test_a_bare_repository_asks_for_a_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch, tmp_path / "home")
    bare = GitRepository(tmp_path / "bare.git", "--bare")
    with pytest.raises(RepositoryError, match="name a revision"):
        take(bare.path)


def test_a_damaged_repository_says_so(repository: GitRepository) -> None:
    repository.commit({"a.py": ""})
    (repository.path / ".git/index").write_bytes(b"DIRC but not really an index")
    with pytest.raises(RepositoryError, match="failed: "):
        take(repository.path)
    (repository.path / ".git/config").write_text("[core\n")
    with pytest.raises(RepositoryError, match="bad config"):
        take(repository.path)
    shutil.rmtree(repository.path / ".git")
    (repository.path / ".git").mkdir()
    with pytest.raises(RepositoryError, match=r"its \.git is damaged"):
        take(repository.path)
    (repository.path / ".git").rmdir()
    (repository.path / ".git").write_text("gitdir: /nowhere")
    with pytest.raises(RepositoryError, match="not a git repository: /nowhere"):
        take(repository.path)


def test_a_damaged_repository_is_not_taken_for_a_folder_of_the_one_around_it(repository: GitRepository) -> None:
    repository.write({"inner/a.py": ""})
    (repository.path / "inner/.git").mkdir()
    with pytest.raises(RepositoryError, match="takes the folder for a part of"):
        take(repository.path / "inner")


def test_without_git_the_message_says_what_to_install(
    repository: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(RepositoryError, match="install git"):
        take(repository.path)


def test_a_repository_of_another_user_says_how_to_trust_it(
    repository: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft_tasks.contents.git._ENVIRONMENT", {"LC_ALL": "C", "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"})
    with pytest.raises(RepositoryError, match=r"safe\.directory"):
        take(repository.path)
