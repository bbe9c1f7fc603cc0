"""`weft scan`: the main job."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from weft.cli.options import (
    EXIT_FINDINGS,
    EXIT_INCOMPLETE,
    Voice,
    broker_option,
    common,
    default_project,
    default_store,
    json_or_text,
    root_to_scan,
    say,
    to_text,
    voice,
)

if TYPE_CHECKING:
    from weft.report.documents import Finding
    from weft_storage.backends import Store
    from weft_storage.model.runs import Run

FAIL_ON = ("cycles", "new-cycles", "unresolved", "incomplete")


class FailOn(click.ParamType[tuple[str, ...]]):
    """A list of findings, separated by commas."""

    name = "findings"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        wanted = tuple(part.strip() for part in str(value).split(",") if part.strip())
        for each in wanted:
            if each not in FAIL_ON:
                self.fail(f"{each!r} is no finding; there are: {', '.join(FAIL_ON)}", param, ctx)
        return wanted


@click.command(
    epilog="""\b
Examples:
  weft scan
  weft scan ~/src/monorepo --jobs 8
  weft scan /srv/git/monorepo.git --rev main --store sqlite:////var/lib/weft/graph.db
  weft scan --fail-on new-cycles,unresolved --format json
  weft scan --broker redis://queue:6379/0 --store postgresql://db/weft
"""
)
@click.argument("path", required=False, type=click.Path())
@click.option("--rev", metavar="REV", help="Read this commit from the object store; nothing is checked out.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Extractor processes; default: the cores.")
@click.option("--full", is_flag=True, help="Use nothing that is known: extract and resolve everything again.")
@click.option("--fail-on", type=FailOn(), default=(), metavar="LIST", help=f"Exit 1 on any of: {', '.join(FAIL_ON)}.")
@click.option(
    "--lock-timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, metavar="SECONDS",
    help="How long to wait for another scan of the same project.",
)  # fmt: skip
@broker_option
@click.option("--queue", default="weft", show_default=True, metavar="NAME", help="Base name of the workers' queue.")
@click.option(
    "--inline-below",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    metavar="N",
    help="With --broker: do fewer than N files here, without workers.",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="With --broker: how long to wait for a first worker.",
)
@click.option(
    "--deadline", type=click.FloatRange(min=0), metavar="SECONDS",
    help="With --broker: give up when extraction takes longer.",
)  # fmt: skip
@json_or_text
@common
@click.pass_context
def scan(
    context: click.Context,
    path: str | None,
    rev: str | None,
    jobs: int | None,
    full: bool,
    fail_on: tuple[str, ...],
    lock_timeout: float,
    broker: str | None,
    queue: str,
    inline_below: int,
    patience: float,
    deadline: float | None,
    output_format: str,
    store_url: str | None,
    project: str | None,
    quiet: bool,
    verbose: bool,
    no_color: bool,
    debug: bool,
) -> None:
    """Bring the stored graph of the repository at PATH up to date, and report.

    PATH (default: the repository around the current folder) is a git work tree, read as it is on disk, or a plain
    folder, or with --rev any repository, also a bare one.
    """
    from weft.configuration import settings_of
    from weft.pipeline import Options, Remote, analyze
    from weft.report.documents import scan_document
    from weft.report.text import scan_text
    from weft_storage.backends import open_store, work_of

    speaker = voice(quiet=quiet, verbose=verbose, no_color=no_color, debug=debug)
    root = os.path.realpath(path) if path is not None else root_to_scan(os.getcwd())
    settings = settings_of(root, rev)
    options = Options(
        project=project or default_project(root),
        rev=rev,
        jobs=jobs or os.cpu_count() or 1,
        full=full,
        lock_timeout=lock_timeout,
        remote=Remote(broker, queue, inline_below, patience, deadline) if broker else None,
    )
    if broker:
        from weft_tasks.worker.broker import parse_broker

        parse_broker(broker)  # A URL that is none is no run that failed.
    with interruptions() as interruption, open_store(store_url or default_store(root)) as store:
        if broker:
            work_of(store)
        with TerminalProgress(speaker, interruption) as progress:
            run = analyze(store, root, settings, options, progress)
        findings = _findings(store, run, fail_on)
    say(to_text(scan_document(run, findings), scan_text, output_format, speaker))
    context.exit(_exit_code(run, findings))


@click.command(
    epilog="""\b
Examples:
  weft resume 42 --store postgresql://db/weft --broker redis://queue:6379/0
  weft resume 42 --store postgresql://db/weft
"""
)
@click.argument("run_id", metavar="RUN", type=click.IntRange(min=1))
@broker_option
@click.option("--queue", default="weft", show_default=True, metavar="NAME", help="Base name of the workers' queue.")
@click.option(
    "--lock-timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, metavar="SECONDS",
    help="How long to wait for another scan of the same project.",
)  # fmt: skip
@json_or_text
@common
@click.pass_context
def resume(
    context: click.Context,
    /,
    run_id: int,
    broker: str | None,
    queue: str,
    lock_timeout: float,
    output_format: str,
    store_url: str | None,
    project: str | None,
    **talk: bool,
) -> None:
    """Bring a distributed run to its end whose `weft scan` has died.

    With --broker its workers do what is left, without it this machine does. Where the repository has changed since,
    the files that changed fail; a new `weft scan` is then the better way, and it reuses what was extracted too.
    """
    from weft.pipeline import Remote
    from weft.pipeline.resume import resume as resume_run
    from weft.report.documents import scan_document
    from weft.report.text import scan_text
    from weft_storage.backends import open_store, work_of

    speaker = voice(**talk)
    url = store_url or default_store(root_to_scan(os.getcwd()))
    with interruptions() as interruption, open_store(url, create=False) as store:
        known = work_of(store).run(run_id)
        name = project or (known.project if known else default_project(root_to_scan(os.getcwd())))
        remote = Remote(broker, queue) if broker else None
        with TerminalProgress(speaker, interruption) as progress:
            run = resume_run(store, name, run_id, remote=remote, lock_timeout=lock_timeout, progress=progress)
    say(to_text(scan_document(run, []), scan_text, output_format, speaker))
    context.exit(_exit_code(run, []))


class Interruption:
    """The first signal that asked for the end; not all code lets the exception through that it raises."""

    def __init__(self) -> None:
        self._name = ""

    def receive(self, number: int, _: object) -> None:
        """Take a signal."""
        self._name = signal.Signals(number).name
        self.check()

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal was received. A finalizer may have swallowed the first one."""
        if self._name:
            raise KeyboardInterrupt(f"interrupted by {self._name}")


@contextmanager
def interruptions() -> Iterator[Interruption]:
    """Let SIGTERM and SIGHUP end a scan as Ctrl-C does: the run is recorded as cancelled, and its workers stop.

    What was ignored before, as by nohup, still is.
    """
    interruption = Interruption()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    heeded = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in heeded:
        signal.signal(number, interruption.receive)
    try:
        yield interruption
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)


def _findings(store: "Store", run: "Run", fail_on: tuple[str, ...]) -> "list[Finding]":
    """What `--fail-on` asked for and the run has."""
    from weft.report.documents import Finding

    found = []
    if "cycles" in fail_on and run.components:
        found.append(Finding(kind="cycles", message=f"{run.components} cyclic components"))
    if "new-cycles" in fail_on:
        found += [Finding(kind="new-cycles", message=message) for message in _new_cycles(store, run.project)]
    if "unresolved" in fail_on and run.unresolved:
        found.append(Finding(kind="unresolved", message=f"{run.unresolved} imports lead nowhere"))
    if "incomplete" in fail_on and run.counts["failed"]:
        found.append(Finding(kind="incomplete", message=f"{run.counts['failed']} files failed"))
    return found


def _exit_code(run: "Run", findings: "list[Finding]") -> int:
    from weft_storage.model.runs import RunState

    if run.state is RunState.INCOMPLETE:
        return EXIT_INCOMPLETE
    return EXIT_FINDINGS if findings else 0


def _new_cycles(store: "Store", project: str) -> "Iterator[str]":
    """A sentence for each cyclic component that is not accepted."""
    from weft.queries import GraphView
    from weft.queries.components import lineage
    from weft_tasks.finalize.lineage import is_new

    for each in lineage(GraphView(store, project)).components:
        if is_new(each):
            accepted = f", {each.accepted} accepted" if each.accepted else ""
            first = ", ".join(each.members[:5])
            yield f"cycle {each.id} of {len(each.members)} files{accepted}: {first}; see `weft cycles`"


class TerminalProgress:
    """Progress on stderr: a bar with rate and time left on a terminal, one line per phase elsewhere."""

    # A bar that is drawn more often only costs time.
    _INTERVAL = 0.1

    def __init__(self, speaker: Voice, interruption: Interruption) -> None:
        self._speaker = speaker
        self._interruption = interruption
        self._bars = sys.stderr.isatty() and not speaker.quiet
        self._phase = ""
        self._total: int | None = None
        self._done = 0
        self._began = self._drawn = 0.0

    def __enter__(self) -> "TerminalProgress":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._end()

    def begin(self, phase: str, total: int | None = None) -> None:
        self._interruption.check()
        self._end()
        self._phase, self._total, self._done, self._began = phase, total, 0, time.monotonic()
        if self._bars:
            self._draw()

    def advance(self, done: int) -> None:
        self._interruption.check()
        self._done = done
        if self._bars and time.monotonic() - self._drawn > self._INTERVAL:
            self._draw()

    def note(self, sentence: str) -> None:
        if self._bars:
            click.echo("\r\x1b[K", err=True, nl=False)
        if not self._speaker.quiet:
            click.echo(f"weft: {sentence}", err=True)

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        click.echo(f"\r\x1b[K{self._line()}", err=True, nl=False)

    def _line(self) -> str:
        seconds = time.monotonic() - self._began
        if not self._done or seconds < self._INTERVAL:
            return f"{self._phase} …"
        rate = self._done / seconds
        if not self._total:
            return f"{self._phase} {self._done:,} files, {rate:,.0f} files/s"
        filled = 30 * self._done // self._total
        left = (self._total - self._done) / rate
        bar = f"[{'#' * filled}{'.' * (30 - filled)}] {self._done:,}/{self._total:,} files"
        return f"{self._phase} {bar}, {rate:,.0f} files/s, {left:.0f} s left"

    def _end(self) -> None:
        if not self._phase:
            return
        if self._bars:
            click.echo("\r\x1b[K", err=True, nl=False)
        if not self._speaker.quiet and (not self._bars or self._speaker.verbose):
            files = f" {self._done:,} files," if self._done else ""
            click.echo(f"{self._phase}:{files} {time.monotonic() - self._began:.2f} s", err=True)
        self._phase = ""
