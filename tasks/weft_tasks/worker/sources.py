"""Where a worker has contents from: packs, git repositories, mounted checkouts. Knows neither stores nor queues.

Names of projects and paths come from rows that anybody may have written: a project is one plain name in a configured
folder or nothing at all, and no path leads out of its checkout.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress

from weft_storage.model.errors import RepositoryError
from weft_storage.model.work import Job
from weft_tasks.contents import ContentError, ContentUnreachable, TreeContents
from weft_tasks.contents.beneath import Beneath
from weft_tasks.contents.git import Git
from weft_tasks.contents.objects import ObjectError, Objects
from weft_tasks.contents.readers import reason_of

# Projects that a worker says it reaches; more are found when they are asked for.
_MOST_REACHED = 1000


class Sources:
    """One slot's ways to contents. Git's processes live as long as it does, one for the project at hand."""

    def __init__(self, repositories: str | None, checkouts: str | None) -> None:
        self._repositories = repositories
        self._checkouts = checkouts
        self._project: str | None = None
        self._objects: Objects | None = None

    def close(self) -> None:
        """End git's process; idempotent."""
        if self._objects is not None:
            self._objects.close()
        self._project = self._objects = None

    def of_batch(self, project: str, pack: Mapping[bytes, bytes] | None) -> "BatchContents":
        """The contents of a batch's jobs; `pack` is what travelled with it."""
        return BatchContents(self, project, pack)

    def of_run(self, project: str) -> "RunSources":
        """The contents of a run's files."""
        return RunSources(self, project)

    def objects(self, project: str) -> Objects | None:
        """The object store of a project, None where there is none."""
        if self._project != project or self._objects is None:
            self.close()
            self._project, self._objects = project, _open_objects(self._repositories, project)
        return self._objects

    def checkout(self, project: str) -> str | None:
        """The folder of a project's checkout, None where there is none."""
        return _project_folder(self._checkouts, project)


class BatchContents:
    """Contents of jobs: from the pack, else from git by object id, else from the checkout.

    They need not be what the job says; whoever uses them compares digests.
    """

    def __init__(self, sources: Sources, project: str, pack: Mapping[bytes, bytes] | None) -> None:
        self._sources = sources
        self._project = project
        self._pack = pack
        self._refreshed = False

    def content(self, job: Job) -> bytes:
        """The bytes of a job. Raises ContentError, or ContentUnreachable where somebody else may have them."""
        if self._pack is not None and job.key in self._pack:
            return self._pack[job.key]
        found = self._from_git(job) if job.oid else None
        if found is None:
            found = self._from_checkout(job)
        if found is None and self._pack is not None:
            # Asking for another pack would go on for ever.
            raise ContentError(job.path, "it could not be read when its contents were packed")
        if found is None:
            raise ContentUnreachable(job.path)
        return found

    def _from_git(self, job: Job) -> bytes | None:
        while True:
            objects = self._sources.objects(self._project)
            if objects is None:
                return None
            with suppress(ObjectError, RepositoryError):
                return objects.read(job.oid, job.content.size)
            if self._refreshed:
                return None
            # The repository may have been replaced by a newer one since it was opened.
            self._sources.close()
            self._refreshed = True

    def _from_checkout(self, job: Job) -> bytes | None:
        """The bytes at the job's path. Where git knows the content, other bytes mean another commit: those are no
        contents of the run. Where it does not, this is the file that was scanned."""
        folder = self._sources.checkout(self._project)
        if folder is None:
            return None
        try:
            # One byte more is enough to see that the file has changed.
            found = _read_beneath(folder, job.path, job.content.size + 1)
        except (OSError, ValueError) as error:
            if job.oid or self._pack is not None:
                return None
            reason = reason_of(error) if isinstance(error, OSError) else "its path is not one"
            raise ContentError(job.path, reason) from None
        return None if job.oid and not _is_job(found, job) else found


class RunSources:
    """Files of a run by path and object id, for finalizing. Bytes of a checkout are for the caller to verify."""

    def __init__(self, sources: Sources, project: str) -> None:
        self._sources = sources
        self._project = project

    def read(self, path: str, oid: str, limit: int | None) -> bytes:
        """The bytes of a file. Raises ContentUnreachable; also where a checkout lacks the file or has a larger one,
        because it may be another commit's."""
        objects = self._sources.objects(self._project) if oid else None
        if objects is not None:
            with suppress(ObjectError, RepositoryError):
                return objects.read(oid, limit)
        folder = self._sources.checkout(self._project)
        if folder is None:
            raise ContentUnreachable(path)
        try:
            with TreeContents(folder) as tree:
                return tree.read(path, limit)
        except (ContentError, RepositoryError, ValueError):
            raise ContentUnreachable(path) from None


def reached(repositories: str | None, checkouts: str | None) -> tuple[str, ...]:
    """The projects whose contents can be had here: `git:NAME`, `mount:NAME`, sorted."""
    found = {f"git:{name.removesuffix('.git')}" for name in _names(repositories) if _git_directory(repositories, name)}
    found |= {f"mount:{name}" for name in _names(checkouts)}
    return tuple(sorted(found)[:_MOST_REACHED])


def is_plain(name: str) -> bool:
    """Whether a project's name is one component of a path and nothing else."""
    try:
        _encoded(name)
    except UnicodeEncodeError:
        return False
    return bool(name) and not name.startswith(".") and "/" not in name and "\0" not in name


def _names(root: str | None) -> Iterator[str]:
    if root is None:
        return
    with suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            if is_plain(entry.name) and entry.name.isprintable() and entry.is_dir():
                yield entry.name


def _project_folder(root: str | None, name: str) -> str | None:
    if root is None or not is_plain(name):
        return None
    folder = os.path.join(root, name)
    return folder if os.path.isdir(_encoded(folder)) else None


def _git_directory(root: str | None, name: str) -> str | None:
    """The git directory of a bare repository, or of one with a work tree."""
    folder = _project_folder(root, name)
    if folder is None:
        return None
    for candidate in (folder, os.path.join(folder, ".git")):
        if _is_git_directory(candidate):
            return candidate
    return None


def _is_git_directory(path: str) -> bool:
    """Whether git would take a folder for a repository. One that is a link elsewhere is none (`.git` may be one)."""
    try:
        return stat.S_ISDIR(os.lstat(_encoded(path)).st_mode) and all(
            os.path.lexists(_encoded(os.path.join(path, each))) for each in ("HEAD", "objects", "refs")
        )
    except (OSError, ValueError):
        return False


def _open_objects(root: str | None, project: str) -> Objects | None:
    directory = _git_directory(root, f"{project}.git") or _git_directory(root, project)
    if directory is None:
        return None
    # Named, not searched for: git looks in no folder above, and asks for no `safe.directory`.
    git = Git(directory, ("--git-dir=.",))
    try:
        partial = git.attempt("config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$").stdout
        object_format = git.run("rev-parse", "--show-object-format").decode("ascii", "replace").strip()
    except RepositoryError:
        return None
    return Objects(git, object_format, partial=bool(partial))


def _read_beneath(root: str, path: str, most: int) -> bytes:
    """The first bytes of a file. Raises OSError, also for a path that leads out of the root, ValueError for no path."""
    with Beneath(root) as beneath:
        descriptor = beneath.open(path)
        try:
            parts, left = [], most
            while left > 0 and (part := os.read(descriptor, left)):
                parts.append(part)
                left -= len(part)
            return b"".join(parts)
        finally:
            os.close(descriptor)


def _is_job(found: bytes, job: Job) -> bool:
    from blake3 import blake3

    return blake3(found).digest(len(job.content.digest)) == job.content.digest


def _encoded(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
