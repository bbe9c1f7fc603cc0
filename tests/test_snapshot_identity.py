"""Identities of contents: read only where nothing vouches for them, and never wrong."""

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3

from git_repository import GitRepository, isolate, write
from snapshot_caches import MemoryCaches, identities, take
from weft.snapshot import Identities, Snapshot, TreeContents, identify, skip_reason
from weft_storage.model.files import Content, Trait
from weft_storage.model.settings import Settings


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitRepository:
    isolate(monkeypatch, tmp_path / "home")
    monkeypatch.setattr("weft.snapshot.statcache.RACY_NS", 200_000_000)
    return GitRepository(tmp_path / "repository")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths that are read to be identified, in order."""
    done: list[str] = []
    original = TreeContents.identify

    def identify(self: TreeContents, path: str, object_format: str | None) -> Any:
        done.append(path)
        return original(self, path, object_format)

    monkeypatch.setattr(TreeContents, "identify", identify)
    return done


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every number of files be too many to be named by content in the token."""
    monkeypatch.setattr("weft.snapshot.snapshot._FEW_FILES", -1)


def make_old(*paths: Path) -> None:
    """Let files look as if they had not changed just now; their ctime needs a moment of real time."""
    for path in paths:
        os.utime(path, (1_600_000_000, 1_600_000_000))
    time.sleep(0.25)


def digest(data: bytes) -> bytes:
    return blake3(data).digest(length=16)


def test_an_identity_is_digest_size_and_trait(repository: GitRepository) -> None:
    repository.commit({"a.py": "import a\n", "empty.py": "", "b.bin": b"x\0y", "p.png": POINTER})
    for snapshot in (take(repository.path), take(repository.path, "HEAD")):
        assert identities(snapshot).contents == {
            "a.py": Content(digest(b"import a\n"), 9),
            "b.bin": Content(digest(b"x\0y"), 3, Trait.BINARY),
            "empty.py": Content(digest(b""), 0),
            "p.png": Content(digest(POINTER), len(POINTER), Trait.LFS_POINTER),
        }


def test_known_blobs_of_clean_files_are_not_read(repository: GitRepository, reads: list[str]) -> None:
    repository.commit({"a.py": "a", "b.py": "b", "twin.py": "a"})
    caches = MemoryCaches()
    first = identities(take(repository.path), caches)
    assert reads == ["a.py", "b.py", "twin.py"]
    assert identities(take(repository.path), caches) == first
    assert len(reads) == 3
    assert caches.named == {}
    assert identities(take(repository.path, "HEAD"), caches) == first


def test_dirty_files_are_read_once_until_they_change(repository: GitRepository, reads: list[str], many: None) -> None:
    repository.commit({"a.py": "a", "b.py": "b"})
    repository.write({"a.py": "changed", "new.py": "n"})
    make_old(repository.path / "a.py", repository.path / "new.py")
    caches = MemoryCaches()
    first = identities(take(repository.path), caches)
    assert first.contents["a.py"].digest == digest(b"changed")
    assert first.oids.keys() == {"b.py"}
    assert first.changed == set()
    assert reads == ["a.py", "b.py", "new.py"]
    assert identities(take(repository.path), caches) == first
    assert len(reads) == 3
    repository.write({"new.py": "x"})
    again = identities(take(repository.path), caches)
    assert again.contents["new.py"].digest == digest(b"x")
    assert reads[3:] == ["new.py", "new.py"]  # for the token, because it changed just now, and for its identity


def test_a_file_that_changed_just_now_is_not_trusted(repository: GitRepository, reads: list[str]) -> None:
    repository.write({"a.py": "a"})
    caches = MemoryCaches()
    for text in ("a", "b", "c"):
        status = (repository.path / "a.py").stat()
        repository.write({"a.py": text})
        os.utime(repository.path / "a.py", ns=(status.st_atime_ns, status.st_mtime_ns))
        assert identities(take(repository.path), caches).contents["a.py"].digest == digest(text.encode())
    assert caches.named == {}


def test_a_touched_file_keeps_its_blob(repository: GitRepository) -> None:
    repository.commit({"a.py": "a"})
    os.utime(repository.path / "a.py", (1_600_000_000, 1_600_000_000))
    snapshot = take(repository.path)
    assert snapshot.oids == {}
    assert snapshot.claimed == identities(snapshot).oids == {"a.py": repository.git("rev-parse", "HEAD:a.py")}


def test_the_stat_cache_forgets_files_that_are_gone(repository: GitRepository, many: None) -> None:
    repository.write({"a.py": "a", "b.py": "b"})
    make_old(repository.path / "a.py", repository.path / "b.py")
    caches = MemoryCaches()
    identities(take(repository.path), caches)
    (both,) = caches.named.values()
    (repository.path / "a.py").unlink()
    repository.write({"b.py": "bb"})
    make_old(repository.path / "b.py")
    identities(take(repository.path), caches)
    (one,) = caches.named.values()
    assert b"a.py" in both
    assert b"a.py" not in one
    assert b"b.py" in one


def test_a_damaged_stat_cache_is_no_cache(repository: GitRepository, reads: list[str], many: None) -> None:
    repository.write({"a.py": "a"})
    make_old(repository.path / "a.py")
    caches = MemoryCaches()
    first = identities(take(repository.path), caches)
    for payload in (b"", b"nonsense", b"\x93\x01\xc4\x01a\x90", b"\x93\x63\xc4\x04a.py\x90"):
        caches.named = dict.fromkeys(caches.named, payload)
        assert identities(take(repository.path), caches) == first
    assert reads == ["a.py"] * 5


def test_only_the_paths_asked_for_are_identified_and_the_others_stay_known(
    repository: GitRepository, reads: list[str], many: None
) -> None:
    repository.write({"a.py": "a", "b.py": "b"})
    make_old(repository.path / "a.py", repository.path / "b.py")
    caches = MemoryCaches()
    snapshot = take(repository.path)
    assert list(identify(snapshot, ["b.py"], caches).contents) == ["b.py"]
    assert list(identify(snapshot, ["a.py"], caches).contents) == ["a.py"]
    identify(snapshot, ["b.py", "a.py"], caches)
    assert reads == ["b.py", "a.py"]


def test_what_cannot_be_read_is_a_failure_with_a_reason(repository: GitRepository) -> None:
    repository.commit({"a.py": "a", "b.py": "b", "pkg/c.py": "c", "pkg/d.py": "d", "e.py": "e"})
    repository.write({"f.py": "f"})
    snapshot = take(repository.path)
    _ = snapshot.paths
    (repository.path / "a.py").unlink()
    (repository.path / "b.py").unlink()
    (repository.path / "b.py").symlink_to("/etc/passwd")
    (repository.path / "pkg").rename(repository.path / "moved")
    (repository.path / "pkg").symlink_to("moved")
    (repository.path / "e.py").unlink()
    (repository.path / "e.py").mkdir()
    (repository.path / "f.py").unlink()
    os.mkfifo(repository.path / "f.py")
    found = identities(snapshot)
    assert found.contents == {}
    assert sorted(found.failures) == ["a.py", "b.py", "e.py", "f.py", "pkg/c.py", "pkg/d.py"]
    assert found.failures["a.py"] == found.failures["pkg/c.py"] == "it is not there any more"
    assert found.failures["e.py"] == found.failures["f.py"] == "not a regular file"


def test_paths_out_of_the_root_are_never_opened(repository: GitRepository) -> None:
    repository.commit({"a.py": "a"})
    paths = ["../a.py", "/etc/passwd", "x/../../a.py", "", ".", "..", "a.py/", "a\0.py", "./a.py", "d/" * 3000 + "a.py"]
    for snapshot in (take(repository.path), take(repository.path, "HEAD")):
        found = identify(snapshot, paths, MemoryCaches())
        assert found.contents == {}
        assert sorted(found.failures) == sorted(paths)


@pytest.mark.parametrize("few", [True, False])
def test_files_that_change_after_the_snapshot_are_told_apart(
    repository: GitRepository, monkeypatch: pytest.MonkeyPatch, few: bool
) -> None:
    monkeypatch.setattr("weft.snapshot.snapshot._FEW_FILES", 10 if few else -1)
    repository.commit({"clean.py": "c"})
    repository.write({"same.py": "s", "edited.py": "e", "gone.py": "g"})
    make_old(*(repository.path / name for name in ("same.py", "edited.py", "gone.py")))
    snapshot = take(repository.path)
    repository.write({"edited.py": "edited"})
    (repository.path / "gone.py").unlink()
    found = identities(snapshot)
    assert found.changed == {"edited.py", "gone.py"}
    assert found.contents["edited.py"].digest == digest(b"edited")
    assert list(found.failures) == ["gone.py"]


def test_a_file_that_may_not_be_read_has_not_changed(
    repository: GitRepository, monkeypatch: pytest.MonkeyPatch, many: None
) -> None:
    repository.write({"a.py": "a"})
    original = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> int:
        if path == b"a.py":
            raise PermissionError(13, "Permission denied")
        return original(path, *arguments, **options)

    monkeypatch.setattr("weft_tasks.contents.beneath.os.open", refuse)
    snapshot = take(repository.path)
    assert take(repository.path).token == snapshot.token
    found = identities(snapshot)
    assert found.failures == {"a.py": "permission denied"}
    assert found.changed == set()


def test_a_file_that_changes_while_it_is_read_is_a_failure(
    repository: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write({"a.py": "a" * 100})
    snapshot = take(repository.path)
    original = os.read

    def read(descriptor: int, size: int) -> bytes:
        with open(repository.path / "a.py", "a", encoding="ascii") as file:
            file.write("more")
        return original(descriptor, size)

    monkeypatch.setattr("weft_tasks.contents.readers.os.read", read)
    assert identities(snapshot).failures == {"a.py": "it changes while it is read"}


def test_large_files_have_the_same_identity_however_they_are_read(repository: GitRepository) -> None:
    data = os.urandom(1 << 20).replace(b"\0", b"1") * 5 + b"end"
    repository.commit({"large.txt": data})
    expected = Content(digest(data), len(data), Trait.TEXT)
    on_disk, committed = identities(take(repository.path)), identities(take(repository.path, "HEAD"))
    assert on_disk == committed
    assert on_disk.contents == {"large.txt": expected}


# Conversions ------------------------------------------------------------------------------------------


def check_as_on_disk(repository: GitRepository, caches: MemoryCaches) -> tuple[Snapshot, Identities]:
    """Take the identities, which must be those of the bytes on disk; an oid must be that of these bytes."""
    snapshot = take(repository.path)
    found = identities(snapshot, caches)
    for path in snapshot.paths:
        data = (repository.path / path).read_bytes()
        assert found.contents[path].digest == digest(data), path
        if path in found.oids:
            raw = repository.git("hash-object", "--no-filters", "--stdin", stdin=data)
            assert found.oids[path] == raw
    return snapshot, found


@pytest.mark.parametrize(
    "attributes", ["* text=auto eol=crlf", "*.py eol=crlf", "*.py crlf", "[attr]x text eol=crlf\n*.py x"]
)
def test_line_endings_converted_at_checkout_are_those_on_disk(repository: GitRepository, attributes: str) -> None:
    repository.commit({".gitattributes": attributes + "\n", "a.py": "a\nb\n", "one.py": "one"})
    caches = MemoryCaches()
    identities(take(repository.path, "HEAD"), caches)  # all blobs are known
    (repository.path / "a.py").unlink()
    repository.git("-c", "core.eol=crlf", "checkout", "--", "a.py")
    repository.git("-c", "core.eol=crlf", "status")
    assert (repository.path / "a.py").read_bytes() == b"a\r\nb\r\n"
    snapshot, found = check_as_on_disk(repository, caches)
    assert snapshot.oids == {}
    assert "a.py" not in found.oids
    assert "one.py" in found.oids
    assert identities(take(repository.path), caches).contents == found.contents


@pytest.mark.parametrize("where", ["attributes", "nested", "untracked", "info", "global", "autocrlf"])
def test_line_endings_converted_when_added_are_those_on_disk(
    repository: GitRepository, tmp_path: Path, where: str
) -> None:
    places = {
        "attributes": repository.path / ".gitattributes",
        "nested": repository.path / "pkg/.gitattributes",
        "untracked": repository.path / ".gitattributes",
        "info": repository.path / ".git/info/attributes",
        "global": tmp_path / "home/config/git/attributes",
    }
    if where == "autocrlf":
        repository.git("config", "core.autocrlf", "input")
    else:
        places[where].parent.mkdir(parents=True, exist_ok=True)
        places[where].write_text("* text=auto\n")
    repository.write({"pkg/a.py": "a\r\nb\r\n", "pkg/b.py": "a\nb\n"})
    repository.git("add", "pkg/a.py", "pkg/b.py")
    repository.git("commit", "--quiet", "--message", "x")
    caches = MemoryCaches()
    identities(take(repository.path, "HEAD"), caches)
    _, found = check_as_on_disk(repository, caches)
    assert "pkg/a.py" not in found.oids
    assert "pkg/b.py" in found.oids


@pytest.mark.parametrize("attribute", ["filter=shout", "ident", "working-tree-encoding=UTF-16LE"])
def test_files_that_git_converts_in_other_ways_are_read(repository: GitRepository, attribute: str) -> None:
    repository.git("config", "filter.shout.smudge", "tr a-z A-Z")
    repository.git("config", "filter.shout.clean", "tr A-Z a-z")
    repository.commit({".gitattributes": f"*.txt {attribute}\n", "b.py": "b\n"})
    text = "$Id$ text\n" if attribute == "ident" else "some text\n"
    repository.write({"a.txt": text.encode("utf-16-le") if "encoding" in attribute else text})
    repository.commit()
    (repository.path / "a.txt").unlink()
    repository.git("checkout", "--", "a.txt")
    caches = MemoryCaches()
    identities(take(repository.path, "HEAD"), caches)
    snapshot, found = check_as_on_disk(repository, caches)
    assert "a.txt" in snapshot.claimed
    assert "b.py" in snapshot.converted
    assert found.oids.keys() == {".gitattributes", "b.py"}


def test_a_conversion_that_was_changed_after_checkout_is_found_out_when_doubted(
    repository: GitRepository, reads: list[str]
) -> None:
    repository.commit({".gitattributes": "*.py eol=crlf\n", "a.py": "a\n"})
    (repository.path / "a.py").unlink()
    repository.git("checkout", "--", "a.py")
    make_old(repository.path / "a.py")
    repository.git("status")
    caches = MemoryCaches()
    identities(take(repository.path, "HEAD"), caches)
    repository.commit({".gitattributes": ""})
    snapshot = take(repository.path)
    assert identities(snapshot, caches).oids.keys() == {"a.py", ".gitattributes"}  # what git itself believes
    found = identify(snapshot, ["a.py"], caches, doubted=True)
    assert found.contents["a.py"].digest == digest(b"a\r\n")
    reads.clear()
    _, found = check_as_on_disk(repository, caches)
    assert found.oids.keys() == {".gitattributes"}
    assert "a.py" not in reads


def test_a_link_that_the_file_system_cannot_hold_is_a_link(repository: GitRepository) -> None:
    (repository.path / "link.py").symlink_to("pkg/a.py")
    repository.commit({"pkg/a.py": "a"})
    repository.git("config", "core.symlinks", "false")
    (repository.path / "link.py").unlink()
    repository.git("checkout", "--", "link.py")
    assert not (repository.path / "link.py").is_symlink()
    snapshot = take(repository.path)
    assert snapshot.links == {"link.py": "pkg/a.py"}
    assert snapshot.paths == ("pkg/a.py",)


# Reasons to skip --------------------------------------------------------------------------------------

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 1\n"
MINIFIED = b"!function(e,t){return e(t)}(1,2);" * 100


def content_of(data: bytes, folder: Path) -> Content:
    write(folder, {"file": data})
    with TreeContents(str(folder)) as contents:
        return contents.identify("file", None)[0]


@pytest.mark.parametrize(
    ("path", "data", "reason"),
    [
        ("a.py", b"import a\n", None),
        ("a.py", b"\xff\xfe\x80 latin", None),
        ("a.py", b"x" * 8191 + b"\0", "binary"),
        ("a.py", b"x\n" * 4096 + b"\0", None),
        ("a.png", POINTER, "git lfs pointer"),
        ("a.md", POINTER + b"#" * 1024, None),
        ("a.js", MINIFIED, "minified"),
        ("a.tsx", b"/* licence */\n" * 5 + MINIFIED, "minified"),
        ("a.py", MINIFIED, None),
        ("a.json", MINIFIED, None),
        ("a.min.js", b"short()", "minified"),
        ("a.min.mjs", b"short()", "minified"),
        ("a.min.ts", b"short()", None),
        ("table.js", b"import x from 'y';\nexport default [" + b"1234,5678," * 1000 + b"]\n", None),
        ("image.ts", b"import x from 'y'\nexport const i = 'data:" + b"QUJD" * 5000 + b"'\n", None),
        ("long.js", b"const a = call(b, c) // and a comment\n" * 400, None),
        ("empty.js", b"", None),
        ("large.py", b"# a comment\n" * 400_000, "larger than 4194304 bytes (max_file_size)"),
    ],
)
def test_reasons_to_skip_a_file(path: str, data: bytes, reason: str | None, tmp_path: Path) -> None:
    assert skip_reason(path, content_of(data, tmp_path), Settings()) == reason


def test_the_largest_size_is_a_setting(tmp_path: Path) -> None:
    content = content_of(b"x" * 11, tmp_path)
    assert skip_reason("a.py", content, Settings(max_file_size=11)) is None
    assert skip_reason("a.py", content, Settings(max_file_size=10)) == "larger than 10 bytes (max_file_size)"


def test_no_process_is_left_behind(repository: GitRepository) -> None:
    repository.commit({"a.py": "a"})
    snapshot = take(repository.path, "HEAD")
    identities(snapshot)
    contents = snapshot.contents()
    contents.read("a.py")
    contents.close()
    contents.close()
    children = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "comm="], capture_output=True, check=False)
    assert b"git" not in children.stdout
