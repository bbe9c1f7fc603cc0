"""Weft's side: the published graph of one scan, and the imports of its files. Knows no authority."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from weft.pipeline import Options, analyze
from weft_storage.backends import open_store
from weft_storage.model.edges import Edge, Outside
from weft_storage.model.facts import FileFacts
from weft_storage.model.files import FileStatus
from weft_storage.model.languages import Language, language_of
from weft_storage.model.settings import Settings
from weft_tasks.extract import extract

_PROJECT = "conformance"


class WeftGraph:
    """What Weft says of a repository. `root` is the exported folder: contents are read from there."""

    def __init__(self, root: str, edges: tuple[Edge, ...], outside: tuple[Outside, ...], files: frozenset[str]) -> None:
        self.root = root
        self.edges = edges
        self.outside = outside
        self.files = files
        """The files that were analyzed; others were skipped by rule or failed."""
        self._facts: dict[str, FileFacts] = {}

    @cached_property
    def paths(self) -> frozenset[str]:
        """Every path of the exported folder that is no folder."""
        return frozenset(_walk(Path(self.root), ""))

    def edges_of(self, importer: str) -> list[Edge]:
        return self._edges.get(importer, [])

    def outside_of(self, importer: str) -> list[Outside]:
        return self._outside.get(importer, [])

    def edges_between(self, importer: str, imported: str) -> list[Edge]:
        return [edge for edge in self.edges_of(importer) if edge.imported == imported]

    def facts(self, path: str) -> FileFacts:
        """What the extractor says of a file."""
        if path not in self._facts:
            language = language_of(path) or Language.PYTHON
            self._facts[path] = extract(language, self.source(path))
        return self._facts[path]

    def source(self, path: str) -> bytes:
        """The bytes of a file; none where there is no file."""
        file = Path(self.root, path)
        return file.read_bytes() if file.is_file() else b""

    @cached_property
    def _edges(self) -> dict[str, list[Edge]]:
        found: defaultdict[str, list[Edge]] = defaultdict(list)
        for edge in self.edges:
            found[edge.importer].append(edge)
        return dict(found)

    @cached_property
    def _outside(self) -> dict[str, list[Outside]]:
        found: defaultdict[str, list[Outside]] = defaultdict(list)
        for each in self.outside:
            found[each.importer].append(each)
        return dict(found)


def scan(source: str, root: str, *, rev: str | None, jobs: int) -> WeftGraph:
    """Scan a repository (at a commit, or as the folder is) into a store in memory; `root` holds the same files."""
    with open_store("memory://") as store:
        # Authorities that know no strings do not ask for their edges.
        settings = Settings(string_imports=True)
        analyze(store, source, settings, Options(project=_PROJECT, rev=rev, jobs=jobs))
        files = (record.path for record in store.files(_PROJECT) if record.status is FileStatus.ANALYZED)
        return WeftGraph(root, tuple(store.edges(_PROJECT)), tuple(store.outside(_PROJECT)), frozenset(files))


def _walk(root: Path, prefix: str) -> Iterator[str]:
    pending = [prefix]
    while pending:
        folder = pending.pop()
        for entry in (root / folder).iterdir():
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir() and not entry.is_symlink():
                pending.append(path)
            else:
                yield path
