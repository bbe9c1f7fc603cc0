"""The repository that a folder belongs to, as git sees it. Knows neither files nor contents."""

import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from weft_storage.model.errors import RepositoryError
from weft_tasks.contents.git import Git, fail

_OID = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_QUESTIONS = (
    "--is-bare-repository",
    "--is-inside-work-tree",
    "--is-shallow-repository",
    "--show-object-format",
    "--show-cdup",  # of no use outside a work tree, where it may be missing
    "--absolute-git-dir",  # last: the only answer that may hold a newline
)


@dataclass(frozen=True, slots=True)
class Repository:
    """A git repository and the folder in it that is analyzed.

    `prefix` is that folder relative to the work tree, "" at its top. Outside a work tree (bare repositories, inside
    `.git`) it is "", and so is `git_directory`. `configuration` has the last value of every key.
    """

    git: Git
    git_directory: str
    prefix: str
    in_work_tree: bool
    bare: bool
    shallow: bool
    object_format: str
    configuration: Mapping[str, str]

    @property
    def partial(self) -> bool:
        """Whether objects may be absent that git would fetch when asked for."""
        return any(
            key == "extensions.partialclone" or (key.startswith("remote.") and key.endswith(".promisor"))
            for key in self.configuration
        )

    @property
    def common_directory(self) -> str:
        """Where the configuration shared by linked work trees is."""
        try:
            with open(
                os.path.join(self.git_directory, "commondir"), encoding="utf-8", errors="surrogateescape"
            ) as file:
                return os.path.normpath(os.path.join(self.git_directory, file.read().rstrip("\n")))
        except OSError:
            return self.git_directory


def find_repository(root: str) -> Repository | None:
    """The repository that holds an absolute folder, None where there is none. Raises RepositoryError."""
    git = Git(root)
    with ThreadPoolExecutor(1) as pool:
        listed = pool.submit(git.attempt, "config", "-z", "--list")
        asked = git.attempt("rev-parse", *_QUESTIONS)
    answers = asked.stdout.decode("utf-8", "surrogateescape").split("\n", len(_QUESTIONS) - 1)
    if asked.returncode or len(answers) < len(_QUESTIONS) - 1:
        _check_absence(root, asked.stderr)
        return None
    if listed.result().returncode:
        fail(root, "config", listed.result().stderr)
    configuration = _configuration(listed.result().stdout)
    bare, inside, shallow, object_format, *places = answers
    prefix, git_directory = _places(root, *places) if inside == "true" else ("", "")
    return Repository(
        git=git.without_filters(configuration),
        git_directory=git_directory,
        prefix=prefix,
        in_work_tree=inside == "true",
        bare=bare == "true",
        shallow=shallow == "true",
        object_format=object_format,
        configuration=configuration,
    )


def find_commit(repository: Repository, rev: str) -> str:
    """The full id of the commit that `rev` names. Raises RepositoryError where there is none."""
    named = object_id(repository.git, rev)
    commit = object_id(repository.git, named + "^{commit}") if named else ""
    if not commit:
        raise RepositoryError(repository.git.directory, f"there is no commit {rev!r}", _how_to_have_it(repository))
    return commit


def head_commit(repository: Repository) -> str:
    """The full id of the commit that is checked out, "" where there is none yet."""
    return object_id(repository.git, "HEAD^{commit}")


def object_id(git: Git, name: str) -> str:
    """The full id of the one object that git knows by a name, "" where there is none or more than one."""
    # No name starts with a dash, and not every version of `rev-parse --verify` has a way to say that none is an option.
    if name.startswith("-") or "\0" in name:
        return ""
    found = git.attempt("rev-parse", "--verify", "--quiet", name).stdout.strip()
    return found.decode() if _OID.fullmatch(found) else ""


def _check_absence(root: str, complaints: bytes) -> None:
    """Raise RepositoryError unless what git complains of is that there is no repository."""
    if b"not a git repository (" not in complaints:
        fail(root, "rev-parse", complaints)
    if os.path.lexists(os.path.join(root, ".git")):
        raise _broken(root, "git finds no repository in it")


def _places(root: str, up: str, git_directory: str) -> tuple[str, str]:
    """The prefix of a folder in a work tree, and its git directory."""
    top = os.path.normpath(os.path.join(root, up))
    if top == root:
        return "", git_directory.removesuffix("\n")
    if os.path.lexists(os.path.join(root, ".git")):
        raise _broken(root, f"git takes the folder for a part of {top}")
    return os.path.relpath(root, top), git_directory.removesuffix("\n")


def _broken(root: str, problem: str) -> RepositoryError:
    return RepositoryError(root, f"its .git is damaged: {problem}", "repair it, or remove .git to read a plain folder")


def _configuration(listed: bytes) -> dict[str, str]:
    pairs = (line.partition("\n") for line in listed.decode("utf-8", "surrogateescape").split("\0") if line)
    return {key: value if separator else "true" for key, separator, value in pairs}


def _how_to_have_it(repository: Repository) -> str:
    if repository.shallow:
        return "this is a shallow clone: fetch the commit first, with `git fetch --unshallow` or `git fetch --deepen=N`"
    return "fetch it first, or name a commit, branch or tag of this repository"
