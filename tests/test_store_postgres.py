"""The store in Postgres: all that can be wrong with URLs, servers, processes and rights."""

import contextlib
import json
import os
import random
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import psycopg
import pytest
from hypothesis import settings
from hypothesis.stateful import rule, run_state_machine_as_test

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
from store_samples import ODD_NAMES, ODD_TEXT, Graph, check, digest, facts, publish, record, row
from test_store_machine import StoreMachine
from weft.stack import PostgresServer
from weft_storage.backends import Part, Store, codec, open_store
from weft_storage.backends.base import KINDS
from weft_storage.backends.postgres import PostgresStore
from weft_storage.backends.postgres.database import SCHEMA_VERSION, lock_key
from weft_storage.backends.postgres.url import parse_url
from weft_storage.backends.statements import scripts
from weft_storage.model.errors import StoreBusy, StoreTooNew, StoreUnavailable, UsageError
from weft_storage.model.facts import strength_of
from weft_storage.model.files import ChangeKind, Content, FileRecord
from weft_storage.model.runs import Publication, Run, RunState
from weft_storage.model.states import Affected, AffectedFile, Components, encode_state
from weft_storage.model.work import WorkerRecord
from work_samples import TERMS, batch, failure

DATABASE = "weft_storage.backends.postgres.database"


class TestPostgresStore(StoreConformance):
    @pytest.fixture
    def store(self, postgres_url: str) -> Iterator[Store]:
        with open_store(postgres_url) as store:
            yield store


class TestPostgresProcesses(StoreProcesses):
    lock_seconds = 5.0  # The server notices a moment later.

    @pytest.fixture
    def store_url(self, postgres_url: str) -> str:
        return postgres_url


def test_any_sequence_of_scans_and_crashes(postgres_url: str) -> None:
    class PostgresMachine(StoreMachine):
        def open(self) -> Store:
            _execute(postgres_url, "DROP SCHEMA IF EXISTS weft CASCADE")
            return open_store(postgres_url)

        @rule()
        def reopen(self) -> None:
            self.store.close()
            self.store = open_store(postgres_url, create=False)

        @rule()
        def lose_all_connections(self) -> None:
            _end_connections(postgres_url)

    run_state_machine_as_test(PostgresMachine, settings=settings(stateful_step_count=20))


# URLs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@h:5432/d", "postgresql://u@h:5432/d"),
        ("postgres://u:p%40secret@h/d", "postgresql://u@h/d"),
        ("postgresql://h1:1,h2:2/d?password=secret&sslmode=require", "postgresql://h1:1,h2:2/d?sslmode=require"),
        ("postgresql://h1,h2/d?sslpassword=secret", "postgresql://h1,h2/d"),
        ("postgresql://%2Ftmp%2Fsock/d?user=a%20b", "postgresql://a%20b@%2Ftmp%2Fsock/d"),
        ("postgresql://[::1]:5/d", "postgresql://[::1]:5/d"),
        ("postgresql://h/d?user=a@b", "postgresql://a%40b@h/d"),
        ("postgresql://u:12?secret@h/d", "postgresql://u@h/d"),
        ("postgresql:///d", "postgresql:///d"),
        ("postgresql://", "postgresql:///"),
        ("postgresql:///?prepare_threshold=none&host=h", "postgresql://h/"),
        ("postgresql://h/d?options=-c%20statement_timeout%3D5", "postgresql://h/d?options=-c%20statement_timeout%3D5"),
    ],
)
def test_the_url_of_a_store_shows_no_secret_and_means_the_same(url: str, shown: str) -> None:
    target = parse_url(url)
    assert target.url == shown
    assert "secret" not in repr(target)
    again = parse_url(shown)
    secrets = ("password", "sslpassword")
    assert again.parameters == {name: value for name, value in target.parameters.items() if name not in secrets}


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://u:sec/ret@h/d", "behind its host"),
        ("postgresql://u:12/secret@h:5432/d", "behind its host"),
        ("postgresql://u:secret@[h/d", "cannot be read by libpq"),
        ("postgresql://u:secret@h/d?sslmod=require", "has a parameter 'sslmod' that libpq does not know"),
        ("postgresql://u:secret@h/d%zz", "cannot be read by libpq"),
        ("postgresql://u:secret@h/d?prepare_threshold=often", "prepare_threshold that is no number"),
    ],
)
def test_urls_that_libpq_cannot_read_are_refused_without_their_secrets(url: str, problem: str) -> None:
    with contextlib.suppress(StoreUnavailable):
        with pytest.raises(UsageError, match=problem) as caught:
            open_store(url)
        assert "ret" not in str(caught.value).replace("Postgres store", "").replace("sslmode", "")
        assert caught.value.__cause__ is None


def test_statements_are_prepared_as_the_url_says(postgres_url: str) -> None:
    assert parse_url(f"{postgres_url}?prepare_threshold=none").prepare_threshold is None
    assert parse_url(f"{postgres_url}?sslmode=prefer&prepare_threshold=7").prepare_threshold == 7
    with open_store(f"{postgres_url}?prepare_threshold=none") as store:
        assert isinstance(store, PostgresStore)
        for _ in range(10):
            publish(store, files=[record("a")])
        assert store.database.query("SELECT count(*) FROM pg_prepared_statements") == [(0,)]


def test_libpqs_environment_counts(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = urlsplit(postgres_url)
    monkeypatch.setenv("PGHOST", str(parts.hostname))
    monkeypatch.setenv("PGPORT", str(parts.port))
    monkeypatch.setenv("PGUSER", str(parts.username))
    monkeypatch.setenv("PGDATABASE", parts.path[1:])
    with open_store("postgresql://") as store:
        publish(store, files=[record("a")])
    with open_store(postgres_url, create=False) as store:
        assert store.projects() == ["p"]
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "77")
    assert "connect_timeout" not in parse_url("postgresql://").parameters


def test_connections_say_who_they_are_and_take_options_of_the_url(postgres_url: str) -> None:
    with open_store(f"{postgres_url}?options=-c%20statement_timeout%3D54321") as store:
        assert isinstance(store, PostgresStore)
        assert store.database.query("SHOW statement_timeout") == [("54321ms",)]
        [(name,)] = store.database.query("SHOW application_name")
        assert re.fullmatch(rf"weft \S+ {os.getpid()}", name)
    with open_store(f"{postgres_url}?application_name=mine") as store:
        assert isinstance(store, PostgresStore)
        assert store.database.query("SHOW application_name") == [("mine",)]


# Servers ---------------------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_an_error() -> None:
    with pytest.raises(StoreUnavailable, match=r"cannot be reached: .*; check that the server is up") as caught:
        open_store("postgresql://u:secret@127.0.0.1:1/d")
    assert "secret" not in str(caught.value)


def test_a_missing_database_and_a_missing_user_are_errors(postgres_url: str) -> None:
    with pytest.raises(StoreUnavailable, match="has no such database; create it"):
        open_store(urlsplit(postgres_url)._replace(path="/nowhere").geturl())
    with pytest.raises(StoreUnavailable, match="refuses the login"):
        open_store(_as_user(postgres_url, "nobody_at_all"))


def test_a_wrong_password_is_an_error_that_does_not_show_it() -> None:
    with PostgresServer(password="the-right-one") as server:
        open_store(server.url).close()
        with pytest.raises(StoreUnavailable, match="refuses the login; check user and password") as caught:
            open_store(server.url.replace("the-right-one", "the-wrong-one"))
        assert "the-" not in str(caught.value)
        assert "the-" not in caught.value.subject


def test_a_server_without_tls_is_refused_where_the_url_wants_it(postgres_url: str) -> None:
    for mode in ("require", "verify-full"):
        with pytest.raises(StoreUnavailable, match=r"cannot be reached over TLS as asked: .*; check sslmode"):
            open_store(f"{postgres_url}?sslmode={mode}&sslrootcert=/nowhere")
    open_store(f"{postgres_url}?sslmode=prefer").close()


def test_a_database_of_another_encoding_is_refused(postgres_url: str) -> None:
    name = f"{urlsplit(postgres_url).path[1:]}_latin"
    _execute(postgres_url, f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        with pytest.raises(StoreUnavailable, match=r"has the encoding LATIN1, .*; create its database with ENCODING"):
            open_store(urlsplit(postgres_url)._replace(path=f"/{name}").geturl())
    finally:
        _execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


def test_a_store_outlives_a_restart_of_its_server(own_postgres: PostgresServer) -> None:
    with open_store(own_postgres.url) as store:
        before = publish(store, files=[record("a")])
        threads = [threading.Thread(target=store.projects) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        own_postgres.restart()
        assert store.published("p") == before
        own_postgres.kill()
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            publish(store, files=[record("b")])
        own_postgres.start()
        publish(store, files=[record("b")])
        assert len(store.files("p")) == 2


def test_a_server_that_goes_while_a_run_is_published_leaves_the_old_graph(own_postgres: PostgresServer) -> None:
    def going() -> Iterator[FileRecord]:
        yield record("b")
        own_postgres.restart()
        for number in range(5000):
            yield record(f"f{number}")

    with open_store(own_postgres.url) as store:
        publish(store, files=[record("a")])
        run = msgspec.structs.replace(store.begin(Run(project="p")), state=RunState.PUBLISHED)
        with pytest.raises(StoreUnavailable, match=r"lost its connection|shutting down"):
            store.publish(Publication(run, going()))
        assert store.files("p") == [record("a")]
        store.publish(Publication(run, [record("b")]))
        assert store.files("p") == [record("a"), record("b")]


def test_a_connection_that_broke_inside_a_transaction_is_not_replaced_in_it(postgres_url: str) -> None:
    with open_store(postgres_url) as store:
        assert isinstance(store, PostgresStore)
        with contextlib.suppress(StoreUnavailable), store.database.transaction():
            store.put_cache("x", b"1")
            _end_connections(postgres_url)
            for name in "yz":
                with pytest.raises(StoreUnavailable, match=r"lost its connection|shutting down"):
                    store.put_cache(name, b"1")
        assert [store.cache(name) for name in "xyz"] == [None] * 3


def test_statements_that_take_too_long_are_an_error(postgres_url: str) -> None:
    open_store(postgres_url).close()
    with open_store(f"{postgres_url}?options=-c%20statement_timeout%3D1000") as store:
        assert isinstance(store, PostgresStore)
        with pytest.raises(StoreUnavailable, match="took longer than statement_timeout allows"):
            store.database.query("SELECT pg_sleep(60)")
        assert store.projects() == []


def test_an_interrupted_statement_ends_at_the_server_too(postgres_url: str) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with open_store(postgres_url) as store:
            assert isinstance(store, PostgresStore)
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(KeyboardInterrupt), store.database.transaction():
                store.database.query("SELECT pg_sleep(60)")
            assert store.projects() == []
            active = "SELECT query FROM pg_stat_activity WHERE query LIKE '%sleep%' AND state = 'active'"
            assert _execute(postgres_url, f"{active} AND pid <> pg_backend_pid()") == []
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_too_many_connections_are_an_error(own_postgres: PostgresServer) -> None:
    own_postgres.settings |= {"max_connections": "5", "superuser_reserved_connections": "0"}
    own_postgres.restart()
    with open_store(own_postgres.url) as store, contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(psycopg.connect(own_postgres.url))
        assert store.projects() == []
        with pytest.raises(StoreUnavailable, match="takes no more connections; raise max_connections"):
            store.lock("p", timeout=0).__enter__()


def test_closing_leaves_no_connection_and_no_thread(postgres_url: str) -> None:
    threads = threading.active_count()
    with open_store(postgres_url) as store, store.lock("p", timeout=0):
        publish(store)
        assert threading.active_count() == threads
    assert _connections(postgres_url, at_most=0) == 0


def test_more_threads_than_connections_are_kept(postgres_url: str) -> None:
    barrier = threading.Barrier(12)

    def read() -> None:
        assert isinstance(store, PostgresStore)
        with store.database.reading():
            store.projects()
            barrier.wait(20)

    with open_store(postgres_url) as store:
        threads = [threading.Thread(target=read) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 0 < _connections(postgres_url, at_most=4) <= 4


def test_a_forked_child_makes_connections_of_its_own(postgres_url: str) -> None:
    with open_store(postgres_url) as store:
        publish(store, files=[record("a")])
        child = os.fork()
        if not child:
            code = 1
            with contextlib.suppress(BaseException):
                store.put_cache("child", b"x")
                store.close()
                code = 0
            os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert store.cache("child") == b"x"
        publish(store, files=[record("b")])


# Versions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "ours"), [("schema", SCHEMA_VERSION), ("format", codec.FORMAT_VERSION)])
def test_a_newer_store_is_refused(postgres_url: str, name: str, ours: int) -> None:
    open_store(postgres_url).close()
    _execute(postgres_url, f"UPDATE weft.meta SET value = 700 WHERE name = '{name}'")
    for create in (True, False):
        with pytest.raises(StoreTooNew, match=f"{name} 700 is newer than this program's {ours}; upgrade weft"):
            open_store(postgres_url, create=create)


def test_without_create_nothing_is_made(postgres_url: str) -> None:
    with pytest.raises(StoreUnavailable, match="it is empty; run `weft scan` or `weft store migrate` first"):
        open_store(postgres_url, create=False)
    assert _execute(postgres_url, "SELECT nspname FROM pg_namespace WHERE nspname = 'weft'") == []


def test_the_rest_of_a_database_is_left_alone(postgres_url: str) -> None:
    _execute(postgres_url, "CREATE TABLE public.run (id text)")
    _execute(postgres_url, "CREATE TABLE public.meta (x text)")
    # No name is looked up in a search_path: whatever is not named with its schema would be missing.
    with _open_postgres(f"{postgres_url}?options=-c%20search_path%3Dpg_catalog") as store:
        _plan_and_publish(store, store)
        check(store, "p", Graph({"a": record("a", 1)}, {"a": row("a", "b", "c1", reads=[1])}))
        store.put_blobs({"00": Content(digest(1), 1)})
        store.put_cache("x", b"x")
        store.collect(keep_runs=1, facts_key=lambda each: None)
        assert store.stats()["run"] == 1
    found = _execute(postgres_url, "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    assert sorted(found) == [("meta",), ("run",)]


@pytest.mark.parametrize("table", ["meta (name text, value text)", "meta (x integer)", "bookmark (x integer)"])
def test_a_schema_of_another_program_is_refused_and_left_alone(postgres_url: str, table: str) -> None:
    _execute(postgres_url, "CREATE SCHEMA weft")
    _execute(postgres_url, f"CREATE TABLE weft.{table}")
    for create in (True, False):
        with pytest.raises(StoreUnavailable, match="has a schema weft of another program; choose another database"):
            open_store(postgres_url, create=create)
    found = _execute(postgres_url, "SELECT relname FROM pg_class WHERE relnamespace = 'weft'::regnamespace")
    assert found == [(table.partition(" ")[0],)]


def test_an_empty_schema_that_was_made_for_the_store_is_taken(postgres_url: str) -> None:
    _execute(postgres_url, "CREATE SCHEMA weft")
    with open_store(postgres_url) as store:
        publish(store)


def test_an_older_store_is_migrated_only_with_create(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(postgres_url) as store:
        publish(store, files=[record("a")])
    more = (*scripts("postgres/migrations"), "CREATE TABLE weft.later (x integer); UPDATE weft.file SET until = NULL;")
    monkeypatch.setattr(f"{DATABASE}.scripts", lambda folder: more)
    monkeypatch.setattr(f"{DATABASE}.SCHEMA_VERSION", SCHEMA_VERSION + 1)
    with pytest.raises(StoreUnavailable, match=r"is older than this program's .*; run `weft store migrate`"):
        open_store(postgres_url, create=False)
    with open_store(postgres_url) as store:
        check(store, "p", Graph({"a": record("a")}))
    assert _execute(postgres_url, "SELECT value FROM weft.meta WHERE name = 'schema'") == [(SCHEMA_VERSION + 1,)]
    open_store(postgres_url, create=False).close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(postgres_url).close()
    more = (*scripts("postgres/migrations"), "CREATE TABLE weft.later (x integer); no sql;")
    with monkeypatch.context() as patched:
        patched.setattr(f"{DATABASE}.scripts", lambda folder: more)
        patched.setattr(f"{DATABASE}.SCHEMA_VERSION", SCHEMA_VERSION + 1)
        with pytest.raises(StoreUnavailable, match="cannot be used: syntax error"):
            open_store(postgres_url)
    assert _execute(postgres_url, "SELECT relname FROM pg_class WHERE relname = 'later'") == []
    open_store(postgres_url, create=False).close()


# Damage ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE weft.file SET payload = '[]'",
        "UPDATE weft.file SET payload = 'x'",
        "UPDATE weft.adjacency SET imported = '{}'",
        "UPDATE weft.adjacency SET imported = '{999}'",
        "UPDATE weft.adjacency SET kinds = '{99}'",
        "UPDATE weft.detail SET payload = '[]'",
        "UPDATE weft.detail SET payload = '7'",
        "UPDATE weft.outside SET payload = '[[1]]'",
        "UPDATE weft.reads SET payload = 'xyz'",
        "UPDATE weft.facts SET imports = '\\x63'",
        "UPDATE weft.run SET body = '{}'",
        "UPDATE weft.path SET text = '/%'",
    ],
)
def test_payloads_that_nobody_wrote_are_damage(postgres_url: str, damage: str) -> None:
    with open_store(postgres_url) as store:
        publish(store, files=[record("a")], rows=[row("a", "b", reads=[1])], states={"s": b"1"})
        store.put_facts([facts(1)])
        _execute(postgres_url, damage)
        problems = [message_of(read) for read in _reads(store)]
        assert any(problems)
        expected = f"store '{store.url}': is damaged; restore it, or drop the schema weft and scan again"
        assert set(problems) <= {"", expected}


def _reads(store: Store) -> list[Callable[[], object]]:
    return [
        lambda: store.files("p"),
        lambda: store.graph("p"),
        lambda: list(store.edges("p")),
        lambda: list(store.outside("p")),
        lambda: store.readers("p", [1]),
        lambda: store.published("p"),
        lambda: list(store.facts([digest(1)], Part.IMPORTS)),
        lambda: store.collect(keep_runs=1, facts_key=lambda each: None),
    ]


def test_a_schema_that_is_gone_is_an_error(postgres_url: str) -> None:
    with open_store(postgres_url) as store:
        _execute(postgres_url, "DROP SCHEMA weft CASCADE")
        with pytest.raises(StoreUnavailable, match="has no schema weft of this program; run `weft store migrate`"):
            store.projects()


# Locks -----------------------------------------------------------------------------------------------


def test_a_lock_whose_connection_broke_ends_without_an_error(postgres_url: str) -> None:
    with open_store(postgres_url) as store:
        with store.lock("p", timeout=0):
            run = store.begin(Run(project="p"))
            _end_connections(postgres_url)
            with open_store(postgres_url) as other, other.lock("p", timeout=5):
                other.begin(Run(project="p"))
                with pytest.raises(StoreUnavailable, match="is already failed"):
                    store.publish(Publication(msgspec.structs.replace(run, state=RunState.PUBLISHED)))
        with store.lock("p", timeout=0), pytest.raises(StoreBusy, match=f"pid {os.getpid()} on host"):
            store.lock("p", timeout=0).__enter__()


def test_an_error_under_a_lost_lock_is_the_one_that_is_told(postgres_url: str) -> None:
    def lose() -> None:
        with store.lock("p", timeout=0):
            _end_connections(postgres_url)
            raise KeyError

    with open_store(postgres_url) as store, pytest.raises(KeyError):
        lose()


def test_a_lock_keeps_no_old_rows_alive(postgres_url: str) -> None:
    with open_store(postgres_url) as store, store.lock("p", timeout=0):
        found = _execute(
            postgres_url,
            "SELECT state, backend_xmin, backend_xid FROM pg_stat_activity "
            "WHERE datname = current_database() AND state LIKE 'idle in%'",
        )
        assert found == [("idle in transaction", None, None)]


def test_locks_of_different_names_have_different_keys() -> None:
    keys = {lock_key(*names) for names in [("a",), ("a", "b"), ("ab",), ("a", ""), ("b",), ("a\udcff",)]}
    assert len(keys) == 6
    assert all(-(2**63) <= key < 2**63 for key in keys)


# Processes -------------------------------------------------------------------------------------------


def test_of_two_who_finalize_a_run_one_publishes_it(postgres_url: str) -> None:
    with open_store(postgres_url) as store:
        run = msgspec.structs.replace(store.begin(Run(project="p")), state=RunState.PUBLISHED)

        def finalize(number: int) -> str:
            return message_of(lambda: store.publish(Publication(run, [record("a", number)], rows=[row("a", "b")])))

        messages = _together(finalize, 4)
        assert sorted(messages) == ["", *[f"run {run.id}: is already published; scan again"] * 3]
        assert store.files("p") == [record("a", messages.index(""))]
        assert store.stats()["file"] == 1


def test_a_run_that_another_scan_ended_publishes_nothing(postgres_url: str) -> None:
    with open_store(postgres_url) as store:
        begun = threading.Event()
        run = msgspec.structs.replace(store.begin(Run(project="p")), state=RunState.PUBLISHED)
        later: list[Run] = []

        def begin() -> None:
            begun.set()
            later.append(store.begin(Run(project="p")))

        beginner = threading.Thread(target=begin)

        def slowly() -> Iterator[FileRecord]:
            yield record("a")
            beginner.start()
            begun.wait(10)
            time.sleep(0.2)
            assert not later  # Who begins waits for who publishes.

        store.publish(Publication(run, slowly()))
        beginner.join()
        assert store.published("p") == run
        assert store.runs("p") == [later[0], run]
        store.finish(msgspec.structs.replace(later[0], state=RunState.CANCELLED))
        with pytest.raises(StoreUnavailable, match="is already cancelled"):
            store.publish(Publication(msgspec.structs.replace(later[0], state=RunState.PUBLISHED)))


def test_many_processes_begin_and_publish_one_after_the_other(postgres_url: str) -> None:
    script = """
        import sys
        sys.path[:0] = sys.argv[3:]
        from store_samples import publish, record, row
        from weft_storage.backends import open_store
        with open_store(sys.argv[1]) as store:
            for number in range(5):
                with store.lock("p", timeout=60):
                    name = f"{sys.argv[2]}-{number}"
                    publish(store, files=[record(name)], rows=[row(name, "common", name)])
    """
    children = [python(script, postgres_url, str(number), *sys.path) for number in range(4)]
    for child in children:
        with child:
            assert child.wait() == 0
    with open_store(postgres_url, create=False) as store:
        names = [f"{child}-{number}" for child in range(4) for number in range(5)]
        assert [each.path for each in store.files("p")] == sorted(names)
        assert {run.state for run in store.runs("p")} == {RunState.PUBLISHED}
        assert store.stats()["path"] == 21


def test_collecting_waits_for_who_publishes_and_drops_none_of_its_paths(postgres_url: str) -> None:
    with open_store(postgres_url) as store:
        publish(store, files=[record("old")])
        publish(store, removed_files=["old"])
        done: list[dict[str, int]] = []
        collector = threading.Thread(target=lambda: done.append(store.collect(keep_runs=1)))

        def slowly() -> Iterator[FileRecord]:
            yield from (record(f"f{number}") for number in range(5000))
            collector.start()
            time.sleep(0.2)
            assert not done
            yield record("old")

        publish(store, files=slowly())
        collector.join()
        assert done[0]["path"] == 0
        assert len(store.files("p")) == 5001


def test_collecting_leaves_the_facts_of_workers_whose_orchestrator_died(postgres_url: str) -> None:
    with open_store(postgres_url) as store:
        assert isinstance(store, PostgresStore)
        store.put_facts([facts(1)])
        run = store.begin(Run(project="p"))
        store.work.plan(run.id, b"", TERMS, [])
        assert store.collect(keep_runs=1, facts_key=lambda each: None)["facts"] == 0
        store.finish(msgspec.structs.replace(run, state=RunState.FAILED))
        assert store.collect(keep_runs=1, facts_key=lambda each: None)["facts"] == 1


def test_a_process_killed_while_it_publishes_leaves_a_whole_graph(postgres_url: str) -> None:
    delays = random.Random(7)
    with open_store(postgres_url) as store:
        publish_graph(store, two_graphs()[0])
        for _ in range(6):
            kill_while_publishing(postgres_url, delays.uniform(0, 0.8))
            # The server notices a moment later; what it was told to commit it commits.
            with store.lock("p", timeout=10):
                begin_after_a_kill(store)
                check_one_of_two(store)
            store.collect(keep_runs=1)


# SQL -------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(postgres_url: str) -> str:
    """A store with a graph that has a bit of everything."""
    with open_store(postgres_url) as store:
        affected = Affected(
            files=(AffectedFile("gone.py", ChangeKind.DELETED), AffectedFile("shop/money.py", None, True)),
            weak=(AffectedFile("tests/test_money.py"),),
        )
        states = {
            "affected": encode_state(affected),
            "components": encode_state(Components((("a.py", "b.py"), ("c.py", "d.py", "e.py")))),
        }
        publish(
            store, "shop", rows=[row("old.py", "older.py")], states=states | {"components": encode_state(Components())}
        )
        rows = [row("shop/cart.py", "shop/money.py"), row("web/view.py", "shop/internal/x.py", line=3)]
        run = msgspec.structs.replace(
            store.begin(Run(project="shop", started=1.5, revision="abc")),
            state=RunState.PUBLISHED,
            counts={"files": 5},
            finished=2.75,
            edges=2,
            error=ODD_TEXT,
        )
        store.publish(Publication(run, map(record, ["shop/cart.py"]), (), rows, ["old.py"], states))
        publish(store, "other", rows=[row("a", "b")])
        store.begin(Run(project="shop"))
    return postgres_url


def test_views_show_the_last_published_graph(shop: str) -> None:
    assert _execute(shop, "SELECT * FROM weft.weft_edges WHERE project = 'shop' ORDER BY importer") == [
        ("shop", importer, imported, "import", "strong", line, f"specifier of {imported}", ["one", "two"], False)
        for importer, imported, line in (("shop/cart.py", "shop/money.py", 1), ("web/view.py", "shop/internal/x.py", 3))
    ]
    assert _execute(shop, "SELECT * FROM weft.weft_outside WHERE importer = 'shop/cart.py' ORDER BY line") == [
        ("shop", "shop/cart.py", 1, "numpy", "external", "import", ["x"], "numpy", []),
        ("shop", "shop/cart.py", 2, "gone", "unresolved", "type", [], None, ["gone.py", "gone/__init__.py"]),
    ]
    assert _execute(
        shop, "SELECT project, path, change, resolved_anew, weak FROM weft.weft_affected ORDER BY path"
    ) == [
        ("shop", "gone.py", "deleted", False, False),
        ("shop", "shop/money.py", None, True, False),
        ("shop", "tests/test_money.py", None, False, True),
    ]
    assert _execute(shop, "SELECT * FROM weft.weft_cycles ORDER BY member") == [
        *[("shop", 1, "a.py"), ("shop", 1, "b.py")],
        *[("shop", 2, "c.py"), ("shop", 2, "d.py"), ("shop", 2, "e.py")],
    ]
    runs = _execute(
        shop,
        "SELECT state, published, revision, extract(epoch FROM started)::float, extract(epoch FROM finished)::float, "
        "counts, edges, error FROM weft.weft_runs WHERE project = 'shop' ORDER BY id DESC",
    )
    assert [found[:2] for found in runs] == [("running", False), ("published", True), ("published", False)]
    assert runs[1][2:] == ("abc", 1.5, 2.75, {"files": 5}, 2, json.dumps(ODD_TEXT))
    assert runs[0][4] is None


def test_views_hold_any_text(postgres_url: str) -> None:
    with open_store(postgres_url) as store:
        publish(store, ODD_TEXT, rows=[row(name, *ODD_NAMES) for name in ODD_NAMES])
        states = {
            "affected": encode_state(Affected(tuple(sorted(map(AffectedFile, ODD_NAMES))))),
            "components": encode_state(Components((ODD_NAMES,))),
        }
        publish(store, ODD_TEXT, states=states)
    count = len(ODD_NAMES)
    for view, rows in (("edges", count * count), ("outside", 2 * count), ("affected", count), ("cycles", count)):
        assert len(_execute(postgres_url, f"SELECT * FROM weft.weft_{view}")) == rows
    assert ("/bytes%FF%80.py",) in _execute(postgres_url, "SELECT DISTINCT imported FROM weft.weft_edges")


def test_the_numbers_of_kinds_are_known_to_sql(postgres_url: str) -> None:
    open_store(postgres_url).close()
    kinds = [(number, kind.value, strength_of(kind).value) for number, kind in enumerate(KINDS)]
    assert _execute(postgres_url, "SELECT number, name, strength FROM weft.kind ORDER BY number") == kinds


def test_affected_files_and_cycles_go_with_their_graph(shop: str) -> None:
    def rows() -> list[object]:
        return _execute(shop, "SELECT since FROM weft.affected UNION ALL SELECT since FROM weft.component")

    with open_store(shop) as store:
        assert len(rows()) == 3 + 5
        states = {"affected": encode_state(Affected()), "components": store.state("shop", "components") or b""}
        publish(store, "shop", states=states)
        assert _execute(shop, "SELECT * FROM weft.weft_affected") == []
        assert len(_execute(shop, "SELECT * FROM weft.weft_cycles")) == 5
        dropped = store.collect(keep_runs=1)
        assert (dropped["affected"], dropped["component"]) == (3, 0)
        assert len(rows()) == 5


def test_views_and_their_columns_are_described(postgres_url: str) -> None:
    open_store(postgres_url).close()
    views = _execute(
        postgres_url,
        "SELECT relname, obj_description(oid) FROM pg_class "
        "WHERE relnamespace = 'weft'::regnamespace AND relname LIKE 'weft\\_%' AND relkind = 'v'",
    )
    documented = Path(__file__).parent.parent.joinpath("docs/sql.md").read_text(encoding="utf-8")
    assert len(views) == 6
    for name, description in views:
        assert description
        assert f"| `{name}` |" in documented
        for (column,) in _execute(
            postgres_url, f"SELECT attname FROM pg_attribute WHERE attrelid = 'weft.{name}'::regclass AND attnum > 0"
        ):
            assert name == "weft_work" or f"`{column}`" in documented


def test_the_examples_of_the_documentation_work(shop: str) -> None:
    text = Path(__file__).parent.parent.joinpath("docs/sql.md").read_text(encoding="utf-8")
    examples = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    found = [_execute(shop, example) for example in examples]
    assert len(found) == 8
    assert found[0] == [("shop/internal/x.py", 1), ("shop/money.py", 1)]
    assert found[1] == [("shop/cart.py",)]
    assert found[2] == [("web/view.py", 3, "specifier of shop/internal/x.py", ["one", "two"])]
    assert found[3] == [("tests/test_money.py",)]
    assert found[4] == [(2, 3, "c.py"), (1, 2, "a.py")]
    assert found[5] == [("numpy", 2)]
    assert [project for project, _ in found[6]] == ["shop"]
    assert [state for _, state, *_ in found[7]] == ["running", "published", "published"]


# Rights ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def roles_server() -> Iterator[PostgresServer]:
    """A server of its own: roles belong to all databases of a server."""
    with PostgresServer() as server:
        open_store(server.url).close()
        # Twice: it may be repeated.
        for _ in range(2):
            _execute(server.url, _roles())
        for role in ("owner", "orchestrator", "finalizer", "worker", "reader"):
            _execute(server.url, f"CREATE ROLE a_{role} LOGIN IN ROLE weft_{role}")
        _execute(server.url, "CREATE ROLE stranger LOGIN")
        yield server


@cache
def _roles() -> str:
    folder = Path(codec.__file__).parent / "sql/postgres"
    return (folder / "roles.sql").read_text(encoding="utf-8")


@pytest.fixture
def as_role(roles_server: PostgresServer) -> Iterator[Callable[[str], PostgresStore]]:
    with contextlib.ExitStack() as stack:

        def open_as(role: str) -> PostgresStore:
            return stack.enter_context(_open_postgres(_as_user(roles_server.url, role)))

        yield open_as


_REFUSED = "does not permit this to its user; let its owner grant the roles of .*roles.sql"


def test_an_orchestrator_scans_and_collects_but_makes_no_table(as_role: Callable[[str], PostgresStore]) -> None:
    store = as_role("a_orchestrator")
    with store.lock("p", timeout=0):
        store.put_blobs({digest(1, 20).hex(): Content(digest(1), 1)})
        store.put_cache("stat", b"x")
        _plan_and_publish(store, store)
        store.collect(keep_runs=1, facts_key=lambda each: None)
        assert store.stats()["bytes"] > 0
        assert store.work.forget_ended() >= 0
    for sql in ("CREATE TABLE weft.x (y integer)", "DROP TABLE weft.cache", "UPDATE weft.meta SET value = 1"):
        with pytest.raises(StoreUnavailable, match=r"does not permit|must be owner"):
            store.database.query(sql)


def test_a_worker_extracts_but_touches_no_graph(as_role: Callable[[str], PostgresStore]) -> None:
    orchestrator, worker = as_role("a_orchestrator"), as_role("a_worker")
    with pytest.raises(StoreUnavailable, match=_REFUSED):
        _plan_and_publish(orchestrator, worker)
    run = orchestrator.runs("p", limit=1)[0]
    assert worker.work.open_batches(run.id) == []
    refused = (
        lambda: worker.files("p"),
        lambda: worker.begin(Run(project="p")),
        lambda: worker.finish(run),
        lambda: worker.put_cache("stat", b""),
        lambda: worker.collect(keep_runs=1),
        lambda: worker.database.query("UPDATE weft.run SET state = 'published'"),
        lambda: worker.database.query("DELETE FROM weft.facts"),
        lambda: worker.database.query("UPDATE weft.facts SET imports = ''"),
        lambda: worker.database.query(
            "INSERT INTO weft.batch (run, number, files, size, languages) VALUES (1,9,1,1,'')"
        ),
        lambda: worker.database.query("CREATE TABLE weft.x (y integer)"),
    )
    for call in refused:
        with pytest.raises(StoreUnavailable, match=_REFUSED):
            call()


def test_a_finalizer_publishes_but_begins_and_drops_nothing(as_role: Callable[[str], PostgresStore]) -> None:
    orchestrator, finalizer = as_role("a_orchestrator"), as_role("a_finalizer")
    _plan_and_publish(orchestrator, finalizer)
    _plan_and_publish(orchestrator, finalizer)
    finalizer.put_blobs({digest(2, 20).hex(): Content(digest(1), 1)})
    refused = (
        lambda: finalizer.begin(Run(project="p")),
        lambda: finalizer.collect(keep_runs=1),
        lambda: finalizer.put_cache("stat", b""),
        lambda: finalizer.database.query("UPDATE weft.file SET payload = ''"),
        lambda: finalizer.database.query("DELETE FROM weft.adjacency"),
        lambda: finalizer.database.query("DROP TABLE weft.cache"),
    )
    for call in refused:
        with pytest.raises(StoreUnavailable, match=r"does not permit|must be owner"):
            call()


def test_a_reader_reads_and_a_stranger_does_not(as_role: Callable[[str], PostgresStore]) -> None:
    owner, reader = as_role("a_orchestrator"), as_role("a_reader")
    publish(owner, "read", files=[record("a")], rows=[row("a", "b", reads=[1])], states={"s": b"1"})
    check(reader, "read", Graph({"a": record("a")}, {"a": row("a", "b", reads=[1])}, {"s": b"1"}))
    assert reader.readers("read", [1]) == ["a"]
    assert reader.runs("read")
    assert reader.stats()["run"] > 0
    assert reader.database.query("SELECT importer FROM weft.weft_edges WHERE project = 'read'") == [("a",)]
    for write in (lambda: publish(reader), lambda: reader.put_facts([facts(9)]), lambda: reader.collect(keep_runs=1)):
        with pytest.raises(StoreUnavailable, match=_REFUSED):
            write()
    with pytest.raises(StoreUnavailable, match=_REFUSED):
        as_role("stranger")


def test_an_owner_migrates(roles_server: PostgresServer) -> None:
    url = urlsplit(_as_user(roles_server.url, "a_owner"))._replace(path="/owned").geturl()
    _execute(roles_server.url, "CREATE DATABASE owned OWNER weft_owner")
    with open_store(f"{url}?options=-c%20role%3Dweft_owner") as store:
        publish(store)
    owners = _execute(url, "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relname LIKE 'weft\\_%'")
    assert owners == [("weft_owner",)]
    stranger = urlsplit(_as_user(roles_server.url, "stranger"))._replace(path="/template1").geturl()
    with pytest.raises(StoreUnavailable, match=_REFUSED):
        open_store(stranger)


def _plan_and_publish(orchestrator: PostgresStore, worker: PostgresStore) -> None:
    """A distributed run of one batch, of which the second store does what workers do."""
    begun = orchestrator.begin(Run(project="p"))
    orchestrator.work.plan(begun.id, b"prepared", TERMS, [batch(1, 2)])
    worker.work.report_worker(WorkerRecord("w", "f", ("q",), 1, "1"))
    claim = worker.work.claim(begun.id, 1, worker="w", task="t")
    assert claim
    assert worker.work.renew(claim)
    worker.work.release(claim)
    again = worker.work.claim(begun.id, 1, worker="w", task="t")
    assert again
    assert worker.work.complete(again, [facts(("role", begun.id))], [failure(2, poison=True)]).accepted
    assert worker.known_facts([digest(("role", begun.id))])
    with worker.work.finalizing(begun.id) as is_ours:
        assert is_ours
        assert worker.work.prepared(begun.id) == b"prepared"
        assert len(worker.work.failures(begun.id)) == 1
        publication = Publication(
            msgspec.structs.replace(begun, state=RunState.PUBLISHED),
            [record("a", begun.id)],
            ["gone"],
            [row("a", "b", f"c{begun.id}", reads=[begun.id])],
            ["gone"],
            {"affected": encode_state(Affected((AffectedFile("a"),)))},
        )
        worker.publish(publication)
    assert orchestrator.work.reap(begun.id, attempts=2) == []


# Helpers ---------------------------------------------------------------------------------------------


def _open_postgres(url: str) -> PostgresStore:
    store = open_store(url)
    assert isinstance(store, PostgresStore)
    return store


def _execute(url: str, sql: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []


def _end_connections(url: str) -> None:
    """End all connections to the database, as an administrator or a restart does, and wait until they are gone."""
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    _execute(url, f"SELECT pg_terminate_backend(pid, 5000) {others}")


def _connections(url: str, *, at_most: int) -> int:
    """How many there are, as soon as it is so few: the server notices a moment later that one was closed."""
    deadline = time.monotonic() + 10
    sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    while (count := int(_execute(url, sql)[0][0])) > at_most and time.monotonic() < deadline:
        time.sleep(0.05)
    return count


def _as_user(url: str, user: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{user}@{parts.hostname}:{parts.port}").geturl()


def _together(call: Callable[[int], str], count: int) -> list[str]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))
