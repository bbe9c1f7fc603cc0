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

-- Projects and runs. Who changes a project's runs or graph holds rows in this order: project, run.

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
-- `body` is all of the run as JSON that only JSON can hold (any bytes); `summary` what SQL may ask of it.
CREATE TABLE weft.run (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project integer NOT NULL REFERENCES weft.project (id),
    state text NOT NULL,
    graph boolean NOT NULL DEFAULT false,
    summary jsonb NOT NULL,
    body text NOT NULL
);

CREATE INDEX run_of_project ON weft.run (project, id);

CREATE INDEX run_with_graph ON weft.run (project, id) WHERE graph;

CREATE INDEX run_under_way ON weft.run (project) WHERE state = 'running';

-- The graph. A row is visible at run P when since <= P and (until is null or until > P). Its tables have no foreign
-- keys: one transaction that holds the run writes them, and checking every row costs more than writing it.

-- Paths are of one project, so that publications of several never wait for each other.
CREATE TABLE weft.path (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project integer NOT NULL,
    text text NOT NULL
);
