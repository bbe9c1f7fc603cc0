"""A store whose published graph of one project is another store's, with one run more that nobody else sees.

For questions of the kind "what if": the run is made as any other, against the graph that is there, and so looks only at
what differs. Its rows live in memory and are gone with it; facts and other caches are the other store's, which is told
nothing else.
"""

from array import array
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Self, TypeVar

import msgspec

from weft_storage.backends.base import KINDS, Store
from weft_storage.backends.refusals import refuse_late, refuse_without_graph
from weft_storage.backends.shared_caches import SharedCaches
from weft_storage.model.edges import Edge, Outside
from weft_storage.model.errors import UsageError
from weft_storage.model.files import FileRecord
from weft_storage.model.runs import ImporterRow, Publication, Run, RunState, StoredGraph

T = TypeVar("T", Edge, Outside)


class Branch(SharedCaches):
    """A `Store` for one run of one project, over the graph that `base` has published of it (there must be one)."""

    def __init__(self, base: Store, project: str) -> None:
        published = base.published(project)
        if published is None:
            raise UsageError(f"project '{project}'", f"has no graph in store '{base.url}'", "scan it first")
        self.url = base.url
        self._base = self.caches = base
        self._project = project
        self._before = published
        self._open: Run | None = None
        self._run: Run | None = None
        self._records: dict[str, FileRecord] = {}
        self._rows: dict[str, ImporterRow] = {}
        self._removed_files: frozenset[str] = frozenset()
        self._removed_rows: frozenset[str] = frozenset()
        self._states: dict[str, bytes] = {}

    @property
    def is_current(self) -> bool:
        """Whether the graph below is still the published one: else what was read of it may be of several runs."""
        published = self._base.published(self._project)
        below = self._base.is_current if isinstance(self._base, Branch) else True
        return below and published is not None and published.id == self._before.id

    def close(self) -> None:
        """Forget nothing: whoever opened the store below closes it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # Runs ------------------------------------------------------------------------------------------

    def projects(self) -> list[str]:
        return self._base.projects()

    def lock(self, project: str, *, timeout: float) -> AbstractContextManager[None]:  # noqa: ARG002
        """Nobody else can reach this store."""
        return nullcontext()

    def begin(self, run: Run) -> Run:
        if run.project != self._project or self._open is not None:
            raise UsageError(f"project '{run.project}'", "a branch is for one run of its project")
        self._open = msgspec.structs.replace(run, id=self._before.id + 1, state=RunState.RUNNING)
        return self._open

    def finish(self, run: Run) -> None:
        self._open = run

    def publish(self, publication: Publication) -> None:
        run = publication.run
        refuse_without_graph(run)
        refuse_late(run, self._open.state if self._open is not None and self._open.id == run.id else None)
        self._records = {record.path: record for record in publication.files}
        self._removed_files = frozenset(publication.removed_files) - self._records.keys()
        self._rows = {row.importer: row for row in publication.rows}
        self._removed_rows = frozenset(publication.removed_rows) - self._rows.keys()
        self._states = dict(publication.states)
        self._open = self._run = run

    def published(self, project: str) -> Run | None:
        return self._run or self._before if project == self._project else self._base.published(project)

    def runs(self, project: str, *, limit: int | None = None) -> list[Run]:
        own = [self._run] if self._run is not None and project == self._project else []
        return [*own, *self._base.runs(project, limit=limit)][:limit]

    # The published graph ---------------------------------------------------------------------------

    def files(self, project: str, paths: Collection[str] | None = None, *, at: int | None = None) -> list[FileRecord]:
        if not self._is_own(project, at):
            return self._base.files(project, paths, at=self._below(project, at))
        below = None if paths is None else [path for path in paths if path not in self._records]
        found = {record.path: record for record in self._base.files(project, below, at=self._before.id)}
        own = self._records.keys() if paths is None else self._records.keys() & set(paths)
        found |= {path: self._records[path] for path in own}
        return [found[path] for path in sorted(found.keys() - self._removed_files)]

    def graph(self, project: str, *, at: int | None = None) -> StoredGraph:
        from weft_storage.backends.arrays import replace_importers

        below = self._base.graph(project, at=self._below(project, at))
        if not self._is_own(project, at) or not self._replaced:
            return below
        numbers = {kind: number for number, kind in enumerate(KINDS)}
        edges = (edge for row in self._rows.values() for edge in row.edges)
        return replace_importers(below, self._replaced, [(e.importer, e.imported, numbers[e.kind]) for e in edges])

    def edges(self, project: str, importers: Collection[str] | None = None, *, at: int | None = None) -> Iterator[Edge]:
        if not self._is_own(project, at):
            return self._base.edges(project, importers, at=self._below(project, at))
        below = self._base.edges(project, self._unreplaced(importers), at=self._before.id)
        return self._merged(below, importers, lambda row: row.edges)

    def outside(
        self, project: str, importers: Collection[str] | None = None, *, at: int | None = None
    ) -> Iterator[Outside]:
        if not self._is_own(project, at):
            return self._base.outside(project, importers, at=self._below(project, at))
        below = self._base.outside(project, self._unreplaced(importers), at=self._before.id)
        return self._merged(below, importers, lambda row: row.outside)

    def readers(self, project: str, hashes: Collection[int]) -> list[str]:
        found = set(self._base.readers(project, hashes))
        if self._is_own(project, None) and hashes:
            wanted = set(hashes)
            found -= self._replaced
            found |= {path for path, row in self._rows.items() if not wanted.isdisjoint(array("I", row.reads))}
        return sorted(found)

    def state(self, project: str, name: str, *, at: int | None = None) -> bytes | None:
        if self._is_own(project, at) and name in self._states:
            return self._states[name]
        return self._base.state(project, name, at=self._below(project, at))

    # Care ------------------------------------------------------------------------------------------

    def collect(
        self,
        *,
        keep_runs: int,  # noqa: ARG002
        facts_key: Callable[[FileRecord], bytes | None] | None = None,  # noqa: ARG002
    ) -> dict[str, int]:
        """There is nothing to drop."""
        return {}

    def stats(self) -> dict[str, int]:
        return self._base.stats()

    # Helpers ---------------------------------------------------------------------------------------

    @property
    def _replaced(self) -> frozenset[str]:
        """The importers whose rows below hold no more."""
        return self._removed_rows.union(self._rows)

    def _is_own(self, project: str, at: int | None) -> bool:
        """Whether a read means the run of this branch."""
        return project == self._project and self._run is not None and at in (None, self._run.id)

    def _below(self, project: str, at: int | None) -> int | None:
        """The run below that a read means."""
        if project != self._project:
            return at
        return self._before.id if at is None or (self._run is not None and at == self._run.id) else at

    def _unreplaced(self, importers: Collection[str] | None) -> Collection[str] | None:
        return None if importers is None else [path for path in importers if path not in self._replaced]

    def _merged(
        self, below: Iterator[T], importers: Collection[str] | None, part: Callable[[ImporterRow], tuple[T, ...]]
    ) -> Iterator[T]:
        own = self._rows.keys() if importers is None else self._rows.keys() & set(importers)
        found = [each for each in below if each.importer not in self._replaced]
        found += [each for path in own for each in part(self._rows[path])]
        return iter(sorted(found))
