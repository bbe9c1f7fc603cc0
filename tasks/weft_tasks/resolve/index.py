"""The index: a repository's names, with every question asked of it recorded. Knows no contents and no store."""

from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar, cast

from weft_storage.model.languages import Family
from weft_storage.model.paths import ancestors, basename, parent
from weft_storage.model.settings import Settings
from weft_tasks.resolve import resolver_of
from weft_tasks.resolve.base import Project
from weft_tasks.resolve.doubts import doubts

T = TypeVar("T")

# A chain of links longer than this is a loop; Linux gives up at the same number.
_MAX_LINKS = 40


class Repository:
    """The names of a repository, over a snapshot.

    `links` maps a symbolic link inside the repository to what it points at, also inside. `read` gives
    the bytes of a file, None where it cannot. `interface` gives the encoded interface of a source file.
    """

    def __init__(
        self,
        paths: Iterable[str],
        *,
        links: Mapping[str, str] | None = None,
        read: Callable[[str], bytes | None],
        interface: Callable[[str], bytes],
    ) -> None:
        self._paths = frozenset(paths)
        self._links = dict(links or {})
        self._read = read
        self.interface = interface

    @property
    def paths(self) -> Collection[str]:
        return self._paths

    @cached_property
    def _directories(self) -> frozenset[str]:
        found = {""}
        for path in {parent(path) for path in self._paths}:
            while path and path not in found:
                found.add(path)
                path = parent(path)
        return frozenset(found)

    @cached_property
    def _named(self) -> dict[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for path in self._paths:
            found[basename(path)].append(path)
        return found

    @cached_property
    def _entries(self) -> dict[str, set[str]]:
        found: defaultdict[str, set[str]] = defaultdict(set)
        for path in (*self._paths, *self._directories, *self._links):
            if path:
                found[parent(path)].add(basename(path))
        return found

    def is_directory(self, path: str) -> bool:
        return self.follow(path) in self._directories

    def named(self, basename: str) -> Sequence[str]:
        return sorted(self._named.get(basename, ()))

    def entries(self, directory: str) -> Sequence[str]:
        """Names directly in a directory, sorted."""
        return sorted(self._entries.get(self.follow(directory), ()))

    def read(self, path: str) -> bytes | None:
        """The bytes of a file; None where there is none or it cannot be read."""
        real = self.file(path)
        return None if real is None else self._read(real)

    def file(self, path: str) -> str | None:
        """The file that a path names, links followed; None where there is none."""
        real = self.follow(path)
        return real if real in self._paths else None

    def follow(self, path: str) -> str:
        """The path with every link on its way replaced; a loop gives the path back as it was."""
        if not self._links:
            return path
        followed = path
        for _ in range(_MAX_LINKS):
            above = [followed, *ancestors(followed)]
            link = next((each for each in reversed(above) if each in self._links), None)
            if link is None:
                return followed
            followed = (self._links[link] + followed[len(link) :]).strip("/")
        return path


class ProjectFiles:
    """`RepositoryFiles` for the project of one family; remembers what it looked into.

    `manifests` are the files that were read, links followed; `reads_interfaces`: whether any interface was asked for.
    `problems` are (path, sentence) on manifests that are odd whatever they mean.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self.manifests: set[str] = set()
        self.problems: set[tuple[str, str]] = set()
        self.reads_interfaces = False

    @property
    def paths(self) -> Collection[str]:
        return self._repository.paths

    def file(self, path: str) -> str | None:
        return self._repository.file(path)

    def is_directory(self, path: str) -> bool:
        return self._repository.is_directory(path)

    def named(self, basename: str) -> Sequence[str]:
        return self._repository.named(basename)

    def read(self, path: str) -> bytes | None:
        real = self._repository.file(path)
        if real is None:
            return None
        self.manifests.add(real)
        source = self._repository.read(real)
        if source is not None:
            self.problems.update((real, doubt) for doubt in doubts(real, source))
        return source

    def interface(self, path: str) -> bytes:
        self.reads_interfaces = True
        return self._repository.interface(path)


class RecordingIndex:
    """`Index` over a repository: answers, and records each question as a key in `reads`.

    Keys: `f:path` a file, `d:path` a directory, `e:path` its entries, `i:path` an interface,
    `a:family:question` an answer of a project. Paths in keys have their links followed: what comes or goes
    behind a link has its own path.
    """

    def __init__(self, repository: Repository, settings: Settings) -> None:
        self._repository = repository
        self._settings = settings
        self._projects: dict[Family, Project] = {}
        self.project_files: dict[Family, ProjectFiles] = {}
        self._answers: dict[str, Any] = {}
        self._memo: dict[Hashable, tuple[Any, frozenset[str]]] = {}
        self.reads: set[str] = set()

    @property
    def answers(self) -> Mapping[str, Any]:
        """Every answer given so far, by its key (`a:family:question`)."""
        return self._answers

    @property
    def projects(self) -> Mapping[Family, Project]:
        """The projects that were needed so far."""
        return self._projects

    def file(self, path: str | None) -> str | None:
        if path is None:
            return None
        self.reads.add(f"f:{self._repository.follow(path)}")
        return self._repository.file(path)

    def directory(self, path: str | None) -> bool:
        if path is None:
            return False
        self.reads.add(f"d:{self._repository.follow(path)}")
        return self._repository.is_directory(path)

    def entries(self, directory: str) -> Sequence[str]:
        self.reads.add(f"e:{self._repository.follow(directory)}")
        return self._repository.entries(directory)

    def interface(self, path: str) -> bytes:
        self.reads.add(f"i:{path}")
        return self._repository.interface(path)

    def ask(self, family: Family, key: str) -> Any:
        read = f"a:{family.value}:{key}"
        self.reads.add(read)
        if read not in self._answers:
            self._answers[read] = self.project(family).answer(key)
        return self._answers[read]

    def project(self, family: Family) -> Project:
        """The project of a family, built at first need."""
        if family not in self._projects:
            files = self.project_files[family] = ProjectFiles(self._repository)
            self._projects[family] = resolver_of(family).build(files, self._settings)
        return self._projects[family]

    def memo(self, key: Hashable, compute: Callable[[], T]) -> T:
        if key not in self._memo:
            outer, self.reads = self.reads, set()
            try:
                self._memo[key] = (compute(), frozenset(self.reads))
            finally:
                self.reads = outer
        value, reads = self._memo[key]
        self.reads |= reads
        return cast(T, value)
