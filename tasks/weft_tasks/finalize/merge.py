"""Merging: which importers must be resolved again, and what their imports come to now. Writes nothing."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from weft_storage.backends import Part, Store
from weft_storage.model.errors import StoreUnavailable
from weft_storage.model.files import FileRecord, FileStatus
from weft_storage.model.languages import Family, family_of, language_of
from weft_storage.model.runs import ImporterRow
from weft_storage.model.settings import Settings
from weft_storage.model.states import Inputs, Names, ProjectInputs
from weft_tasks.extract.encoding import decode_imports, facts_key
from weft_tasks.finalize.escapes import escapes
from weft_tasks.finalize.keys import answer_digest, changed_path_keys, key_hash, pack_reads, path_changes
from weft_tasks.finalize.packages import lock_key
from weft_tasks.locks import format_of
from weft_tasks.resolve.imports import ResolvedFile, resolve_file
from weft_tasks.resolve.index import RecordingIndex, Repository


@dataclass(frozen=True, slots=True)
class Known:
    """The published graph's side of a merge: its files, names and inputs."""

    records: Mapping[str, FileRecord]
    names: Names
    inputs: Inputs
    coverage: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Scanned:
    """The snapshot's side: every source file's record (and those of known inputs), all names, ways to look further.

    `read` gives the bytes of a file or None, `identify` the records of files that have become inputs. `epoch`
    identifies what bears on every resolution.
    """

    records: Mapping[str, FileRecord]
    names: Names
    settings: Settings
    epoch: str
    read: Callable[[str], bytes | None]
    identify: Callable[[Collection[str]], Mapping[str, FileRecord]]


@dataclass(frozen=True, slots=True)
class Merged:
    """Rows of the importers that were resolved, and what resolution depended on. `keys` are those of the index that
    are answered otherwise; none where everything was resolved."""

    rows: dict[str, ImporterRow]
    inputs: Inputs
    keys: Collection[str] = ()


def merge(store: Store, project: str, known: Known, scanned: Scanned, on_progress: Callable[[int], None]) -> Merged:
    """Resolve the importers that need it: the rows of all others would come out as they are.

    `on_progress` is told the number of importers resolved so far.
    """
    interfaces = _Interfaces(store, scanned.records)
    repository = Repository(scanned.names.paths, links=scanned.names.links, read=scanned.read, interface=interfaces.get)
    index = RecordingIndex(repository, scanned.settings)
    analyzed = {path: each for path, each in scanned.records.items() if is_analyzed(each)}
    families = {family_of(language) for language in {each.language for each in analyzed.values()} if language}
    if known.inputs.epoch != scanned.epoch:
        before, stale, answers = Inputs(), set[Family](), dict[str, bytes]()
        keys = set[str]()
        dirty = set(analyzed)
    else:
        before = _of_families(known.inputs, families)
        keys, stale = _changed_keys(known, scanned, before)
        answers = _ask_again(before, stale, index)
        keys |= {key for key, digest in answers.items() if digest != before.answers[key]}
        dirty = _dirty(store, project, known, analyzed, keys)
    rows = {row.importer: row for row in _resolve(store, dirty, scanned, index, on_progress)}
    answers |= {key: answer_digest(answer) for key, answer in index.answers.items()}
    projects = _project_inputs(before, stale, families, index)
    return Merged(rows, Inputs(scanned.epoch, answers, projects, _escapes(before, rows, analyzed)), keys)


def _of_families(inputs: Inputs, families: Collection[Family]) -> Inputs:
    """What is known of some families: one whose last file has gone has no project, as in a run from nothing."""
    answers = {key: digest for key, digest in inputs.answers.items() if _question(key)[0] in families}
    projects = {family: each for family, each in inputs.projects.items() if family in families}
    return Inputs(inputs.epoch, answers, projects, inputs.escapes)


def _escapes(before: Inputs, rows: Mapping[str, ImporterRow], analyzed: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The imports that lead out of the repository: those known of importers that stay, and those of new rows."""
    kept = {path: told for path, told in before.escapes.items() if path in analyzed and path not in rows}
    new = {path: told for path, row in rows.items() if (told := escapes(row.outside))}
    return dict(sorted((kept | new).items()))


def _question(key: str) -> tuple[Family, str]:
    """The family that the key of an answer belongs to, and the question."""
    _, family, question = key.split(":", 2)
    return Family(family), question


def _changed_keys(known: Known, scanned: Scanned, inputs: Inputs) -> tuple[set[str], set[Family]]:
    """Keys about paths and interfaces that are answered otherwise now, and the families to be asked again."""
    old, new = frozenset(known.names.paths), frozenset(scanned.names.paths)
    changes = path_changes(old, new)
    keys = changed_path_keys(changes, old, new)
    edited = {path for path in new & old if _differs(known.records.get(path), scanned.records.get(path), "interface")}
    keys |= {f"i:{path}" for path in edited}
    return keys, set(inputs.projects) if changes else _stale_families(known, scanned, inputs, edited)


def _differs(old: FileRecord | None, new: FileRecord | None, part: str) -> bool:
    """Whether a part of a file's record has changed; a file that is no source has none."""
    return (getattr(old, part) if old else b"") != (getattr(new, part) if new else b"")


def _stale_families(known: Known, scanned: Scanned, inputs: Inputs, edited_interfaces: Collection[str]) -> set[Family]:
    """Families whose project may answer otherwise although no path came or went."""
    edited = {family_of(language) for language in map(language_of, edited_interfaces) if language}
    stale = set()
    for family, project in inputs.projects.items():
        if project.reads_interfaces and family in edited:
            stale.add(family)
        if any(_content(known.records, path) != _content(scanned.records, path) for path in project.manifests):
            stale.add(family)
    return stale


def _ask_again(inputs: Inputs, stale: Collection[Family], index: RecordingIndex) -> dict[str, bytes]:
    """Digests of all known answers as they are now."""
    answers = dict(inputs.answers)
    for key in answers:
        family, question = _question(key)
        if family in stale:
            answers[key] = answer_digest(index.ask(family, question))
    return answers


def _content(records: Mapping[str, FileRecord], path: str) -> bytes | None:
    record = records.get(path)
    return record.content.digest if record else None


def _dirty(
    store: Store, project: str, known: Known, analyzed: Mapping[str, FileRecord], keys: Collection[str]
) -> set[str]:
    """Importers that asked for a changed key, or whose own imports have changed."""
    dirty = set(store.readers(project, {key_hash(key) for key in keys})) if keys else set()
    for path, record in analyzed.items():
        old = known.records.get(path)
        if not is_analyzed(old) or _differs(old, record, "imports"):
            dirty.add(path)
    return dirty & analyzed.keys()


def is_analyzed(record: FileRecord | None) -> bool:
    """Whether there is such a file and it has facts."""
    return record is not None and record.status is FileStatus.ANALYZED


def _resolve(
    store: Store, dirty: Collection[str], scanned: Scanned, index: RecordingIndex, on_progress: Callable[[int], None]
) -> Iterator[ImporterRow]:
    by_key: defaultdict[bytes, list[str]] = defaultdict(list)
    for path in sorted(dirty):
        by_key[record_key(scanned.records[path])].append(path)
    extra: defaultdict[str, list[str]] = defaultdict(list)
    for edge in scanned.settings.extra_edges:
        extra[edge.importer].append(edge.imported)
    hashes: dict[str, int] = {}
    resolved = 0
    for facts in store.facts(list(by_key), Part.IMPORTS):
        imports = decode_imports(facts.imports)
        for path in by_key.pop(facts.key):
            language = scanned.records[path].language
            assert language is not None
            yield _row(resolve_file(path, language, imports, index, extra[path]), hashes)
            resolved += 1
            on_progress(resolved)
    if by_key:
        missing = min(path for paths in by_key.values() for path in paths)
        raise StoreUnavailable(f"store '{store.url}'", f"holds no facts of '{missing}'", "run `weft scan --full`")


def _row(resolved: ResolvedFile, hashes: dict[str, int]) -> ImporterRow:
    return ImporterRow(resolved.importer, resolved.edges, resolved.outside, pack_reads(resolved.reads, hashes))


def record_key(record: FileRecord) -> bytes:
    """The key of the facts of an analyzed file."""
    assert record.language is not None
    return facts_key(record.content.digest, record.language)


def facts_key_of(record: FileRecord) -> bytes | None:
    """The key of the facts of any file, or of what a lockfile says; None where it has none."""
    if record.status is FileStatus.INPUT:
        form = format_of(record.path)
        return None if form is None else lock_key(record, form)
    return record_key(record) if is_analyzed(record) else None


def _project_inputs(
    before: Inputs, stale: Collection[Family], families: Iterable[Family], index: RecordingIndex
) -> dict[Family, ProjectInputs]:
    """What the project of each family was built from. Every family with files has one, needed or not: so the
    inputs of a graph depend on the repository alone, not on the runs before."""
    inputs = {}
    for family in sorted(families):
        known = None if family in stale else before.projects.get(family)
        if known is None or family in index.projects:
            inputs[family] = _built_from(index, family, known or ProjectInputs())
        else:
            inputs[family] = known
    return inputs


def _built_from(index: RecordingIndex, family: Family, known: ProjectInputs) -> ProjectInputs:
    # A project looks into some files only when it is asked. What made it look in earlier runs still holds.
    project = index.project(family)
    files = index.project_files[family]
    return ProjectInputs(
        manifests=tuple(sorted({*known.manifests, *files.manifests})),
        reads_interfaces=known.reads_interfaces or files.reads_interfaces,
        problems=tuple(sorted({*known.problems, *project.problems, *files.problems})),
    )


class _Interfaces:
    """Interfaces of source files, loaded from the store as they are asked for: first singly, then a family at once."""

    # A run that asks for more than a few will ask for most: one read of all is then cheaper.
    _SINGLY = 32

    def __init__(self, store: Store, records: Mapping[str, FileRecord]) -> None:
        self._store = store
        self._records = records
        self._by_key: dict[bytes, bytes] = {}
        self._asked: Counter[Family] = Counter()

    def get(self, path: str) -> bytes:
        record = self._records.get(path)
        if record is None or record.language is None or record.status is not FileStatus.ANALYZED:
            return b""
        key = record_key(record)
        if key not in self._by_key:
            family = family_of(record.language)
            self._asked[family] += 1
            self._load([key] if self._asked[family] <= self._SINGLY else self._keys_of(family))
        return self._by_key.get(key, b"")

    def _keys_of(self, family: Family) -> list[bytes]:
        keys = {
            record_key(record)
            for record in self._records.values()
            if record.status is FileStatus.ANALYZED and record.language and family_of(record.language) is family
        }
        return sorted(keys - self._by_key.keys())

    def _load(self, keys: list[bytes]) -> None:
        for facts in self._store.facts(keys, Part.INTERFACE):
            self._by_key[facts.key] = facts.interface
