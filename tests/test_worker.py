"""Real workers on a real Redis and a real Postgres: what they carry out, what they refuse, how they end."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis

from git_repository import write
from planned_runs import PROJECT, planned_run
from test_crashbox import GOOD, HUNGRY
from test_worker_parts import STRAYS
from tls_proxy import make_certificate, tls_proxy
from weft.stack import PostgresServer
from weft_storage.backends import Store, open_store, work_of
from weft_storage.model.errors import BrokerUnavailable
from weft_storage.model.runs import RunState
from weft_storage.model.work import Limits, Terms
from weft_tasks.jobs import fingerprint, pack_contents
from weft_tasks.worker.app import extract_signature, make_app
from weft_tasks.worker.dispatch import Listener, Messages, queue_name
from weft_tasks.worker.settings import WorkerSettings
from weft_tasks.worker.slot import Slot
from workers import Worker, children_of, is_alive, running_worker

# Long enough to be caught in the act, short enough to be waited for.
SLOW = b"x = [\n" + b"    [1, 2, (3, 4)],\n" * 100_000


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    with open_store(postgres_url) as opened:
        yield opened


@pytest.fixture
def messages(redis_url: str) -> Iterator[Messages]:
    with Messages(redis_url) as opened:
        yield opened


@pytest.fixture
def checkouts(tmp_path: Path) -> Path:
    folder = tmp_path / "checkouts"
    (folder / PROJECT).mkdir(parents=True)
    return folder


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    opened = redis.Redis.from_url(redis_url)
    yield opened
    opened.close()


def files(count: int, name: str = "m") -> dict[str, bytes]:
    return {f"{name}{number}.py": b"import %s%d\n" % (name.encode(), number + 1) for number in range(count)}


def mount(checkouts: Path, *batches: dict[str, bytes]) -> None:
    for batch in batches:
        write(checkouts / PROJECT, batch)


def left_in_redis(client: "redis.Redis") -> tuple[int, int]:
    """Messages that nobody has taken, and that nobody has acknowledged."""
    queue = f"weft:{queue_name('weft', fingerprint())}"
    return int(client.llen(queue)), int(client.hlen("weft:unacked"))


def wait_until(is_true: Callable[[], object], timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class TestCarryingOut:
    def test_a_run_is_extracted_and_published(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path,
        client: "redis.Redis",
    ) -> None:  # fmt: skip
        batches = [files(20, "a"), files(20, "b"), files(20, "c")]
        mount(checkouts, *batches)
        with (
            running_worker(postgres_url, redis_url, checkouts=checkouts) as worker,
            planned_run(store, batches) as planned,
        ):
            messages.send_run(planned.run.id, planned.labelled, planned.terms)
            planned.wait_until_over()
            assert planned.state() is RunState.PUBLISHED
            assert len(list(store.edges(PROJECT))) == 57
            progress = planned.work.progress(planned.run.id)
            assert (progress.files_done, progress.failures, progress.retried) == (60, 0, 0)
            assert progress.workers == (worker.name,)
            lines = worker.batches()
            assert sorted((line["batch"], line["files"], line["attempt"]) for line in lines) == [
                (number, 20, 1) for number in planned.numbers
            ]
            assert {(line["run"], line["project"]) for line in lines} == {(planned.run.id, PROJECT)}
            wait_until(lambda: left_in_redis(client) == (0, 0))
        assert all(str(key).startswith("b'weft:") for key in client.keys("*"))

    def test_a_batch_that_comes_twice_is_done_once(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path
    ) -> None:
        batches = [files(5, "a"), files(5, "b")]
        mount(checkouts, *batches)
        with planned_run(store, batches) as planned:
            messages.send_run(planned.run.id, planned.labelled, planned.terms)
            messages.send_run(planned.run.id, planned.labelled, planned.terms)
            for _ in range(3):
                messages.send_batches(planned.run.id, planned.labelled, planned.terms)
            with running_worker(postgres_url, redis_url, checkouts=checkouts) as worker:
                planned.wait_until_over()
                worker.wait_for(lambda it: it.messages().count("there is nothing to do") == 8)
                assert len(worker.batches()) == 2
            assert planned.state() is RunState.PUBLISHED

    def test_the_last_batch_that_was_sent_again_finalizes_the_run(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path
    ) -> None:
        batches = [files(3, "a"), files(3, "b")]
        mount(checkouts, *batches)
        with running_worker(postgres_url, redis_url, checkouts=checkouts), planned_run(store, batches) as planned:
            messages.send_batches(planned.run.id, planned.labelled, planned.terms)
            planned.wait_until_over()
            assert planned.state() is RunState.PUBLISHED

    def test_two_workers_share_a_run(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path
    ) -> None:
        batches = [files(20, f"{letter}_") for letter in "abcdefgh"]
        mount(checkouts, *batches)
        with (
            running_worker(postgres_url, redis_url, checkouts=checkouts, concurrency=1) as one,
            running_worker(postgres_url, redis_url, checkouts=checkouts, concurrency=1) as other,
            planned_run(store, batches) as planned,
        ):
            messages.send_run(planned.run.id, planned.labelled, planned.terms)
            planned.wait_until_over()
            assert len(one.batches()) + len(other.batches()) == 8
            assert planned.work.progress(planned.run.id).workers == tuple(sorted((one.name, other.name)))

    def test_nobody_else_hears_of_the_work_of_a_version(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str
    ) -> None:
        terms = Terms(PROJECT, "abc123", "weft", Limits(), 60.0)
        with running_worker(postgres_url, redis_url) as worker:
            (listener,) = messages.listeners(1.0)
            assert listener == Listener(listener.name, (queue_name("weft", fingerprint()),))
            messages.send_batches(1, [(1, "x")], terms)
            # Should one arrive nevertheless, it is refused and named.
            app = make_app(redis_url, patient=False)
            signature = extract_signature(app, {"run_id": 1, "number": 1}, "x", queue="weft", fingerprint="abc123")
            signature.set(queue=queue_name("weft", fingerprint())).apply_async()
            app.close()
            worker.wait_for_message("refused a message: it is of version abc123")

    def test_a_worker_reports_itself_and_touches_its_heartbeat_file(
        self, store: Store, postgres_url: str, redis_url: str, checkouts: Path, tmp_path: Path
    ) -> None:
        heartbeat = tmp_path / "heartbeat"
        arguments = ["--heartbeat-file", str(heartbeat), "--queues", "weft,nightly"]
        with running_worker(postgres_url, redis_url, checkouts=checkouts, arguments=arguments) as worker:
            wait_until(lambda: work_of(store).workers(within=20.0))
            (record,) = work_of(store).workers(within=20.0)
            assert (record.name, record.fingerprint, record.slots) == (worker.name, fingerprint(), 2)
            assert (record.queues, record.reaches) == (("weft", "nightly"), (f"mount:{PROJECT}",))
            before = heartbeat.stat().st_mtime_ns
            wait_until(lambda: heartbeat.stat().st_mtime_ns > before)
            assert weft("doctor", "--heartbeat-file", str(heartbeat), "--max-age", "10").returncode == 0


class TestContents:
    def test_what_no_worker_reaches_waits_for_a_pack(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str
    ) -> None:
        batch = files(4)
        with running_worker(postgres_url, redis_url) as worker, planned_run(store, [batch]) as planned:
            messages.send_run(planned.run.id, planned.labelled, planned.terms)
            worker.wait_for_message("waits for contents")
            wait_until(lambda: list(planned.work.waiting(planned.run.id)) == planned.numbers)
            pack = pack_contents({job.key: batch[job.path] for job in planned.jobs})
            planned.work.supply(planned.run.id, planned.numbers[0], pack)
            messages.send_batches(planned.run.id, planned.labelled, planned.terms)
            planned.wait_until_over()
            assert planned.state() is RunState.PUBLISHED
            assert planned.known() == set(batch)

    def test_a_pack_that_is_a_bomb_fails_its_files_and_nothing_else(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str
    ) -> None:
        good = files(3, "good")
        bomb = pack_contents({b"k": b"\0" * (64 << 20)})
        fine = pack_contents({})
        batches = [files(2, "bad"), files(2, "gone"), good]
        with running_worker(postgres_url, redis_url), planned_run(store, batches, packs=[bomb, fine]) as planned:
            goods = pack_contents({job.key: good[job.path] for job in planned.jobs if job.path in good})
            planned.work.release(planned.work.claim(planned.run.id, 3, worker="w", task="t"), waiting=True)  # type: ignore[arg-type]
            planned.work.supply(planned.run.id, 3, goods)
            messages.send_run(planned.run.id, planned.labelled, planned.terms)
            planned.wait_until_over()
            assert planned.state() is RunState.INCOMPLETE
            assert planned.known() == set(good)
            assert set(planned.failed()) == {*batches[0], *batches[1]}

    def test_hostile_rows_reach_nothing(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path, tmp_path: Path
    ) -> None:
        secret = b"import secret\n"
        (tmp_path / "secret.py").write_bytes(secret)
        (checkouts / PROJECT / "link.py").symlink_to(tmp_path / "secret.py")
        (checkouts / PROJECT / "folder").symlink_to(tmp_path)
        batch = dict.fromkeys(
            ["../../secret.py", str(tmp_path / "secret.py"), "x/../../../secret.py", "link.py", "folder/secret.py"],
            secret,
        )
        # Each job has a key of its own only where contents differ: one path at a time.
        batches = [{path: secret} for path in batch]
        with (
            running_worker(postgres_url, redis_url, checkouts=checkouts),
            planned_run(store, batches) as planned,
        ):
            messages.send_batches(planned.run.id, planned.labelled, planned.terms)
            planned.wait_until_done()
            assert planned.known() == set()
            assert planned.work.progress(planned.run.id).failures > 0

    @pytest.mark.parametrize("project", ["../outside", "..", "/etc", "a/b", ".hidden"])
    def test_a_project_that_is_a_path_reaches_nothing(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path, tmp_path: Path,
        project: str,
    ) -> None:  # fmt: skip
        write(tmp_path / "outside", files(1))
        with (
            running_worker(postgres_url, redis_url, checkouts=checkouts, repositories=checkouts, concurrency=1),
            planned_run(store, [files(1)], project=project) as planned,
        ):
            messages.send_run(planned.run.id, planned.labelled, planned.terms)
            wait_until(lambda: list(planned.work.waiting(planned.run.id)) == planned.numbers)
            assert planned.known() == set()


class TestPoison:
    def test_each_sort_is_named_and_the_rest_of_the_batch_goes_on(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path
    ) -> None:
        batch = {"good.py": GOOD, "slow.py": SLOW * 6, "hungry.py": HUNGRY, "fine.py": b"import good\n"}
        mount(checkouts, batch)
        limits = Limits(memory=400 << 20, timeout=1.0)
        with (
            running_worker(postgres_url, redis_url, checkouts=checkouts, concurrency=1) as worker,
            planned_run(store, [batch], limits=limits) as planned,
        ):
            (child,) = worker.children()
            messages.send_run(planned.run.id, planned.labelled, planned.terms)
            planned.wait_until_over()
            assert planned.state() is RunState.INCOMPLETE
            assert planned.known() == {"good.py", "fine.py"}
            failures = {failure.path: failure for failure in planned.work.failures(planned.run.id)}
            assert set(failures) == {"slow.py", "hungry.py"}
            assert all(failure.poison for failure in failures.values())
            assert planned.work.progress(planned.run.id).retried == 0
            assert worker.children() == [child]

    def test_a_crash_of_the_extractor_is_named(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path
    ) -> None:
        batch = {"slow.py": SLOW, "good.py": GOOD}
        mount(checkouts, batch)
        with (
            running_worker(postgres_url, redis_url, checkouts=checkouts, concurrency=1) as worker,
            planned_run(store, [batch], limits=Limits(timeout=60)) as planned,
        ):
            messages.send_run(planned.run.id, planned.labelled, planned.terms)
            os.kill(extractor_at_work(worker), signal.SIGSEGV)
            planned.wait_until_over()
            assert planned.failed() == {"slow.py": "the parser crashed (SIGSEGV)"}
            assert planned.known() == {"good.py"}


class TestDying:
    def test_a_child_that_is_killed_loses_nothing(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path
    ) -> None:
        batches = [{"slow.py": SLOW}, files(5)]
        mount(checkouts, *batches)
        with (
            running_worker(postgres_url, redis_url, checkouts=checkouts) as worker,
            planned_run(store, batches, limits=Limits(timeout=60)) as planned,
        ):
            messages.send_run(planned.run.id, planned.labelled, planned.terms)
            extractor = extractor_at_work(worker)
            (child,) = (pid for pid in worker.children() if extractor in children_of(pid))
            os.kill(child, signal.SIGKILL)
            planned.wait_until_over()
            assert planned.state() is RunState.PUBLISHED
            assert planned.known() == {"slow.py", *batches[1]}
            assert planned.work.progress(planned.run.id).retried == 1
            wait_until(lambda: not is_alive(extractor))

    def test_a_batch_that_ends_its_processes_is_left_to_be_split(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path
    ) -> None:
        """As the kernel does where memory runs out: again and again, whoever takes the batch."""
        batches = [{"slow.py": SLOW}, files(5)]
        mount(checkouts, *batches)
        with (
            running_worker(postgres_url, redis_url, checkouts=checkouts, concurrency=1) as worker,
            planned_run(store, batches, limits=Limits(timeout=60), lease=3.0) as planned,
        ):
            messages.send_run(planned.run.id, planned.labelled, planned.terms)
            for _ in range(3):
                extractor = extractor_at_work(worker)
                (child,) = (pid for pid in worker.children() if extractor in children_of(pid))
                os.kill(child, signal.SIGKILL)
                wait_until(lambda child=child: not is_alive(child))  # type: ignore[misc]
            worker.wait_for_message("it is left to be split", 30)
            assert planned.known() == set(batches[1])
            wait_until(lambda: planned.work.reap(planned.run.id, attempts=2) == [] and planned.failed())
            assert set(planned.failed()) == {"slow.py"}

    def test_a_worker_that_is_killed_leaves_its_batch_to_others(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path
    ) -> None:
        batches = [{"slow.py": SLOW}]
        mount(checkouts, *batches)
        with planned_run(store, batches, limits=Limits(timeout=60), lease=3.0) as planned:
            with running_worker(postgres_url, redis_url, checkouts=checkouts, concurrency=1) as one:
                messages.send_run(planned.run.id, planned.labelled, planned.terms)
                extractor = extractor_at_work(one)
                children = one.children()
                one.signal(signal.SIGKILL)
                one.wait()
            wait_until(lambda: not any(map(is_alive, [*children, extractor])))
            with running_worker(postgres_url, redis_url, checkouts=checkouts, concurrency=1):
                wait_until(lambda: planned.work.reap(planned.run.id, attempts=2) == planned.numbers)
                messages.send_batches(planned.run.id, planned.labelled, planned.terms)
                planned.wait_until_over()
            assert planned.state() is RunState.PUBLISHED

    def test_a_memory_error_ends_one_process_and_the_batch_comes_again(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path
    ) -> None:
        batches = [files(3), {"large.py": b"# " + b"x" * (24 << 20)}]
        mount(checkouts, *batches)
        with (
            running_worker(postgres_url, redis_url, checkouts=checkouts, concurrency=1) as worker,
            planned_run(store, batches) as planned,
        ):
            (child,) = worker.children()
            messages.send_batches(planned.run.id, planned.labelled[:1], planned.terms)
            worker.wait_for(lambda it: it.batches())
            size = memory_of(child) + (8 << 20)
            resource.prlimit(child, resource.RLIMIT_AS, (size, size))
            messages.send_batches(planned.run.id, planned.labelled[1:], planned.terms)
            planned.wait_until_over()
            assert planned.state() is RunState.PUBLISHED
            assert planned.work.progress(planned.run.id).retried == 1
            assert any("out of memory" in line for line in worker.other)
            assert child not in worker.children()
            assert worker.process.poll() is None

    def test_a_cancelled_run_stops_the_batch_in_hand(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path,
        client: "redis.Redis",
    ) -> None:  # fmt: skip
        batch = {f"slow{number}.py": SLOW + b"# %d\n" % number for number in range(8)}
        mount(checkouts, batch)
        with running_worker(postgres_url, redis_url, checkouts=checkouts, concurrency=1) as worker:
            with planned_run(store, [batch], limits=Limits(timeout=60), lease=3.0) as planned:
                messages.send_run(planned.run.id, planned.labelled, planned.terms)
                planned.wait_for(running=1)
            worker.wait_for_message("stopped: the run is over", 30)
            assert worker.batches() == []
            wait_until(lambda: left_in_redis(client) == (0, 0))


class TestFinalizing:
    def test_a_run_whose_finalizing_needs_too_much_memory_has_failed(
        self, store: Store, postgres_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def exhaust(*_: object, **__: object) -> None:
            raise MemoryError

        monkeypatch.setattr("weft_tasks.worker.slot.finalize_staged", exhaust)
        slot = Slot(WorkerSettings(postgres_url, redis_url), "here:1")
        with planned_run(store, [files(1)]) as planned:
            assert slot.finalize(planned.run.id) == "failed"
            run = planned.work.run(planned.run.id)
            assert run is not None
            assert (run.state, run.error) == (RunState.FAILED, "finalizing needs more memory than the worker has")
            assert slot.finalize(planned.run.id + 1) == "over"
        slot.close()


class TestEnding:
    def test_sigterm_lets_the_batch_in_hand_end_and_takes_no_other(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path,
        client: "redis.Redis",
    ) -> None:  # fmt: skip
        batches = [{"slow.py": SLOW}, *(files(2, f"{letter}_") for letter in "abcd")]
        mount(checkouts, *batches)
        with planned_run(store, batches, limits=Limits(timeout=60)) as planned:
            with running_worker(postgres_url, redis_url, checkouts=checkouts, concurrency=1) as worker:
                messages.send_run(planned.run.id, planned.labelled[:1], planned.terms)
                extractor_at_work(worker)
                messages.send_batches(planned.run.id, planned.labelled[1:], planned.terms)
                worker.signal(signal.SIGTERM)
                assert worker.wait() == 0
                assert [line["batch"] for line in worker.batches()] == planned.numbers[:1]
                assert "the worker has ended" in worker.messages()
            assert left_in_redis(client) == (5, 0)  # The chord's callback too: the first batch was all of it.
            with running_worker(postgres_url, redis_url, checkouts=checkouts):
                planned.wait_until_over()
            assert planned.state() is RunState.PUBLISHED
            assert planned.work.progress(planned.run.id).retried == 0

    def test_what_does_not_end_in_time_goes_back_to_the_queue(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path,
        client: "redis.Redis",
    ) -> None:  # fmt: skip
        batch = {f"slow{number}.py": SLOW + b"# %d\n" % number for number in range(4)}
        mount(checkouts, batch)
        with planned_run(store, [batch], limits=Limits(timeout=60)) as planned:
            arguments = ["--soft-timeout", "1"]
            with running_worker(
                postgres_url, redis_url, checkouts=checkouts, concurrency=1, arguments=arguments
            ) as worker:
                messages.send_run(planned.run.id, planned.labelled, planned.terms)
                extractor = extractor_at_work(worker)
                worker.signal(signal.SIGTERM)
                worker.wait(20)
            assert left_in_redis(client) == (1, 0)
            wait_until(lambda: not is_alive(extractor))
            with running_worker(postgres_url, redis_url, checkouts=checkouts):
                planned.wait_until_over()
            assert planned.state() is RunState.PUBLISHED
            assert planned.work.progress(planned.run.id).retried == 1


class TestAway:
    def test_a_store_that_is_away_for_a_while_costs_time_only(
        self, own_postgres: PostgresServer, messages: Messages, redis_url: str, checkouts: Path
    ) -> None:
        batches = [files(200, f"{letter}_") for letter in "abcdefghij"]
        mount(checkouts, *batches)
        with (
            open_store(own_postgres.url) as store,
            running_worker(own_postgres.url, redis_url, checkouts=checkouts) as worker,
            planned_run(store, batches) as planned,
        ):
            messages.send_run(planned.run.id, planned.labelled, planned.terms)
            worker.wait_for(lambda it: it.batches())
            own_postgres.stop()
            worker.wait_for_message("(trying again)")
            time.sleep(5)
            own_postgres.start()
            planned.wait_until_over()
            assert planned.state() is RunState.PUBLISHED
            assert len(planned.known()) == 2000
            assert worker.process.poll() is None


class TestEncrypted:
    def test_work_goes_by_tls_to_a_broker_that_is_who_it_says(
        self, store: Store, postgres_url: str, redis_url: str, checkouts: Path, tmp_path: Path
    ) -> None:
        batches = [files(3, "a"), files(3, "b")]
        mount(checkouts, *batches)
        certificate, key = make_certificate(tmp_path)
        port = urlsplit(redis_url).port
        assert port is not None
        with tls_proxy(port, certificate, key) as secure:
            url = f"rediss://localhost:{secure}/0"
            with Messages(url) as stranger, pytest.raises(BrokerUnavailable, match="certificate verify failed"):
                stranger.check()
            url += f"?ssl_ca_certs={certificate}"
            with (
                Messages(url) as messages,
                running_worker(postgres_url, url, checkouts=checkouts),
                planned_run(store, batches) as planned,
            ):
                messages.send_run(planned.run.id, planned.labelled, planned.terms)
                planned.wait_until_over()
                assert planned.state() is RunState.PUBLISHED
                assert len(messages.listeners(2.0)) == 1


class TestStarting:
    def test_neither_the_environment_nor_the_current_folder_say_what_is_loaded(
        self, store: Store, messages: Messages, postgres_url: str, redis_url: str, checkouts: Path, tmp_path: Path
    ) -> None:
        hostile = tmp_path / "monorepo"
        loaded = tmp_path / "loaded"
        code = f"open({str(loaded)!r}, 'a').write(__name__ + '\\n')\nraise SystemExit(1)\n"
        names = ("celeryconfig", "tasks", "evil", "celery", "kombu", "redis", "msgspec", "celery_app", "settings")
        write(hostile, {f"{name}.py": code for name in names})
        write(hostile, {f"{name}/__init__.py": code for name in ("weft", "weft_tasks", "weft_storage", "config")})
        batches = [files(3)]
        mount(checkouts, *batches)
        with (
            running_worker(postgres_url, redis_url, checkouts=checkouts, env=STRAYS, cwd=hostile),
            planned_run(store, batches) as planned,
        ):
            messages.send_run(planned.run.id, planned.labelled, planned.terms)
            planned.wait_until_over()
            assert planned.state() is RunState.PUBLISHED
        assert not loaded.exists()

    def test_a_broker_that_is_not_there_is_one_sentence(self, postgres_url: str, store: Store) -> None:
        done = weft("worker", "--store", postgres_url, "--broker", f"redis://:geheim@127.0.0.1:{free_port()}/0")
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "does not answer" in done.stderr
        assert "geheim" not in done.stderr

    def test_a_store_that_is_not_there_is_one_sentence(self, redis_url: str) -> None:
        url = f"postgresql://u:geheim@127.0.0.1:{free_port()}/weft"
        done = weft("worker", "--store", url, "--broker", redis_url)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "geheim" not in done.stderr

    def test_a_store_that_only_one_machine_has_is_one_sentence(self, redis_url: str, tmp_path: Path) -> None:
        with open_store(f"sqlite:///{tmp_path}/graph.db"):
            done = weft("worker", "--store", f"sqlite:///{tmp_path}/graph.db", "--broker", redis_url)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "cannot be shared with workers" in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            ((), "give --broker or WEFT_BROKER"),
            (("--broker", "redis://queue/0"), "give --store or WEFT_STORE"),
            (("--broker", "amqp://queue/", "--store", "postgresql://db/x"), "is not known"),
            (("--broker", "redis://127.0.0.1:1/0", "--store", "memory://"), "does not answer"),
            (("--broker", "redis://queue/0", "--store", "x", "--queues", " , "), "names no queue"),
            (("--repositories", "/does/not/exist"), "does not exist"),
        ],
    )
    def test_what_makes_no_sense_is_one_sentence(self, arguments: tuple[str, ...], problem: str) -> None:
        done = weft("worker", *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert problem in done.stderr


class TestDispatch:
    def test_a_broker_that_is_away_is_an_error_within_seconds(self) -> None:
        url = f"redis://user:geheim@127.0.0.1:{free_port()}/0"
        terms = Terms(PROJECT, fingerprint(), "weft", Limits(), 60.0)
        actions: list[Callable[[Messages], object]] = [
            lambda it: it.check(),
            lambda it: it.send_run(1, [(1, "x"), (2, "y")], terms),
            lambda it: it.send_batches(1, [(1, "x")], terms),
            lambda it: it.send_finalize(1, terms),
            lambda it: it.listeners(1.0),
        ]
        for act in actions:
            began = time.monotonic()
            with Messages(url) as messages, pytest.raises(BrokerUnavailable) as caught:
                act(messages)
            assert time.monotonic() - began < 10
            assert "geheim" not in str(caught.value)

    def test_nobody_listens(self, messages: Messages) -> None:
        messages.check()
        assert messages.listeners(0.5) == []

    def test_a_message_holds_ids_and_a_label(self, messages: Messages, client: "redis.Redis") -> None:
        terms = Terms(PROJECT, "abc123", "weft", Limits(), 60.0)
        messages.send_run(7, [(1, "run 7, batch 1: 9 files, 0.1 MB, python")], terms)
        (raw,) = client.lrange("weft:weft.abc123", 0, -1)
        message = json.loads(raw)
        assert message["headers"]["argsrepr"] == "run 7, batch 1: 9 files, 0.1 MB, python"
        assert message["headers"]["task"] == "weft.extract"
        assert PROJECT not in json.dumps(message)

    def test_a_thousand_batches_are_sent_within_seconds(self, messages: Messages, client: "redis.Redis") -> None:
        terms = Terms(PROJECT, "abc123", "weft", Limits(), 60.0)
        began = time.monotonic()
        messages.send_run(7, [(number, f"batch {number}") for number in range(1, 1001)], terms)
        assert time.monotonic() - began < 20
        assert client.llen("weft:weft.abc123") == 1000
        channels = client.pubsub_channels("*celery-task-meta*")
        assert channels == []


def extractor_at_work(worker: Worker) -> int:
    """The process of a crash box that has been busy for a moment: one slow file is in its hands."""
    found: list[int] = []

    def is_busy() -> bool:
        pids = [pid for child in worker.children() for pid in children_of(child)]
        found[:] = [pid for pid in pids if seconds_of_work(pid) > 0.35]
        return bool(found)

    wait_until(is_busy)
    return found[0]


def seconds_of_work(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> int:
    """The bytes of address space that a process has."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def weft(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-P", "-m", "weft", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
