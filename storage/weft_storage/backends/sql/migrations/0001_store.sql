-- The dialect is SQLite's, kept to what Cloudflare D1 takes too: TEXT and INTEGER only, no blobs. Digests are hex,
-- packed payloads base64. Each statement ends with a semicolon at the end of a line.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

-- Caches, keyed by content.

CREATE TABLE facts (
    key TEXT PRIMARY KEY,
    problems TEXT NOT NULL,
    imports TEXT NOT NULL,
    interface TEXT NOT NULL,
    declarations TEXT NOT NULL
);

CREATE TABLE quarantine (
    key TEXT PRIMARY KEY,
    reason TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE blob (
    oid TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    trait TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE cache (
    name TEXT NOT NULL,
    piece INTEGER NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (name, piece)
) WITHOUT ROWID;

-- Runs. AUTOINCREMENT: an id is never used again, because rows of the graph are versioned by it.

CREATE TABLE project (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
);

-- `graph` says that the graph of the run can be read; the newest such run of a project is the published one, so
-- setting it is what publishes, in one statement. `leftovers` says that rows of an unpublished run may exist.
CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project INTEGER NOT NULL REFERENCES project (id),
    state TEXT NOT NULL,
    graph INTEGER NOT NULL DEFAULT 0,
    leftovers INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
);

CREATE INDEX run_of_project ON run (project, id);

CREATE INDEX run_with_graph ON run (project, id) WHERE graph = 1;

-- The graph. A row is visible at run P when since <= P and (until is null or until > P).

CREATE TABLE path (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    text TEXT NOT NULL UNIQUE
);

CREATE TABLE file (
    project INTEGER NOT NULL REFERENCES project (id),
    path INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    payload TEXT NOT NULL,
    PRIMARY KEY (project, path, since)
) WITHOUT ROWID;

CREATE TABLE adjacency (
    project INTEGER NOT NULL REFERENCES project (id),
    path INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    payload TEXT NOT NULL,
    PRIMARY KEY (project, path, since)
) WITHOUT ROWID;

CREATE TABLE detail (
    project INTEGER NOT NULL REFERENCES project (id),
    path INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    payload TEXT NOT NULL,
    PRIMARY KEY (project, path, since)
) WITHOUT ROWID;

CREATE TABLE outside (
    project INTEGER NOT NULL REFERENCES project (id),
    path INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    payload TEXT NOT NULL,
    PRIMARY KEY (project, path, since)
) WITHOUT ROWID;

CREATE TABLE reads (
    project INTEGER NOT NULL REFERENCES project (id),
    path INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    payload TEXT NOT NULL,
    PRIMARY KEY (project, path, since)
) WITHOUT ROWID;

CREATE TABLE state (
    project INTEGER NOT NULL REFERENCES project (id),
    name TEXT NOT NULL,
    piece INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    payload TEXT NOT NULL,
    PRIMARY KEY (project, name, piece, since)
) WITHOUT ROWID;
