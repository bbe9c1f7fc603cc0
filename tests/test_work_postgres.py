"""The work of runs in Postgres: what its Protocol promises, for any number of callers and whatever befalls them."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import LiteralString, TypeVar

import msgspec
import psycopg
import pytest

from store_samples import ODD_NAMES, ODD_TEXT, digest, facts
from weft_storage.backends import Part
from weft_storage.backends.postgres.database import PostgresDatabase, migrate
from weft_storage.backends.postgres.jobs import decode_jobs, encode_jobs
from weft_storage.backends.postgres.store import PostgresStore
from weft_storage.backends.postgres.work import PostgresWork
from weft_storage.model.errors import StoreUnavailable
from weft_storage.model.quarantine import quarantine_name
from weft_storage.model.runs import Run, RunState
from weft_storage.model.work import BatchState, Claim, Failure, Limits, NewBatch, Terms, WorkerRecord
from work_samples import TERMS, WorkFixture, batch, failure, job, pack

A = TypeVar("A")
B = TypeVar("B")

LOST = "its worker was lost 2 times while it was extracted"


@pytest.fixture
def database(postgres_url: str) -> Iterator[PostgresDatabase]:
    database = PostgresDatabase(postgres_url)
    migrate(database)
    yield database
    database.close()


@pytest.fixture
def it(database: PostgresDatabase) -> WorkFixture:
    return WorkFixture(database)


# Planning --------------------------------------------------------------------------------------------


def test_batches_are_numbered_from_one_on(it: WorkFixture) -> None:
    run_id = it.begin()
    assert it.work.plan(run_id, b"", TERMS, [batch(1), batch(2)]) == [1, 2]
    assert it.work.plan(run_id, b"", TERMS, iter([batch(3)])) == [3]
    assert it.work.plan(run_id, b"", TERMS, []) == []
    assert it.work.open_batches(run_id) == [1, 2, 3]
    other = it.begin("q")
    assert it.work.plan(other, b"", TERMS, [batch(1)]) == [1]


def test_prepared_and_terms_come_back(it: WorkFixture) -> None:
    terms = Terms(ODD_TEXT, "f", "q\udcff", Limits(1, 2.5), 7.25)
    run_id = it.plan(prepared=b"\0\xff" * 1000, terms=terms)
    assert it.work.terms(run_id) == terms
    assert it.work.prepared(run_id) == b"\0\xff" * 1000


def test_planning_again_replaces_what_was_prepared_and_forgets_the_failures_that_moved(it: WorkFixture) -> None:
    run_id = it.plan(batch(1, 2, 3), prepared=b"first")
    it.work.complete(it.claim(run_id), [], [failure(1), failure(2, poison=True), failure(3, moved=True)])
    assert it.work.plan(run_id, b"second", TERMS, [batch(4)]) == [2]
    assert it.work.prepared(run_id) == b"second"
    assert it.work.failures(run_id) == [failure(1), failure(2, poison=True)]
    assert it.work.open_batches(run_id) == [2]


def test_planning_needs_a_running_run(it: WorkFixture) -> None:
    run_id = it.plan(batch(1), prepared=b"first")
    it.end(run_id)
    before = it.everything(run_id)
    for each in (run_id, run_id + 1, 2**31, 2**70, -1):
        with pytest.raises(StoreUnavailable, match=f"run {each}: is not running any more; scan again"):
            it.work.plan(each, b"second", TERMS, [batch(2)])
    assert it.everything(run_id) == before


def test_a_plan_is_written_whole_or_not_at_all(it: WorkFixture) -> None:
    run_id = it.begin()

    def failing() -> Iterator[NewBatch]:
        for number in range(1500):
            yield batch(number)
        raise KeyError

    with pytest.raises(KeyError):
        it.work.plan(run_id, b"", TERMS, failing())
    assert it.work.terms(run_id) is None
    assert it.work.open_batches(run_id) == []


def test_what_nobody_planned_is_not_there(it: WorkFixture) -> None:
    run_id = it.begin()
    for each in (run_id, run_id + 1, 2**31, 2**70, -1):
        assert it.work.terms(each) is None
        assert it.work.prepared(each) is None
        assert it.work.open_batches(each) == []
        assert it.work.claim(each, 1, worker="w", task="t") is None
        assert it.work.reap(each, attempts=1) == []
        assert it.work.waiting(each) == {}
        assert it.work.failures(each) == []
        assert it.work.progress(each).batches == 0
        with it.work.finalizing(each) as held:
            assert not held


def test_a_run_comes_as_it_is_recorded(it: WorkFixture) -> None:
    run_id = it.begin("p\udcff")
    assert it.work.run(run_id) == Run(id=run_id, project="p\udcff")
    assert it.work.run(run_id + 1) is None


def test_unfinished_runs_are_running_ones_with_work_newest_first(it: WorkFixture) -> None:
    first, second = it.plan(project="p\udcff"), it.plan(project="p\udcff")
    it.plan(project="other")
    it.begin("p\udcff")
    ended = it.plan(project="p\udcff")
    it.end(ended)
    assert it.work.unfinished("p\udcff") == [second, first]
    assert it.work.unfinished("nobody's") == []


def test_jobs_come_back_whatever_their_paths_hold(it: WorkFixture) -> None:
    odd = NewBatch(tuple(job(path, path) for path in (*ODD_NAMES, ODD_TEXT)), b"\0pack")
    plain = batch(*range(200))
    run_id = it.plan(odd, plain, NewBatch(()))
    assert it.claim(run_id, 1) == Claim(run_id, 1, 1, TERMS, odd.jobs, b"\0pack")
    assert it.claim(run_id, 2) == Claim(run_id, 2, 1, TERMS, plain.jobs, None)
    assert it.claim(run_id, 3).jobs == ()


def test_large_plans_and_packs_come_back(it: WorkFixture) -> None:
    large = os.urandom(20 << 20)
    run_id = it.plan(*(NewBatch(batch(number).jobs, large[number:]) for number in range(3)), prepared=large)
    assert it.work.prepared(run_id) == large
    assert [it.claim(run_id, number + 1).pack == large[number:] for number in range(3)] == [True] * 3


def test_ten_thousand_batches_are_planned_in_one_call(it: WorkFixture) -> None:
    began = time.monotonic()
    run_id = it.plan(*(batch(number) for number in range(10_000)))
    assert time.monotonic() - began < 30
    assert it.work.open_batches(run_id) == list(range(1, 10_001))
    began = time.monotonic()
    for _ in range(10):
        assert it.work.progress(run_id).open_batches == 10_000
    assert time.monotonic() - began < 2


# Claims ----------------------------------------------------------------------------------------------


def test_a_batch_is_claimed_once(it: WorkFixture) -> None:
    run_id = it.plan(batch(1))
    claim = it.claim(run_id, task="one")
    assert claim.attempt == 1
    assert 59 < it.lease(run_id) <= 60
    assert it.work.claim(run_id, 1, worker="w", task="two") is None
    assert it.work.claim(run_id, 2, worker="w", task="two") is None
    assert it.work.claim(run_id, 2**70, worker="w", task="two") is None


def test_the_message_that_holds_a_batch_claims_it_again_at_once(it: WorkFixture) -> None:
    run_id = it.plan(batch(1))
    first = it.claim(run_id, task=ODD_TEXT, worker="a")
    second = it.claim(run_id, task=ODD_TEXT, worker="b")
    assert (first.attempt, second.attempt) == (1, 2)
    assert not it.work.renew(first)
    assert it.work.renew(second)


def test_a_lease_that_ran_out_can_be_claimed(it: WorkFixture) -> None:
    run_id = it.plan(batch(1))
    first = it.claim(run_id, task="one")
    it.expire(run_id, 1)
    second = it.claim(run_id, task="two")
    assert second.attempt == 2
    assert not it.work.renew(first)


def test_done_and_split_and_waiting_batches_cannot_be_claimed(it: WorkFixture) -> None:
    run_id = it.plan(batch(1), batch(2, 3), batch(4))
    it.work.complete(it.claim(run_id, 1), [], [])
    it.claim(run_id, 2)
    it.expire(run_id, 2)
    it.work.reap(run_id, attempts=1)
    it.work.release(it.claim(run_id, 3), waiting=True)
    assert [it.state(run_id, number) for number in (1, 2, 3)] == ["done", "split", "waiting"]
    for number in (1, 2, 3):
        assert it.work.claim(run_id, number, worker="w", task="t") is None


def test_twenty_claimers_get_each_of_fifty_batches_once(it: WorkFixture) -> None:
    run_id = it.plan(*(batch(number) for number in range(50)))

    def claim_all(me: int) -> list[int]:
        order = range(1, 51) if me % 2 else range(50, 0, -1)
        found = [it.work.claim(run_id, number, worker=f"w{me}", task=f"{me} {number}") for number in order]
        return [claim.number for claim in found if claim]

    claimed = together(claim_all, range(20))
    assert sorted(number for numbers in claimed for number in numbers) == list(range(1, 51))
    assert it.work.progress(run_id).running == 50


def test_one_of_many_gets_a_batch_whose_lease_ran_out(it: WorkFixture) -> None:
    run_id = it.plan(batch(1))
    it.claim(run_id, task="lost")
    it.expire(run_id, 1)

    def claim(me: int) -> Claim | None:
        return it.work.claim(run_id, 1, worker="w", task=str(me))

    found = together(claim, range(10))
    assert [each.attempt for each in found if each] == [2]


def test_renewing_holds_a_batch_for_another_lease(it: WorkFixture) -> None:
    run_id = it.plan(batch(1))
    claim = it.claim(run_id)
    it.expire(run_id, 1)
    assert it.work.renew(claim)
    assert 59 < it.lease(run_id) <= 60
    assert it.work.claim(run_id, 1, worker="w", task="other") is None


def test_a_holder_that_was_slow_takes_its_batch_back_before_another_claims_it(it: WorkFixture) -> None:
    run_id = it.plan(batch(1))
    claim = it.claim(run_id, task="one")
    it.expire(run_id, 1)
    assert it.work.reap(run_id, attempts=2) == [1]
    assert it.work.renew(claim)
    assert it.state(run_id, 1) is BatchState.RUNNING
    assert it.work.claim(run_id, 1, worker="w", task="two") is None
    assert it.work.complete(claim, [], []).accepted


@pytest.mark.parametrize("waiting", [False, True])
def test_a_batch_that_was_given_back_is_nobodys(it: WorkFixture, *, waiting: bool) -> None:
    run_id = it.plan(batch(1))
    claim = it.claim(run_id)
    it.work.release(claim, waiting=waiting)
    before = it.everything(run_id)
    assert not it.work.renew(claim)
    assert not it.work.complete(claim, [], [failure(1, poison=True)]).accepted
    it.work.release(claim, waiting=not waiting)
    assert it.everything(run_id) == before
    assert it.quarantined() == {}
    assert it.work.open_batches(run_id) == [1]


# Outcomes --------------------------------------------------------------------------------------------


def test_completing_stores_facts_and_failures_and_makes_the_batch_done(it: WorkFixture) -> None:
    run_id = it.plan(batch(1, 2, 3), batch(4))
    outcome = it.work.complete(it.claim(run_id), [facts(1)], [failure(3), failure(2, poison=True)])
    assert (outcome.accepted, outcome.open_batches) == (True, 1)
    assert it.known_facts() == {digest(1)}
    assert it.work.failures(run_id) == [failure(2, poison=True), failure(3)]
    assert it.quarantined() == {quarantine_name(digest(2), TERMS.limits): "reason 2"}
    assert it.work.complete(it.claim(run_id, 2), [facts(4)], []).open_batches == 0


def test_facts_are_stored_as_the_store_reads_them(it: WorkFixture) -> None:
    put = [facts(number, size=number * 40) for number in range(50)] + [
        msgspec.structs.replace(facts("odd", size=0), problems=(ODD_TEXT, "")),
        msgspec.structs.replace(facts("large"), imports=os.urandom(3_000_000)),
    ]
    run_id = it.plan(batch(1))
    it.work.complete(it.claim(run_id), put, [])
    stored = PostgresStore(it.database).facts([each.key for each in put], ~Part(0))
    assert sorted(stored, key=lambda each: each.key) == sorted(put, key=lambda each: each.key)


def test_completing_twice_with_one_claim_counts_once(it: WorkFixture) -> None:
    # The answer to the first may have been lost.
    run_id = it.plan(batch(1, 2))
    claim = it.claim(run_id)
    it.work.complete(claim, [facts(1)], [failure(2)])
    before = it.everything(run_id)
    outcome = it.work.complete(claim, [facts(1)], [failure(2)])
    assert (outcome.accepted, outcome.open_batches) == (True, 0)
    assert it.everything(run_id) == before


def test_a_void_claim_stores_facts_and_nothing_else(it: WorkFixture) -> None:
    run_id = it.plan(batch(1, 2))
    void = it.claim(run_id, task="one")
    it.expire(run_id, 1)
    claim = it.claim(run_id, task="two")
    before = it.everything(run_id)
    outcome = it.work.complete(void, [facts(1)], [failure(2, poison=True)])
    assert (outcome.accepted, outcome.open_batches) == (False, 1)
    assert it.everything(run_id) == before
    assert it.known_facts() == {digest(1)}
    assert it.quarantined() == {}
    assert it.work.complete(claim, [facts(1), facts(2)], []).accepted


@pytest.mark.parametrize("state", [state for state in RunState if state is not RunState.RUNNING])
def test_whatever_concerns_a_run_that_is_over_changes_nothing(it: WorkFixture, state: RunState) -> None:
    run_id = it.plan(batch(1, 2), batch(3), batch(4), batch(5))
    claim, waiting, expired = (it.claim(run_id, number) for number in (1, 2, 3))
    it.work.release(waiting, waiting=True)
    it.expire(run_id, expired.number)
    it.end(run_id, state)
    before = it.everything(run_id)
    assert not it.work.complete(claim, [facts(1)], [failure(2, poison=True)]).accepted
    assert not it.work.renew(claim)
    it.work.release(claim)
    it.work.release(claim, waiting=True)
    it.work.supply(run_id, 2, b"pack")
    assert it.work.reap(run_id, attempts=1) == []
    assert it.work.claim(run_id, 1, worker="w", task="t") is None
    assert it.work.claim(run_id, 4, worker="w", task="t") is None
    with it.work.finalizing(run_id) as held:
        assert not held
    assert it.everything(run_id) == before
    assert it.quarantined() == {}
    assert it.known_facts() == {digest(1)}


def test_a_failure_is_stored_once(it: WorkFixture) -> None:
    run_id = it.plan(batch(1), batch(1))
    it.work.complete(it.claim(run_id, 1), [], [failure(1)])
    it.work.complete(it.claim(run_id, 2), [], [failure(1, moved=True), failure(1, moved=True)])
    assert it.work.failures(run_id) == [failure(1)]


def test_failures_hold_any_text(it: WorkFixture) -> None:
    odd = [Failure(digest(text), text, text) for text in (*ODD_NAMES, ODD_TEXT, "", '"quoted"')]
    odd[0] = msgspec.structs.replace(odd[0], poison=True)
    run_id = it.plan(batch(1))
    it.work.complete(it.claim(run_id), [], odd)
    assert it.work.failures(run_id) == sorted(odd, key=lambda each: (each.path, each.key))
    assert list(it.quarantined().values()) == [odd[0].reason]


def test_a_run_that_ends_waits_for_a_completion_under_way(it: WorkFixture, postgres_url: str) -> None:
    # So after it ended nothing comes any more.
    run_id = it.plan(batch(1))
    claim = it.claim(run_id)
    with psycopg.connect(postgres_url) as blocker:
        blocker.execute("LOCK TABLE weft.facts IN EXCLUSIVE MODE")
        with ThreadPoolExecutor(2) as threads:
            completing = threads.submit(it.work.complete, claim, [facts(1)], [])
            wait_until(lambda: blocked(it.database) == 1)
            ending = threads.submit(it.end, run_id)
            wait_until(lambda: blocked(it.database) == 2)
            blocker.rollback()
            assert completing.result(10).accepted
            ending.result(10)


def test_a_completion_that_comes_while_a_run_ends_is_refused(it: WorkFixture, postgres_url: str) -> None:
    run_id = it.plan(batch(1))
    claim = it.claim(run_id)
    with psycopg.connect(postgres_url) as ending, ThreadPoolExecutor(1) as threads:
        ending.execute("UPDATE weft.run SET state = 'cancelled' WHERE id = %s", [run_id])
        completing = threads.submit(it.work.complete, claim, [facts(1)], [failure(2, poison=True)])
        wait_until(lambda: blocked(it.database) == 1)
        ending.commit()
        assert not completing.result(10).accepted
    assert it.known_facts() == {digest(1)}
    assert it.work.failures(run_id) == []


def test_workers_that_store_the_same_facts_in_any_order_never_deadlock(it: WorkFixture) -> None:
    run_id = it.plan(*(batch(number) for number in range(8)))
    claims = [it.claim(run_id, number) for number in range(1, 9)]
    put = [facts(number, size=200) for number in range(400)]
    poison = [failure(number, poison=True) for number in range(100)]

    def complete(claim: Claim) -> bool:
        turned = claim.number * 37
        order = -1 if claim.number % 2 else 1
        outcome = it.work.complete(
            claim, (put[turned:] + put[:turned])[::order], (poison[turned % 100 :] + poison[: turned % 100])[::order]
        )
        return outcome.accepted

    assert together(complete, claims) == [True] * 8
    assert len(it.known_facts()) == 400
    assert len(it.work.failures(run_id)) == len(it.quarantined()) == 100


@pytest.mark.parametrize("table", ["facts", "failure", "quarantine"])
def test_those_who_store_the_same_keys_wait_in_turn(it: WorkFixture, postgres_url: str, table: str) -> None:
    first = it.plan(batch(1), batch(2))
    second = first if table == "failure" else it.plan(batch(1), batch(2))
    claims = [it.claim(first, 1), it.claim(second, 2)]
    seeds = sorted(range(3), key=lambda seed: key_in(table, seed))

    def complete(claim: Claim) -> bool:
        order = seeds if claim.number == 1 else seeds[::-1]
        put = [facts(seed) for seed in order if table == "facts"]
        failed = [failure(seed, poison=table == "quarantine") for seed in order if table != "facts"]
        return it.work.complete(claim, put, failed).accepted

    with psycopg.connect(postgres_url) as blocker, ThreadPoolExecutor(2) as threads:
        # In the order in which they are given, each would take one key and then wait for the other's.
        blocker.execute(*inserting(table, first, key_in(table, seeds[1])))
        completing = [threads.submit(complete, claim) for claim in claims]
        wait_until(lambda: blocked(it.database) == 2)
        blocker.rollback()
        assert [each.result(20) for each in completing] == [True, True]


def test_of_two_that_complete_one_batch_only_the_later_claim_counts(it: WorkFixture) -> None:
    run_id = it.plan(*(batch(number) for number in range(10)))
    for number in range(1, 11):
        void = it.claim(run_id, number, task="same")
        claim = it.claim(run_id, number, task="same")
        outcomes = together(lambda each: it.work.complete(each, [facts(1)], [failure(each.attempt)]), [void, claim])
        assert [outcome.accepted for outcome in outcomes] == [False, True]
    assert it.work.failures(run_id) == [failure(2)]


def test_the_last_of_those_that_complete_at_once_sees_that_nothing_is_open(it: WorkFixture) -> None:
    for _ in range(10):
        run_id = it.plan(*(batch(number) for number in range(4)))
        claims = [it.claim(run_id, number) for number in range(1, 5)]
        outcomes = together(lambda claim: it.work.complete(claim, [], []), claims)
        assert all(outcome.accepted for outcome in outcomes)
        assert min(outcome.open_batches for outcome in outcomes) == 0


# Healing ---------------------------------------------------------------------------------------------


def test_reaping_requeues_lost_leases_and_touches_nothing_else(it: WorkFixture) -> None:
    run_id = it.plan(*(batch(number, "x") for number in range(6)))
    for number in (2, 4, 5):
        it.claim(run_id, number)
    it.work.release(it.claim(run_id, 6), waiting=True)
    it.expire(run_id, 2)
    it.expire(run_id, 5)
    assert it.work.reap(run_id, attempts=2) == [2, 5]
    assert it.work.reap(run_id, attempts=2) == []
    assert [it.state(run_id, number) for number in range(1, 7)] == [
        "queued", "queued", "queued", "running", "queued", "waiting",
    ]  # fmt: skip


def test_batches_of_a_worker_that_fell_silent_are_lost_before_their_lease(
    it: WorkFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("weft_storage.backends.postgres.work.SILENT_SECONDS", 1.0)
    run_id = it.plan(*(batch(number, "x") for number in range(3)))
    for number, worker in enumerate(("dead", "alive", "unknown"), 1):
        it.claim(run_id, number, worker=worker)
    for name in ("dead", "alive"):
        it.work.report_worker(WorkerRecord(name, "f", ("weft",), 1, "1"))
    time.sleep(1.2)
    it.work.report_worker(WorkerRecord("alive", "f", ("weft",), 1, "1"))
    assert it.work.reap(run_id, attempts=2) == [1]
    # A batch that was claimed just now is not held against who will report in a moment.
    it.claim(run_id, 1, worker="dead")
    assert it.work.reap(run_id, attempts=9) == []


def test_a_long_queue_is_healthy(it: WorkFixture) -> None:
    run_id = it.plan(*(batch(number) for number in range(20)))
    it.database.query("UPDATE weft.batch SET changed = clock_timestamp() - interval '1 day'")
    before = it.everything(run_id)
    assert it.work.reap(run_id, attempts=1) == []
    assert it.everything(run_id) == before


def test_a_batch_that_was_lost_too_often_is_split_in_halves(it: WorkFixture) -> None:
    jobs = batch(1, 2, 3, 4, 5).jobs
    run_id = it.plan(NewBatch(jobs, pack(*jobs)), batch(6))
    lose(it, run_id, 1)
    assert it.work.reap(run_id, attempts=2) == [1]
    lose(it, run_id, 1)
    assert it.work.reap(run_id, attempts=2) == [3, 4]
    assert it.state(run_id, 1) is BatchState.SPLIT
    assert it.work.open_batches(run_id) == [2, 3, 4]
    halves = [it.claim(run_id, number) for number in (3, 4)]
    assert [half.jobs for half in halves] == [jobs[:2], jobs[2:]]
    assert [unpacked(half) for half in halves] == [
        {each.key: each.path.encode() for each in half.jobs} for half in halves
    ]
    assert all(half.attempt == 1 for half in halves)


def test_a_damaged_pack_is_not_split(it: WorkFixture) -> None:
    jobs = batch(1, 2).jobs
    bomb = zlib.compress(b"\0" * 10_000_000)
    run_id = it.plan(*(NewBatch(jobs, damaged) for damaged in (b"damaged", bomb, b"", pack(*jobs)[:-3])))
    for number in range(1, 5):
        lose(it, run_id, number)
    assert it.work.reap(run_id, attempts=1) == list(range(5, 13))
    assert [it.claim(run_id, number).pack for number in range(5, 13)] == [None] * 8


def test_a_single_job_that_was_lost_too_often_is_poison(it: WorkFixture) -> None:
    run_id = it.plan(batch(1), NewBatch(()))
    late = lose(it, run_id, 1)
    it.work.reap(run_id, attempts=2)
    late = lose(it, run_id, 1)
    lose(it, run_id, 2)
    assert it.work.reap(run_id, attempts=2) == [2]
    lose(it, run_id, 2)
    assert it.work.reap(run_id, attempts=2) == []
    assert it.state(run_id, 1) is it.state(run_id, 2) is BatchState.DONE
    assert it.work.failures(run_id) == [Failure(digest(1), "1.py", LOST, poison=True)]
    assert it.quarantined() == {quarantine_name(digest(1), TERMS.limits): LOST}
    # What was decided holds, also when the one that was lost comes back.
    assert not it.work.complete(late, [facts(1)], []).accepted
    assert not it.work.renew(late)


def test_the_poison_of_a_batch_is_found_by_halving(it: WorkFixture) -> None:
    run_id = it.plan(batch(*range(13)))
    deaths = 0
    for _ in range(100):
        numbers = it.work.open_batches(run_id)
        for number in numbers:
            claim = it.claim(run_id, number, task=f"{number} {deaths}")
            if digest(7) in {each.key for each in claim.jobs}:
                deaths += 1
                it.expire(run_id, number)
            else:
                it.work.complete(claim, [facts(each.key) for each in claim.jobs], [])
        it.work.reap(run_id, attempts=2)
        if not numbers:
            break
    assert [each.path for each in it.work.failures(run_id)] == ["7.py"]
    assert deaths <= 10
    progress = it.work.progress(run_id)
    assert (progress.files, progress.files_done, progress.open_batches) == (13, 13, 0)


def test_waiting_for_contents_costs_no_attempt(it: WorkFixture) -> None:
    run_id = it.plan(batch(1, 2))
    attempts = []
    for _ in range(3):
        claim = it.claim(run_id)
        attempts.append(claim.attempt)
        it.work.release(claim, waiting=True)
        it.work.supply(run_id, 1, b"pack")
    lose(it, run_id, 1)
    assert it.work.reap(run_id, attempts=2) == [1]
    # Yet no claim is mistaken for another.
    assert attempts == [1, 2, 3]


def test_a_batch_that_is_given_back_again_and_again_is_tried_in_vain(it: WorkFixture) -> None:
    run_id = it.plan(batch(1, 2))
    it.work.release(it.claim(run_id))
    assert it.state(run_id, 1) is BatchState.QUEUED
    lose(it, run_id, 1)
    assert it.work.reap(run_id, attempts=2) == [2, 3]


def test_a_waiting_batch_is_supplied_with_contents(it: WorkFixture) -> None:
    run_id = it.plan(batch(1, 2), batch(3), batch(4))
    for number in (1, 3):
        it.work.release(it.claim(run_id, number), waiting=True)
    waiting = it.work.waiting(run_id)
    assert list(waiting) == [1, 3]
    assert waiting[1].jobs == batch(1, 2).jobs
    assert waiting[1].terms == TERMS
    assert not it.work.renew(waiting[1])
    assert not it.work.complete(waiting[1], [], []).accepted
    it.work.supply(run_id, 1, b"first")
    it.work.supply(run_id, 1, b"again")
    it.work.supply(run_id, 2, b"not asked for")
    it.work.supply(run_id, 99, b"not there")
    assert list(it.work.waiting(run_id)) == [3]
    assert it.claim(run_id, 1).pack == b"first"
    assert it.claim(run_id, 2).pack is None
    it.work.release(it.claim(run_id, 1), waiting=True)
    it.work.supply(run_id, 1, b"second")
    assert it.claim(run_id, 1).pack == b"second"


def test_any_number_of_reapers_heal_each_batch_once(it: WorkFixture) -> None:
    run_id = it.plan(*(batch(number, "x") for number in range(40)))
    for number in range(1, 41):
        it.claim(run_id, number)
        if number <= 20:
            lose(it, run_id, number)
        it.expire(run_id, number)
    found = together(lambda _: it.work.reap(run_id, attempts=2), range(8))
    numbers = sorted(number for numbers in found for number in numbers)
    assert numbers == list(range(21, 81))
    assert it.work.open_batches(run_id) == numbers


@pytest.mark.parametrize("attempts", [1, 2])
def test_reaping_beside_completing_loses_nothing_and_counts_nothing_twice(it: WorkFixture, attempts: int) -> None:
    run_id = it.plan(*(batch(number, "x") for number in range(30)))
    claims = [lose(it, run_id, number) for number in range(1, 31)]
    accepted: dict[int, bool] = {}

    def act(some: list[Claim]) -> None:
        for claim in some:
            outcome = it.work.complete(claim, [facts(each.key) for each in claim.jobs], [])
            accepted[claim.number] = outcome.accepted
        if not some:
            for _ in range(5):
                it.work.reap(run_id, attempts=attempts)

    together(act, [claims[:15], claims[15:], []])
    split = [number for number, counted in accepted.items() if not counted]
    assert not split or attempts == 1
    for claim in claims:
        assert it.state(run_id, claim.number) == ("split" if claim.number in split else "done")
    assert len(it.work.open_batches(run_id)) == 2 * len(split)


def test_times_are_the_databases(it: WorkFixture) -> None:
    # A worker whose clock is a day fast or slow claims for as long as any other.
    script = """
        import sys, time
        now = time.time() + float(sys.argv[3])
        time.time = lambda: now
        from weft_storage.backends.postgres.database import PostgresDatabase
        from weft_storage.backends.postgres.work import PostgresWork
        work = PostgresWork(PostgresDatabase(sys.argv[1]))
        claim = work.claim(int(sys.argv[2]), 1, worker="w", task=sys.argv[3])
        print(claim is not None and work.renew(claim))
    """
    run_id = it.plan(batch(1))
    for skew in ("86400", "-86400"):
        with python(script, it.database.url, str(run_id), skew) as child:
            assert child.communicate(timeout=30)[0] == "True\n"
        assert 50 < it.lease(run_id) <= 60
        it.expire(run_id, 1)


# Progress --------------------------------------------------------------------------------------------


def test_progress_counts_batches_files_and_bytes(it: WorkFixture) -> None:
    run_id = it.plan(batch(1, 2), batch(3), batch(4, 5, 6), batch(7, 8), batch(9))
    it.work.complete(it.claim(run_id, 1, worker="b"), [facts(1)], [failure(2)])
    it.claim(run_id, 2, worker="a")
    it.claim(run_id, 2, worker="c\udcff")
    lose(it, run_id, 3)
    it.work.reap(run_id, attempts=1)
    it.work.release(it.claim(run_id, 4, worker="b"), waiting=True)
    found = it.work.progress(run_id)
    assert (found.batches, found.open_batches, found.running, found.waiting) == (6, 5, 1, 1)
    assert (found.files, found.files_done, found.size, found.size_done) == (9, 2, 900, 200)
    assert (found.retried, found.failures, found.workers) == (1, 1, ("a", "b", "c\udcff", "w"))
    assert 0 <= found.idle < 10


def test_idle_is_the_time_since_anything_moved(it: WorkFixture) -> None:
    run_id = it.plan(batch(1), batch(2))
    ago = "clock_timestamp() - interval '100 s'"
    it.database.query(f"UPDATE weft.batch SET changed = {ago}")
    it.database.query(f"UPDATE weft.work SET planned = {ago}")
    assert 99 < it.work.progress(run_id).idle < 110
    claim = it.claim(run_id)
    assert it.work.progress(run_id).idle < 10
    it.database.query(f"UPDATE weft.batch SET changed = {ago}")
    it.work.renew(claim)
    assert it.work.progress(run_id).idle < 10


def test_the_view_shows_the_work_of_runs(it: WorkFixture) -> None:
    run_id = it.plan(batch(1), batch(2, 3), batch(4))
    empty, ended = it.plan(), it.plan(batch(5))
    it.end(ended)
    it.work.complete(it.claim(run_id, 1), [], [])
    it.claim(run_id, 2)
    columns = "run, state, queued, running, waiting, done, split, open_batches, files, files_done, bytes, bytes_done"
    rows = it.database.query(f"SELECT {columns} FROM weft.weft_work ORDER BY run")
    assert [tuple(map(str, row)) for row in rows] == [
        tuple(map(str, row))
        for row in [
            (run_id, "running", 1, 1, 0, 1, 0, 2, 4, 1, 400, 100),
            (empty, "running", 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
            (ended, "cancelled", 1, 0, 0, 0, 0, 1, 1, 0, 100, 0),
        ]
    ]
    [(comment,)] = it.database.query("SELECT obj_description('weft.weft_work'::regclass)")
    [query] = re.findall(r"ask for the work that is open: (SELECT [^;]*?)\. ", comment)
    assert it.database.query(query) == [(2,)]


# Finalizing ------------------------------------------------------------------------------------------


def test_a_run_is_held_by_one_at_a_time(it: WorkFixture) -> None:
    run_id, other = it.plan(), it.plan()
    with it.work.finalizing(run_id) as held:
        assert held
        with it.work.finalizing(run_id) as again:
            assert not again
        with it.work.finalizing(other) as another:
            assert another
    with it.work.finalizing(run_id) as held:
        assert held


def test_a_run_with_open_batches_is_not_finalized(it: WorkFixture) -> None:
    run_id = it.plan(batch(1), batch(2))
    for number in (1, 2):
        with it.work.finalizing(run_id) as held:
            assert not held
        claim = it.claim(run_id, number)
        with it.work.finalizing(run_id) as held:
            assert not held
        it.work.release(claim, waiting=True)
        with it.work.finalizing(run_id) as held:
            assert not held
        it.work.supply(run_id, number, b"")
        it.work.complete(it.claim(run_id, number), [], [])
    with it.work.finalizing(run_id) as held:
        assert held


def test_whoever_came_too_early_holds_nothing(it: WorkFixture) -> None:
    run_id = it.plan(batch(1))
    with it.work.finalizing(run_id) as early:
        assert not early
        it.work.complete(it.claim(run_id), [], [])
        with it.work.finalizing(run_id) as held:
            assert held


def test_whoever_comes_too_early_does_not_even_try(it: WorkFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    # Who comes in time must not find the run held by one who only had a look.
    run_id = it.plan(batch(1))
    monkeypatch.setattr(it.database, "hold", None)
    with it.work.finalizing(run_id) as early:
        assert not early


def test_a_run_that_was_published_just_before_it_was_held_is_over(
    it: WorkFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = it.plan()
    hold = it.database.hold

    def hold_late(*names: str, timeout: float) -> AbstractContextManager[bool]:
        it.end(run_id, RunState.PUBLISHED)
        return hold(*names, timeout=timeout)

    monkeypatch.setattr(it.database, "hold", hold_late)
    with it.work.finalizing(run_id) as held:
        assert not held
        sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in %'"
        assert it.database.query(sql) == [(0,)]


def test_a_run_is_let_go_when_finalizing_fails(it: WorkFixture) -> None:
    run_id = it.plan()
    with pytest.raises(KeyError), it.work.finalizing(run_id):
        raise KeyError
    with it.work.finalizing(run_id) as held:
        assert held


def test_one_of_many_finalizes(it: WorkFixture) -> None:
    run_id = it.plan()

    def finalize(_: int) -> bool:
        with it.work.finalizing(run_id) as held:
            if held:
                it.end(run_id, RunState.PUBLISHED)
                time.sleep(0.1)
            return held

    assert sum(together(finalize, range(8))) == 1


def test_a_run_that_ended_meanwhile_ends_well_in_the_body(it: WorkFixture) -> None:
    run_id = it.plan(batch(1))
    it.work.complete(it.claim(run_id), [], [])
    with it.work.finalizing(run_id) as held:
        assert held
        it.end(run_id, RunState.PUBLISHED)
    with it.work.finalizing(run_id) as held:
        assert not held


def test_a_killed_process_lets_go_of_the_run(it: WorkFixture) -> None:
    script = """
        import sys, time
        from weft_storage.backends.postgres.database import PostgresDatabase
        from weft_storage.backends.postgres.work import PostgresWork
        with PostgresWork(PostgresDatabase(sys.argv[1])).finalizing(int(sys.argv[2])) as held:
            print(held, flush=True)
            time.sleep(60)
    """
    run_id = it.plan()
    with python(script, it.database.url, str(run_id)) as child:
        assert child.stdout
        assert child.stdout.readline() == "True\n"
        with it.work.finalizing(run_id) as held:
            assert not held
        child.kill()
        assert child.wait(10) == -signal.SIGKILL
        wait_until(lambda: can_finalize(it.work, run_id))


def test_holding_a_run_keeps_no_old_row_alive(it: WorkFixture) -> None:
    # A transaction that is open for minutes must have no snapshot, or nothing is vacuumed meanwhile.
    run_id = it.plan()
    with it.work.finalizing(run_id) as held:
        assert held
        sql = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND {}"
        assert it.database.query(sql.format("datname = current_database()")) == [(1,)]
        taken = sql.format("datname = current_database() AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)")
        assert it.database.query(taken) == [(0,)]


# Workers and care ------------------------------------------------------------------------------------


def test_workers_report_themselves(it: WorkFixture) -> None:
    assert it.work.workers(within=60) == []
    second = WorkerRecord("b:1", "f", ("q", "q\udcff"), 2, "1.0", ("git:p", f"mount:{ODD_TEXT}"))
    first = WorkerRecord("a:1", "f", (), 1, "1.0")
    for worker in (second, first, second, msgspec.structs.replace(first, slots=4)):
        it.work.report_worker(worker)
    found = it.work.workers(within=60)
    assert [msgspec.structs.replace(each, age=0.0) for each in found] == [
        msgspec.structs.replace(first, slots=4),
        second,
    ]
    assert all(0 <= each.age < 10 for each in found)
    it.database.query("UPDATE weft.worker SET seen = seen - interval '100 s' WHERE name = 'a:1'")
    assert [each.name for each in it.work.workers(within=60)] == ["b:1"]
    assert [round(each.age, -1) for each in it.work.workers(within=float("inf"))] == [100, 0]


def test_ended_work_is_forgotten(it: WorkFixture) -> None:
    runs = [it.plan(NewBatch(batch(number, "x").jobs, b"pack"), batch(9)) for number in range(3)]
    for run_id in runs:
        it.work.complete(it.claim(run_id), [], [failure(1)])
    it.end(runs[0])
    it.end(runs[1], RunState.PUBLISHED)
    kept = it.everything(runs[2])
    assert it.work.forget_ended() == 2
    assert it.work.forget_ended() == 0
    for run_id in runs[:2]:
        assert it.everything(run_id) == [[]] * 6
    assert it.everything(runs[2]) == kept


def test_silent_workers_are_forgotten_after_a_day(it: WorkFixture) -> None:
    for name in "ab":
        it.work.report_worker(WorkerRecord(name, "f", (), 1, "1"))
    it.database.query("UPDATE weft.worker SET seen = seen - interval '25 hours' WHERE name = 'a'")
    it.work.forget_ended()
    assert [each.name for each in it.work.workers(within=1e9)] == ["b"]


def test_any_number_of_processes_forget_at_the_same_time(it: WorkFixture) -> None:
    runs = [it.plan(*(batch(number) for number in range(20))) for _ in range(10)]
    for run_id in runs:
        it.end(run_id)
    assert sum(together(lambda _: it.work.forget_ended(), range(6))) == 10


# Rows of anybody -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [b"", b"\0", b"\1", b"\0" + zlib.compress(b"\xc1"), b"\1" + zlib.compress(b"{}"), b"\2" + zlib.compress(b"\x90")],
)
def test_damaged_jobs_are_refused(it: WorkFixture, payload: bytes) -> None:
    run_id = it.plan(batch(1))
    it.database.query("UPDATE weft.batch_jobs SET jobs = $1", payload)
    with pytest.raises(StoreUnavailable, match="is damaged"):
        it.work.claim(run_id, 1, worker="w", task="t")
    assert it.state(run_id, 1) is BatchState.QUEUED


def test_jobs_that_unpack_to_too_much_are_refused_without_unpacking_them() -> None:
    bomb = b"\0" + zlib.compress(b"\0" * (200 << 20), 9)
    with pytest.raises(ValueError, match="does not end where it should"):
        decode_jobs(bomb)
    assert decode_jobs(encode_jobs([])) == ()


# Helpers ---------------------------------------------------------------------------------------------


def lose(it: WorkFixture, run_id: int, number: int) -> Claim:
    """Claim a batch and let its lease run out."""
    claim = it.claim(run_id, number)
    it.expire(run_id, number)
    return claim


def key_in(table: str, seed: object) -> bytes:
    """The key under which a table has what there is to say of a job."""
    return quarantine_name(digest(seed), TERMS.limits) if table == "quarantine" else digest(seed)


def inserting(table: str, run_id: int, key: bytes) -> tuple[LiteralString, list[object]]:
    """A statement that takes a key of a table."""
    statements: dict[str, tuple[LiteralString, list[object]]] = {
        "facts": ("INSERT INTO weft.facts VALUES (%s, '[]', '', '', '')", [key]),
        "failure": ("INSERT INTO weft.failure VALUES (%s, %s, '', '', false, false)", [run_id, key]),
        "quarantine": ("INSERT INTO weft.quarantine VALUES (%s, '')", [key]),
    }
    return statements[table]


def unpacked(claim: Claim) -> object:
    assert claim.pack is not None
    return msgspec.msgpack.decode(zlib.decompress(claim.pack), type=dict[bytes, bytes])


def can_finalize(work: PostgresWork, run_id: int) -> bool:
    with work.finalizing(run_id) as held:
        return held


def together(call: Callable[[A], B], arguments: Iterable[A]) -> list[B]:
    """The answers to calls that are made at the same time, one for each argument."""
    given = list(arguments)
    start = threading.Barrier(len(given))

    def begin(argument: A) -> B:
        start.wait(30)
        return call(argument)

    with ThreadPoolExecutor(len(given)) as threads:
        return list(threads.map(begin, given, timeout=60))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def blocked(database: PostgresDatabase) -> int:
    """How many sessions of the database wait for a lock."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    [(count,)] = database.query(sql)
    return int(count)


def python(script: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
