"""`weft worker`: carries out the batches of scans that go by a broker."""

import os

import click

from weft.cli.options import broker_option, common, voice

_EPILOG = """\b
Examples:
  weft worker --broker redis://queue:6379/0 --store postgresql://db/weft
  weft worker --repositories /srv/git --concurrency 8     contents from bare repositories
  weft worker --checkouts /mnt/src --log-format json      contents from checkouts; a log for machines

\b
A project's contents are read from REPOSITORIES/PROJECT.git (or REPOSITORIES/PROJECT) by git object id, else
from CHECKOUTS/PROJECT, else they travel with the batches. TLS: rediss://HOST:PORT/0?ssl_ca_certs=FILE
(and ssl_certfile, ssl_keyfile). SIGTERM ends the worker when the batches in hand are done.
"""

_FOLDER = click.Path(exists=True, file_okay=False, resolve_path=True)


@click.command(epilog=_EPILOG)
@broker_option
@click.option(
    "-c", "--concurrency", type=click.IntRange(1, 1024), metavar="N", envvar="WEFT_CONCURRENCY",
    help="Batches at once, each in a process with an extractor of its own; default: the cores.",
)  # fmt: skip
@click.option(
    "--queues", default="weft", show_default=True, metavar="LIST", envvar="WEFT_QUEUES",
    help="Base names of the queues to listen to, separated by commas.",
)  # fmt: skip
@click.option(
    "--repositories", type=_FOLDER, envvar="WEFT_REPOSITORIES", help="Folder of git repositories, one per project."
)
@click.option("--checkouts", type=_FOLDER, envvar="WEFT_CHECKOUTS", help="Folder of checkouts, one per project.")
@click.option(
    "--heartbeat-file", type=click.Path(dir_okay=False, resolve_path=True), metavar="FILE",
    envvar="WEFT_HEARTBEAT_FILE", help="Touched every few seconds, for `weft doctor --heartbeat-file`.",
)  # fmt: skip
@click.option(
    "--memory-per-child", type=click.IntRange(min=64), default=1024, show_default=True, metavar="MIB",
    help="Replace a process that holds more than this after a batch.",
)  # fmt: skip
@click.option(
    "--soft-timeout", type=click.FloatRange(min=0), default=20.0, show_default=True, metavar="SECONDS",
    help="How long batches in hand may take to end when the worker is told to.",
)  # fmt: skip
@click.option(
    "--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True, envvar="WEFT_LOG_FORMAT",
    help="Log lines, on stderr.",
)  # fmt: skip
@common
@click.pass_context
def worker(
    context: click.Context,
    /,
    broker: str | None,
    concurrency: int | None,
    queues: str,
    repositories: str | None,
    checkouts: str | None,
    heartbeat_file: str | None,
    memory_per_child: int,
    soft_timeout: float,
    log_format: str,
    store_url: str | None,
    project: str | None,
    **talk: bool,
) -> None:
    """Carry out batches of scans that were sent to a broker, until told to end."""
    from weft_storage.model.errors import UsageError
    from weft_tasks.worker.serve import serve
    from weft_tasks.worker.settings import LogLevel, WorkerSettings

    del project
    speaker = voice(**talk)
    if not broker:
        raise UsageError("the worker", "needs to know where its batches come from", "give --broker or WEFT_BROKER")
    if not store_url:
        raise UsageError("the worker", "needs the store that its scans use", "give --store or WEFT_STORE")
    level = LogLevel.QUIET if speaker.quiet else LogLevel.VERBOSE if speaker.verbose else LogLevel.NORMAL
    settings = WorkerSettings(
        store_url=store_url,
        broker_url=broker,
        queues=_names(queues),
        concurrency=concurrency or _cores(),
        repositories=repositories,
        checkouts=checkouts,
        heartbeat_file=heartbeat_file,
        memory_per_child=memory_per_child,
        soft_timeout=soft_timeout,
        log_format=log_format,
        log_level=level,
    )
    context.exit(serve(settings))


def _names(listed: str) -> tuple[str, ...]:
    """The queues of a list. Raises BadParameter where there is none, or one that could not be a name."""
    names = tuple(dict.fromkeys(part.strip() for part in listed.split(",") if part.strip()))
    odd = next((name for name in names if not name.isprintable() or set(name) & set(" *?[]\\")), None)
    if not names or odd is not None:
        raise click.BadParameter(f"{odd or listed!r} names no queue", param_hint="'--queues'")
    return names


def _cores() -> int:
    """The cores that this process may use, which in a container can be fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
