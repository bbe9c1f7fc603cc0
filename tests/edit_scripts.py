"""Edits of repositories as data: worlds to begin with, what may be done to them, scripts of it. Knows nothing of Weft.

An edit never fails: what is in its way gives way, and what it needs and does not find makes it do nothing. So every
list of edits is a script, whoever shortens it; its `repr` is Python that can be pasted into a test.
"""

# ruff: noqa: E501 - a table of sources reads best as one

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Text: TypeAlias = str | bytes
GitCommand: TypeAlias = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Write:
    """A file with this content, created or replaced. A folder that was there goes; so do files where folders must be."""

    path: str
    content: Text


@dataclass(frozen=True, slots=True)
class Append:
    """The file with more at its end."""

    path: str
    content: Text


@dataclass(frozen=True, slots=True)
class Touch:
    """The file with another time of modification, and nothing else."""

    path: str


@dataclass(frozen=True, slots=True)
class Delete:
    """No file, folder or link there any more."""

    path: str


@dataclass(frozen=True, slots=True)
class Move:
    """A file, folder or link under another name, which may differ in case only."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link that says `target`, in place of whatever was there."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything in git's index, uncommitted."""


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything committed."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Everything committed, and then the work tree of a branch; a new one starts here."""

    branch: str


@dataclass(frozen=True, slots=True)
class Revert:
    """What is uncommitted committed, and then the tree of the commit before as a new commit."""


@dataclass(frozen=True, slots=True)
class Discard:
    """Tracked files as they were committed; those that git does not know stay."""


Edit: TypeAlias = Write | Append | Touch | Delete | Move | Link | Stage | Commit | Switch | Revert | Discard


def apply(root: str, edits: Iterable[Edit], git: GitCommand | None = None) -> None:
    """Carry out edits beneath a folder. Those of git's are nothing where there is no `git`."""
    for edit in edits:
        match edit:
            case Write(path, content):
                _write(root, path, content, "wb")
            case Append(path, content):
                if os.path.isfile(os.path.join(root, path)) and not _is_behind_link(root, path):
                    _write(root, path, content, "ab")
            case Touch(path):
                if os.path.exists(os.path.join(root, path)):
                    os.utime(os.path.join(root, path), ns=(1, 1_700_000_000_000_000_000))
            case Delete(path):
                _delete(os.path.join(root, path))
            case Move(old, new):
                _move(root, old, new)
            case Link(path, target):
                _clear(root, path)
                os.symlink(target, os.path.join(root, path))
            case _:
                if git is not None:
                    _run_git(git, edit)


def _write(root: str, path: str, content: Text, mode: str) -> None:
    place = os.path.join(root, path)
    if mode == "wb" and (os.path.islink(place) or not os.path.isfile(place) or _is_behind_link(root, path)):
        _clear(root, path)
    with open(place, mode) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def _clear(root: str, path: str) -> None:
    """Make room for something at a path: folders above it, nothing at it."""
    folders = path.split("/")[:-1]
    for depth in range(1, len(folders) + 1):
        above = os.path.join(root, *folders[:depth])
        if os.path.islink(above) or os.path.isfile(above):
            os.unlink(above)
    os.makedirs(os.path.join(root, *folders), exist_ok=True)
    _delete(os.path.join(root, path))


def _delete(place: str) -> None:
    if os.path.islink(place) or os.path.isfile(place):
        os.unlink(place)
    elif os.path.isdir(place):
        shutil.rmtree(place)


def _move(root: str, old: str, new: str) -> None:
    source, target = os.path.join(root, old), os.path.join(root, new)
    if os.path.lexists(source) and old != new and not f"{new}/".startswith(f"{old}/"):
        aside = os.path.join(root, ".git-aside")  # What is in the way may be what the source stands in.
        os.rename(source, aside)
        _clear(root, new)
        os.rename(aside, target)


def _is_behind_link(root: str, path: str) -> bool:
    folders = path.split("/")
    return any(os.path.islink(os.path.join(root, *folders[:depth])) for depth in range(1, len(folders)))


def _run_git(git: GitCommand, edit: Stage | Commit | Switch | Revert | Discard) -> None:
    if isinstance(edit, Discard):
        git("reset", "--quiet", "--hard")
        return
    git("add", "--all")
    if isinstance(edit, Stage) or (isinstance(edit, Revert) and not git("rev-list", "--all")):
        return
    if not isinstance(edit, Revert) or git("status", "--porcelain", "--untracked-files=no"):
        git("commit", "--quiet", "--allow-empty", "--message", "a change")
    if isinstance(edit, Switch):
        known = git("branch", "--list", edit.branch).strip()
        git("checkout", "--quiet", *([] if known else ["-b"]), edit.branch)
    elif isinstance(edit, Revert) and int(git("rev-list", "--count", "HEAD")) > 1:
        git("read-tree", "-u", "--reset", "HEAD~1")
        git("commit", "--quiet", "--allow-empty", "--message", "a revert")


# Worlds -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class World:
    """A repository to begin with, and what edits of it choose from.

    `paths` are names that something in it probes, in vain or not; `lines` are what sources consist of, by suffix;
    `manifests` are contents of files that bear on many.
    """

    files: Mapping[str, Text]
    paths: Sequence[str]
    lines: Mapping[str, Sequence[str]]
    manifests: Mapping[str, Sequence[Text]]


_EVERYWHERE: dict[str, Sequence[Text]] = {
    ".gitignore": ["", "lib/\n", "*.pyi\nmissing.*\n", "/src/app/\n", "/packages/ui/\n!/packages/ui/src/\n", "target/\n"],
    "weft.toml": ["", 'exclude = ["lib/"]\n', 'source_roots = ["lib", "."]\n', 'exclude = ["**/deep/"]\nsource_roots = ["src"]\n',
                  '[[extra_edges]]\nimporter = "src/app/core.py"\nimported = "pyproject.toml"\n'],
}  # fmt: skip

PYTHON = World(
    files={
        "pyproject.toml": "[project]\nname = 'demo'\n[tool.pytest.ini_options]\npythonpath = ['src']\n",
        "src/app/__init__.py": "from .core import run\n",
        "src/app/core.py": "from app import util, missing\nfrom app.util import helper\nimport lib.tools\nimport lib.absent\n\n\ndef run(): ...\n",
        "src/app/util.py": "import os\n\n\ndef helper(): ...\n",
        "src/app/sub/__init__.py": "from . import leaf\nfrom .leaf import *\n",
        "src/app/sub/leaf.py": "from .. import util\nfrom ..core import run\n__all__ = ['leaf_name']\nleaf_name = 1\n",
        "lib/__init__.py": "",
        "lib/tools.py": "import ns.one.mod\nfrom app.sub import leaf_name\n",
        "ns/one/mod.py": "X = 1\n",
        "tests/test_core.py": "import app.core\nfrom app import *\nimport helpers\nfrom lib import tools\n",
        "tests/helpers.py": "import requests\n",
    },
    paths=(
        "src/app/util/__init__.py", "src/app/util.pyi", "src/app/missing.py", "src/app/missing/__init__.py", "src/app/Core.py",
        "src/app/sub/leaf/__init__.py", "src/app/sub/util.py", "app/__init__.py", "app/core.py", "lib/absent.py", "lib/tools/__init__.py",
        "src/lib/__init__.py", "src/lib/tools.py", "src/__init__.py", "tests/__init__.py", "tests/helpers/__init__.py", "tests/app.py",
        "helpers.py", "conftest.py", "ns/__init__.py", "ns/one/__init__.py", "src/ns/two/mod.py", "requests.py", "os.py",
    ),
    lines={
        ".py": ("from . import util", "from .core import run", "import app.core", "import app.sub.leaf as l", "from app import *", "from app.sub import *",
                "import lib.tools", "import lib", "from lib import absent, tools", "import ns.one.mod", "from ns.one import mod", "from .. import util", "import helpers",
                "from .leaf import leaf_name", "import requests", "x = 1", "missing = 2", "def run(): ...", "__all__ = ['leaf_name', 'x']", "# a comment",
                "if TYPE_CHECKING:\n    import app.missing", "import importlib\nimportlib.import_module('app.util')", "try:\n    import lib.absent\nexcept ImportError: pass"),
    },
    manifests={
        "pyproject.toml": ("[project]\nname = 'demo'\n", "[tool.pytest.ini_options]\npythonpath = ['lib', 'tests']\n", "[tool.setuptools.packages.find]\nwhere = ['src']\n",
                           "[tool.poetry]\nname = 'demo'\npackages = [{include = 'app', from = 'src'}]\n", "[project\n", ""),
        "src/pyproject.toml": ("[project]\nname = 'inner'\n", "[tool.weft]\n"),
        "setup.cfg": ("[options]\npackage_dir =\n    = src\n", "[options.packages.find]\nwhere = lib\n"),
        "pytest.ini": ("[pytest]\npythonpath = . src\n",),
        **_EVERYWHERE,
    },
)  # fmt: skip

TYPESCRIPT = World(
    files={
        "package.json": '{"name": "root", "workspaces": ["packages/*"]}',
        "tsconfig.json": '{"compilerOptions": {"paths": {"@/*": ["./packages/web/src/*"]}}}',
        "packages/web/package.json": '{"name": "web", "imports": {"#store": "./src/store.ts"}}',
        "packages/web/src/main.ts": 'import "./view";\nimport { s } from "@/store";\nimport * as ui from "ui";\nimport b from "ui/button";\nimport "./missing";\nimport s2 from "#store";\n',
        "packages/web/src/view.tsx": 'import type { Props } from "./types";\nexport { Button } from "ui";\nimport data from "./data.json";\n',
        "packages/web/src/store.ts": "export const s = 1;\n",
        "packages/web/src/types.ts": "export type Props = {};\n",
        "packages/web/src/data.json": "{}",
        "packages/web/src/widgets/index.ts": 'export * from "../view";\nconst lazy = () => import("./lazy");\n',
        "packages/web/src/widgets/lazy.js": 'const w = require("..");\nrequire("../widgets");\n',
        "packages/ui/package.json": '{"name": "ui", "exports": {".": "./src/index.ts", "./*": "./src/*.ts"}}',
        "packages/ui/src/index.ts": 'export * from "./button";\nexport * from "./absent";\n',
        "packages/ui/src/button.ts": 'import react from "react";\nexport const Button = 1;\n',
    },
    paths=(
        "packages/web/src/view.ts", "packages/web/src/view.js", "packages/web/src/view.d.ts", "packages/web/src/view/index.ts", "packages/web/src/View.tsx",
        "packages/web/src/missing.ts", "packages/web/src/missing/index.js", "packages/web/src/missing.vue", "packages/web/src/store/index.ts", "packages/web/src/index.ts",
        "packages/web/src/widgets.ts", "packages/web/src/widgets/lazy.ts", "packages/ui/src/button/index.ts", "packages/ui/src/button.tsx", "packages/ui/src/absent.ts",
        "packages/ui/src/index.js", "packages/ui/index.ts", "packages/ui/button.ts", "packages/other/index.ts", "react.ts", "web.ts", "ui/index.ts", "src/store.ts",
    ),
    lines={
        ".ts": ('import "./view";', 'import { Button } from "./button.js";', 'export * from "../view";', 'import "./widgets";', 'import x from "@/store";', 'import m from "@/missing";',
                'import y from "ui";', 'import z from "ui/button";', 'const q = require("..");', 'import type { T } from "./types";', 'import d from "./data.json";', 'import("./lazy");',
                "export const v = 1;", 'import react from "react";', 'import o from "other";', "// a comment", 'import s from "#store";', 'jest.mock("./store");',
                'const g = import.meta.glob("./**/*.ts");', 'const i = import.meta.glob("../*.{ts,json}");'),
    },
    manifests={
        "package.json": ('{"name": "root"}', '{"workspaces": ["packages/web"]}', '{"workspaces": ["*", "packages/*"]}', "{broken", '{"workspaces": {"packages": ["packages/u*"]}}'),
        "pnpm-workspace.yaml": ("packages:\n  - packages/*\n", "packages:\n  - packages/web\n"),
        "tsconfig.json": ('{"compilerOptions": {"baseUrl": "."}} // a comment', '{"compilerOptions": {"paths": {"@/*": ["./packages/ui/src/*", "./src/*"], "other": ["./react"]}}}', "{", "{}"),
        "packages/web/tsconfig.json": ('{"extends": "../../tsconfig.json"}', '{"extends": "../../tsconfig.json", "compilerOptions": {"baseUrl": "src"}}', '{"compilerOptions": {"paths": {"@/*": ["./src/widgets/*"]}}}'),
        "packages/web/package.json": ('{"name": "web", "main": "src/main.ts"}', '{"name": "other", "imports": {"#*": "./src/*.ts"}}', "{}"),
        "packages/ui/package.json": ('{"name": "ui"}', '{"name": "ui", "main": "src/button.ts"}', '{"name": "ui", "exports": "./src/index.ts"}', '{"name": "kit", "exports": {".": "./src/index.ts"}}',
                                     '{"name": "ui", "exports": {".": {"types": "./src/index.d.ts", "import": "./dist/index.js"}, "./button": null}}', '{"name": "react"}'),
        "packages/web/src/data.json": ("[]", "[1]"),
        **_EVERYWHERE,
    },
)  # fmt: skip

GO = World(
    files={
        "go.work": "go 1.22\n\nuse (\n\t./svc\n\t./shared\n)\n",
        "svc/go.mod": "module example.com/svc\n\ngo 1.22\n",
        "svc/main.go": 'package main\n\nimport (\n\t"fmt"\n\t"example.com/svc/api"\n\t"example.com/shared/text"\n\t"example.com/svc/missing"\n)\n',
        "svc/api/api.go": 'package api\n\nimport (\n\t"example.com/shared/text"\n\t"example.com/svc/internal/db"\n)\n',
        "svc/api/more.go": "package api\n\nvar More = 1\n",
        "svc/api/api_test.go": 'package api_test\n\nimport "example.com/svc/api"\n',
        "svc/internal/db/db.go": 'package db\n\nimport _ "embed"\n\n//go:embed schema.sql\nvar Schema string\n',
        "svc/internal/db/schema.sql": "select 1;\n",
        "shared/go.mod": "module example.com/shared\n",
        "shared/text/text.go": 'package text\n\nimport "github.com/some/thing"\n',
    },
    paths=(
        "svc/missing/missing.go", "svc/missing/missing_test.go", "svc/missing/readme.md", "svc/api/zz.go", "svc/api/API.go", "svc/api/inner/inner.go", "svc/internal/db/other.sql",
        "svc/vendor/github.com/some/thing/thing.go", "svc/vendor/modules.txt", "svc/text/text.go", "svc/shared/text/text.go", "shared/text/text_linux.go", "shared/text/sub/sub.go",
        "shared/shared.go", "api/api.go", "thing/thing.go", "svc/testdata/x.go",
    ),
    lines={
        ".go": ('import "example.com/svc/api"', 'import "example.com/svc"', 'import "example.com/shared/text"', 'import "example.com/shared"', 'import t "example.com/svc/internal/db"',
                'import "example.com/svc/missing"', 'import "fmt"', 'import "github.com/some/thing"', "func F() {}", "var V = 1", "// a comment", 'import . "example.com/svc/api/inner"',
                'import "example.com/other/text"', "//go:embed *.sql\nvar Q string", 'import "C"'),
    },
    manifests={
        "go.work": ("go 1.22\nuse ./svc\n", "use .\nuse ./svc\nuse ./shared\n", "use ./svc\nreplace example.com/other => ./shared\n", "use (\n"),
        "svc/go.mod": ("module example.com/service\n", "module example.com/svc\nreplace example.com/shared => ../shared\n", "module example.com/svc\nrequire github.com/some/thing v1.0.0\n", "modul"),
        "shared/go.mod": ("module example.com/other\n", "module example.com/svc/shared\n", "module github.com/some/thing\n"),
        "go.mod": ("module example.com\n", "module example.com/svc\n"),
        "svc/internal/db/schema.sql": ("select 2;\n",),
        **_EVERYWHERE,
    },
)  # fmt: skip

RUST = World(
    files={
        "Cargo.toml": '[workspace]\nmembers = ["crates/*"]\n',
        "crates/base/Cargo.toml": '[package]\nname = "base"\nedition = "2021"\n',
        "crates/base/src/lib.rs": "pub mod model;\npub mod deep;\nmod absent;\npub use model::Thing;\npub use deep::*;\n",
        "crates/base/src/model.rs": "use crate::deep::inner::Leaf;\npub struct Thing;\n",
        "crates/base/src/deep/mod.rs": "pub mod inner;\nuse super::model;\npub struct Deep;\n",
        "crates/base/src/deep/inner.rs": "use super::super::Thing;\npub struct Leaf;\n",
        "crates/tool/Cargo.toml": '[package]\nname = "tool"\nedition = "2021"\n[dependencies]\nbase = { path = "../base" }\nserde = "1"\n',
        "crates/tool/src/main.rs": "mod cli;\nuse base::Thing;\nuse base::deep::inner;\nuse serde::Serialize;\n",
        "crates/tool/src/cli.rs": 'use base::Deep;\nuse crate::run;\nconst T: &str = include_str!("help.txt");\n',
        "crates/tool/src/help.txt": "help\n",
    },
    paths=(
        "crates/base/src/deep.rs", "crates/base/src/model/mod.rs", "crates/base/src/model/part.rs", "crates/base/src/absent.rs", "crates/base/src/absent/mod.rs", "crates/base/src/Model.rs",
        "crates/base/src/main.rs", "crates/base/build.rs", "crates/base/tests/it.rs", "crates/tool/src/lib.rs", "crates/tool/src/cli/mod.rs", "crates/tool/src/cli/deep.rs",
        "crates/tool/src/bin/two.rs", "crates/extra/src/lib.rs", "crates/extra/Cargo.toml", "crates/serde/src/lib.rs", "src/lib.rs",
    ),
    lines={
        ".rs": ("mod model;", "pub mod deep;", "mod absent;", "pub mod inner;", "mod part;", "use crate::model::Thing;", "use super::model;", "use self::deep::*;", "pub use crate::deep::Deep;",
                "use base::Thing;", "use base::deep::inner::Leaf;", "use base::*;", "use serde::Serialize;", "use std::fmt;", "pub struct Thing;", "pub struct Deep;", "fn f() { crate::model::g(); }",
                '#[path = "deep/inner.rs"]\nmod other;', "mod inline { mod part; }", "// a comment", "extern crate base;", 'const X: &str = include_str!("help.txt");'),
    },
    manifests={
        "Cargo.toml": ('[workspace]\nmembers = ["crates/base"]\n', '[workspace]\nmembers = ["crates/*"]\nexclude = ["crates/tool"]\n', '[package]\nname = "root"\n[dependencies]\nbase = { path = "crates/base" }\n',
                       '[workspace]\nmembers = ["crates/*"]\n[workspace.dependencies]\nbase = { path = "crates/extra" }\n', "[workspace\n"),
        "crates/base/Cargo.toml": ('[package]\nname = "core-base"\n', '[package]\nname = "base"\n[lib]\npath = "src/model.rs"\n', '[package]\nname = "base"\n[lib]\nname = "serde"\n', "[package"),
        "crates/tool/Cargo.toml": ('[package]\nname = "tool"\n', '[package]\nname = "tool"\n[dependencies]\nserde = { path = "../serde" }\nbase = { workspace = true }\n',
                                   '[package]\nname = "tool"\n[dependencies]\nother = { path = "../base", package = "base" }\n[[bin]]\nname = "two"\npath = "src/cli.rs"\n'),
        "crates/extra/Cargo.toml": ('[package]\nname = "extra"\n', '[package]\nname = "base"\n'),
        "crates/serde/Cargo.toml": ('[package]\nname = "serde"\n',),
        **_EVERYWHERE,
    },
)  # fmt: skip


def _mixed(*worlds: World) -> World:
    """Several worlds in one repository."""
    return World(
        files={path: text for world in worlds for path, text in world.files.items()},
        paths=tuple(path for world in worlds for path in world.paths),
        lines={suffix: lines for world in worlds for suffix, lines in world.lines.items()},
        manifests={path: texts for world in worlds for path, texts in world.manifests.items()},
    )


WORLDS: Mapping[str, World] = {
    "python": PYTHON,
    "typescript": TYPESCRIPT,
    "go": GO,
    "rust": RUST,
    "mixed": _mixed(PYTHON, TYPESCRIPT, GO, RUST),
    "empty": World({}, (*PYTHON.paths[:6], *TYPESCRIPT.paths[:6], *GO.paths[:4], *RUST.paths[:4]),
                   _mixed(PYTHON, TYPESCRIPT, GO, RUST).lines, {"pyproject.toml": PYTHON.manifests["pyproject.toml"], **_EVERYWHERE}),
}  # fmt: skip

ODD_CONTENTS: Sequence[bytes] = (
    b"",
    b"\n",
    b"\xff\xfe(",
    b"\xef\xbb\xbfimport os\n",
    b"\xef\xbb\xbf",
    b"import \0 os\n",
    b"from app import (\n",
    b"use crate::{model, ",
    b"package p\nimport (",
    'import "./v\u00efew";\r\nimport os\r\n'.encode(),
)
"""Empty, broken, binary, cut short, with a byte order mark, with other line ends."""


# Scripts ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Script:
    """A named script: steps of edits of a world. The graph is looked at after each."""

    name: str
    world: str
    steps: Sequence[Sequence[Edit]]


SCRIPTS: Sequence[Script] = (
    Script("create a missing file", "mixed", [
        [Write("src/app/missing.py", "")], [Write("packages/web/src/missing.ts", "")], [Write("svc/missing/missing.go", "package missing\n")],
        [Write("crates/base/src/absent.rs", "")], [Write("lib/absent.py", "import app\n")],
    ]),
    Script("edit", "mixed", [
        [Append("src/app/core.py", "# a comment\n")], [Append("src/app/core.py", "import ns.one.mod\n")], [Append("packages/ui/src/button.ts", 'import "./index";\n')],
        [Append("svc/api/more.go", 'import "example.com/shared/text"\n')], [Append("crates/base/src/model.rs", "use crate::Deep;\n")], [Write("src/app/core.py", "")],
    ]),
    Script("delete", "mixed", [
        [Delete("src/app/util.py")], [Delete("packages/ui/src/button.ts")], [Delete("svc/api/more.go")], [Delete("svc/api/api.go")], [Delete("crates/base/src/deep/mod.rs")],
        [Delete("packages/web/src/data.json"), Delete("svc/internal/db/schema.sql"), Delete("crates/tool/src/help.txt")],
    ]),
    Script("rename", "mixed", [
        [Move("src/app/util.py", "src/app/missing.py")], [Move("packages/web/src/store.ts", "packages/web/src/missing.ts")], [Move("svc/api/more.go", "svc/missing/more.go")],
        [Move("crates/base/src/model.rs", "crates/base/src/absent.rs")], [Move("src/app/missing.py", "src/app/util.py")],
    ]),
    Script("rename in case only", "mixed", [
        [Move("src/app/core.py", "src/app/Core.py")], [Move("packages/web/src/view.tsx", "packages/web/src/View.tsx")], [Move("svc/api", "svc/API")],
        [Move("crates/base/src/model.rs", "crates/base/src/Model.rs")], [Move("lib", "Lib")], [Move("src/app/Core.py", "src/app/core.py")],
    ]),
    Script("move a folder", "mixed", [
        [Move("src/app", "app")], [Move("packages/ui", "packages/kit")], [Move("svc/internal", "svc/api/internal")], [Move("crates/base", "base")], [Move("packages", "apps")],
        [Move("base", "crates/base"), Move("app", "src/app")],
    ]),
    Script("swap a module for its index", "typescript", [
        [Move("packages/web/src/view.tsx", "packages/web/src/view/index.tsx")], [Write("packages/web/src/view.ts", "")], [Delete("packages/web/src/view")],
        [Move("packages/web/src/widgets/index.ts", "packages/web/src/widgets.ts")], [Move("packages/ui/src/button.ts", "packages/ui/src/button/index.ts")],
    ]),
    Script("swap a module for its package", "python", [
        [Move("src/app/util.py", "src/app/util/__init__.py")], [Write("src/app/util.py", "")], [Delete("src/app/util")], [Write("src/app/util.pyi", "import lib\n")],
    ]),
    Script("swap a module for its folder", "rust", [
        [Move("crates/base/src/deep/mod.rs", "crates/base/src/deep.rs")], [Write("crates/base/src/deep/mod.rs", "pub mod inner;\n")], [Delete("crates/base/src/deep.rs")],
        [Move("crates/base/src/model.rs", "crates/base/src/model/mod.rs")],
    ]),
    Script("add and remove __init__.py", "python", [
        [Delete("lib/__init__.py")], [Write("ns/__init__.py", "")], [Write("ns/one/__init__.py", "from .mod import X\n")], [Delete("src/app/__init__.py")], [Write("tests/__init__.py", "")],
        [Write("src/__init__.py", "")], [Delete("ns/__init__.py"), Write("src/app/__init__.py", "from .core import run\n")],
    ]),
    Script("a package that shadows", "python", [
        [Write("app/__init__.py", ""), Write("app/core.py", "")], [Write("requests.py", "")], [Write("os.py", "")], [Delete("app")], [Delete("requests.py"), Delete("os.py")],
    ]),
    Script("tsconfig paths", "typescript", [
        [Write("tsconfig.json", '{"compilerOptions": {"paths": {"@/*": ["./packages/web/src/widgets/*"]}}}')], [Write("packages/web/tsconfig.json", '{"extends": "../../tsconfig.json", "compilerOptions": {"baseUrl": "src"}}')],
        [Write("tsconfig.json", "{broken")], [Delete("tsconfig.json")], [Write("tsconfig.json", '{"compilerOptions": {"paths": {"@/*": ["./packages/web/src/*"]}}}'), Delete("packages/web/tsconfig.json")],
    ]),
    Script("package.json name and exports", "typescript", [
        [Write("packages/ui/package.json", '{"name": "kit", "exports": {".": "./src/index.ts"}}')], [Write("packages/ui/package.json", '{"name": "ui", "exports": {".": "./src/button.ts"}}')],
        [Write("packages/ui/package.json", '{"name": "ui"}')], [Write("package.json", '{"workspaces": ["packages/web"]}')], [Write("pnpm-workspace.yaml", "packages:\n  - packages/*\n")], [Delete("packages/ui/package.json")],
        [Write("packages/web/package.json", '{"name": "web", "imports": {"#store": "./src/types.ts"}}')],
    ]),
    Script("go.mod module path and go.work", "go", [
        [Write("svc/go.mod", "module example.com/service\n")], [Write("svc/go.mod", "module example.com/svc\nreplace example.com/shared => ../shared\n")], [Delete("go.work")], [Write("go.work", "use ./svc\n")],
        [Write("shared/go.mod", "module example.com/other\n")], [Write("go.work", "use ./svc\nuse ./shared\n")], [Delete("svc/go.mod")], [Write("go.mod", "module example.com\n"), Delete("shared/go.mod")],
    ]),
    Script("Cargo.toml members", "rust", [
        [Write("Cargo.toml", '[workspace]\nmembers = ["crates/base"]\n')], [Write("Cargo.toml", '[workspace]\nmembers = ["crates/*"]\nexclude = ["crates/tool"]\n')], [Write("crates/base/Cargo.toml", '[package]\nname = "core-base"\n')],
        [Write("crates/base/Cargo.toml", '[package]\nname = "base"\n[lib]\npath = "src/model.rs"\n')], [Delete("Cargo.toml")], [Delete("crates/tool/Cargo.toml")],
    ]),
    Script("pyproject roots", "python", [
        [Write("pyproject.toml", "[tool.pytest.ini_options]\npythonpath = ['lib', 'tests']\n")], [Write("pyproject.toml", "[tool.setuptools.packages.find]\nwhere = ['src']\n")], [Write("pyproject.toml", "[tool")],
        [Delete("pyproject.toml")], [Write("src/pyproject.toml", "[project]\nname = 'inner'\n")], [Write("setup.cfg", "[options]\npackage_dir =\n    = src\n")],
    ]),
    Script(".gitignore and weft.toml", "mixed", [
        [Write(".gitignore", "lib/\n")], [Write(".gitignore", "/packages/ui/\n")], [Write("src/app/.gitignore", "util.py\n"), Delete(".gitignore")], [Write("weft.toml", 'exclude = ["shared/", "crates/base/src/deep/"]\n')],
        [Write("weft.toml", 'source_roots = ["lib", "."]\n')], [Write("weft.toml", _EVERYWHERE["weft.toml"][4])], [Delete("weft.toml"), Delete("src/app/.gitignore")],
    ]),
    Script("symbolic links", "mixed", [
        [Link("src/app/missing.py", "util.py")], [Link("src/linked", "app")], [Link("lib/absent.py", "../src/linked/core.py")], [Link("src/linked", "../ns")], [Link("packages/web/src/missing.ts", "store.ts")],
        [Move("packages/ui", "ui"), Link("packages/ui", "../ui")], [Link("svc/missing", "api")], [Link("svc/missing", "internal/db")], [Link("crates/base/src/absent.rs", "model.rs")],
        [Link("src/app/util.py", "../../../outside.py")], [Link("src/app/util.py", "util.py")], [Delete("ui/src/index.ts")], [Delete("packages/ui"), Delete("src/linked")],
    ]),
    Script("file to folder and back", "mixed", [
        [Write("src/app/util.py/__init__.py", "")], [Write("src/app/util.py", "import lib\n")], [Write("lib", "a file\n")], [Write("lib/tools.py", ""), Write("lib/__init__.py", "")],
        [Write("packages/ui/src", "x")], [Write("packages/ui/src/index.ts", "")], [Write("svc/api", "")], [Write("svc/api/api.go", "package api\n")], [Write("crates/base/src/deep/mod.rs/x.rs", "")],
    ]),
    Script("odd bytes", "mixed", [
        [Write("src/app/core.py", content), Write("packages/web/src/main.ts", content), Write("svc/main.go", content), Write("crates/base/src/lib.rs", content)] for content in ODD_CONTENTS
    ]),
    Script("byte order marks and line ends", "mixed", [
        [Write("src/app/core.py", b"\xef\xbb\xbffrom app import util\r\n"), Write("packages/web/src/main.ts", b'\xef\xbb\xbfimport "./view";\r\n')],
        [Write("tsconfig.json", b'\xef\xbb\xbf{"compilerOptions": {"paths": {"@/*": ["./packages/web/src/*"]}}}'), Write("packages/ui/package.json", b'\xef\xbb\xbf{"name": "ui"}')],
        [Write("svc/go.mod", b"\xef\xbb\xbfmodule example.com/svc\r\n"), Write("crates/base/Cargo.toml", b'\xef\xbb\xbf[package]\r\nname = "base"\r\n'), Write("pyproject.toml", b"\xef\xbb\xbf[project]\n")],
    ]),
    Script("names of odd bytes", "python", [
        [Write("lib/\u00fcml\u00e4ut.py", "import app\n"), Append("lib/tools.py", "import lib.\u00fcml\u00e4ut\n")], [Write(os.fsdecode(b"lib/\xff.py"), "import app\n")], [Delete(os.fsdecode(b"lib/\xff.py"))],
    ]),
    Script("what other files say of themselves", "mixed", [
        [Write("src/app/missing.py", ""), Write("tests/test_core.py", "from app import missing\nfrom app.sub import *\nfrom app.sub import leaf_name, other\n")],
        [Write("src/app/__init__.py", "from .core import run\nmissing = 2\n")], [Write("src/app/__init__.py", "from .core import *\n")], [Append("src/app/core.py", "missing = 3\n")],
        [Write("src/app/sub/leaf.py", "__all__ = ['other']\nother = 1\n")], [Write("src/app/sub/leaf.py", "from ..util import helper as other\n")], [Write("src/app/sub/__init__.py", "def __getattr__(name): ...\n")],
        [Write("crates/base/src/lib.rs", "pub mod model;\npub mod deep;\npub use deep::Deep as Thing;\n")], [Write("crates/base/src/lib.rs", "pub mod model;\npub mod deep;\npub use deep::inner::Leaf as Thing;\npub use model::Thing as Deep;\n")],
        [Write("crates/base/src/deep/mod.rs", "pub mod inner { pub struct Leaf; }\n")], [Write("crates/base/src/model.rs", "pub mod deep;\npub use crate::deep::inner as moved;\n")],
        [Delete("svc/api/api.go"), Delete("svc/api/more.go"), Write("svc/api/in_test.go", "package api\n")], [Write("svc/api/in_test.go", "package api_test\n")], [Write("svc/api/in_test.go", "package api\n")],
    ]),
    Script("what patterns match", "mixed", [
        [Write("svc/internal/db/db.go", 'package db\n\nimport _ "embed"\n\n//go:embed *.sql all:data\nvar Files embed.FS\n'), Write("packages/web/src/main.ts", 'const pages = import.meta.glob("./widgets/**/*.ts");\n')],
        [Write("svc/internal/db/other.sql", "select 2;\n")], [Write("packages/web/src/widgets/one.ts", "")], [Write("svc/internal/db/data/deep/x.txt", "")], [Write("packages/web/src/widgets/deep/two.ts", "")],
        [Delete("svc/internal/db/schema.sql")], [Move("packages/web/src/widgets/one.ts", "packages/web/src/widgets/one.js")], [Delete("svc/internal/db/data")], [Delete("packages/web/src/widgets/deep")],
        [Write("svc/missing/readme.md", "")], [Write("svc/missing/missing.go", "package missing\n")], [Delete("svc/missing/missing.go")],
    ]),
    Script("the last file of a language", "mixed", [
        [Delete("src"), Delete("lib"), Delete("ns"), Delete("tests")], [Delete("svc"), Delete("shared")], [Write("a.py", "import b\n")], [Delete("crates"), Delete("packages")], [Delete("a.py")],
        [Write("crates/base/src/lib.rs", "mod absent;\n")],
    ]),
    Script("touch", "mixed", [[Touch("src/app/core.py")], [Touch("package.json")], [Touch("src/app"), Touch("svc/go.mod")]]),
    Script("edit and undo", "mixed", [
        [Append("src/app/core.py", "import ns.one.mod\n"), Delete("packages/ui/src/button.ts")],
        [Write("src/app/core.py", PYTHON.files["src/app/core.py"]), Write("packages/ui/src/button.ts", TYPESCRIPT.files["packages/ui/src/button.ts"])],
    ]),
    Script("commits, stages and branches", "mixed", [
        [Commit()], [Append("src/app/core.py", "import ns.one.mod\n")], [Stage()], [Append("src/app/core.py", "import helpers\n")], [Commit()], [Switch("other")],
        [Delete("packages/ui/src/button.ts"), Move("svc/api", "svc/web"), Commit()], [Switch("main")], [Switch("other")], [Revert()], [Write("src/app/missing.py", "import os\n"), Stage()], [Discard()],
        [Write("tsconfig.json", "{}"), Commit()], [Revert()], [Delete("crates"), Discard()], [Switch("main"), Touch("src/app/core.py")],
    ]),
)  # fmt: skip
"""Every kind of edit that is said to be harmless, by name."""
