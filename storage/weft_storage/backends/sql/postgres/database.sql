-- Named statements about the schema as a whole.

-- name: tables
SELECT
    2 = (
        SELECT count(*) FROM pg_catalog.pg_class JOIN pg_catalog.pg_attribute ON attrelid = pg_class.oid
        WHERE relnamespace = namespace.oid AND relname = 'meta'
            AND (attname, atttypid) IN (('name', 'text'::regtype), ('value', 'integer'::regtype))
    ),
    EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = namespace.oid)
FROM (SELECT (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'weft')) AS namespace (oid)

-- name: meta
SELECT name, value FROM weft.meta

-- name: set_meta
INSERT INTO weft.meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value
