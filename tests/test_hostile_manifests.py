"""Hostile manifests through the command line, on real folders: all are named as problems, and none leads outside.

Beside the repository lies a folder that every row tries to reach. Its files are watched: nothing may open them.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from canary import Canary
from weft.cli import group

OUTSIDE = {
    "canary.py": "import secret\n",
    "canary/__init__.py": "import secret\n",
    "canary.ts": 'import "./secret";\n',
    "canary.js": 'import "./secret";\n',
    "canary.go": 'package canary\n\nimport "secret.org/secret"\n',
    "canary.rs": "use secret::secret;\n",
    "canary.txt": "secret\n",
    "src/lib.rs": "use secret::secret;\n",
    "index.js": "",
    "setup.py": "from setuptools import setup; setup(name='canary')\n",
    "package.json": '{"name": "canary", "workspaces": ["*"]}\n',
    "tsconfig.json": '{"compilerOptions": {"paths": {"@x/*": ["./*"]}}}\n',
    "Cargo.toml": '[package]\nname = "canary"\nversion = "1.0.0"\n',
    "go.mod": "module canary.org/canary\n",
    "pyproject.toml": '[project]\nname = "canary"\n',
}

BIG = ",".join(f'"package-{number}": "^1.0.0"' for number in range(80_000))
CARGO = '[package]\nname = "x"\nversion = "1.0.0"\nedition = "2021"\n'
PYTHON = {"a.py": "import canary\nfrom canary import x\n"}
TYPESCRIPT = {"a.ts": 'import "canary";\nimport "@x/canary";\nimport "../outside/canary";\nimport "./canary";\n'}
GO = {"a.go": 'package a\n\nimport (\n\t"canary.org/canary"\n\t"../outside"\n)\n'}
RUST = {"src/lib.rs": "use canary::x;\n"}


@dataclass(frozen=True)
class Row:
    """A repository: `says` are (path, part of a problem's sentence). OUTSIDE in a text is the absolute folder."""

    name: str
    says: dict[str, str]
    files: dict[str, str]
    links: dict[str, str] = field(default_factory=dict)


ROWS = [
    # TypeScript
    Row(
        "an `extends` in a circle",
        {"base.json": "extends itself"},
        {"tsconfig.json": '{"extends": "./base.json"}', "base.json": '{"extends": "./tsconfig.json"}', "a.ts": ""},
    ),
    Row(
        "an `extends` of itself",
        {"tsconfig.json": "extends itself"},
        {"tsconfig.json": '{"extends": "./tsconfig"}', "a.ts": ""},
    ),
    Row(
        "an `extends` from outside",
        {"tsconfig.json": "'../outside/tsconfig.json' is outside"},
        {"tsconfig.json": '{"extends": "../outside/tsconfig.json"}', **TYPESCRIPT},
    ),
    Row(
        "an absolute `extends`",
        {"tsconfig.json": "/outside/tsconfig.json' is outside"},
        {"tsconfig.json": '{"extends": ["OUTSIDE/tsconfig.json"]}', **TYPESCRIPT},
    ),
    Row(
        "`references` outside",
        {"tsconfig.json": "'../outside' is outside"},
        {"tsconfig.json": '{"references": [{"path": "../outside"}]}', **TYPESCRIPT},
    ),
    Row(
        "`paths` that leave",
        {"tsconfig.json": "'../outside/*', which is outside", "a.ts": "'../outside/canary' is outside"},
        {"tsconfig.json": '{"compilerOptions": {"paths": {"@x/*": ["../outside/*"]}}}', **TYPESCRIPT},
    ),
    Row(
        "`paths` that leave by way of baseUrl",
        {"tsconfig.json": "'../../outside/*', which is outside"},
        {
            "base.json": '{"compilerOptions": {"baseUrl": "./src"}}',
            "tsconfig.json": '{"extends": "./base.json", "compilerOptions": {"paths": {"@x/*": ["../../outside/*"]}}}',
            **TYPESCRIPT,
        },
    ),
    Row(
        "absolute `paths`",
        {"tsconfig.json": "/outside/*', which is outside"},
        {"tsconfig.json": '{"compilerOptions": {"paths": {"@x/*": ["OUTSIDE/*"]}}}', **TYPESCRIPT},
    ),
    Row(
        "a baseUrl outside",
        {"tsconfig.json": "'../outside' is outside"},
        {"tsconfig.json": '{"compilerOptions": {"baseUrl": "../outside"}}', **TYPESCRIPT},
    ),
    Row(
        "rootDirs outside",
        {"tsconfig.json": "'../outside' is outside"},
        {"tsconfig.json": '{"compilerOptions": {"rootDirs": [".", "../outside"]}}', **TYPESCRIPT},
    ),
    Row(
        "an npm workspace of everything",
        {"package.json": "'**' makes every folder a member"},
        {"package.json": '{"workspaces": ["**"]}', "b/package.json": '{"name": "canary-b"}', **TYPESCRIPT},
    ),
    Row(
        "a pnpm workspace of everything, and of what is outside",
        {"pnpm-workspace.yaml": "'../**' is outside"},
        {"pnpm-workspace.yaml": "packages:\n  - '**'\n  - ../**\n", "package.json": "{}", **TYPESCRIPT},
    ),
    Row(
        "a workspace outside",
        {"package.json": "'../outside' is outside"},
        {"package.json": '{"workspaces": {"packages": ["../outside"]}}', **TYPESCRIPT},
    ),
    Row(
        "a package.json of two megabytes",
        {"package.json": "MiB"},
        {"package.json": f'{{"dependencies": {{{BIG}}}}}', **TYPESCRIPT},
    ),
    Row("half of it", {"package.json": "is not JSON"}, {"package.json": f'{{"dependencies": {{{BIG}', **TYPESCRIPT}),
    Row(
        "a deep package.json",
        {"package.json": "is not JSON"},
        {"package.json": '{"a":' * 400_000 + "1" + "}" * 400_000, **TYPESCRIPT},
    ),
    Row(
        "a package that is entered outside",
        {"b/package.json": "'../../outside/canary.js' is outside"},
        {
            "package.json": '{"workspaces": ["b"]}',
            "b/package.json": '{"name": "canary", "main": "../../outside/canary.js", "exports": "./../../outside/x"}',
            **TYPESCRIPT,
        },
    ),
    Row(
        "a dependency outside",
        {"package.json": "'file:../outside' is outside"},
        {"package.json": '{"dependencies": {"canary": "file:../outside"}}', **TYPESCRIPT},
    ),
    Row(
        "an import map that leaves",
        {"deno.json": "'../outside/' is outside"},
        {"deno.json": '{"imports": {"@x/": "../outside/"}}', **TYPESCRIPT},
    ),
    # Go
    Row(
        "a go.mod of errors",
        {"go.mod": "line 3: unexpected text or unclosed string"},
        {"go.mod": 'module a.org/a\nrequire (\n"unclosed\n)) (((\nbogus\n', **GO},
    ),
    Row(
        "a replacement outside",
        {"go.mod": "replacement '../../..' is outside"},
        {"go.mod": "module a.org/a\nrequire canary.org/canary v1.0.0\nreplace canary.org/canary => ../../..\n", **GO},
    ),
    Row(
        "an absolute replacement",
        {"go.mod": "is outside"},
        {"go.mod": "module a.org/a\nreplace canary.org/canary => OUTSIDE\n", **GO},
    ),
    Row(
        "a go.work that uses what is outside",
        {"go.work": "'../outside' is outside"},
        {"go.work": "go 1.22\nuse ../outside\nreplace canary.org/canary => ../outside\n", **GO},
    ),
    Row(
        "an embedded file outside",
        {"a.go": "'../outside/canary.txt' is outside"},
        {
            "go.mod": "module a.org/a\n",
            "a.go": 'package a\n\nimport _ "embed"\n\n//go:embed ../outside/canary.txt\nvar s string\n',
        },
    ),
    # Rust
    Row(
        "a module outside",
        {"src/lib.rs": "'../../../../etc/passwd' is outside"},
        {
            "Cargo.toml": CARGO,
            "src/lib.rs": '#[path = "../../../../etc/passwd"]\nmod a;\n#[path = "../../outside/canary.rs"]\nmod b;\n',
        },
    ),
    Row(
        "an absolute module",
        {"src/lib.rs": "/outside/canary.rs' is outside"},
        {"Cargo.toml": CARGO, "src/lib.rs": '#[path = "OUTSIDE/canary.rs"]\nmod b;\n'},
    ),
    Row(
        "an included file outside",
        {"src/lib.rs": "'../../outside/canary.rs' is outside"},
        {"Cargo.toml": CARGO, "src/lib.rs": 'include!("../../outside/canary.rs");\n'},
    ),
    Row(
        "a dependency by a path outside",
        {"Cargo.toml": "'../outside' is outside"},
        {"Cargo.toml": f'{CARGO}[dependencies]\ncanary = {{ path = "../outside" }}\n', **RUST},
    ),
    Row(
        "a dependency by an absolute path",
        {"Cargo.toml": "/outside' is outside"},
        {"Cargo.toml": f'{CARGO}[dependencies]\ncanary = {{ path = "OUTSIDE" }}\n', **RUST},
    ),
    Row(
        "members outside, and everything",
        {"Cargo.toml": "'../outside' is outside"},
        {"Cargo.toml": '[workspace]\nmembers = ["../outside", "**"]\n', "a/Cargo.toml": CARGO, "a/src/lib.rs": ""},
    ),
    Row(
        "targets outside",
        {"Cargo.toml": "'../outside/canary.rs' is outside"},
        {"Cargo.toml": f'{CARGO}build = "../outside/canary.rs"\n[lib]\npath = "../outside/canary.rs"\n', **RUST},
    ),
    Row(
        "a Cargo.toml of errors",
        {"Cargo.toml": "not a readable manifest"},
        {"Cargo.toml": "[package\nname =", **RUST},
    ),
    # Python
    Row(
        "packages that are found outside",
        {"pyproject.toml": "'../outside' is outside"},
        {"pyproject.toml": '[tool.setuptools.packages.find]\nwhere = ["../outside"]\n', **PYTHON},
    ),
    Row(
        "packages that are found by an absolute path",
        {"pyproject.toml": "/outside' is outside"},
        {"pyproject.toml": '[tool.setuptools.packages.find]\nwhere = ["OUTSIDE"]\n', **PYTHON},
    ),
    Row(
        "a package-dir outside",
        {"pyproject.toml": "'../outside' is outside"},
        {"pyproject.toml": '[tool.setuptools]\npackage-dir = { "" = "../outside" }\n', **PYTHON},
    ),
    Row(
        "a pythonpath outside",
        {"pyproject.toml": "'../outside' is outside"},
        {"pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["../outside"]\n', **PYTHON},
    ),
    Row(
        "poetry's packages from outside",
        {"pyproject.toml": "'../outside' is outside"},
        {"pyproject.toml": '[tool.poetry]\npackages = [{ include = "canary", from = "../outside" }]\n', **PYTHON},
    ),
    Row(
        "setup.cfg",
        {"setup.cfg": "line 3: '../outside' is outside"},
        {
            "setup.cfg": "[options]\npackage_dir =\n  = ../outside\n[options.packages.find]\nwhere = ../outside\n",
            **PYTHON,
        },
    ),
    Row(
        "setup.py",
        {"setup.py": "'../outside' is outside"},
        {"setup.py": 'from setuptools import setup\nsetup(name="x", package_dir={"": "../outside"})\n', **PYTHON},
    ),
    Row("a pyproject.toml of errors", {"pyproject.toml": "not TOML"}, {"pyproject.toml": "[tool.x\n", **PYTHON}),
    Row(
        "relative imports above the root",
        {"p/a.py": "line 1: '...canary' is outside"},
        {"p/a.py": "from ...canary import x\nfrom ... import canary\n", "p/__init__.py": ""},
    ),
    # Links
    Row(
        "links in a circle",
        {"x.py": "symlink loop", "deep/y": "symlink loop"},
        {"a.py": "import x\nimport deep.y.z\n", "deep/a.py": ""},
        {"x.py": "z.py", "z.py": "x.py", "deep/y": "y", "within": "."},
    ),
    Row(
        "links to what is outside",
        {"canary.py": "symlink out of the repository", "canary": "symlink out of the repository"},
        {**PYTHON, **TYPESCRIPT, **GO},
        {"canary.py": "../outside/canary.py", "canary": "../outside", "src": "OUTSIDE/src"},
    ),
    Row(
        "manifests that are links to what is outside",
        dict.fromkeys(("go.mod", "package.json", "Cargo.toml", "pyproject.toml"), "symlink out of the repository"),
        {**PYTHON, **TYPESCRIPT, **GO, **RUST},
        {
            name: f"../outside/{name}"
            for name in ("go.mod", "package.json", "tsconfig.json", "Cargo.toml", "pyproject.toml", "setup.py")
        },
    ),
]


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Canary]:
    """The watched folder, beside the repository."""
    watched = Canary(tmp_path / "outside", OUTSIDE)
    yield watched
    watched.close()


def scan(root: Path) -> None:
    """A scan in processes of its own, as a person starts it."""
    command = [sys.executable, "-m", "weft", "scan", "-q"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def read(root: Path, *arguments: str) -> str:
    """What a command says that only reads."""
    done = CliRunner().invoke(group, [*arguments, "--store", str(root / ".weft/graph.db"), "--project", root.name])
    assert done.exit_code == 0, done.output
    return done.output


def build(row: Row, root: Path, outside: Path) -> None:
    for name, text in row.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("OUTSIDE", str(outside)))
    for name, target in row.links.items():
        (root / name).symlink_to(target.replace("OUTSIDE", str(outside)))


def said(status: dict[str, Any], path: str) -> list[str]:
    return [each["message"] for each in status["problems"] if each["path"] == path]


def test_the_watch_tells_of_what_is_opened(canary: Canary) -> None:
    subprocess.run([sys.executable, "-c", f"open({str(canary.root / 'src/lib.rs')!r}).read()"], check=True)
    assert canary.opened() == ["src/lib.rs"]
    assert canary.opened() == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_is_hostile_is_a_problem_and_leads_nowhere(row: Row, tmp_path: Path, canary: Canary) -> None:
    root = tmp_path / "repository"
    build(row, root, canary.root)
    scan(root)
    status = json.loads(read(root, "status", "--format", "json"))
    for path, sentence in row.says.items():
        assert any(sentence in each for each in said(status, path)), (path, sentence, status["problems"])
    assert all(sentence in read(root, "status") for sentence in row.says.values())
    edges = [json.loads(line) for line in read(root, "export", "--format", "jsonl").splitlines()]
    assert all((root / edge["imported"]).resolve().is_relative_to(root) for edge in edges)
    told = read(root, "unresolved") + read(root, "unresolved", "--external") + read(root, "export", "--format", "json")
    assert "secret" not in told
    assert canary.opened() == []


@pytest.mark.parametrize("folder", ["../outside", "/etc", "a/../.."])
def test_source_roots_outside_are_refused(folder: str, tmp_path: Path, canary: Canary) -> None:
    root = tmp_path / "repository"
    build(Row("", {}, {"weft.toml": f'source_roots = ["{folder}"]\n', **PYTHON}), root, canary.root)
    done = subprocess.run([sys.executable, "-m", "weft", "scan"], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert f"source root '{folder}' is outside the repository" in done.stderr
    assert canary.opened() == []


@pytest.mark.parametrize("row", ROWS[::6], ids=lambda row: row.name)
def test_the_second_scan_says_the_same(row: Row, tmp_path: Path, canary: Canary) -> None:
    root = tmp_path / "repository"
    build(row, root, canary.root)
    scan(root)
    before = json.loads(read(root, "status", "--format", "json"))["problems"]
    (root / "more.txt").write_text("x")
    scan(root)
    assert json.loads(read(root, "status", "--format", "json"))["problems"] == before
    subprocess.run([sys.executable, "-m", "weft", "verify"], cwd=root, check=True, capture_output=True, timeout=60)
