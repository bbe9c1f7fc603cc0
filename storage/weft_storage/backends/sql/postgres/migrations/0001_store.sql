-- Everything lives in a schema of its own and is named with it: no search_path matters.

CREATE SCHEMA IF NOT EXISTS weft;

COMMENT ON SCHEMA weft IS 'Dependency graphs of code, by Weft. Query the views weft_*; everything else may change with a version.';

CREATE TABLE weft.meta (
    name text PRIMARY KEY,
    value integer NOT NULL
);

-- Caches, keyed by content. Payloads are compressed by those who write them, so the server need not try.

CREATE TABLE weft.facts (
    key bytea PRIMARY KEY,
    problems text NOT NULL,
    imports bytea NOT NULL,
    interface bytea NOT NULL,
    declarations bytea NOT NULL
);

ALTER TABLE weft.facts
    ALTER COLUMN imports SET STORAGE EXTERNAL,
    ALTER COLUMN interface SET STORAGE EXTERNAL,
    ALTER COLUMN declarations SET STORAGE EXTERNAL;

CREATE TABLE weft.quarantine (
    key bytea PRIMARY KEY,
    reason text NOT NULL
);

CREATE TABLE weft.blob (
    oid bytea PRIMARY KEY,
    digest bytea NOT NULL,
    size bigint NOT NULL,
    trait text NOT NULL
);

CREATE TABLE weft.cache (
    name text PRIMARY KEY,
    payload bytea NOT NULL
);

ALTER TABLE weft.cache ALTER COLUMN payload SET STORAGE EXTERNAL;

-- Projects and runs. Who changes a project's runs holds rows in this order: project, runs. Who changes its graph holds
-- the run, and that is RUNNING: beginning another run, which ends it, waits.

CREATE TABLE weft.project (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);

-- Says who holds the lock of a project, for people; the lock itself is an advisory one.
CREATE TABLE weft.lock_holder (
    project text PRIMARY KEY,
    process text NOT NULL
);

-- `graph` says that the graph of the run can be read; the newest such run of a project is the published one.
-- `body` is all of the run as JSON that only JSON can hold (any bytes); `summary` is what SQL may ask of it.
-- `latch` means nothing: the right to update it is the right to lock the row, which is all that workers may do.
CREATE TABLE weft.run (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project integer NOT NULL REFERENCES weft.project (id),
    state text NOT NULL,
    graph boolean NOT NULL DEFAULT false,
    latch boolean NOT NULL DEFAULT false,
    summary jsonb NOT NULL,
    body text NOT NULL
);

CREATE INDEX run_of_project ON weft.run (project, id);

CREATE INDEX run_with_graph ON weft.run (project, id) WHERE graph;

CREATE INDEX run_under_way ON weft.run (project) WHERE state = 'running';

-- The graph. A row is visible at run P when since <= P and (until is null or until > P). Its tables have no foreign
-- keys: one transaction that holds the run writes them, and checking a row costs more than writing it.

-- Paths belong to a project, so that publications of several never wait for each other. A path may be longer than what
-- an index takes, and hashes are smaller; who adds paths holds the run, so none comes twice.
CREATE TABLE weft.path (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project integer NOT NULL,
    text text NOT NULL
);

CREATE INDEX path_of_project ON weft.path (project, hashtextextended(text, 0));

-- A record as a JSON array, which may hold what jsonb cannot.
CREATE TABLE weft.file (
    project integer NOT NULL,
    path integer NOT NULL,
    since integer NOT NULL,
    until integer,
    payload text NOT NULL,
    PRIMARY KEY (project, path, since)
);

-- A row per importer: ids of the paths that its edges lead to, and numbers of the kinds.
CREATE TABLE weft.adjacency (
    project integer NOT NULL,
    path integer NOT NULL,
    since integer NOT NULL,
    until integer,
    imported integer[] NOT NULL,
    kinds smallint[] NOT NULL,
    PRIMARY KEY (project, path, since)
);

-- What else there is to say of the edges, in their order: [line, specifier, [names], ambiguous].
CREATE TABLE weft.detail (
    project integer NOT NULL,
    path integer NOT NULL,
    since integer NOT NULL,
    until integer,
    payload jsonb NOT NULL,
    PRIMARY KEY (project, path, since)
);

-- Imports that lead to nothing in the repository: [line, specifier, status, kind, [names], package, [probed]].
CREATE TABLE weft.outside (
    project integer NOT NULL,
    path integer NOT NULL,
    since integer NOT NULL,
    until integer,
    payload jsonb NOT NULL,
    PRIMARY KEY (project, path, since)
);

-- Hashes of the keys that resolving an importer read: unsigned 32-bit numbers, little-endian.
CREATE TABLE weft.reads (
    project integer NOT NULL,
    path integer NOT NULL,
    since integer NOT NULL,
    until integer,
    payload bytea NOT NULL,
    PRIMARY KEY (project, path, since)
);

ALTER TABLE weft.reads ALTER COLUMN payload SET STORAGE EXTERNAL;

CREATE TABLE weft.state (
    project integer NOT NULL,
    name text NOT NULL,
    since integer NOT NULL,
    until integer,
    payload bytea NOT NULL,
    PRIMARY KEY (project, name, since)
);

ALTER TABLE weft.state ALTER COLUMN payload SET STORAGE EXTERNAL;

-- The states `affected` and `components` as rows, for SQL: they belong to the row of the state with that `since`.
CREATE TABLE weft.affected (
    project integer NOT NULL,
    since integer NOT NULL,
    path integer NOT NULL,
    change text,
    resolved_anew boolean NOT NULL,
    weak boolean NOT NULL,
    PRIMARY KEY (project, since, path)
);

CREATE TABLE weft.component (
    project integer NOT NULL,
    since integer NOT NULL,
    number integer NOT NULL,
    path integer NOT NULL,
    PRIMARY KEY (project, since, path)
);

-- Kinds of edges by the numbers in `adjacency.kinds`.
CREATE TABLE weft.kind (
    number smallint PRIMARY KEY,
    name text NOT NULL UNIQUE,
    strength text NOT NULL
);

INSERT INTO weft.kind (number, name, strength) VALUES
    (0, 'import', 'strong'),
    (1, 'reexport', 'strong'),
    (2, 'dynamic', 'strong'),
    (3, 'module', 'strong'),
    (4, 'macro', 'strong'),
    (5, 'type', 'weak'),
    (6, 'ancestor', 'strong'),
    (7, 'test', 'strong'),
    (8, 'asset', 'strong'),
    (9, 'string', 'weak'),
    (10, 'trait', 'strong');

-- What the server compresses, it compresses faster with lz4, which not every build of Postgres has.
DO $$
BEGIN
    ALTER TABLE weft.adjacency ALTER COLUMN imported SET COMPRESSION lz4, ALTER COLUMN kinds SET COMPRESSION lz4;
    ALTER TABLE weft.detail ALTER COLUMN payload SET COMPRESSION lz4;
    ALTER TABLE weft.outside ALTER COLUMN payload SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
    NULL;
END
$$;

-- Views: what people may rely on. See docs/sql.md.

CREATE VIEW weft.published AS
SELECT project.id AS project, project.name, max(run.id) AS run
FROM weft.project JOIN weft.run ON run.project = project.id AND run.graph
GROUP BY project.id;

COMMENT ON VIEW weft.published IS 'Projects by number and name, with the run whose graph is the published one.';

CREATE VIEW weft.weft_edges AS
SELECT
    published.name AS project,
    importer.text AS importer,
    imported.text AS imported,
    kind.name AS kind,
    kind.strength AS strength,
    (edge.detail ->> 0)::bigint AS line,
    edge.detail ->> 1 AS specifier,
    ARRAY(SELECT jsonb_array_elements_text(edge.detail -> 2)) AS names,
    (edge.detail ->> 3)::boolean AS ambiguous
FROM weft.published
JOIN weft.adjacency ON adjacency.project = published.project
    AND adjacency.since <= published.run AND (adjacency.until IS NULL OR adjacency.until > published.run)
JOIN weft.detail ON detail.project = adjacency.project AND detail.path = adjacency.path
    AND detail.since <= published.run AND (detail.until IS NULL OR detail.until > published.run)
CROSS JOIN LATERAL ROWS FROM (
    unnest(adjacency.imported), unnest(adjacency.kinds), jsonb_array_elements(detail.payload)
) AS edge (imported, kind, detail)
JOIN weft.path AS importer ON importer.id = adjacency.path
JOIN weft.path AS imported ON imported.id = edge.imported
JOIN weft.kind ON kind.number = edge.kind;

COMMENT ON VIEW weft.weft_edges IS 'The edges of the last published graph of each project: importer depends on imported.';
COMMENT ON COLUMN weft.weft_edges.project IS 'name of the project';
COMMENT ON COLUMN weft.weft_edges.importer IS 'path of the file that imports, relative to the root of the repository';
COMMENT ON COLUMN weft.weft_edges.imported IS 'path of the file (for Go: the directory) that is imported';
COMMENT ON COLUMN weft.weft_edges.kind IS 'the construct that makes the edge, such as import, type or test; see weft.kind';
COMMENT ON COLUMN weft.weft_edges.strength IS 'strong, or weak where only types or strings depend';
COMMENT ON COLUMN weft.weft_edges.line IS 'the first line with such an import';
COMMENT ON COLUMN weft.weft_edges.specifier IS 'the text that names what is imported';
COMMENT ON COLUMN weft.weft_edges.names IS 'the names that are taken from it, sorted';
COMMENT ON COLUMN weft.weft_edges.ambiguous IS 'whether the import might as well mean another file';

CREATE VIEW weft.weft_outside AS
SELECT
    published.name AS project,
    importer.text AS importer,
    (import.detail ->> 0)::bigint AS line,
    import.detail ->> 1 AS specifier,
    import.detail ->> 2 AS status,
    import.detail ->> 3 AS kind,
    ARRAY(SELECT jsonb_array_elements_text(import.detail -> 4)) AS names,
    nullif(import.detail ->> 5, '') AS package,
    ARRAY(SELECT jsonb_array_elements_text(import.detail -> 6)) AS probed
FROM weft.published
JOIN weft.outside ON outside.project = published.project
    AND outside.since <= published.run AND (outside.until IS NULL OR outside.until > published.run)
CROSS JOIN LATERAL jsonb_array_elements(outside.payload) AS import (detail)
JOIN weft.path AS importer ON importer.id = outside.path;

COMMENT ON VIEW weft.weft_outside IS
    'The imports of the last published graph of each project that lead to nothing in its repository.';
COMMENT ON COLUMN weft.weft_outside.status IS 'external (a package) or unresolved';
COMMENT ON COLUMN weft.weft_outside.package IS 'the package, module or crate outside the repository';
COMMENT ON COLUMN weft.weft_outside.probed IS 'the paths that were looked for in vain, in order';

CREATE VIEW weft.weft_affected AS
SELECT
    published.name AS project,
    state.since AS run,
    path.text AS path,
    affected.change,
    affected.resolved_anew,
    affected.weak
FROM weft.published
JOIN weft.state ON state.project = published.project AND state.name = 'affected'
    AND state.since <= published.run AND (state.until IS NULL OR state.until > published.run)
JOIN weft.affected ON affected.project = published.project AND affected.since = state.since
JOIN weft.path ON path.id = affected.path;

COMMENT ON VIEW weft.weft_affected IS
    'The files that the last published run of each project affected: changed ones and their transitive dependents.';
COMMENT ON COLUMN weft.weft_affected.run IS 'the run that found them, the published one or an equal one before it';
COMMENT ON COLUMN weft.weft_affected.path IS 'path of the file, relative to the root of the repository';
COMMENT ON COLUMN weft.weft_affected.change IS 'added, modified or deleted; null where only what it depends on changed';
COMMENT ON COLUMN weft.weft_affected.resolved_anew IS 'whether its own imports lead elsewhere than before';
COMMENT ON COLUMN weft.weft_affected.weak IS 'whether it is reached over weak edges only';

CREATE VIEW weft.weft_cycles AS
SELECT published.name AS project, component.number AS component, path.text AS member
FROM weft.published
JOIN weft.state ON state.project = published.project AND state.name = 'components'
    AND state.since <= published.run AND (state.until IS NULL OR state.until > published.run)
JOIN weft.component ON component.project = published.project AND component.since = state.since
JOIN weft.path ON path.id = component.path;

COMMENT ON VIEW weft.weft_cycles IS
    'The files of each cyclic component of the last published graph of each project: each reaches all others.';
COMMENT ON COLUMN weft.weft_cycles.component IS 'number of the component in its graph, from 1';
COMMENT ON COLUMN weft.weft_cycles.member IS 'path of a file of the component';

CREATE VIEW weft.weft_runs AS
SELECT
    run.id,
    project.name AS project,
    run.state,
    run.graph AND run.id = published.run AS published,
    run.summary ->> 'revision' AS revision,
    to_timestamp(nullif((run.summary ->> 'started')::double precision, 0)) AS started,
    to_timestamp(nullif((run.summary ->> 'finished')::double precision, 0)) AS finished,
    run.summary -> 'counts' AS counts,
    (run.summary ->> 'edges')::bigint AS edges,
    (run.summary ->> 'unresolved')::bigint AS unresolved,
    (run.summary ->> 'affected')::bigint AS affected,
    (run.summary ->> 'components')::bigint AS components,
    (run.summary ->> 'cache_hit_rate')::double precision AS cache_hit_rate,
    run.summary -> 'seconds' AS seconds,
    nullif(run.summary ->> 'error', '') AS error,
    run.summary ->> 'host' AS host,
    (run.summary ->> 'pid')::bigint AS pid,
    run.summary ->> 'version' AS version
FROM weft.run
JOIN weft.project ON project.id = run.project
LEFT JOIN weft.published ON published.project = run.project;

COMMENT ON VIEW weft.weft_runs IS 'Every run of every project, also those under way and those that failed.';
COMMENT ON COLUMN weft.weft_runs.state IS 'running, published, incomplete, failed or cancelled';
COMMENT ON COLUMN weft.weft_runs.published IS 'whether its graph is the one that the other views show';
COMMENT ON COLUMN weft.weft_runs.revision IS 'the commit that was read, or that the work tree stood on';
COMMENT ON COLUMN weft.weft_runs.counts IS 'numbers of files: files, analyzed, unchanged, cached, skipped, failed, added, ...';
COMMENT ON COLUMN weft.weft_runs.unresolved IS 'number of imports that lead to nothing, external packages aside';
COMMENT ON COLUMN weft.weft_runs.affected IS 'number of files affected';
COMMENT ON COLUMN weft.weft_runs.components IS 'number of cyclic components';
COMMENT ON COLUMN weft.weft_runs.seconds IS 'seconds per phase';
