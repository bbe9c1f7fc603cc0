"""The snapshot: every file of a repository at one moment. Knows no store and nothing of what files mean."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from time import time_ns

from blake3 import blake3

from weft.snapshot.listing import SUBMODULE, Findings, Listing, settle
from weft.snapshot.revision import Revision, list_revision, read_revision
from weft.snapshot.statcache import is_racy
from weft.snapshot.worktree import DEFAULT_EXCLUDES, Kind, WorkTree, is_ignored, list_worktree, read_worktree
from weft_storage.model.errors import RepositoryError
from weft_storage.model.files import Content
from weft_storage.model.settings import Settings
from weft_tasks.contents.beneath import Signature
from weft_tasks.contents.objects import Objects
from weft_tasks.contents.readers import BlobContents, ContentError, Contents, TreeContents, no_folder
from weft_tasks.contents.repository import Repository, find_commit, find_repository, head_commit

FORMAT_VERSION = 1
"""Part of every token: raised whenever the same repository may be listed otherwise."""

# Up to here files that git does not vouch for are named by content in the token, which then survives a fresh clone.
_FEW_FILES = 256
_FEW_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Disk:
    """Work trees or a plain folder beneath a root, as they were seen; `modules` has submodules that cannot be read.

    `read` are identities of the files whose content the token names; `since` (ns) is when looking began.
    """

    root: str
    trees: Sequence[WorkTree]
    modules: Mapping[str, str]
    read: Mapping[str, Content]
    since: int

    def find(self) -> Findings:
        """All there is."""
        whole, *others = (list_worktree(self.root, tree) for tree in self.trees)
        for tree, found in zip(self.trees[1:], others, strict=True):
            whole.skipped.pop(tree.prefix[:-1], None)
            whole.add(found)
        whole.skipped |= self.modules
        return whole

    def signatures(self) -> dict[str, Signature]:
        """What the files looked like for which git does not vouch."""
        seen = (sighting for tree in self.trees for sighting in tree.sightings.items())
        return {path: sighting.signature for path, sighting in seen if sighting.signature is not None}

    def object_format_of(self, path: str) -> str | None:
        """How git names the content of a file (sha1, sha256); None outside git."""
        owner = next(tree for tree in reversed(self.trees) if path.startswith(tree.prefix))
        return owner.repository.object_format if owner.repository is not None else None


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit's files in the object store."""

    repository: Repository
    revision: Revision

    def find(self) -> Findings:
        """All there is. Raises RepositoryError where git cannot list it."""
        with self.objects() as objects:
            return list_revision(self.repository, self.revision, objects)

    def objects(self) -> Objects:
        """A reader of blobs, to be closed."""
        repository = self.repository
        return Objects(repository.git, repository.object_format, partial=repository.partial)


class Snapshot:
    """Every file of a repository at one moment: on disk, or in a commit.

    `root` is absolute and free of links. `revision` is the full id of the commit that was read or that the work tree
    stands on, "" where there is none. `token` identifies all contents: equal tokens, equal snapshots.
    Names are listed when they are first asked for, from what was seen when the snapshot was taken.
    """

    def __init__(
        self, *, root: str, revision: str, token: str, source: Disk | Commit, exclude: tuple[str, ...]
    ) -> None:
        self.root = root
        self.revision = revision
        self.token = token
        self.source = source
        self._exclude = exclude

    @property
    def paths(self) -> tuple[str, ...]:
        """Every regular file, sorted; also those of a sparse checkout that are not on disk (see `skipped`)."""
        return self._listing.paths

    @property
    def links(self) -> Mapping[str, str]:
        """Symbolic links that lead to a path of the snapshot or a folder of one ("" is the root), fully followed."""
        return self._listing.links

    @property
    def skipped(self) -> Mapping[str, str]:
        """Whatever has no content here, with the reason; sorted."""
        return self._listing.skipped

    @property
    def oids(self) -> Mapping[str, str]:
        """Git's blob ids of the files for whose content git vouches: equal ids, equal bytes."""
        return self._listing.oids

    @property
    def converted(self) -> Mapping[str, str]:
        """Git's blob ids of unchanged files whose line endings may differ on disk: their content if sizes are equal."""
        return self._listing.converted

    @property
    def claimed(self) -> Mapping[str, str]:
        """Git's blob ids of tracked files that may have changed in any way."""
        return self._listing.claimed

    @property
    def identified(self) -> Mapping[str, Content]:
        """Identities of the files that the token names by content."""
        return self.source.read if isinstance(self.source, Disk) else {}

    def contents(self) -> Contents:
        """A reader of contents for one thread, to be closed."""
        if isinstance(self.source, Commit):
            return BlobContents(self.source.objects(), self.oids)
        return TreeContents(self.root)

    @cached_property
    def _listing(self) -> Listing:
        return settle(self.source.find(), self._exclude, self.root)


def take_snapshot(root: str, *, rev: str | None, settings: Settings) -> Snapshot:
    """The files at `root`: of the commit `rev`, or as they are on disk.

    On disk are what git tracks and what it does not ignore; without git, what it would not. `root` may be
    a folder of a work tree: only what is below it counts. Nothing is written. Raises RepositoryError.
    """
    real = _real(root)
    repository = find_repository(real)
    if rev is None:
        return _take_worktree(real, repository, settings)
    if repository is None:
        raise RepositoryError(real, f"no git repository, so there is no commit {rev!r}", "leave out the revision")
    revision = read_revision(repository, find_commit(repository, rev))
    return Snapshot(
        root=real,
        revision=revision.commit,
        token=_token("commit", settings, [repository.object_format.encode(), revision.tree.encode()]),
        source=Commit(repository, revision),
        exclude=settings.exclude,
    )


def _real(root: str) -> str:
    try:
        real = os.path.realpath(root, strict=True)
    except (OSError, ValueError) as error:
        raise no_folder(root, error) from error
    TreeContents(real).close()
    return real


# Work trees -------------------------------------------------------------------------------------------


def _take_worktree(root: str, repository: Repository | None, settings: Settings) -> Snapshot:
    if repository is not None and not repository.in_work_tree:
        problem = "a bare repository has no files on disk" if repository.bare else "this is no part of a work tree"
        raise RepositoryError(root, problem, "name a revision to read, or the work tree")
    since = time_ns()
    with ThreadPoolExecutor(1) as pool:
        head = pool.submit(head_commit, repository) if repository is not None else None
        top = read_worktree(root, "", repository, settings.exclude)
    if repository is not None and is_ignored(repository, top):
        top, head = read_worktree(root, "", None, settings.exclude), None
    trees, modules = _with_submodules(root, top, settings)
    read, pieces = _identify_unvouched(root, trees)
    return Snapshot(
        root=root,
        revision=head.result() if head is not None else "",
        token=_token("disk", settings, [*pieces, *_mapping(modules)]),
        source=Disk(root, trees, modules, read, since),
        exclude=settings.exclude,
    )


def _with_submodules(root: str, top: WorkTree, settings: Settings) -> tuple[list[WorkTree], dict[str, str]]:
    """The work tree and those of all submodules that are checked out, and the reasons for the others."""
    if not settings.submodules:
        return [top], {}
    trees: list[WorkTree] = []
    reasons: dict[str, str] = {}
    pending = [top]
    while pending:
        tree = pending.pop()
        trees.append(tree)
        for path in tree.modules:
            if tree.sightings[path].kind is not Kind.FOLDER:
                continue
            module = _submodule(root, path)
            if isinstance(module, str):
                reasons[path] = module
            else:
                pending.append(read_worktree(root, path + "/", module, settings.exclude))
    return sorted(trees, key=lambda tree: tree.prefix), reasons


def _submodule(root: str, path: str) -> Repository | str:
    """The repository that is checked out at a path, or the reason why there is none."""
    folder = os.path.join(root, path)
    # Without a .git of its own git would take the folder for a part of the repository around it.
    if not os.path.lexists(os.path.join(folder, ".git")):
        return f"{SUBMODULE}, not checked out"
    try:
        repository = find_repository(folder)
    except RepositoryError as error:
        return f"{SUBMODULE}: {error.problem}"
    return repository if repository is not None and repository.in_work_tree else f"{SUBMODULE}, not a work tree"


# Tokens -----------------------------------------------------------------------------------------------


def _identify_unvouched(root: str, trees: Sequence[WorkTree]) -> tuple[dict[str, Content], list[bytes]]:
    """The identities of files that only their content can name now, and all that the token is made of.

    A file that git does not vouch for counts by its signature, or by its content if it is one of
    few or has changed just now.
    """
    now = time_ns()
    seen = [signature for tree in trees for signature in _signatures(tree)]
    few = len(seen) <= _FEW_FILES and sum(each.size for each in seen) <= _FEW_BYTES
    read: dict[str, Content] = {}
    pieces: list[bytes] = []
    with TreeContents(root) as contents:
        for tree in trees:
            pieces += _of_tree(tree)
            for path, sighting in tree.sightings.items():
                named: object = sighting.signature or sighting.target
                if sighting.signature and (few or is_racy(sighting.signature, now)):
                    named = _read(contents, path, read) or sighting
                pieces.append(f"{path}\0{sighting.kind}\0{named}".encode("utf-8", "surrogateescape"))
    return read, pieces


def _signatures(tree: WorkTree) -> Iterator[Signature]:
    return (sighting.signature for sighting in tree.sightings.values() if sighting.signature is not None)


def _read(contents: TreeContents, path: str, read: dict[str, Content]) -> str:
    """The digest of a file, whose identity is noted; "" where it cannot be read."""
    try:
        read[path] = contents.identify(path, None)[0]
    except ContentError:
        return ""
    return read[path].digest.hex()


def _of_tree(tree: WorkTree) -> list[bytes]:
    """What identifies a work tree, but for the files that git does not vouch for."""
    report = tree.report
    names = (sorted(tree.deleted), sorted(tree.nested), sorted(tree.sparse))
    return [
        tree.prefix.encode("utf-8", "surrogateescape"),
        tree.repository.object_format.encode() if tree.repository else b"plain",
        report.entries,
        report.complaints,
        # Git vouches for the blob, and for the file being the one that the index knows: both together are its bytes.
        report.index if tree.converted else b"",
        *("\0".join(each).encode("utf-8", "surrogateescape") for each in names),
    ]


def _mapping(named: Mapping[str, str]) -> Iterator[bytes]:
    return (f"{key}\0{value}".encode("utf-8", "surrogateescape") for key, value in sorted(named.items()))


def _token(kind: str, settings: Settings, pieces: Iterable[bytes]) -> str:
    configured = [*settings.exclude, "", str(settings.submodules), *DEFAULT_EXCLUDES]
    digest = blake3(f"{kind}\0{FORMAT_VERSION}".encode())
    for piece in (*(each.encode("utf-8", "surrogateescape") for each in configured), *pieces):
        digest.update(len(piece).to_bytes(8, "big"))
        digest.update(piece)
    return digest.hexdigest()
