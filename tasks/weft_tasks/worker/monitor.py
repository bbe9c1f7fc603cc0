"""The monitor: Flower over our application, for people who watch workers and tasks. Knows no store and no run.

The only place that knows Flower. Flower is set from here alone: no configuration file, no FLOWER_* and no CELERY_*
variable of the shell that starts it says what it loads, where it connects, or who may do what.
"""

import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.netutil import bind_sockets
from tornado.routing import AnyMatches, HostMatches, Rule, RuleRouter
from tornado.web import OutputTransform

from weft_storage.model.errors import UsageError
from weft_tasks.worker.app import make_app
from weft_tasks.worker.environment import forget_strays

_FORGET_WORKERS_AFTER_SECONDS = 600
# The arguments say which run and batch a task is for; Flower leaves them out by default.
_COLUMNS = "name,args,state,received,runtime,worker,uuid"

# Names of repositories are written by strangers: should Flower ever miss one to escape, nothing in a page runs but
# its own files, and one inline script of its own (the hash), which only says how often to refresh.
_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'sha256-A0YIP5A+DKoseGAUTHRoMPDkKPK5cKzfYH3mjcCKtj8='",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """How the monitor is served. `credentials` are "user:password" texts, any of which signs in; none: no sign-in.

    Without `allow_control` it only shows. `port` 0 takes a free one; `url_prefix` is the path below which a proxy
    serves it; `max_tasks` are remembered, the oldest forgotten first.
    """

    address: str = "127.0.0.1"
    port: int = 5555
    credentials: tuple[str, ...] = ()
    allow_control: bool = False
    url_prefix: str = ""
    max_tasks: int = 5000

    def __repr__(self) -> str:
        return f"MonitorSettings(address={self.address!r}, port={self.port}, credentials={len(self.credentials)})"


def parse_credentials(text: str, source: str) -> tuple[str, ...]:
    """The credentials of a text: "user:password", one a line; empty lines and lines from '#' count for nothing.

    Raises `UsageError`, which names `source` and the line, never what it says.
    """
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        credential = line.strip()
        if not credential or credential.startswith("#"):
            continue
        user, _, password = credential.partition(":")
        # Flower compares texts in constant time, which Python does for ASCII only.
        if not user or not password or not credential.isascii() or not credential.isprintable():
            raise UsageError(f"{source}, line {number}", "is no 'user:password' in plain ASCII")
        found.append(credential)
    if not found:
        raise UsageError(source, "holds no 'user:password' line")
    return tuple(found)


def check(settings: MonitorSettings) -> None:
    """Raises `UsageError` for settings that would let in whom nobody invited."""
    if settings.credentials:
        return
    remedy = "give a file of user:password lines with --basic-auth-file, or WEFT_FLOWER_BASIC_AUTH"
    if settings.allow_control:
        raise UsageError("flower", "does not let anybody control workers without a password", remedy)
    if not _is_loopback(settings.address):
        raise UsageError(
            "flower", f"does not listen on '{settings.address}', beyond this machine, without a password", remedy
        )


def serve(broker_url: str, settings: MonitorSettings, announce: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT, then end the process. `announce` is called with the port as soon as it listens.

    For the process as a whole: changes its environment, signal handlers and Flower's own global settings. Raises
    `UsageError` where `check` does, for a URL that is none, and where the address cannot be had.
    """
    check(settings)
    _forget_foreign_settings()
    application = make_app(broker_url, patient=True)
    # Flower asks for results by way of Celery's current application.
    application.set_default()
    sockets = _bound(settings)
    flower = _flower(application, settings)
    server = HTTPServer(_router(flower, settings))
    server.add_sockets(sockets)
    for number in (signal.SIGTERM, signal.SIGINT):
        flower.io_loop.asyncio_loop.add_signal_handler(number, flower.stop)
    announce(sockets[0].getsockname()[1])
    flower.start()
    # Flower's threads may be waiting for a broker that is gone; there is nothing that they would have to finish.
    logging.shutdown()
    os._exit(0)


def _is_loopback(address: str) -> bool:
    """Whether all that an address or name stands for is this machine; "" stands for every interface."""
    return bool(address) and all(ipaddress.ip_address(each).is_loopback for each in _resolved(address))


def _resolved(address: str) -> Collection[str]:
    try:
        found = socket.getaddrinfo(address, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise UsageError(f"address '{address}'", "is no address of this machine") from exc
    return {str(place[0]).partition("%")[0] for *_, place in found}


def _forget_foreign_settings() -> None:
    """Celery and Flower look into the environment at any time; what is there was meant for somebody else's program."""
    forget_strays()
    for name in list(os.environ):
        if name.startswith("FLOWER_"):
            del os.environ[name]


def _bound(settings: MonitorSettings) -> list[socket.socket]:
    try:
        return bind_sockets(settings.port, address=settings.address)
    except OSError as exc:
        where = f"{settings.address}:{settings.port}"
        raise UsageError("flower", f"cannot listen on {where}: {exc.strerror or exc}") from exc


def _flower(application: Any, settings: MonitorSettings) -> Any:
    from flower.app import Flower
    from flower.options import options

    for name, value in _flower_options(settings).items():
        setattr(options, name, value)
    return Flower(capp=application, options=options, transforms=[_SafePages], **_web_settings(settings))


def _flower_options(settings: MonitorSettings) -> dict[str, Any]:
    return {
        "basic_auth": list(settings.credentials),
        "read_only": not settings.allow_control,
        "url_prefix": settings.url_prefix.strip("/"),
        "max_tasks": settings.max_tasks,
        "purge_offline_workers": _FORGET_WORKERS_AFTER_SECONDS,
        "tasks_columns": _COLUMNS,
        "persistent": False,
        "debug": False,
    }


def _web_settings(settings: MonitorSettings) -> dict[str, Any]:
    from flower.urls import settings as defaults

    prefix = settings.url_prefix.strip("/")
    paths = ("login_url", "static_url_prefix")
    return {**defaults, "debug": False, **({name: f"/{prefix}{defaults[name]}" for name in paths} if prefix else {})}


def _router(flower: Any, settings: MonitorSettings) -> RuleRouter:
    """Flower, for requests that are meant for it.

    Without a password the loopback interface is all that protects it, and a page of any web site can get a browser
    to connect there under a name of its own (DNS rebinding). So only names of this machine are answered then.
    """
    if settings.credentials:
        return RuleRouter([Rule(AnyMatches(), flower)])
    return RuleRouter([Rule(HostMatches(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])"), flower)])


class _SafePages(OutputTransform):
    """Headers that take power from the pages: what they may load and run, and who may frame them."""

    def transform_first_chunk(
        self,
        status_code: int,
        headers: HTTPHeaders,
        chunk: bytes,
        finishing: bool,  # noqa: ARG002 - tornado's
    ) -> tuple[int, HTTPHeaders, bytes]:
        headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
        headers["X-Frame-Options"] = "DENY"
        headers["Referrer-Policy"] = "same-origin"
        return status_code, headers, chunk
