"""URLs of Postgres stores: what libpq is told, and what people may be shown. Connects to nothing."""

import os
import re
import socket
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from weft_storage.model.errors import UsageError

CONNECT_SECONDS = 10
"""How long a connection may take, where neither the URL nor PGCONNECT_TIMEOUT says it."""

PREPARE_THRESHOLD = 5
"""Statements are prepared when they were executed so often; the URL's `prepare_threshold=none` says never."""

_EXAMPLE = "write postgresql://user@host:5432/database"
_PREPARE = re.compile(r"(?<=[?&])prepare_threshold=([^&#]*)(?:&|$)")
_UNKNOWN = re.compile(r'invalid URI query parameter: "(\w+)"')
# An @ in the database's name: a slash of the password ended the host, and the rest of it would be shown as that name.
_MISPLACED = re.compile(r"[^:]*://[^/?]*/[^?]*@")
_SHOWN_IN_PLACE = ("user", "host", "port", "dbname")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a store is: `url` without secrets, and all that libpq must know beside its environment."""

    url: str
    parameters: dict[str, str] = field(repr=False)
    prepare_threshold: int | None = PREPARE_THRESHOLD

    @property
    def password(self) -> str:
        """The password in the URL, for taking it out of messages; empty where there is none."""
        return self.parameters.get("password", "")


def parse_url(url: str) -> Target:
    """The target of a `postgresql://` URL: all that libpq knows, and `prepare_threshold` (a number, or `none`).

    What the URL does not say is libpq's environment's (PGHOST, PGPASSWORD, PGSSLMODE, ...). Raises `UsageError`, which
    never quotes the URL.
    """
    if _MISPLACED.match(url):
        problem = "has a '@' behind its host"
        raise UsageError("URL of the Postgres store", problem, "write / and @ of a password or a name as %2F and %40")
    bare, threshold = _without_threshold(url)
    try:
        given = {name: str(value) for name, value in conninfo_to_dict(bare).items()}
    except (ProgrammingError, UnicodeError) as exc:
        unknown = _UNKNOWN.search(str(exc))
        problem = f"has a parameter '{unknown[1]}' that libpq does not know" if unknown else "cannot be read by libpq"
        raise UsageError("URL of the Postgres store", problem, _EXAMPLE) from None
    parameters = {"fallback_application_name": f"weft {socket.gethostname()} {os.getpid()}", **given}
    if "PGCONNECT_TIMEOUT" not in os.environ:
        parameters.setdefault("connect_timeout", str(CONNECT_SECONDS))
    parameters["client_encoding"] = "UTF8"
    return Target(_shown(given), parameters, threshold)


def _without_threshold(url: str) -> tuple[str, int | None]:
    found = _PREPARE.search(url)
    if not found:
        return url, PREPARE_THRESHOLD
    value = unquote(found[1]).lower()
    if value != "none" and not value.isdecimal():
        problem = "has a prepare_threshold that is no number"
        raise UsageError("URL of the Postgres store", problem, "write prepare_threshold=none for a transaction pooler")
    return (url[: found.start()] + url[found.end() :]).rstrip("?&"), None if value == "none" else int(value)


def _shown(given: dict[str, str]) -> str:
    """The URL again, less what is secret."""
    hosts = given.get("host", "").split(",")
    ports = given.get("port", "").split(",")
    ports += ports[:1] * (len(hosts) - len(ports))
    places = [_place(host, port) for host, port in zip(hosts, ports, strict=False)]
    user = f"{quote(given['user'], safe='')}@" if "user" in given else ""
    rest = [
        f"{name}={quote(value, safe='')}"
        for name, value in given.items()
        if name not in _SHOWN_IN_PLACE and not _is_secret(name)
    ]
    query = f"?{'&'.join(rest)}" if rest else ""
    return f"postgresql://{user}{','.join(places)}/{quote(given.get('dbname', ''), safe='')}{query}"


def _place(host: str, port: str) -> str:
    is_address = ":" in host and not host.startswith(("/", "@"))
    return (f"[{host}]" if is_address else quote(host, safe="")) + (f":{port}" if port else "")


def _is_secret(name: str) -> bool:
    return "password" in name or "secret" in name or name in ("scram_client_key", "scram_server_key")
