"""`weft stack`: the whole distributed mode on this machine, to try it."""

import os
from collections.abc import Callable
from typing import Any

import click

from weft.cli.options import DEBUG, Command, say

EXIT_NOT_UP = 2

_EXAMPLES = """\b
Examples:
  weft stack up --workers 2
  eval "$(weft stack env)" && weft scan
  weft stack status
  weft stack down
"""


@click.group(epilog=_EXAMPLES)
def stack() -> None:
    """Postgres, Redis, workers and Flower on this machine, without docker: the quickest way to try workers.

    They listen on the loopback interface only, with passwords of their own. Servers that are not installed are
    downloaded (Linux on x86-64).
    """


def _common(command: Command) -> Command:
    for option in (
        click.option("--debug", is_flag=True, help="Show a traceback when something fails."),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing but results and errors."),
        click.option("--folder", type=click.Path(file_okay=False), envvar="WEFT_STACK_FOLDER", show_envvar=True, help=(
            "Where its data and logs are; default: weft/stack among the states of programs."
        )),
    ):  # fmt: skip
        command = option(command)
    return command


@stack.command(epilog="\b\nExample:\n  weft stack up --workers 2 --concurrency 1\n")
@click.option("--workers", type=click.IntRange(min=0), default=1, show_default=True, metavar="N", help="Workers.")
@click.option(
    "--concurrency", type=click.IntRange(min=1), metavar="N", help="Extractions at a time in each; default: the cores."
)
@click.option("--flower/--no-flower", default=True, show_default=True, help="A page in the browser that shows tasks.")
@_common
def up(workers: int, concurrency: int | None, flower: bool, **common: Any) -> None:
    """Start it, and wait until all of it is ready. One that is up is left alone.

    Workers look for contents where WEFT_REPOSITORIES and WEFT_CHECKOUTS say, when they are set.
    """
    from shlex import quote

    from weft.stack import Plan
    from weft.stack import up as start

    folder, report = _settle(**common)
    named = f" --folder {quote(folder)}" if common["folder"] else ""
    cores = os.cpu_count() or 1
    start(
        folder,
        Plan(workers=workers, concurrency=concurrency or max(1, cores // max(1, workers)), flower=flower),
        report,
    )
    report(f'use it: eval "$(weft stack env{named})" && weft scan')


@stack.command(epilog="\b\nExample:\n  weft stack down --purge\n")
@click.option("--purge", is_flag=True, help="Remove its data, logs and passwords too.")
@_common
def down(purge: bool, **common: Any) -> None:
    """Stop exactly what `weft stack up` started. The data is kept for the next time."""
    from weft.stack import down as stop

    folder, report = _settle(**common)
    stop(folder, purge=purge, report=report)


@stack.command(epilog="\b\nExample:\n  weft stack status\n")
@_common
@click.pass_context
def status(context: click.Context, /, **common: Any) -> None:
    """What of it runs; exit code 2 when it is not up, or not all of it."""
    from weft.stack import find

    folder, _ = _settle(**common)
    found = find(folder)
    for service in found.services:
        state = "runs" if service.is_running else "ended"
        say(f"{service.name:<10} {state:<6} pid {service.process.pid:<8} {service.address}".rstrip() + "\n")
    context.exit(0 if all(service.is_running for service in found.services) else EXIT_NOT_UP)


@stack.command(epilog='\b\nExample:\n  eval "$(weft stack env)" && weft scan\n')
@_common
def env(**common: Any) -> None:
    """The variables that make `weft` use it, as shell commands. They hold its passwords."""
    from shlex import quote

    from weft.stack import find

    folder, _ = _settle(**common)
    found = find(folder)
    say(f"export WEFT_STORE={quote(found.store)}\nexport WEFT_BROKER={quote(found.broker)}\n")


def _settle(*, folder: str | None, quiet: bool, debug: bool) -> tuple[str, Callable[[str], None]]:
    """The folder that is meant, and how to report."""
    from weft.stack import default_folder

    if debug:
        os.environ[DEBUG] = "1"

    def report(line: str) -> None:
        if not quiet:
            say(f"{line}\n")

    return folder or default_folder(), report
