"""A whole cluster for one test: Postgres, Redis, workers, scans, and somebody who reads all the time.

Its moments are found by what the database says, never by waiting for so many seconds.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from chaos.corpus import NEW, OLD, PROJECT, Corpus
from chaos.database import Database
from chaos.graphs import Graph, Right
from chaos.processes import Ended, Fleet, Scan, is_helper, is_stopped, is_surprised, send
from chaos.queue import Queue
from chaos.reader import Reader
from weft.stack import PostgresServer, RedisServer
from weft_storage.backends import open_store
from weft_storage.model.files import FileStatus
from weft_storage.model.runs import RunState
from workers import Worker, children_of

T = TypeVar("T")

MOMENT = 60.0
"""Seconds in which a moment comes that a test waits for."""


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
    database: Database = field(init=False)
    queue: Queue = field(init=False)
    fleet: Fleet = field(init=False)
    reader: Reader = field(init=False)
    scans: list[Scan] = field(default_factory=list)
    acceptable: list[Graph] = field(default_factory=list)
    final: Graph = field(init=False)
    _fault: str = ""
    _since: float = 0.0
    _outcomes: list[str] = field(default_factory=list)
    _log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.database, self.queue = Database(self.postgres), Queue(self.redis)
        self.fleet, self.reader = Fleet(self.environment()), Reader(self.url)
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

    def close(self) -> None:
        """End everything."""
        with ExitStack() as stack:
            stack.callback(self.redis.close)
            stack.callback(self.postgres.close)
            stack.callback(self.fleet.stop)
            for scan in self.scans:
                stack.callback(scan.close)
            self.reader.close()

    # Moments ---------------------------------------------------------------------------------------

    def until(self, is_true: Callable[[], T], timeout: float = MOMENT) -> T:
        """Wait until something is true; gives what it is."""
        deadline = time.monotonic() + timeout
        while not (found := is_true()):
            if time.monotonic() > deadline:
                raise AssertionError(f"it did not come true within {timeout:g} seconds\n{self.told()}")
            time.sleep(0.02)
        return found

    def run_id(self) -> int:
        """The run under way, when it is planned."""
        return self.until(self.database.runs_with_work)[0]

    def until_done(self, share: float) -> None:
        """Wait until that much of the run under way is done."""
        self.until(lambda: self.database.share_done() >= share)

    def stop_helper(self) -> int:
        """Have the helper of a crash box stand still with a file in hand; gives its pid."""
        helper = self.until(self.fleet.helpers)[0]
        send(helper, signal.SIGSTOP)
        self.until(lambda: self.database.batches("running"))
        return helper

    def stopped_helper_of(self, slot: int) -> list[int]:
        """The helper of a slot that stands still."""
        return [child for child in children_of(slot) if is_helper(child) and is_stopped(child)]

    def lacks_for_good(self, failed: Mapping[str, str], right: Right | None = None) -> None:
        """The right graph is the one without these files."""
        self.final = (right or self.new).without(failed)
        self.acceptable.append(self.final)

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
        named = self.database.failures()
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
        assert self.database.last_state() == "cancelled"
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
        self.check_readers()
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

    def check_readers(self) -> None:
        """Whatever was read was the old graph or the right one, and the right one it is in the end."""
        looks = self.reader.end()
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

    def _check_scans(self) -> None:
        for scan in self.scans:
            assert not is_surprised(scan.said()), scan.said()
        assert not self.fleet.surprises(), "\n".join(self.fleet.surprises())

    def _check_nothing_is_held(self, code: int, rev: str) -> None:
        """No locks, no open transactions, no run under way; the next scan begins at once and finds nothing to do."""
        self.until(lambda: not self.database.held(), 30)
        ended = self.scan("--lock-timeout", "0", rev=rev).wait()
        assert ended.code == code, ended.said
        assert ended.document["counts"]["analyzed"] == 0
        assert ended.document["affected"] == 0


@contextmanager
def made_cluster(
    corpus: Corpus,
    old: Right,
    new: Right,
    template: Path,
    rows: list[Row],
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
