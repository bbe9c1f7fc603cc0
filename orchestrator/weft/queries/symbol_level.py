"""What a change affects within files: units (top-level declarations) instead of whole files. Prints nothing.

It refines what is affected at file level and never goes beyond: a file that is not affected has no affected unit. Only
affected files are read, so it costs what the change costs.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from blake3 import blake3

from weft.queries.affected import Change
from weft.queries.view import GraphView
from weft_storage.backends import Part
from weft_storage.model.edges import Edge
from weft_storage.model.files import ChangeKind, FileRecord, FileStatus
from weft_storage.model.languages import Language, language_of, unit_of
from weft_storage.model.paths import parent
from weft_tasks.extract.encoding import decode_declarations
from weft_tasks.finalize.graphs import STRONG_KINDS
from weft_tasks.finalize.merge import record_key
from weft_tasks.symbols import ALL, OPAQUE, FileSymbols, affected_symbols, changed_names, read_symbols

Read = Callable[[str], bytes | None]
"""The bytes of a file of one side of a change; None where they cannot be had."""


def affected_units(change: Change, read_old: Read, read_new: Read) -> dict[str, set[str]]:
    """The affected units by file, sorted by file; ALL in place of the units where a file is affected as a whole.

    A file whose changes are comments and layout affects nothing. Bytes that differ from what was analyzed count as
    not to be had; such a file is taken as a whole.
    """
    world = _Sides(change, read_old, read_new)
    return affected_symbols(world.changes(), world)


@dataclass
class _Sides:
    """Files before and after a change, as far as they are affected."""

    change: Change
    read_old: Read
    read_new: Read
    _read: dict[str, list[FileSymbols]] = field(default_factory=dict)

    def changes(self) -> dict[str, set[str]]:
        """The names that do not mean what they did, of the files that are affected by themselves."""
        found = {}
        for file in self.change.affected.files:
            if file.change is ChangeKind.MODIFIED and not file.resolved_anew and file.cause is None:
                found[file.path] = self._changed_names(file.path)
            elif file.change not in (None, ChangeKind.MODIFIED):
                found[file.path] = changed_names(None, next(iter(self._versions(file.path)), None))
            elif file.is_seed:
                found[file.path] = {ALL}
        return {path: names for path, names in found.items() if names}

    def _changed_names(self, path: str) -> set[str]:
        versions = self._versions(path)
        if len(versions) != 2:
            return {ALL}
        names = changed_names(versions[0], versions[1])
        same_statements = versions[0].statements.keys() == versions[1].statements.keys()
        # The text is the same, what it leads to is not.
        return {ALL} if same_statements and self._leads_elsewhere(path) else names

    def _leads_elsewhere(self, path: str) -> bool:
        old, new = ({(each.imported, each.kind) for each in view_edges.get(path, ())} for view_edges in self._edges)
        return old != new

    # What `weft_tasks.symbols.World` asks ----------------------------------------------------------

    def symbols(self, file: str) -> Collection[FileSymbols]:
        """The symbols before and after; one where both are the same."""
        return self._versions(file)

    def importers(self, file: str) -> Mapping[str, Collection[str]]:
        """Who imports a file in the old or the new graph, with the names that each takes."""
        return self._importers.get(file, {}) | self._importers.get(unit_of(file), {})

    def peers(self, file: str) -> Collection[str]:
        """The other files of a Go package; none else."""
        if language_of(file) is not Language.GO:
            return ()
        found = self._packages.get(parent(file), ())
        return [each for each in found if each != file and (each.endswith("_test.go") or not file.endswith("_test.go"))]

    # ------------------------------------------------------------------------------------------------

    @cached_property
    def _files(self) -> frozenset[str]:
        return frozenset(file.path for file in self.change.affected.files)

    @cached_property
    def _packages(self) -> dict[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for file in sorted(self._files):
            if language_of(file) is Language.GO:
                found[parent(file)].append(file)
        return found

    @cached_property
    def _edges(self) -> list[dict[str, list[Edge]]]:
        """The strong edges of the affected files, by importer, before and after."""
        sides = []
        for view in (self.change.old, self.change.new):
            by_importer: defaultdict[str, list[Edge]] = defaultdict(list)
            for edge in view.edges(self._files) if view else ():
                if edge.kind in STRONG_KINDS:
                    by_importer[edge.importer].append(edge)
            sides.append(dict(by_importer))
        return sides

    @cached_property
    def _importers(self) -> dict[str, dict[str, set[str]]]:
        found: defaultdict[str, dict[str, set[str]]] = defaultdict(dict)
        for side in self._edges:
            for importer, edges in side.items():
                for edge in edges:
                    found[edge.imported].setdefault(importer, set()).update(edge.names or (ALL,))
        return dict(found)

    def _versions(self, file: str) -> list[FileSymbols]:
        if file not in self._read:
            self._read[file] = self._read_versions(file)
        return self._read[file]

    def _read_versions(self, file: str) -> list[FileSymbols]:
        old, new = self._record(self.change.old, file), self._record(self.change.new, file)
        if old and new and old.content.digest == new.content.digest:
            return [self._symbols(self.change.new, new, self.read_new)]
        sides = ((self.change.old, old, self.read_old), (self.change.new, new, self.read_new))
        return [self._symbols(view, record, read) for view, record, read in sides if view and record]

    @staticmethod
    def _record(view: GraphView | None, file: str) -> FileRecord | None:
        record = view.records.get(file) if view else None
        return record if record and record.language and record.status is not FileStatus.INPUT else None

    @staticmethod
    def _symbols(view: GraphView, record: FileRecord, read: Read) -> FileSymbols:
        if record.status is not FileStatus.ANALYZED or record.language is None:
            return OPAQUE
        source = read(record.path)
        if source is None or blake3(source).digest(len(record.content.digest)) != record.content.digest:
            return OPAQUE
        facts = next(iter(view.store.facts([record_key(record)], Part.DECLARATIONS)), None)
        if facts is None:
            return OPAQUE
        return read_symbols(source, record.language, decode_declarations(facts.declarations))
