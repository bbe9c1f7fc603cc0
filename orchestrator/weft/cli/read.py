"""Commands that read the published graph: what is affected, in which order, why, and what leads nowhere."""

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import click

from weft.cli.options import (
    EXIT_INCOMPLETE,
    Voice,
    common,
    default_project,
    default_store,
    find_path,
    find_root,
    format_option,
    json_or_text,
    open_view,
    repository_path,
    say,
    to_text,
    voice,
)

if TYPE_CHECKING:
    from weft.queries import Component, GraphView
    from weft.queries.affected import Change
    from weft.report.documents import Component as ComponentEntry


@click.command(
    epilog="""\b
Examples:
  weft affected                                  what the last scan found
  weft affected --since origin/main --why        what the work tree changes against a branch
  weft affected --since origin/main...           the same, without what the branch has got since
  weft affected --since origin/main... --symbols   only what mentions the declarations that changed
  git diff --name-only | weft affected --stdin --format paths
"""
)
@click.option(
    "--since",
    metavar="REV",
    help=(
        "Compare this commit with the work tree (or with --rev). A...B: B with the commit where it left A; A... the "
        "work tree with the commit where HEAD did; A..B: B with A."
    ),
)
@click.option("--rev", metavar="REV", help="With --since: the commit to compare with, instead of the work tree.")
@click.option("--files", "files", multiple=True, metavar="FILE", help="Take these as changed: --files A B C.")
@click.argument("more_files", nargs=-1, metavar="[FILE]...")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the changed files from standard input, one a line.")
@click.option("--run", "run_id", type=int, metavar="ID", help="What that run found affected.")
@click.option("--direct", is_flag=True, help="Only changed files and those that import them.")
@click.option("--weak", is_flag=True, help="Follow type-only and string edges too.")
@click.option("--why", "with_reasons", is_flag=True, help="Show a shortest chain of imports, and what changed.")
@click.option("--symbols", is_flag=True, help="Only files with affected declarations, and these: finer than files.")
@click.option("-z", "null_separated", is_flag=True, help="With --format paths: end each path with NUL.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), metavar="N", help="With --since: extractor processes.")
@format_option("text", "json", "paths")
@common
@click.pass_context
def affected(
    context: click.Context,
    /,
    since: str | None,
    rev: str | None,
    files: tuple[str, ...],
    more_files: tuple[str, ...],
    from_stdin: bool,
    run_id: int | None,
    direct: bool,
    weak: bool,
    with_reasons: bool,
    symbols: bool,
    null_separated: bool,
    jobs: int | None,
    output_format: str,
    store_url: str | None,
    project: str | None,
    **talk: bool,
) -> None:
    """Files affected by a change: those changed and all that depend on them, in the old or the new graph."""
    from weft.queries.affected import change_of, last_change
    from weft_storage.model.runs import RunState

    speaker = voice(**talk)
    by_files = bool(files or more_files) or from_stdin
    if (since is not None) + (run_id is not None) + by_files > 1:
        raise click.UsageError("--since, --run and files exclude each other")
    if rev is not None and since is None:
        raise click.UsageError("--rev goes with --since")
    if symbols and (by_files or weak or direct):
        raise click.UsageError("--symbols goes with --since, --run or nothing, without --weak and --direct")
    with ExitStack() as stack:
        if since is not None:
            change = stack.enter_context(_change_since(since, rev, store_url, project, jobs))
        else:
            view = stack.enter_context(open_view(store_url, project, at=run_id))
            paths = [repository_path(view, file) for file in (*files, *more_files)]
            paths += _paths_from_stdin(view, speaker) if from_stdin else []
            change = change_of(view, paths) if by_files else last_change(view)
        _show_affected(
            change,
            _affected_units(change) if symbols else None,
            direct=direct,
            weak=weak,
            with_reasons=with_reasons,
            output_format=output_format,
            null_separated=null_separated,
            speaker=speaker,
        )
        if since is not None and change.new.run.state is RunState.INCOMPLETE:
            failed = [problem.path for problem in change.new.run.problems]
            click.echo(f"weft: incomplete, there are problems with {', '.join(failed[:5])}", err=True)
            context.exit(EXIT_INCOMPLETE)


@contextmanager
def _change_since(
    since: str, rev: str | None, store_url: str | None, project: str | None, jobs: int | None
) -> "Iterator[Change]":
    """What changed between a commit and the work tree (or another commit)."""
    from weft.since import changed_since, read_since
    from weft_storage.backends import open_store

    root = find_root(os.getcwd())
    comparison = read_since(root, since, rev)
    name = project or default_project(root)
    with (
        open_store(store_url or default_store(root)) as store,
        changed_since(store, root, name, comparison, jobs=jobs or os.cpu_count() or 1) as change,
    ):
        yield change


def _paths_from_stdin(view: "GraphView", speaker: Voice) -> list[str]:
    """Files of the graph from standard input. Others affect nothing: a program (`git diff`) lists whatever changed."""
    found = {line: find_path(view, line) for line in _lines_of_stdin()}
    others = [line for line, path in found.items() if path is None]
    if others and not speaker.quiet:
        listed = ", ".join(map(repr, others[:5])) + (", …" if len(others) > 5 else "")
        click.echo(f"not in the published graph, so nothing depends on them there: {listed}", err=True)
    return [path for path in found.values() if path is not None]


def _lines_of_stdin() -> list[str]:
    """Paths from standard input: one a line, or separated by NUL where there is any."""
    given = sys.stdin.buffer.read()
    separator = b"\0" if b"\0" in given else b"\n"
    return [os.fsdecode(line) for line in given.split(separator) if line]


def _affected_units(change: "Change") -> "Mapping[str, Collection[str]]":
    """The affected declarations by file; the texts of before are those of the commit that the older run stood on."""
    from weft.queries.symbol_level import affected_units
    from weft.since import sources

    now = change.new.run
    before = change.old.run.revision if change.old else ""
    with ExitStack() as stack:
        old = stack.enter_context(sources(now.root, before)) if before else lambda _: None
        new = stack.enter_context(sources(now.root, now.revision if now.rev_argument else None))
        return affected_units(change, old, new)


def _show_affected(
    change: "Change",
    units: "Mapping[str, Collection[str]] | None",
    *,
    direct: bool,
    weak: bool,
    with_reasons: bool,
    output_format: str,
    null_separated: bool,
    speaker: Voice,
) -> None:
    from weft.report.documents import affected_document, affected_entry
    from weft.report.text import affected_text

    found = change.direct() if direct else change.affected
    reasons = change.reasons(weak=weak) if with_reasons else {}
    strong = [(file, False) for file in found.files]
    files = strong + ([(file, True) for file in found.weak] if weak else [])
    if units is not None:
        files = [(file, is_weak) for file, is_weak in files if file.path in units]
    if output_format == "paths":
        end = "\0" if null_separated else "\n"
        say("".join(f"{path}{end}" for path in sorted(file.path for file, _ in files)))
        return
    entries = []
    for file, is_weak in files:
        why = reasons.get(file.path)
        seed = why.seed if why else None
        path = why.path if why else ()
        names = None if units is None else units[file.path]
        entries.append(affected_entry(file, weak=is_weak, why=path, seed=seed, symbols=names))
    document = affected_document(change.new.project, change.new.run.id, entries)
    say(to_text(document, affected_text, output_format, speaker))


@click.command(
    epilog="""\b
Examples:
  weft order                     all files, dependencies first
  weft order --affected          what the last scan found affected, in the order to redo it
"""
)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--affected", "only_affected", is_flag=True, help="The files that the last run affected.")
@json_or_text
@common
def order(
    files: tuple[str, ...],
    only_affected: bool,
    output_format: str,
    store_url: str | None,
    project: str | None,
    **talk: bool,
) -> None:
    """Files in topological levels: dependencies before dependents; the members of a cycle are one entry."""
    from weft import queries
    from weft.queries.affected import last_change
    from weft.report.documents import order_document
    from weft.report.text import order_text

    speaker = voice(**talk)
    if files and only_affected:
        raise click.UsageError("--affected and files exclude each other")
    with open_view(store_url, project) as view:
        wanted: list[str] | None = [repository_path(view, file) for file in files] or None
        if only_affected:
            present = set(view.files)
            wanted = [file.path for file in last_change(view).affected.files if file.path in present]
        document = order_document(view.project, view.run.id, queries.order(view, wanted))
        say(to_text(document, order_text, output_format, speaker))


@click.command(
    epilog="""\b
Examples:
  weft cycles
  weft cycles --runtime --format sarif > cycles.sarif
  weft cycles --accept          # from now on `weft scan --fail-on new-cycles` lets these pass, as large as they are
"""
)
@click.option("--runtime", is_flag=True, help="Leave out edges that only types make.")
@click.option("--accept", is_flag=True, help="Accept all components as they are now, and show them.")
@format_option("text", "json", "sarif")
@common
def cycles(
    runtime: bool, accept: bool, output_format: str, store_url: str | None, project: str | None, **talk: bool
) -> None:
    """Cyclic components: members, a shortest cycle with file:line of every import, and imports to cut.

    A component keeps its number while it grows, shrinks or loses parts. It is new if it appeared or grew after it was
    accepted; those of the first scan are.
    """
    from weft import queries
    from weft.report.documents import cycles_document
    from weft.report.text import cycles_text

    speaker = voice(**talk)
    with open_view(store_url, project) as view:
        if accept:
            from weft.pipeline.unchanged import accept_components

            accept_components(view.store, view.project, lock_timeout=60.0)
        found = [_component_entry(each) for each in queries.cycles(view, runtime=runtime)]
        if output_format == "sarif":
            from weft.pipeline.epoch import program_version
            from weft.report.export import sarif

            say("".join(sarif(found, (), version=program_version())))
            return
        document = cycles_document(view.project, view.run.id, found, runtime=runtime)
        say(to_text(document, cycles_text, output_format, speaker))


def _component_entry(component: "Component") -> "ComponentEntry":
    from weft.report.documents import component as component_entry

    return component_entry(
        component.members,
        component.cycle,
        id=component.id,
        since=component.since,
        new=component.is_new,
        runtime=component.at_run_time,
        cut=component.cut,
        cut_names=component.names,
    )


def _neighbours(command: Any) -> Any:
    """What `deps` and `dependents` have in common."""
    for option in (
        click.option("--depth", type=click.IntRange(min=1), metavar="N", help="At most N steps away."),
        click.option("--transitive", is_flag=True, help="However far away."),
        click.argument("file"),
    ):
        command = option(command)
    return json_or_text(common(command))


@click.command(epilog="\b\nExample:\n  weft deps src/app.py --transitive\n")
@_neighbours
def deps(
    file: str,
    transitive: bool,
    depth: int | None,
    output_format: str,
    store_url: str | None,
    project: str | None,
    **talk: bool,
) -> None:
    """What a file depends on."""
    from weft import queries
    from weft.report.documents import deps_document
    from weft.report.text import deps_text
    from weft_storage.model.languages import unit_of

    speaker = voice(**talk)
    with open_view(store_url, project) as view:
        path = repository_path(view, file)
        far = transitive or depth is not None
        found = queries.dependencies(view, [path], depth=depth if far else 1)
        start = {unit_of(each) for each in view.meant([path])}
        importers = {each for unit in (start.union(found) if far else start) for each in view.files_of(unit)}
        reached = set(found)
        edges = [edge for edge in view.edges(importers) if edge.imported in reached]
        document = deps_document(view.project, view.run.id, path, found, edges, transitive=far)
        say(to_text(document, deps_text, output_format, speaker))


@click.command(epilog="\b\nExample:\n  weft dependents src/db.py --depth 2\n")
@_neighbours
def dependents(
    file: str,
    transitive: bool,
    depth: int | None,
    output_format: str,
    store_url: str | None,
    project: str | None,
    **talk: bool,
) -> None:
    """What depends on a file."""
    from weft import queries
    from weft.report.documents import dependents_document
    from weft.report.text import dependents_text
    from weft_storage.model.languages import unit_of
    from weft_tasks.finalize.graphs import imported_unit

    speaker = voice(**talk)
    with open_view(store_url, project) as view:
        path = repository_path(view, file)
        far = transitive or depth is not None
        found, weak = queries.dependents(view, [path], weak=True, depth=depth if far else 1)
        files = sorted({*found, *weak})
        reached = {unit_of(each) for each in (*view.meant([path]), *(files if far else ()))}
        edges = [edge for edge in view.edges(files) if imported_unit(edge) in reached]
        document = dependents_document(view.project, view.run.id, path, files, edges, transitive=far)
        say(to_text(document, dependents_text, output_format, speaker))


@click.command(epilog="\b\nExample:\n  weft why src/app.py src/db.py\n")
@click.argument("importer", metavar="A")
@click.argument("imported", metavar="B")
@json_or_text
@common
def why(
    importer: str, imported: str, output_format: str, store_url: str | None, project: str | None, **talk: bool
) -> None:
    """A shortest path from file A to file B, with the specifier and line of every step."""
    from weft import queries
    from weft.report.documents import why_document
    from weft.report.text import why_text

    speaker = voice(**talk)
    with open_view(store_url, project) as view:
        start, goal = repository_path(view, importer), repository_path(view, imported)
        path = queries.why(view, start, goal)
        document = why_document(view.project, view.run.id, importer=start, imported=goal, path=path)
        say(to_text(document, why_text, output_format, speaker))


@click.command(epilog="\b\nExamples:\n  weft unresolved\n  weft unresolved --external --format jsonl\n")
@click.option("--external", is_flag=True, help="Imports of packages outside the repository instead.")
@format_option("text", "json", "jsonl")
@common
def unresolved(external: bool, output_format: str, store_url: str | None, project: str | None, **talk: bool) -> None:
    """Imports that lead to nothing in the repository, with the paths that were looked for."""
    from weft.report.documents import outside_entry, to_json, unresolved_document
    from weft.report.text import unresolved_text
    from weft_storage.model.edges import Status

    speaker = voice(**talk)
    wanted = Status.EXTERNAL if external else Status.UNRESOLVED
    with open_view(store_url, project) as view:
        found = [each for each in view.store.outside(view.project) if each.status is wanted]
        if output_format == "jsonl":
            say("".join(to_json(outside_entry(each), indent=0) for each in found))
            return
        document = unresolved_document(view.project, view.run.id, found)
        say(to_text(document, unresolved_text, output_format, speaker))


@click.command(epilog="\b\nExample:\n  weft symbols src/db.py\n")
@click.argument("file")
@json_or_text
@common
def symbols(file: str, output_format: str, store_url: str | None, project: str | None, **talk: bool) -> None:
    """The declarations of a file, and the imports that name them."""
    from weft import queries
    from weft.report.documents import Use, declaration_entry, symbols_document
    from weft.report.text import symbols_text

    speaker = voice(**talk)
    with open_view(store_url, project) as view:
        path = repository_path(view, file)
        found = [
            declaration_entry(
                each.declaration, sorted({Use(importer=edge.importer, line=edge.line) for edge in each.used_by})
            )
            for each in queries.symbols(view, path)
        ]
        document = symbols_document(view.project, view.run.id, path, found)
        say(to_text(document, symbols_text, output_format, speaker))


@click.command(
    epilog="""\b
Examples:
  weft export --format jsonl -o graph.jsonl
  weft export --format dot | dot -Tsvg > graph.svg
"""
)
@format_option("jsonl", "json", "csv", "dot", "mermaid", "graphml", "sarif")
@click.option("-o", "--output", type=click.Path(dir_okay=False), metavar="FILE", help="Write to a file.")
@common
def export(output_format: str, output: str | None, store_url: str | None, project: str | None, **talk: bool) -> None:
    """The whole graph, in a format for other programs."""
    voice(**talk)
    with open_view(store_url, project) as view:
        pieces = _exported(view, output_format)
        if output is None:
            for piece in pieces:
                say(piece)
            return
        _write(output, pieces)


def _write(output: str, pieces: Iterable[str]) -> None:
    """Write a file beside its place and rename it: a failure half-way leaves what was there."""
    if os.path.exists(output) and not os.path.isfile(output):
        # A device or a pipe is written to, never replaced.
        _write_pieces(output, "wb", pieces)
        return
    target = os.path.realpath(output)
    partial = f"{target}.{os.getpid()}.partial"
    try:
        _write_pieces(partial, "xb", pieces)
        os.replace(partial, target)
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def _write_pieces(path: str, mode: str, pieces: Iterable[str]) -> None:
    with open(path, mode) as stream:
        for piece in pieces:
            stream.write(piece.encode("utf-8", "surrogateescape"))


def _exported(view: "GraphView", output_format: str) -> Iterable[str]:
    from weft import queries
    from weft.pipeline.epoch import program_version
    from weft.report.export import export as export_edges
    from weft.report.export import sarif
    from weft_storage.model.edges import Status

    run = view.run
    if output_format == "sarif":
        found = [_component_entry(each) for each in queries.cycles(view)]
        outside = view.store.outside(view.project)
        return sarif(found, (each for each in outside if each.status is Status.UNRESOLVED), version=program_version())
    return export_edges(output_format, view.edges(), files=view.files, project=view.project, run=run.id)
