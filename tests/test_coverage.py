"""Measured coverage through the command line: how imports ended per language, where unresolved ones were sought."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from weft.cli import group
from weft.report.schema import json_schema

FILES = {
    "pkg/__init__.py": "",
    "pkg/a.py": "import os\nimport pkg.b\nfrom pkg import c\nfrom pkg.gone import x\n",
    "pkg/b.py": "",
    "pkg/c.py": "",
    "web/a.ts": 'import "./b";\nimport "./gone";\nimport "react";\n',
    "web/b.ts": "",
    "go.mod": "module example.com/m\n",
    "main.go": 'package main\n\nimport (\n\t"fmt"\n\t"example.com/m/p"\n\t"example.com/m/gone"\n)\n',
    "p/p.go": "package p\n",
    "Cargo.toml": '[package]\nname = "m"\nversion = "1.0.0"\nedition = "2021"\n',
    "src/lib.rs": "mod a;\nmod gone;\nuse std::fmt;\n",
    "src/a.rs": "",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    scan(folder)
    return folder


def scan(root: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "weft", "scan", "-q", *arguments], cwd=root, check=True, timeout=60)


def read(root: Path, *arguments: str) -> str:
    done = CliRunner().invoke(group, [*arguments, "--store", str(root / ".weft/graph.db"), "--project", root.name])
    assert done.exit_code == 0, done.output
    return done.output


def coverage(root: Path) -> dict[str, dict[str, int]]:
    status = json.loads(read(root, "status", "--format", "json"))
    jsonschema.validate(status, json_schema("status"))
    found: dict[str, dict[str, int]] = status["coverage"]
    return found


def counts(resolved: int, external: int, unresolved: int) -> dict[str, int]:
    return {"resolved": resolved, "external": external, "ambiguous": 0, "unresolved": unresolved}


def test_status_counts_how_the_imports_of_each_language_ended(root: Path) -> None:
    assert coverage(root) == {
        # The packages that are executed on the way are no imports.
        "python": counts(2, 1, 1),
        "typescript": counts(1, 1, 1),
        "go": counts(1, 1, 1),
        "rust": counts(1, 1, 1),
    }


def test_unresolved_imports_are_listed_with_the_paths_that_were_looked_for(root: Path) -> None:
    listed: list[dict[str, Any]] = json.loads(read(root, "unresolved", "--format", "json"))["imports"]
    found = {(each["importer"], each["line"], each["specifier"]): each["probed"] for each in listed}
    assert found[("pkg/a.py", 4, "pkg.gone")] == ["pkg/gone/__init__.py", "pkg/gone.py"]
    assert found[("web/a.ts", 2, "./gone")][:2] == ["web/gone.ts", "web/gone.tsx"]
    assert found[("main.go", 6, "example.com/m/gone")] == ["gone"]
    assert found[("src/lib.rs", 2, "gone")] == ["src/gone.rs", "src/gone/mod.rs"]
    assert len(found) == 4
    assert "main.go:6  example.com/m/gone  looked for: gone\n" in read(root, "unresolved")


def test_coverage_after_an_edit_is_that_of_a_scan_from_nothing(root: Path) -> None:
    (root / "src/gone.rs").write_text("")
    (root / "pkg/a.py").write_text("import pkg.b\nimport re\n")
    (root / "web/b.ts").unlink()
    scan(root)
    after = coverage(root)
    assert (after["rust"], after["python"], after["typescript"]) == (counts(2, 1, 0), counts(1, 1, 0), counts(0, 1, 2))
    scan(root, "--full")
    assert coverage(root) == after
