"""Jobs, batches and failures for tests of the work of runs, and a database that they are in."""

import zlib

import msgspec

from store_samples import digest
from weft_storage.backends import codec
from weft_storage.backends.postgres.database import PostgresDatabase
from weft_storage.backends.postgres.work import PostgresWork
from weft_storage.model.files import Content
from weft_storage.model.languages import Language
from weft_storage.model.runs import Run, RunState
from weft_storage.model.work import BatchState, Claim, Failure, Job, Limits, NewBatch, Terms

TERMS = Terms("p", "f", "q", Limits(), 60.0)


def job(seed: object, path: str = "") -> Job:
    return Job(digest(seed), path or f"{seed}.py", Language.PYTHON, Content(digest((seed, "c")), 100), "ab" * 20)


def batch(*seeds: object) -> NewBatch:
    return NewBatch(tuple(map(job, seeds)))


def pack(*jobs: Job) -> bytes:
    return zlib.compress(msgspec.msgpack.encode({each.key: each.path.encode() for each in jobs}))


def failure(seed: object, *, poison: bool = False, moved: bool = False) -> Failure:
    return Failure(digest(seed), f"{seed}.py", f"reason {seed}", poison, moved)


class WorkFixture:
    """Work in a database, and what only a store or the passing of time would do to it."""

    def __init__(self, database: PostgresDatabase) -> None:
        self.database = database
        self.work = PostgresWork(database)

    def begin(self, project: str = "p") -> int:
        run = Run(project=project)
        sql = """
            WITH new AS (INSERT INTO weft.project (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING id)
            INSERT INTO weft.run (project, state, summary, body)
            SELECT id, 'running', '{}', $2 FROM (TABLE new UNION SELECT id FROM weft.project WHERE name = $1) AS known
            RETURNING id
        """
        [(run_id,)] = self.database.query(sql, codec.encode_name(project), codec.encode_run(run))
        return int(run_id)

    def plan(self, *batches: NewBatch, prepared: bytes = b"", terms: Terms = TERMS, project: str = "p") -> int:
        run_id = self.begin(project)
        self.work.plan(run_id, prepared, terms, batches)
        return run_id

    def end(self, run_id: int, state: RunState = RunState.CANCELLED) -> None:
        self.database.query("UPDATE weft.run SET state = $2 WHERE id = $1", run_id, state.value)

    def expire(self, run_id: int, number: int) -> None:
        sql = "UPDATE weft.batch SET lease_until = clock_timestamp() - interval '1 s' WHERE run = $1 AND number = $2"
        self.database.query(sql, run_id, number)

    def claim(self, run_id: int, number: int = 1, *, worker: str = "w", task: str = "t") -> Claim:
        claim = self.work.claim(run_id, number, worker=worker, task=task)
        assert claim is not None
        return claim

    def state(self, run_id: int, number: int) -> BatchState:
        [(state,)] = self.database.query("SELECT state FROM weft.batch WHERE run = $1 AND number = $2", run_id, number)
        return BatchState(state)

    def lease(self, run_id: int, number: int = 1) -> float:
        """Seconds that are left of the lease of a batch."""
        sql = """
            SELECT extract(epoch FROM lease_until - clock_timestamp())::double precision
            FROM weft.batch WHERE run = $1 AND number = $2
        """
        [(seconds,)] = self.database.query(sql, run_id, number)
        return float(seconds)

    def known_facts(self) -> set[bytes]:
        return {key for (key,) in self.database.query("SELECT key FROM weft.facts")}

    def quarantined(self) -> dict[bytes, str]:
        return {key: codec.decode_name(reason) for key, reason in self.database.query("TABLE weft.quarantine")}

    def everything(self, run_id: int) -> object:
        """All that is recorded of the work of a run."""
        tables = ("work", "batch", "batch_jobs", "pack", "failure", "batch_worker")
        return [
            sorted(map(repr, self.database.query(f"SELECT * FROM weft.{table} WHERE run = $1", run_id)))
            for table in tables
        ]
