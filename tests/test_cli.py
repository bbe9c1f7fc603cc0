"""The command line as a person or a script meets it: real processes, exit codes, one sentence per error."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from repositories import Repository
from unprivileged import unprivileged
from weft.cli import group
from weft.cli.options import Voice
from weft.cli.scan import TerminalProgress, interruptions
from weft.report.schema import json_schema
from weft_storage.backends import open_store
from weft_storage.model.runs import Run, RunState

FILES = {
    "app.py": "import db\nimport os\nfrom pkg import util\n",
    "db.py": "import app\nX = 1\n",
    "pkg/__init__.py": "",
    "pkg/util.py": "from . import gone\nfrom db import X\n",
    "web/main.ts": 'import { go } from "./lib.js";\nimport react from "react";\n',
    "web/lib.ts": "export function go() {}\n",
}

Weft = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def weft(tmp_path: Path) -> Weft:
    """Runs `weft` in the folder `work`, as the user of this test or as nobody."""
    work = tmp_path / "work"
    work.mkdir()

    def run(*arguments: str, code: int = 0, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "weft", *arguments]
        settled: dict[str, Any] = {"cwd": work, "capture_output": True, "text": True, "check": False}
        done: subprocess.CompletedProcess[str] = subprocess.run(command, **(settled | options))
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    return run


@pytest.fixture
def work(tmp_path: Path, weft: Weft) -> Path:
    """A repository that was scanned."""
    repository = Repository(tmp_path / "work", None)  # type: ignore[arg-type]
    repository.write(FILES)
    weft("scan", "-q")
    return repository.root


def sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The error, which is one line and no traceback."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("weft: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


# What commands say --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["scan"],
        ["affected"],
        ["affected", "--files", "db.py", "--why"],
        ["order"],
        ["cycles"],
        ["deps", "app.py"],
        ["dependents", "db.py", "--transitive"],
        ["why", "app.py", "db.py"],
        ["unresolved"],
        ["unresolved", "--external"],
        ["symbols", "db.py"],
        ["runs"],
        ["status"],
        ["verify"],
        ["doctor"],
        ["store", "stats"],
        ["store", "gc"],
    ],
    ids=" ".join,
)
def test_every_json_document_keeps_its_schema(weft: Weft, work: Path, arguments: list[str]) -> None:
    document = json.loads(weft(*arguments, "--format", "json").stdout)
    command = arguments[0]
    assert document["schema"] == f"weft/{command}/1"
    jsonschema.validate(document, json_schema(command))
    assert weft(*arguments).stdout.endswith("\n")


def test_export_jsonl_is_to_the_letter(weft: Weft, work: Path) -> None:
    lines = weft("export", "--format", "jsonl").stdout.splitlines()
    assert lines[0] == (
        '{"importer": "app.py", "imported": "db.py", "kind": "import", "strength": "strong", "line": 1, '
        '"specifier": "db", "names": []}'
    )
    keys = [(edge["importer"], edge["imported"], edge["kind"], edge["line"]) for edge in map(json.loads, lines)]
    assert keys == sorted(keys)


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "dot", "mermaid", "graphml", "sarif"])
def test_exports_go_to_a_file_or_to_standard_output_alike(weft: Weft, work: Path, tmp_path: Path, form: str) -> None:
    weft("export", "--format", form, "-o", str(tmp_path / "out"))
    assert (tmp_path / "out").read_text() == weft("export", "--format", form).stdout


@pytest.mark.parametrize("form", ["file", "link", "pipe"])
def test_export_replaces_files_and_nothing_else(weft: Weft, work: Path, tmp_path: Path, form: str) -> None:
    """`weft export -o /dev/null` must not make a file of the device."""
    out, other = tmp_path / "out", tmp_path / "other"
    expected = weft("export").stdout
    if form == "pipe":
        os.mkfifo(out)
        reader = subprocess.Popen(["cat", out], stdout=subprocess.PIPE, text=True)
        weft("export", "-o", str(out))
        assert reader.communicate(timeout=20)[0] == expected
        assert out.is_fifo()
        return
    other.write_text("old")
    if form == "link":
        out.symlink_to(other)
    Path(f"{out}.partial").write_text("somebody's")
    weft("export", "-o", str(out))
    assert out.is_symlink() == (form == "link")
    assert out.read_text() == expected
    assert Path(f"{out}.partial").read_text() == "somebody's"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "out", "out.partial", "work"]


def test_a_full_device_and_closed_streams(weft: Weft, work: Path) -> None:
    with open("/dev/full", "wb") as full:
        for arguments in (["export"], ["deps", "app.py"], ["scan", "--format", "json"]):
            assert "No space left on device" in sentence(
                weft(*arguments, code=2, stdout=full, capture_output=False, stderr=subprocess.PIPE)
            )
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        script = f'exec "$0" -m weft "$@" {closed}'
        for arguments in (["scan"], ["deps", "app.py"], ["affected", "--stdin"]):
            done = subprocess.run(
                ["sh", "-c", script, sys.executable, *arguments], cwd=work, capture_output=True, input=b""
            )
            assert (done.returncode, b"weft:" in done.stderr) == (0, False), (closed, arguments, done.stderr)


def test_the_reader_of_a_pipe_may_leave(weft: Weft, work: Path) -> None:
    script = '"$0" -m weft export | head -n 1; echo "${PIPESTATUS[@]}"'
    done = subprocess.run(["bash", "-c", script, sys.executable], cwd=work, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["0 0"]
    assert done.stderr == ""


def test_odd_names_are_given_and_printed_as_they_are(weft: Weft, work: Path) -> None:
    names = [os.fsdecode(b"caf\xe9.py"), "two words.py", "two\nlines.py", "-dash.py", "..dots.py"]
    for name in names:
        (work / name).write_text("import db\n")
    weft("scan", "-q")
    for name in names:
        assert json.loads(weft("deps", "--format", "json", "--", name).stdout)["file"] == name
    listed = b"".join(os.fsencode(name) + b"\0" for name in sorted(names))
    command = [sys.executable, "-m", "weft", "affected", "-z", "--format", "paths"]
    given = subprocess.run([*command, "--", *names], cwd=work, capture_output=True, check=True)
    assert given.stdout == listed
    read = subprocess.run([*command, "--stdin"], cwd=work, capture_output=True, check=True, input=listed)
    assert read.stdout == listed


def test_a_go_package_is_given_by_its_directory(weft: Weft, work: Path) -> None:
    go = {"go.mod": "module e.x/m\n", "main.go": 'package main\nimport "e.x/m/lib"\n', "lib/a.go": "package lib\n"}
    Repository(work, None).write(go)  # type: ignore[arg-type]
    weft("scan", "-q")
    assert json.loads(weft("dependents", "lib", "--format", "json").stdout)["file"] == "lib"
    assert weft("dependents", "lib").stdout.startswith("main.go  (import, line 2")
    assert weft("deps", ".").stdout.startswith("lib  (import, line 2")
    assert weft("deps", ".", cwd=work / "lib").returncode == 0
    assert weft("affected", "lib", "--format", "paths").stdout == "lib/a.go\nmain.go\n"
    assert "'pkg': is not in" in sentence(weft("deps", "pkg", code=2))


def test_a_moved_repository_goes_on(weft: Weft, work: Path) -> None:
    moved = work.rename(work.with_name("moved"))
    assert json.loads(weft("deps", "util.py", "--format", "json", cwd=moved / "pkg").stdout)["file"] == "pkg/util.py"
    weft("verify", "-q", cwd=moved)
    weft("scan", "-q", cwd=moved)
    assert json.loads(weft("status", "--format", "json", cwd=moved).stdout)["project"] == "moved"
    work.mkdir()


def test_a_scan_does_not_leave_its_work_tree_for_a_store_above_it(weft: Weft, work: Path) -> None:
    subprocess.run(["git", "init", "-q", str(work / "web")], check=True)
    found = json.loads(weft("scan", "--format", "json", cwd=work / "web").stdout)
    assert (found["project"], found["counts"]["files"]) == ("web", 2)
    assert (work / "web/.weft/graph.db").exists()


def test_several_projects_in_one_store(weft: Weft, work: Path, tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "shared.db")]
    first = json.loads(weft("scan", *store, "--project", "one", "--format", "json").stdout)
    second = json.loads(weft("scan", *store, "--project", "two", "--format", "json").stdout)
    assert (first["cache_hit_rate"], second["cache_hit_rate"]) == (0.0, 1.0)
    error = sentence(weft("deps", "app.py", *store, code=2, cwd=tmp_path))
    assert "name one with --project: one, two" in error
    weft("deps", "app.py", *store, "--project", "two", cwd=tmp_path)
    weft(
        "deps",
        "app.py",
        "--project",
        "one",
        cwd=tmp_path,
        env={**os.environ, "WEFT_STORE": f"sqlite:///{tmp_path}/shared.db"},
    )
    assert "does not hold project 'three'" in sentence(weft("runs", *store, "--project", "three", code=2))


def test_affected_paths_are_for_other_programs(weft: Weft, work: Path) -> None:
    (work / "db.py").write_text("import app\nX = 2\n")
    weft("scan", "-q")
    assert weft("affected", "--format", "paths").stdout == "app.py\ndb.py\npkg/util.py\n"
    assert weft("affected", "--format", "paths", "-z", "--direct").stdout == "app.py\0db.py\0pkg/util.py\0"
    assert weft("affected", "--files", "web/lib.ts", "--format", "paths").stdout == "web/lib.ts\nweb/main.ts\n"
    assert weft("affected", "--files", "db.py", "web/lib.ts", "--direct", "--format", "paths").stdout.count("\n") == 5
    assert weft("affected", "--stdin", "--format", "paths", input="web/main.ts\n").stdout == "web/main.ts\n"
    weft("scan", "-q")
    assert weft("affected", "--format", "paths").stdout == "", "a scan without changes affects nothing"
    assert weft("affected", "--run", "2", "--format", "paths").stdout == "app.py\ndb.py\npkg/util.py\n"


def test_what_git_lists_may_be_given_as_it_is(weft: Weft, work: Path) -> None:
    """Among it are files that no graph holds: read me files, files that are gone, files that are new."""
    listed = "README.md\nweb/lib.ts\ngone\x07.py\n"
    done = weft("affected", "--stdin", "--format", "paths", input=listed)
    assert done.stdout == "web/lib.ts\nweb/main.ts\n"
    assert done.stderr == "not in the published graph, so nothing depends on them there: 'README.md', 'gone\\x07.py'\n"
    assert weft("affected", "--stdin", "-q", input="README.md\n").stderr == ""
    assert "'gone\\n.py': is not in" in sentence(weft("affected", "gone\n.py", code=2))


def test_affected_since_needs_no_scan_of_the_revision(weft: Weft, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "work", None)  # type: ignore[arg-type]
    repository.git("init", "--quiet")
    repository.write(FILES)
    first = repository.commit()
    repository.delete("web/lib.ts")
    repository.write({"other.py": "import app\n"})
    found = weft("affected", "--since", first, "--format", "paths").stdout
    assert found == "other.py\nweb/lib.ts\nweb/main.ts\n"
    second = repository.commit()
    assert weft("affected", "--since", first, "--rev", second, "--format", "paths").stdout == found
    assert weft("affected", "--since", "HEAD", "--format", "paths").stdout == ""
    weft("affected", "--since", "no-such-branch", code=2)


def test_affected_since_says_so_where_a_file_failed(weft: Weft, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "work", None)  # type: ignore[arg-type]
    repository.git("init", "--quiet")
    repository.write(FILES)
    repository.commit()
    repository.write(
        {"slow.py": "x = [\n" + "    [1, 2, (3, 4)],\n" * 100_000 + "]\n", "weft.toml": "file_timeout = 0.05\n"}
    )
    done = weft("affected", "--since", "HEAD", "--format", "paths", code=3)
    assert "slow.py" in done.stdout.splitlines()
    assert "slow.py" in sentence(done)


def test_why_shows_each_step(weft: Weft, work: Path) -> None:
    out = weft("why", "pkg/util.py", "app.py").stdout
    assert out.splitlines()[0].startswith("pkg/util.py:2 imports db.py")
    assert out.splitlines()[1].startswith("db.py:1 imports app.py")
    assert not json.loads(weft("why", "web/lib.ts", "app.py", "--format", "json").stdout)["found"]


def test_commands_work_from_a_folder_inside(weft: Weft, work: Path) -> None:
    found = json.loads(weft("deps", "util.py", "--format", "json", cwd=work / "pkg").stdout)
    assert found["file"] == "pkg/util.py"
    weft("deps", "pkg/util.py", cwd=work / "pkg")


def test_scan_exits_1_only_where_asked(weft: Weft, work: Path) -> None:
    weft("scan", "-q")
    weft("scan", "-q", "--fail-on", "new-cycles")
    weft("scan", "-q", "--fail-on", "cycles", code=1)
    weft("scan", "-q", "--fail-on", "unresolved,cycles", code=1)
    (work / "web/lib.ts").write_text('import "./main";\n')
    weft("scan", "-q", "--fail-on", "new-cycles", code=1)
    weft("scan", "-q", "--fail-on", "sin", code=2)


def test_an_incomplete_run_exits_3_and_names_the_file(weft: Weft, work: Path) -> None:
    (work / "slow.py").write_text("x = [\n" + "    [1, 2, (3, 4)],\n" * 100_000 + "]\n")
    (work / "weft.toml").write_text("file_timeout = 0.05\n")
    done = weft("scan", "-q", "--format", "json", code=3)
    found = json.loads(done.stdout)
    assert found["status"] == "incomplete"
    assert [problem["path"] for problem in found["problems"]] == ["slow.py"]


def test_verify_notices_a_tampered_store(weft: Weft, work: Path) -> None:
    weft("verify", "-q")
    with sqlite3.connect(work / ".weft/graph.db") as database:
        database.execute("DELETE FROM adjacency WHERE path = (SELECT max(path) FROM adjacency)")
    done = weft("verify", "-q", "--format", "json", code=1)
    assert any(each["kind"] == "missing" for each in json.loads(done.stdout)["differences"])


def test_verify_takes_a_sample_and_says_how_to_take_it_again(weft: Weft, work: Path) -> None:
    done = json.loads(weft("verify", "-q", "--sample", "100%", "--format", "json").stdout)
    assert done["equal"] is True
    assert done["sample"]["files"] == done["sample"]["of"] > 1
    again = weft("verify", "-q", "--sample", "1", "--seed", "12").stdout
    assert f"1 of {done['sample']['of']} files made from zero (--seed 12)" in again
    with sqlite3.connect(work / ".weft/graph.db") as database:
        database.execute("DELETE FROM adjacency WHERE path = (SELECT max(path) FROM adjacency)")
    assert "missing edge" in weft("verify", "-q", "--sample", "100%", code=1).stdout


@pytest.mark.parametrize("arguments", [("--sample", "0"), ("--sample", "101%"), ("--sample", "few"), ("--seed", "1")])
def test_verify_refuses_what_is_no_sample(weft: Weft, work: Path, arguments: tuple[str, ...]) -> None:
    assert "sample" in weft("verify", *arguments, code=2).stderr


COMMANDS = """
scan, affected, order, cycles, deps, dependents, why, unresolved, symbols, export, runs, status, verify, doctor,
store gc, store stats, store migrate
"""


@pytest.mark.parametrize("command", [each.strip() for each in COMMANDS.split(",")])
def test_help_of_every_command_shows_an_example(command: str) -> None:
    done = CliRunner().invoke(group, [*command.split(), "--help"])
    assert f"weft {command}" in done.output.split("Example")[1]


def test_help_loads_nothing_heavy() -> None:
    heavy = {"numpy", "scipy", "tree_sitter", "msgspec", "yaml"}
    code = f"import sys; import weft.cli; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_scan_loads_nothing_of_the_repository(weft: Weft, work: Path) -> None:
    for name in ("msgspec", "click", "weft_tasks", "sitecustomize", "numpy", "tasks", "storage", "orchestrator"):
        (work / f"{name}.py").write_text("open('/tmp/weft-was-fooled', 'w').close()\nraise SystemExit(99)\n")
    script = Path(sys.executable).parent / "weft"
    done = subprocess.run([script, "scan", "-q"], cwd=work, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not os.path.exists("/tmp/weft-was-fooled")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["scan", "--bogus"], "weft: no such option '--bogus'"),
        (["sacn"], "weft: no such command 'sacn'"),
        (["deps"], "weft: missing argument 'FILE'; see `weft deps --help`"),
        (["scan", "--jobs", "0"], "weft: invalid value for '-j' / '--jobs': 0 is not in the range x>=1; see"),
        (["affected", "--since", "HEAD", "--run", "1"], "weft: --since, --run and files exclude each other; see"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_wrong_usage_is_one_sentence(weft: Weft, arguments: list[str], said: str) -> None:
    assert sentence(weft(*arguments, code=2)).startswith(said)


# Bad input ----------------------------------------------------------------------------------------


def test_a_path_that_does_not_exist(weft: Weft) -> None:
    assert "no such folder" in sentence(weft("scan", "nowhere", code=2))


def test_a_path_that_is_a_file(weft: Weft, work: Path) -> None:
    assert "not a folder" in sentence(weft("scan", "app.py", code=2))


def test_a_revision_of_what_is_no_repository(weft: Weft, work: Path) -> None:
    assert "no git repository" in sentence(weft("scan", "--rev", "HEAD", code=2))


def test_a_revision_that_does_not_exist(weft: Weft, work: Path) -> None:
    subprocess.run(["git", "init", "-q", str(work)], check=True)
    assert "no commit 'v9'" in sentence(weft("scan", "--rev", "v9", code=2))
    weft("deps", "app.py")


def test_no_store_yet(weft: Weft) -> None:
    assert "run `weft scan` first" in sentence(weft("deps", "app.py", code=2))


def test_runs_are_listed_where_none_has_succeeded_yet(weft: Weft, tmp_path: Path) -> None:
    with open_store(str(tmp_path / "work/.weft/graph.db")) as store, store.lock("work", timeout=0):
        store.begin(Run(project="work"))
    assert "running" in weft("runs").stdout
    assert "does not hold project" in sentence(weft("runs", "--project", "other", code=2))


def test_the_url_of_a_broker_that_is_none_is_no_run_that_failed(weft: Weft, work: Path) -> None:
    before = weft("runs").stdout
    assert "behind its host" in sentence(weft("scan", "--broker", "redis://u:1/geheim@h/0", code=2))
    assert weft("runs").stdout == before


def test_a_file_that_is_not_in_the_graph(weft: Weft, work: Path) -> None:
    assert "'nope.py': is not in the published graph" in sentence(weft("deps", "nope.py", code=2))


def test_a_corrupt_store_is_named_and_left_as_it_is(weft: Weft, work: Path) -> None:
    store = work / ".weft/graph.db"
    for suffix in ("-wal", "-shm"):
        Path(f"{store}{suffix}").unlink(missing_ok=True)
    store.write_bytes(b"not a database, but somebody's file" * 100)
    assert "is not a Weft store or is damaged; move it away" in sentence(weft("scan", code=2))
    assert store.read_bytes() == b"not a database, but somebody's file" * 100


def test_a_store_of_a_newer_version(weft: Weft, work: Path) -> None:
    with sqlite3.connect(work / ".weft/graph.db") as database:
        name = "schema" if ("schema",) in database.execute("SELECT name FROM meta").fetchall() else "schema_version"
        database.execute("UPDATE meta SET value = 999 WHERE name = ?", (name,))
    error = sentence(weft("scan", code=2))
    assert "999" in error
    assert "upgrade weft" in error


def test_a_read_only_store_is_read_but_not_written(weft: Weft, work: Path) -> None:
    store = work / ".weft/graph.db"
    _let_in(store)
    store.chmod(0o444)
    store.parent.chmod(0o555)
    assert unprivileged(lambda: _main(work, "deps", "app.py")) == 0
    assert "make the folder writable or choose another --store" in str(unprivileged(lambda: _main(work, "scan")))
    store.parent.chmod(0o755)


def test_an_unreadable_file_makes_the_run_incomplete(weft: Weft, work: Path, tmp_path: Path) -> None:
    _let_in(work)
    for path in (work / ".weft").iterdir():
        path.chmod(0o666)
    (work / ".weft").chmod(0o777)
    (work / "db.py").chmod(0)
    assert unprivileged(lambda: _main(work, "scan", "-q")) == 3
    problems = json.loads(weft("status", "--format", "json").stdout)["problems"]
    assert {"path": "db.py", "message": "permission denied"} in problems
    weft("scan", "-q")
    weft("verify", "-q")


def _let_in(path: Path) -> None:
    """Let anybody into the folders above a path."""
    for folder in path.parents:
        if folder != Path("/tmp") and folder.owner() == Path.cwd().owner():
            folder.chmod(folder.stat().st_mode | 0o055)


def _main(folder: Path, *arguments: str) -> int:
    """The command line in this process: another could not be started by one who may not read the interpreter."""
    os.chdir(folder)
    from weft.cli import group

    return int(group.main(list(arguments), standalone_mode=False) or 0)


def test_malformed_manifests_are_listed_and_the_scan_goes_on(weft: Weft, work: Path) -> None:
    broken = {
        "web/tsconfig.json": "{",
        "go.mod": "module\n",
        "main.go": 'package main\nimport "x.org/y"\n',
        "Cargo.toml": "[package",
        "src/lib.rs": "mod a;\n",
        "pyproject.toml": "[project",
    }
    Repository(work, None).write(broken)  # type: ignore[arg-type]
    found = json.loads(weft("scan", "-q", "--format", "json").stdout)
    assert {"web/tsconfig.json", "go.mod", "Cargo.toml", "pyproject.toml"} <= {
        each["path"] for each in found["problems"]
    }
    assert found["status"] == "published"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("file_timeout = nan", "not a positive"),
        ("file_timeout = inf", "larger than"),
        ("Exclude = 1", "`Exclude`"),
        ("exclude = 1\n", "exclude"),
        ("[rule]\n", "rule"),
        ("max_file_size = 0\n", "limit"),
        ("x = ", "not TOML"),
    ],
)
def test_a_wrong_configuration_is_an_error_that_names_it(weft: Weft, work: Path, text: str, part: str) -> None:
    (work / "weft.toml").write_text(text)
    error = sentence(weft("scan", code=2))
    assert "weft.toml" in error
    assert part in error


@pytest.mark.parametrize("form", ["folder", "link"])
def test_a_configuration_that_cannot_be_read_is_not_passed_over(weft: Weft, work: Path, form: str) -> None:
    if form == "folder":
        (work / "weft.toml").mkdir()
    else:
        (work / "weft.toml").symlink_to("/etc/passwd")
    assert "weft.toml: cannot be read" in sentence(weft("scan", code=2))


def test_two_scans_of_one_project_wait_or_say_who_holds_it(weft: Weft, work: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(work / ".weft/graph.db")], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder:
        holder.stdout.readline()
        error = sentence(weft("scan", "--lock-timeout", "0.3", code=2))
        assert f"pid {holder.pid}" in error
        waiting = subprocess.Popen([sys.executable, "-m", "weft", "scan", "-q"], cwd=work, stdout=subprocess.DEVNULL)
        time.sleep(1)
        assert waiting.poll() is None
        holder.kill()
        assert waiting.wait(timeout=30) == 0


_HOLD = """
import sys, time
from weft_storage.backends import open_store
with open_store(sys.argv[1]) as store, store.lock("work", timeout=5):
    print("held", flush=True)
    time.sleep(60)
"""


def test_control_c_says_so_and_leaves_the_published_graph(weft: Weft, work: Path) -> None:
    before = weft("export").stdout
    interrupted = _started_on_much_work(work)
    time.sleep(1.5)
    interrupted.send_signal(signal.SIGINT)
    _, errors = interrupted.communicate(timeout=20)
    assert interrupted.returncode == 130, errors
    assert errors.strip().splitlines()[-1] == "weft: interrupted; the last published graph is as it was"
    assert weft("export").stdout == before
    weft("scan", "-q")
    weft("verify", "-q")


_INTERRUPTED_IN_EXEC = """
import weft.cli
from weft.__main__ import run

def main():
    exec("raise KeyboardInterrupt")

weft.cli.main = main
run()
"""


def test_an_interrupt_in_the_making_of_a_class_ends_with_the_same_code(tmp_path: Path) -> None:
    """Python itself would end by SIGINT where the interrupt passed through source text that is run."""
    (tmp_path / "interrupted.py").write_text(_INTERRUPTED_IN_EXEC)
    ended = subprocess.run([sys.executable, "-m", "interrupted"], cwd=tmp_path, capture_output=True)
    assert ended.returncode == 130
    assert ended.stderr == b"weft: interrupted; the last published graph is as it was\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_scan_that_is_recorded_as_cancelled(weft: Weft, work: Path, number: signal.Signals) -> None:
    interrupted = _started_on_much_work(work)
    deadline = time.monotonic() + 60
    with open_store(str(work / ".weft" / "graph.db")) as store:
        while store.runs("work", limit=1)[0].state is not RunState.RUNNING:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    interrupted.send_signal(number)
    _, errors = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130, errors
    newest = json.loads(weft("runs", "--format", "json").stdout)["runs"][0]
    assert (newest["state"], newest["error"]) == ("cancelled", f"interrupted by {number.name}")


def test_an_interrupt_that_was_swallowed_comes_back() -> None:
    with interruptions() as interruption, TerminalProgress(Voice(True, False, False), interruption) as progress:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt, match="interrupted by SIGTERM"):
            progress.advance(1)


def test_a_signal_that_was_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptions() as interruption:
            signal.raise_signal(signal.SIGHUP)
            interruption.check()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_kill_9_at_any_moment_leaves_a_store_that_goes_on(weft: Weft, work: Path) -> None:
    before = weft("export").stdout
    for delay in (0.3, 0.8, 1.3, 1.8):
        killed = _started_on_much_work(work)
        time.sleep(delay)
        killed.kill()
        killed.communicate()
        assert weft("export").stdout == before
    assert json.loads(weft("scan", "-q", "--format", "json").stdout)["counts"]["failed"] == 0
    weft("verify", "-q")


def _started_on_much_work(work: Path) -> "subprocess.Popen[str]":
    body = "".join(f"def function_{number}(a, b):\n    return [a, b, {number}]\n" for number in range(3_000))
    for number in range(150):
        (work / f"much_{number}.py").write_text(f"import app  # {number}\n{body}")
    command = [sys.executable, "-m", "weft", "scan", "-q", "--jobs", "1"]
    return subprocess.Popen(
        command, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=_heed_signals
    )


def _heed_signals() -> None:
    """What the tests' own parent ignores, as under nohup, the command is to heed."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
