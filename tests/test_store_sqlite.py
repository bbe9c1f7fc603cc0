"""The store in a SQLite file: all that can be wrong with files, processes and disks."""

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from store_conformance import StoreConformance
from store_processes import (
    StoreProcesses,
    begin_after_a_kill,
    check_one_of_two,
    kill_while_publishing,
    message_of,
    publish_graph,
    python,
    two_graphs,
)
from store_samples import Graph, check, digest, facts, publish, record, row
from unprivileged import unprivileged
from weft_storage.backends import Part, Store, codec, open_store
from weft_storage.backends.locks import lock_path
from weft_storage.backends.sqlite import SqliteDatabase, sqlite_path
from weft_storage.backends.sqlstore import SCHEMA_VERSION, Parameter, SqlStore, migrate
from weft_storage.backends.statements import migrations, statements
from weft_storage.model.errors import StoreBusy, StoreTooNew, StoreUnavailable, UsageError
from weft_storage.model.runs import Publication, Run, RunState, StoredFacts


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/graph.db"


class TestSqliteStore(StoreConformance):
    @pytest.fixture
    def store(self, url: str) -> Iterator[Store]:
        with open_store(url) as store:
            yield store


class TestSqliteProcesses(StoreProcesses):
    @pytest.fixture
    def store_url(self, url: str) -> str:
        return url


# URLs and files --------------------------------------------------------------------------------------


def test_urls_follow_sqlalchemys_convention(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert sqlite_path("sqlite:////a/b.db") == "/a/b.db"
    assert sqlite_path("sqlite:///b.db") == f"{tmp_path}/b.db"
    assert sqlite_path("b.db") == f"{tmp_path}/b.db"
    assert sqlite_path("/a/b%20?x=1.db") == "/a/b%20?x=1.db"


def test_the_url_of_a_store_means_the_same_in_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store("graph.db") as store:
        assert store.url == f"sqlite:///{tmp_path}/graph.db"
        monkeypatch.chdir("/")
        with open_store(store.url, create=False) as again:
            assert again.url == store.url


@pytest.mark.parametrize(
    "name", ["100%.db", "a?mode=ro.db", "a#b.db", "é 🧵.db", "bytes\udcff.db", "-x.db", "file:x.db"]
)
def test_files_may_have_odd_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store(name) as store:
        publish(store, files=[record("a")])
        assert os.fsencode(name) in os.listdir(os.fsencode(tmp_path))
        with store.lock("p", timeout=0):
            pass
    with open_store(f"sqlite:///{name}", create=False) as store:
        assert store.projects() == ["p"]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:x.db", "sqlite://host/x.db", "", "a\0b"])
def test_urls_that_name_no_file_are_refused(url: str) -> None:
    with pytest.raises(UsageError, match="sqlite:////absolute"):
        open_store(url)


@pytest.mark.parametrize("url", ["d1://user:secret@a/b", "mysql://secret@x/y", "postgresql+psycopg://:secret@h"])
def test_kinds_of_stores_that_are_not_there_are_refused_without_their_secrets(url: str) -> None:
    with pytest.raises(UsageError, match="store of kind") as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgresql:/u:secret@h/d", "postgres:u:secret@h/d", "D1:/secret"])
def test_half_a_url_is_no_file(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="lacks a slash") as caught:
        open_store(url)
    assert "secret" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_missing_folders_are_made(tmp_path: Path) -> None:
    with open_store(f"{tmp_path}/a/b/graph.db"):
        assert sorted(os.listdir(tmp_path / "a/b"))[0] == "graph.db"
        assert not (tmp_path / "a/b/.gitignore").exists()


def test_the_default_folder_ignores_itself_when_it_is_made(tmp_path: Path) -> None:
    open_store(f"{tmp_path}/.weft/graph.db").close()
    assert (tmp_path / ".weft/.gitignore").read_text() == "*\n"
    (tmp_path / ".weft/.gitignore").unlink()
    open_store(f"{tmp_path}/.weft/graph.db").close()
    assert os.listdir(tmp_path / ".weft") == ["graph.db"]


def test_without_create_nothing_is_made(tmp_path: Path) -> None:
    for path in (tmp_path / "graph.db", tmp_path / ".weft/graph.db"):
        with pytest.raises(StoreUnavailable, match=r"does not exist; run `weft scan` first"):
            open_store(str(path), create=False)
    assert os.listdir(tmp_path) == []
    (tmp_path / "empty.db").touch()
    with pytest.raises(StoreUnavailable, match="is empty; run `weft scan` first"):
        open_store(f"{tmp_path}/empty.db", create=False)
    assert (tmp_path / "empty.db").read_bytes() == b""


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with open_store(f"{tmp_path}/empty.db") as store:
        publish(store)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="is a directory"):
        open_store(str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreUnavailable, match="is not a regular file"):
        open_store(f"{tmp_path}/pipe")
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnavailable, match="folder cannot be made"):
        open_store(f"{tmp_path}/file/graph.db")
    with pytest.raises(StoreUnavailable, match="does not exist"):
        open_store(f"{tmp_path}/file/graph.db", create=False)
    with pytest.raises(StoreUnavailable, match="cannot be opened: File name too long"):
        open_store(f"{tmp_path}/{'x' * 300}.db")


def test_a_store_keeps_what_it_holds_when_it_is_opened_again(url: str) -> None:
    graph = Graph({"a": record("a")}, {"a": row("a", "b", reads=[7])}, {"s": b"1"})
    with open_store(url) as store:
        run = publish(store, files=graph.files.values(), rows=graph.rows.values(), states=graph.states)
        store.put_facts([facts(1)])
    for create in (True, False):
        with open_store(url, create=create) as store:
            check(store, "p", graph)
            assert store.published("p") == run
            assert store.readers("p", [7]) == ["a"]
            assert list(store.facts([digest(1)], Part.IMPORTS))
    assert Path(sqlite_path(url)).read_bytes()[18:20] == b"\x02\x02"  # WAL, says SQLite's file format.


# Versions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "ours"), [("schema", SCHEMA_VERSION), ("format", codec.FORMAT_VERSION)])
def test_a_newer_store_is_refused(url: str, name: str, ours: int) -> None:
    open_store(url).close()
    _execute(url, "UPDATE meta SET value = 700 WHERE name = ?", name)
    for create in (True, False):
        with pytest.raises(StoreTooNew) as caught:
            open_store(url, create=create)
        problem = f"{name} 700 is newer than this program's {ours}; upgrade weft"
        assert str(caught.value) == f"cannot open store '{url}': {problem}"


def test_an_older_store_is_migrated_only_with_create(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(url) as store:
        publish(store, files=[record("a")])
    more = (*migrations(), ("CREATE TABLE later (x INTEGER)", "UPDATE file SET payload = payload"))
    monkeypatch.setattr("weft_storage.backends.sqlstore.migrations", lambda: more)
    monkeypatch.setattr("weft_storage.backends.sqlstore.SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with pytest.raises(StoreUnavailable, match=r"is older than this program's .*; run `weft store migrate`"):
        open_store(url, create=False)
    with open_store(url) as store:
        check(store, "p", Graph({"a": record("a")}))
    assert _execute(url, "SELECT value FROM meta WHERE name = 'schema'") == [(SCHEMA_VERSION + 1,)]
    open_store(url, create=False).close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(url).close()
    more = (*migrations(), ("CREATE TABLE later (x INTEGER)", "no sql"))
    with monkeypatch.context() as patched:
        patched.setattr("weft_storage.backends.sqlstore.migrations", lambda: more)
        patched.setattr("weft_storage.backends.sqlstore.SCHEMA_VERSION", SCHEMA_VERSION + 1)
        with pytest.raises(StoreUnavailable, match="cannot be used"):
            open_store(url)
    assert _execute(url, "SELECT name FROM sqlite_master WHERE name = 'later'") == []
    open_store(url, create=False).close()


# Damage ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"x", b"hello\n", b"SQLite format 3\0", os.urandom(100_000), b"\0" * 5000])
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "graph.db"
    path.write_bytes(content)
    for create in (True, False):
        with pytest.raises(StoreUnavailable, match="is not a Weft store or is damaged; move it away and scan again"):
            open_store(str(path), create=create)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["graph.db"]


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "places.db"
    for table in ("meta (name TEXT, value TEXT)", "bookmarks (x INTEGER)"):
        _execute(f"sqlite:///{path}", f"CREATE TABLE {table}")
        content = path.read_bytes()
        with pytest.raises(StoreUnavailable, match="is the database of another program"):
            open_store(str(path))
        assert path.read_bytes() == content


def test_damaged_pages_are_an_error_that_says_what_to_do(url: str) -> None:
    names = [f"f{number}" for number in range(3000)]
    with open_store(url) as store:
        publish(store, files=map(record, names), rows=[row(name, *names[:20]) for name in names])
    path = Path(sqlite_path(url))
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    content[half:] = os.urandom(len(content) - half)
    path.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="damaged; move it away and scan again"), open_store(url) as store:
        [read() for read in _reads(store)]
    assert path.read_bytes() == content


def test_a_truncated_store_is_an_error(url: str) -> None:
    with open_store(url) as store:
        publish(store, files=[record(f"f{number}") for number in range(3000)])
    os.truncate(sqlite_path(url), 60_000)
    with pytest.raises(StoreUnavailable, match="damaged"), open_store(url) as store:
        store.files("p")


@pytest.mark.parametrize("table", ["file", "adjacency", "detail", "outside", "reads", "state", "facts", "run"])
@pytest.mark.parametrize("damage", ["", "AQ==", "CQ==", "[", "not base64 é", '["x"]', "AAAAAAAA"])
def test_payloads_that_nobody_wrote_are_damage(url: str, table: str, damage: str) -> None:
    with open_store(url) as store:
        publish(store, files=[record("a")], rows=[row("a", "b", reads=[1])], states={"s": b"1"})
        store.put_facts([facts(1)])
    column = {"facts": "imports", "run": "body"}.get(table, "payload")
    _execute(url, f"UPDATE {table} SET {column} = ?", damage)
    with open_store(url) as store:
        for read in _reads(store):
            with contextlib.suppress(StoreUnavailable):
                read()


def _reads(store: Store) -> list[Callable[[], object]]:
    return [
        lambda: store.files("p"),
        lambda: store.graph("p"),
        lambda: list(store.edges("p")),
        lambda: list(store.outside("p")),
        lambda: store.readers("p", [1]),
        lambda: store.state("p", "s"),
        lambda: store.published("p"),
        lambda: list(store.facts([digest(1)], Part.IMPORTS)),
        lambda: store.collect(keep_runs=1),
    ]


def test_a_damaged_cache_is_no_cache(url: str) -> None:
    with open_store(url) as store:
        store.put_cache("stat", b"abc")
        _execute(url, "UPDATE cache SET payload = 'x'")
        assert store.cache("stat") is None


def test_a_full_disk_is_an_error_and_the_published_graph_stays(url: str) -> None:
    before = Graph({"a": record("a")}, {"a": row("a", "b")})
    with open_store(url) as store:
        run = publish(store, files=before.files.values(), rows=before.rows.values())
        assert isinstance(store, SqlStore)
        store.database.query("PRAGMA max_page_count = 60")
        with pytest.raises(StoreUnavailable, match="no room left on its disk"):
            publish(store, files=[record(f"f{number}") for number in range(10_000)])
        with pytest.raises(StoreUnavailable, match="no room left on its disk"):
            store.put_facts(StoredFacts(digest(number), os.urandom(9000), b"", b"") for number in range(1000))
        check(store, "p", before)
        assert store.published("p") == run
    with open_store(url) as store:
        publish(store, files=[record("c")])
        assert len(store.files("p")) == 2


def test_a_lock_of_another_program_is_an_error(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("weft_storage.backends.sqlite.BUSY_SECONDS", 0.05)
    with open_store(url) as store:
        publish(store)
        other = sqlite3.connect(sqlite_path(url), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="is locked by another program; wait for it or end it"):
            store.put_cache("x", b"y")
        assert store.published("p")
        other.execute("ROLLBACK")
        other.close()
        store.put_cache("x", b"y")


# Permissions -----------------------------------------------------------------------------------------


@pytest.fixture
def shared(url: str) -> Iterator[str]:
    """A store with one file, in a folder that anybody can reach and nobody but its owner can write."""
    folder = tempfile.mkdtemp(prefix="weft-test-")
    try:
        with open_store(f"{folder}/graph.db") as store:
            publish(store, files=[record("a")], rows=[row("a", "b")])
        os.chmod(f"{folder}/graph.db", 0o444)
        os.chmod(folder, 0o555)
        yield f"{folder}/graph.db"
    finally:
        os.chmod(folder, 0o755)
        shutil.rmtree(folder)


def test_a_read_only_store_can_be_read(shared: str) -> None:
    def read() -> object:
        found = []
        for create in (True, False):
            with open_store(shared, create=create) as store:
                found.append([store.projects(), len(store.files("p")), len(store.graph("p").kinds)])
        return found

    assert unprivileged(read) == [[["p"], 1, 1]] * 2
    assert os.listdir(os.path.dirname(shared)) == ["graph.db"]


def test_a_read_only_store_cannot_be_written(shared: str) -> None:
    def write() -> object:
        with open_store(shared) as store:
            return [message_of(lambda: publish(store)), message_of(lambda: store.put_cache("x", b""))]

    expected = f"store 'sqlite:///{shared}': is read-only, the file or its folder; make both writable or choose another"
    assert unprivileged(write) == [f"{expected} --store"] * 2


def test_a_project_in_a_read_only_folder_cannot_be_locked(shared: str) -> None:
    def lock() -> object:
        with open_store(shared) as store:
            return message_of(lambda: store.lock("p", timeout=0).__enter__())

    message = str(unprivileged(lock))
    assert message.startswith(f"lock file '{shared}.p.lock': cannot be made: Permission denied; ")


def test_a_store_cannot_be_made_in_a_read_only_folder(shared: str) -> None:
    folder = os.path.dirname(shared)

    def make() -> object:
        return [
            message_of(lambda: open_store(f"{folder}/new.db")),
            message_of(lambda: open_store(f"{folder}/a/new.db")),
        ]

    first, second = _as_list(unprivileged(make))
    assert "cannot be opened; check the path and the permissions of its folder" in first
    assert "its folder cannot be made: Permission denied" in second


def test_a_file_that_may_not_be_read_is_an_error(shared: str) -> None:
    os.chmod(shared, 0)
    assert "cannot be opened" in str(unprivileged(lambda: message_of(lambda: open_store(shared))))
    os.chmod(os.path.dirname(shared), 0)
    assert "Permission denied" in str(unprivileged(lambda: message_of(lambda: open_store(shared, create=False))))


def test_a_reader_of_a_read_only_folder_sees_what_a_killed_writer_published(shared: str) -> None:
    script = """
        import os, signal, sys
        sys.path[:0] = sys.argv[2:]
        from store_samples import publish, record
        from weft_storage.backends import open_store
        store = open_store(sys.argv[1])
        publish(store, files=[record("b")])
        os.kill(os.getpid(), signal.SIGKILL)
    """
    os.chmod(shared, 0o644)
    os.chmod(os.path.dirname(shared), 0o755)
    with python(script, shared, *sys.path) as child:
        assert child.wait() == -signal.SIGKILL
    assert os.path.getsize(f"{shared}-wal") > 0
    for name in os.listdir(os.path.dirname(shared)):
        os.chmod(f"{os.path.dirname(shared)}/{name}", 0o444)
    os.chmod(os.path.dirname(shared), 0o555)

    def read() -> object:
        with open_store(shared, create=False) as store:
            return [each.path for each in store.files("p")]

    assert unprivileged(read) == ["a", "b"]


# Locks -----------------------------------------------------------------------------------------------


def test_one_lock_serves_all_names_of_a_file(tmp_path: Path) -> None:
    with open_store(f"{tmp_path}/graph.db") as store:
        os.symlink("graph.db", tmp_path / "link.db")
        with open_store(f"{tmp_path}/link.db") as other, store.lock("p", timeout=0), pytest.raises(StoreBusy):
            other.lock("p", timeout=0).__enter__()


def test_lock_files_of_odd_projects_stay_beside_the_store() -> None:
    assert lock_path("/x/graph.db", "my-project_1.0") == "/x/graph.db.my-project_1.0.lock"
    names = ["../../etc/passwd", "", ".", "..", "a/b", "a b", "x" * 300, "=a", "é", "\udcff"]
    paths = [lock_path("/x/graph.db", name) for name in names]
    assert len(set(paths)) == len(names)
    assert all(path.startswith("/x/graph.db.=") and path.count("/") == 2 and len(path) < 60 for path in paths)


def test_a_lock_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    with open_store(f"{tmp_path}/graph.db") as store:
        os.symlink("precious", lock_path(f"{tmp_path}/graph.db", "p"))
        with pytest.raises(StoreUnavailable, match="cannot be made"):
            store.lock("p", timeout=0).__enter__()
    assert (tmp_path / "precious").read_text() == "precious"


# Readers and writers ---------------------------------------------------------------------------------


class _Autocommit(SqliteDatabase):
    """A database without transactions over several statements (as D1 is), which dies at one of its writes."""

    writes_left = 1_000_000

    def query(self, sql: str, *parameters: Parameter) -> list[object]:
        if sql.startswith(("BEGIN", "COMMIT", "ROLLBACK")):
            return []
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            if not self.writes_left:
                raise StoreUnavailable("store", "is gone")
            self.writes_left -= 1
        return super().query(sql, *parameters)


def test_publishing_needs_no_transaction_for_its_readers_sake() -> None:
    old = Graph(
        {name: record(name) for name in "abc"},
        {name: row(name, "b", "z", reads=[1]) for name in "ab"},
        {"s": b"1" * 600_000, "t": b"1"},
    )
    new = Graph(
        {"a": old.files["a"], "b": record("b", 2), "d": record("d")},
        {"a": row("a", "b", "z", line=2, reads=[1]), "d": row("d", "a", reads=[2])},
        {"s": b"2", "t": b"1"},
    )
    database = _Autocommit("memory://", "file::memory:")
    migrate(database)
    with SqlStore(database) as store:
        publish(store, files=[record("zero")], states={"s": b"0"})
        base = publish(
            store,
            files=old.files.values(),
            removed_files=["zero"],
            rows=old.rows.values(),
            states=old.states,
        )
        crashes = 0
        while not _published(store, database, crashes, new):
            crashes += 1
            check(store, "p", old)
            check(store, "p", old, at=base.id)
            assert store.readers("p", [1]) == ["a", "b"]
            assert store.published("p") == base
            assert store.stats()["run"] == 2 + crashes
        assert crashes > 20
        check(store, "p", new)
        check(store, "p", old, at=base.id)
        assert {run.error for run in store.runs("p") if run.state is RunState.FAILED} == {"interrupted"}


def _published(store: Store, database: _Autocommit, writes: int, graph: Graph) -> bool:
    """Begin and publish, with a crash after so many writes of publishing; whether it came to its end."""
    run = store.begin(Run(project="p"))
    database.writes_left = writes
    publication = Publication(
        msgspec.structs.replace(run, state=RunState.PUBLISHED),
        list(graph.files.values()),
        ["c"],
        list(graph.rows.values()),
        ["b"],
        graph.states,
    )
    try:
        store.publish(publication)
    except StoreUnavailable:
        return False
    finally:
        database.writes_left = 1_000_000
    return True


def test_a_process_killed_while_it_publishes_leaves_a_whole_graph(url: str) -> None:
    delays = random.Random(7)
    with open_store(url) as store:
        publish_graph(store, two_graphs()[0])
    for _ in range(12):
        kill_while_publishing(url, delays.uniform(0, 0.4))
        with open_store(url, create=False) as store:
            check_one_of_two(store)
            with store.lock("p", timeout=0):
                begin_after_a_kill(store)
                check_one_of_two(store)
            store.collect(keep_runs=1)
        assert _execute(url, "PRAGMA integrity_check") == [("ok",)]


def test_collecting_makes_the_file_smaller(url: str) -> None:
    names = [f"f{number}" for number in range(5000)]
    with open_store(url) as store:
        publish(store, files=map(record, names), rows=[row(name, *names[:10]) for name in names])
        publish(store, removed_files=names, removed_rows=names)
        before = store.stats()["bytes"]
        store.collect(keep_runs=1)
        assert store.stats()["bytes"] < before / 5
    assert os.path.getsize(sqlite_path(url)) < before / 5


# Statements ------------------------------------------------------------------------------------------


def test_no_statement_that_takes_rows_walks_a_table_for_each_of_them() -> None:
    connection = sqlite3.connect(":memory:")
    for migration in migrations():
        for statement in migration:
            connection.execute(statement)
    taking = {name: sql for name, sql in statements().items() if "json_each" in sql}
    assert len(taking) > 30
    for name, sql in taking.items():
        plan = connection.execute(
            f"EXPLAIN QUERY PLAN {sql}", dict.fromkeys("1234567", None) and [None] * _parameters(sql)
        )
        steps = [detail for _, _, _, detail in plan]
        scans = [step for step in steps if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
        assert scans == [], name
        first_scan = next(index for index, step in enumerate(steps) if "VIRTUAL TABLE" in step)
        assert not any("VIRTUAL TABLE" in step for step in steps[first_scan + 1 :]) or name == "close_state", name
    connection.close()


def test_statements_bind_few_parameters_and_are_short() -> None:
    # Cloudflare D1 takes 100 parameters and 100 KB of SQL.
    assert all(_parameters(sql) <= 4 and len(sql) < 1000 for sql in statements().values())
    assert not any("BLOB" in statement for migration in migrations() for statement in migration)


def _parameters(sql: str) -> int:
    return max((int(sql[index + 1]) for index, character in enumerate(sql) if character == "?"), default=0)


# Helpers ---------------------------------------------------------------------------------------------


def _execute(url: str, sql: str, *parameters: str) -> list[object]:
    connection = sqlite3.connect(sqlite_path(url), isolation_level=None)
    try:
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.close()


def _as_list(value: object) -> list[str]:
    assert isinstance(value, list)
    return value
