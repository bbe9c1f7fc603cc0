"""The law: after any edits the kept store holds what a fresh one would, in four languages at once.

A hypothesis machine edits a small repository whose names are few, so that files shadow, appear, vanish and come
back often; after every few edits the kept graph is compared with one rebuilt from zero, byte for byte.
"""

# ruff: noqa: E501 - a table of lines reads best as one

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from repositories import PROJECT, Repository
from weft_storage.backends import open_store

FOLDERS = ["", "pkg", "pkg/sub", "src", "src/app", "web", "web/lib"]
STEMS = ["a", "b", "index", "mod", "lib", "main", "__init__", "b_test"]
PYTHON_LINES = [
    "import a", "import pkg.a", "import pkg.sub", "from . import a, b", "from .a import x", "from pkg import a, mod",
    "from .. import b", "from src.app import main", "from pkg import *", "import app.main", "x = 1", "a = 2", "def f(): pass",
    "__all__ = ['a', 'b']", "import os", "if TYPE_CHECKING:\n    import b",
]  # fmt: skip
TYPESCRIPT_LINES = [
    'import a from "./a";', 'import { b } from "./b.js";', 'export * from "../lib";', 'import "./lib";', 'import x from "@/a";',
    'import y from "web";', 'import z from "web/lib/a";', 'const q = require("../web");', 'import type { T } from "./mod";',
    'import data from "./data.json";', 'import("./index");', "export const v = 1;", 'import fs from "fs";',
]  # fmt: skip
GO_LINES = [
    'import "example.com/m/pkg"', 'import "example.com/m/pkg/sub"', 'import "example.com/m"', 'import "example.com/other/lib"',
    'import "fmt"', "func F() {}", "var V = 1", 'import _ "example.com/m/src/app"',
]  # fmt: skip
RUST_LINES = [
    "mod a;", "mod b;", "pub mod lib;", "use crate::a::X;", "use super::b;", "use self::a::*;", "pub use crate::b::Y;",
    "use app::a;", "use std::fmt;", "fn f() { crate::b::g(); }", '#[path = "sub/b.rs"] mod other;', "mod inline { mod a; }",
]  # fmt: skip
LINES = {".py": PYTHON_LINES, ".pyi": PYTHON_LINES, ".ts": TYPESCRIPT_LINES, ".js": TYPESCRIPT_LINES, ".tsx": TYPESCRIPT_LINES,
         ".go": GO_LINES, ".rs": RUST_LINES}  # fmt: skip
MANIFESTS = {
    "web/package.json": ['{"name": "web"}', '{"name": "web", "main": "lib/a.ts"}', '{"name": "w", "exports": {"./lib/*": "./*.ts"}}', "{broken"],
    "package.json": ['{"workspaces": ["web"]}', '{"workspaces": ["*"]}', "{}"],
    "tsconfig.json": ['{"compilerOptions": {"paths": {"@/*": ["./web/*"]}}}', '{"compilerOptions": {"baseUrl": "."}} // x', "{"],
    "web/tsconfig.json": ['{"extends": "../tsconfig.json"}', '{"compilerOptions": {"paths": {"@/*": ["./lib/*"]}}}'],
    "go.mod": ["module example.com/m\n", "module example.com/other\n", "module example.com/m\nreplace example.com/other => ./src\n"],
    "src/go.mod": ["module example.com/other\n", "module example.com/m/src\n"],
    "go.work": ["go 1.22\nuse .\nuse ./src\n", "use ./src\n"],
    "Cargo.toml": ['[workspace]\nmembers = ["src", "pkg"]\n', '[package]\nname = "root"\n[dependencies]\napp = {path = "src"}\n'],
    "src/Cargo.toml": ['[package]\nname = "app"\nedition = "2021"\n[lib]\npath = "lib.rs"\n', '[package]\nname = "other"\n'],
    "pyproject.toml": ['[tool.pytest.ini_options]\npythonpath = ["src"]\n', "[project]\nname = 'a'\n", "[tool"],
    "src/pyproject.toml": ["[project]\nname = 'app'\n"],
    ".gitignore": ["web/\n", "*.pyi\n", "a.*\n"],
    "weft.toml": ['exclude = ["pkg/sub/"]\n', 'source_roots = ["src"]\n'],
    "web/data.json": ["{}", "[]"],
}  # fmt: skip


def contents(suffix: str) -> st.SearchStrategy[bytes]:
    """Sources of a language: lines that mean something, or broken bytes, or nothing."""
    head = b"package p\n" if suffix == ".go" else b""
    lines = st.lists(st.sampled_from(LINES[suffix]), max_size=4).map(lambda chosen: head + "\n".join(chosen).encode())
    return st.one_of(lines, lines, lines, st.just(b""), st.binary(max_size=12).map(lambda data: b"\xff(" + data))


names = st.builds(
    lambda folder, stem, suffix: os.path.join(folder, stem + suffix),
    st.sampled_from(FOLDERS),
    st.sampled_from(STEMS),
    st.sampled_from(sorted(LINES)),
)
files = names.flatmap(lambda name: st.tuples(st.just(name), contents(os.path.splitext(name)[1])))
manifests = st.sampled_from(sorted(MANIFESTS)).flatmap(
    lambda name: st.tuples(st.just(name), st.sampled_from(MANIFESTS[name]))
)


class IncrementalEqualsFromScratch(RuleBasedStateMachine):
    """Edits of a plain folder, scans of a kept store, comparison with a fresh one."""

    git = False

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="weft-law-"))
        root = self.folder / "repository"
        root.mkdir()
        self.repository = Repository(root, open_store(f"sqlite:///{self.folder}/graph.db"))
        if self.git:
            self.repository.git("init", "--quiet")

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.repository.store.close()
            shutil.rmtree(self.folder)

    def present(self) -> list[str]:
        root = self.repository.root
        found = (path for path in root.rglob("*") if path.is_file() or path.is_symlink())
        return sorted(str(path.relative_to(root)) for path in found if ".git" not in path.parts)

    def put(self, name: str, content: bytes) -> None:
        path = self.repository.root / name
        for parent in path.relative_to(self.repository.root).parents:
            above = self.repository.root / parent
            if above.is_file() or above.is_symlink():
                above.unlink()
        if path.is_symlink():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
        self.repository.write({name: content})

    @rule(edits=st.lists(files, min_size=1, max_size=4))
    def write_files(self, edits: list[tuple[str, bytes]]) -> None:
        for name, content in edits:
            self.put(name, content)

    @rule(edit=manifests)
    def write_manifest(self, edit: tuple[str, str]) -> None:
        self.put(edit[0], edit[1].encode())

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        if present := self.present():
            self.repository.delete(data.draw(st.sampled_from(present)))

    @rule(data=st.data(), new=names)
    def rename(self, data: st.DataObject, new: str) -> None:
        if present := self.present():
            old = data.draw(st.sampled_from(present))
            path = self.repository.root / old
            if not path.is_symlink():
                content = path.read_bytes()
                self.repository.delete(old)
                self.put(new, content)

    @rule(data=st.data(), new=st.sampled_from(["moved", "pkg", "web/lib", "src"]))
    def move_folder(self, data: st.DataObject, new: str) -> None:
        folders = [folder for folder in FOLDERS if folder and (self.repository.root / folder).is_dir()]
        if folders:
            old = data.draw(st.sampled_from(folders))
            if not (self.repository.root / new).exists() and not new.startswith(old + "/"):
                above = (self.repository.root / new).parent
                if above.is_dir():
                    shutil.move(self.repository.root / old, self.repository.root / new)

    @rule(data=st.data(), name=names)
    def link(self, data: st.DataObject, name: str) -> None:
        path = self.repository.root / name
        targets = [*self.present(), "pkg", "web", "../outside", "loop"]
        if not path.exists() and not path.is_symlink():
            target = data.draw(st.sampled_from(targets))
            self.put(name, b"")
            path.unlink()
            os.symlink(os.path.relpath(self.repository.root / target, path.parent), path)

    @rule(folder=st.sampled_from(["pkg", "src", "web"]), content=contents(".py"))
    def folder_to_file(self, folder: str, content: bytes) -> None:
        self.put(folder, content)

    @rule()
    def commit(self) -> None:
        if self.git:
            self.repository.commit()

    @rule()
    def scan(self) -> None:
        self.repository.scan()

    @rule()
    def scan_twice(self) -> None:
        self.repository.scan()
        run = self.repository.scan()
        assert run.counts["analyzed"] == run.counts["cached"] == run.affected == 0

    @rule()
    def compare(self) -> None:
        self.repository.scan()
        assert self.repository.differences() == []

    @invariant()
    def every_file_is_accounted_for(self) -> None:
        run = self.repository.store.published(PROJECT) if hasattr(self, "repository") else None
        if run is not None:
            states = ("analyzed", "unchanged", "cached", "skipped", "failed")
            assert run.counts["files"] == sum(run.counts[state] for state in states)


class IncrementalEqualsFromScratchInGit(IncrementalEqualsFromScratch):
    """The same in a git work tree, with commits in between."""

    git = True


TestIncrementalEqualsFromScratch = IncrementalEqualsFromScratch.TestCase
TestIncrementalEqualsFromScratch.settings = settings(stateful_step_count=25)
TestIncrementalEqualsFromScratchInGit = IncrementalEqualsFromScratchInGit.TestCase
TestIncrementalEqualsFromScratchInGit.settings = settings(stateful_step_count=25)
