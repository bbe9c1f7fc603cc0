-- The work of runs. Times are the database's, read by clock_timestamp(): no other clock decides anything. Names and
-- sentences are as the codec encodes them (JSON strings where they are not plain text). Whatever is large stands in
-- tables of its own, so that counting and claiming touch narrow rows only, and is compressed by whoever writes it.

-- `terms` is JSON. `prepared` is what finalizing the run needs, as the orchestrator encoded it.
CREATE TABLE weft.work (
    run integer PRIMARY KEY REFERENCES weft.run (id) ON DELETE CASCADE,
    terms text NOT NULL,
    lease interval NOT NULL,
    prepared bytea NOT NULL,
    last_batch integer NOT NULL DEFAULT 0,
    planned timestamptz NOT NULL DEFAULT clock_timestamp()
);

ALTER TABLE weft.work ALTER COLUMN prepared SET STORAGE EXTERNAL;

-- `attempt` counts claims and fences: it never goes back. `tries` counts those that were in vain, and the one
-- under way. `task` is the message under which the last claim was made, and empty where that claim holds nothing
-- any more; one whose lease was lost keeps it, and may still come back before another takes the batch.
CREATE TABLE weft.batch (
    run integer NOT NULL REFERENCES weft.work (run) ON DELETE CASCADE,
    number integer NOT NULL,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'waiting', 'done', 'split')),
    attempt integer NOT NULL DEFAULT 0,
    tries integer NOT NULL DEFAULT 0,
    worker text,
    task text,
    lease_until timestamptz,
    changed timestamptz NOT NULL DEFAULT clock_timestamp(),
    files integer NOT NULL,
    size bigint NOT NULL,
    languages text NOT NULL,
    PRIMARY KEY (run, number)
) WITH (fillfactor = 80);

CREATE INDEX batch_open ON weft.batch (run, number) WHERE state IN ('queued', 'running', 'waiting');

CREATE TABLE weft.batch_jobs (
    run integer NOT NULL REFERENCES weft.work (run) ON DELETE CASCADE,
    number integer NOT NULL,
    jobs bytea NOT NULL,
    PRIMARY KEY (run, number)
);

ALTER TABLE weft.batch_jobs ALTER COLUMN jobs SET STORAGE EXTERNAL;

-- The contents of a batch's jobs, where they travel with it.
CREATE TABLE weft.pack (
    run integer NOT NULL REFERENCES weft.work (run) ON DELETE CASCADE,
    number integer NOT NULL,
    contents bytea NOT NULL,
    PRIMARY KEY (run, number)
);

ALTER TABLE weft.pack ALTER COLUMN contents SET STORAGE EXTERNAL;

CREATE TABLE weft.failure (
    run integer NOT NULL REFERENCES weft.work (run) ON DELETE CASCADE,
    key bytea NOT NULL,
    path text NOT NULL,
    reason text NOT NULL,
    poison boolean NOT NULL,
    moved boolean NOT NULL,
    PRIMARY KEY (run, key)
);

-- Who holds or held a batch of a run.
CREATE TABLE weft.batch_worker (
    run integer NOT NULL REFERENCES weft.work (run) ON DELETE CASCADE,
    worker text NOT NULL,
    PRIMARY KEY (run, worker)
);

CREATE TABLE weft.worker (
    name text PRIMARY KEY,
    fingerprint text NOT NULL,
    queues text[] NOT NULL,
    slots integer NOT NULL,
    version text NOT NULL,
    reaches text[] NOT NULL,
    seen timestamptz NOT NULL
);

CREATE VIEW weft.weft_work AS
SELECT
    work.run,
    run.state,
    count(*) FILTER (WHERE batch.state = 'queued') AS queued,
    count(*) FILTER (WHERE batch.state = 'running') AS running,
    count(*) FILTER (WHERE batch.state = 'waiting') AS waiting,
    count(*) FILTER (WHERE batch.state = 'done') AS done,
    count(*) FILTER (WHERE batch.state = 'split') AS split,
    count(*) FILTER (WHERE batch.state IN ('queued', 'running', 'waiting')) AS open_batches,
    coalesce(sum(batch.files) FILTER (WHERE batch.state <> 'split'), 0) AS files,
    coalesce(sum(batch.files) FILTER (WHERE batch.state = 'done'), 0) AS files_done,
    coalesce(sum(batch.size) FILTER (WHERE batch.state <> 'split'), 0) AS bytes,
    coalesce(sum(batch.size) FILTER (WHERE batch.state = 'done'), 0) AS bytes_done,
    clock_timestamp() - greatest(work.planned, max(batch.changed)) AS idle
FROM weft.work
JOIN weft.run ON run.id = work.run
LEFT JOIN weft.batch ON batch.run = work.run
GROUP BY work.run, work.planned, run.state;

COMMENT ON VIEW weft.weft_work IS
'The work of each run: its batches by state, files and bytes (of sources) in all and done, and how long nothing moved. '
'For autoscaling ask for the work that is open: SELECT coalesce(sum(queued + running), 0) FROM weft.weft_work WHERE state = ''running''. '
'SELECT count(*) FROM weft.batch WHERE state IN (''queued'', ''running'') is cheaper and counts, until the next scan, what cancelled runs left too.';
