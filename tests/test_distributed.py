"""Distributed scans: workers in processes of their own give the graph that this machine would have given."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis

from case_files import all_cases, read_case
from repositories import PROJECT, Repository
from weft.configuration import settings_of
from weft.pipeline import Options, Remote, analyze
from weft.pipeline.resume import resume
from weft.stack import RedisServer
from weft.verification import differences
from weft_storage.backends import Store, open_store, work_of
from weft_storage.backends.postgres.work import PostgresWork
from weft_storage.model.errors import BrokerUnavailable, StoreUnavailable, UsageError, WorkersMissing
from weft_storage.model.runs import Run, RunState
from weft_tasks.finalize.watching import Silent
from workers import running_worker


class Told(Silent):
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.phases: list[str] = []

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def begin(self, phase: str, total: int | None = None) -> None:
        self.phases.append(phase)


@pytest.fixture
def shared(postgres_url: str) -> Iterator[Store]:
    with open_store(postgres_url) as store:
        yield store


@pytest.fixture
def monorepo(git_repository: Repository) -> Repository:
    """Every case file in a folder of its own: four languages, manifests, links, broken sources."""
    for number, path in enumerate(all_cases()):
        step = read_case(path).steps[0]
        git_repository.write({f"cases/{number}/{name}": text for name, text in step.files.items()})
    git_repository.commit()
    return git_repository


def scan(
    repository: Repository,
    store: Store,
    broker: str,
    *,
    rev: str | None = None,
    told: Told | None = None,
    patience: float = 60.0,
    inline_below: int = 1,
) -> Run:
    remote = Remote(broker, inline_below=inline_below, patience=patience)
    options = Options(PROJECT, rev=rev, lock_timeout=5, remote=remote)
    return analyze(store, str(repository.root), settings_of(str(repository.root), rev), options, told)


def exported(store: Store) -> str:
    return "\n".join(map(repr, (*store.edges(PROJECT), *store.outside(PROJECT), *store.files(PROJECT))))


def same(run: Run, other: Run) -> bool:
    """Whether two runs say the same of the repository."""
    ours, theirs = (
        (each.state, each.counts, each.edges, each.unresolved, each.affected, each.components, each.coverage,
         each.problems, each.cache_hit_rate, each.token)
        for each in (run, other)
    )  # fmt: skip
    return ours == theirs


@pytest.mark.parametrize("concurrency", [1, 2])
def test_any_number_of_workers_gives_the_graph_of_the_local_pool(
    monorepo: Repository, shared: Store, postgres_url: str, redis_url: str, concurrency: int
) -> None:
    local = monorepo.scan()
    with running_worker(postgres_url, redis_url, concurrency=concurrency):
        run = scan(monorepo, shared, redis_url)
    assert run.counts["analyzed"] > 300
    assert same(run, local)
    assert list(differences(shared, monorepo.store, PROJECT)) == []
    assert exported(shared) == exported(monorepo.store)


def test_what_changed_is_sent_and_nothing_else(
    monorepo: Repository, shared: Store, postgres_url: str, redis_url: str
) -> None:
    with running_worker(postgres_url, redis_url) as worker:
        scan(monorepo, shared, redis_url)
        monorepo.write({"new/a.py": "import b\n", "new/b.py": "unheard_of = 1\n"})
        monorepo.delete("cases/3")
        run = scan(monorepo, shared, redis_url)
        assert run.counts["analyzed"] == 2
        assert run.counts["deleted"] > 0
        monorepo.scan()
        assert exported(shared) == exported(monorepo.store)
        before = len(worker.batches())
        run = scan(monorepo, shared, redis_url)
        assert run.counts["analyzed"] == run.affected == 0
        assert len(worker.batches()) == before


def test_a_scan_without_changes_needs_no_broker(
    monorepo: Repository, shared: Store, postgres_url: str, redis_url: str
) -> None:
    with running_worker(postgres_url, redis_url):
        scan(monorepo, shared, redis_url)
    run = scan(monorepo, shared, "redis://127.0.0.1:1/0")
    assert run.state is RunState.PUBLISHED


def test_few_files_are_done_here(git_repository: Repository, shared: Store) -> None:
    git_repository.write({"a.py": "import b\n", "b.py": ""})
    run = scan(git_repository, shared, "redis://127.0.0.1:1/0", inline_below=50)
    assert run.edges == 1


class TestContents:
    """The same graph, wherever workers have the contents from."""

    def check(self, repository: Repository, store: Store) -> None:
        repository.scan()
        assert exported(store) == exported(repository.store)

    def test_from_a_bare_repository(
        self, monorepo: Repository, shared: Store, postgres_url: str, redis_url: str, tmp_path: Path
    ) -> None:
        bare = tmp_path / "bare" / f"{PROJECT}.git"
        monorepo.git("clone", "--quiet", "--bare", ".", str(bare))
        with running_worker(postgres_url, redis_url, repositories=bare.parent):
            scan(monorepo, shared, redis_url, rev="HEAD")
        assert packs(postgres_url) == 0
        monorepo.scan(rev="HEAD")
        assert exported(shared) == exported(monorepo.store)

    def test_from_a_mounted_checkout(
        self, monorepo: Repository, shared: Store, postgres_url: str, redis_url: str, tmp_path: Path
    ) -> None:
        mounts = tmp_path / "mounts"
        mounts.mkdir()
        monorepo.git("clone", "--quiet", ".", str(mounts / PROJECT))
        with running_worker(postgres_url, redis_url, checkouts=mounts):
            scan(monorepo, shared, redis_url)
        assert packs(postgres_url) == 0
        self.check(monorepo, shared)

    def test_dirty_files_beside_a_bare_repository(
        self, monorepo: Repository, shared: Store, postgres_url: str, redis_url: str, tmp_path: Path
    ) -> None:
        bare = tmp_path / "bare" / f"{PROJECT}.git"
        monorepo.git("clone", "--quiet", "--bare", ".", str(bare))
        monorepo.write(
            {"dirty/a.py": "import dirty.b\n", "dirty/b.py": "dirty = 1\n", "dirty/package.json": '{"name": "d"}'}
        )
        with running_worker(postgres_url, redis_url, repositories=bare.parent):
            scan(monorepo, shared, redis_url)
        assert packs(postgres_url) in (1, 2)  # of the two dirty sources
        self.check(monorepo, shared)

    def test_in_packs(self, monorepo: Repository, shared: Store, postgres_url: str, redis_url: str) -> None:
        with running_worker(postgres_url, redis_url):
            scan(monorepo, shared, redis_url)
        assert packs(postgres_url) > 1
        self.check(monorepo, shared)

    def test_a_checkout_of_another_commit_is_never_believed(
        self, monorepo: Repository, shared: Store, postgres_url: str, redis_url: str, tmp_path: Path
    ) -> None:
        mounts = tmp_path / "mounts"
        mounts.mkdir()
        monorepo.git("clone", "--quiet", ".", str(mounts / PROJECT))
        monorepo.write(
            {"cases/0/late.py": "import os\n", "package.json": '{"name": "other", "workspaces": ["cases/*"]}'}
        )
        for path in list((monorepo.root / "cases").rglob("*.py"))[:20]:
            path.write_bytes(path.read_bytes() + b"\nimport late\n")
        monorepo.commit()
        with running_worker(postgres_url, redis_url, checkouts=mounts):
            run = scan(monorepo, shared, redis_url)
        assert run.state is RunState.PUBLISHED
        self.check(monorepo, shared)


def packs(url: str) -> int:
    """How many batches travelled with their contents."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM weft.pack").fetchone()
    assert row is not None
    return int(row[0])


class TestWithoutWorkers:
    def test_a_run_says_so_within_seconds_and_ends(self, monorepo: Repository, shared: Store, redis_url: str) -> None:
        told = Told()
        begun = time.monotonic()
        with pytest.raises(WorkersMissing, match="no worker listens"):
            scan(monorepo, shared, redis_url, told=told, patience=4)
        assert time.monotonic() - begun < 15
        assert any("no worker listens" in note for note in told.notes)
        assert shared.runs(PROJECT)[0].state is RunState.FAILED

    def test_a_broker_that_is_not_there_is_said_at_once(self, monorepo: Repository, shared: Store) -> None:
        with pytest.raises(BrokerUnavailable):
            scan(monorepo, shared, "redis://:secret@127.0.0.1:1/0")
        assert shared.runs(PROJECT)[0].state is RunState.FAILED
        assert "secret" not in shared.runs(PROJECT)[0].error

    def test_a_store_that_cannot_be_shared_is_refused(self, monorepo: Repository, redis_url: str) -> None:
        with pytest.raises(UsageError, match="cannot be shared"):
            scan(monorepo, monorepo.store, redis_url)

    def test_a_broker_that_is_full_is_said_at_once(
        self, monorepo: Repository, shared: Store, own_redis: RedisServer
    ) -> None:
        client = redis.Redis.from_url(own_redis.url)
        client.config_set("maxmemory", 1)
        client.close()
        with pytest.raises(BrokerUnavailable, match="maxmemory"):
            scan(monorepo, shared, own_redis.url)

    def test_a_broker_that_fills_up_is_waited_for_no_longer_than_a_worker(
        self, monorepo: Repository, shared: Store, own_redis: RedisServer
    ) -> None:
        class Filling(Told):
            def begin(self, phase: str, total: int | None = None) -> None:
                if phase == "extract":
                    client = redis.Redis.from_url(own_redis.url)
                    client.config_set("maxmemory", 1)
                    client.close()

        begun = time.monotonic()
        with pytest.raises(BrokerUnavailable, match="maxmemory"):
            scan(monorepo, shared, own_redis.url, told=Filling(), patience=4)
        assert time.monotonic() - begun < 40


class TestResume:
    def interrupted(self, repository: Repository, url: str, broker: str) -> int:
        """The id of a run whose orchestrator was killed while nobody worked."""
        command = [sys.executable, "-m", "weft", "scan", str(repository.root), "--project", PROJECT]
        orchestrator = subprocess.Popen(
            [*command, "--store", url, "--broker", broker, "--inline-below", "1"], stderr=subprocess.DEVNULL
        )
        with open_store(url) as store:
            work = work_of(store)
            deadline = time.monotonic() + 30
            while not work.unfinished(PROJECT):
                assert time.monotonic() < deadline
                assert orchestrator.poll() is None
                time.sleep(0.05)
            os.kill(orchestrator.pid, signal.SIGKILL)
            orchestrator.wait()
            return work.unfinished(PROJECT)[0]

    @pytest.mark.parametrize("workers", [True, False])
    def test_a_dead_orchestrators_run_goes_on(
        self, monorepo: Repository, shared: Store, postgres_url: str, redis_url: str, workers: bool
    ) -> None:
        run_id = self.interrupted(monorepo, postgres_url, redis_url)
        if workers:
            with running_worker(postgres_url, redis_url):
                run = resume(shared, PROJECT, run_id, remote=Remote(redis_url))
        else:
            run = resume(shared, PROJECT, run_id)
        assert (run.id, run.state) == (run_id, RunState.PUBLISHED)
        monorepo.scan()
        assert exported(shared) == exported(monorepo.store)

    def test_the_next_scan_needs_no_resume(
        self, monorepo: Repository, shared: Store, postgres_url: str, redis_url: str
    ) -> None:
        run_id = self.interrupted(monorepo, postgres_url, redis_url)
        with running_worker(postgres_url, redis_url):
            run = scan(monorepo, shared, redis_url)
        assert run.id > run_id
        assert {each.id: each.state for each in shared.runs(PROJECT)}[run_id] is RunState.FAILED
        monorepo.scan()
        assert exported(shared) == exported(monorepo.store)

    def test_runs_that_are_over_cannot_be_resumed(
        self, monorepo: Repository, shared: Store, postgres_url: str, redis_url: str
    ) -> None:
        with running_worker(postgres_url, redis_url):
            run = scan(monorepo, shared, redis_url)
        with pytest.raises(UsageError, match="is over: published"):
            resume(shared, PROJECT, run.id)
        with pytest.raises(UsageError, match="is not in the store"):
            resume(shared, PROJECT, run.id + 1)


def test_a_run_under_way_is_followed_from_elsewhere(
    monorepo: Repository, shared: Store, postgres_url: str, redis_url: str
) -> None:
    options = ["--store", postgres_url, "--project", PROJECT]
    command = [sys.executable, "-m", "weft", "scan", str(monorepo.root), *options, "--broker", redis_url]
    work = work_of(shared)
    orchestrator = subprocess.Popen([*command, "--inline-below", "1", "-q"], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (unfinished := work.unfinished(PROJECT)) or not work.progress(unfinished[0]).batches:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    status = [sys.executable, "-m", "weft", "status", *options, "--format", "json"]
    run_id = work.unfinished(PROJECT)[0]
    under_way = json.loads(subprocess.run([*status, str(run_id)], check=True, capture_output=True).stdout)
    assert (under_way["status"], under_way["progress"]["files_done"]) == ("running", 0)
    assert under_way["progress"]["batches"] == under_way["progress"]["open_batches"] > 0
    watching = subprocess.Popen([*status, "--watch"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with running_worker(postgres_url, redis_url):
        printed, shown = watching.communicate(timeout=60)
        assert orchestrator.wait(timeout=60) == 0
    over = json.loads(printed)
    assert (over["run"], over["status"], over["progress"]) == (run_id, "published", None)
    assert shown.startswith(b"extract: ")
    unknown = subprocess.run([*status, "99"], capture_output=True)
    assert (unknown.returncode, unknown.stderr.count(b"\n")) == (2, 1)


def test_ctrl_c_cancels_the_run_and_its_batches(
    monorepo: Repository, shared: Store, postgres_url: str, redis_url: str
) -> None:
    command = [sys.executable, "-m", "weft", "scan", str(monorepo.root), "--project", PROJECT]
    orchestrator = subprocess.Popen(
        [*command, "--store", postgres_url, "--broker", redis_url, "--inline-below", "1"], stderr=subprocess.PIPE
    )
    work = work_of(shared)
    deadline = time.monotonic() + 30
    while not work.unfinished(PROJECT):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run_id = work.unfinished(PROJECT)[0]
    orchestrator.send_signal(signal.SIGINT)
    _, complaints = orchestrator.communicate(timeout=30)
    assert b"interrupted" in complaints
    assert orchestrator.returncode == 130
    cancelled = shared.runs(PROJECT)[0]
    assert (cancelled.state, cancelled.error) == (RunState.CANCELLED, "interrupted by SIGINT")
    assert work.claim(run_id, 1, worker="w", task="t") is None


@pytest.mark.parametrize("outage", [False, True])
def test_a_file_that_changes_under_the_scan_is_looked_at_again(
    monorepo: Repository, shared: Store, postgres_url: str, redis_url: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, outage: bool,
) -> None:  # fmt: skip
    """The mount is the work tree itself; it changes after the plan was made, before a worker reads it. With an outage
    the store does not answer when the second look is written down."""
    plan, plans = PostgresWork.plan, []

    def plan_or_fail(work: PostgresWork, *arguments: Any) -> list[int]:
        plans.append(arguments)
        if outage and len(plans) == 2:
            raise StoreUnavailable("store", "is away for a moment")
        return plan(work, *arguments)

    monkeypatch.setattr(PostgresWork, "plan", plan_or_fail)
    mounts = tmp_path / "mounts"
    mounts.mkdir()
    (monorepo.root).rename(mounts / PROJECT)
    moved = Repository(mounts / PROJECT, monorepo.store)

    class Editing(Told):
        def begin(self, phase: str, total: int | None = None) -> None:
            if phase == "extract" and "extract" not in self.phases:
                moved.write({"cases/0/changing.py": "import os\nimport sys\n"})
            super().begin(phase, total)

    moved.write({"cases/0/changing.py": "import os\n"})
    with running_worker(postgres_url, redis_url, checkouts=mounts):
        run = scan(moved, shared, redis_url, told=Editing())
    assert run.state is RunState.PUBLISHED
    assert run.token == ""
    assert len(plans) == (3 if outage else 2)
    moved.scan()
    assert exported(shared) == exported(moved.store)
