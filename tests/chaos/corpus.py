"""A repository to scan: four languages, a published past and a future with much to do, the same at every call."""

import os
import random
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from repositories import GIT_ENVIRONMENT

PROJECT = "corpus"

OLD, NEW, POISONED = "old", "new", "poisoned"
"""Branches: what is published, what is scanned while things go wrong, and that with files that end their extractor."""

HUNGRY_FILE, SLOW_FILE = "poison/hungry.py", "poison/slow.rs"

_MODULES = 120
_LARGE_LINES = 3000
_LIMITS = "file_timeout = 1\nfile_memory = 256\n"

Files = dict[str, str]


@dataclass(frozen=True)
class Corpus:
    """A bare repository at `root`, in a folder as workers mount it."""

    root: Path

    @property
    def repositories(self) -> Path:
        """The folder with one repository per project."""
        return self.root.parent


def make_corpus(folder: Path) -> Corpus:
    """The repository with its branches, in an empty folder."""
    new = _manifests() | _python() | _typescript() | _go() | _rust()
    return _commit_all(folder, {OLD: _as_it_was(new), NEW: new, POISONED: new | _poison()})


def make_crowd(folder: Path, files: int) -> Corpus:
    """A repository of very many very small files."""
    crowd = {}
    for number in range(files):
        other = number * 7 % 100
        crowd[f"crowd/p{number % 100}/m{number}.py"] = f"from crowd.p{other} import m{other}  # {number}\n"
    return _commit_all(folder, {OLD: {"crowd/start.py": ""}, NEW: crowd})


def _commit_all(folder: Path, branches: Mapping[str, Files]) -> Corpus:
    work = folder / "work"
    _git(None, "init", "--quiet", str(work))
    for branch, files in branches.items():
        _git(work, "checkout", "--quiet", "--orphan", branch)
        for each in work.iterdir():
            if each.name != ".git":
                shutil.rmtree(each) if each.is_dir() else each.unlink()
        for name, text in files.items():
            path = work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        _git(work, "add", "--all")
        _git(work, "commit", "--quiet", "--message", branch)
    corpus = Corpus(folder / "repositories" / f"{PROJECT}.git")
    _git(None, "clone", "--quiet", "--bare", str(work), str(corpus.root))
    return corpus


def _git(folder: Path | None, *arguments: str) -> None:
    place = ("-C", str(folder)) if folder else ()
    subprocess.run(["git", *place, *arguments], env={**os.environ, **GIT_ENVIRONMENT}, check=True, capture_output=True)


def _as_it_was(new: Files) -> Files:
    """A quarter of the files, some of them otherwise, and some that will be gone."""
    kept = sorted(new)[::4]
    old = {name: new[name] for name in {*kept, *_manifests()}}
    old |= {name: f"{text}\n" for name, text in old.items() if name.endswith(("3.py", "3.ts", "3.rs"))}
    gone = {f"python/app/gone{number}.py": f"from app import m{number * 4}\n" for number in range(10)}
    return old | gone | {"go/gone/gone.go": 'package gone\n\nimport _ "example.com/corpus/p0"\n'}


def _manifests() -> Files:
    return {
        "python/pyproject.toml": '[project]\nname = "app"\n',
        "python/app/__init__.py": "from app.m1 import f1\n",
        "web/package.json": '{"name": "web", "dependencies": {"react": "1"}}\n',
        "web/tsconfig.json": '{"compilerOptions": {"baseUrl": ".", "paths": {"@lib/*": ["lib/*"]}}}\n',
        "go/go.mod": "module example.com/corpus\n\ngo 1.21\n",
        "rust/Cargo.toml": '[package]\nname = "corpus"\nversion = "0.1.0"\n',
    }


def _python() -> Files:
    files = {}
    for number, others in _neighbours(1):
        imports = "".join(f"from app.m{other} import f{other}\n" for other in others)
        files[f"python/app/m{number}.py"] = f"import os\nimport missing_{number}\n{imports}\n{_python_body(number)}"
    return files


def _python_body(number: int) -> str:
    large = "".join(
        f"def g{line}(a, b=[{line}, (1, 2)]):\n    return a + b[{line} % 2]\n" for line in range(_LARGE_LINES)
    )
    return f"def f{number}():\n    return os.name\n" + (large if number % 30 == 0 else "")


def _typescript() -> Files:
    files = {}
    for number, others in _neighbours(2):
        imports = "".join(f"import {{ f{other} }} from '@lib/m{other}';\n" for other in others)
        files[f"web/lib/m{number}.ts"] = (
            f"import React from 'react';\n{imports}export const f{number} = () => {number};\n"
        )
    return files


def _go() -> Files:
    files = {}
    for number, others in _neighbours(3):
        packages = sorted({other % 40 for other in others} - {number % 40})
        imports = "".join(f'import p{other} "example.com/corpus/p{other}"\n' for other in packages)
        uses = "".join(f"var _ = p{other}.F{other}\n" for other in packages)
        body = f"func F{number}() int {{ return {number} }}\n"
        files[f"go/p{number % 40}/m{number}.go"] = f'package p{number % 40}\n\nimport "fmt"\n{imports}\n{uses}{body}'
    return files


def _rust() -> Files:
    modules = "".join(f"pub mod m{number};\n" for number in range(_MODULES))
    files = {"rust/src/lib.rs": modules}
    for number, others in _neighbours(4):
        uses = "".join(f"use crate::m{other}::f{other};\n" for other in others)
        files[f"rust/src/m{number}.rs"] = f"use std::fmt;\n{uses}\npub fn f{number}() -> u32 {{ {number} }}\n"
    return files


def _neighbours(seed: int) -> list[tuple[int, list[int]]]:
    """Numbers of modules with those that each imports: mostly of smaller ones, so that cycles are few."""
    chance = random.Random(seed)
    found = []
    for number in range(_MODULES):
        others = {chance.randrange(number) for _ in range(3) if number} | ({number + 1} if number % 17 == 5 else set())
        found.append((number, sorted(others)))
    return found


def _poison() -> Files:
    return {
        "weft.toml": _LIMITS,
        # Deep nesting makes the parser's stack and the tree grow far beyond the size of the text.
        HUNGRY_FILE: "(" * 3_900_000,
        # For each raw string that begins the parser looks for its end in all that follows: much time, no memory.
        SLOW_FILE: 'r#"' * 40_000,
    }
