"""What changed since a commit: which states of the repository are meant, and both analyzed, beside the store.

No earlier scan of either is needed. What is published in the store stays.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial

from weft.configuration import settings_of
from weft.pipeline import Options, analyze
from weft.queries import GraphView
from weft.queries.affected import Change, last_change
from weft.snapshot import take_snapshot
from weft_storage.backends import Store
from weft_storage.backends.branch import Branch
from weft_storage.backends.overlay import Overlay
from weft_storage.model.errors import RepositoryError, UsageError
from weft_tasks.contents import read_or_none
from weft_tasks.contents.repository import Repository, find_commit, find_repository, object_id


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two states of a repository: the commit `base`, and the commit `rev` or, where that is None, the work tree."""

    base: str
    rev: str | None


@contextmanager
def changed_since(store: Store, root: str, project: str, comparison: Comparison, *, jobs: int) -> Iterator[Change]:
    """What changed between the two states. Facts that nobody had are kept in the store, and nothing else."""
    with ExitStack() as stack:
        beside = _analyze_beside(store, stack, root, project, (comparison.base, comparison.rev), jobs)
        yield last_change(GraphView(beside, project))


def _analyze_beside(
    store: Store, stack: ExitStack, root: str, project: str, revs: Sequence[str | None], jobs: int
) -> Store:
    """A store beside the given one in which the commits (None: the work tree) were scanned one after the other.

    Where the project has a published graph, only what differs from it is looked at; else all that is in the commits.
    """
    options = [Options(project=project, rev=rev, jobs=jobs) for rev in revs]
    if store.published(project) is not None:
        branch: Branch | None = None
        for each in options:
            branch = Branch(branch or store, project)
            analyze(branch, root, settings_of(root, each.rev), each)
        # A scan of the project may have published meanwhile; then all is read as in a store that has no graph.
        if branch is not None and branch.is_current:
            return branch
    overlay = stack.enter_context(Overlay(store))
    for each in options:
        analyze(overlay, root, settings_of(root, each.rev), each)
    return overlay


@contextmanager
def sources(root: str, rev: str | None) -> Iterator[Callable[[str], bytes | None]]:
    """A reader of the files of a commit, or of the work tree; it gives None for what cannot be read."""
    with take_snapshot(root, rev=rev, settings=settings_of(root, rev)).contents() as contents:
        yield partial(read_or_none, contents)


def read_since(root: str, since: str, rev: str | None = None) -> Comparison:
    """What a person means: `A` is that commit itself; `A...B` is where B left A (`A...` where HEAD did), compared with
    B (with the work tree); `A..B` is A, compared with B.

    Raises RepositoryError where a commit is not there, or A and B have no commit in common; UsageError.
    """
    repository = find_repository(root)
    if repository is None:
        raise RepositoryError(root, f"no git repository, so there is no commit {since!r}", "scan before and after")
    dots = "..." if "..." in since else ".." if ".." in since else ""
    first, _, second = since.partition(dots) if dots else (since, "", "")
    if second and rev is not None:
        raise UsageError(f"--since {since}", "names both ends already", "leave out --rev")
    end = second or rev
    base = find_commit(repository, first or "HEAD")
    if end is not None:
        find_commit(repository, end)
    if dots == "...":
        base = _merge_base(repository, base, find_commit(repository, end or "HEAD"), since)
    return Comparison(base, end)


def _merge_base(repository: Repository, first: str, second: str, since: str) -> str:
    done = repository.git.attempt("merge-base", first, second)
    base = done.stdout.decode("ascii", "replace").split()
    if not base or not object_id(repository.git, base[0]):
        remedy = "name a commit of this history"
        if repository.shallow:
            remedy = "this is a shallow clone: fetch more, with `git fetch --unshallow` or `git fetch --deepen=N`"
        raise RepositoryError(repository.git.directory, f"the two ends of {since!r} have no commit in common", remedy)
    return base[0]
