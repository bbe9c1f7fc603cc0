"""Text: documents as people read them in a terminal. Knows no terminal: colours come from a `style` that is passed in.

Every text ends in a newline. Names from the repository are escaped: none can move the cursor, hide text or break a
line. What a command is about is shown whole; of what it mentions beside, the first few and a count.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias

from weft.report.documents import (
    AffectedDocument,
    AffectedEntry,
    Because,
    BecauseKind,
    Component,
    ComponentChangeEntry,
    Counts,
    CyclesDocument,
    DeclarationEntry,
    DependentsDocument,
    DepsDocument,
    DiffDocument,
    Difference,
    DoctorDocument,
    EdgeEntry,
    OrderDocument,
    OutsideEntry,
    ProgressEntry,
    RunEntry,
    RunsDocument,
    ScanDocument,
    Seconds,
    StatusDocument,
    StoreDocument,
    SymbolsDocument,
    UnresolvedDocument,
    VerifyDocument,
    WhyDocument,
)
from weft.report.escape import printable
from weft_storage.model.edges import Status
from weft_storage.model.facts import Strength
from weft_storage.model.files import ChangeKind
from weft_storage.model.history import ComponentChangeKind
from weft_storage.model.languages import language_of, unit_of
from weft_storage.model.runs import Problem, RunState


class Role(StrEnum):
    """What a piece of text is, for `style` to colour."""

    STRONG = "strong"
    DIM = "dim"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


Style: TypeAlias = Callable[[str, str], str]
"""(text, role) -> the text, coloured for one of the Roles."""

_MOST = 10  # entries of a list that is not what the command is about

_STATES = {RunState.PUBLISHED: Role.GOOD, RunState.FAILED: Role.BAD}
_STATUSES = Status.RESOLVED, Status.EXTERNAL, Status.AMBIGUOUS, Status.UNRESOLVED
_MARKS = {ChangeKind.ADDED: "+", ChangeKind.MODIFIED: "~", ChangeKind.DELETED: "-"}
_MARK_ROLES = {"+": Role.GOOD, "-": Role.BAD, "~": Role.WARN}


def plain(text: str, _role: str) -> str:
    """The style without colours."""
    return text


def scan_text(document: ScanDocument, style: Style = plain) -> str:
    """A run in a few aligned lines, then its problems and findings."""
    title = f"run {document.run} of {printable(document.project)}: {document.status}{_revision(document.revision)}"
    return _lines(
        style(title, _STATES.get(document.status, Role.WARN)),
        *_figures(document, style),
        _figure("seconds", f"{_total(document.seconds):.2f}", _phases(document.seconds), style),
        *_problems(document.problems, style),
        *(style(f"{printable(each.kind)}: {printable(each.message)}", Role.BAD) for each in document.findings),
    )


def affected_text(document: AffectedDocument, style: Style = plain) -> str:
    """Affected files with the reason, each followed by the chain that leads to a change where the document has it."""
    if not document.files:
        return _lines("nothing is affected")
    return _lines(*(line for each in document.files for line in _affected(each, style)))


def order_text(document: OrderDocument, style: Style = plain) -> str:
    """The levels of an order; the members of a cycle stand on one line, joined by plus signs."""
    if not document.levels:
        return _lines("nothing to order")
    lines = []
    for number, level in enumerate(document.levels, 1):
        lines.append(style(f"level {number}", Role.STRONG))
        lines += [f"  {' + '.join(map(printable, entry.members))}" for entry in level]
    return _lines(*lines)


def cycles_text(document: CyclesDocument, style: Style = plain) -> str:
    """Every component with one of its shortest cycles, import by import."""
    if not document.components:
        return _lines(style("no cycles", Role.GOOD))
    parts = (_lines(*_component(number, each, style)) for number, each in enumerate(document.components, 1))
    return "\n".join(parts)


def deps_text(document: DepsDocument, style: Style = plain) -> str:
    """What a file depends on: an edge a line, or of all transitive ones a file a line with the first edge to it."""
    if not document.files and not document.edges:
        return _lines(f"{printable(document.file)} depends on nothing in the repository")
    found = _grouped(document.files, document.edges, lambda edge: edge.imported)
    return _lines(*_neighbours(found, document.transitive, lambda edge: f"in {printable(edge.importer)}", style))


def dependents_text(document: DependentsDocument, style: Style = plain) -> str:
    """What depends on a file: an edge a line, or of all transitive ones a file a line with its first edge."""
    if not document.files and not document.edges:
        return _lines(f"nothing in the repository depends on {printable(document.file)}")
    found = _grouped(document.files, document.edges, lambda edge: edge.importer)
    return _lines(*_neighbours(found, document.transitive, lambda edge: f"of {printable(edge.imported)}", style))


def why_text(document: WhyDocument, style: Style = plain) -> str:
    """A path from one file to another, an edge a line."""
    importer, imported = printable(document.importer), printable(document.imported)
    if not document.found:
        return _lines(f"{importer} does not depend on {imported}")
    if not document.path:
        return _lines(f"{importer} and {imported} are one")
    return _lines(*(_import(edge, style) for edge in document.path))


def unresolved_text(document: UnresolvedDocument, style: Style = plain) -> str:
    """Imports that lead to nothing in the repository, with the paths looked for or the package outside."""
    if not document.imports:
        return _lines(style("none", Role.GOOD))
    return _lines(*(_outside(each, style) for each in document.imports))


def symbols_text(document: SymbolsDocument, style: Style = plain) -> str:
    """The declarations of a file, each followed by its uses."""
    if not document.declarations:
        return _lines(f"{printable(document.file)} declares nothing")
    return _lines(*(line for each in document.declarations for line in _declaration(each, style)))


def runs_text(document: RunsDocument, style: Style = plain) -> str:
    """The runs as a table, newest first, each failed one followed by its error."""
    if not document.runs:
        return _lines("no runs yet")
    titles = "run", "state", "started (UTC)", "seconds", "files", "changes", "edges", "unresolved", "affected", "cycles"
    rows = [_run_cells(each) for each in document.runs]
    heading, *lines = _table([(*titles, "revision"), *rows], left={1, 2, len(titles)})
    shown = [style(heading, Role.STRONG)]
    for run, line in zip(document.runs, lines, strict=True):
        shown.append(style(line, Role.BAD) if run.state is RunState.FAILED else line)
        shown += [f"  {printable(run.error)}"] if run.error else []
    return _lines(*shown)


def diff_text(document: DiffDocument, style: Style = plain) -> str:
    """What differs between two runs: files, edges, packages and components, marked as diffs are."""
    found = [
        *(f"{_MARKS[each.change]} {printable(each.path)}" for each in document.files),
        *(f"- {_arrow(each)}" for each in document.removed_edges),
        *(f"+ {_arrow(each)}" for each in document.added_edges),
        *(f"- package {printable(each.name)} ({each.family})" for each in document.removed_packages),
        *(f"+ package {printable(each.name)} ({each.family})" for each in document.added_packages),
        *(f"- unresolved {_leads_nowhere(each)}" for each in document.removed_unresolved),
        *(f"+ unresolved {_leads_nowhere(each)}" for each in document.added_unresolved),
        *(line for each in document.components for line in _component_change(each)),
    ]
    title = style(f"run {document.old} to run {document.new} of {printable(document.project)}", Role.STRONG)
    if not found:
        return _lines(title, "no difference")
    return _lines(title, *(style(line, _MARK_ROLES[line[0]]) for line in found))


def status_text(document: StatusDocument, style: Style = plain) -> str:
    """The last run: its figures, how imports resolved per language, what was skipped, the problems."""
    title = f"run {document.run} of {printable(document.project)}: {document.status}{_revision(document.revision)}"
    return _lines(
        style(title, _STATES.get(document.status, Role.WARN)),
        f"  {'root':<10}  {printable(document.root)}",
        f"  {'time':<10}  {_time(document.started)} to {_time(document.finished)} UTC",
        *([f"  {'error':<10}  {printable(document.error)}"] if document.error else []),
        *_progress(document.progress),
        *_figures(document, style),
        *_coverage(document.coverage, style),
        *_skipped(Counter(each.reason for each in document.skipped), style),
        *_problems(document.problems, style),
    )


def _progress(progress: ProgressEntry | None) -> Iterator[str]:
    if progress:
        done = progress.batches - progress.open_batches
        files = f"{progress.files_done:,} of {_many(progress.files, 'file')}"
        yield f"  {'extracted':<10}  {files}, {done:,} of {progress.batches:,} batches"
        yield f"  {'workers':<10}  {_some(progress.workers) or 'none yet'}; nothing moved for {progress.idle:.0f} s"


def verify_text(document: VerifyDocument, style: Style = plain) -> str:
    """Whether what is stored is what is made from zero; every difference with what is stored and what is right."""
    made = "a graph rebuilt from zero"
    if document.sample is not None:
        sample = document.sample
        made = f"{sample.files:,} of {_many(sample.of, 'file')} made from zero (--seed {sample.seed})"
    if document.equal:
        return _lines(style(f"run {document.run} equals {made}", Role.GOOD))
    title = f"run {document.run} differs from {made} in {_many(len(document.differences), 'place')}"
    lines = (line for each in document.differences for line in _difference(each, style))
    return _lines(style(title, Role.BAD), *lines)


def _difference(difference: Difference, style: Style) -> Iterator[str]:
    yield f"  {difference.kind} {difference.what}: {printable(difference.detail)}"
    for word, texts in (("stored", difference.stored), ("right", difference.right)):
        for each in texts:
            yield style(f"    {word:<6}  {printable(each)}", Role.DIM)


def doctor_text(document: DoctorDocument, style: Style = plain) -> str:
    """The checks, one a line."""
    width = max((len(each.name) for each in document.checks), default=0)
    marks = {True: style("ok  ", Role.GOOD), False: style("fail", Role.BAD)}
    return _lines(*(f"{marks[each.ok]}  {each.name:<{width}}  {printable(each.detail)}" for each in document.checks))


def store_text(document: StoreDocument, style: Style = plain) -> str:
    """The rows of a store, or those that were dropped, per table."""
    figures = document.stats if document.collected is None else document.collected
    what = "" if document.collected is None else ", dropped"
    rows = [(printable(name), f"{count:,}") for name, count in sorted((figures or {}).items())]
    title = style(f"{printable(document.url)}{what}", Role.STRONG)
    return _lines(title, *(f"  {line}" for line in _table(rows, left={0})))


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def _revision(revision: str) -> str:
    return f", revision {printable(revision[:12])}" if revision else ""


def _figures(document: ScanDocument | StatusDocument, style: Style) -> Iterator[str]:
    """The lines that scan and status share."""
    counts = document.counts
    changes = f"{counts.added:,} added, {counts.modified:,} modified, {counts.deleted:,} deleted"
    share = _understood(sum((Counter(each) for each in document.coverage.values()), Counter()))
    yield _figure("files", f"{counts.files:,}", _outcomes(counts, document.cache_hit_rate), style)
    yield _figure("changes", f"{_changes(counts):,}", changes, style)
    yield _figure("edges", f"{document.edges:,}", "", style)
    yield _figure("unresolved", f"{document.unresolved:,}", share and f"{share} of all imports understood", style)
    yield _figure("cycles", f"{document.components:,}", "", style)
    yield _figure("affected", f"{document.affected:,}", "", style)


def _figure(label: str, value: str, detail: str, style: Style) -> str:
    figure = f"  {label:<10}  {value:>9}"
    return f"{figure}  {style(detail, Role.DIM)}" if detail else figure


def _outcomes(counts: Counts, cache_hit_rate: float) -> str:
    return (
        f"{counts.analyzed:,} analyzed, {counts.unchanged:,} unchanged, {counts.skipped:,} skipped, "
        f"{counts.failed:,} failed; {counts.cached:,} from the cache ({_percent(cache_hit_rate)})"
    )


def _changes(counts: Counts) -> int:
    return counts.added + counts.modified + counts.deleted


def _total(seconds: Seconds) -> float:
    return math.fsum(value for _, value in _each_phase(seconds))


def _phases(seconds: Seconds) -> str:
    return ", ".join(f"{phase} {value:.2f}" for phase, value in _each_phase(seconds))


def _each_phase(seconds: Seconds) -> list[tuple[str, float]]:
    return [(phase, getattr(seconds, phase)) for phase in Seconds.__struct_fields__]


def _understood(statuses: Mapping[str, int]) -> str:
    """The share of imports that are not unresolved, as percent; empty where there are none."""
    total = sum(statuses.values())
    return _percent((total - statuses.get(Status.UNRESOLVED, 0)) / total) if total else ""


def _percent(share: float) -> str:
    """A share as percent, rounded down: 100 % is said only of all."""
    return f"{math.floor(share * 1000) / 10:.1f} %"


def _problems(problems: Sequence[Problem], style: Style) -> Iterator[str]:
    if problems:
        yield style(_many(len(problems), "problem"), Role.WARN)
    # Manifests first: what is wrong in one concerns many files.
    for each in sorted(problems, key=lambda each: language_of(each.path) is not None)[:_MOST]:
        yield f"  {printable(each.path)}: {printable(each.message)}"
    if len(problems) > _MOST:
        yield f"  and {len(problems) - _MOST:,} more"


def _affected(entry: AffectedEntry, style: Style) -> Iterator[str]:
    reason = str(entry.change or entry.reason)
    if entry.strength is Strength.WEAK:
        reason += ", over weak edges only"
    yield f"{printable(entry.path)}  {style(reason, Role.DIM)}"
    because = _because(entry.because) if entry.because else ""
    if entry.why:
        places = [_place(edge.importer, edge.line) for edge in entry.why]
        chain = f"    {' imports '.join([*places, printable(entry.why[-1].imported)])}"
        yield style(f"{chain}: {because}" if because else chain, Role.DIM)
    elif because and entry.change is None:
        yield style(f"    {because}", Role.DIM)
    if entry.symbols:
        yield f"    {', '.join(_SYMBOLS.get(name) or printable(name) for name in entry.symbols)}"


_SYMBOLS = {"*": "the whole file", "": "(code that runs on loading)"}


def _because(because: Because) -> str:
    """What changed, in words."""
    path, package = printable(because.path), printable(because.package)
    match because.kind:
        case BecauseKind.CHANGED:
            return str(because.change)
        case BecauseKind.CAME:
            return f"resolved otherwise, {path} came"
        case BecauseKind.WENT:
            return f"resolved otherwise, {path} went"
        case BecauseKind.INTERFACE:
            return f"resolved otherwise, {path} has other names"
        case BecauseKind.MANIFEST:
            return f"resolved otherwise, {path} changed"
        case BecauseKind.SETTINGS:
            return "resolved otherwise, the settings changed"
        case BecauseKind.PACKAGE:
            return f"{_through(because)}{package} {_versions(because)} in {path}"
        case BecauseKind.UNKNOWN if because.before or because.after:
            return f"may need {package} {_versions(because)} in {path}, which does not tell who does"
        case BecauseKind.UNKNOWN:
            return f"packages moved in {path}, and {package} may be part of one"
        case BecauseKind.LOCKFILE:
            return f"{path} changed, and what moved in it cannot be told"


def _through(because: Because) -> str:
    return "".join(f"{printable(each)} needs " for each in because.through)


def _versions(because: Because) -> str:
    before, after = printable(because.before), printable(because.after)
    if not before:
        return f"{after} came"
    if not after:
        return f"{before} went"
    return f"{before} with other content" if before == after else f"{before} -> {after}"


def _place(path: str, line: int) -> str:
    """`file:line`; without the line where the configuration, not a text, makes the edge."""
    return f"{printable(path)}:{line}" if line else printable(path)


_GAINS = (ComponentChangeKind.APPEARED, ComponentChangeKind.GREW, ComponentChangeKind.MERGED)


def _component_change(change: ComponentChangeEntry) -> Iterator[str]:
    mark = "~" if change.kind is ComponentChangeKind.CHANGED else "+" if change.kind in _GAINS else "-"
    others = f", with cycle {', '.join(map(str, change.others))}" if change.others else ""
    size = _many(len(change.members), "file")
    yield f"{mark} cycle {change.id} {change.kind}{others}: {size}, {_some(change.members)}"
    if change.kind not in (ComponentChangeKind.APPEARED, ComponentChangeKind.VANISHED):
        for sign, members in (("-", change.left), ("+", change.joined)):
            if members:
                yield f"{sign}     {_some(members)}"
    for sign, edges in (("-", change.ended_by), ("+", change.made_by)):
        yield from (f"{sign}     {_arrow(edge)}" for edge in edges[:_MOST])
        if len(edges) > _MOST:
            yield f"{sign}     and {len(edges) - _MOST:,} more edges"


def _leads_nowhere(entry: OutsideEntry) -> str:
    return f"{_place(entry.importer, entry.line)} -> {printable(entry.specifier)}"


def _component(number: int, component: Component, style: Style) -> Iterator[str]:
    detail = [f"cycle {component.id} since run {component.since}"] if component.id else []
    detail += [] if component.runtime else ["of types only"]
    detail += ["new"] if component.new else []
    said = style(f"  {', '.join(detail)}", Role.WARN if component.new else Role.DIM) if detail else ""
    yield style(f"{number}. {_many(len(component.members), 'file')}", Role.STRONG) + said
    for edge in component.cycle:
        yield f"   {_import(edge, style)}"
    shown = {end for edge in component.cycle for end in (edge.imported, edge.importer, unit_of(edge.importer))}
    others = [member for member in component.members if member not in shown]
    if others:
        yield f"   with {_some(others)}"
    if component.cut:
        names = _many(component.cut_names, "name")
        yield f"   without {_many(len(component.cut), 'import')} of {names} there is no cycle:"
        yield from (f"     {_import(edge, style)}" for edge in component.cut[:_MOST])
        if len(component.cut) > _MOST:
            yield f"     and {len(component.cut) - _MOST:,} more"


def _import(edge: EdgeEntry, style: Style) -> str:
    detail = style(f'({edge.kind}, "{printable(edge.specifier)}")', Role.DIM)
    return f"{_place(edge.importer, edge.line)} imports {printable(edge.imported)}  {detail}"


def _some(paths: Sequence[str]) -> str:
    shown = ", ".join(map(printable, paths[:_MOST]))
    return f"{shown} and {len(paths) - _MOST:,} more" if len(paths) > _MOST else shown


def _grouped(
    files: Iterable[str], edges: Iterable[EdgeEntry], end: Callable[[EdgeEntry], str]
) -> dict[str, list[EdgeEntry]]:
    """Edges by one of their ends; files without any have none."""
    found: defaultdict[str, list[EdgeEntry]] = defaultdict(list, {file: [] for file in files})
    for edge in edges:
        found[end(edge)].append(edge)
    return dict(sorted(found.items()))


def _neighbours(
    found: Mapping[str, Sequence[EdgeEntry]], transitive: bool, other: Callable[[EdgeEntry], str], style: Style
) -> Iterator[str]:
    """Files with their edges; with transitive ones the first edge and its other end are enough."""
    for path, edges in found.items():
        if not edges:
            yield printable(path)
        for edge in edges[: 1 if transitive else None]:
            where = f"line {edge.line}" if edge.line else ""
            words = edge.kind, where, f'"{printable(edge.specifier)}"', other(edge) if transitive else ""
            detail = ", ".join(filter(None, words))
            yield f"{printable(path)}  {style(f'({detail})', Role.DIM)}"


def _outside(entry: OutsideEntry, style: Style) -> str:
    line = f"{_place(entry.importer, entry.line)}  {printable(entry.specifier)}"
    if entry.package:
        return f"{line}  {style(f'package: {printable(entry.package)}', Role.DIM)}"
    return f"{line}  {style(f'looked for: {_some(entry.probed)}', Role.DIM)}" if entry.probed else line


def _declaration(entry: DeclarationEntry, style: Style) -> Iterator[str]:
    name = printable(f"{entry.parent}.{entry.name}" if entry.parent else entry.name)
    hidden = "" if entry.exported else f"  {style('(not exported)', Role.DIM)}"
    yield f"{entry.line:>6}  {entry.kind:<10}  {style(name, Role.STRONG)}{hidden}"
    for use in entry.used_by[:_MOST]:
        yield f"{'':8}used by {_place(use.importer, use.line)}"
    if len(entry.used_by) > _MOST:
        yield f"{'':8}and {len(entry.used_by) - _MOST:,} more"


def _run_cells(run: RunEntry) -> tuple[str, ...]:
    figures = (run.counts.files, _changes(run.counts), run.edges, run.unresolved, run.affected, run.components)
    start = str(run.id), str(run.state), _time(run.started), f"{_total(run.seconds):.2f}"
    return (*start, *(f"{each:,}" for each in figures), printable(run.revision[:12]))


def _time(iso: str | None) -> str:
    return iso[:19].replace("T", " ") if iso else "now"


def _table(rows: Sequence[Sequence[str]], left: set[int]) -> list[str]:
    """The rows with their columns aligned: those in `left` to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = zip(row, widths, strict=True)
        padded = [f"{cell:<{width}}" if i in left else f"{cell:>{width}}" for i, (cell, width) in enumerate(cells)]
        lines.append("  ".join(padded).rstrip())
    return lines


def _arrow(edge: EdgeEntry) -> str:
    return f"{_place(edge.importer, edge.line)} -> {printable(edge.imported)} ({edge.kind})"


def _coverage(coverage: Mapping[str, Mapping[str, int]], style: Style) -> Iterator[str]:
    if not coverage:
        return
    total = sum((Counter(each) for each in coverage.values()), Counter[str]())
    rows = [(printable(language), *_shares(found)) for language, found in sorted(coverage.items())]
    rows += [("all", *_shares(total))] if len(coverage) > 1 else []
    heading, *lines = _table([("imports of", *map(str, _STATUSES), "understood"), *rows], left={0})
    yield style(heading, Role.STRONG)
    yield from lines
    if total[Status.UNRESOLVED]:
        yield style("`weft unresolved` lists the unresolved ones with the paths that were looked for", Role.DIM)


def _shares(found: Mapping[str, int]) -> tuple[str, ...]:
    """How many imports ended in each way, with their share, and the share of all that are not unresolved."""
    total = sum(found.values())
    counts = (found.get(status, 0) for status in _STATUSES)
    return (*(f"{count:,} {_share(count, total):>8}" for count in counts), _understood(found))


def _share(count: int, total: int) -> str:
    """Percent, rounded; 0.0 % is said only of nothing, and 100.0 % only of all."""
    thousandths = round(count * 1000 / total) if total else 0
    if count and not thousandths:
        return "< 0.1 %"
    return f"{(min(thousandths, 999) if count < total else thousandths) / 10:.1f} %"


def _skipped(reasons: Mapping[str, int], style: Style) -> Iterator[str]:
    if not reasons:
        return
    yield style(f"{_many(sum(reasons.values()), 'file')} skipped", Role.STRONG)
    for reason, count in sorted(reasons.items()):
        yield f"  {printable(reason)}: {count:,}"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
