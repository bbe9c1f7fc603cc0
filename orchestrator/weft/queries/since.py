"""What `--since` names: the commit to compare with, and what with it. Reads git; analyzes nothing."""

from dataclasses import dataclass

from weft_storage.model.errors import RepositoryError, UsageError
from weft_tasks.contents.repository import Repository, find_commit, find_repository, object_id


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two states of a repository: the commit `base`, and the commit `rev` or, where that is None, the work tree."""

    base: str
    rev: str | None


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
