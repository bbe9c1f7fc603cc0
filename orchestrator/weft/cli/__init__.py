"""The command line. The only place that prints and exits.

Every command imports what it needs when it runs: `weft --help` loads nothing but click.
"""

import os
import sys
from typing import NoReturn

import click

from weft.cli.care import diff, doctor, runs, status, store, verify
from weft.cli.flower import flower
from weft.cli.options import DEBUG, EPILOG
from weft.cli.read import affected, cycles, dependents, deps, export, order, symbols, unresolved, why
from weft.cli.scan import resume, scan
from weft.cli.stack import stack
from weft.cli.worker import worker

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_EXAMPLE = """\b
Examples:
  weft scan                          bring the graph of this repository up to date
  weft affected --format paths       what the last scan found affected, one path a line
  weft why src/app.py src/db.py      how one file comes to depend on another
"""


_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(epilog=_EXAMPLE + EPILOG, context_settings=_SETTINGS)
@click.version_option(package_name="weft", prog_name="weft")
def group() -> None:
    """Which file depends on which, what a change affects, in which order, and where the cycles are."""


for _command in (scan, affected, order, cycles, deps, dependents, why, unresolved, symbols, export):
    group.add_command(_command)
for _command in (resume, runs, diff, status, verify, doctor, store, worker, flower, stack):
    group.add_command(_command)


def main() -> NoReturn:
    """Run the command line; errors become one sentence on stderr and an exit code here, nowhere else."""
    _open_closed_streams()
    try:
        code = group.main(prog_name="weft", standalone_mode=False, auto_envvar_prefix="WEFT")
    except click.exceptions.NoArgsIsHelpError as help_wanted:
        help_wanted.show()
        code = help_wanted.exit_code
    except click.ClickException as error:
        _complain(_usage(error))
        code = error.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        _complain("interrupted; the last published graph is as it was")
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`weft export | head`); Python would complain again while it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        code = _explain(error)
    sys.exit(code if isinstance(code, int) else 0)


def _usage(error: click.ClickException) -> str:
    """Click's complaint in our form: one sentence, and where to read on."""
    complaint = error.format_message().strip().removesuffix(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    where = f"; see `{context.command_path} --help`" if context is not None else ""
    return complaint[:1].lower() + " ".join(complaint[1:].split()) + where


def _open_closed_streams() -> None:
    """Whoever closed a standard stream wants to read or say nothing there; Python has None in its place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _explain(error: Exception) -> int:
    """Say what went wrong in one sentence; the traceback only for those who ask."""
    from weft_storage.model.errors import WeftError

    if os.environ.get(DEBUG):
        raise error
    if isinstance(error, WeftError):
        _complain(str(error))
    elif isinstance(error, OSError):
        _complain(f"{error.filename or 'the system'}: {error.strerror or error}")
    else:
        _complain(f"this should not have happened: {type(error).__name__}: {error}; run with --debug and report it")
    return EXIT_USAGE


def _complain(sentence: str) -> None:
    # Names of files may hold line ends and bytes that are no text; the sentence stays one line.
    plain = "".join(each if each.isprintable() else repr(each)[1:-1] for each in sentence)
    click.echo(f"weft: {plain}", err=True)
