"""Commands about runs and stores: history, state, proof, health, care."""

import os
import secrets
import sys
import time
from typing import TYPE_CHECKING

import click

from weft.cli.options import (
    EXIT_FINDINGS,
    Voice,
    broker_option,
    choose_project,
    common,
    default_project,
    default_store,
    find_root,
    json_or_text,
    open_for_reading,
    open_view,
    say,
    to_text,
    voice,
)
from weft.cli.scan import TerminalProgress, interruptions

if TYPE_CHECKING:
    from weft.queries import GraphView
    from weft.verification import SampleSize
    from weft_storage.backends import Store
    from weft_storage.model.runs import Run
    from weft_storage.model.work import WorkProgress

EXIT_UNHEALTHY = 2


@click.command(epilog="\b\nExample:\n  weft runs --limit 20\n")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="The newest N.")
@json_or_text
@common
def runs(limit: int, output_format: str, store_url: str | None, project: str | None, **talk: bool) -> None:
    """The runs of a project, newest first."""
    from weft.report.documents import runs_document
    from weft.report.text import runs_text

    speaker = voice(**talk)
    with open_for_reading(store_url) as (store, root):
        name = _project_with_runs(store, root, project, named_store=store_url is not None)
        say(to_text(runs_document(name, store.runs(name, limit=limit)), runs_text, output_format, speaker))


@click.command(
    epilog="""\b
Examples:
  weft diff                                      the last two graphs
  weft diff 41 42 --format json
"""
)
@click.argument("old", type=click.IntRange(min=1), metavar="[OLD]", required=False)
@click.argument("new", type=click.IntRange(min=1), metavar="[NEW]", required=False)
@json_or_text
@common
def diff(
    old: int | None, new: int | None, output_format: str, store_url: str | None, project: str | None, **talk: bool
) -> None:
    """What differs between two published graphs: files, edges, packages outside, cyclic components.

    Without NEW it is the last one, without OLD the one before NEW. `weft runs` lists them, `weft store gc` drops old
    ones.
    """
    from weft.queries import GraphView
    from weft.queries.history import diff as graph_diff
    from weft.report.documents import diff_document
    from weft.report.text import diff_text
    from weft_storage.model.errors import UsageError

    speaker = voice(**talk)
    with open_view(store_url, project, at=new) as view:
        before = GraphView(view.store, view.project, at=old) if old else view.before()
        if before is None:
            raise UsageError(
                f"run {view.run.id}", "has no graph before it in the store", "name two runs of `weft runs`"
            )
        found = graph_diff(before, view)
        document = diff_document(view.project, old=before.run.id, new=view.run.id, diff=found)
        say(to_text(document, diff_text, output_format, speaker))


@click.command(
    epilog="""\b
Examples:
  weft status --format json
  weft status 42 --watch                         follow a distributed run from any machine
"""
)
@click.argument("run_id", type=click.IntRange(min=1), metavar="[RUN]", required=False)
@click.option("--watch", is_flag=True, help="Follow a run that is under way (the newest one) until it is over.")
@json_or_text
@common
def status(
    run_id: int | None, watch: bool, output_format: str, store_url: str | None, project: str | None, **talk: bool
) -> None:
    """A run, by default the last published one: what it covered, what it skipped, what it could not read."""
    from weft.queries import GraphView
    from weft.report.documents import status_document
    from weft.report.text import status_text

    speaker = voice(**talk)
    if run_id is None and not watch:
        with open_view(store_url, project) as view:
            document = status_document(view.run, view.records.values())
    else:
        with open_for_reading(store_url) as (store, root):
            name = _project_with_runs(store, root, project, named_store=store_url is not None)
            view = GraphView(store, name, at=run_id or store.runs(name, limit=1)[0].id)
            run = _watch(view, speaker) if watch else view.run
            files = view.records.values() if run.state.has_graph else ()
            document = status_document(run, files, _progress_of(store, run))
    say(to_text(document, status_text, output_format, speaker))


def _project_with_runs(store: "Store", root: str, project: str | None, *, named_store: bool) -> str:
    """A project has runs before it has a graph, and without one where none ever succeeded."""
    name = project or default_project(root)
    return name if store.runs(name, limit=1) else choose_project(store, root, project, named_store=named_store)


def _progress_of(store: "Store", run: "Run") -> "WorkProgress | None":
    """How far the batches of a run are, where it is under way and has some."""
    from weft_storage.model.runs import RunState

    work = getattr(store, "work", None)
    progress: WorkProgress | None = work.progress(run.id) if work and run.state is RunState.RUNNING else None
    return progress if progress and progress.batches else None


_BETWEEN_LOOKS = 1.0


def _watch(view: "GraphView", speaker: Voice) -> "Run":
    """Show how far the run of a view is until it is over."""
    from weft.queries import GraphView
    from weft_storage.model.runs import RunState

    run = view.run
    with interruptions() as interruption, TerminalProgress(speaker, interruption) as bar:
        shown = False
        while run.state is RunState.RUNNING:
            progress = _progress_of(view.store, run)
            if progress and not shown:
                bar.begin("extract", progress.files)
                shown = True
            if progress:
                bar.advance(progress.files_done)
            time.sleep(_BETWEEN_LOOKS)
            run = GraphView(view.store, view.project, at=run.id).run
    return run


def _sample_size(context: click.Context, parameter: click.Parameter, value: str | None) -> "SampleSize | None":
    """A number of files, or a share of them: 200, 5%."""
    from weft.verification import SampleSize

    if value is None:
        return None
    percent = value.endswith("%")
    try:
        number = float(value[:-1]) if percent else int(value)
    except ValueError:
        number = 0
    if not 0 < number <= (100 if percent else sys.maxsize):
        problem = f"{value!r} is neither a number of files nor a percentage, such as 200 or 5%"
        raise click.BadParameter(problem, context, parameter)
    return SampleSize(number, percent=percent)


@click.command(
    epilog="""\b
Examples:
  weft verify && echo the graph is right
  weft verify --sample 5%
  weft verify --sample 200 --seed 1234
"""
)
@click.option(
    "--sample", callback=_sample_size, metavar="N|N%",
    help="Only so many files, or so many of a hundred, chosen at random.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), metavar="SEED", help="Choose the sample as an earlier one was.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="Extractor processes; default: the cores.")
@json_or_text
@common
@click.pass_context
def verify(
    context: click.Context,
    /,
    sample: "SampleSize | None",
    seed: int | None,
    jobs: int | None,
    output_format: str,
    store_url: str | None,
    project: str | None,
    **talk: bool,
) -> None:
    """Rebuild the graph from zero, beside the store, and compare: exit 0 when equal, 1 and the differences when not.

    A work tree is scanned first, so that what changed since the last scan is no difference. A run of --rev is
    compared with a rebuild of the same commit. With --sample some files are extracted and resolved from zero and
    compared with what is stored of them: facts, edges, imports that lead outside.
    """
    from weft.configuration import settings_of
    from weft.pipeline import Options
    from weft.report.documents import verify_document
    from weft.report.text import verify_text
    from weft.verification import verify as verify_whole
    from weft.verification import verify_sample
    from weft_storage.backends import open_store
    from weft_storage.model.errors import ProjectUnknown, UsageError

    if seed is not None and sample is None:
        raise UsageError("--seed", "chooses a sample, and there is none", "add --sample")
    speaker = voice(**talk)
    here = find_root(os.getcwd())
    with open_store(store_url or default_store(here), create=False) as kept:
        name = choose_project(kept, here, project, named_store=store_url is not None)
        published = kept.published(name)
        if published is None:
            raise ProjectUnknown.in_store(kept.url, name)
        # A folder may have been moved since it was scanned, with the store in it.
        root = published.root if os.path.isdir(published.root) else here
        rev = published.revision if published.rev_argument else None
        settings = settings_of(root, rev)
        options = Options(project=name, rev=rev, jobs=jobs or os.cpu_count() or 1)
        entry = None
        with interruptions() as interruption, TerminalProgress(speaker, interruption) as progress:
            if sample is None:
                run, found = verify_whole(kept, root, settings, options, progress)
            else:
                chosen = secrets.randbelow(1 << 32) if seed is None else seed
                run, entry, found = verify_sample(kept, root, settings, options, progress, size=sample, seed=chosen)
        document = verify_document(name, run.id, found, sample=entry)
        say(to_text(document, verify_text, output_format, speaker))
    context.exit(EXIT_FINDINGS if found else 0)


@click.command(
    epilog="""\b
Examples:
  weft doctor
  weft doctor --heartbeat-file /run/weft/heartbeat --max-age 60
"""
)
@click.option(
    "--heartbeat-file", type=click.Path(), metavar="FILE",
    help="Nothing but whether the worker that writes FILE is alive (a liveness probe).",
)  # fmt: skip
@click.option(
    "--max-age", type=click.FloatRange(min=0, min_open=True), default=60.0, show_default=True, metavar="SECONDS",
    help="How old the heartbeat may be.",
)  # fmt: skip
@broker_option
@json_or_text
@common
@click.pass_context
def doctor(
    context: click.Context,
    /,
    broker: str | None,
    heartbeat_file: str | None,
    max_age: float,
    output_format: str,
    store_url: str | None,
    project: str | None,
    **talk: bool,
) -> None:
    """Whether everything that a scan needs is there and works: git, grammars, extractor process, store.

    With a broker, also whether that answers.
    """
    from weft.health import checks, heartbeat
    from weft.report.documents import DoctorDocument
    from weft.report.text import doctor_text

    del project
    speaker = voice(**talk)
    if heartbeat_file is not None:
        found = [heartbeat(heartbeat_file, max_age)]
    else:
        found = list(checks(store_url or default_store(find_root(os.getcwd())), broker))
    say(to_text(DoctorDocument(checks=tuple(found)), doctor_text, output_format, speaker))
    context.exit(0 if all(check.ok for check in found) else EXIT_UNHEALTHY)


@click.group(epilog="\b\nExamples:\n  weft store stats\n  weft store gc --keep-runs 30\n")
def store() -> None:
    """Care of a store: its schema, its size, what may be dropped."""


@store.command(epilog="\b\nExample:\n  weft store migrate --store sqlite:////var/lib/weft/graph.db\n")
@common
def migrate(store_url: str | None, project: str | None, **talk: bool) -> None:
    """Bring the store's schema up to date (every scan does so by itself)."""
    from weft_storage.backends import open_store

    del project
    speaker = voice(**talk)
    with open_store(store_url or default_store(find_root(os.getcwd()))) as opened:
        if not speaker.quiet:
            say(f"{opened.url}: the schema is up to date\n")


@store.command(epilog="\b\nExample:\n  weft store gc --keep-runs 30\n")
@click.option("--keep-runs", type=click.IntRange(min=1), default=30, show_default=True, help="Graphs per project.")
@json_or_text
@common
def gc(keep_runs: int, output_format: str, store_url: str | None, project: str | None, **talk: bool) -> None:
    """Drop the graphs of old runs, and facts that no kept graph uses. Published graphs do not change."""
    from weft.report.documents import StoreDocument
    from weft.report.text import store_text
    from weft_storage.backends import open_store
    from weft_tasks.finalize.merge import facts_key_of

    del project
    speaker = voice(**talk)
    with open_store(store_url or default_store(find_root(os.getcwd())), create=False) as opened:
        document = StoreDocument(url=opened.url, collected=opened.collect(keep_runs=keep_runs, facts_key=facts_key_of))
        say(to_text(document, store_text, output_format, speaker))


@store.command(epilog="\b\nExample:\n  weft store stats --format json\n")
@json_or_text
@common
def stats(output_format: str, store_url: str | None, project: str | None, **talk: bool) -> None:
    """Rows per table, and bytes."""
    from weft.report.documents import StoreDocument
    from weft.report.text import store_text

    del project
    speaker = voice(**talk)
    with open_for_reading(store_url) as (opened, _):
        say(to_text(StoreDocument(url=opened.url, stats=opened.stats()), store_text, output_format, speaker))
