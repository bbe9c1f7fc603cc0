-- Named statements, one a block. `{table}` in a name makes one statement per table listed after it.
-- ?1 is the JSON array of rows where a statement takes many; an object from path ids to payloads where these are the rows,
-- because its values need not be parsed twice. CROSS JOIN fixes the order of loops in SQLite: the planner
-- believes that json_each gives few rows, and may well scan it once for every row of a table.

-- name: tables
SELECT name FROM sqlite_master WHERE type = 'table'

-- name: meta
SELECT name, value FROM meta

-- name: set_meta
INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value

-- Caches ---------------------------------------------------------------------------------------------

-- name: known_facts
SELECT key FROM facts WHERE key IN (SELECT value FROM json_each(?1))

-- name: put_facts
INSERT INTO facts (key, problems, imports, interface, declarations)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?1) WHERE true
ON CONFLICT (key) DO NOTHING

-- name: facts
SELECT key, problems, iif(?2, imports, ''), iif(?3, interface, ''), iif(?4, declarations, '')
FROM facts WHERE key IN (SELECT value FROM json_each(?1))

-- name: quarantined
SELECT key, reason FROM quarantine WHERE key IN (SELECT value FROM json_each(?1))

-- name: quarantine
INSERT INTO quarantine (key, reason)
SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true
ON CONFLICT (key) DO UPDATE SET reason = excluded.reason

-- name: blobs
SELECT oid, digest, size, trait FROM blob WHERE oid IN (SELECT value FROM json_each(?1))

-- name: put_blobs
INSERT INTO blob (oid, digest, size, trait)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1) WHERE true
ON CONFLICT (oid) DO UPDATE SET digest = excluded.digest, size = excluded.size, trait = excluded.trait

-- name: cache
SELECT payload FROM cache WHERE name = ?1 ORDER BY piece

-- name: put_cache
INSERT INTO cache (name, piece, payload)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE true
ON CONFLICT (name, piece) DO UPDATE SET payload = excluded.payload

-- name: cut_cache
DELETE FROM cache WHERE name = ?1 AND piece >= ?2

-- Projects and runs ----------------------------------------------------------------------------------

-- name: projects
SELECT id, name FROM project WHERE EXISTS (SELECT 1 FROM run WHERE run.project = project.id AND run.graph = 1)

-- name: add_project
INSERT INTO project (name) VALUES (?1) ON CONFLICT (name) DO NOTHING

-- name: project
SELECT id, (SELECT max(run.id) FROM run WHERE run.project = project.id AND run.graph = 1)
FROM project WHERE name = ?1

-- name: published
SELECT run.id, run.body FROM project JOIN run ON run.project = project.id AND run.graph = 1
WHERE project.name = ?1 ORDER BY run.id DESC LIMIT 1

-- name: runs
SELECT run.id, run.body FROM project JOIN run ON run.project = project.id
WHERE project.name = ?1 ORDER BY run.id DESC LIMIT ?2

-- name: run
SELECT project, state, graph FROM run WHERE id = ?1

-- name: add_run
INSERT INTO run (project, state, body) VALUES (?1, ?2, ?3) RETURNING id

-- name: open_runs
SELECT id, body, leftovers FROM run WHERE project = ?1 AND (state = 'running' OR leftovers = 1)

-- name: scanned_projects
SELECT name FROM project WHERE EXISTS (SELECT 1 FROM run WHERE run.project = project.id AND run.state = 'running')

-- name: end_run
UPDATE run SET state = ?2, body = ?3, leftovers = 0 WHERE id = ?1

-- name: finish_run
UPDATE run SET state = ?2, body = ?3 WHERE id = ?1 AND state NOT IN ('published', 'incomplete')

-- name: start_publishing
UPDATE run SET leftovers = 1 WHERE id = ?1

-- name: swap
UPDATE run SET state = ?2, body = ?3, graph = 1, leftovers = 0 WHERE id = ?1

-- Publishing: every statement may be repeated, and none changes what a reader of an earlier run sees ------

-- name: intern
INSERT INTO path (text) SELECT value FROM json_each(?1) WHERE true ON CONFLICT (text) DO NOTHING

-- name: path_ids
SELECT text, id FROM path WHERE text IN (SELECT value FROM json_each(?1))

-- name: close_{table} (file adjacency detail outside reads)
UPDATE {table} SET until = ?3 WHERE (project, path, since) IN (
    SELECT old.project, old.path, old.since FROM json_each(?1) AS new
    CROSS JOIN {table} AS old ON old.project = ?2 AND old.path = new.key
    WHERE old.until IS NULL AND old.since < ?3 AND old.payload <> new.value
)

-- name: add_{table} (file adjacency detail outside reads)
INSERT INTO {table} (project, path, since, payload)
SELECT ?2, key, ?3, value FROM json_each(?1)
WHERE value <> '' AND NOT EXISTS (
    SELECT 1 FROM {table} AS old
    WHERE old.project = ?2 AND old.path = key AND old.until IS NULL AND old.since < ?3
)
ON CONFLICT (project, path, since) DO UPDATE SET payload = excluded.payload, until = NULL

-- name: add_first_{table} (file adjacency detail outside reads)
INSERT INTO {table} (project, path, since, payload)
SELECT ?2, key, ?3, value FROM json_each(?1) WHERE value <> ''
ON CONFLICT (project, path, since) DO UPDATE SET payload = excluded.payload, until = NULL

-- name: remove_{table} (file adjacency detail outside reads)
UPDATE {table} SET until = ?3
WHERE project = ?2 AND path IN (SELECT value FROM json_each(?1)) AND until IS NULL AND since < ?3

-- name: close_state
UPDATE state SET until = ?3 WHERE (project, name, piece, since) IN (
    SELECT old.project, old.name, old.piece, old.since FROM json_each(?1) AS new
    CROSS JOIN state AS old ON old.project = ?2 AND old.name = new.value ->> 0 AND old.piece = new.value ->> 1
    WHERE old.until IS NULL AND old.since < ?3 AND old.payload <> new.value ->> 2
)

-- name: add_state
INSERT INTO state (project, name, piece, since, payload)
SELECT ?2, value ->> 0, value ->> 1, ?3, value ->> 2 FROM json_each(?1)
WHERE NOT EXISTS (
    SELECT 1 FROM state AS old
    WHERE old.project = ?2 AND old.name = value ->> 0 AND old.piece = value ->> 1
        AND old.until IS NULL AND old.since < ?3
)
ON CONFLICT (project, name, piece, since) DO UPDATE SET payload = excluded.payload, until = NULL

-- name: cut_state
UPDATE state SET until = ?4 WHERE project = ?1 AND name = ?2 AND piece >= ?3 AND until IS NULL AND since < ?4

-- name: discard_{table} (file adjacency detail outside reads state)
DELETE FROM {table} WHERE project = ?1 AND since > ?2

-- name: reopen_{table} (file adjacency detail outside reads state)
UPDATE {table} SET until = NULL WHERE project = ?1 AND until > ?2

-- Reading at a run -----------------------------------------------------------------------------------

-- name: files
SELECT path.text, file.payload FROM file CROSS JOIN path ON path.id = file.path
WHERE file.project = ?1 AND file.since <= ?2 AND (file.until IS NULL OR file.until > ?2)

-- name: files_of
SELECT path.text, file.payload FROM json_each(?3) AS wanted
CROSS JOIN path ON path.text = wanted.value
CROSS JOIN file ON file.path = path.id AND file.project = ?1
WHERE file.since <= ?2 AND (file.until IS NULL OR file.until > ?2)

-- name: adjacency
SELECT path, payload FROM adjacency
WHERE project = ?1 AND since <= ?2 AND (until IS NULL OR until > ?2)

-- name: edges
SELECT path.text, adjacency.payload, detail.payload FROM adjacency
CROSS JOIN detail ON detail.project = adjacency.project AND detail.path = adjacency.path
CROSS JOIN path ON path.id = adjacency.path
WHERE adjacency.project = ?1
    AND adjacency.since <= ?2 AND (adjacency.until IS NULL OR adjacency.until > ?2)
    AND detail.since <= ?2 AND (detail.until IS NULL OR detail.until > ?2)

-- name: edges_of
SELECT path.text, adjacency.payload, detail.payload FROM json_each(?3) AS wanted
CROSS JOIN path ON path.text = wanted.value
CROSS JOIN adjacency ON adjacency.project = ?1 AND adjacency.path = path.id
CROSS JOIN detail ON detail.project = ?1 AND detail.path = path.id
WHERE adjacency.since <= ?2 AND (adjacency.until IS NULL OR adjacency.until > ?2)
    AND detail.since <= ?2 AND (detail.until IS NULL OR detail.until > ?2)

-- name: outside
SELECT path.text, outside.payload FROM outside CROSS JOIN path ON path.id = outside.path
WHERE outside.project = ?1 AND outside.since <= ?2 AND (outside.until IS NULL OR outside.until > ?2)

-- name: outside_of
SELECT path.text, outside.payload FROM json_each(?3) AS wanted
CROSS JOIN path ON path.text = wanted.value
CROSS JOIN outside ON outside.project = ?1 AND outside.path = path.id
WHERE outside.since <= ?2 AND (outside.until IS NULL OR outside.until > ?2)

-- name: reads
SELECT path, payload FROM reads
WHERE project = ?1 AND since <= ?2 AND (until IS NULL OR until > ?2)

-- name: state
SELECT payload FROM state
WHERE project = ?1 AND name = ?3 AND since <= ?2 AND (until IS NULL OR until > ?2) ORDER BY piece

-- name: paths
SELECT id, text FROM path

-- name: paths_of
SELECT id, text FROM path WHERE id IN (SELECT value FROM json_each(?1))

-- name: last_path
SELECT coalesce(max(id), 0) FROM path

-- Care -----------------------------------------------------------------------------------------------

-- name: oldest_kept_run
SELECT min(id) FROM (SELECT id FROM run WHERE project = ?1 AND graph = 1 ORDER BY id DESC LIMIT ?2)

-- name: forget_graphs
UPDATE run SET graph = 0 WHERE project = ?1 AND graph = 1 AND id < ?2

-- name: drop_{table} (file adjacency detail outside reads state)
DELETE FROM {table} WHERE project = ?1 AND until <= ?2 RETURNING 1

-- name: all_files
SELECT path.text, file.payload FROM file CROSS JOIN path ON path.id = file.path WHERE file.project = ?1

-- name: importers_{table} (file adjacency detail outside reads)
SELECT DISTINCT path FROM {table}

-- name: all_adjacency
SELECT path, payload FROM adjacency

-- name: keys_{table} (facts quarantine)
SELECT key FROM {table}

-- name: drop_keys_{table} (facts quarantine)
DELETE FROM {table} WHERE key IN (SELECT value FROM json_each(?1))

-- name: drop_paths
DELETE FROM path WHERE id IN (SELECT value FROM json_each(?1))

-- name: count_{table} (facts quarantine blob cache project run path file adjacency detail outside reads state)
SELECT count(*) FROM {table}

-- name: project_ids
SELECT id FROM project
