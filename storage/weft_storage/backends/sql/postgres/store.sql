-- Named statements of the store. `{table}` in a name makes one statement per table listed after it.
-- Many rows come as arrays, one a column. LATERAL with LIMIT 1 fixes how a path is looked up: by the index, one after the
-- other, and not by hashing all paths there are. Whatever writes several rows of a cache does so in the order of their keys, so
-- that two who write the same ones wait for each other in turn, never in a circle.

-- Caches ---------------------------------------------------------------------------------------------

-- name: known_facts
SELECT key FROM weft.facts WHERE key = ANY ($1::bytea[])

-- name: put_facts
INSERT INTO weft.facts (key, problems, imports, interface, declarations)
SELECT key, problems, imports, interface, declarations
FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[])
    AS new (key, problems, imports, interface, declarations)
ORDER BY key
ON CONFLICT (key) DO NOTHING

-- name: facts
SELECT
    key, problems,
    CASE WHEN $2::boolean THEN imports ELSE '' END,
    CASE WHEN $3::boolean THEN interface ELSE '' END,
    CASE WHEN $4::boolean THEN declarations ELSE '' END
FROM weft.facts WHERE key = ANY ($1::bytea[])

-- name: quarantined
SELECT key, reason FROM weft.quarantine WHERE key = ANY ($1::bytea[])

-- name: quarantine
INSERT INTO weft.quarantine (key, reason)
SELECT key, reason FROM unnest($1::bytea[], $2::text[]) AS new (key, reason) ORDER BY key
ON CONFLICT (key) DO UPDATE SET reason = excluded.reason

-- name: blobs
SELECT oid, digest, size, trait FROM weft.blob WHERE oid = ANY ($1::bytea[])

-- name: put_blobs
INSERT INTO weft.blob (oid, digest, size, trait)
SELECT oid, digest, size, trait
FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::text[]) AS new (oid, digest, size, trait) ORDER BY oid
ON CONFLICT (oid) DO UPDATE SET digest = excluded.digest, size = excluded.size, trait = excluded.trait
WHERE (blob.digest, blob.size, blob.trait) <> (excluded.digest, excluded.size, excluded.trait)

-- name: cache
SELECT payload FROM weft.cache WHERE name = $1

-- name: put_cache
INSERT INTO weft.cache (name, payload) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET payload = excluded.payload

-- Projects and runs ----------------------------------------------------------------------------------

-- name: projects
SELECT name FROM weft.published

-- name: project_names
SELECT id, name FROM weft.project ORDER BY id

-- name: add_project
INSERT INTO weft.project (name)
SELECT $1::text WHERE NOT EXISTS (SELECT FROM weft.project WHERE name = $1)
ON CONFLICT (name) DO NOTHING

-- name: hold_project
SELECT id FROM weft.project WHERE name = $1 FOR NO KEY UPDATE

-- name: hold_project_of_id
SELECT id FROM weft.project WHERE id = $1 FOR NO KEY UPDATE

-- name: hold_open_runs
SELECT id, body FROM weft.run WHERE project = $1 AND state = 'running' ORDER BY id FOR UPDATE

-- name: add_run
INSERT INTO weft.run (project, state, summary, body) VALUES ($1, $2, $3::jsonb, $4) RETURNING id

-- name: end_run
UPDATE weft.run SET state = $2, summary = $3::jsonb, body = $4
WHERE id = $1 AND state NOT IN ('published', 'incomplete')

-- name: hold_run
SELECT run.project, run.state, project.name FROM weft.run JOIN weft.project ON project.id = run.project
WHERE run.id = $1 FOR UPDATE OF run

-- name: publish_run
UPDATE weft.run SET state = $2, summary = $3::jsonb, body = $4, graph = true WHERE id = $1

-- name: view
SELECT project.id, (SELECT max(run.id) FROM weft.run WHERE run.project = project.id AND run.graph)
FROM weft.project WHERE project.name = $1

-- name: has_graph
SELECT 1 FROM weft.run WHERE id = $1 AND project = $2 AND graph

-- name: published
SELECT run.id, run.body FROM weft.project JOIN weft.run ON run.project = project.id AND run.graph
WHERE project.name = $1 ORDER BY run.id DESC LIMIT 1

-- name: runs
SELECT run.id, run.body FROM weft.project JOIN weft.run ON run.project = project.id
WHERE project.name = $1 ORDER BY run.id DESC LIMIT $2

-- name: running_projects
SELECT DISTINCT project.name FROM weft.run JOIN weft.project ON project.id = run.project WHERE run.state = 'running'

-- Who holds a project, for people

-- name: lock_holder
SELECT process FROM weft.lock_holder WHERE project = $1

-- name: set_lock_holder
INSERT INTO weft.lock_holder (project, process) VALUES ($1, $2)
ON CONFLICT (project) DO UPDATE SET process = excluded.process

-- name: clear_lock_holder
DELETE FROM weft.lock_holder WHERE project = $1 AND process = $2

-- Publishing: $1 is the project and $2 the run, wherever there are these -------------------------------

-- name: path_ids
SELECT wanted.text, path.id FROM unnest($2::text[]) AS wanted (text)
CROSS JOIN LATERAL (
    SELECT id FROM weft.path
    WHERE project = $1 AND hashtextextended(path.text, 0) = hashtextextended(wanted.text, 0) AND path.text = wanted.text
    LIMIT 1
) AS path

-- name: add_paths
INSERT INTO weft.path (project, text)
SELECT $1, text FROM unnest($2::text[]) WITH ORDINALITY AS new (text, number) ORDER BY number
RETURNING text, id

-- name: make_stages
-- The indexes are for the planner's mistakes: nobody has told it yet how many rows a new table holds.
CREATE TEMPORARY TABLE named (path integer, of_file boolean) ON COMMIT DROP;
CREATE TEMPORARY TABLE staged_file (path integer, payload text) ON COMMIT DROP;
CREATE TEMPORARY TABLE staged_adjacency (path integer, imported integer[], kinds smallint[]) ON COMMIT DROP;
CREATE TEMPORARY TABLE staged_detail (path integer, payload jsonb) ON COMMIT DROP;
CREATE TEMPORARY TABLE staged_outside (path integer, payload jsonb) ON COMMIT DROP;
CREATE TEMPORARY TABLE staged_reads (path integer, payload bytea) ON COMMIT DROP;
CREATE INDEX ON pg_temp.named (path);
CREATE INDEX ON pg_temp.staged_file (path);
CREATE INDEX ON pg_temp.staged_adjacency (path);
CREATE INDEX ON pg_temp.staged_detail (path);
CREATE INDEX ON pg_temp.staged_outside (path);
CREATE INDEX ON pg_temp.staged_reads (path)

-- name: analyze_stages
ANALYZE
    pg_temp.named, pg_temp.staged_file, pg_temp.staged_adjacency, pg_temp.staged_detail, pg_temp.staged_outside,
    pg_temp.staged_reads

-- name: name_ids
INSERT INTO pg_temp.named (path, of_file) SELECT unnest($1::integer[]), $2

-- name: stage_{table} (file detail outside reads)
COPY pg_temp.staged_{table} (path, payload) FROM STDIN (FORMAT binary)

-- name: stage_adjacency
COPY pg_temp.staged_adjacency (path, imported, kinds) FROM STDIN (FORMAT binary)

-- name: close_file
UPDATE weft.file AS old SET until = $2
WHERE old.project = $1 AND old.until IS NULL AND old.path IN (SELECT path FROM pg_temp.named WHERE of_file)
    AND NOT EXISTS (
        SELECT FROM pg_temp.staged_file AS new WHERE new.path = old.path AND new.payload = old.payload
    )

-- name: close_{table} (detail outside reads)
UPDATE weft.{table} AS old SET until = $2
WHERE old.project = $1 AND old.until IS NULL AND old.path IN (SELECT path FROM pg_temp.named WHERE NOT of_file)
    AND NOT EXISTS (
        SELECT FROM pg_temp.staged_{table} AS new WHERE new.path = old.path AND new.payload = old.payload
    )

-- name: close_adjacency
UPDATE weft.adjacency AS old SET until = $2
WHERE old.project = $1 AND old.until IS NULL AND old.path IN (SELECT path FROM pg_temp.named WHERE NOT of_file)
    AND NOT EXISTS (
        SELECT FROM pg_temp.staged_adjacency AS new
        WHERE new.path = old.path AND new.imported = old.imported AND new.kinds = old.kinds
    )

-- name: add_{table} (file detail outside reads)
INSERT INTO weft.{table} (project, path, since, payload)
SELECT $1, new.path, $2, new.payload FROM pg_temp.staged_{table} AS new
WHERE NOT EXISTS (
    SELECT FROM weft.{table} AS old WHERE old.project = $1 AND old.path = new.path AND old.until IS NULL
)
ORDER BY new.path

-- name: add_adjacency
INSERT INTO weft.adjacency (project, path, since, imported, kinds)
SELECT $1, new.path, $2, new.imported, new.kinds FROM pg_temp.staged_adjacency AS new
WHERE NOT EXISTS (
    SELECT FROM weft.adjacency AS old WHERE old.project = $1 AND old.path = new.path AND old.until IS NULL
)
ORDER BY new.path

-- name: close_state
UPDATE weft.state SET until = $2 WHERE project = $1 AND name = $3 AND until IS NULL AND payload <> $4

-- name: add_state
INSERT INTO weft.state (project, name, since, payload)
SELECT $1, $3, $2, $4
WHERE NOT EXISTS (SELECT FROM weft.state WHERE project = $1 AND name = $3 AND until IS NULL)
RETURNING 1

-- name: add_affected
INSERT INTO weft.affected (project, since, path, change, resolved_anew, weak)
SELECT $1, $2, path, change, resolved_anew, weak
FROM unnest($3::integer[], $4::text[], $5::boolean[], $6::boolean[]) AS new (path, change, resolved_anew, weak)
ON CONFLICT (project, since, path) DO NOTHING

-- name: add_component
INSERT INTO weft.component (project, since, number, path)
SELECT $1, $2, number, path FROM unnest($3::integer[], $4::integer[]) AS new (number, path)
ON CONFLICT (project, since, path) DO NOTHING

-- Reading at a run: $1 is the project and $2 the run --------------------------------------------------

-- name: files
SELECT path.text, file.payload FROM weft.file JOIN weft.path ON path.id = file.path
WHERE file.project = $1 AND file.since <= $2 AND (file.until IS NULL OR file.until > $2)

-- name: files_of
SELECT path.text, file.payload FROM unnest($3::text[]) AS wanted (text)
CROSS JOIN LATERAL (
    SELECT id, path.text FROM weft.path
    WHERE project = $1 AND hashtextextended(path.text, 0) = hashtextextended(wanted.text, 0) AND path.text = wanted.text
    LIMIT 1
) AS path
JOIN weft.file ON file.project = $1 AND file.path = path.id
    AND file.since <= $2 AND (file.until IS NULL OR file.until > $2)

-- name: adjacency
SELECT path, array_send(imported), array_send(kinds) FROM weft.adjacency
WHERE project = $1 AND since <= $2 AND (until IS NULL OR until > $2)

-- name: edges
SELECT path.text, array_send(adjacency.imported), array_send(adjacency.kinds), detail.payload::text
FROM weft.adjacency
JOIN weft.detail ON detail.project = $1 AND detail.path = adjacency.path
    AND detail.since <= $2 AND (detail.until IS NULL OR detail.until > $2)
JOIN weft.path ON path.id = adjacency.path
WHERE adjacency.project = $1 AND adjacency.since <= $2 AND (adjacency.until IS NULL OR adjacency.until > $2)

-- name: edges_of
SELECT path.text, array_send(adjacency.imported), array_send(adjacency.kinds), detail.payload::text
FROM unnest($3::text[]) AS wanted (text)
CROSS JOIN LATERAL (
    SELECT id, path.text FROM weft.path
    WHERE project = $1 AND hashtextextended(path.text, 0) = hashtextextended(wanted.text, 0) AND path.text = wanted.text
    LIMIT 1
) AS path
JOIN weft.adjacency ON adjacency.project = $1 AND adjacency.path = path.id
    AND adjacency.since <= $2 AND (adjacency.until IS NULL OR adjacency.until > $2)
JOIN weft.detail ON detail.project = $1 AND detail.path = path.id
    AND detail.since <= $2 AND (detail.until IS NULL OR detail.until > $2)

-- name: outside
SELECT path.text, outside.payload::text FROM weft.outside JOIN weft.path ON path.id = outside.path
WHERE outside.project = $1 AND outside.since <= $2 AND (outside.until IS NULL OR outside.until > $2)

-- name: outside_of
SELECT path.text, outside.payload::text FROM unnest($3::text[]) AS wanted (text)
CROSS JOIN LATERAL (
    SELECT id, path.text FROM weft.path
    WHERE project = $1 AND hashtextextended(path.text, 0) = hashtextextended(wanted.text, 0) AND path.text = wanted.text
    LIMIT 1
) AS path
JOIN weft.outside ON outside.project = $1 AND outside.path = path.id
    AND outside.since <= $2 AND (outside.until IS NULL OR outside.until > $2)

-- name: reads
SELECT path, payload FROM weft.reads
WHERE project = $1 AND since <= $2 AND (until IS NULL OR until > $2)

-- name: state
SELECT payload FROM weft.state
WHERE project = $1 AND name = $3 AND since <= $2 AND (until IS NULL OR until > $2)

-- name: paths
SELECT id, text FROM weft.path WHERE project = $1

-- name: paths_of
SELECT id, text FROM weft.path WHERE id = ANY ($1::integer[])

-- Care -----------------------------------------------------------------------------------------------

-- name: forget_graphs
UPDATE weft.run SET graph = false
WHERE project = $1 AND graph AND id < (
    SELECT min(id) FROM (SELECT id FROM weft.run WHERE project = $1 AND graph ORDER BY id DESC LIMIT $2) AS kept
)

-- name: drop_{table} (file adjacency detail outside reads state)
WITH dropped AS (
    DELETE FROM weft.{table}
    WHERE project = $1 AND until <= (SELECT min(id) FROM weft.run WHERE project = $1 AND graph)
    RETURNING 1
)
SELECT count(*) FROM dropped

-- name: drop_affected
WITH dropped AS (
    DELETE FROM weft.affected WHERE project = $1
        AND since NOT IN (SELECT since FROM weft.state WHERE project = $1 AND name = 'affected')
    RETURNING 1
)
SELECT count(*) FROM dropped

-- name: drop_component
WITH dropped AS (
    DELETE FROM weft.component WHERE project = $1
        AND since NOT IN (SELECT since FROM weft.state WHERE project = $1 AND name = 'components')
    RETURNING 1
)
SELECT count(*) FROM dropped

-- name: drop_path
WITH used (path) AS (
    SELECT path FROM weft.file WHERE project = $1
    UNION SELECT path FROM weft.adjacency WHERE project = $1
    UNION SELECT unnest(imported) FROM weft.adjacency WHERE project = $1
    UNION SELECT path FROM weft.outside WHERE project = $1
    UNION SELECT path FROM weft.reads WHERE project = $1
    UNION SELECT path FROM weft.affected WHERE project = $1
    UNION SELECT path FROM weft.component WHERE project = $1
), dropped AS (
    DELETE FROM weft.path
    WHERE path.project = $1 AND NOT EXISTS (SELECT FROM used WHERE used.path = path.id)
    RETURNING 1
)
SELECT count(*) FROM dropped

-- name: hold_beginning
LOCK TABLE weft.run IN SHARE MODE

-- name: all_files
SELECT path.text, file.payload FROM weft.file JOIN weft.path ON path.id = file.path

-- name: make_used
CREATE TEMPORARY TABLE used (key bytea PRIMARY KEY) ON COMMIT DROP

-- name: use
INSERT INTO pg_temp.used (key) SELECT unnest($1::bytea[])

-- name: drop_unused_{table} (facts quarantine)
WITH dropped AS (
    DELETE FROM weft.{table} AS old WHERE NOT EXISTS (SELECT FROM pg_temp.used WHERE used.key = old.key) RETURNING 1
)
SELECT count(*) FROM dropped

-- name: count_{table} (facts quarantine blob cache project run path file adjacency detail outside reads state affected component)
SELECT count(*) FROM weft.{table}

-- name: size
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint
FROM pg_catalog.pg_class WHERE relnamespace = 'weft'::regnamespace AND relkind IN ('r', 'm')
