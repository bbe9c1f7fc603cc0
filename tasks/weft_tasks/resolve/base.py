"""The seams of resolution: what a language brings, what it is given.

Resolution is a pure function of an importer's facts and of the answers that the `Index` gives. The index records
every question, so that a later run resolves again exactly the importers for which an answer has changed.
Whatever a resolver wants to know of the repository it therefore asks the index, never anything else.
"""

from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Any, Protocol, TypeVar

from weft_storage.model.edges import Resolution
from weft_storage.model.facts import Import
from weft_storage.model.languages import Family
from weft_storage.model.settings import Settings

T = TypeVar("T")


class RepositoryFiles(Protocol):
    """The whole repository, for building a `Project`. Unrecorded: answers are compared instead (see `Project`)."""

    @property
    def paths(self) -> Collection[str]:
        """Every file, by path; membership is constant time."""
        ...

    def file(self, path: str) -> str | None:
        """The path of the file that `path` names, links inside the repository followed; None where there is none."""
        ...

    def is_directory(self, path: str) -> bool:
        """Whether some file lies beneath the path; "" is the root."""
        ...

    def named(self, basename: str) -> Sequence[str]:
        """Paths of the files with that last component, sorted."""
        ...

    def read(self, path: str) -> bytes | None:
        """The bytes of a manifest; None where there is no such file or it cannot be read."""
        ...

    def interface(self, path: str) -> bytes:
        """The encoded interface of a source file (`weft_storage.model.interfaces`); empty where there is none."""
        ...


class Project(Protocol):
    """What the manifests and the layout of the repository mean to one language family.

    Built anew whenever a path, a manifest or an interface has changed and something must be resolved. Every
    answer that was used is remembered; importers that used one that now differs are resolved again. So
    answers are fine-grained: the package of *one* name, the configuration of *one* folder.
    """

    @property
    def problems(self) -> Sequence[tuple[str, str]]:
        """(path, sentence) per manifest that could not be read as intended; building goes on without it."""
        ...

    def answer(self, key: str) -> Any:
        """The answer to a question, as a value that msgpack can encode (str, int, None, tuple, list, dict, Struct).

        Equal repositories give equal answers, in the same order. Any question that an earlier repository gave rise to
        has an answer, whatever has become of the files and manifests in it; none raises.
        """
        ...


class Index(Protocol):
    """The repository as a resolver sees it. Every call is recorded as a read of the importer in hand."""

    def file(self, path: str | None) -> str | None:
        """The path of the file that `path` names, links inside the repository followed; None where there is none."""
        ...

    def directory(self, path: str | None) -> bool:
        """Whether some file lies beneath the path; "" is the root."""
        ...

    def entries(self, directory: str) -> Sequence[str]:
        """Names of the files and folders directly in a directory, sorted."""
        ...

    def interface(self, path: str) -> bytes:
        """The encoded interface of a source file; empty where there is none."""
        ...

    def ask(self, family: Family, key: str) -> Any:
        """The answer of the family's `Project` to a question."""
        ...

    def memo(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The value of `compute`, run once per key and index; its reads count for whoever asks.

        For work that many importers share. The key says all that `compute` depends on besides the index.
        """
        ...


class Resolver(Protocol):
    """One language family's rules. Stateless: everything it knows comes through its arguments."""

    family: Family

    def build(self, files: RepositoryFiles, settings: Settings) -> Project:
        """The project that the repository's manifests and layout describe. Never raises on bad manifests.

        The files that it reads are inputs of the graph: a change of their content builds the project anew.
        """
        ...

    def context(self, importer: str) -> Hashable:
        """A value such that importers with the same one resolve equal imports equally; commonly the folder.

        None where no two importers are known to: their resolutions are then not kept for others.
        """
        ...

    def resolve(self, importer: str, imported: Import, index: Index) -> Resolution:
        """Where one import leads. Never raises, whatever the specifier holds."""
        ...
