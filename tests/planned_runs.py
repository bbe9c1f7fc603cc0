"""Runs that were planned and wait for workers, without an orchestrator: what it would have written, for tests."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from msgspec.structs import replace

from weft_storage.backends import Store, WorkStore, work_of
from weft_storage.model.languages import Language
from weft_storage.model.runs import Run, RunState
from weft_storage.model.settings import Settings
from weft_storage.model.states import Names
from weft_storage.model.work import Job, Limits, NewBatch, Prepared, Source, Terms, encode_prepared
from weft_tasks.contents.digest import identify_bytes
from weft_tasks.extract.encoding import facts_key
from weft_tasks.jobs import fingerprint

PROJECT = "shop"


@dataclass
class PlannedRun:
    """A run under way. `labelled` are the numbers and labels of its batches, in the order of `batches`."""

    store: Store
    run: Run
    terms: Terms
    jobs: tuple[Job, ...]
    labelled: list[tuple[int, str]]

    @property
    def work(self) -> WorkStore:
        return work_of(self.store)

    @property
    def numbers(self) -> list[int]:
        return [number for number, _ in self.labelled]

    def known(self) -> set[str]:
        """The paths whose facts are stored."""
        keys = self.store.known_facts([job.key for job in self.jobs])
        return {job.path for job in self.jobs if job.key in keys}

    def failed(self) -> dict[str, str]:
        """Why paths have no facts."""
        return {failure.path: failure.reason for failure in self.work.failures(self.run.id)}

    def state(self) -> RunState:
        """Where the run is."""
        run = self.work.run(self.run.id)
        assert run is not None
        return run.state

    def wait_until_done(self, timeout: float = 60.0) -> None:
        """Wait until no batch is open."""
        self._wait(lambda: not self.work.open_batches(self.run.id), timeout)

    def wait_until_over(self, timeout: float = 60.0) -> None:
        """Wait until the run is not RUNNING any more."""
        self._wait(lambda: self.state() is not RunState.RUNNING, timeout)

    def wait_for(self, *, running: int, timeout: float = 30.0) -> None:
        """Wait until so many batches are claimed."""
        self._wait(lambda: self.work.progress(self.run.id).running == running, timeout)

    def _wait(self, is_true: Callable[[], bool], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not is_true():
            assert time.monotonic() < deadline, self.work.progress(self.run.id)
            time.sleep(0.05)


@contextmanager
def planned_run(
    store: Store,
    batches: Sequence[Mapping[str, bytes]],
    *,
    project: str = PROJECT,
    with_oids: bool = False,
    packs: Sequence[bytes | None] = (),
    limits: Limits | None = None,
    lease: float = 60.0,
) -> Iterator[PlannedRun]:
    """A run whose jobs are Python files, in these batches; the project is locked meanwhile, as while it is scanned."""
    terms = Terms(project, fingerprint(), "weft", limits or Limits(), lease)
    filled = [tuple(job_of(path, source, with_oid=with_oids) for path, source in batch.items()) for batch in batches]
    jobs = tuple(job for batch in filled for job in batch)
    with store.lock(project, timeout=5):
        run = store.begin(Run(project=project, started=time.time()))
        new = [NewBatch(batch, packs[number] if number < len(packs) else None) for number, batch in enumerate(filled)]
        numbers = work_of(store).plan(run.id, encode_prepared(_prepared(run, jobs)), terms, new)
        labelled = [
            (number, f"run {run.id}, batch {number}: {len(batch)} files")
            for number, batch in zip(numbers, filled, strict=True)
        ]
        planned = PlannedRun(store, run, terms, jobs, labelled)
        try:
            yield planned
        finally:
            if planned.state() is RunState.RUNNING:
                store.finish(replace(run, state=RunState.CANCELLED, finished=time.time()))


def job_of(path: str, source: bytes, *, with_oid: bool = False) -> Job:
    """The job to extract a Python file."""
    content, oid = identify_bytes([source], len(source), "sha1" if with_oid else None)
    return Job(facts_key(content.digest, Language.PYTHON), path, Language.PYTHON, content, oid)


def _prepared(run: Run, jobs: Sequence[Job]) -> Prepared:
    return Prepared(
        run=run,
        full=False,
        epoch="",
        settings=Settings(),
        base=0,
        names=Names(tuple(sorted(job.path for job in jobs)), {}),
        gone=(),
        restated=(),
        settled=(),
        sources=tuple(Source(job.path, job.language, job.content, job.oid, job.key) for job in jobs),
        fresh=frozenset(job.key for job in jobs),
        planned=time.time(),
    )
