"""The tree of a commit, read from the object store. Knows no work tree."""

from dataclasses import dataclass

from weft.snapshot.listing import LONGEST_TARGET, SUBMODULE, Findings
from weft_tasks.contents.objects import ObjectError, Objects
from weft_tasks.contents.repository import Repository, object_id

_LINK = "120000"
_MODULE = "160000"


@dataclass(frozen=True, slots=True)
class Revision:
    """A folder of a commit: `tree` is the id of what it holds, "" where the commit has no such folder."""

    commit: str
    tree: str


def read_revision(repository: Repository, commit: str) -> Revision:
    """The repository's folder as it is in a commit."""
    entry = f"{commit}:{repository.prefix}" if repository.prefix else commit
    named = object_id(repository.git, entry)
    return Revision(commit, object_id(repository.git, named + "^{tree}") if named else "")


def list_revision(repository: Repository, revision: Revision, objects: Objects) -> Findings:
    """All that a commit holds in the folder, by paths relative to it. Raises RepositoryError where git cannot."""
    found = Findings()
    if not revision.tree:
        return found
    listed = repository.git.run("ls-tree", "-r", "-z", "--full-tree", revision.tree)
    for record in listed.decode("utf-8", "surrogateescape").split("\0")[:-1]:
        entry, _, path = record.partition("\t")
        mode, _, oid = entry.split(" ")
        if mode == _MODULE:
            found.skipped[path] = SUBMODULE
        elif mode == _LINK:
            _add_link(found, path, oid, objects)
        else:
            found.oids[path] = oid
    found.files = dict.fromkeys(found.oids)
    return found


def _add_link(found: Findings, path: str, oid: str, objects: Objects) -> None:
    try:
        found.texts[path] = objects.read(oid, LONGEST_TARGET).decode("utf-8", "surrogateescape")
    except ObjectError as error:
        found.skipped[path] = f"symlink: {error.reason}"
