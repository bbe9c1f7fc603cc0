"""The tree of a commit, read from the object store. Knows no work tree."""

from dataclasses import dataclass

from weft.snapshot.listing import LONGEST_TARGET, SUBMODULE, Findings
from weft.snapshot.objects import ObjectError, Objects
from weft.snapshot.repository import Repository

_LINK = "120000"
_MODULE = "160000"


@dataclass(frozen=True, slots=True)
class Revision:
    """A folder of a commit: `tree` is the id of what it holds, "" where the commit has no such folder."""

    commit: str
    tree: str
    prefix: str


def read_revision(repository: Repository, commit: str) -> Revision:
    """The repository's folder as it is in a commit."""
    prefix = repository.prefix
    named = repository.git.attempt("rev-parse", "--verify", "--quiet", f"{commit}:{prefix}")
    return Revision(commit, named.stdout.decode("ascii", "replace").strip(), prefix)


def list_revision(repository: Repository, revision: Revision, objects: Objects) -> Findings:
    """All that a commit holds in the folder, by paths relative to it. Raises RepositoryError where git cannot."""
    below = f"{revision.prefix}/" if revision.prefix else ""
    listed = repository.git.run(
        "ls-tree", "-r", "-z", "--full-tree", revision.commit, *(("--", below) if below else ())
    )
    found = Findings()
    for record in listed.decode("utf-8", "surrogateescape").split("\0")[:-1]:
        entry, _, path = record.partition("\t")
        if not path.startswith(below):
            continue
        mode, _, oid = entry.split(" ")
        name = path[len(below) :]
        if mode == _MODULE:
            found.skipped[name] = SUBMODULE
        elif mode == _LINK:
            _add_link(found, name, oid, objects)
        else:
            found.oids[name] = oid
    found.files = dict.fromkeys(found.oids)
    return found


def _add_link(found: Findings, path: str, oid: str, objects: Objects) -> None:
    try:
        found.texts[path] = objects.read(oid, LONGEST_TARGET).decode("utf-8", "surrogateescape")
    except ObjectError as error:
        found.skipped[path] = f"symlink: {error.reason}"
