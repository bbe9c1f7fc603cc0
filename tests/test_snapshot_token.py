"""Tokens: equal ones mean equal snapshots, and nothing that changes a snapshot leaves its token alone."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from git_repository import GitRepository, isolate
from snapshot_caches import MemoryCaches, identities, take
from weft.snapshot import Snapshot


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitRepository:
    isolate(monkeypatch, tmp_path / "home")
    return GitRepository(tmp_path / "repository")


@pytest.fixture(params=["by content", "by signature"])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the token names dirty files by content, as it does for a few."""
    if request.param == "by signature":
        monkeypatch.setattr("weft.snapshot.snapshot._FEW_FILES", -1)
        monkeypatch.setattr("weft.snapshot.statcache.RACY_NS", 0)
    return bool(request.param == "by content")


def test_nothing_changed_gives_the_same_token(repository: GitRepository, few: bool) -> None:
    repository.commit({"a.py": "a", "b.py": "b"})
    repository.write({"a.py": "dirty", "new.py": "n"})
    (repository.path / "link").symlink_to("a.py")
    assert take(repository.path).token == take(repository.path).token


def relink(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


EDIT: dict[str, Callable[[GitRepository], object]] = {
    "edit of a clean file": lambda r: r.write({"clean.py": "x"}),
    "edit of a clean file to the same size": lambda r: r.write({"clean.py": "CLEAN"}),
    "edit of a dirty file": lambda r: r.write({"dirty.py": "dirtier"}),
    "edit of an untracked file": lambda r: r.write({"new.py": "other"}),
    "edit of an assumed-unchanged file": lambda r: r.write({"assumed.py": "edited"}),
    "new file": lambda r: r.write({"newer.py": ""}),
    "new link": lambda r: (r.path / "link2").symlink_to("x"),
    "link elsewhere": lambda r: relink(r.path / "link", "clean.py"),
    "deleted file": lambda r: (r.path / "clean.py").unlink(),
    "deleted untracked file": lambda r: (r.path / "new.py").unlink(),
    "renamed untracked file": lambda r: (r.path / "new.py").rename(r.path / "renamed.py"),
    "file to link": lambda r: relink(r.path / "new.py", "x"),
    "file to pipe": lambda r: pipe(r.path / "dirty.py"),
    "now ignored": lambda r: r.write({".gitignore": "new.py\n"}),
    "nested repository": lambda r: GitRepository(r.path / "nested"),
    "commit of another content": lambda r: r.commit({"clean.py": "y"}),
    "checkout": lambda r: r.git("checkout", "--quiet", "--force", "HEAD~1"),
}


@pytest.mark.parametrize("edit", EDIT)
def test_whatever_changes_the_snapshot_changes_the_token(repository: GitRepository, few: bool, edit: str) -> None:
    repository.commit({"clean.py": "first", "dirty.py": "d"})
    repository.commit({"clean.py": "clean", "assumed.py": "a"})
    repository.git("update-index", "--assume-unchanged", "assumed.py")
    repository.write({"dirty.py": "dirty", "new.py": "new"})
    (repository.path / "link").symlink_to("dirty.py")
    before = take(repository.path)
    EDIT[edit](repository)
    assert take(repository.path).token != before.token


def test_settings_that_change_the_snapshot_change_the_token(repository: GitRepository) -> None:
    repository.commit({"a.py": "a"})
    tokens = {
        take(repository.path).token,
        take(repository.path, exclude=["a"]).token,
        take(repository.path, exclude=["b"]).token,
        take(repository.path, exclude=["a", "b"]).token,
        take(repository.path, submodules=True).token,
        take(repository.path, "HEAD").token,
    }
    assert len(tokens) == 6


def test_a_commit_of_what_is_staged_or_a_stale_index_changes_nothing(repository: GitRepository) -> None:
    repository.commit({"a.py": "a"})
    repository.write({"b.py": "b"})
    repository.git("add", "b.py")
    before = take(repository.path).token
    repository.git("commit", "--quiet", "--message", "b")
    os.utime(repository.path / ".git/index")
    assert take(repository.path).token == before


def test_a_fresh_clone_has_the_same_token(repository: GitRepository, tmp_path: Path) -> None:
    repository.commit({"a.py": "a", "pkg/b.py": "b"})
    repository.write({"c.py": "c"})
    before = take(repository.path)
    subprocess.run(["git", "clone", "--quiet", repository.path, tmp_path / "clone"], check=True)
    shutil.copy(repository.path / "c.py", tmp_path / "clone")
    assert take(tmp_path / "clone").token == before.token


def test_another_checkout_of_converted_files_is_another_snapshot(repository: GitRepository) -> None:
    repository.commit({".gitattributes": "* text=auto\n", "a.py": "a\n"})
    before = take(repository.path)
    contents = identities(before).contents
    assert take(repository.path).token == before.token
    repository.git("config", "core.eol", "crlf")
    (repository.path / "a.py").unlink()
    repository.git("checkout", "--", "a.py")
    after = take(repository.path)
    assert (repository.path / "a.py").read_bytes() == b"a\r\n"
    assert after.token != before.token
    assert identities(after).contents != contents
    assert identities(before).changed == {"a.py"}


def test_a_racily_clean_file_is_noticed(repository: GitRepository) -> None:
    for number in range(20):
        repository.commit({"a.py": f"{number:05}"})
        before = take(repository.path)
        contents = identities(before).contents
        repository.write({"a.py": f"{number:04}x"})  # the same size within the same second
        after = take(repository.path)
        assert after.token != before.token
        assert identities(after).contents != contents
        assert identities(before).changed == {"a.py"}


def test_an_index_that_is_replaced_meanwhile_is_asked_again(
    repository: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({"a.py": "a"})
    asked = 0
    from weft.snapshot import worktree

    original = worktree._ask_once

    def ask(*arguments: object) -> worktree.Report:
        nonlocal asked
        asked += 1
        report = original(*arguments)  # type: ignore[arg-type]
        if asked == 1:
            repository.commit({"b.py": "b"})
        return report

    monkeypatch.setattr(worktree, "_ask_once", ask)
    assert set(take(repository.path).oids) == {"a.py", "b.py"}
    assert asked == 2


NAMES = st.sampled_from(["a", "b", "d/a", "d/b", "d/e/a"])
TEXTS = st.sampled_from(["", "x", "y", "xx\n", "x\r\n"])
EDITS = st.one_of(
    st.tuples(st.just("write"), NAMES, TEXTS),
    st.tuples(st.just("delete"), NAMES, st.just("")),
    st.tuples(st.just("link"), NAMES, st.sampled_from(["a", "../b", "d", "/"])),
    st.tuples(st.sampled_from(["add", "commit", "stash", "reset", "touch"]), NAMES, st.just("")),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=st.lists(EDITS, max_size=10), attributes=st.sampled_from(["", "* text=auto\n", "a ident\n"]))
def test_after_any_edits_the_snapshot_is_what_is_on_disk_and_tokens_never_lie(
    script: list[tuple[str, str, str]], attributes: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        place = tmp_path_factory.mktemp("edits")
        isolate(monkeypatch, place / "home")
        repository = GitRepository(place / "repository")
        repository.commit({".gitattributes": attributes} if attributes else {})
        caches = MemoryCaches()
        seen: dict[str, dict[str, bytes | str]] = {}
        for step in script:
            apply(repository, *step)
            snapshot = take(repository.path)
            disk = on_disk(repository.path)
            assert state_of(snapshot, caches) == {
                path: content if isinstance(content, str) else size_and_digest(content)
                for path, content in disk.items()
            }
            assert seen.setdefault(snapshot.token, disk) == disk


def apply(repository: GitRepository, kind: str, name: str, text: str) -> None:
    path = repository.path / name
    match kind:
        case "write" | "link" | "delete":
            for part in (path, *path.parents):
                if part.is_symlink() or (part.is_file() and part != path) or (part == path and part.is_file()):
                    part.unlink()
                if part.parent == repository.path:
                    break
            if path.is_dir():
                shutil.rmtree(path)
            if kind != "delete":
                path.parent.mkdir(parents=True, exist_ok=True)
            if kind == "write":
                path.write_text(text, newline="")
            elif kind == "link":
                path.symlink_to(text)
        case "add":
            repository.git("add", "--all")
        case "commit":
            repository.commit()
        case "stash":
            repository.git("stash", "--include-untracked", check=False)
        case "reset":
            repository.git("reset", "--quiet", "HEAD~1", check=False)
        case "touch" if path.exists():
            os.utime(path)
            time.sleep(0.002)


def on_disk(root: Path) -> dict[str, bytes | str]:
    """All files and links beneath a folder, as a walk finds them."""
    found: dict[str, bytes | str] = {}
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name != ".git"]
        for name in (*names, *folders):
            path = Path(folder, name)
            if path.is_symlink():
                found[str(path.relative_to(root))] = "link"
            elif path.is_file():
                found[str(path.relative_to(root))] = path.read_bytes()
    return found


def size_and_digest(content: bytes) -> str:
    from blake3 import blake3

    return f"{len(content)} {blake3(content).digest(length=16).hex()}"


def state_of(snapshot: Snapshot, caches: MemoryCaches) -> dict[str, str]:
    found = identities(snapshot, caches)
    assert not found.failures
    # Nothing tells a converted file that was written just before the snapshot from one that was written after it.
    assert found.changed <= {*snapshot.converted, *snapshot.claimed}
    contents = {path: f"{content.size} {content.digest.hex()}" for path, content in found.contents.items()}
    return contents | dict.fromkeys((*snapshot.links, *snapshot.skipped), "link")
