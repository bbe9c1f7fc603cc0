"""`weft flower`: a page in the browser that shows workers and tasks."""

import os

import click

from weft.cli.options import Voice, broker_option, say, voice

_BASIC_AUTH = "WEFT_FLOWER_BASIC_AUTH"
_EXAMPLES = """\b
Examples:
  WEFT_BROKER=redis://localhost:6379/0 weft flower
  WEFT_BROKER_FILE=/run/secrets/broker weft flower --address 0.0.0.0 --basic-auth-file /run/secrets/flower

Passwords belong in files or the environment: everybody on a machine can read the arguments of its programs.
WEFT_FLOWER_BASIC_AUTH may hold the user:password lines themselves.
"""


# Kubernetes sets WEFT_FLOWER_PORT=tcp://… in every pod beside a service called weft-flower.
@click.command(epilog=_EXAMPLES)
@broker_option
@click.option("--address", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=5555, show_default=True, allow_from_autoenv=False, help="0: any."
)
@click.option(
    "--basic-auth-file",
    type=click.Path(exists=True, dir_okay=False, readable=True),
    envvar="WEFT_FLOWER_BASIC_AUTH_FILE",
    show_envvar=True,
    help="user:password lines that sign in; needed to listen beyond this machine.",
)
@click.option("--allow-control", is_flag=True, help="Let those who sign in stop workers and start tasks.")
@click.option("--url-prefix", default="", metavar="PATH", help="Path below which a proxy serves it.")
@click.option("--max-tasks", type=click.IntRange(min=1), default=5000, show_default=True, help="Tasks to remember.")
@click.option("--debug", is_flag=True, help="Show a traceback when something fails.")
@click.option("--no-color", is_flag=True, help="No colours (as with NO_COLOR set).")
@click.option("-v", "--verbose", is_flag=True, help="Log every request.")
@click.option("-q", "--quiet", is_flag=True, help="Log errors only.")
def flower(
    broker: str | None,
    address: str,
    port: int,
    basic_auth_file: str | None,
    allow_control: bool,
    url_prefix: str,
    max_tasks: int,
    **talk: bool,
) -> None:
    """Show workers and tasks in the browser (Flower). Read-only, and with a password beyond this machine.

    It sees tasks; `weft runs` and `weft status` show runs. /metrics (for Prometheus) and /healthcheck answer without
    a password: names of workers, counts and times of tasks, nothing of repositories.
    """
    from weft_tasks.worker.monitor import MonitorSettings, check, serve

    speaker = voice(**talk)
    settings = MonitorSettings(
        address=address,
        port=port,
        credentials=_credentials(basic_auth_file),
        allow_control=allow_control,
        url_prefix=url_prefix,
        max_tasks=max_tasks,
    )
    check(settings)
    if not broker:
        raise click.UsageError("no broker is named: give --broker URL, WEFT_BROKER or WEFT_BROKER_FILE")
    _log(speaker)
    serve(broker, settings, lambda listening: _announce(address, listening, url_prefix, speaker))


def _credentials(file: str | None) -> tuple[str, ...]:
    from weft_tasks.worker.monitor import parse_credentials

    if file is not None:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return parse_credentials(opened.read(), f"file '{file}'")
    text = os.environ.pop(_BASIC_AUTH, "")
    return parse_credentials(text, _BASIC_AUTH) if text else ()


def _log(speaker: Voice) -> None:
    import logging

    level = logging.ERROR if speaker.quiet else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # The inspector warns whenever no worker is there, which the page shows.
    for chatty in ("tornado.access", "flower.inspector"):
        logging.getLogger(chatty).setLevel(level if speaker.verbose else logging.ERROR)


def _announce(address: str, port: int, url_prefix: str, speaker: Voice) -> None:
    host = f"[{address}]" if ":" in address else address
    path = url_prefix.strip("/")
    if not speaker.quiet:
        say(f"flower: http://{host}:{port}/{path + '/' if path else ''}\n")
