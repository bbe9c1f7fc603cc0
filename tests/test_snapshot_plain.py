"""Snapshots of folders without git: a work tree with an empty index."""

from pathlib import Path

import pytest

from git_repository import GitRepository, isolate, write
from snapshot_caches import MemoryCaches, bytes_of, identities, take


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    isolate(monkeypatch, tmp_path / "home")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


def test_gitignore_is_honoured(folder: Path) -> None:
    write(folder, {".gitignore": "*.log\n/out/\n!keep.log\n", "a.py": "a", "x.log": "", "keep.log": "", "out/b.py": ""})
    write(folder, {"pkg/.gitignore": "secret*\n", "pkg/secret.py": "", "pkg/out/c.py": "c"})
    snapshot = take(folder)
    assert snapshot.paths == (".gitignore", "a.py", "keep.log", "pkg/.gitignore", "pkg/out/c.py")
    assert (snapshot.revision, snapshot.oids, snapshot.claimed) == ("", {}, {})
    assert bytes_of(snapshot)["pkg/out/c.py"] == b"c"


def test_default_excludes_and_settings_apply(folder: Path) -> None:
    write(folder, {"a.py": "", "node_modules/x.js": "", "pkg/__pycache__/a.pyc": "", "gen/b.py": "", "gen/c.py": ""})
    assert take(folder).paths == ("a.py", "gen/b.py", "gen/c.py")
    assert take(folder, exclude=["gen/*", "!gen/c.py"]).paths == ("a.py", "gen/c.py")


def test_repositories_in_the_folder_are_nested(folder: Path) -> None:
    write(folder, {"a.py": ""})
    GitRepository(folder / "one").commit({"b.py": ""})
    GitRepository(folder / "deep/er/two").commit({"b.py": ""})
    snapshot = take(folder)
    assert snapshot.paths == ("a.py",)
    assert snapshot.skipped == {"deep/er/two": "nested repository", "one": "nested repository"}


def test_links_are_followed_inside_only(folder: Path) -> None:
    write(folder, {"pkg/a.py": ""})
    (folder / "in.py").symlink_to("pkg/a.py")
    (folder / "pkg/absolute.py").symlink_to(folder / "pkg/a.py")
    (folder / "pkg/up").symlink_to("..")
    (folder / "out.py").symlink_to("/etc/passwd")
    snapshot = take(folder)
    assert snapshot.links == {"in.py": "pkg/a.py", "pkg/absolute.py": "pkg/a.py", "pkg/up": ""}
    assert snapshot.skipped == {"out.py": "symlink out of the repository"}


def test_a_folder_named_through_a_link_is_the_folder(folder: Path, tmp_path: Path) -> None:
    write(folder, {"a.py": "a"})
    (tmp_path / "alias").symlink_to(folder)
    assert take(tmp_path / "alias").root == str(folder)
    assert take(tmp_path / "alias").token == take(folder).token


def test_nothing_is_left_behind(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    write(folder, {"a.py": "a"})
    identities(take(folder), MemoryCaches())
    assert list((tmp_path / "temporary").iterdir()) == []
    assert [path.name for path in folder.rglob("*")] == ["a.py"]
