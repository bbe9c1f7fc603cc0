"""Any sequence of claims, losses, outcomes and repetitions: the work in Postgres is what plain dictionaries say."""

from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from store_samples import digest, facts
from weft_storage.backends.postgres.database import PostgresDatabase, migrate
from weft_storage.model.errors import StoreUnavailable
from weft_storage.model.quarantine import quarantine_name
from weft_storage.model.runs import RunState
from weft_storage.model.work import Claim, Failure, Job, NewBatch
from work_samples import TERMS, WorkFixture, job

TASKS = ("one", "two", "three")
ATTEMPTS = 2


@dataclass
class Batch:
    """A batch as a person would write it down."""

    jobs: tuple[Job, ...]
    state: str = "queued"
    attempt: int = 0
    tries: int = 0
    task: str | None = None
    expired: bool = False
    pack: bytes | None = None

    @property
    def is_open(self) -> bool:
        return self.state in ("queued", "running", "waiting")


@dataclass
class Model:
    """The work of one run, and what it leaves behind."""

    running: bool = True
    prepared: bytes | None = None
    batches: dict[int, Batch] = field(default_factory=dict)
    failures: dict[bytes, Failure] = field(default_factory=dict)
    workers: set[str] = field(default_factory=set)

    def add(self, jobs: tuple[Job, ...], pack: bytes | None = None) -> int:
        number = len(self.batches) + 1
        self.batches[number] = Batch(jobs, pack=pack)
        return number

    def open_batches(self) -> list[int]:
        return [number for number, batch in self.batches.items() if batch.is_open]

    def can_claim(self, number: int, task: str) -> bool:
        batch = self.batches.get(number)
        if not self.running or batch is None:
            return False
        return batch.state == "queued" or (batch.state == "running" and (batch.expired or batch.task == task))

    def holder(self, claim: Claim) -> Batch | None:
        """The batch of a claim that is not void."""
        batch = self.batches[claim.number]
        held = batch.attempt == claim.attempt and batch.task is not None and batch.state in ("queued", "running")
        return batch if self.running and held else None

    def reap(self, limit: int) -> list[int]:
        again = []
        lost = [(number, batch) for number, batch in self.batches.items() if batch.state == "running" and batch.expired]
        for number, batch in lost if self.running else ():
            if batch.tries < limit:
                batch.state = "queued"
                again.append(number)
                continue
            batch.task = None
            batch.state = "split" if len(batch.jobs) > 1 else "done"
            middle = len(batch.jobs) // 2
            if batch.state == "split":
                again += [self.add(batch.jobs[:middle]), self.add(batch.jobs[middle:])]
            for each in batch.jobs if batch.state == "done" else ():
                reason = f"its worker was lost {batch.tries} times while it was extracted"
                self.failures.setdefault(each.key, Failure(each.key, each.path, reason, poison=True))
        return sorted(again)


class WorkMachine(RuleBasedStateMachine):
    """The work of two runs beside two models of it."""

    database: PostgresDatabase

    @initialize()
    def start(self) -> None:
        self.it = WorkFixture(self.database)
        self.database.query("TRUNCATE weft.facts, weft.quarantine, weft.project, weft.run CASCADE")
        self.seeds = count()
        self.models: dict[int, Model] = {self.it.begin(): Model() for _ in range(2)}
        self.claims: list[Claim] = []
        self.completed: set[tuple[int, int, int]] = set()
        self.facts: set[bytes] = set()
        self.poison: dict[bytes, str] = {}

    def pick(self, data: st.DataObject) -> tuple[int, Model, int]:
        """A run, and a number that is most often that of a batch."""
        run_id = data.draw(st.sampled_from(sorted(self.models)))
        model = self.models[run_id]
        return run_id, model, data.draw(st.integers(1, len(model.batches) + 1))

    def pick_claim(self, data: st.DataObject) -> Claim | None:
        return data.draw(st.sampled_from(self.claims)) if self.claims else None

    # Planning --------------------------------------------------------------------------------------

    @rule(data=st.data(), sizes=st.lists(st.integers(1, 5), max_size=3))
    def plan(self, data: st.DataObject, sizes: list[int]) -> None:
        run_id, model, _ = self.pick(data)
        batches = [tuple(job(next(self.seeds)) for _ in range(size)) for size in sizes]
        prepared = str(next(self.seeds)).encode()
        if not model.running:
            with pytest.raises(StoreUnavailable):
                self.it.work.plan(run_id, prepared, TERMS, map(NewBatch, batches))
            return
        model.prepared = prepared
        model.failures = {key: each for key, each in model.failures.items() if not each.moved}
        expected = [model.add(jobs) for jobs in batches]
        assert self.it.work.plan(run_id, prepared, TERMS, map(NewBatch, batches)) == expected

    # Carrying out ----------------------------------------------------------------------------------

    @rule(data=st.data(), task=st.sampled_from(TASKS), worker=st.sampled_from("ab"))
    def claim(self, data: st.DataObject, task: str, worker: str) -> None:
        run_id, model, number = self.pick(data)
        found = self.it.work.claim(run_id, number, worker=worker, task=task)
        if not model.can_claim(number, task):
            assert found is None
            return
        batch = model.batches[number]
        batch.state, batch.task, batch.expired = "running", task, False
        batch.attempt += 1
        batch.tries += 1
        model.workers.add(worker)
        assert found == Claim(run_id, number, batch.attempt, TERMS, batch.jobs, batch.pack, batch.tries)
        self.claims.append(found)

    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        if claim := self.pick_claim(data):
            batch = self.models[claim.run_id].holder(claim)
            assert self.it.work.renew(claim) is (batch is not None)
            if batch:
                batch.state, batch.expired = "running", False

    @rule(data=st.data(), sort=st.sampled_from(["facts", "failed", "poison", "moved"]))
    def complete(self, data: st.DataObject, sort: str) -> None:
        claim = self.pick_claim(data)
        if claim is None:
            return
        model = self.models[claim.run_id]
        batch = model.holder(claim)
        identity = (claim.run_id, claim.number, claim.attempt)
        first, *rest = claim.jobs
        failed = Failure(first.key, first.path, sort, sort == "poison", sort == "moved")
        failures = [] if sort == "facts" else [failed]
        done = rest if failures else claim.jobs
        outcome = self.it.work.complete(claim, [facts(each.path) for each in done], failures)
        self.facts |= {digest(each.path) for each in done}
        if batch:
            batch.state = "done"
            self.completed.add(identity)
            for each in failures:
                model.failures.setdefault(each.key, each)
            self.poison |= {quarantine_name(each.key, TERMS.limits): each.reason for each in failures if each.poison}
        assert outcome.accepted is (identity in self.completed)
        assert outcome.open_batches == len(model.open_batches())

    @rule(data=st.data(), waiting=st.booleans())
    def release(self, data: st.DataObject, waiting: bool) -> None:
        if claim := self.pick_claim(data):
            batch = self.models[claim.run_id].holder(claim)
            self.it.work.release(claim, waiting=waiting)
            if batch:
                batch.state, batch.task = "waiting" if waiting else "queued", None
                batch.tries -= waiting

    # What happens ----------------------------------------------------------------------------------

    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        run_id, model, number = self.pick(data)
        self.it.expire(run_id, number)
        if number in model.batches:
            model.batches[number].expired = True

    @rule(data=st.data(), state=st.sampled_from([RunState.CANCELLED, RunState.PUBLISHED]))
    def end(self, data: st.DataObject, state: RunState) -> None:
        run_id, model, _ = self.pick(data)
        if data.draw(st.integers(0, 5)) == 0:
            self.it.end(run_id, state)
            model.running = False

    @rule()
    def forget_ended(self) -> None:
        ended = [run_id for run_id, model in self.models.items() if not model.running]
        planned = [run_id for run_id in ended if self.models[run_id].prepared is not None]
        assert self.it.work.forget_ended() == len(planned)
        for run_id in ended:
            self.claims = [claim for claim in self.claims if claim.run_id != run_id]
            del self.models[run_id]
            self.models[self.it.begin()] = Model()

    # Healing ---------------------------------------------------------------------------------------

    @rule(data=st.data())
    def reap(self, data: st.DataObject) -> None:
        run_id, model, _ = self.pick(data)
        known = set(model.failures)
        expected = model.reap(ATTEMPTS)
        assert self.it.work.reap(run_id, attempts=ATTEMPTS) == expected
        for key in model.failures.keys() - known:
            self.poison[quarantine_name(key, TERMS.limits)] = model.failures[key].reason

    @rule(data=st.data())
    def supply(self, data: st.DataObject) -> None:
        run_id, model, number = self.pick(data)
        pack = str(next(self.seeds)).encode()
        self.it.work.supply(run_id, number, pack)
        batch = model.batches.get(number)
        if model.running and batch and batch.state == "waiting":
            batch.state, batch.pack = "queued", pack

    # What is seen ----------------------------------------------------------------------------------

    @invariant()
    def batches_are_what_the_model_says(self) -> None:
        for run_id, model in self.models.items():
            rows = self.database.query("SELECT number, state, attempt, tries FROM weft.batch WHERE run = $1", run_id)
            assert {number: rest for number, *rest in rows} == {
                number: [batch.state, batch.attempt, batch.tries] for number, batch in model.batches.items()
            }
            waiting = {number: batch.jobs for number, batch in model.batches.items() if batch.state == "waiting"}
            assert {number: claim.jobs for number, claim in self.it.work.waiting(run_id).items()} == waiting
            assert self.it.work.open_batches(run_id) == model.open_batches()
            assert self.it.work.prepared(run_id) == model.prepared

    @invariant()
    def outcomes_are_what_the_model_says(self) -> None:
        for run_id, model in self.models.items():
            assert {each.key: each for each in self.it.work.failures(run_id)} == model.failures
        assert self.it.known_facts() == self.facts
        assert self.it.quarantined() == self.poison

    @invariant()
    def progress_adds_up(self) -> None:
        for run_id, model in self.models.items():
            found = self.it.work.progress(run_id)
            alive = [batch for batch in model.batches.values() if batch.state != "split"]
            done = [batch for batch in alive if batch.state == "done"]
            assert (found.batches, found.open_batches) == (len(alive), len(model.open_batches()))
            assert found.running == sum(batch.state == "running" for batch in alive)
            assert found.waiting == sum(batch.state == "waiting" for batch in alive)
            assert (found.files, found.files_done) == tuple(
                sum(len(batch.jobs) for batch in some) for some in (alive, done)
            )
            assert found.workers == tuple(sorted(model.workers))
            assert found.failures == len(model.failures)

    @invariant()
    def a_run_is_finalized_when_nothing_is_open(self) -> None:
        for run_id, model in self.models.items():
            with self.it.work.finalizing(run_id) as held:
                assert held is (model.running and model.prepared is not None and not model.open_batches())


def test_work_is_what_dictionaries_say(postgres_url: str) -> None:
    database = PostgresDatabase(postgres_url)
    migrate(database)

    class Machine(WorkMachine):
        pass

    Machine.database = database
    try:
        run_state_machine_as_test(Machine, settings=settings(stateful_step_count=60, deadline=None))
    finally:
        database.close()
