"""Packages from outside that moved between two runs, and the importers that this affects. Knows no edge.

What a lockfile says is kept beside the facts of source files, by its content: a run reads only those that nobody has
read before, and needs neither side of one that stayed as it was.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property

import msgspec
from blake3 import blake3
from msgspec import msgpack
from msgspec.structs import replace

from weft_storage.backends import Part, Store
from weft_storage.model.edges import Outside, Status
from weft_storage.model.facts import WEAK_KINDS
from weft_storage.model.files import ChangeKind, FileRecord, FileStatus
from weft_storage.model.languages import Family, Language, family_of
from weft_storage.model.paths import ancestors, parent
from weft_storage.model.runs import ImporterRow, StoredFacts
from weft_storage.model.states import Cause, CauseKind
from weft_tasks.finalize.records import MANIFEST_LIMIT
from weft_tasks.locks import Extent, Format, Lock, Role, folder_of, format_of, read_lock
from weft_tasks.locks.base import unreadable
from weft_tasks.locks.comparison import Move, Moves, same_versions
from weft_tasks.locks.naming import is_builtin, is_types, names_modules, package_names, type_names
from weft_tasks.resolve.python.standard_library import BUILT_IN, STANDARD_LIBRARY

_KEY_BYTES = 16
_NOTHING = msgpack.encode(())
# What is asked for of more importers than these is read for all of them at once.
_SINGLY = 1000
_TYPED = frozenset({Language.TYPESCRIPT, Language.TSX, Language.VUE, Language.SVELTE, Language.ASTRO})

_decoder = msgpack.Decoder(Lock)


@dataclass(frozen=True, slots=True)
class Importers:
    """Importers of packages that moved, each with the cause; `weak` are those whose types alone can be others."""

    strong: Mapping[str, Cause] = field(default_factory=dict)
    weak: Mapping[str, Cause] = field(default_factory=dict)


def package_files(paths: Iterable[str], records: Iterable[FileRecord]) -> set[str]:
    """The lockfiles and manifests among some paths that count for the analyzed files."""
    families = {family_of(each.language) for each in records if each.status is FileStatus.ANALYZED and each.language}
    found = ((path, format_of(path)) for path in paths)
    return {path for path, form in found if form is not None and form.family in families}


def remember_locks(
    store: Store,
    paths: Collection[str],
    known_records: Mapping[str, FileRecord],
    records: Mapping[str, FileRecord],
    read: Callable[[str], bytes | None],
) -> dict[str, FileRecord]:
    """Keep what lockfiles and manifests say that nobody has read yet, where one is not as the published run knows it.

    Gives the records that are others with the problems of lockfiles.
    """
    if all(records.get(path) == known_records.get(path) for path in paths):
        return {}
    forms = {path: form for path in paths if path in records and (form := format_of(path)) is not None}
    keys = {path: lock_key(records[path], form) for path, form in forms.items()}
    known = store.known_facts({key for key in keys.values() if key is not None})
    found: dict[bytes, StoredFacts] = {}
    for path, key in sorted(keys.items()):
        if key is not None and key not in known and key not in found:
            if records[path].content.size > MANIFEST_LIMIT:
                found[key] = _facts(key, unreadable(f"larger than {MANIFEST_LIMIT} bytes"))
                continue
            source = read(path)
            # A file that changed since it was identified says nothing of what it was.
            if source is not None and blake3(source).digest(_KEY_BYTES) == records[path].content.digest:
                found[key] = _facts(key, read_lock(forms[path], source))
    store.put_facts(found.values())
    locks = {key: path for path, key in keys.items() if key is not None and forms[path].role is Role.LOCK}
    problems = {facts.key: facts.problems for facts in (*store.facts(list(locks), Part(0)),)} if locks else {}
    return {
        path: replace(records[path], problems=problems[key])
        for path, key in keys.items()
        if key in problems and records[path].problems != problems[key]
    }


def lock_key(record: FileRecord, form: Format) -> bytes | None:
    """The key of what a lockfile or manifest says; None for one that could not be read."""
    if not record.content.digest:
        return None
    return blake3(record.content.digest + form.identity.encode()).digest(_KEY_BYTES)


def _facts(key: bytes, lock: Lock) -> StoredFacts:
    problems = (lock.problem,) if lock.problem else ()
    return StoredFacts(key, _NOTHING, _NOTHING, msgpack.encode(lock), problems)


def importers_of_moved(
    store: Store,
    project: str,
    changes: Mapping[str, ChangeKind],
    known: Mapping[str, FileRecord],
    records: Mapping[str, FileRecord],
    rows: Mapping[str, ImporterRow],
) -> Importers:
    """The importers of packages that moved, as far as lockfiles and manifests among the changed files tell.

    `known` and `records` are those of the published graph and of the run, `rows` the importers resolved by the run. In
    a first run all files are affected anyway, so none are looked for.
    """
    changed = {path: form for path in changes if (form := format_of(path)) is not None} if known else {}
    return _Search(store, project, changed, known, records).importers(rows) if changed else Importers()


def importers_in_scope(
    store: Store, project: str, files: Collection[str], records: Mapping[str, FileRecord]
) -> Importers:
    """The importers that any change of some lockfiles or manifests may affect: of what they say is asked nothing."""
    forms = {path: form for path in files if (form := format_of(path)) is not None}
    return _Search(store, project, forms, {}, records, anything=True).importers({}) if forms else Importers()


@dataclass(frozen=True, slots=True)
class _Source:
    """A lockfile or manifest: before and after."""

    path: str
    form: Format
    folder: str
    changed: bool
    moves: Moves

    @property
    def unreadable(self) -> bool:
        return self.changed and bool(self.moves.old.lock.problem or self.moves.new.lock.problem)

    def relative(self, folder: str) -> str:
        return folder[len(self.folder) :].lstrip("/")


class _Search:
    """One search for the importers of packages that moved."""

    def __init__(
        self,
        store: Store,
        project: str,
        changed: Mapping[str, Format],
        known: Mapping[str, FileRecord],
        records: Mapping[str, FileRecord],
        *,
        anything: bool = False,
    ) -> None:
        self._store = store
        self._project = project
        self._known = known
        self._records = records
        self._anything = anything
        self._locks: dict[bytes, Lock] = {}
        self._forms = self._in_force(changed)
        self._changed = changed.keys() & self._forms.keys()
        self._sources: dict[str, _Source] = {}
        self._verdicts: dict[tuple[str, Family, str, str], tuple[Cause | None, Cause | None]] = {}
        self._claimed: defaultdict[str, set[str]] = defaultdict(set)

    def importers(self, rows: Mapping[str, ImporterRow]) -> Importers:
        moved = [source for path in sorted(self._changed) if (source := self._source(path)) and self._moved(source)]
        if not moved:
            return Importers()
        below = {(source.form.family, source.folder) for source in moved}
        files = [path for path in self._records if self._is_below(path, below)]
        strong: defaultdict[str, set[Cause]] = defaultdict(set)
        weak: defaultdict[str, set[Cause]] = defaultdict(set)
        external = [each for each in self._outside(files, rows) if each.status is Status.EXTERNAL]
        for each in external:
            cause, types = self._verdict(each)
            if cause is not None:
                (weak if each.kind in WEAK_KINDS else strong)[each.importer].add(cause)
            if types is not None:
                weak[each.importer].add(types)
        for each in external:
            if (cause := self._unclaimed(each)) is not None:
                (weak if each.kind in WEAK_KINDS else strong)[each.importer].add(cause)
        for path in files:
            if (cause := self._ambient(path, moved)) is not None:
                weak[path].add(cause)
        found = {path: min(causes, key=_rank) for path, causes in strong.items()}
        return Importers(found, {path: min(causes, key=_rank) for path, causes in weak.items() if path not in found})

    # Sources ---------------------------------------------------------------------------------------

    def _in_force(self, changed: Mapping[str, Format]) -> dict[str, Format]:
        """The lockfiles, and the manifests that none of them covers."""
        forms = dict(changed)
        families = {form.family for form in changed.values()}
        for path, record in self._records.items():
            form = format_of(path) if record.status is FileStatus.INPUT else None
            if form is not None and form.family in families:
                forms[path] = form
        # There may be thousands of manifests, each of them small.
        manifests = [path for path, form in forms.items() if form.role is Role.MANIFEST and path in self._records]
        keys = {lock_key(self._records[path], forms[path]) for path in manifests}
        self._load([key for key in keys if key is not None])
        locks = {path: form for path, form in forms.items() if form.role is Role.LOCK and path in self._records}
        by_folder: defaultdict[tuple[Family, str], list[str]] = defaultdict(list)
        for path, form in locks.items():
            by_folder[form.family, folder_of(path)].append(path)
        return {
            path: form
            for path, form in forms.items()
            if form.role is Role.LOCK or not self._is_covered(path, form, by_folder)
        }

    def _is_covered(self, path: str, form: Format, locks: Mapping[tuple[Family, str], list[str]]) -> bool:
        folder = folder_of(path)
        return any(
            self._covers(lock, above, path, form)
            for above in (folder, *ancestors(folder))
            for lock in locks.get((form.family, above), ())
        )

    def _covers(self, lock_path: str, above: str, path: str, form: Format) -> bool:
        """Whether a lockfile has the say over what a manifest in its folder or below asks for."""
        lock_form = format_of(lock_path)
        assert lock_form is not None
        lock = self._lock(self._records.get(lock_path), lock_form)
        folder = folder_of(path)
        if lock.problem or lock.extent is Extent.DIRECT:
            return False
        if lock.scopes:
            return folder[len(above) :].lstrip("/") in lock.scopes
        if folder == above:
            return True
        # A workspace without a list of its members: whatever is asked for is locked here, or it is none of them.
        asked = self._lock(self._records.get(path), form)
        locked = {package.name for package in lock.packages}
        return form.family in (Family.TYPESCRIPT, Family.RUST) and all(each.name in locked for each in asked.packages)

    def _lock(self, record: FileRecord | None, form: Format) -> Lock:
        """What a file says by its record; nothing where there is no file."""
        if record is None:
            return Lock(Extent.GRAPH)
        key = lock_key(record, form)
        if key is None:
            return unreadable("it cannot be read")
        if key not in self._locks:
            self._load([key])
        return self._locks[key]

    def _load(self, keys: Collection[bytes]) -> None:
        """Have at hand what some files say."""
        self._locks |= dict.fromkeys(keys, unreadable("it was not read before"))
        for facts in self._store.facts(keys, Part.INTERFACE):
            with suppress(msgspec.MsgspecError):
                self._locks[facts.key] = _decoder.decode(facts.interface)

    def _source(self, path: str) -> _Source:
        if path not in self._sources:
            form = self._forms[path]
            changed = path in self._changed
            new = self._lock(self._records.get(path), form)
            old = self._lock(self._known.get(path), form) if changed else new
            if form.name == "go.sum" and changed and self._is_complete(path):
                old, new = same_versions(old, new)
            self._sources[path] = _Source(path, form, self._scope(path, form), changed, Moves(old, new))
        return self._sources[path]

    def _is_complete(self, sums: str) -> bool:
        """Whether the go.mod beside a go.sum names every version that is built with."""
        path = f"{sums[: -len('go.sum')]}go.mod"
        form = format_of(path)
        return form is not None and self._lock(self._records.get(path), form).extent is Extent.FLAT

    def _moved(self, source: _Source) -> bool:
        return self._is_open(source) or source.moves.old.lock != source.moves.new.lock

    @cached_property
    def _by_folder(self) -> dict[tuple[Family, str], list[str]]:
        found: defaultdict[tuple[Family, str], list[str]] = defaultdict(list)
        for path, form in sorted(self._forms.items()):
            found[form.family, self._scope(path, form)].append(path)
        return dict(found)

    def _scope(self, path: str, form: Format) -> str:
        """The folder that a source is for. The modules of a Go workspace are built with the same versions of others."""
        folder = folder_of(path)
        if form.family is Family.GO:
            above = (folder, *ancestors(folder)) if folder else ("",)
            return next((each for each in above if (f"{each}/" if each else "") + "go.work" in self._records), folder)
        return folder

    def _chain(self, folder: str, family: Family) -> Iterator[list[_Source]]:
        """The sources that have a say in a folder, nearest folder first."""
        for above in (folder, *ancestors(folder)) if folder else ("",):
            if paths := self._by_folder.get((family, above)):
                yield [self._source(path) for path in paths]

    # Importers -------------------------------------------------------------------------------------

    def _is_below(self, path: str, below: Collection[tuple[Family, str]]) -> bool:
        record = self._records[path]
        if record.language is None or record.status is not FileStatus.ANALYZED:
            return False
        family = family_of(record.language)
        return any((family, above) in below for above in (*ancestors(path),))

    def _outside(self, files: Collection[str], rows: Mapping[str, ImporterRow]) -> Iterator[Outside]:
        kept = {path for path in files if path not in rows}
        if kept:
            wanted = sorted(kept) if len(kept) < _SINGLY else None
            yield from (each for each in self._store.outside(self._project, wanted) if each.importer in kept)
        for path in files:
            if path in rows:
                yield from rows[path].outside

    def _verdict(self, each: Outside) -> tuple[Cause | None, Cause | None]:
        """How the package of an import moved, and how that of its types did."""
        family = self._family(each.importer)
        if family is Family.PYTHON and _is_standard(each.specifier):
            return None, None
        key = parent(each.importer), family, each.package, each.specifier
        if key not in self._verdicts:
            folder = key[0]
            cause = self._moved_in(folder, family, list(package_names(family, each.package, each.specifier)), each)
            types = self._moved_in(folder, family, list(type_names(family, each.package)), None)
            self._verdicts[key] = cause, types
        return self._verdicts[key]

    def _moved_in(self, folder: str, family: Family, names: list[str], unknown: Outside | None) -> Cause | None:
        """How the first of some names moved that the nearest source knows; `unknown`: an import to be careful with."""
        chain = list(self._chain(folder, family))
        is_known = False
        for sources in chain:
            knowing = [(each, name) for each in sources if (name := self._known_name(each, folder, names))]
            causes = [cause for source, name in knowing if (cause := self._cause(source, folder, name)) is not None]
            if unknown is not None:
                causes += [Cause(CauseKind.LOCKFILE, each.path) for each in sources if self._is_open(each)]
            if causes:
                return min(causes, key=_rank)
            # What a manifest asks for may be installed, and locked, further up.
            if any(source.form.role is Role.LOCK for source, _ in knowing):
                return None
            is_known = is_known or bool(knowing)
        return self._unknown(chain, unknown) if unknown is not None and names_modules(family) and not is_known else None

    def _unknown(self, chain: Iterable[Iterable[_Source]], each: Outside) -> Cause | None:
        """An import that nobody knows may be of any package that moved."""
        for source in (source for sources in chain for source in sources if source.changed):
            if source.moves.names:
                return Cause(CauseKind.UNKNOWN, source.path, each.package or each.specifier)
        return None

    def _is_open(self, source: _Source) -> bool:
        """Whether anything may have moved in a source."""
        return source.unreadable or (self._anything and source.changed)

    def _known_name(self, source: _Source, folder: str, names: Iterable[str]) -> str:
        if self._is_open(source):
            return ""
        found = next((name for name in names if source.moves.knows(source.relative(folder), name)), "")
        self._claimed[source.path].add(found)
        return found

    def _cause(self, source: _Source, folder: str, name: str) -> Cause | None:
        move = source.moves.of(source.relative(folder), name) if source.changed else None
        return None if move is None else _caused(source, move)

    def _unclaimed(self, each: Outside) -> Cause | None:
        """What an importer may need without naming it: who needs a package that no import names is not told."""
        family = self._family(each.importer)
        if is_builtin(family, each.package) or (family is Family.PYTHON and _is_standard(each.specifier)):
            return None
        for source in next(self._chain(parent(each.importer), family), []):
            if not source.changed or self._is_open(source) or source.moves.new.lock.extent is not Extent.FLAT:
                continue
            if names := self._unclaimed_names(source):
                move = source.moves.of("", min(names))
                return None if move is None else replace(_caused(source, move), kind=CauseKind.UNKNOWN)
        return None

    def _unclaimed_names(self, source: _Source) -> frozenset[str]:
        return source.moves.names - self._claimed[source.path]

    def _ambient(self, path: str, moved: Collection[_Source]) -> Cause | None:
        """Types that a file sees without importing anything: those of a package that nobody imports."""
        if self._records[path].language not in _TYPED:
            return None
        for source in moved:
            if (
                source.form.family is Family.TYPESCRIPT
                and source.folder in ancestors(path)
                and not self._is_open(source)
            ):
                names = {name for name in self._unclaimed_names(source) if is_types(Family.TYPESCRIPT, name)}
                names |= {"@types/node"} & source.moves.names
                if names and (move := source.moves.of(source.relative(parent(path)), min(names))) is not None:
                    return _caused(source, move)
        return None

    def _family(self, importer: str) -> Family:
        language = self._records[importer].language
        assert language is not None
        return family_of(language)


def _caused(source: _Source, move: Move) -> Cause:
    return Cause(CauseKind.PACKAGE, source.path, move.package, move.before, move.after, move.through)


def _is_standard(specifier: str) -> bool:
    first = specifier.partition(".")[0]
    return first in STANDARD_LIBRARY or first in BUILT_IN


_RANKS = {CauseKind.PACKAGE: 0, CauseKind.UNKNOWN: 1, CauseKind.LOCKFILE: 2}


def _rank(cause: Cause) -> tuple[int, int, Cause]:
    return _RANKS[cause.kind], len(cause.through), cause
