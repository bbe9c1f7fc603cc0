"""A work tree as it is on disk: what git tracks, what it does not, and what it does not know to be unchanged.

A plain folder is a work tree with an empty index. Git's own answers are taken as they are (racily clean files
included); every file that they do not vouch for is looked at.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from blake3 import blake3

from weft.snapshot.attributes import NAME as ATTRIBUTES
from weft.snapshot.attributes import OPAQUE, Conversion, conversions, opaque_paths
from weft.snapshot.listing import LONGEST_TARGET, NESTED, NOT_CHECKED_OUT, SPECIAL, SUBMODULE, UNREADABLE, Findings
from weft_storage.model.errors import RepositoryError
from weft_tasks.contents.beneath import Beneath, Signature, signature
from weft_tasks.contents.git import Git, fail
from weft_tasks.contents.readers import ContentError, TreeContents
from weft_tasks.contents.repository import Repository

DEFAULT_EXCLUDES = ("node_modules/", ".venv/", "__pycache__/", ".git/", ".hg/", ".tox/", ".weft/")
"""Left out where git does not track it, whatever .gitignore says."""

_ATTEMPTS = 5
# Patterns that mean the same on git's command line, where they are relative to the top of the work tree.
_PLAIN_PATTERN = re.compile(r"[A-Za-z0-9_.*-]+/?")
_DEFAULT_NAMES = frozenset(pattern[:-1] for pattern in DEFAULT_EXCLUDES)
_UNREADABLE_FOLDER = re.compile(rb"^warning: could not open directory '(.+?)/?': ", re.MULTILINE)
_REGULAR = "100"
_LINK = "120000"
_MODULE = "160000"


class Kind(StrEnum):
    """What is at a path."""

    FILE = "file"
    LINK = "link"
    FOLDER = "folder"
    SPECIAL = "special"
    ABSENT = "absent"


class Sighting(NamedTuple):
    """What was at a path when it was looked at; `signature` of a file, `target` of a link."""

    kind: Kind
    signature: Signature | None = None
    target: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What git said of a work tree at one moment, unparsed: its index, what differs from it, what it lacks.

    `index` is the digest of the index itself, with the sizes and times of all files.
    """

    entries: bytes = b""
    changes: bytes = b""
    others: bytes = b""
    complaints: bytes = b""
    index: bytes = b""


@dataclass(frozen=True, slots=True)
class WorkTree:
    """One work tree or plain folder. All paths start with `prefix`, which is "" or ends in a slash.

    `sightings` has every file that git does not vouch for, sorted; `deleted` are tracked and not on disk;
    `sparse` need not be there either; `modules` are tracked submodules; `converted` the conversions that tracked
    files may undergo.
    """

    prefix: str
    repository: Repository | None
    report: Report
    sightings: Mapping[str, Sighting]
    deleted: frozenset[str]
    sparse: frozenset[str]
    nested: tuple[str, ...]
    modules: tuple[str, ...]
    converted: frozenset[Conversion]


def read_worktree(root: str, prefix: str, repository: Repository | None, exclude: Sequence[str]) -> WorkTree:
    """The work tree (or, without a repository, plain folder) at `prefix` beneath the root, as it is now.

    Raises RepositoryError where git cannot list it, or does not come to rest.
    """
    folder = os.path.join(root, prefix) if prefix else root
    report = _ask(repository, exclude) if repository is not None else _ask_plain(folder, exclude)
    changed, deleted = _changes(report.changes)
    flagged = dict(_flagged(report.entries))
    modules = _modules(report.entries)
    untracked = [path for path in _split(report.others) if not _is_left_out(path, repository)]
    looked_at = {*changed, *flagged, *modules, *(path for path in untracked if not path.endswith("/"))}
    with Beneath(root) as beneath:
        sightings = {prefix + path: _look(beneath, prefix + path) for path in sorted(looked_at - deleted)}
    return WorkTree(
        prefix=prefix,
        repository=repository,
        report=report,
        sightings=sightings,
        deleted=frozenset(prefix + path for path in deleted),
        sparse=frozenset(prefix + path for path, tag in flagged.items() if tag in "Ss"),
        nested=tuple(prefix + path[:-1] for path in untracked if path.endswith("/")),
        modules=tuple(prefix + path for path in modules),
        converted=_conversions(folder, repository, report),
    )


def is_ignored(repository: Repository, tree: WorkTree) -> bool:
    """Whether a folder below the top of its work tree is ignored by git and holds nothing tracked."""
    if not repository.prefix or tree.report.entries:
        return False
    asked = os.path.basename(repository.prefix).encode("utf-8", "surrogateescape") + b"/\0"
    above = Git(os.path.dirname(repository.git.directory), repository.git.options)
    answer = above.attempt("check-ignore", "-z", "--stdin", stdin=asked)
    if answer.returncode not in (0, 1):
        fail(repository.git.directory, "check-ignore", answer.stderr)
    return answer.returncode == 0


def list_worktree(root: str, tree: WorkTree) -> Findings:
    """All that a work tree holds."""
    found = Findings()
    links = _add_tracked(found, tree)
    _add_sighted(found, tree)
    _add_links(found, root, [path for path in links if path not in tree.sightings and path not in tree.deleted])
    _set_conversions_apart(found, tree)
    for match in _UNREADABLE_FOLDER.finditer(tree.report.complaints):
        found.skipped[tree.prefix + match[1].decode("utf-8", "surrogateescape")] = UNREADABLE
    found.skipped |= dict.fromkeys(tree.nested, NESTED)
    return found


# Asking git -------------------------------------------------------------------------------------------


def _ask(repository: Repository, exclude: Sequence[str]) -> Report:
    """What git says, all of it about the same index: another process may be replacing that meanwhile."""
    place = os.path.join(repository.git_directory, "index")
    for _ in range(_ATTEMPTS):
        before = _signature_of(place)
        report = _ask_once(repository, place, exclude)
        if _signature_of(place) == before:
            return report
    raise RepositoryError(
        repository.git.directory, "git's index keeps changing", "wait until no other git command runs"
    )


def _ask_once(repository: Repository, index: str, exclude: Sequence[str]) -> Report:
    git = repository.git
    with ThreadPoolExecutor(3) as pool:
        entries = pool.submit(git.run, "ls-files", "-s", "-v", "-z")
        changes = pool.submit(
            git.run,
            "diff-files",
            "--raw",
            "-z",
            "--no-renames",
            "--no-ext-diff",
            "--ignore-submodules=all",
            "--relative",
        )
        others = pool.submit(git.listen, *_others(repository, exclude))
        digest = _digest_of(index)
        listed, complaints = others.result()
        return Report(entries.result(), changes.result(), listed, complaints, digest)


def _ask_plain(folder: str, exclude: Sequence[str]) -> Report:
    """What git says of a plain folder, by way of an empty repository elsewhere."""
    import tempfile  # takes as long to load as a git command to run, and work trees need it not

    with tempfile.TemporaryDirectory(prefix="weft-") as empty:
        os.mkdir(os.path.join(empty, "objects"))
        os.mkdir(os.path.join(empty, "refs"))
        with open(os.path.join(empty, "HEAD"), "w", encoding="ascii") as head:
            head.write("ref: refs/heads/none\n")
        git = Git(folder, (f"--git-dir={empty}", f"--work-tree={folder}"))
        listed, complaints = git.listen(*_others(None, exclude))
    return Report(others=listed, complaints=complaints)


def _others(repository: Repository | None, exclude: Sequence[str]) -> list[str]:
    """The command that lists untracked files. Excluded folders are not even walked.

    Patterns on the command line apply to the folders above the one that is listed as well; those that could
    hit one of them are kept from it.
    """
    patterns = [] if _withholds_defaults(repository) else list(DEFAULT_EXCLUDES)
    if (repository is None or not repository.prefix) and all(map(_PLAIN_PATTERN.fullmatch, exclude)):
        patterns += exclude
    return ["ls-files", "-z", "--others", "--exclude-standard", *(f"--exclude={pattern}" for pattern in patterns)]


def _withholds_defaults(repository: Repository | None) -> bool:
    return repository is not None and not _DEFAULT_NAMES.isdisjoint(repository.prefix.split("/"))


def _signature_of(place: str) -> Signature | None:
    try:
        return signature(os.stat(place))
    except OSError:
        return None


def _digest_of(place: str) -> bytes:
    try:
        with open(place, "rb") as file:
            return blake3(file.read()).digest()
    except OSError:
        return b""


# Reading its answers ----------------------------------------------------------------------------------


def _split(listed: bytes) -> list[str]:
    return listed.decode("utf-8", "surrogateescape").split("\0")[:-1]


def _changes(raw: bytes) -> tuple[set[str], set[str]]:
    """Paths that differ from the index, and those of them that are gone."""
    fields = _split(raw)
    changed: set[str] = set()
    deleted: set[str] = set()
    for status, path in zip(fields[0::2], fields[1::2], strict=True):
        (deleted if status.endswith("D") else changed).add(path)
    return changed, deleted - changed


def _is_left_out(path: str, repository: Repository | None) -> bool:
    """Whether a default exclude applies that was kept from git, see `_others`."""
    return _withholds_defaults(repository) and not _DEFAULT_NAMES.isdisjoint(path.split("/")[:-1])


def _flagged(entries: bytes) -> Iterator[tuple[str, str]]:
    """Path and tag of what git does not compare with the disk: not checked out (sparse), or assumed unchanged."""
    if entries.count(b"\0H ") + entries.startswith(b"H ") < entries.count(b"\0"):
        for record in _split(entries):
            if not record.startswith("H "):
                yield record.partition("\t")[2], record[0]


def _modules(entries: bytes) -> list[str]:
    if b" 160000 " not in entries:
        return []
    return [record.partition("\t")[2] for record in _split(entries) if record[2:8] == _MODULE]


def _conversions(folder: str, repository: Repository | None, report: Report) -> frozenset[Conversion]:
    if repository is None or not report.entries:
        return frozenset()
    paths = {*_attribute_files(report.entries), *_attribute_files(report.others)}
    with TreeContents(folder) as contents:
        return conversions(repository, contents, sorted(paths))


def _attribute_files(listed: bytes) -> Iterator[str]:
    """The .gitattributes in an answer of `ls-files`, without parsing all of it."""
    sign = ATTRIBUTES.encode() + b"\0"
    end = listed.find(sign)
    while end >= 0:
        start = listed.rfind(b"\0", 0, end) + 1
        record = listed[start : end + len(sign) - 1].decode("utf-8", "surrogateescape")
        path = record.rpartition("\t")[2]
        if path == ATTRIBUTES or path.endswith("/" + ATTRIBUTES):
            yield path
        end = listed.find(sign, end + 1)


def _look(beneath: Beneath, path: str) -> Sighting:
    try:
        status = beneath.status(path)
        if stat.S_ISREG(status.st_mode):
            return Sighting(Kind.FILE, signature(status))
        if stat.S_ISLNK(status.st_mode):
            return Sighting(Kind.LINK, target=beneath.target(path))
    except OSError:
        return Sighting(Kind.ABSENT)
    return Sighting(Kind.FOLDER if stat.S_ISDIR(status.st_mode) else Kind.SPECIAL)


# Listing ----------------------------------------------------------------------------------------------


def _add_tracked(found: Findings, tree: WorkTree) -> list[str]:
    """Add the regular files of the index; the paths of its symbolic links."""
    records = _split(tree.report.entries)
    if not records:
        return []
    # "H 100644 <oid> 0\t<path>": every field before the path has a fixed width.
    tab = records[0].index("\t")
    end, start, prefix = tab - 2, tab + 1, tree.prefix
    found.oids = {prefix + record[start:]: record[9:end] for record in records if record[2:5] == _REGULAR}
    found.files = dict.fromkeys(found.oids)
    for path in tree.deleted:
        found.oids.pop(path, None)
        found.files.pop(path, None)
    return [prefix + record[start:] for record in records if record[2:8] == _LINK]


def _add_sighted(found: Findings, tree: WorkTree) -> None:
    """Add what was looked at, as it is on disk."""
    modules = set(tree.modules)
    for path, sighting in tree.sightings.items():
        tracked = path in found.files
        oid = found.oids.pop(path, "")
        found.files.pop(path, None)
        match sighting.kind:
            case Kind.FILE:
                found.files[path] = None
                if oid:
                    found.claimed[path] = oid
            case Kind.LINK:
                found.texts[path] = sighting.target
            case Kind.SPECIAL:
                found.skipped[path] = SPECIAL
            case Kind.ABSENT if tracked and path in tree.sparse:
                found.files[path] = None
                found.skipped[path] = NOT_CHECKED_OUT
            case Kind.FOLDER if path in modules:
                found.skipped[path] = SUBMODULE


def _add_links(found: Findings, root: str, paths: Sequence[str]) -> None:
    """Add tracked symbolic links. Where the file system has none, git keeps their text in a file."""
    with TreeContents(root) as contents, Beneath(root) as beneath:
        for path in paths:
            try:
                found.texts[path] = beneath.target(path)
            except OSError:
                try:
                    found.texts[path] = contents.read(path, LONGEST_TARGET).decode("utf-8", "surrogateescape")
                except ContentError:
                    found.skipped[path] = UNREADABLE


def _set_conversions_apart(found: Findings, tree: WorkTree) -> None:
    """Take from the files that git vouches for those whose bytes on disk it may have converted."""
    if not tree.converted or tree.repository is None:
        return
    cut = len(tree.prefix)
    opaque = opaque_paths(tree.repository, tree.converted.intersection(OPAQUE), [path[cut:] for path in found.oids])
    for name in opaque:
        path = tree.prefix + name
        found.claimed[path] = found.oids.pop(path)
    found.converted, found.oids = found.oids, {}
