"""What is odd about manifests and imports whatever they mean: paths out of the repository, sizes, bounds on time."""

import time

import pytest

from weft_storage.model.edges import Outside, Status
from weft_storage.model.facts import EdgeKind
from weft_tasks.finalize.escapes import escapes
from weft_tasks.resolve.doubts import LARGE, doubts


@pytest.mark.parametrize(
    ("path", "text", "line", "told"),
    [
        ("Cargo.toml", '\n[dependencies]\na = { path = "../a" }', 3, "'../a' is outside the repository"),
        ("x/Cargo.toml", 'a = { path = "../../a" }', 1, "'../../a' is outside the repository"),
        ("Cargo.toml", 'a = { path = "/a" }', 1, "'/a' is outside the repository"),
        ("package.json", '{"dependencies": {"a": "link:./../a"}}', 1, "'link:./../a' is outside the repository"),
        ("package.json", '{"workspaces": ["a", "./**"]}', 1, "'./**' makes every folder a member"),
        ("pnpm-workspace.yaml", "packages:\n  - a\n  - ../a\n", 3, "'../a' is outside the repository"),
        ("pnpm-workspace.yaml", "packages:\n  - a\n  - '**/*'\n", 3, "'**/*' makes every folder a member"),
        ("setup.cfg", "[options.packages.find]\nwhere = ..\n", 2, "'..' is outside the repository"),
        ("setup.cfg", "[options]\npackage_dir=\n  =../a\n", 3, "'../a' is outside the repository"),
        ("pyproject.toml", '[tool.pytest.ini_options]\npythonpath = [".", "/a"]', 2, "'/a' is outside the repository"),
        ("tsconfig.app.json", '{"extends": "../base.json"}', 1, "'../base.json' is outside the repository"),
    ],
)
def test_what_leads_out_of_the_repository_is_told(path: str, text: str, line: int, told: str) -> None:
    assert doubts(path, text.encode()) == [f"line {line}: {told}"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a/Cargo.toml", 'a = { path = "../a" }'),
        ("Cargo.toml", '# a = { path = "../a" }'),
        ("package.json", '{"scripts": {"x": "cd ../x"}, "files": ["**"], "main": "..."}'),
        ("package.json", '{"workspaces": ["packages/**"], "files": ["**/*"]}'),
        ("pnpm-workspace.yaml", "packages:\n  - a/**\n  - '!**/test/**'\n"),
        ("tsconfig.json", '{"include": ["**/*"], "compilerOptions": {"baseUrl": "a", "paths": {"b": ["../b"]}}}'),
        ("tsconfig.json", '{"compilerOptions": {"paths": {"/*": ["./*"]}}}'),
        ("go.mod", "replace a => ../a"),
        ("anything.json", '"../x"'),
    ],
)
def test_what_stays_inside_is_not(path: str, text: str) -> None:
    assert doubts(path, text.encode()) == []


def test_a_manifest_that_no_person_wrote_is_told() -> None:
    assert doubts("package.json", b" " * (2 * LARGE)) == [
        "is a manifest of 2.0 MiB, which every scan after a change reads"
    ]


def test_many_doubts_are_counted() -> None:
    found = doubts("package.json", b"".join(b'"../%d"\n' % number for number in range(30)))
    assert (len(found), found[-1]) == (21, "and more like these")


@pytest.mark.parametrize(
    "piece",
    [
        b'"../',
        b'"..',
        b"packages:[",
        b'workspaces":["',
        b"path '",
        b'"paths":{',
        b'"paths":{{',
        b"./",
        b"#",
        b"\n ",
        b"**",
    ],
)
@pytest.mark.parametrize("name", ["package.json", "tsconfig.json", "setup.cfg", "Cargo.toml", "pnpm-workspace.yaml"])
def test_hostile_manifests_are_looked_through_in_bounded_time(name: str, piece: bytes) -> None:
    started = time.process_time()
    doubts(name, piece * (LARGE // len(piece)))
    assert time.process_time() - started < 20


def outside(importer: str, specifier: str, *probed: str, status: Status = Status.UNRESOLVED) -> Outside:
    return Outside(importer, 7, specifier, status, EdgeKind.IMPORT, probed=probed)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (outside("a/b.ts", "../../c"), "../../c"),
        (outside("a/b.rs", "c", "../c.rs"), "../c.rs"),
        (outside("a/b.rs", "c", "/etc/c.rs"), "/etc/c.rs"),
        (outside("a/b.go", "../../c/*.txt"), "../../c/*.txt"),
        (outside("a/b.py", "...c"), "...c"),
        (outside("b.py", ".."), ".."),
    ],
)
def test_an_import_that_leads_out_of_the_repository_is_told(found: Outside, told: str) -> None:
    assert escapes([found]) == (f"line 7: {told!r} is outside the repository",)


@pytest.mark.parametrize(
    "found",
    [
        outside("a/b.ts", "../c", "c.ts"),
        outside("a/b.ts", "/c", "/c.ts"),
        outside("a/b.ts", "../../c", status=Status.EXTERNAL),
        outside("a/b.py", "..c"),
        outside("a.py", ".c"),
        outside("a/b.rs", "c", "a/c.rs"),
    ],
)
def test_other_imports_are_not(found: Outside) -> None:
    assert escapes([found]) == ()


def test_many_imports_that_lead_out_are_counted() -> None:
    found = escapes(outside("a.ts", f"../{number}") for number in range(30))
    assert (len(found), found[-1]) == (21, "10 more imports lead out of the repository")
