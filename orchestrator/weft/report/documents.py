"""Documents: what each command's `--format json` writes. Knows neither how they are found nor where they go.

Fields are written in the order they have here, all of them, always. A document's functions sort whatever has no order
of its own, so that equal findings are equal text. Paths may hold bytes that are not UTF-8, as surrogate escapes;
in JSON they are `\\udcXX`.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

import msgspec

from weft_storage.model.edges import Edge, Outside, Status
from weft_storage.model.facts import Declaration, DeclarationKind, EdgeKind, Strength, strength_of
from weft_storage.model.files import ChangeKind, FileRecord, FileStatus
from weft_storage.model.history import ComponentChange, ComponentChangeKind, GraphDiff
from weft_storage.model.languages import Family
from weft_storage.model.runs import Problem, Run, RunState
from weft_storage.model.states import AffectedFile, Cause, CauseKind
from weft_storage.model.work import WorkProgress

Time: TypeAlias = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""ISO 8601, UTC, milliseconds."""


class EdgeEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An edge: the importer names the imported file (for Go, the package's directory) in its text.

    `line` is the first such line, counted from 1; 0 where no text shows the edge (the configuration adds it).
    """

    importer: str
    imported: str
    kind: EdgeKind
    strength: Strength
    line: int
    specifier: str
    names: tuple[str, ...]


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Source files of a run: all of them, what became of them, and how they differ from the last published run.

    `inputs` are the other files that the graph depends on: manifests, and whatever else an edge leads to. `resolved`
    are the files whose imports were resolved by this run; the edges of all others were taken over as they were.
    """

    files: int = 0
    analyzed: int = 0
    unchanged: int = 0
    cached: int = 0
    skipped: int = 0
    failed: int = 0
    added: int = 0
    modified: int = 0
    deleted: int = 0
    inputs: int = 0
    inputs_changed: int = 0
    resolved: int = 0


class Seconds(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds of a run, per phase."""

    snapshot: float = 0.0
    diff: float = 0.0
    extract: float = 0.0
    resolve: float = 0.0
    merge: float = 0.0
    analyze: float = 0.0


class Finding(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Something that `--fail-on` asked for and that is there; `kind` is one of its words (cycles, unresolved, …)."""

    kind: str
    message: str


class ScanDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What `weft scan` did and found. `cache_hit_rate` is 0 to 1; `coverage` counts imports per language and status."""

    schema: Literal["weft/scan/1"] = "weft/scan/1"
    run: int
    project: str
    root: str
    revision: str
    status: RunState
    counts: Counts
    edges: int
    unresolved: int
    affected: int
    components: int
    cache_hit_rate: float
    seconds: Seconds
    coverage: dict[str, dict[str, int]]
    problems: tuple[Problem, ...]
    findings: tuple[Finding, ...]


class BecauseKind(StrEnum):
    """What kind of thing changed."""

    CHANGED = "changed"
    CAME = "came"
    WENT = "went"
    INTERFACE = "interface"
    MANIFEST = "manifest"
    SETTINGS = "settings"
    PACKAGE = "package"
    UNKNOWN = "unknown"
    LOCKFILE = "lockfile"


class Reason(StrEnum):
    """Why a file is affected: changed itself, its imports lead elsewhere now, a package that it imports moved, or it
    depends on such a file."""

    CHANGED = "changed"
    RESOLVED_ANEW = "resolved-anew"
    PACKAGE = "package"
    DEPENDENT = "dependent"


class Because(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """What changed at the end of a chain.

    `changed` is the file itself (`change`). `came`, `went`: a path that imports of the file ask for. `interface`: a
    file on the way to what it imports has other names. `manifest`, `settings`: a manifest says otherwise where imports
    lead, or the configuration of the analysis does. `package`: `package` moved from version `before` to `after` (""
    where there was or is none; equal where its content alone is another); `through` are the packages that lead to it,
    from the one that the file imports. `unknown`: `package` may have moved, or may be needed; nothing in the repository
    tells. `lockfile`: it cannot be told what moved. `path` is the file that came, went, changed or tells.
    """

    kind: BecauseKind
    path: str
    change: ChangeKind | None
    package: str
    before: str
    after: str
    through: tuple[str, ...]


class AffectedEntry(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """An affected file. `strength` is weak where only weak edges lead to it, or only types moved.

    `why`, where it was asked for, is a shortest chain of edges from the file to one that is affected by itself;
    `because` is what changed there, null for a dependent where it was not asked for. `symbols`, null where it was not
    asked for, are the affected top-level declarations, "" for the code between them; `*` alone is the whole file.
    """

    path: str
    change: ChangeKind | None
    reason: Reason
    strength: Strength
    why: tuple[EdgeEntry, ...]
    because: Because | None
    symbols: tuple[str, ...] | None


class AffectedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The files that a change affects, sorted by path: those changed and all that depend on them."""

    schema: Literal["weft/affected/1"] = "weft/affected/1"
    project: str
    run: int
    files: tuple[AffectedEntry, ...]


class OrderEntry(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One step of an order: a file or a Go package, or all members of a cycle together."""

    members: tuple[str, ...]


class OrderDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Dependencies before dependents: every entry depends on entries of earlier levels only."""

    schema: Literal["weft/order/1"] = "weft/order/1"
    project: str
    run: int
    levels: tuple[tuple[OrderEntry, ...], ...]


class Component(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Files that all depend on each other, sorted, and one shortest cycle among them, edge by edge.

    `id` names the component in all runs that know it, of which `since` was the first. `new` says that it was not
    accepted, or has more members than were; `runtime` that not only imports of types make it. `cut` is a light set of
    edges without which it has no cycle, `cut_names` how many names they import.
    """

    members: tuple[str, ...]
    cycle: tuple[EdgeEntry, ...]
    id: int
    since: int
    new: bool
    runtime: bool
    cut: tuple[EdgeEntry, ...]
    cut_names: int


class CyclesDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The cyclic components, sorted by their first member; with `runtime`, imports of types alone do not count."""

    schema: Literal["weft/cycles/1"] = "weft/cycles/1"
    project: str
    run: int
    runtime: bool
    components: tuple[Component, ...]


class DepsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What a file depends on: the files, sorted, and the edges that lead to them, sorted."""

    schema: Literal["weft/deps/1"] = "weft/deps/1"
    project: str
    run: int
    file: str
    transitive: bool
    files: tuple[str, ...]
    edges: tuple[EdgeEntry, ...]


class DependentsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What depends on a file: the files, sorted, and the edges that lead from them, sorted."""

    schema: Literal["weft/dependents/1"] = "weft/dependents/1"
    project: str
    run: int
    file: str
    transitive: bool
    files: tuple[str, ...]
    edges: tuple[EdgeEntry, ...]


class WhyDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A shortest path from one file to another, edge by edge; empty where there is none."""

    schema: Literal["weft/why/1"] = "weft/why/1"
    project: str
    run: int
    importer: str
    imported: str
    found: bool
    path: tuple[EdgeEntry, ...]


class OutsideEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An import that leads to nothing in the repository: external (`package`) or unresolved (`probed`, in order)."""

    importer: str
    line: int
    specifier: str
    status: Status
    kind: EdgeKind
    names: tuple[str, ...]
    package: str
    probed: tuple[str, ...]


class UnresolvedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The imports that resolve to nothing in the repository, sorted by file and line."""

    schema: Literal["weft/unresolved/1"] = "weft/unresolved/1"
    project: str
    run: int
    imports: tuple[OutsideEntry, ...]


class Use(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A place that uses a declaration."""

    importer: str
    line: int


class DeclarationEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A declaration of a file, and the importers that take its name, sorted. Lines count from 1, both inclusive."""

    name: str
    kind: DeclarationKind
    parent: str
    line: int
    end_line: int
    exported: bool
    used_by: tuple[Use, ...]


class SymbolsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The declarations of a file, in source order."""

    schema: Literal["weft/symbols/1"] = "weft/symbols/1"
    project: str
    run: int
    file: str
    declarations: tuple[DeclarationEntry, ...]


class ExportDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The whole graph: its files, sorted, and its edges, sorted by importer, imported, kind and line."""

    schema: Literal["weft/export/1"] = "weft/export/1"
    project: str
    run: int
    files: tuple[str, ...]
    edges: tuple[EdgeEntry, ...]


class RunEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a project. `finished` is null while it runs, and for one that was killed."""

    id: int
    state: RunState
    started: Time
    finished: Time | None
    revision: str
    counts: Counts
    edges: int
    unresolved: int
    affected: int
    components: int
    seconds: Seconds
    error: str


class RunsDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of a project, newest first."""

    schema: Literal["weft/runs/1"] = "weft/runs/1"
    project: str
    runs: tuple[RunEntry, ...]


class FileChange(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A file that differs between two runs."""

    path: str
    change: ChangeKind


class PackageEntry(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A package outside the repository that files of a language family import."""

    family: Family
    name: str


class ComponentChangeEntry(msgspec.Struct, frozen=True, kw_only=True):
    """How one cyclic component differs between two runs; `members` are those of the newer run, or of the last with any.

    `others` are the ids of components whose members it took in, or that took in its own. `made_by` are the edges within
    it that are new (each lies on a cycle), `ended_by` those within the older one that are gone.
    """

    id: int
    kind: ComponentChangeKind
    members: tuple[str, ...]
    joined: tuple[str, ...]
    left: tuple[str, ...]
    others: tuple[int, ...]
    made_by: tuple[EdgeEntry, ...]
    ended_by: tuple[EdgeEntry, ...]


class DiffDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between the graphs of two runs, everything sorted.

    An edge is the same as long as importer, imported and kind are, an unresolved import as long as importer, specifier
    and kind are. A component stays itself while it grows, shrinks or loses parts.
    """

    schema: Literal["weft/diff/1"] = "weft/diff/1"
    project: str
    old: int
    new: int
    files: tuple[FileChange, ...]
    added_edges: tuple[EdgeEntry, ...]
    removed_edges: tuple[EdgeEntry, ...]
    added_packages: tuple[PackageEntry, ...]
    removed_packages: tuple[PackageEntry, ...]
    added_unresolved: tuple[OutsideEntry, ...]
    removed_unresolved: tuple[OutsideEntry, ...]
    components: tuple[ComponentChangeEntry, ...]


class SkippedFile(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A file that was left out by rule, and by which."""

    path: str
    reason: str


class ProgressEntry(msgspec.Struct, frozen=True, kw_only=True):
    """How far the batches of a distributed run are; `workers` hold or held one, nothing moved for `idle` seconds."""

    batches: int
    open_batches: int
    files: int
    files_done: int
    failures: int
    workers: tuple[str, ...]
    idle: float


class StatusDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A run, the last published one unless another was asked for: how far it got, how well it understood the files.

    `error` says why a run failed or was cancelled; `progress` is null but for a distributed run under way.
    """

    schema: Literal["weft/status/1"] = "weft/status/1"
    project: str
    run: int
    root: str
    revision: str
    status: RunState
    started: Time
    finished: Time | None
    counts: Counts
    edges: int
    unresolved: int
    affected: int
    components: int
    cache_hit_rate: float
    coverage: dict[str, dict[str, int]]
    skipped: tuple[SkippedFile, ...]
    problems: tuple[Problem, ...]
    error: str
    progress: ProgressEntry | None


class DifferenceKind(StrEnum):
    """How the store differs from a rebuild: it lacks a thing, has one too many, or has another in its place."""

    MISSING = "missing"
    UNEXPECTED = "unexpected"
    DIFFERENT = "different"


class DifferenceSubject(StrEnum):
    """What differs: the record of a file, its facts, an edge, an import that leads outside, or what sums them up."""

    EDGE = "edge"
    FILE = "file"
    FACTS = "facts"
    OUTSIDE = "outside"
    COMPONENT = "component"
    COVERAGE = "coverage"
    PROBLEM = "problem"


class Difference(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One difference between the store and what was made from zero: `detail` names the thing, `file` whose it is
    (empty where it is nobody's). Of what is stored and of what is right, only that in which they differ."""

    kind: DifferenceKind
    what: DifferenceSubject
    detail: str
    file: str = ""
    stored: tuple[str, ...] = ()
    right: tuple[str, ...] = ()


class SampleEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A sample of so many source files; the same seed chooses the same ones again."""

    files: int
    of: int
    seed: int


class VerifyDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Whether what is stored equals what is made from zero, and in what it does not; `sample` where that is not all."""

    schema: Literal["weft/verify/1"] = "weft/verify/1"
    project: str
    run: int
    equal: bool
    differences: tuple[Difference, ...]
    sample: SampleEntry | None = None


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the program needs, and whether it is there; `detail` says what was seen or what to do."""

    name: str
    ok: bool
    detail: str


class DoctorDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The checks of `weft doctor`, in the order they were made."""

    schema: Literal["weft/doctor/1"] = "weft/doctor/1"
    checks: tuple[Check, ...]


class StoreDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A store: `stats` are rows per table and `bytes`; `collected` are the rows that were dropped per table.

    `url` holds no password. Whichever of the two was not asked for is null.
    """

    schema: Literal["weft/store/1"] = "weft/store/1"
    url: str
    stats: dict[str, int] | None = None
    collected: dict[str, int] | None = None


DOCUMENTS: Mapping[str, type[msgspec.Struct]] = {
    "affected": AffectedDocument,
    "cycles": CyclesDocument,
    "dependents": DependentsDocument,
    "deps": DepsDocument,
    "diff": DiffDocument,
    "doctor": DoctorDocument,
    "export": ExportDocument,
    "order": OrderDocument,
    "runs": RunsDocument,
    "scan": ScanDocument,
    "status": StatusDocument,
    "store": StoreDocument,
    "symbols": SymbolsDocument,
    "unresolved": UnresolvedDocument,
    "verify": VerifyDocument,
    "why": WhyDocument,
}
"""The document of each command."""


def to_json(document: msgspec.Struct, indent: int = 2) -> str:
    """A document (or part of one) as JSON in ASCII, with a final newline.

    Keys stand as in the struct, those of dictionaries are sorted. An `indent` of 0 means one line.
    """
    # msgspec encodes faster, but refuses the surrogate escapes of paths; json writes them as \udcXX.
    return json.dumps(msgspec.to_builtins(document, order="deterministic"), indent=indent or None) + "\n"


def edge_entry(edge: Edge) -> EdgeEntry:
    """An edge as documents show it."""
    return EdgeEntry(
        importer=edge.importer,
        imported=edge.imported,
        kind=edge.kind,
        strength=strength_of(edge.kind),
        line=edge.line,
        specifier=edge.specifier,
        names=edge.names,
    )


def scan_document(run: Run, findings: Iterable[Finding] = ()) -> ScanDocument:
    """The document of a run that ended."""
    return ScanDocument(
        run=run.id,
        project=run.project,
        root=run.root,
        revision=run.revision,
        status=run.state,
        counts=_counts(run),
        edges=run.edges,
        unresolved=run.unresolved,
        affected=run.affected,
        components=run.components,
        cache_hit_rate=run.cache_hit_rate,
        seconds=_seconds(run),
        coverage=run.coverage,
        problems=tuple(sorted(run.problems)),
        findings=tuple(sorted(findings)),
    )


def affected_entry(
    file: AffectedFile,
    *,
    weak: bool,
    why: Iterable[Edge] = (),
    seed: AffectedFile | None = None,
    symbols: Iterable[str] | None = None,
) -> AffectedEntry:
    """An affected file; `why` leads from it to `seed`, a file that is affected by itself."""
    return AffectedEntry(
        path=file.path,
        change=file.change,
        reason=_reason(file),
        strength=Strength.WEAK if weak else Strength.STRONG,
        why=_in_order(why),
        because=_because(file) or (_because(seed) if seed else None),
        symbols=None if symbols is None else tuple(sorted(symbols)),
    )


def _reason(file: AffectedFile) -> Reason:
    if file.change is not None:
        return Reason.CHANGED
    if file.resolved_anew:
        return Reason.RESOLVED_ANEW
    return Reason.PACKAGE if file.cause else Reason.DEPENDENT


def _because(file: AffectedFile) -> Because | None:
    """What changed at a file that is affected by itself; None where it is not, or where that was not recorded."""
    if not file.change and not file.cause:
        return None
    cause = Cause(CauseKind.SETTINGS) if file.change or not file.cause else file.cause
    return Because(
        kind=BecauseKind.CHANGED if file.change else BecauseKind(cause.kind),
        path=file.path if file.change else cause.path,
        change=file.change,
        package=cause.package,
        before=cause.before,
        after=cause.after,
        through=cause.through,
    )


def affected_document(project: str, run: int, files: Iterable[AffectedEntry]) -> AffectedDocument:
    """The document of affected files."""
    return AffectedDocument(project=project, run=run, files=tuple(sorted(files, key=lambda each: each.path)))


def order_document(project: str, run: int, levels: Iterable[Iterable[Iterable[str]]]) -> OrderDocument:
    """The document of an order: levels of components of members."""
    return OrderDocument(
        project=project,
        run=run,
        levels=tuple(tuple(sorted(OrderEntry(members=tuple(sorted(each))) for each in level)) for level in levels),
    )


def component(
    members: Iterable[str],
    cycle: Iterable[Edge],
    *,
    id: int = 0,
    since: int = 0,
    new: bool = False,
    runtime: bool = True,
    cut: Iterable[Edge] = (),
    cut_names: int = 0,
) -> Component:
    """A component, the edges of one of its cycles, in order, and those that could be cut."""
    return Component(
        members=tuple(sorted(members)),
        cycle=_in_order(cycle),
        id=id,
        since=since,
        new=new,
        runtime=runtime,
        cut=_in_order(cut),
        cut_names=cut_names,
    )


def cycles_document(project: str, run: int, components: Iterable[Component], *, runtime: bool) -> CyclesDocument:
    """The document of cyclic components."""
    ordered = tuple(sorted(components, key=lambda each: each.members))
    return CyclesDocument(project=project, run=run, runtime=runtime, components=ordered)


def deps_document(
    project: str, run: int, file: str, files: Iterable[str], edges: Iterable[Edge], *, transitive: bool
) -> DepsDocument:
    """The document of what a file depends on."""
    return DepsDocument(
        project=project,
        run=run,
        file=file,
        transitive=transitive,
        files=tuple(sorted(files)),
        edges=_in_order(sorted(edges)),
    )


def dependents_document(
    project: str, run: int, file: str, files: Iterable[str], edges: Iterable[Edge], *, transitive: bool
) -> DependentsDocument:
    """The document of what depends on a file."""
    return DependentsDocument(
        project=project,
        run=run,
        file=file,
        transitive=transitive,
        files=tuple(sorted(files)),
        edges=_in_order(sorted(edges)),
    )


def why_document(project: str, run: int, *, importer: str, imported: str, path: Iterable[Edge] | None) -> WhyDocument:
    """The document of a path between two files; None where there is no path."""
    return WhyDocument(
        project=project,
        run=run,
        importer=importer,
        imported=imported,
        found=path is not None,
        path=_in_order(path or ()),
    )


def outside_entry(outside: Outside) -> OutsideEntry:
    """An import that leads out of the repository, as documents show it."""
    return OutsideEntry(
        importer=outside.importer,
        line=outside.line,
        specifier=outside.specifier,
        status=outside.status,
        kind=outside.kind,
        names=outside.names,
        package=outside.package,
        probed=outside.probed,
    )


def unresolved_document(project: str, run: int, imports: Iterable[Outside]) -> UnresolvedDocument:
    """The document of imports that resolve to nothing in the repository."""
    return UnresolvedDocument(project=project, run=run, imports=tuple(map(outside_entry, sorted(imports))))


def declaration_entry(declaration: Declaration, used_by: Iterable[Use]) -> DeclarationEntry:
    """A declaration and its uses, as documents show them."""
    return DeclarationEntry(
        name=declaration.name,
        kind=declaration.kind,
        parent=declaration.parent,
        line=declaration.line,
        end_line=declaration.end_line,
        exported=declaration.exported,
        used_by=tuple(sorted(used_by)),
    )


def symbols_document(project: str, run: int, file: str, declarations: Iterable[DeclarationEntry]) -> SymbolsDocument:
    """The document of a file's declarations, which come in source order."""
    return SymbolsDocument(project=project, run=run, file=file, declarations=tuple(declarations))


def export_document(project: str, run: int, files: Iterable[str], edges: Iterable[Edge]) -> ExportDocument:
    """The document of a whole graph."""
    return ExportDocument(project=project, run=run, files=tuple(sorted(files)), edges=_in_order(sorted(edges)))


def runs_document(project: str, runs: Iterable[Run]) -> RunsDocument:
    """The document of a project's runs."""
    newest_first = sorted(runs, key=lambda run: run.id, reverse=True)
    return RunsDocument(project=project, runs=tuple(map(_run_entry, newest_first)))


def diff_document(project: str, *, old: int, new: int, diff: GraphDiff) -> DiffDocument:
    """The document of the differences between two runs."""
    return DiffDocument(
        project=project,
        old=old,
        new=new,
        files=tuple(FileChange(path=path, change=change) for path, change in sorted(diff.files.items())),
        added_edges=_in_order(diff.added_edges),
        removed_edges=_in_order(diff.removed_edges),
        added_packages=tuple(PackageEntry(family=each.family, name=each.name) for each in diff.added_packages),
        removed_packages=tuple(PackageEntry(family=each.family, name=each.name) for each in diff.removed_packages),
        added_unresolved=tuple(map(outside_entry, diff.added_unresolved)),
        removed_unresolved=tuple(map(outside_entry, diff.removed_unresolved)),
        components=tuple(map(_component_change, diff.components)),
    )


def _component_change(change: ComponentChange) -> ComponentChangeEntry:
    return ComponentChangeEntry(
        id=change.id,
        kind=change.kind,
        members=change.members,
        joined=change.joined,
        left=change.left,
        others=change.others,
        made_by=_in_order(change.made_by),
        ended_by=_in_order(change.ended_by),
    )


def status_document(run: Run, files: Iterable[FileRecord] = (), progress: WorkProgress | None = None) -> StatusDocument:
    """The document of a run; `files` are its records, of which the skipped ones are shown."""
    skipped = (SkippedFile(path=each.path, reason=each.reason) for each in files if each.status is FileStatus.SKIPPED)
    return StatusDocument(
        project=run.project,
        run=run.id,
        root=run.root,
        revision=run.revision,
        status=run.state,
        started=utc(run.started),
        finished=utc(run.finished) if run.finished else None,
        counts=_counts(run),
        edges=run.edges,
        unresolved=run.unresolved,
        affected=run.affected,
        components=run.components,
        cache_hit_rate=run.cache_hit_rate,
        coverage=run.coverage,
        skipped=tuple(sorted(skipped)),
        problems=tuple(sorted(run.problems)),
        error=run.error,
        progress=_progress(progress) if progress else None,
    )


def _progress(progress: WorkProgress) -> ProgressEntry:
    return ProgressEntry(
        batches=progress.batches,
        open_batches=progress.open_batches,
        files=progress.files,
        files_done=progress.files_done,
        failures=progress.failures,
        workers=tuple(sorted(progress.workers)),
        idle=round(progress.idle, 3),
    )


def verify_document(
    project: str, run: int, differences: Iterable[Difference], *, sample: SampleEntry | None = None
) -> VerifyDocument:
    """The document of a verification, of the whole graph or of a sample; without differences they are equal."""
    found = tuple(sorted(differences, key=lambda each: (each.file, each.what, each.detail, each)))
    return VerifyDocument(project=project, run=run, equal=not found, differences=found, sample=sample)


def doctor_document(checks: Iterable[Check]) -> DoctorDocument:
    """The document of the checks, in the order they were made."""
    return DoctorDocument(checks=tuple(checks))


def utc(seconds: float) -> str:
    """A time in seconds since the epoch as ISO 8601 in UTC: `2026-01-31T02:00:00.000Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _in_order(edges: Iterable[Edge]) -> tuple[EdgeEntry, ...]:
    return tuple(map(edge_entry, edges))


def _run_entry(run: Run) -> RunEntry:
    return RunEntry(
        id=run.id,
        state=run.state,
        started=utc(run.started),
        finished=utc(run.finished) if run.finished else None,
        revision=run.revision,
        counts=_counts(run),
        edges=run.edges,
        unresolved=run.unresolved,
        affected=run.affected,
        components=run.components,
        seconds=_seconds(run),
        error=run.error,
    )


def _counts(run: Run) -> Counts:
    return Counts(**{name: run.counts.get(name, 0) for name in Counts.__struct_fields__})


def _seconds(run: Run) -> Seconds:
    return Seconds(**{name: run.seconds.get(name, 0.0) for name in Seconds.__struct_fields__})
