"""What Postgres and libpq report, as sentences with a remedy. Knows no statement and no connection."""

import psycopg

from weft_storage.model.errors import StoreFull, StoreUnavailable

DAMAGED = ("is damaged", "restore it, or drop the schema weft and scan again")
NOT_MIGRATED = ("has no schema weft of this program", "run `weft store migrate`")
CLOSED = ("is closed", "open it again")

_GRANTS = "let its owner grant the roles of weft_storage/backends/sql/postgres/roles.sql"
_AGAIN = "scan again: the published graph is unharmed"

_DISK_FULL = "53100"

# By SQLSTATE, the longest prefix that is known: https://www.postgresql.org/docs/current/errcodes-appendix.html
_PROBLEMS = {
    "08": ("lost its connection", _AGAIN),
    "22P05": ("cannot hold every text", "create its database with ENCODING 'UTF8'"),
    "25006": ("is read-only", "give the URL of the primary server"),
    "25P03": ("ended a transaction that was idle for too long", "raise idle_in_transaction_session_timeout"),
    "28": ("refuses the login", "check user and password; PGPASSWORD or a password file keep it out of the URL"),
    "3D000": ("has no such database", "create it, with ENCODING 'UTF8'"),
    "3F000": NOT_MIGRATED,
    "40001": ("was changed by somebody else at the same time", _AGAIN),
    "40P01": ("was changed by somebody else at the same time", _AGAIN),
    "42501": ("does not permit this to its user", _GRANTS),
    "42703": NOT_MIGRATED,
    "42P01": NOT_MIGRATED,
    _DISK_FULL: ("has no room left on its disk", "free some and scan again; the published graph is unharmed"),
    "53200": ("has no memory left", "give it more and scan again; the published graph is unharmed"),
    "53300": ("takes no more connections", "raise max_connections, put a pooler before it or run fewer workers"),
    "55P03": ("is locked by somebody else", "wait for it or raise lock_timeout"),
    "57014": ("took longer than statement_timeout allows", "raise the timeout"),
    "57P0": ("is shutting down or starting up", "try again when it is up"),
    "58": ("cannot be read or written: input/output error", "check the disk of the server"),
    "XX001": DAMAGED,
    "XX002": DAMAGED,
}

# Failures to connect have no SQLSTATE, so the first of these phrases that libpq's message holds.
_REFUSALS = (
    ("starting up", "57P03"),
    ("shutting down", "57P03"),
    ("not yet accepting connections", "57P03"),
    ("too many clients", "53300"),
    ("too many connections", "53300"),
    ("remaining connection slots", "53300"),
    ("authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("no pg_hba.conf entry", "28000"),
    ("is not permitted to log in", "28000"),
    ("permission denied for database", "28000"),
    ("terminating connection", "57P01"),
    ("server closed the connection", "08006"),
    ("connection is closed", "08003"),
    ("connection is lost", "08006"),
)
_NO_TLS = ("certificate", "SSL", "TLS")


def unavailable(url: str, error: psycopg.Error, password: str = "") -> StoreUnavailable:
    """The error that a driver's error is for people. The password is in no message."""
    problem, remedy = _problem(error, _reason(error, password))
    kind = StoreFull if error.sqlstate == _DISK_FULL else StoreUnavailable
    return kind(f"store '{url}'", problem, remedy)


def is_starting(error: psycopg.Error) -> bool:
    """Whether the server refused a connection only because it is not ready yet."""
    return error.sqlstate == "57P03" or _refusal(str(error)) == "57P03"


def _problem(error: psycopg.Error, reason: str) -> tuple[str, str]:
    state = error.sqlstate or _refusal(str(error))
    for length in (5, 4, 2):
        if state[:length] in _PROBLEMS:
            return _PROBLEMS[state[:length]]
    if state:
        return f"cannot be used: {reason}", ""
    return _unreachable(error, reason)


def _unreachable(error: psycopg.Error, reason: str) -> tuple[str, str]:
    if isinstance(error, psycopg.OperationalError):
        text = str(error)
        if "role" in text and "does not exist" in text:
            return _PROBLEMS["28"]
        if "database" in text and "does not exist" in text:
            return _PROBLEMS["3D000"]
        if any(word in text for word in _NO_TLS):
            return f"cannot be reached over TLS as asked: {reason}", "check sslmode and certificates, here and there"
        return f"cannot be reached: {reason}", "check that the server is up and that host and port are right"
    return f"cannot be used: {reason}", ""


def _refusal(text: str) -> str:
    return next((state for phrase, state in _REFUSALS if phrase in text), "")


def _reason(error: psycopg.Error, password: str) -> str:
    """The first line of the driver's message."""
    text = error.diag.message_primary or str(error).partition("\n")[0]
    text = text.removeprefix("connection failed: ").strip() or type(error).__name__
    return text.replace(password, "***") if password else text
