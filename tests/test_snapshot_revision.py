"""Snapshots of commits: from the object store, without a checkout."""

import shutil
import subprocess
from pathlib import Path

import pytest

from git_repository import GitRepository, isolate
from snapshot_caches import MemoryCaches, bytes_of, identities, take
from weft.snapshot import ContentError
from weft_storage.model.errors import RepositoryError


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitRepository:
    isolate(monkeypatch, tmp_path / "home")
    return GitRepository(tmp_path / "repository")


def bare_clone(repository: GitRepository, target: Path, *options: str) -> Path:
    source = f"file://{repository.path}"
    subprocess.run(["git", "clone", "--quiet", "--bare", *options, source, target], check=True, capture_output=True)
    return target


def test_a_commit_is_read_whatever_is_on_disk(repository: GitRepository, tmp_path: Path) -> None:
    first = repository.commit({"a.py": "old", "pkg/b.py": "b"})
    repository.commit({"a.py": "new", "c.py": "c"})
    repository.write({"a.py": "dirty"})
    snapshot = take(repository.path, first[:12])
    assert bytes_of(snapshot) == {"a.py": b"old", "pkg/b.py": b"b"}
    assert snapshot.revision == first
    bare = bare_clone(repository, tmp_path / "bare.git")
    assert bytes_of(take(bare, "HEAD~1")) == bytes_of(snapshot)
    assert take(bare, first).token == snapshot.token


@pytest.mark.parametrize("rev", ["main", "HEAD", "@", "v1", "refs/heads/main", "HEAD^0", ":/a change"])
def test_any_name_of_a_commit_will_do(repository: GitRepository, rev: str) -> None:
    commit = repository.commit({"a.py": ""})
    repository.git("tag", "--annotate", "--message", "one", "v1")
    assert take(repository.path, rev).revision == commit


@pytest.mark.parametrize(
    "rev",
    [
        "",
        "nothing",
        "-n1",
        "--help",
        "--all",
        "-",
        "main..main",
        "^main",
        "HEAD:a.py",
        "HEAD^{tree}",
        "a\0b",
        "a\nb",
        "HEAD~9",
    ],
)
def test_what_names_no_commit_is_an_error(repository: GitRepository, rev: str) -> None:
    repository.commit({"a.py": ""})
    with pytest.raises(RepositoryError, match="there is no commit"):
        take(repository.path, rev)


def test_in_a_shallow_clone_the_message_says_so(repository: GitRepository, tmp_path: Path) -> None:
    first = repository.commit({"a.py": ""})
    repository.commit({"b.py": ""})
    shallow = bare_clone(repository, tmp_path / "shallow.git", "--depth=1")
    assert take(shallow, "HEAD").paths == ("a.py", "b.py")
    for rev in (first, "HEAD~1"):
        with pytest.raises(RepositoryError, match="shallow clone"):
            take(shallow, rev)


def test_a_revision_needs_a_repository(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="no git repository"):
        take(tmp_path, "HEAD")


def test_a_folder_of_a_commit(repository: GitRepository) -> None:
    first = repository.commit({"a.py": "", "late": "a file"})
    repository.commit({":(top)x/pkg/a.py": "a", "-x/pkg/b.py": "b"})
    for folder, name in ((":(top)x", "pkg/a.py"), (":(top)x/pkg", "a.py"), ("-x", "pkg/b.py")):
        snapshot = take(repository.path / folder, "HEAD")
        assert snapshot.paths == (name,)
        assert bytes_of(snapshot) == bytes_of(take(repository.path / folder))
    assert take(repository.path / "-x", first).paths == ()
    shutil.move(repository.path / "late", repository.path / "late.txt")
    (repository.path / "late").mkdir()
    assert take(repository.path / "late", first).paths == ()


def test_the_tree_is_the_token(repository: GitRepository) -> None:
    first = repository.commit({"a.py": "a"})
    second = repository.commit({"a.py": "b"})
    third = repository.commit({"a.py": "a"})
    assert take(repository.path, first).token == take(repository.path, third).token
    assert take(repository.path, first).token != take(repository.path, second).token
    assert take(repository.path, first).token != take(repository.path, first, exclude=["x"]).token


def test_links_and_submodules_of_a_commit(repository: GitRepository, tmp_path: Path) -> None:
    library = GitRepository(tmp_path / "library")
    library.commit({"lib.py": ""})
    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library.path), "lib")
    for name, target in {"in.py": "pkg/a.py", "dir": "pkg", "out.py": "../x.py", "lost.py": "nothing"}.items():
        (repository.path / name).symlink_to(target)
    repository.commit({"pkg/a.py": "a"})
    snapshot = take(repository.path, "HEAD")
    assert snapshot.paths == (".gitmodules", "pkg/a.py")
    assert snapshot.links == {"dir": "pkg", "in.py": "pkg/a.py"}
    assert snapshot.skipped == {
        "lib": "submodule",
        "lost.py": "symlink to nothing in the repository",
        "out.py": "symlink out of the repository",
    }
    on_disk = take(repository.path)
    assert (on_disk.paths, on_disk.links, on_disk.skipped) == (snapshot.paths, snapshot.links, snapshot.skipped)


def test_a_clone_equals_its_commit(repository: GitRepository) -> None:
    repository.commit({f"pkg{n % 7}/file{n}.py": f"import a{n % 50}\n" * n for n in range(300)})
    on_disk, committed = take(repository.path), take(repository.path, "HEAD")
    assert on_disk.paths == committed.paths
    assert on_disk.oids == committed.oids
    assert identities(on_disk) == identities(committed)


def test_contents_have_a_limit_and_can_be_read_in_any_order(repository: GitRepository) -> None:
    repository.commit({"a.py": "a" * 100, "big.bin": b"\1" * (9 * 1024 * 1024), "b.py": "b"})
    for snapshot in (take(repository.path, "HEAD"), take(repository.path)):
        with snapshot.contents() as contents:
            for limit in (99, 0):
                with pytest.raises(ContentError, match=f"larger than {limit} bytes"):
                    contents.read("a.py", limit)
            with pytest.raises(ContentError, match="larger"):
                contents.read("big.bin", 100)
            assert contents.read("b.py", 1) == b"b"
            assert contents.read("a.py", 100) == b"a" * 100
            assert len(contents.read("big.bin")) == 9 * 1024 * 1024
            with pytest.raises(ContentError):
                contents.read("missing.py")


def test_a_missing_or_corrupt_blob_fails_alone(repository: GitRepository) -> None:
    repository.commit({f"{name}.py": f"content of {name}" * 100 for name in "abcdefgh"})
    snapshot = take(repository.path, "HEAD")
    objects = repository.path / ".git/objects"

    def place(path: str) -> Path:
        return objects / snapshot.oids[path][:2] / snapshot.oids[path][2:]

    place("b.py").unlink()
    place("d.py").chmod(0o644)
    place("d.py").write_bytes(b"not zlib")
    place("f.py").unlink()
    shutil.copy(place("g.py"), place("f.py"))  # an object under another one's name
    caches = MemoryCaches()
    found = identities(snapshot, caches)
    assert sorted(found.failures) == ["b.py", "d.py", "f.py"]
    assert sorted(found.contents) == ["a.py", "c.py", "e.py", "g.py", "h.py"]
    assert "corrupt" in found.failures["f.py"]
    assert sorted(caches.known) == sorted(snapshot.oids[path] for path in found.contents)
    with snapshot.contents() as contents:
        for path in ("b.py", "d.py"):
            with pytest.raises(ContentError):
                contents.read(path)
            assert contents.read("e.py").startswith(b"content of e")


def test_a_partial_clone_has_what_it_has(repository: GitRepository, tmp_path: Path) -> None:
    repository.commit({"small.py": "s", "large.py": "l" * 5000})
    repository.git("config", "uploadpack.allowFilter", "true")
    partial = bare_clone(repository, tmp_path / "partial.git", "--filter=blob:limit=1k")
    snapshot = take(partial, "HEAD")
    found = identities(snapshot)
    assert found.failures == {"large.py": "not in the object store (a partial clone)"}
    assert sorted(found.contents) == ["small.py"]
    with snapshot.contents() as contents:
        assert contents.read("small.py") == b"s"
        with pytest.raises(ContentError, match="partial clone"):
            contents.read("large.py")


def test_replaced_objects_are_read_as_they_were(repository: GitRepository) -> None:
    repository.commit({"a.py": "a", "b.py": "b"})
    ids = [repository.git("rev-parse", f"HEAD:{name}.py") for name in "ab"]
    repository.git("replace", *ids)
    assert bytes_of(take(repository.path, "HEAD")) == {"a.py": b"a", "b.py": b"b"}


def test_a_forged_tree_leads_nowhere(repository: GitRepository) -> None:
    blob = repository.git("hash-object", "-w", "--stdin", stdin=b"x = 1\n")
    good = repository.git("mktree", stdin=f"100644 blob {blob}\ta.py\n".encode())

    def forged(*names: bytes) -> str:
        raw = b"".join(b"40000 " + name + b"\0" + bytes.fromhex(good) for name in names)
        raw += b"100644 ..\0" + bytes.fromhex(blob) + b"100644 ok.py\0" + bytes.fromhex(blob)
        return repository.git("hash-object", "-t", "tree", "--literally", "-w", "--stdin", stdin=raw)

    tree = forged(b"..", b".", b".GIT", b"a/../../b")
    commit = repository.git("commit-tree", tree, "-m", "forged")
    snapshot = take(repository.path, commit)
    assert snapshot.paths == ("ok.py",)
    assert set(snapshot.skipped) == {"..", "../a.py", "./a.py", ".GIT/a.py", "a/../../b/a.py"}
