"""The URL of a broker: what may stand in it, and what of it may be shown. Knows no Celery."""

import ssl
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from weft_storage.model.errors import UsageError

_REMEDY = "write redis://HOST:PORT/DATABASE, or rediss:// for TLS"

_CERTIFICATES = {
    "required": ssl.CERT_REQUIRED,
    "cert_required": ssl.CERT_REQUIRED,
    "optional": ssl.CERT_OPTIONAL,
    "cert_optional": ssl.CERT_OPTIONAL,
    "none": ssl.CERT_NONE,
    "cert_none": ssl.CERT_NONE,
}
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")


@dataclass(frozen=True, slots=True)
class Broker:
    """A Redis: `url` without options, `tls` its options for TLS (None: without TLS), `shown` without secrets."""

    url: str = field(repr=False)
    tls: dict[str, object] | None
    shown: str


def parse_broker(url: str) -> Broker:
    """The broker that a URL means. Raises UsageError, which never quotes a password.

    rediss:// asks for a certificate that can be verified, unless `?ssl_cert_reqs=none` says that anybody will do;
    `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile` name files, `ssl_check_hostname=false` accepts another name.
    """
    try:
        parts = urlsplit(url)
        if "@" in f"{parts.path}{parts.query}{parts.fragment}":
            # What a person meant as a password would be shown as a database or an option.
            raise UsageError(
                "the broker's URL", "has a '@' behind its host", "write / ? # @ of a password as %2F %3F %23 %40"
            )
        database = parts.path.strip("/")
        shown = f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
    except ValueError as error:
        raise UsageError("the broker's URL", "cannot be understood", _REMEDY) from error
    if parts.scheme not in ("redis", "rediss"):
        raise UsageError(f"broker of kind '{parts.scheme}'", "is not known", _REMEDY)
    if database and not database.isdecimal():
        raise UsageError(f"broker '{shown}'", f"has no database '{database}': they are numbers", _REMEDY)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    plain = parts._replace(query="", fragment="").geturl()
    if parts.scheme == "redis" and not options:
        return Broker(plain, None, shown)
    if parts.scheme == "redis":
        raise UsageError(f"broker '{shown}'", "takes no options without TLS", _REMEDY)
    return Broker(plain, _tls(options, shown), shown)


def _tls(options: dict[str, str], shown: str) -> dict[str, object]:
    tls: dict[str, object] = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    for name, value in options.items():
        if name == "ssl_cert_reqs" and value.lower() in _CERTIFICATES:
            tls[name] = _CERTIFICATES[value.lower()]
        elif name == "ssl_check_hostname" and value.lower() in ("true", "false"):
            tls[name] = value.lower() == "true"
        elif name in _FILES and value:
            tls[name] = value
        else:
            raise UsageError(f"broker '{shown}'", f"has an option '{name}' that makes no sense", "see `weft worker -h`")
    if tls["ssl_cert_reqs"] is ssl.CERT_NONE:
        tls["ssl_check_hostname"] = False
    return tls
