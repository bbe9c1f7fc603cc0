"""The end of a run, the same for every executor: whoever calls it, however often, publishes the same graph."""

import dataclasses
import time
from collections import ChainMap, Counter, defaultdict
from collections.abc import Collection, Mapping

import msgspec
from msgspec.structs import replace

from weft_storage.backends import Store
from weft_storage.model.edges import Edge, Outside, Status
from weft_storage.model.facts import EdgeKind
from weft_storage.model.files import BAD_LINKS, ChangeKind, FileRecord, FileStatus
from weft_storage.model.runs import ImporterRow, Problem, Publication, Run, RunState
from weft_storage.model.states import STATE_NAMES, Components, Inputs, Lineage, Names, encode_state
from weft_tasks.finalize.analysis import affected, components
from weft_tasks.finalize.causes import Questions, causes
from weft_tasks.finalize.graphs import FileGraph, from_rows, from_stored, union, without
from weft_tasks.finalize.lineage import first_lineage, next_lineage
from weft_tasks.finalize.merge import Known, Merged, Scanned, is_analyzed, merge
from weft_tasks.finalize.packages import importers_of_moved, package_files, remember_locks
from weft_tasks.finalize.states import load_state
from weft_tasks.finalize.watching import Clock, Progress


def load_known(store: Store, project: str, *, anew: bool = False) -> Known:
    """The published graph's side of a merge; with `anew` nothing of it is used but to tell what changed."""
    published = store.published(project)
    return Known(
        records={record.path: record for record in store.files(project)},
        names=load_state(store, project, Names),
        inputs=Inputs() if anew else load_state(store, project, Inputs),
        coverage=published.coverage if published else {},
    )


def finalize(
    store: Store,
    run: Run,
    known: Known,
    scanned: Scanned,
    progress: Progress,
) -> Run:
    """Publish what a run found; gives the run as it was published.

    Everything but `run`'s phases and counts is a function of (known, scanned): two runs over equal repositories
    publish equal graphs, whatever their stores knew before.
    """
    clock = Clock(run.seconds)
    with clock.phase("resolve"):
        progress.begin("resolve")
        merged = merge(store, run.project, known, scanned, progress.advance)
        gone = sorted(path for path, record in known.records.items() if _left(record, scanned.records.get(path)))
        before = _rows(store, run.project, {*merged.rows, *gone} if known.records else ())
    with clock.phase("analyze"):
        rewired = {path for path, row in merged.rows.items() if row.edges != before[path].edges}
        old = from_stored(store.graph(run.project))
        new = union(without(old, {*rewired, *gone}), from_rows(merged.rows[path] for path in sorted(rewired)))
        packages = package_files(scanned.names.paths, scanned.records.values())
        records = _with_inputs(scanned, merged.inputs, new, packages)
        records |= remember_locks(store, packages, known.records, records, scanned.read)
        changes = file_changes(known, records, frozenset(scanned.names.paths))
        elsewhere = {path for path in rewired if _leads_elsewhere(before[path], merged.rows[path])} - changes.keys()
        importers = importers_of_moved(store, run.project, changes, known.records, records, merged.rows)
        found = affected(
            old=old,
            new=new,
            files={*records, *known.records},
            changes=changes,
            resolved_anew=causes(elsewhere, before, merged.rows, _questions(known, scanned, merged, changes)),
            importers=importers.strong,
            weak_importers=importers.weak,
        )
        same_graph = not rewired and not gone and known.records
        cyclic = load_state(store, run.project, Components).components if same_graph else components(new)
    with clock.phase("merge"):
        coverage = _coverage(known, before, merged.rows, records)
        failed = any(record.status is FileStatus.FAILED for record in records.values())
        run = replace(
            run,
            state=RunState.INCOMPLETE if failed else RunState.PUBLISHED,
            counts=run.counts | _count(known, records, changes) | {"resolved": len(merged.rows)},
            edges=len(new.importers),
            unresolved=sum(each[Status.UNRESOLVED.value] for each in coverage.values()),
            affected=len(found.files),
            components=len(cyclic),
            coverage=coverage,
            problems=_problems(records, merged.inputs),
        )
        # Names and inputs are large and mostly stay; what a publication leaves out is kept.
        states: list[msgspec.Struct] = [found]
        if scanned.names != known.names:
            states.append(scanned.names)
        if merged.inputs != known.inputs:
            states.append(merged.inputs)
        if not same_graph:
            states.append(Components(cyclic))
        states += _lineage(store, run, cyclic)
        publication = Publication(
            run=run,
            files=[record for path, record in sorted(records.items()) if record != known.records.get(path)],
            removed_files=sorted(known.records.keys() - records.keys()),
            rows=[row for _, row in sorted(merged.rows.items())],
            removed_rows=gone,
            states={STATE_NAMES[type(state)]: encode_state(state) for state in states},
        )
    return _publish(store, publication, clock)


def _lineage(store: Store, run: Run, cyclic: Collection[tuple[str, ...]]) -> list[Lineage]:
    """The identities of the components, if they are others than before.

    A run that is not complete lacks edges: what seems to have vanished in it may be there again in the next.
    """
    before = load_state(store, run.project, Lineage)
    known = before
    if not known.next_id:
        published = store.published(run.project)
        earlier = load_state(store, run.project, Components).components if published else cyclic
        known = first_lineage(earlier, published.id if published else run.id)
    now = known if run.state is RunState.INCOMPLETE else next_lineage(known, cyclic, run.id)
    return [now] if now != before else []


def file_changes(known: Known, records: Mapping[str, FileRecord], paths: Collection[str]) -> dict[str, ChangeKind]:
    """How files differ from the published run, by content.

    A file that merely became an input of the graph, or ceased to be one, has not changed.
    """
    changes = {}
    known_paths = frozenset(known.names.paths)
    for path in sorted({*known.records, *records}):
        before, after = known.records.get(path), records.get(path)
        if after is None:
            if path not in paths:
                changes[path] = ChangeKind.DELETED
        elif before is None:
            if after.status is not FileStatus.INPUT or path not in known_paths:
                changes[path] = ChangeKind.ADDED
        elif before.content.digest != after.content.digest or before.status is not after.status:
            changes[path] = ChangeKind.MODIFIED
    return changes


def _left(before: FileRecord, after: FileRecord | None) -> bool:
    """Whether a file that had imports has none any more: deleted, skipped or failed."""
    return is_analyzed(before) and not is_analyzed(after)


def _rows(store: Store, project: str, importers: Collection[str]) -> defaultdict[str, ImporterRow]:
    """The published rows of some importers, without their reads; empty ones where there are none."""
    edges: defaultdict[str, list[Edge]] = defaultdict(list)
    outside: defaultdict[str, list[Outside]] = defaultdict(list)
    if importers:
        for edge in store.edges(project, importers):
            edges[edge.importer].append(edge)
        for each in store.outside(project, importers):
            outside[each.importer].append(each)
    rows: defaultdict[str, ImporterRow] = defaultdict(lambda: ImporterRow(""))
    for path in importers:
        rows[path] = ImporterRow(path, tuple(edges[path]), tuple(outside[path]))
    return rows


def _leads_elsewhere(before: ImporterRow, after: ImporterRow) -> bool:
    return {(e.imported, e.kind) for e in before.edges} != {(e.imported, e.kind) for e in after.edges}


def _questions(known: Known, scanned: Scanned, merged: Merged, changes: Mapping[str, ChangeKind]) -> Questions:
    """What is answered otherwise than in the published run."""
    families = {*known.inputs.projects, *merged.inputs.projects}
    manifests = {
        family: {
            path
            for inputs in (known.inputs, merged.inputs)
            if family in inputs.projects
            for path in inputs.projects[family].manifests
        }
        for family in families
    }
    return Questions(merged.keys, frozenset(known.names.paths), frozenset(scanned.names.paths), changes, manifests)


def _with_inputs(
    scanned: Scanned, inputs: Inputs, graph: FileGraph, packages: Collection[str]
) -> dict[str, FileRecord]:
    """The records of the run: source files, and as inputs the manifests, the lockfiles and the other files that edges
    lead to."""
    sources = {path: record for path, record in scanned.records.items() if record.status is not FileStatus.INPUT}
    manifests = {path for project in inputs.projects.values() for path in project.manifests}
    targets = {graph.names[node] for node in set(graph.imported.tolist())}
    paths = frozenset(scanned.names.paths)
    wanted = {path for path in manifests.union(targets, packages) if path in paths and path not in sources}
    records = sources | {path: scanned.records[path] for path in wanted if path in scanned.records}
    return records | dict(scanned.identify(sorted(wanted - records.keys())))


def _coverage(
    known: Known,
    before: Mapping[str, ImporterRow],
    after: Mapping[str, ImporterRow],
    records: Mapping[str, FileRecord],
) -> dict[str, dict[str, int]]:
    """Edges and outside imports per language and status: those known, less the replaced rows, plus the new ones."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    # Where all is resolved anew, nothing is taken over: an earlier program may have counted otherwise.
    if len(after) < sum(map(is_analyzed, records.values())):
        for language, statuses in known.coverage.items():
            counts[language].update(statuses)
        for path, row in before.items():
            if path in known.records:
                counts[_language(known.records[path])].subtract(_statuses(row))
    for path, row in after.items():
        counts[_language(records[path])].update(_statuses(row))
    return {
        language: {status.value: counts[language][status.value] for status in Status}
        for language in sorted(counts)
        if any(counts[language].values())
    }


def _language(record: FileRecord) -> str:
    return record.language.value if record.language else ""


def _statuses(row: ImporterRow) -> Counter[str]:
    """How the imports of a file ended; a package that is executed on the way to another is none of them."""
    found = Counter(each.status.value for each in row.outside)
    named = [edge for edge in row.edges if edge.kind is not EdgeKind.ANCESTOR]
    ambiguous = sum(edge.ambiguous for edge in named)
    found[Status.AMBIGUOUS.value] = ambiguous
    found[Status.RESOLVED.value] = len(named) - ambiguous
    return found


def _count(known: Known, records: Mapping[str, FileRecord], changes: Mapping[str, ChangeKind]) -> dict[str, int]:
    """Changed source files by kind of change; inputs of the graph (manifests, assets) apart."""
    both = ChainMap(dict(records), dict(known.records))
    sources = Counter(kind.value for path, kind in changes.items() if both[path].status is not FileStatus.INPUT)
    inputs = sum(record.status is FileStatus.INPUT for record in records.values())
    found = {kind.value: sources[kind.value] for kind in ChangeKind}
    return found | {"inputs": inputs, "inputs_changed": len(changes) - sources.total()}


def _problems(records: Mapping[str, FileRecord], inputs: Inputs) -> tuple[Problem, ...]:
    """What a person should know: files that could not be read, source and manifests not as intended."""
    unread = (FileStatus.FAILED, FileStatus.INPUT)
    told = {path: each for path, each in records.items() if each.status in unread or each.reason in BAD_LINKS}
    found = {Problem(path, each.reason) for path, each in told.items() if each.reason}
    found |= {Problem(path, each) for path, record in records.items() for each in record.problems}
    found |= {Problem(path, each) for project in inputs.projects.values() for path, each in project.problems}
    found |= {Problem(path, each) for path, told in inputs.escapes.items() for each in told}
    return tuple(sorted(found))


def _publish(store: Store, publication: Publication, clock: Clock) -> Run:
    """Publish, with the times that are known just before: the publication holds the record of its own run."""
    run = replace(publication.run, finished=time.time(), seconds=clock.seconds)
    with clock.phase("merge"):
        store.publish(dataclasses.replace(publication, run=run))
    return replace(run, seconds=clock.seconds)
