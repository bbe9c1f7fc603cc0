"""Work is proportional to the change: what a scan read, extracted and resolved, and which importers.

All of it in one repository of four languages, so that what concerns one is seen to leave the others alone.
"""

# ruff: noqa: E501 - a table of edits reads best as one

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from edit_scripts import (
    PYTHON,
    TYPESCRIPT,
    WORLDS,
    Append,
    Commit,
    Delete,
    Edit,
    Move,
    Revert,
    Switch,
    Touch,
    Write,
    apply,
)
from repositories import PROJECT, Repository
from warm_boxes import warm_boxes
from watched import Work, watched
from weft.configuration import settings_of
from weft.pipeline import Options, analyze
from weft.snapshot.statcache import RACY_NS
from weft_storage.backends import Store, open_store
from weft_storage.model.runs import Run

MIXED = WORLDS["mixed"]


@pytest.fixture(autouse=True)
def _warm() -> Iterator[None]:
    with warm_boxes():
        yield


@pytest.fixture
def monorepo(git_repository: Repository) -> Repository:
    """Four languages, committed and scanned."""
    git_repository.write(MIXED.files)
    git_repository.commit()
    git_repository.scan()
    return git_repository


def scan(root: Path, store: Store, *, rev: str | None = None, project: str = PROJECT) -> tuple[Run, Work]:
    """A scan, and the work it was. Settings are read before: every command reads those two files."""
    settings = settings_of(str(root), rev)
    with watched(store) as (noting, work):
        run = analyze(noting, str(root), settings, Options(project, rev=rev, lock_timeout=5))
    assert run.counts["resolved"] == len(work.resolved)
    return run, work


def work_of(repository: Repository, *edits: Edit) -> Work:
    """The work that edits make for the next scan, which must leave what a fresh one would."""
    apply(str(repository.root), edits, repository.git)
    _, work = scan(repository.root, repository.store)
    assert repository.differences() == []
    return work


# Who is resolved again ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """Edits, and the importers among the files from before that must be resolved again for them: no more, no fewer."""

    name: str
    edits: Sequence[Edit]
    importers: set[str]


CREATED = [
    Case("python: a module that was probed in vain", [Write("lib/absent.py", "")], {"src/app/core.py"}),
    Case("python: a submodule that was probed in vain", [Write("src/app/missing.py", "")], {"src/app/core.py"}),
    Case("python: a package that was probed in vain", [Write("src/app/missing/__init__.py", "")], {"src/app/core.py"}),
    Case("python: a package shadows a module", [Write("src/app/util/__init__.py", "")], {"src/app/core.py", "src/app/sub/leaf.py"}),
    Case("python: a root shadows another", [Write("app/__init__.py", "")], {"lib/tools.py", "src/app/core.py", "tests/test_core.py"}),
    Case("python: a local module in place of an external one", [Write("tests/requests.py", "")], {"tests/helpers.py"}),
    Case("python: a namespace becomes a package", [Write("ns/__init__.py", "")], {"lib/tools.py"}),
    Case("python: nobody asked for it", [Write("src/app/other.py", "")], set()),
    Case("typescript: a module that was probed in vain", [Write("packages/web/src/missing.ts", "")], {"packages/web/src/main.ts"}),
    Case("typescript: an index that was probed in vain", [Write("packages/web/src/missing/index.js", "")], {"packages/web/src/main.ts"}),
    Case("typescript: a component that was probed in vain", [Write("packages/ui/src/absent.ts", "")], {"packages/ui/src/index.ts"}),
    Case("typescript: .ts shadows .tsx", [Write("packages/web/src/view.ts", "")], {"packages/web/src/main.ts", "packages/web/src/widgets/index.ts"}),
    Case("typescript: a module shadows an index", [Write("packages/web/src/widgets.ts", "")], {"packages/web/src/widgets/lazy.js"}),
    Case("typescript: the index of a folder", [Write("packages/web/src/index.ts", "")], {"packages/web/src/widgets/lazy.js"}),
    Case("typescript: an index does not shadow a module", [Write("packages/ui/src/button/index.ts", "")], set()),
    Case("typescript: a workspace in place of an external package", [Write("packages/react/package.json", '{"name": "react"}'), Write("packages/react/index.js", "")], {"packages/ui/src/button.ts"}),
    Case("typescript: nobody asked for it", [Write("packages/web/src/other.ts", "")], set()),
    Case("go: a package that was looked for in vain", [Write("svc/missing/missing.go", "package missing\n")], {"svc/main.go"}),
    Case("go: another file of a package", [Write("svc/api/zz.go", "package api\n")], set()),
    Case("go: nobody asked for it", [Write("svc/other/other.go", "package other\n")], set()),
    Case("rust: a module that was looked for in vain", [Write("crates/base/src/absent.rs", "")], {"crates/base/src/lib.rs"}),
    Case("rust: a module's folder that was looked for in vain", [Write("crates/base/src/absent/mod.rs", "")], {"crates/base/src/lib.rs"}),
    Case("rust: nobody asked for it", [Write("crates/base/src/other.rs", "")], set()),
]  # fmt: skip

DELETED = [
    Case("python: a module", [Delete("src/app/util.py")], {"src/app/core.py", "src/app/sub/leaf.py"}),
    Case("python: a package's only module", [Delete("ns/one/mod.py")], {"lib/tools.py"}),
    Case("python: an __init__.py", [Delete("lib/__init__.py")], {"lib/tools.py", "src/app/core.py", "tests/test_core.py"}),
    Case("typescript: a module", [Delete("packages/ui/src/button.ts")], {"packages/ui/src/index.ts", "packages/web/src/main.ts"}),
    Case("typescript: an asset", [Delete("packages/web/src/data.json")], {"packages/web/src/view.tsx"}),
    Case("go: one file of a package", [Delete("svc/api/more.go")], set()),
    Case("go: a package's only file", [Delete("shared/text/text.go")], {"svc/api/api.go", "svc/main.go"}),
    Case("go: an embedded file", [Delete("svc/internal/db/schema.sql")], {"svc/internal/db/db.go"}),
    Case("rust: a module", [Delete("crates/base/src/model.rs")], {"crates/base/src/deep/mod.rs", "crates/base/src/lib.rs"}),
    Case("rust: a module that others reach through its parent", [Delete("crates/base/src/deep/inner.rs")], {"crates/base/src/deep/mod.rs", "crates/base/src/model.rs", "crates/tool/src/main.rs"}),
    Case("rust: an included text", [Delete("crates/tool/src/help.txt")], {"crates/tool/src/cli.rs"}),
]  # fmt: skip


@pytest.mark.parametrize("case", CREATED, ids=lambda case: case.name)
def test_creating_a_file_resolves_again_exactly_who_looked_for_it(case: Case, monorepo: Repository) -> None:
    before = {record.path for record in monorepo.store.files(PROJECT)}
    work = work_of(monorepo, *case.edits)
    created = {edit.path for edit in case.edits if isinstance(edit, Write)}
    assert work.resolved & before == case.importers
    assert work.resolved - before <= created
    assert set(work.extracted) <= created
    assert work.dropped == set()


@pytest.mark.parametrize("case", DELETED, ids=lambda case: case.name)
def test_deleting_a_file_resolves_again_exactly_who_pointed_at_it(case: Case, monorepo: Repository) -> None:
    work = work_of(monorepo, *case.edits)
    assert work.resolved == case.importers
    assert work.extracted == []
    assert work.dropped <= {edit.path for edit in case.edits if isinstance(edit, Delete)}


@pytest.mark.parametrize("case", [*CREATED, *DELETED], ids=lambda case: case.name)
def test_undoing_it_resolves_again_the_same_and_extracts_nothing(case: Case, monorepo: Repository) -> None:
    work_of(monorepo, *case.edits, Commit())
    work = work_of(monorepo, Revert())
    restored = {edit.path for edit in case.edits if isinstance(edit, Delete)}
    assert work.resolved - restored == case.importers
    assert work.extracted == []
    assert work.facts == 0


def test_the_first_stub_of_a_folder_concerns_who_looked_into_it_and_the_next_only_who_looked_for_it(
    monorepo: Repository,
) -> None:
    first = work_of(monorepo, Write("src/app/util.pyi", ""))
    assert (
        {"src/app/core.py", "src/app/sub/leaf.py"}
        < first.resolved
        < {path for path in MIXED.files if path.endswith(".py")} | {"src/app/util.pyi"}
    )
    assert "tests/helpers.py" not in first.resolved
    second = work_of(monorepo, Write("src/app/core.pyi", ""))
    assert second.resolved == {"src/app/core.pyi", "src/app/__init__.py", "src/app/sub/leaf.py", "tests/test_core.py"}


IMPORTING = {path for path, text in PYTHON.files.items() if path.endswith(".py") and "import" in str(text)}
WEB = {path for path in TYPESCRIPT.files if path.startswith("packages/web/") and path.endswith((".ts", ".tsx", ".js"))}
UI = {"packages/ui/src/button.ts", "packages/ui/src/index.ts"}

MANIFESTS = [
    Case("tsconfig.json: other paths for all", [Write("tsconfig.json", '{"compilerOptions": {"paths": {"@/*": ["./packages/ui/src/*"]}}}')],
         (WEB | UI) - {"packages/web/src/store.ts", "packages/web/src/types.ts"}),
    Case("tsconfig.json of a package", [Write("packages/ui/tsconfig.json", '{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}}')], UI),
    Case("package.json: another name", [Write("packages/ui/package.json", '{"name": "kit", "exports": {".": "./src/index.ts", "./*": "./src/*.ts"}}')], {"packages/web/src/main.ts", "packages/web/src/view.tsx"}),
    Case("package.json: other exports", [Write("packages/ui/package.json", '{"name": "ui", "exports": {".": "./src/button.ts", "./*": "./src/*.ts"}}')], {"packages/web/src/main.ts", "packages/web/src/view.tsx"}),
    Case("package.json: other imports", [Write("packages/web/package.json", '{"name": "web", "imports": {"#store": "./src/types.ts"}}')], {"packages/web/src/main.ts"}),
    Case("package.json: what no resolution asks for", [Write("packages/web/package.json", '{"name": "web", "imports": {"#store": "./src/store.ts"}, "license": "MIT"}')], set()),
    Case("go.mod: another module path", [Write("shared/go.mod", "module example.com/other\n")], {"svc/api/api.go", "svc/main.go"}),
    Case("go.mod: a comment", [Append("shared/go.mod", "// a comment\n")], set()),
    Case("Cargo.toml: another name", [Write("crates/base/Cargo.toml", '[package]\nname = "kit"\nedition = "2021"\n')], {"crates/tool/src/cli.rs", "crates/tool/src/main.rs"}),
    Case("Cargo.toml: another version", [Append("crates/base/Cargo.toml", 'version = "2.0.0"\n')], set()),
    Case("pyproject.toml: other folders on the path", [Write("pyproject.toml", "[project]\nname = 'demo'\n[tool.pytest.ini_options]\npythonpath = ['lib']\n")], IMPORTING),
    Case("pyproject.toml: another name", [Write("pyproject.toml", "[project]\nname = 'other'\n[tool.pytest.ini_options]\npythonpath = ['src']\n")], set()),
]  # fmt: skip


@pytest.mark.parametrize("case", MANIFESTS, ids=lambda case: case.name)
def test_a_manifest_resolves_its_scope_again_and_extracts_nothing(case: Case, monorepo: Repository) -> None:
    work = work_of(monorepo, *case.edits)
    assert work.resolved == case.importers
    assert work.extracted == []


SOURCES = [
    ("src/app/util.py", "# a comment\n", "import ns.one.mod\n"),
    ("packages/ui/src/button.ts", "export function more() {}\n", 'import "./index";\n'),
    ("svc/api/api.go", "func F() {}\n", 'import "example.com/svc/missing"\n'),
    ("crates/base/src/model.rs", "// a comment\n", "use crate::deep::Deep;\n"),
]


@pytest.mark.parametrize(("path", "body", "imports"), SOURCES, ids=[path for path, _, _ in SOURCES])
def test_an_edit_is_one_extraction_and_resolves_one_file_only_where_its_imports_changed(
    path: str, body: str, imports: str, monorepo: Repository
) -> None:
    work = work_of(monorepo, Append(path, body))
    assert work.extracted == [path]
    assert set(work.read) == {path}
    assert work.resolved == work.dropped == set()
    source = (monorepo.root / path).read_text()
    head, _, rest = source.partition("\n")
    work = work_of(monorepo, Write(path, f"{head}\n{imports}{rest}"))
    assert work.extracted == [path]
    assert work.resolved == {path}


def test_a_renamed_file_is_not_extracted_again(monorepo: Repository) -> None:
    work = work_of(monorepo, Move("src/app/util.py", "src/app/missing.py"))
    assert work.extracted == []
    assert work.resolved == {"src/app/missing.py", "src/app/core.py", "src/app/sub/leaf.py"}


def test_a_moved_folder_is_not_extracted_again(monorepo: Repository) -> None:
    work = work_of(monorepo, Move("crates/base", "base"))
    assert work.extracted == []


# What is read -------------------------------------------------------------------------------------------


def test_a_scan_without_changes_reads_extracts_resolves_and_writes_nothing(monorepo: Repository) -> None:
    rows = monorepo.store.stats()
    run, work = scan(monorepo.root, monorepo.store)
    assert work == Work()
    assert run.affected == 0
    written = {table for table, count in monorepo.store.stats().items() if count != rows[table]} - {"bytes"}
    assert written <= {"run", "state"}


def test_a_scan_of_the_same_commit_reads_extracts_and_resolves_nothing(monorepo: Repository) -> None:
    scan(monorepo.root, monorepo.store, rev="HEAD")
    _, work = scan(monorepo.root, monorepo.store, rev="HEAD")
    assert work == Work()


def test_a_plain_folder_without_changes_is_not_read(repository: Repository) -> None:
    repository.write(MIXED.files)
    repository.write({f"many/m{number}.py": f"import many.m{number + 1}\n" for number in range(300)})
    time.sleep(RACY_NS / 1e9)  # Files that have changed just now are read: their times do not vouch for them yet.
    repository.scan()
    _, work = scan(repository.root, repository.store)
    assert work == Work()


def test_touched_files_are_read_and_no_more(monorepo: Repository) -> None:
    work = work_of(monorepo, Touch("src/app/core.py"), Touch("package.json"))
    assert set(work.read) <= {"src/app/core.py", "package.json"}
    assert (work.extracted, work.resolved) == ([], set())


def test_a_branch_switch_extracts_what_no_branch_had_and_going_back_reads_nothing(monorepo: Repository) -> None:
    apply(
        str(monorepo.root),
        [
            Switch("other"),
            Append("src/app/core.py", "import ns.one.mod\n"),
            Delete("packages/ui/src/button.ts"),
            Commit(),
        ],
        monorepo.git,
    )
    _, there = scan(monorepo.root, monorepo.store)
    assert there.extracted == ["src/app/core.py"]
    back = work_of(monorepo, Switch("main"))
    assert (back.extracted, back.facts) == ([], 0)
    assert back.resolved == {
        "src/app/core.py",
        "packages/ui/src/button.ts",
        "packages/ui/src/index.ts",
        "packages/web/src/main.ts",
    }
    again = work_of(monorepo, Switch("other"))
    assert (again.extracted, again.facts) == ([], 0)
    assert not {"src/app/core.py", "packages/ui/src/button.ts"} & set(again.read)


def test_a_revert_extracts_nothing(monorepo: Repository) -> None:
    work_of(monorepo, Write("src/app/core.py", "import os\n"), Move("packages/ui", "ui"), Delete("crates"), Commit())
    work = work_of(monorepo, Revert())
    assert (work.extracted, work.facts) == ([], 0)


def test_a_fresh_clone_with_a_shared_store_extracts_nothing(monorepo: Repository, tmp_path: Path) -> None:
    check_a_fresh_clone(monorepo, monorepo.store, tmp_path / "elsewhere")


def test_a_fresh_clone_with_a_shared_postgres_extracts_nothing(
    monorepo: Repository, postgres_url: str, tmp_path: Path
) -> None:
    with open_store(postgres_url) as store:
        monorepo.scan(store)
        check_a_fresh_clone(monorepo, store, tmp_path / "elsewhere")


def check_a_fresh_clone(monorepo: Repository, store: Store, folder: Path) -> None:
    """Under the same name it is the same; under another its graph is new, and made from the facts of the first."""
    monorepo.git("clone", "--quiet", str(monorepo.root), str(folder))
    _, same = scan(folder, store)
    assert same == Work()
    run, other = scan(folder, store, project="other")
    assert (other.extracted, other.facts) == ([], 0)
    assert other.resolved == {record.path for record in store.files("other") if record.language}
    assert run.cache_hit_rate == 1.0
    manifests = {record.path for record in store.files("other") if not record.language}
    assert set(other.read) <= manifests
