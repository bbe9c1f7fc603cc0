"""What a change of lockfiles and manifests affects, in kept stores and since a commit; and why a file is affected."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import pytest

from lock_samples import SAMPLES, Sample
from repositories import PROJECT, Repository
from weft.pipeline import Options, Remote, analyze
from weft.queries import GraphView
from weft.queries.affected import Change, change_of, last_change
from weft.report.schema import json_schema
from weft_storage.backends import open_store
from weft_storage.model.settings import Settings
from weft_storage.model.states import AffectedFile, Cause, CauseKind
from weft_tasks.locks import Format, Lock, read_lock
from workers import running_worker

NPM: dict[str, dict[str, object]] = {
    "": {"workspaces": ["packages/*"], "dependencies": {"middle": "^2", "other": "^3"}},
    "packages/p": {"name": "p", "dependencies": {"leaf": "^0"}},
    "node_modules/p": {"resolved": "packages/p", "link": True},
    "node_modules/leaf": {"version": "1.0.0"},
    "node_modules/middle": {"version": "2.0.0", "dependencies": {"leaf": "^1"}},
    "node_modules/other": {"version": "3.0.0"},
    "node_modules/@types/other": {"version": "3.0.0"},
    "packages/p/node_modules/leaf": {"version": "0.9.0"},
}
TYPESCRIPT = {
    "package.json": '{"workspaces": ["packages/*"], "dependencies": {"middle": "^2", "other": "^3"}}',
    "packages/p/package.json": '{"name": "p", "dependencies": {"leaf": "^0"}}',
    "leaf.ts": 'import "leaf/deep";\n',
    "middle.ts": 'import { m } from "middle";\n',
    "other.ts": 'import "other";\nimport fs from "fs";\n',
    "types.ts": 'import type { T } from "leaf";\n',
    "above.ts": 'import "./leaf";\n',
    "packages/p/in.ts": 'import "leaf";\n',
    "plain.ts": "export const x = 1;\n",
}


def npm_lock(**versions: str) -> str:
    """The lock with other versions; the name `p` is the leaf of the package in `packages/p`."""
    packages = {place: dict(entry) for place, entry in NPM.items()}
    for name, version in versions.items():
        place = "packages/p/node_modules/leaf" if name == "p" else f"node_modules/{name.replace('__', '/')}"
        packages[place]["version"] = version
    return json.dumps({"lockfileVersion": 3, "packages": packages})


def last(repository: Repository) -> Change:
    return last_change(GraphView(repository.store, PROJECT))


def edited(repository: Repository, before: Mapping[str, str], edits: Mapping[str, str | None]) -> Change:
    """What a scan finds affected by some edits after another; None deletes."""
    repository.write(dict(before))
    repository.scan()
    for name, content in edits.items():
        if content is None:
            repository.delete(name)
        else:
            repository.write({name: content})
    run = repository.scan()
    assert repository.differences() == []
    assert run.counts["analyzed"] == sum(name.endswith((".ts", ".py", ".rs", ".go")) for name in edits if edits[name])
    return last(repository)


def strong(change: Change) -> dict[str, Cause | None]:
    """The files that are affected for good, but for those that changed."""
    return {file.path: file.cause for file in change.affected.files if file.change is None}


def weak(change: Change) -> dict[str, Cause | None]:
    return {file.path: file.cause for file in change.affected.weak}


def moved(path: str, package: str, before: str, after: str, *through: str) -> Cause:
    return Cause(CauseKind.PACKAGE, path, package, before, after, through)


# Locks -----------------------------------------------------------------------------------------------


def test_a_package_that_moves_affects_those_who_import_it_or_what_needs_it(repository: Repository) -> None:
    files = TYPESCRIPT | {"package-lock.json": npm_lock()}
    change = edited(repository, files, {"package-lock.json": npm_lock(leaf="1.0.1")})
    cause = moved("package-lock.json", "leaf", "1.0.0", "1.0.1")
    through = moved("package-lock.json", "leaf", "1.0.0", "1.0.1", "middle")
    assert strong(change) == {"above.ts": None, "leaf.ts": cause, "middle.ts": through}
    assert weak(change) == {"types.ts": cause}
    why = change.reasons(weak=False)["above.ts"]
    assert [(edge.importer, edge.imported) for edge in why.path] == [("above.ts", "leaf.ts")]
    assert why.seed == AffectedFile("leaf.ts", cause=cause)


def test_a_package_of_one_workspace_member_affects_that_one(repository: Repository) -> None:
    files = TYPESCRIPT | {"package-lock.json": npm_lock()}
    change = edited(repository, files, {"package-lock.json": npm_lock(p="0.9.1")})
    assert strong(change) == {"packages/p/in.ts": moved("package-lock.json", "leaf", "0.9.0", "0.9.1")}


def test_types_of_a_package_affect_its_importers_weakly(repository: Repository) -> None:
    files = TYPESCRIPT | {"package-lock.json": npm_lock()}
    change = edited(repository, files, {"package-lock.json": npm_lock(**{"@types__other": "3.0.1"})})
    assert strong(change) == {}
    assert weak(change) == {"other.ts": moved("package-lock.json", "@types/other", "3.0.0", "3.0.1")}


def test_order_and_layout_of_a_lockfile_affect_nothing(repository: Repository) -> None:
    document = json.loads(npm_lock())
    document["packages"] = dict(reversed(document["packages"].items()))
    files = TYPESCRIPT | {"package-lock.json": npm_lock()}
    change = edited(repository, files, {"package-lock.json": json.dumps(document, indent=1)})
    assert [file.path for file in change.affected.files] == ["package-lock.json"]
    assert change.affected.weak == ()


def test_a_lockfile_that_cannot_be_read_affects_all_importers_of_packages(repository: Repository) -> None:
    files = TYPESCRIPT | {"package-lock.json": npm_lock()}
    change = edited(repository, files, {"package-lock.json": "{"})
    cause = Cause(CauseKind.LOCKFILE, "package-lock.json")
    importers = ("leaf.ts", "middle.ts", "other.ts", "packages/p/in.ts")
    assert strong(change) == {"above.ts": None} | dict.fromkeys(importers, cause)
    assert weak(change) == {"types.ts": cause}
    run = repository.store.published(PROJECT)
    assert run is not None
    assert [(each.path, each.message) for each in run.problems] == [("package-lock.json", "not JSON")]
    repository.write({"package-lock.json": npm_lock()})
    repository.scan()
    assert strong(last(repository)) == strong(change)


@pytest.mark.parametrize(("size", "limit"), [(9 << 20, 8 << 20), (17 << 20, 16 << 20)])
def test_a_lockfile_that_is_too_large_is_a_problem(repository: Repository, size: int, limit: int) -> None:
    files = TYPESCRIPT | {"package-lock.json": npm_lock()}
    change = edited(repository, files, {"package-lock.json": npm_lock() + " " * size})
    assert strong(change)["other.ts"] == Cause(CauseKind.LOCKFILE, "package-lock.json")
    assert [each.message for each in change.new.run.problems] == [f"larger than {limit} bytes"]


def test_a_lockfile_that_comes_or_goes_moves_all_that_it_locks(repository: Repository) -> None:
    change = edited(repository, TYPESCRIPT, {"package-lock.json": npm_lock()})
    assert strong(change)["other.ts"] == moved("package-lock.json", "other", "", "3.0.0")
    repository.delete("package-lock.json")
    repository.scan()
    assert strong(last(repository))["other.ts"] == moved("package-lock.json", "other", "3.0.0", "")
    assert "plain.ts" not in strong(last(repository))


def test_the_nearest_lockfile_that_knows_a_package_counts(repository: Repository) -> None:
    nested = {"lockfileVersion": 3, "packages": {"": {}, "node_modules/leaf": {"version": "1.0.0"}}}
    files = TYPESCRIPT | {
        "package-lock.json": npm_lock(),
        "site/package-lock.json": json.dumps(nested),
        "site/leaf.ts": 'import "leaf";\n',
        "site/other.ts": 'import "other";\n',
    }
    change = edited(repository, files, {"package-lock.json": npm_lock(leaf="1.0.1", other="3.0.1")})
    assert "site/leaf.ts" not in strong(change)
    assert strong(change)["site/other.ts"] == moved("package-lock.json", "other", "3.0.0", "3.0.1")


def test_an_untouched_lockfile_is_not_read_again(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.write(TYPESCRIPT | {"package-lock.json": npm_lock()})
    repository.scan()
    read: list[str] = []

    def noting(form: Format, source: bytes | None) -> Lock:
        read.append(form.name)
        return read_lock(form, source)

    monkeypatch.setattr("weft_tasks.finalize.packages.read_lock", noting)
    repository.write({"plain.ts": "export const x = 2;\n"})
    repository.scan()
    assert read == []
    repository.write({"package-lock.json": npm_lock(leaf="1.0.1")})
    repository.scan()
    assert read == ["package-lock.json"]
    repository.write({"package-lock.json": npm_lock()})
    repository.scan()
    assert read == ["package-lock.json"], "what it said is known by its content"
    assert "leaf.ts" in strong(last(repository))


def test_what_lockfiles_say_outlives_a_collection(repository: Repository) -> None:
    from weft_tasks.finalize.merge import facts_key_of

    repository.write(TYPESCRIPT | {"package-lock.json": npm_lock()})
    repository.scan()
    repository.store.collect(keep_runs=1, facts_key=facts_key_of)
    repository.write({"package-lock.json": npm_lock(other="3.0.1")})
    repository.scan()
    assert strong(last(repository)) == {"other.ts": moved("package-lock.json", "other", "3.0.0", "3.0.1")}


def test_a_lockfile_of_which_nothing_is_known_affects_all_importers_of_packages(repository: Repository) -> None:
    """As in a store whose graph an earlier version of the program has published."""
    repository.write(TYPESCRIPT | {"package-lock.json": npm_lock()})
    repository.scan()
    repository.store.collect(keep_runs=1, facts_key=lambda _: None)
    repository.write({"package-lock.json": npm_lock(other="3.0.1")})
    repository.scan()
    cause = Cause(CauseKind.LOCKFILE, "package-lock.json")
    assert strong(last(repository))["middle.ts"] == strong(last(repository))["packages/p/in.ts"] == cause
    repository.write({"package-lock.json": npm_lock(other="3.0.2")})
    repository.scan()
    assert strong(last(repository)) == {"other.ts": moved("package-lock.json", "other", "3.0.1", "3.0.2")}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_every_format_affects_the_importers_of_what_moved(repository: Repository, sample: Sample) -> None:
    importers = {name: _importer(sample, name) for name in (sample.leaf, sample.middle, sample.other)}
    files = dict(importers.values())
    if sample.path == "go.sum":
        files["go.mod"] = "module app.test/app\ngo 1.16\n"
    if sample.path == "Cargo.lock":
        files["Cargo.toml"] = '[package]\nname = "app"\n[dependencies]\nleaf = "1"\nmiddle = "2"\nother = "3"\n'
    change = edited(repository, files | {sample.path: sample.text}, {sample.path: sample.moved()})
    expected = {importers[sample.leaf][0]: moved(sample.path, sample.leaf, *sample.versions)}
    if sample.needs:
        expected[importers[sample.middle][0]] = moved(sample.path, sample.leaf, *sample.versions, sample.middle)
    assert strong(change) == expected


def _importer(sample: Sample, package: str) -> tuple[str, str]:
    """A file that imports a package, in the language that a format is of."""
    name = package.rpartition("/")[2]
    match sample.path:
        case "go.mod" | "go.sum":
            return f"{name}/{name}.go", f'package {name}\nimport _ "{package}/sub"\nimport _ "fmt"\n'
        case "Cargo.lock" | "Cargo.toml":
            root = "src/main.rs" if name == "other" else f"src/bin/{name}.rs"
            return root, f"use {package}::x;\nfn main() {{}}\n"
        case "package.json" | "package-lock.json" | "npm-shrinkwrap.json" | "pnpm-lock.yaml" | "yarn.lock" | "bun.lock":
            return f"{name}.ts", f'import x from "{package}";\n'
    return f"use_{name}.py", f"import {package}\nimport os\n"


@pytest.mark.parametrize("finalizer", ["worker", "orchestrator"])
def test_workers_find_the_same_affected_in_postgres(
    git_repository: Repository, postgres_url: str, redis_url: str, tmp_path: Path, finalizer: str
) -> None:
    """A worker that finalizes reads lockfiles as it reads manifests; where it has no way to them, it hands over."""
    git_repository.write(TYPESCRIPT | PYTHON | {"package-lock.json": npm_lock()})
    git_repository.commit()
    bare = tmp_path / "bare" / f"{PROJECT}.git"
    git_repository.git("clone", "--quiet", "--bare", ".", str(bare))
    repositories = bare.parent if finalizer == "worker" else None
    uv = PYTHON["uv.lock"].replace("6.0", "6.1")
    with open_store(postgres_url) as shared, running_worker(postgres_url, redis_url, repositories=repositories):
        for edits in ({}, {"package-lock.json": npm_lock(leaf="1.0.1"), "uv.lock": uv, "plain.ts": "// edited\n"}):
            git_repository.write(edits)
            git_repository.commit()
            git_repository.git("push", "--quiet", str(bare), "HEAD")
            git_repository.scan(rev="HEAD")
            options = Options(PROJECT, rev="HEAD", lock_timeout=5, remote=Remote(redis_url, inline_below=1))
            run = analyze(shared, str(git_repository.root), Settings(), options)
        assert (run.counts["analyzed"], run.affected) == (1, len(last(git_repository).affected.files))
        change = last_change(GraphView(shared, PROJECT))
        assert change.affected == last(git_repository).affected
        assert strong(change)["a.py"] == moved("uv.lock", "pyyaml", "6.0", "6.1")
        assert strong(change)["leaf.ts"] == moved("package-lock.json", "leaf", "1.0.0", "1.0.1")


# What names do not tell ------------------------------------------------------------------------------

UV = (
    '[[package]]\nname = "pyyaml"\nversion = "6.0"\n\n[[package]]\nname = "requests"\nversion = "2.0"\n\n'
    '[[package]]\nname = "python-dateutil"\nversion = "2.8"\n\n[[package]]\nname = "types-requests"\nversion = "1"\n'
)
PYTHON = {
    "uv.lock": "version = 1\n" + UV,
    "a.py": "import yaml\n",
    "b.py": "import requests.adapters\n",
    "c.py": "from dateutil import parser\n",
    "d.py": "import unheard_of\n",
    "e.py": "import os, json\n",
}


def test_a_module_of_a_known_distribution_is_that_distribution(repository: Repository) -> None:
    change = edited(repository, PYTHON, {"uv.lock": PYTHON["uv.lock"].replace("6.0", "6.1").replace("2.8", "2.9")})
    found = strong(change)
    assert found["a.py"] == moved("uv.lock", "pyyaml", "6.0", "6.1")
    assert found["c.py"] == moved("uv.lock", "python-dateutil", "2.8", "2.9")
    assert "b.py" not in found
    assert "e.py" not in found


def test_a_module_of_an_unknown_distribution_may_be_of_any_that_moved(repository: Repository) -> None:
    change = edited(repository, PYTHON, {"uv.lock": PYTHON["uv.lock"].replace("6.0", "6.1")})
    assert strong(change)["d.py"] == Cause(CauseKind.UNKNOWN, "uv.lock", "unheard_of")


def test_stubs_affect_weakly(repository: Repository) -> None:
    change = edited(repository, PYTHON, {"uv.lock": PYTHON["uv.lock"].replace('"1"', '"2"')})
    assert "b.py" not in strong(change)
    assert weak(change)["b.py"] == moved("uv.lock", "types-requests", "1", "2")


def test_a_go_module_that_nobody_imports_may_be_needed_by_all_others(repository: Repository) -> None:
    files = {
        "go.mod": "module m.test\ngo 1.22\nrequire a.test/a v1.0.0\nrequire b.test/b v1.0.0 // indirect\n",
        "a.go": 'package m\nimport _ "a.test/a/x"\n',
        "sub/s.go": 'package sub\nimport _ "fmt"\n',
        "nested/go.mod": "module n.test\ngo 1.22\nrequire a.test/a v1.0.0\n",
        "nested/n.go": 'package n\nimport _ "a.test/a"\n',
    }
    change = edited(repository, files, {"go.mod": files["go.mod"].replace("b v1.0.0", "b v1.0.1")})
    assert strong(change) == {"a.go": Cause(CauseKind.UNKNOWN, "go.mod", "b.test/b", "v1.0.0", "v1.0.1")}


def test_the_modules_of_a_go_workspace_are_built_with_the_same_versions(repository: Repository) -> None:
    files = {
        "go.work": "go 1.22\nuse (\n\t./a\n\t./b\n)\n",
        "a/go.mod": "module a.test\ngo 1.22\nrequire x.test/x v1.0.0\n",
        "a/a.go": 'package a\nimport _ "x.test/x"\n',
        "b/go.mod": "module b.test\ngo 1.22\nrequire x.test/x v1.0.0\n",
        "b/b.go": 'package b\nimport _ "x.test/x"\n',
    }
    change = edited(repository, files, {"b/go.mod": files["b/go.mod"].replace("v1.0.0", "v1.0.1")})
    cause = moved("b/go.mod", "x.test/x", "v1.0.0", "v1.0.1")
    assert strong(change) == {"a/a.go": cause, "b/b.go": cause}
    change = edited(repository, files, {"go.work": None})
    change = edited(
        repository, {"b/go.mod": files["b/go.mod"]}, {"b/go.mod": files["b/go.mod"].replace("v1.0.0", "v1.2.0")}
    )
    assert strong(change) == {"b/b.go": moved("b/go.mod", "x.test/x", "v1.0.0", "v1.2.0")}


def test_a_manifest_counts_where_no_lockfile_covers_it(repository: Repository) -> None:
    outside = {
        "tool/package.json": '{"dependencies": {"leaf": "1.0.0"}}',
        "tool/t.ts": 'import "leaf";\n',
        "package-lock.json": npm_lock(),
    }
    edits = {
        "tool/package.json": '{"dependencies": {"leaf": "1.1.0"}}',
        "package.json": '{"workspaces": ["packages/*"], "dependencies": {"middle": "^2.1", "other": "^3"}}',
    }
    change = edited(repository, TYPESCRIPT | outside, edits)
    assert strong(change) == {"tool/t.ts": moved("tool/package.json", "leaf", "1.0.0", "1.1.0")}


def test_a_lockfile_named_as_changed_affects_all_importers_in_its_scope(repository: Repository) -> None:
    repository.write(TYPESCRIPT | {"package-lock.json": npm_lock()})
    repository.scan()
    change = change_of(GraphView(repository.store, PROJECT), ["package-lock.json"])
    cause = Cause(CauseKind.LOCKFILE, "package-lock.json")
    importers = ("leaf.ts", "middle.ts", "other.ts", "packages/p/in.ts")
    assert strong(change) == {"above.ts": None} | dict.fromkeys(importers, cause)
    assert weak(change) == {"types.ts": cause}


# Why an import leads elsewhere ------------------------------------------------------------------------


def test_a_path_that_came_is_the_reason(repository: Repository) -> None:
    change = edited(repository, {"a.ts": 'import "./b";\n', "b/index.ts": ""}, {"b.ts": "export const x = 1;\n"})
    assert strong(change) == {"a.ts": Cause(CauseKind.CAME, "b.ts")}


def test_a_path_that_went_is_the_reason(repository: Repository) -> None:
    change = edited(repository, {"a.ts": 'import "./b";\n', "b/index.ts": "", "b.ts": ""}, {"b.ts": None})
    assert strong(change) == {"a.ts": Cause(CauseKind.WENT, "b.ts")}


def test_a_manifest_is_the_reason(repository: Repository) -> None:
    files = {"tsconfig.json": "{}", "src/a.ts": 'import "@/b";\n', "src/b.ts": ""}
    paths = '{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}}'
    assert strong(edited(repository, files, {"tsconfig.json": paths})) == {
        "src/a.ts": Cause(CauseKind.MANIFEST, "tsconfig.json")
    }


def test_names_of_another_file_are_the_reason(repository: Repository) -> None:
    files = {"a.py": "from p import x\n", "p/__init__.py": "x = 1\n", "p/x.py": ""}
    change = edited(repository, files, {"p/__init__.py": ""})
    assert strong(change) == {"a.py": Cause(CauseKind.INTERFACE, "p/__init__.py")}


def test_the_settings_are_the_reason(repository: Repository) -> None:
    files = {"lib/a.py": "", "b.py": "import a\n", "weft.toml": ""}
    change = edited(repository, files, {"weft.toml": 'source_roots = ["lib"]\n'})
    assert strong(change) == {"b.py": Cause(CauseKind.SETTINGS)}


# As people and programs read it -----------------------------------------------------------------------


def test_reasons_in_text_and_json(repository: Repository) -> None:
    repository.write(TYPESCRIPT | {"package-lock.json": npm_lock(), "weft.toml": ""})
    store = f"sqlite:///{repository.root}/.weft/graph.db"
    weft(repository, "scan", "--store", store)
    repository.write({"package-lock.json": npm_lock(leaf="1.0.1"), "plain.ts": "export const x = 2;\n"})
    weft(repository, "scan", "--store", store)
    assert weft(repository, "affected", "--why", "--weak").stdout == (
        "above.ts  dependent\n"
        "    above.ts:1 imports leaf.ts: leaf 1.0.0 -> 1.0.1 in package-lock.json\n"
        "leaf.ts  package\n"
        "    leaf 1.0.0 -> 1.0.1 in package-lock.json\n"
        "middle.ts  package\n"
        "    middle needs leaf 1.0.0 -> 1.0.1 in package-lock.json\n"
        "package-lock.json  modified\n"
        "plain.ts  modified\n"
        "types.ts  package, over weak edges only\n"
        "    leaf 1.0.0 -> 1.0.1 in package-lock.json\n"
    )
    document = json.loads(weft(repository, "affected", "--why", "--format", "json").stdout)
    jsonschema.validate(document, json_schema("affected"))
    entries = {entry["path"]: entry for entry in document["files"]}
    because: dict[str, object] = {
        "kind": "package",
        "path": "package-lock.json",
        "change": None,
        "package": "leaf",
        "before": "1.0.0",
        "after": "1.0.1",
        "through": [],
    }
    assert entries["above.ts"]["because"] == entries["leaf.ts"]["because"] == because
    assert entries["above.ts"]["reason"] == "dependent"
    assert entries["middle.ts"]["because"] == because | {"through": ["middle"]}
    assert entries["plain.ts"]["because"]["kind"] == "changed"
    named = weft(repository, "affected", "package-lock.json", "--format", "paths").stdout
    assert named.split() == ["above.ts", "leaf.ts", "middle.ts", "other.ts", "package-lock.json", "packages/p/in.ts"]


def weft(repository: Repository, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository."""
    command = [sys.executable, "-P", "-m", "weft", *arguments]
    return subprocess.run(command, cwd=repository.root, capture_output=True, text=True, check=True)
