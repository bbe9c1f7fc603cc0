"""Lockfiles and manifests: what each format says, what moved between two, and that no bytes make trouble."""

# ruff: noqa: E501 - a table of hostile bytes reads best as one

import itertools
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lock_samples import SAMPLES, Sample
from weft_storage.model.languages import Family
from weft_tasks.locks import Extent, Lock, format_of, read_lock
from weft_tasks.locks.base import Builder
from weft_tasks.locks.comparison import Move, Moves, same_versions
from weft_tasks.locks.naming import package_names, type_names


def read(path: str, source: str | bytes) -> Lock:
    form = format_of(path)
    assert form is not None
    return read_lock(form, source.encode() if isinstance(source, str) else source)


def moves(path: str, old: str, new: str) -> Moves:
    before, after = read(path, old), read(path, new)
    assert not before.problem, before.problem
    assert not after.problem, after.problem
    return Moves(before, after)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_every_package_is_read_with_its_version(sample: Sample) -> None:
    lock = read(sample.path, sample.text)
    assert not lock.problem
    assert {(package.name, package.version) for package in lock.packages} == sample.packages


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_who_needs_whom(sample: Sample) -> None:
    lock = read(sample.path, sample.text)
    found = {(each.name, lock.packages[place].name) for each in lock.packages for place in each.requires}
    assert found == sample.needs


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_a_package_that_moves_takes_its_dependents_with_it_and_nobody_else(sample: Sample) -> None:
    found = moves(sample.path, sample.text, sample.moved())
    assert found.of("", sample.leaf) == Move(sample.leaf, *sample.versions)
    if sample.needs:
        assert found.of("", sample.middle) == Move(sample.leaf, *sample.versions, (sample.middle,))
    else:
        assert found.of("", sample.middle) is None
    assert found.of("", sample.other) is None
    assert found.knows("", sample.other)
    assert not found.knows("", "no-such-package")


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_order_comments_and_layout_mean_nothing(sample: Sample) -> None:
    for text in sample.same:
        assert text != sample.text
        assert read(sample.path, text) == read(sample.path, sample.text)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_a_package_that_comes_or_goes_moved(sample: Sample) -> None:
    whole, nothing = read(sample.path, sample.text), Lock(Extent.GRAPH)
    came, went = Moves(nothing, whole).of("", sample.other), Moves(whole, nothing).of("", sample.other)
    assert came is not None
    assert went is not None
    assert (came.before, went.after) == ("", "")
    assert came.after == went.before != ""


def test_another_content_at_the_same_version_is_a_move() -> None:
    old = '{"lockfileVersion": 3, "packages": {"node_modules/a": {"version": "1.0.0", "integrity": "sha512-x"}}}'
    assert moves("package-lock.json", old, old.replace("-x", "-y")).of("", "a") == Move("a", "1.0.0", "1.0.0")


def test_a_mirror_of_the_registry_is_no_move() -> None:
    entry = {"version": "1.0.0", "integrity": "sha512-x", "resolved": "https://registry.npmjs.org/a.tgz"}
    old = json.dumps({"lockfileVersion": 3, "packages": {"node_modules/a": entry}})
    assert read("package-lock.json", old) == read("package-lock.json", old.replace("registry.npmjs.org", "mirror.test"))


def test_a_package_in_two_versions_is_the_one_of_the_folder_that_asks() -> None:
    packages = {
        "": {"workspaces": ["packages/*"]},
        "packages/x": {"name": "x", "dependencies": {"a": "^1"}},
        "node_modules/x": {"resolved": "packages/x", "link": True},
        "node_modules/a": {"version": "2.0.0"},
        "node_modules/b": {"version": "1.0.0", "dependencies": {"a": "^2"}},
        "packages/x/node_modules/a": {"version": "1.0.0"},
    }
    old = json.dumps({"lockfileVersion": 3, "packages": packages})
    new = json.dumps({"lockfileVersion": 3, "packages": packages | {"node_modules/a": {"version": "2.1.0"}}})
    found = moves("package-lock.json", old, new)
    assert found.of("packages/x/src", "a") is None
    assert found.of("packages/y", "a") == Move("a", "2.0.0", "2.1.0")
    assert found.of("packages/x", "b") == Move("a", "2.0.0", "2.1.0", ("b",))


def test_a_package_that_takes_another_version_than_before_moved_what_depends_on_it() -> None:
    """Nothing came or went but for a copy: `b` is what it was, and takes the other of two versions of `a`."""
    packages = {
        "node_modules/a": {"version": "2.0.0"},
        "node_modules/b": {"version": "1.0.0", "dependencies": {"a": "*"}},
        "node_modules/b/node_modules/a": {"version": "1.0.0"},
        "node_modules/c": {"version": "1.0.0", "dependencies": {"a": "^1"}},
        "node_modules/c/node_modules/a": {"version": "1.0.0"},
    }
    deduped = {place: entry for place, entry in packages.items() if place != "node_modules/b/node_modules/a"}
    old, new = (json.dumps({"lockfileVersion": 3, "packages": each}) for each in (packages, deduped))
    found = moves("package-lock.json", old, new)
    assert found.of("", "b") == Move("a", "1.0.0", "2.0.0", ("b",))
    assert found.of("", "c") is None
    assert found.of("", "a") is None


def test_the_peers_of_a_package_are_what_it_needs() -> None:
    old = (
        "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      p:\n        specifier: ^1\n"
        "        version: 1.0.0(react@18.0.0)\n      react:\n        specifier: ^18\n        version: 18.0.0\n"
        "packages:\n  p@1.0.0:\n    resolution: {integrity: sha512-p}\n  react@18.0.0:\n"
        "    resolution: {integrity: sha512-r}\n"
        "snapshots:\n  p@1.0.0(react@18.0.0):\n    dependencies:\n      react: 18.0.0\n  react@18.0.0: {}\n"
    )
    new = old.replace("18.0.0", "18.0.1").replace("sha512-r", "sha512-s")
    assert moves("pnpm-lock.yaml", old, new).of("", "p") == Move("react", "18.0.0", "18.0.1", ("p",))


def test_go_sum_counts_other_contents_of_one_version_only_beside_a_complete_go_mod() -> None:
    old = "a.test/m v1.0.0 h1:x=\na.test/m v1.0.0/go.mod h1:y=\n"
    new = "a.test/m v1.0.0 h1:z=\na.test/n v1.0.0 h1:y=\n"
    found = Moves(*same_versions(read("go.sum", old), read("go.sum", new)))
    assert found.of("", "a.test/m") == Move("a.test/m", "v1.0.0", "v1.0.0")
    assert found.of("", "a.test/n") is None


def test_the_version_of_go_is_that_of_its_standard_library() -> None:
    old = "module m.test\ngo 1.21\nrequire a.test/a v1.0.0 // indirect\n"
    found = moves("go.mod", old, old.replace("1.21", "1.22"))
    assert found.of("", "std") == Move("std", "1.21", "1.22")
    assert found.of("", "a.test/a") is None
    assert read("go.mod", old).extent is Extent.FLAT
    assert read("go.mod", old.replace("1.21", "1.16")).extent is Extent.DIRECT


# Hostile files ----------------------------------------------------------------------------------------

NAMES = sorted({sample.path for sample in SAMPLES})
DEEP = 50_000
HOSTILE = [
    b"", b"\0", b"\xff\xfe", b"{", b"[]", b"null", b'{"packages": []}', b'{"lockfileVersion": 99}', b'{"lockfileVersion": 3, "packages": {"a": 1}}',
    b"[" * DEEP, b'{"a":' * DEEP, b"a: " * DEEP, b"- " * DEEP, b"{" * DEEP, b"? " * DEEP, b"&a [*a]", b"a: &a [x]\nb: [*a, *a]\n",
    b"[a" + b".a" * 100_000 + b"]\n", b"a" + b".a" * 50_000 + b" = 1\n", b"[[package]]\n" * 100_000, b"a = [" * DEEP,
    b"x:\n" * DEEP, b'"' * DEEP, b"a v1 h1:x=\n" * DEEP, b"require (\n" * DEEP, b"(" * DEEP, b"a==1 \\\n" * DEEP, b"a" * (9 << 20),
    b'{"lockfileVersion": 1, "dependencies": ' + b'{"a": {"dependencies": ' * 900 + b"{}" + b"}}" * 900 + b"}",
    b'{"lockfileVersion": 3, "packages": {"' + b"node_modules/a/" * 20_000 + b'": {"dependencies": {"b": "1"}}}}',
    b'{"lockfileVersion": 3, "packages": {"node_modules/\\ud800": {"version": "\\udc00"}}}',
]  # fmt: skip


@pytest.mark.parametrize("path", NAMES)
@pytest.mark.parametrize("source", HOSTILE, ids=[str(number) for number in range(len(HOSTILE))])
def test_no_file_is_a_crash_or_slow(path: str, source: bytes) -> None:
    start = time.process_time()
    lock = read(path, source)
    assert time.process_time() - start < 5
    Moves(lock, lock).of("", "a")


@given(st.sampled_from(SAMPLES), st.data())
def test_damaged_files_are_read_or_refused(sample: Sample, data: st.DataObject) -> None:
    source = sample.text.encode()
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, min(len(source), start + 40)))
    lock = read(sample.path, source[:start] + data.draw(st.binary(max_size=10)) + source[end:])
    assert lock.problem or all(place < len(lock.packages) for each in lock.packages for place in each.requires)


@given(st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"))), st.sampled_from("abcdef"))
def test_what_moved_is_what_reaches_it(needs: set[tuple[str, str]], moved: str) -> None:
    """The law of `Moves`, in any graph of packages, cycles included."""

    def build(version: str) -> Lock:
        builder = Builder(Extent.GRAPH)
        for name in "abcdef":
            builder.add(name, name, version if name == moved else "1")
        for name, needed in needs:
            builder.require(name, needed)
        return builder.build()

    reached = {moved}
    while more := {name for name, needed in needs if needed in reached} - reached:
        reached |= more
    found = Moves(build("1"), build("2"))
    for name in "abcdef":
        move = found.of("", name)
        assert (move is not None) == (name in reached)
        if move is not None:
            way = [*move.through, moved]
            assert way[0] == name
            assert all(step in needs for step in itertools.pairwise(way))


def test_only_files_of_known_names_count() -> None:
    for path in (
        "a/package-lock.json",
        "requirements.txt",
        "x/requirements-dev.txt",
        "requirements/base.txt",
        "go.sum",
    ):
        assert format_of(path) is not None
    for path in ("a/lock.json", "notes.txt", "node_modules/a/package.json", "go.work", "package-lock.json5"):
        assert format_of(path) is None


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("package-lock.json", b'{"lockfileVersion": 3, "packages": {%s"z": {}}}' % b"".join(b'"node_modules/%06d": {"dependencies": {"a": "1"}},' % n for n in range(59_000))),
        ("yarn.lock", b"__metadata:\n\n" + b"a@1, b@1:\n  version: 1\n  dependencies:\n" + b"    a: 1\n" * 290_000),
        ("uv.lock", b"version = 1\n" + b"".join(b'[[package]]\nname = "a"\nversion = "%d"\ndependencies = ["a"]\n' % n for n in range(30_000))),
        ("Cargo.lock", b"".join(b'[[package]]\nname = "a"\nversion = "%d"\nsource = "r"\ndependencies = ["a"]\n' % n for n in range(30_000))),
        ("pnpm-lock.yaml", b"lockfileVersion: 5.4\npackages:\n" + b"".join(b"  /a%d/1:\n    dependencies: {a: 1}\n" % n for n in range(59_000))),
        ("go.sum", b"".join(b"m.test/a v%d h1:x=\n" % n for n in range(299_000))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_the_largest_files_take_seconds_at_most(path: str, source: bytes) -> None:
    start = time.process_time()
    lock = read(path, source)
    assert not Moves(lock, lock)
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("family", "package", "specifier", "known", "expected"),
    [
        (Family.PYTHON, "yaml", "yaml", {"pyyaml"}, "pyyaml"),
        (Family.PYTHON, "PyYAML", "yaml", {"pyyaml"}, "pyyaml"),
        (Family.PYTHON, "dateutil", "dateutil.parser", {"python-dateutil"}, "python-dateutil"),
        (Family.PYTHON, "google", "google.cloud.storage.blob", {"google-cloud-storage", "google-auth"}, "google-cloud-storage"),
        (Family.PYTHON, "google", "google.protobuf.message", {"protobuf", "google-cloud"}, "protobuf"),
        (Family.PYTHON, "ruamel", "ruamel.yaml", {"ruamel-yaml", "pyyaml"}, "ruamel-yaml"),
        (Family.PYTHON, "unheard", "unheard.of", {"pyyaml"}, None),
        (Family.TYPESCRIPT, "@scope/a", "@scope/a/deep", {"@scope/a", "a"}, "@scope/a"),
        (Family.TYPESCRIPT, "node:buffer", "buffer/", {"buffer"}, "buffer"),
        (Family.TYPESCRIPT, "node:buffer", "node:buffer", {"buffer"}, None),
        (Family.GO, "x.test/a", "x.test/a/v2/sub", {"x.test/a", "x.test/a/v2"}, "x.test/a/v2"),
        (Family.GO, "std", "fmt", {"std"}, "std"),
        (Family.RUST, "serde_json", "serde_json::Value", {"serde-json"}, "serde-json"),
    ],
)  # fmt: skip
def test_which_package_an_import_means(
    family: Family, package: str, specifier: str, known: set[str], expected: str | None
) -> None:
    names = package_names(family, package, specifier)
    assert next((name for name in names if name in known), None) == expected


def test_packages_of_types_alone() -> None:
    assert list(type_names(Family.TYPESCRIPT, "@scope/a")) == ["@types/scope__a"]
    assert list(type_names(Family.TYPESCRIPT, "node:fs")) == ["@types/node"]
    assert list(type_names(Family.PYTHON, "PyYAML")) == ["types-pyyaml", "pyyaml-stubs"]
    assert list(type_names(Family.RUST, "serde")) == []
