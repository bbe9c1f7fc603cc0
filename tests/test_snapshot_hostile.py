"""A hostile repository: nothing that it says makes git run, fetch or write anything."""

import os
from pathlib import Path

import pytest

from git_repository import GitRepository, isolate
from snapshot_caches import identities, take
from weft_storage.model.errors import RepositoryError
from weft_tasks.contents.git import Git, environment


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitRepository:
    isolate(monkeypatch, tmp_path / "home")
    return GitRepository(tmp_path / "repository")


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """The file that exists if anything was run."""
    return tmp_path / "proof"


@pytest.fixture
def program(tmp_path: Path, proof: Path) -> str:
    """A program that leaves a proof of having been run, and passes its input on."""
    place = tmp_path / "program"
    place.write_text(f"#!/bin/sh\necho \"$0 $@\" >> '{proof}'\nexec cat\n")
    place.chmod(0o755)
    return str(place)


def read_everything(root: Path, rev: str | None = None) -> None:
    snapshot = take(root, rev, submodules=True)
    identities(snapshot)
    with snapshot.contents() as contents:
        for path in snapshot.paths:
            contents.read(path)


def test_no_program_of_the_configuration_is_run(repository: GitRepository, program: str, proof: Path) -> None:
    repository.commit({"a.py": "a", "pkg/b.py": "b", ".gitattributes": "*.py filter=evil diff=evil merge=evil\n"})
    for key in (
        "core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "core.askPass", "core.gitProxy",
        "core.alternateRefsCommand", "credential.helper", "diff.external", "diff.evil.textconv", "diff.evil.command",
        "filter.evil.clean", "filter.evil.smudge", "filter.evil.process", "gpg.program", "sequence.editor",
        "merge.evil.driver", "uploadpack.packObjectsHook", "alias.ls-files", "alias.diff-files", "pager.ls-files",
    ):  # fmt: skip
        repository.git("config", key, f"!{program}" if key.startswith("alias") else program)
    repository.git("config", "filter.evil.required", "true")
    hooks = repository.path / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-index-change", "fsmonitor-watchman", "post-checkout", "reference-transaction", "pre-auto-gc"):
        (hooks / hook).symlink_to(program)
    repository.write({"a.py": "x"})  # of the same size and second: git compares it by content
    for rev in (None, "HEAD"):
        read_everything(repository.path, rev)
    assert not proof.exists()


def test_the_clean_filter_would_have_been_run(repository: GitRepository, program: str, proof: Path) -> None:
    """The test above has teeth: git alone does run it."""
    repository.commit({"a.py": "a", ".gitattributes": "*.py filter=evil\n"})
    repository.git("config", "filter.evil.clean", program)
    repository.write({"a.py": "x"})
    repository.git("diff-files", "--raw")
    assert proof.exists()


@pytest.mark.parametrize("name", ["a.b.c", "with space", 'quo"te', "new.clean", "caf\u00e9", "UPPER"])
def test_filters_of_any_name_are_switched_off(repository: GitRepository, program: str, proof: Path, name: str) -> None:
    repository.commit({"a.py": "a"})
    repository.git("config", f"filter.{name}.clean", program)
    repository.git("config", f"filter.{name}.process", program)
    quoted = name.replace("\\", "\\\\")
    repository.write({".gitattributes": f"*.py filter={quoted}\n"})
    repository.write({"a.py": "x"})
    read_everything(repository.path)
    assert not proof.exists()


def test_a_filter_that_no_option_can_name_is_refused(repository: GitRepository, program: str) -> None:
    repository.commit({"a.py": "a"})
    with open(repository.path / ".git/config", "a", encoding="ascii") as file:
        file.write(f'[filter "a=b"]\n\tclean = {program}\n')
    with pytest.raises(RepositoryError, match="defines a filter named 'a=b'"):
        take(repository.path)


def test_more_filters_than_a_command_line_holds_are_refused(repository: GitRepository) -> None:
    repository.commit({"a.py": "a"})
    with open(repository.path / ".git/config", "a", encoding="ascii") as file:
        file.writelines(f'[filter "{"f" * 200}{n}"]\n\tclean = cat\n' for n in range(10_000))
    with pytest.raises(RepositoryError, match="git cannot be run"):
        take(repository.path)


@pytest.mark.parametrize("remote", ["ext::{program} x", "ssh://host/x", "host:x", "file:///nowhere", "evil://x"])
def test_nothing_is_fetched_for_a_promised_object(
    repository: GitRepository, program: str, proof: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, remote: str
) -> None:
    repository.commit({"a.py": "a", "b.py": "b"})
    (tmp_path / "bin").mkdir()
    for name in ("ssh", "git-remote-evil", "git-upload-pack"):
        (tmp_path / "bin" / name).symlink_to(program)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "ext:ssh:file:evil")
    monkeypatch.setenv("GIT_SSH_COMMAND", program)
    for key, value in {
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": remote.format(program=program),
        "remote.origin.uploadpack": program,
        "remote.origin.vcs": "evil" if remote.startswith("evil") else "",
        "core.sshCommand": program,
        "protocol.allow": "always",
        "protocol.ext.allow": "always",
        "core.repositoryFormatVersion": "1",
    }.items():
        if value:
            repository.git("config", key, value)
    oid = repository.git("rev-parse", "HEAD:a.py")
    (repository.path / ".git/objects" / oid[:2] / oid[2:]).unlink()
    for rev in ("HEAD", None):
        found = identities(take(repository.path, rev))
        assert sorted(found.contents) == (["a.py", "b.py"] if rev is None else ["b.py"])
    with pytest.raises(RepositoryError, match="there is no commit"):
        take(repository.path, "0123456789" * 4)
    assert not proof.exists()


def test_a_hostile_submodule_is_as_harmless(
    repository: GitRepository, tmp_path: Path, program: str, proof: Path
) -> None:
    library = GitRepository(tmp_path / "library")
    library.commit({"lib.py": "l", ".gitattributes": "*.py filter=evil\n"})
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.path), "lib")
    repository.commit({"a.py": "a"})
    inside = repository.path / ".git/modules/lib/config"
    with open(inside, "a", encoding="ascii") as file:
        file.write(f'[core]\n\tfsmonitor = {program}\n[filter "evil"]\n\tclean = {program}\n')
    repository.write({"lib/lib.py": "x"})
    read_everything(repository.path)
    assert not proof.exists()


def test_a_submodule_that_is_a_link_is_not_entered(repository: GitRepository, tmp_path: Path) -> None:
    GitRepository(tmp_path / "secret").commit({"secret.py": "s"})
    commit = repository.commit({"a.py": "a"})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},lib")
    (repository.path / "lib").symlink_to(tmp_path / "secret")
    snapshot = take(repository.path, submodules=True)
    assert snapshot.paths == ("a.py",)
    assert snapshot.skipped == {"lib": "symlink out of the repository"}
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},x/lib")
    (repository.path / "x").symlink_to(tmp_path)
    (tmp_path / "secret").rename(tmp_path / "lib")
    assert take(repository.path, submodules=True).paths == ("a.py",)


def test_a_submodule_without_a_repository_of_its_own_is_not_the_one_around_it(repository: GitRepository) -> None:
    commit = repository.commit({"a.py": "a"})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{commit},lib")
    repository.write({"lib/b.py": "b"})
    assert take(repository.path, submodules=True).skipped == {"lib": "submodule, not checked out"}
    (repository.path / "lib/.git").mkdir()
    assert "submodule: " in take(repository.path, submodules=True).skipped["lib"]


def test_a_work_tree_elsewhere_is_not_read(repository: GitRepository, tmp_path: Path) -> None:
    repository.commit({"a.py": "a"})
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/a.py").write_text("secret")
    repository.git("config", "core.worktree", str(tmp_path / "secret"))
    with pytest.raises(RepositoryError, match="no part of a work tree"):
        take(repository.path)


def test_a_pipe_in_place_of_a_file_that_is_read_does_not_hang(repository: GitRepository, tmp_path: Path) -> None:
    repository.commit({"a.py": "a", "b/.gitattributes": "* text\n"})
    (repository.path / "b/.gitattributes").unlink()
    os.mkfifo(repository.path / "b/.gitattributes")
    os.mkfifo(repository.path / "pipe.py")
    assert take(repository.path).skipped == {"b/.gitattributes": "special file"}


def test_the_environment_cannot_redirect_git(
    repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = GitRepository(tmp_path / "other")
    other.commit({"other.py": ""})
    repository.commit({"a.py": "a"})
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.path))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.path / ".git/index"))
    assert take(repository.path).paths == ("a.py",)
    assert take(repository.path, "HEAD").paths == ("a.py",)


def test_the_users_own_configuration_stays() -> None:
    kept = {"HOME": "/h", "PATH": "/bin", "GIT_CONFIG_GLOBAL": "x", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "y"}
    dropped = {"GIT_DIR": "x", "GIT_TRACE": "1", "GIT_SSH_COMMAND": "x", "GIT_EXTERNAL_DIFF": "x", "GIT_ASKPASS": "x"}
    given = environment(kept | dropped | {"LC_ALL": "de_DE.UTF-8"})
    assert kept.items() <= given.items()
    assert not dropped.keys() & given.keys()
    assert given["LC_ALL"] == "C"


def test_a_git_that_does_not_answer_is_given_up(repository: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft_tasks.contents.git.TIMEOUT", 0.2)
    os.mkfifo(repository.path / "config")
    with pytest.raises(RepositoryError, match="did not answer"):
        Git(str(repository.path)).run("config", "--list", "--file", "config")
