-- The work of runs. Rows are locked in this order: the run (shared: nobody may end it meanwhile), batches by number,
-- the work, failures, facts, quarantine by key. So nobody waits in a circle. $1 is the run wherever there is one.

-- name: run
SELECT id, body FROM weft.run WHERE id = $1

-- name: hold_running
SELECT 1 FROM weft.run WHERE id = $1 AND state = 'running' FOR SHARE

-- Planning -------------------------------------------------------------------------------------------

-- name: plan
INSERT INTO weft.work (run, terms, lease, prepared)
VALUES ($1, $2, make_interval(secs => $3::double precision), $4)
ON CONFLICT (run) DO UPDATE
SET terms = excluded.terms, lease = excluded.lease, prepared = excluded.prepared, planned = clock_timestamp()
RETURNING last_batch

-- name: forget_moved
DELETE FROM weft.failure WHERE run = $1 AND moved

-- name: add_batches
INSERT INTO weft.batch (run, number, files, size, languages)
SELECT $1, number, files, size, languages
FROM unnest($2::integer[], $3::integer[], $4::bigint[], $5::text[]) AS new (number, files, size, languages)

-- name: add_jobs
INSERT INTO weft.batch_jobs (run, number, jobs)
SELECT $1, number, jobs FROM unnest($2::integer[], $3::bytea[]) AS new (number, jobs)

-- name: add_packs
INSERT INTO weft.pack (run, number, contents)
SELECT $1, number, contents FROM unnest($2::integer[], $3::bytea[]) AS new (number, contents)

-- name: number_batches
UPDATE weft.work SET last_batch = $2 WHERE run = $1

-- name: last_batch
SELECT last_batch FROM weft.work WHERE run = $1 FOR NO KEY UPDATE

-- name: terms
SELECT terms FROM weft.work WHERE run = $1

-- name: prepared
SELECT prepared FROM weft.work WHERE run = $1

-- name: open_batches
SELECT number FROM weft.batch WHERE run = $1 AND state IN ('queued', 'running', 'waiting') ORDER BY number

-- name: unfinished
SELECT run.id FROM weft.project
JOIN weft.run ON run.project = project.id AND run.state = 'running'
JOIN weft.work ON work.run = run.id
WHERE project.name = $1 ORDER BY run.id DESC

-- Carrying out ---------------------------------------------------------------------------------------
-- A claim is void once another was made (attempt), or once it was given up or judged (task is null).

-- name: claim
WITH live AS MATERIALIZED (
    SELECT run.id, work.lease FROM weft.run JOIN weft.work ON work.run = run.id
    WHERE run.id = $1 AND run.state = 'running'
    FOR SHARE OF run
), claimed AS (
    UPDATE weft.batch
    SET state = 'running', attempt = batch.attempt + 1, tries = batch.tries + 1, worker = $3, task = $4,
        lease_until = clock_timestamp() + live.lease, changed = clock_timestamp()
    FROM live
    WHERE batch.run = live.id AND batch.number = $2 AND (
        batch.state = 'queued'
        OR batch.state = 'running' AND (batch.lease_until <= clock_timestamp() OR batch.task = $4)
    )
    RETURNING batch.run, batch.attempt, batch.tries
), held AS (
    INSERT INTO weft.batch_worker (run, worker) SELECT run, $3 FROM claimed ON CONFLICT (run, worker) DO NOTHING
)
SELECT attempt, tries FROM claimed

-- name: contents
SELECT work.terms, batch_jobs.jobs, pack.contents FROM weft.batch_jobs
JOIN weft.work ON work.run = batch_jobs.run
LEFT JOIN weft.pack ON pack.run = batch_jobs.run AND pack.number = batch_jobs.number
WHERE batch_jobs.run = $1 AND batch_jobs.number = $2

-- name: renew
UPDATE weft.batch
SET state = 'running', lease_until = clock_timestamp() + work.lease, changed = clock_timestamp()
FROM weft.work JOIN weft.run ON run.id = work.run AND run.state = 'running'
WHERE work.run = $1 AND batch.run = $1 AND batch.number = $2
    AND batch.attempt = $3 AND batch.task IS NOT NULL AND batch.state IN ('queued', 'running')
RETURNING 1

-- name: complete
UPDATE weft.batch SET state = 'done', lease_until = NULL, changed = clock_timestamp()
WHERE run = $1 AND number = $2 AND attempt = $3 AND task IS NOT NULL AND state IN ('queued', 'running')
RETURNING 1

-- name: completed
SELECT 1 FROM weft.batch WHERE run = $1 AND number = $2 AND attempt = $3 AND task IS NOT NULL AND state = 'done'

-- name: count_open
SELECT count(*) FROM weft.batch WHERE run = $1 AND state IN ('queued', 'running', 'waiting')

-- name: release
WITH live AS MATERIALIZED (
    SELECT id FROM weft.run WHERE id = $1 AND state = 'running' FOR SHARE
)
UPDATE weft.batch
SET state = $4, tries = tries - $5, task = NULL, lease_until = NULL, changed = clock_timestamp()
FROM live
WHERE batch.run = live.id AND number = $2 AND attempt = $3 AND task IS NOT NULL AND state IN ('queued', 'running')

-- name: add_failures
INSERT INTO weft.failure (run, key, path, reason, poison, moved)
SELECT $1, key, path, reason, poison, moved
FROM unnest($2::bytea[], $3::text[], $4::text[], $5::boolean[], $6::boolean[])
    AS new (key, path, reason, poison, moved)
ORDER BY key
ON CONFLICT (run, key) DO NOTHING

-- Healing --------------------------------------------------------------------------------------------

-- name: lost
SELECT number, tries FROM weft.batch
WHERE run = $1 AND state = 'running' AND (
    lease_until <= clock_timestamp()
    -- A worker that has been silent for long is dead, unless it had nobody to report to.
    OR changed < clock_timestamp() - $2 * interval '1 second'
        AND pg_postmaster_start_time() < clock_timestamp() - $2 * interval '1 second'
        AND EXISTS (
            SELECT 1 FROM weft.worker
            WHERE worker.name = batch.worker AND worker.seen < clock_timestamp() - $2 * interval '1 second'
        )
)
ORDER BY number
FOR NO KEY UPDATE SKIP LOCKED

-- name: requeue
UPDATE weft.batch SET state = 'queued', lease_until = NULL, changed = clock_timestamp()
WHERE run = $1 AND number = ANY ($2::integer[])

-- name: judge
UPDATE weft.batch SET state = $3, task = NULL, lease_until = NULL, changed = clock_timestamp()
WHERE run = $1 AND number = $2

-- name: waiting
SELECT batch.number, work.terms, batch_jobs.jobs FROM weft.batch
JOIN weft.batch_jobs ON batch_jobs.run = batch.run AND batch_jobs.number = batch.number
JOIN weft.work ON work.run = batch.run
WHERE batch.run = $1 AND batch.state = 'waiting' ORDER BY batch.number

-- name: supply
UPDATE weft.batch SET state = 'queued', changed = clock_timestamp()
WHERE run = $1 AND number = $2 AND state = 'waiting'
RETURNING 1

-- name: put_pack
INSERT INTO weft.pack (run, number, contents) VALUES ($1, $2, $3)
ON CONFLICT (run, number) DO UPDATE SET contents = excluded.contents

-- name: progress
SELECT
    count(*) FILTER (WHERE batch.state <> 'split'),
    count(*) FILTER (WHERE batch.state IN ('queued', 'running', 'waiting')),
    count(*) FILTER (WHERE batch.state = 'running'),
    count(*) FILTER (WHERE batch.state = 'waiting'),
    coalesce(sum(batch.files) FILTER (WHERE batch.state <> 'split'), 0)::bigint,
    coalesce(sum(batch.files) FILTER (WHERE batch.state = 'done'), 0)::bigint,
    coalesce(sum(batch.size) FILTER (WHERE batch.state <> 'split'), 0)::bigint,
    coalesce(sum(batch.size) FILTER (WHERE batch.state = 'done'), 0)::bigint,
    count(*) FILTER (WHERE batch.tries > 1),
    (SELECT count(*) FROM weft.failure WHERE run = $1),
    ARRAY(SELECT worker FROM weft.batch_worker WHERE run = $1),
    extract(epoch FROM clock_timestamp() - greatest(work.planned, max(batch.changed)))::double precision
FROM weft.work LEFT JOIN weft.batch ON batch.run = work.run
WHERE work.run = $1
GROUP BY work.run

-- Finalizing -----------------------------------------------------------------------------------------

-- name: is_complete
SELECT 1 FROM weft.work JOIN weft.run ON run.id = work.run AND run.state = 'running'
WHERE work.run = $1 AND NOT EXISTS (
    SELECT 1 FROM weft.batch WHERE batch.run = $1 AND batch.state IN ('queued', 'running', 'waiting')
)

-- name: failures
SELECT key, path, reason, poison, moved FROM weft.failure WHERE run = $1

-- Workers and care -----------------------------------------------------------------------------------

-- name: report_worker
INSERT INTO weft.worker (name, fingerprint, queues, slots, version, reaches, seen)
VALUES ($1, $2, $3::text[], $4, $5, $6::text[], clock_timestamp())
ON CONFLICT (name) DO UPDATE
SET fingerprint = excluded.fingerprint, queues = excluded.queues, slots = excluded.slots,
    version = excluded.version, reaches = excluded.reaches, seen = excluded.seen

-- name: workers
SELECT name, fingerprint, queues, slots, version, reaches,
    greatest(0, extract(epoch FROM clock_timestamp() - seen))::double precision
FROM weft.worker WHERE seen > clock_timestamp() - make_interval(secs => $1::double precision)

-- name: forget_ended
DELETE FROM weft.work WHERE run IN (
    SELECT work.run FROM weft.work JOIN weft.run ON run.id = work.run
    WHERE run.state <> 'running' ORDER BY work.run FOR UPDATE OF work SKIP LOCKED
)
RETURNING 1

-- name: forget_workers
DELETE FROM weft.worker WHERE name IN (
    SELECT name FROM weft.worker WHERE seen < clock_timestamp() - interval '1 day' ORDER BY name FOR UPDATE SKIP LOCKED
)
