"""A whole cluster for one test: Postgres, Redis, workers, scans, and somebody who reads all the time.

Its moments are found by what the database says, never by waiting for so many seconds.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg import sql
from redis import Redis

from chaos.corpus import NEW, OLD, PROJECT, Corpus
from chaos.graphs import Graph, Right
from chaos.processes import Ended, Fleet, Scan, is_helper, is_stopped, is_surprised, send
from chaos.reader import Look
from weft.stack import PostgresServer, RedisServer
from weft_storage.backends import open_store
from weft_storage.model.files import FileStatus
from weft_storage.model.runs import RunState
from weft_tasks.jobs import fingerprint
from weft_tasks.worker.dispatch import queue_name
from workers import Worker, children_of

T = TypeVar("T")

MOMENT = 60.0
"""Seconds in which a moment comes that a test waits for."""

_TESTS = Path(__file__).parent.parent

_PACE = """
CREATE SCHEMA IF NOT EXISTS chaos;
CREATE OR REPLACE FUNCTION chaos.pause() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(TG_ARGV[0]::double precision); RETURN NULL; END';
DROP TRIGGER IF EXISTS pause ON weft.batch;
"""


@dataclass(frozen=True)
class Row:
    """A line of the table: what was done, how it ended, and the seconds from the fault to the right graph."""

    fault: str
    outcome: str
    seconds: float


@dataclass
class Cluster:
    """`old` is published, `new` is what scans must bring about. Everything may be killed by whoever likes to."""

    corpus: Corpus
    postgres: PostgresServer
    redis: RedisServer
    old: Right
    new: Right
    rows: list[Row]
    fleet: Fleet = field(init=False)
    scans: list[Scan] = field(default_factory=list)
    acceptable: list[Graph] = field(default_factory=list)
    final: Graph = field(init=False)
    _reader: "subprocess.Popen[bytes] | None" = None
    _fault: str = ""
    _since: float = 0.0
    _outcomes: list[str] = field(default_factory=list)
    _log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fleet = Fleet(self.environment())
        self.final = self.new.graph
        self.acceptable += [self.old.graph, self.new.graph]

    @property
    def url(self) -> str:
        """Of the store."""
        return self.postgres.url

    def environment(self) -> dict[str, str]:
        """Of all that is started."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
        return kept | {"WEFT_STORE": self.postgres.url, "WEFT_BROKER": self.redis.url, "WEFT_PROJECT": PROJECT}

    # Who is there ----------------------------------------------------------------------------------

    def worker(
        self,
        concurrency: int = 1,
        *,
        packed: bool = False,
        prelude: str = "",
        kept: bool = False,
        soft_timeout: float = 20,
    ) -> Worker:
        """A worker that listens; with `packed` it reaches no contents by itself. `kept`: replaced when it ends."""
        reach = () if packed else ("--repositories", str(self.corpus.repositories))
        options = ("--concurrency", str(concurrency), "--soft-timeout", str(soft_timeout), *reach)
        return self.fleet.start(*options, prelude=prelude, kept=kept)

    def scan(self, *arguments: str, rev: str = NEW, prelude: str = "") -> Scan:
        """A scan by workers, under way."""
        options = ("--rev", rev, "--inline-below", "1", "--project", PROJECT, "--format", "json")
        return self._start("scan", str(self.corpus.root), *options, *arguments, prelude=prelude)

    def resume(self, run_id: int, *, remote: bool = True) -> Scan:
        """`weft resume` of a run, under way; not `remote`: without workers."""
        return self._start("resume", str(run_id), "--project", PROJECT, "--format", "json", remote=remote)

    def _start(self, *arguments: str, prelude: str = "", remote: bool = True) -> Scan:
        environment = self.environment()
        if not remote:
            del environment["WEFT_BROKER"]
        scan = Scan(arguments, environment, prelude)
        self.scans.append(scan)
        return scan

    def read_on(self) -> None:
        """Have somebody read the published graph all the time, in a process of its own."""
        self._reader = subprocess.Popen(
            [sys.executable, "-P", "-m", "chaos.reader", self.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**self.environment(), "PYTHONPATH": str(_TESTS)},
        )

    def close(self) -> None:
        """End everything."""
        with ExitStack() as stack:
            stack.callback(self.redis.close)
            stack.callback(self.postgres.close)
            stack.callback(self.fleet.stop)
            for scan in self.scans:
                stack.callback(scan.close)
            if self._reader is not None:
                self._reader.kill()
                self._reader.communicate()

    # What the database says ------------------------------------------------------------------------

    def ask(self, question: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The answer of the database."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(question.encode(), parameters or None)
            return cursor.fetchall() if cursor.description else []

    def run_id(self) -> int:
        """The run under way that has work."""
        return int(self.until(lambda: self.ask("SELECT run FROM weft.weft_work WHERE state = 'running'"))[0][0])

    def batches(self, *states: str) -> list[int]:
        """Numbers of the batches of the run under way that are in one of the states."""
        question = (
            "SELECT number FROM weft.batch JOIN weft.run ON run.id = batch.run AND run.state = 'running' "
            "WHERE batch.state = ANY (%s) ORDER BY number"
        )
        return [number for (number,) in self.ask(question, list(states))]

    def share_done(self) -> float:
        """How much of the run under way is done, from 0 to 1."""
        done, every = len(self.batches("done")), len(self.batches("queued", "running", "waiting", "done"))
        return done / every if every else 0.0

    def run_state(self, run_id: int) -> str:
        """How a run is recorded."""
        return str(self.ask("SELECT state FROM weft.run WHERE id = %s", run_id)[0][0])

    def blocked(self, table: str) -> list[int]:
        """The pids of the processes that wait for somebody who holds a table."""
        question = (
            "SELECT application_name FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE NOT granted AND relation = %s::regclass AND application_name LIKE 'weft %%'"
        )
        return [int(name.rpartition(" ")[2]) for (name,) in self.ask(question, f"weft.{table}")]

    def has_session(self, pid: int) -> bool:
        """Whether a process is connected."""
        return bool(self.ask("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'weft %% ' || %s", str(pid)))

    def end_sessions(self, pid: int) -> None:
        """End the connections of a process, as an administrator can, or a network."""
        self.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'weft %% ' || %s",
            str(pid),
        )

    def end_all_sessions(self) -> None:
        """End the connections of everybody but the reader and this one."""
        reader = f"% {self._reader.pid}" if self._reader else ""
        self.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name LIKE 'weft %%' AND application_name NOT LIKE %s",
            reader,
        )

    def move_tables(self, folder: str | None) -> None:
        """Keep the tables of the store on another disk; None: where they were."""
        if folder is not None:
            self.ask(sql.SQL("CREATE TABLESPACE small LOCATION {}").format(sql.Literal(folder)).as_string())
        place = "pg_default" if folder is None else "small"
        tables = self.ask(
            "SELECT relkind, relname FROM pg_class WHERE relnamespace = 'weft'::regnamespace AND relkind IN ('r', 'i')"
        )
        for kind, name in tables:
            noun = sql.SQL("TABLE" if kind == "r" else "INDEX")
            statement = sql.SQL("ALTER {} {} SET TABLESPACE {}")
            self.ask(statement.format(noun, sql.Identifier("weft", name), sql.Identifier(place)).as_string())
        if folder is None:
            self.ask("DROP TABLESPACE small")

    def move_postgres(self, folder: str) -> None:
        """Keep all of Postgres on another disk."""
        self.postgres.stop()
        place = os.path.join(folder, "data")
        subprocess.run(["mv", self.postgres.data_folder, place], check=True)
        os.symlink(place, self.postgres.data_folder)
        self.postgres.start()

    # Moments ---------------------------------------------------------------------------------------

    def until(self, is_true: Callable[[], T], timeout: float = MOMENT) -> T:
        """Wait until something is true; gives what it is."""
        deadline = time.monotonic() + timeout
        while not (found := is_true()):
            if time.monotonic() > deadline:
                raise AssertionError(f"it did not come true within {timeout:g} seconds\n{self.told()}")
            time.sleep(0.02)
        return found

    def until_done(self, share: float) -> None:
        """Wait until that much of the run under way is done."""
        self.until(lambda: self.share_done() >= share)

    @contextmanager
    def holding(self, table: str) -> Iterator[None]:
        """Nobody can write into a table meanwhile; who reads, reads on. Whoever gets there stands still."""
        with closing(psycopg.connect(self.url)) as connection:
            connection.execute(sql.SQL("LOCK TABLE {} IN SHARE MODE").format(sql.Identifier("weft", table)))
            yield
            # Whoever stopped the server meanwhile ended this session with all others.
            with suppress(psycopg.Error):
                connection.rollback()

    def pace(self, seconds: float) -> None:
        """Let every batch take so much longer, in the database; 0: as long as it takes."""
        self.ask(_PACE)
        if seconds:
            self.ask(
                "CREATE TRIGGER pause AFTER UPDATE ON weft.batch FOR EACH ROW "
                f"WHEN (NEW.state = 'done' AND OLD.state <> 'done') EXECUTE FUNCTION chaos.pause('{seconds}')"
            )

    def end_leases(self, worker: Worker) -> None:
        """Let the leases of a worker run out."""
        self.ask(
            "UPDATE weft.batch SET lease_until = clock_timestamp() WHERE state = 'running' AND worker = %s", worker.name
        )

    def stop_helper(self) -> int:
        """Have the helper of a crash box stand still with a file in hand; gives its pid."""
        helper = self.until(self.fleet.helpers)[0]
        send(helper, signal.SIGSTOP)
        self.until(lambda: self.batches("running"))
        return helper

    def stopped_helper_of(self, slot: int) -> list[int]:
        """The helper of a slot that stands still."""
        return [child for child in children_of(slot) if is_helper(child) and is_stopped(child)]

    def lacks_for_good(self, failed: Mapping[str, str], right: Right | None = None) -> None:
        """The right graph is the one without these files."""
        self.final = (right or self.new).without(failed)
        self.acceptable.append(self.final)

    # The queue -------------------------------------------------------------------------------------

    def messages(self) -> list[bytes]:
        """The messages that wait in the queue of this version."""
        with Redis.from_url(self.redis.url) as client:
            return list(client.lrange(self._queue_key(), 0, -1))

    def put_messages(self, messages: Sequence[bytes], *, first: bool = False) -> None:
        """Put messages into the queue, behind those that wait or before them."""
        with Redis.from_url(self.redis.url) as client:
            # Redis' transport of Celery pushes on the left and takes from the right.
            (client.rpush if first else client.lpush)(self._queue_key(), *messages)

    def drop_messages(self, count: int) -> None:
        """Take messages out of the queue and forget them."""
        with Redis.from_url(self.redis.url) as client:
            client.lpop(self._queue_key(), count)

    def misdirect(self, count: int, *, to: str) -> None:
        """Move messages into the queue of another version."""
        with Redis.from_url(self.redis.url) as client:
            for _ in range(count):
                client.rpoplpush(self._queue_key(), f"weft:{queue_name('weft', to)}")

    def flush(self) -> None:
        """Have Redis forget everything."""
        with Redis.from_url(self.redis.url) as client:
            client.flushall()

    def lose_counters(self) -> int:
        """Delete what Celery counts the parts of chords with; gives the number of keys."""
        with Redis.from_url(self.redis.url) as client:
            keys = [key for key in client.scan_iter("weft:*") if key.endswith((b".j", b".t", b".s"))]
            return int(client.delete(*keys)) if keys else 0

    def _queue_key(self) -> str:
        return f"weft:{queue_name('weft', fingerprint())}"

    # Faults and judgement --------------------------------------------------------------------------

    def fault(self, sentence: str) -> None:
        """What is done now. The first one counts: seconds to heal are counted from it."""
        if not self._fault:
            self._fault, self._since = sentence, time.monotonic()

    def ends_complete(self, scan: Scan, timeout: float = 180.0) -> Ended:
        """The scan must end well by itself, and everything be as it should."""
        ended = scan.wait(timeout)
        assert ended.code == 0, f"exit code {ended.code}\n{ended.said}\n{self.told()}"
        self._outcomes.append("complete")
        self.settle(ended)
        return ended

    def heals(self, scan: Scan | None = None, how: str = "right by the next scan") -> Ended:
        """The next scan (or this one) must make it right, at once."""
        ended = (scan or self.scan()).wait()
        assert ended.code == 0, f"exit code {ended.code}\n{ended.said}\n{self.told()}"
        self._outcomes.append(how)
        self.settle(ended)
        return ended

    def ends_incomplete(self, scan: Scan) -> dict[str, str]:
        """The scan must end incomplete and name files; gives them with the reasons."""
        ended = scan.wait()
        assert ended.code == 3, f"exit code {ended.code}\n{ended.said}\n{self.told()}"
        assert not is_surprised(ended.said), ended.said
        named = dict(self._failed())
        assert named
        assert set(named) <= {each["path"] for each in ended.document["problems"]}
        self._outcomes.append(f"incomplete, naming {len(named)} of {ended.document['counts']['files']} files")
        return named

    def ends_failed(self, scan: Scan, *parts: str) -> Ended:
        """The scan must fail with one clear sentence that holds these parts; the old graph stays."""
        ended = scan.wait()
        assert ended.code == 2, f"exit code {ended.code}\n{ended.said}\n{self.told()}"
        assert not is_surprised(ended.said), ended.said
        for part in parts:
            assert part in ended.sentence, ended.said
        self._outcomes.append("failed with a sentence")
        return ended

    def dies(self, scan: Scan) -> None:
        """Kill a scan as a machine does that loses its power."""
        scan.signal(signal.SIGKILL)
        assert scan.wait().code == -signal.SIGKILL
        self._outcomes.append("killed")

    def is_interrupted(self, scan: Scan) -> None:
        """The scan must end as Ctrl-C ends one, and its run be recorded as cancelled."""
        ended = scan.wait(30)
        assert ended.code == 130, f"exit code {ended.code}\n{ended.said}\n{self.told()}"
        assert "interrupted" in ended.sentence
        (state,) = self.ask("SELECT state FROM weft.run ORDER BY id DESC LIMIT 1")[0]
        assert state == "cancelled"
        self._outcomes.append("cancelled")

    def settles_incomplete(self, rev: str) -> None:
        """Everything must be as it should, but for the files that fail for good."""
        ended = self.scan(rev=rev).wait()
        assert ended.code == 3, f"exit code {ended.code}\n{ended.said}\n{self.told()}"
        self.settle(ended, rev=rev)

    def note(self, outcome: str) -> None:
        """Something about the outcome for the table."""
        self._outcomes.append(outcome)

    def settle(self, ended: Ended, rev: str = NEW) -> None:
        """The right graph is published, nobody saw another than it should have been, and nothing is left behind."""
        seconds = time.monotonic() - self._since
        self._check_readers()
        assert not is_surprised(ended.said), ended.said
        self._check_scans()
        self._check_nothing_is_held(ended.code, rev)
        if self._fault:
            self.rows.append(Row(self._fault, "; ".join(self._outcomes), seconds))

    def log(self, sentence: str) -> None:
        """Something that was done, for whoever must find out why."""
        self._log.append(f"{datetime.now(UTC):%H:%M:%S} {sentence}")

    def told(self) -> str:
        """All that everybody said, for whoever must find out why."""
        done = "\n".join(self._log)
        workers = "\n".join(f"-- worker {worker.pid}\n{worker.text()}" for worker in list(self.fleet.workers))
        scans = "\n".join(f"-- scan {scan.process.pid}\n{scan.said()}" for scan in self.scans)
        return f"{done}\n{scans}\n{workers}"

    def _failed(self) -> list[tuple[str, str]]:
        question = "SELECT path, reason FROM weft.failure WHERE run = (SELECT max(run) FROM weft.work) ORDER BY path"
        return [(str(path), str(reason)) for path, reason in self.ask(question)]

    def _check_readers(self) -> None:
        looks = self._end_reading()
        assert looks, "nobody has read anything"
        self._accept_incomplete_runs()
        for look in looks:
            assert look.whole in self.acceptable, f"a reader saw a mixture in run {look.run_id}\n{self.told()}"
            assert look.edges in {graph.edges for graph in self.acceptable}
            assert look.rows in {graph.rows for graph in self.acceptable}
        assert looks[-1].whole == self.final, f"what is published is not right\n{self.told()}"
        runs = [look.run_id for look in looks]
        assert runs == sorted(runs), "a reader saw an older graph after a newer one"

    def _accept_incomplete_runs(self) -> None:
        """Where a run is incomplete and names what it lacks, the graph without that is right for a while."""
        if self.final != self.new.graph:
            return
        with open_store(self.url) as store:
            for run in store.runs(PROJECT):
                if run.state is RunState.INCOMPLETE:
                    files = store.files(PROJECT, at=run.id)
                    failed = {file.path: file.reason for file in files if file.status is FileStatus.FAILED}
                    assert failed.keys() <= {problem.path for problem in run.problems}
                    self.acceptable.append(self.new.without(failed))

    def _end_reading(self) -> list[Look]:
        """All that the reader saw; it looks once more before it ends."""
        assert self._reader is not None
        published = int(self.ask("SELECT run FROM weft.published WHERE name = %s", PROJECT)[0][0])
        looks: list[Look] = []
        assert self._reader.stdout is not None
        while not looks or looks[-1].run_id != published:
            line = self._reader.stdout.readline()
            assert line.startswith(b'{"run_id"'), f"the reader has ended\n{line.decode()}\n{self.told()}"
            looks.append(msgspec.json.decode(line, type=Look))
        rest, _ = self._reader.communicate(timeout=30)
        lines = rest.splitlines()
        looks += [msgspec.json.decode(line, type=Look) for line in lines[:-1]]
        assert b'"looks"' in lines[-1]
        return looks

    def _check_scans(self) -> None:
        for scan in self.scans:
            assert not is_surprised(scan.said()), scan.said()
        assert not self.fleet.surprises(), "\n".join(self.fleet.surprises())

    def _check_nothing_is_held(self, code: int, rev: str) -> None:
        """No locks, no open transactions, no run under way; the next scan begins at once and finds nothing to do."""
        self.until(lambda: not self._held(), 30)
        ended = self.scan("--lock-timeout", "0", rev=rev).wait()
        assert ended.code == code, ended.said
        assert ended.document["counts"]["analyzed"] == 0
        assert ended.document["affected"] == 0

    def _held(self) -> list[tuple[Any, ...]]:
        held = self.ask(
            "SELECT 'lock', locktype, pid FROM pg_locks WHERE locktype = 'advisory' "
            "UNION ALL SELECT 'transaction', query, pid FROM pg_stat_activity "
            "WHERE state LIKE 'idle in transaction%' AND application_name LIKE 'weft %'"
        )
        running = self.ask("SELECT 'run', id::text, 0 FROM weft.run WHERE state = %s", RunState.RUNNING.value)
        return held + running


@contextmanager
def made_cluster(
    corpus: Corpus,
    old: Right,
    new: Right,
    template: Path,
    rows: list[Row],
    *,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """A cluster whose store holds the old graph already: `template` is the data folder of its Postgres."""
    with ExitStack() as stack:
        # A commit that was reported is not lost when the server crashes: that would be another fault.
        server = stack.enter_context(_closing(PostgresServer(settings={"synchronous_commit": "on"})))
        subprocess.run(["cp", "-a", str(template), server.data_folder], check=True)
        server.start()
        queue = stack.enter_context(_closing(RedisServer(append_only=True)))
        queue.start()
        cluster = Cluster(corpus, server, queue, old, new, rows)
        stack.callback(cluster.close)
        cluster.read_on()
        yield cluster


@contextmanager
def _closing(server: Any) -> Iterator[Any]:
    try:
        yield server
    finally:
        server.close()


def make_template(corpus: Corpus, folder: Path) -> Path:
    """The data folder of a stopped Postgres whose store holds the graph of the old branch."""
    from weft.configuration import settings_of
    from weft.pipeline import Options, analyze

    with PostgresServer() as server:
        with open_store(server.url) as store:
            analyze(store, str(corpus.root), settings_of(str(corpus.root), OLD), Options(PROJECT, rev=OLD))
        server.stop()
        subprocess.run(["cp", "-a", server.data_folder, str(folder)], check=True)
    return folder / "data"
