"""Resolution of Go where a case file cannot say it: answers, reads, hostile names and manifests, bounds on time."""

import time
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft_storage.model.edges import Resolution, Status
from weft_storage.model.facts import EdgeKind, Import
from weft_storage.model.languages import Family, Language
from weft_storage.model.settings import Settings
from weft_tasks.resolve.go import RESOLVER
from weft_tasks.resolve.go.embed import Tree, embedded_files
from weft_tasks.resolve.go.gomod import parse_module, parse_workspace
from weft_tasks.resolve.go.layout import head
from weft_tasks.resolve.go.project import question
from weft_tasks.resolve.go.vendored import Vendored, parse_vendored
from weft_tasks.resolve.imports import resolve_file
from weft_tasks.resolve.index import RecordingIndex, Repository

MODULE = b"module example.com/m\n"


def index_of(files: Mapping[str, bytes]) -> RecordingIndex:
    return RecordingIndex(Repository(files, read=files.get, interface=lambda path: b""), Settings())


def resolved(files: Mapping[str, bytes], importer: str, specifier: str, kind: EdgeKind = EdgeKind.IMPORT) -> Resolution:
    return RESOLVER.resolve(importer, Import(specifier, kind, 1), index_of(files))


def embedded(paths: list[str], pattern: str, folder: str = "") -> list[str]:
    return embedded_files(Tree(sorted(paths)), folder, pattern, lambda path: False)


def test_every_answer_can_be_encoded_though_paths_hold_any_bytes() -> None:
    folder = b"\xff \n".decode("utf-8", "surrogateescape")
    files = {"go.mod": MODULE, f"{folder}/go.mod": b"module example.com/odd\n", f"{folder}/a.go": b"", "a.go": b""}
    files |= {f"{folder}/x.txt": b"", f"{folder}/p/p.go": b""}
    index = index_of(files)
    imports = [Import("example.com/odd/p", EdgeKind.IMPORT, 1), Import("example.com/odd/none", EdgeKind.IMPORT, 2)]
    result = resolve_file(f"{folder}/a.go", Language.GO, [Import("*.txt", EdgeKind.ASSET, 1), *imports], index)
    assert [edge.imported for edge in result.edges] == [f"{folder}/p", f"{folder}/x.txt"]
    outside = resolve_file("src/b.go", Language.GO, [Import("x/y", EdgeKind.IMPORT, 1)], index_of({"src/b.go": b""}))
    assert not outside.edges
    msgspec.msgpack.encode([*index.answers.items()])


def test_an_importer_reads_answers_about_its_own_imports_only() -> None:
    index = index_of({"go.mod": MODULE, "main.go": b"", "a/a.go": b"", "b/b.go": b""})
    imports = [Import("example.com/m/a", EdgeKind.IMPORT, 1), Import("fmt", EdgeKind.IMPORT, 2)]
    result = resolve_file("main.go", Language.GO, imports, index)
    assert result.reads == {
        f"a:go:{question('scope', '')}",
        f"a:go:{question('import', 'module ', 'example.com/m/a')}",
        f"a:go:{question('distribution')}",
    }


def test_an_answer_stays_the_same_when_a_package_gets_another_file() -> None:
    key = question("import", "module ", "example.com/m/a")
    before = index_of({"go.mod": MODULE, "a/a.go": b""}).ask(Family.GO, key)
    after = index_of({"go.mod": MODULE, "a/a.go": b"", "a/b.go": b"", "c/c.go": b""}).ask(Family.GO, key)
    assert before == after == ("package", "a")


@pytest.mark.parametrize("kind", [EdgeKind.IMPORT, EdgeKind.ASSET])
@pytest.mark.parametrize(
    "specifier",
    ["", "\0", "a\nb", "/", "//", ".", "..", "../..", "./../../../etc/passwd", "all:", "[", "a/" * 500_000, "*" * 5000],
)
def test_odd_specifiers_are_unresolved_and_never_leave_the_root(specifier: str, kind: EdgeKind) -> None:
    files = {"go.mod": MODULE, "p/a.txt": b"", "p/a_test.go": b""}
    found = resolved(files, "p/a_test.go", specifier, kind)
    if specifier != "*" * 5000 or kind is EdgeKind.IMPORT:
        assert found.status in (Status.UNRESOLVED, Status.EXTERNAL)
    assert not any(path.startswith(("/", "..")) for path in found.probed)


@given(st.text(), st.sampled_from([EdgeKind.IMPORT, EdgeKind.ASSET]))
def test_any_specifier_has_a_resolution(specifier: str, kind: EdgeKind) -> None:
    found = resolved({"go.mod": MODULE, "a/a.go": b"", "a/b/c.go": b""}, "a/a.go", specifier, kind)
    assert found.targets or found.package or found.probed


@given(st.binary() | st.text('modulereplacequs ()[]"`/.=>v01\n\t').map(str.encode))
def test_any_manifest_can_be_read(source: bytes) -> None:
    parse_module(source)
    parse_workspace(source)
    files = {"go.mod": source, "go.work": source, "a/go.mod": source, "a/a.go": b""}
    resolved(files, "a/a.go", "example.com/x")


@given(st.binary() | st.text("# v1.0=>\n/abc;workspace explicit").map(str.encode))
def test_any_listing_of_a_vendor_folder_can_be_read(source: bytes) -> None:
    parse_vendored(source)


def test_a_listing_has_its_packages_below_lines_of_modules() -> None:
    text = b"## workspace; x\nlost\n# a.org/a v1.0.0\n## explicit; go 1.2\na.org/a\na.org/a/b\ntwo words\n"
    text += b"# b.org/b => ./b\nb.org/b\n# short\nb.org/b/c\n# odd line here\nlost\n"
    assert parse_vendored(text) == Vendored(frozenset({"a.org/a", "a.org/a/b", "b.org/b", "b.org/b/c"}), workspace=True)
    assert parse_vendored(b"# a.org/a v1.0.0\n## workspace\n").workspace is False


@pytest.mark.parametrize(
    ("path", "folder", "found"),
    [
        ("a.org/m", "", ("a.org/m", "")),
        ("a.org/m/sub", "sub", ("a.org/m", "")),
        ("a.org/m/sub/v2", "sub", ("a.org/m", "")),
        ("a.org/m/v2", "v2", ("a.org/m", "")),
        ("a.org/m/v2", "", ("a.org/m", "")),
        ("a.org/m/x/y", "go/x/y", ("a.org/m", "go")),
        ("a.org/m", "src/m", ("a.org", "src")),
        ("m", "m", ("m", "m")),
        ("a.org/m", "n", ("a.org/m", "n")),
    ],
)
def test_the_head_is_what_stands_above_the_part_in_which_path_and_folder_agree(
    path: str, folder: str, found: tuple[str, str]
) -> None:
    assert head(path, folder) == found


@pytest.mark.parametrize("manifest", ["Godeps/Godeps.json", "vendor/vendor.json", "glide.yaml"])
@pytest.mark.parametrize(
    "source", [b"", b"\xff", b'"\xff"', b"[" * 100_000, b'{"ImportPath": 1, "rootPath": []}', b"package:"]
)
def test_odd_manifests_of_older_tools_say_nothing(manifest: str, source: bytes) -> None:
    found = resolved({manifest: source, "src/a.go": b"", "src/b/b.go": b""}, "src/a.go", "a.org/b")
    assert found.status is Status.EXTERNAL


@pytest.mark.parametrize(
    "source",
    [
        b"(" * 1_000_000,
        b"require (" * 100_000,
        b"require (\n" * 100_000,
        b'"' * 1_000_001,
        b'"' + b"\\" * 1_000_001,
        b"replace a => ../" + b"../" * 300_000 + b"\n",
        b"".join(b"replace m%d => ./m%d\n" % (n, n + 1) for n in range(30_000)),
        b"use ./a\n" * 100_000,
        b"// x\n" * 200_000,
        b"a/" * 500_000,
    ],
    ids=range(10),
)
def test_hostile_manifests_are_read_in_linear_time(source: bytes) -> None:
    started = time.process_time()
    resolved({"go.mod": source, "go.work": source, "a.go": b""}, "a.go", "m0/x")
    assert time.process_time() - started < 5


def test_a_deep_tree_of_modules_is_read_in_bounded_time() -> None:
    folders = ["/".join(["d"] * depth) for depth in range(1, 300)]
    files = {f"{folder}/go.mod": b"module example.com/m\n" for folder in folders}
    files |= {f"{folder}/a.go": b"" for folder in folders}
    started = time.process_time()
    index = index_of(files)
    for folder in folders:
        found = RESOLVER.resolve(f"{folder}/a.go", Import("example.com/m/d", EdgeKind.IMPORT, 1), index)
        # Each folder is a module of its own, so the one below never belongs to it.
        assert found.status is Status.UNRESOLVED
    assert time.process_time() - started < 5


def test_a_name_with_spaces_is_embedded_when_quoted() -> None:
    assert embedded(["with space.txt", "other.txt"], "with space.txt") == ["with space.txt"]


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("*", "abc", True),
        ("*c", "abc", True),
        ("a*", "abc", True),
        ("a*/b", "abc", False),
        ("a*b*c*d*e*", "axbxcxdxe", True),
        ("a*b*c*d*e*", "axbxcxdxxxe", True),
        ("a*b*c*d*e*f", "axbxcxdxe", False),
        ("a*b?c*x", "abxbbxdbxebxczzx", True),
        ("a*b?c*x", "abxbbxdbxebxczzy", False),
        ("ab[c]", "abc", True),
        ("ab[b-d]", "abc", True),
        ("ab[e-g]", "abc", False),
        ("ab[^c]", "abc", False),
        ("ab[^e-g]", "abc", True),
        ("a\\*b", "ab", False),
        ("a?b", "a☺b", True),
        ("a[^a]b", "a☺b", True),
        ("a??b", "a☺b", False),
        ("[a-ζ]*", "α", True),
        ("*[a-ζ]", "A", False),
        ("[\\]a]", "]", True),
        ("[\\-]", "-", True),
        ("[x\\-]", "x", True),
        ("[x\\-]", "z", False),
        ("[\\-x]", "a", False),
        ("[]a]", "a", False),
        ("[-]", "-", False),
        ("[x-]", "x", False),
        ("[-x]", "x", False),
        ("[a-b-c]", "a", False),
        ("[", "a", False),
        ("[^", "a", False),
        ("[^bc", "a", False),
        ("a[", "ab", False),
        ("*x", "xxx", True),
        ("**", "x", True),
        ("a**c", "abc", True),
    ],
)
def test_patterns_match_as_path_match_does(pattern: str, name: str, matches: bool) -> None:
    assert embedded([name], pattern) == ([name] if matches else [])


@pytest.mark.parametrize("name", ["a:b", "a'b", "a*", "con.txt", "NUL", "a.", ".git", "a\\b", "x\ny", "a;b"])
def test_names_that_no_module_can_hold_are_not_embedded(name: str) -> None:
    assert embedded([f"d/{name}", "d/ok"], "all:d") == ["d/ok"]


@pytest.mark.parametrize("name", ["com10", "ünïcode", "a b", "a~b", "@x", "a+b(1).txt", ".hidden", "_x"])
def test_other_names_are(name: str) -> None:
    assert embedded([f"d/{name}"], "all:d") == [f"d/{name}"]


def test_a_file_beside_a_directory_that_begins_like_it_is_not_lost() -> None:
    paths = ["d/a", "d/a-b", "d/a.b/c", "d/a0", "d/ab/c", "e/x", "d-e/x"]
    assert embedded(paths, "d") == ["d/a", "d/a-b", "d/a.b/c", "d/a0", "d/ab/c"]
    assert embedded(paths, "*/x") == ["d-e/x", "e/x"]


def test_patterns_with_many_stars_are_matched_in_bounded_time() -> None:
    started = time.process_time()
    embedded(["a" * 250] * 1 + [f"{'a' * 200}{n}" for n in range(1000)], "*a" * 100 + "b")
    assert time.process_time() - started < 5
