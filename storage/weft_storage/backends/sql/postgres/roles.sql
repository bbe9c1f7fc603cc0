-- Roles with no more rights than their part needs. Nothing of Weft executes this: run it as a superuser (or whoever owns
-- the schema and may create roles) in the database of the store, after `weft store migrate`, and again after every
-- upgrade that migrated; it may be repeated.
--
--     weft_owner         makes and migrates the schema (`weft store migrate`)
--     weft_orchestrator  scans: plans and publishes runs, collects what is old; no DDL
--     weft_finalizer     a worker that may publish too: the callback of a run is carried out by a worker
--     weft_worker        extracts only: facts, quarantine and the outcome of batches; no graph
--     weft_reader        reads everything, and the views weft_*
--
-- The roles cannot log in. Grant them to users that can (GRANT weft_worker TO alice), or give one a password
-- (ALTER ROLE weft_worker LOGIN PASSWORD '...'). Who migrates has to act as weft_owner, so that new tables become its
-- own: `?options=-c%20role%3Dweft_owner` in the URL.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['weft_owner', 'weft_orchestrator', 'weft_finalizer', 'weft_worker', 'weft_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
    -- Publishing stages its rows in temporary tables.
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO weft_finalizer, weft_orchestrator', current_database());
    EXECUTE format('GRANT CREATE ON DATABASE %I TO weft_owner', current_database());
END
$$;

-- Everything belongs to the owner.

ALTER SCHEMA weft OWNER TO weft_owner;

DO $$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN
        SELECT oid FROM pg_catalog.pg_class WHERE relnamespace = 'weft'::regnamespace AND relkind IN ('r', 'v')
    LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO weft_owner', relation);
    END LOOP;
END
$$;

REVOKE ALL ON SCHEMA weft FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA weft FROM PUBLIC, weft_orchestrator, weft_finalizer, weft_worker, weft_reader;
GRANT USAGE ON SCHEMA weft TO weft_orchestrator, weft_finalizer, weft_worker, weft_reader;

-- Reading. A worker sees its batches, and of facts and quarantine what is there already.

GRANT SELECT ON ALL TABLES IN SCHEMA weft TO weft_reader, weft_finalizer, weft_orchestrator;
GRANT SELECT ON
    weft.meta, weft.project, weft.run, weft.work, weft.batch, weft.batch_jobs, weft.pack, weft.failure,
    weft.batch_worker, weft.worker, weft.facts, weft.quarantine
TO weft_worker;

-- Extracting. The right to update `latch`, which means nothing, is the right to hold a run's row: no batch counts once
-- its run is over.

GRANT INSERT ON weft.facts, weft.failure, weft.batch_worker TO weft_worker, weft_finalizer;
GRANT INSERT, UPDATE ON weft.quarantine, weft.worker TO weft_worker, weft_finalizer;
GRANT UPDATE ON weft.batch TO weft_worker, weft_finalizer;
GRANT UPDATE (latch) ON weft.run TO weft_worker, weft_finalizer;

-- Publishing. Rows of the graph are added and closed, never changed or dropped.

GRANT INSERT ON
    weft.path, weft.file, weft.adjacency, weft.detail, weft.outside, weft.reads, weft.state, weft.affected,
    weft.component
TO weft_finalizer;
GRANT UPDATE (until) ON weft.file, weft.adjacency, weft.detail, weft.outside, weft.reads, weft.state TO weft_finalizer;
GRANT UPDATE (state, graph, summary, body) ON weft.run TO weft_finalizer;
GRANT INSERT, UPDATE ON weft.blob TO weft_finalizer;

-- Scanning: everything but what belongs to a version of the schema.

GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA weft TO weft_orchestrator;
REVOKE INSERT, UPDATE, DELETE ON weft.meta, weft.kind FROM weft_orchestrator;
