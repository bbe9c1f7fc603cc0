"""Git, run so that nothing of a repository makes it run, fetch or write anything. Knows no command's meaning.

A repository's configuration may name programs (filters, hooks, a file system monitor, transports, pagers). Those
that the commands used here could reach are switched off on the command line, which outranks every file.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from weft_storage.model.errors import RepositoryError

TIMEOUT = 900.0
"""Seconds after which a git command counts as hanging (a named pipe in place of a .gitignore, a dead mount)."""

_OPTIONS = (
    "core.fsmonitor=",  # empty is off in every version; older ones take `false` for the name of a program
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.sshCommand=false",
    "core.askPass=",
    "credential.helper=",
    "protocol.allow=never",
    "core.quotePath=false",
    "submodule.recurse=false",
    "diff.ignoreSubmodules=all",
)

_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    # A replaced object has another content than its name says; names are what caches are keyed by.
    "GIT_NO_REPLACE_OBJECTS": "1",
}

# The user's own: where their configuration is, and `safe.directory` given by environment (as in containers).
_KEPT = re.compile(
    r"GIT_CONFIG_(?:GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)"
    r"|GIT_(?:CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM|EXEC_PATH|ATTR_NOSYSTEM)"
)

_FILTER_KEY = re.compile(r"filter\.(.+)\.[^.]+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Git:
    """Git commands run in `directory`, with further options before the command's name."""

    directory: str
    options: tuple[str, ...] = ()

    def command(self, *arguments: str) -> list[str]:
        """The argument list that runs a command hardened."""
        settings = [part for option in _OPTIONS for part in ("-c", option)]
        return ["git", "--no-pager", *settings, "-C", self.directory, *self.options, *arguments]

    def run(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        """What a command prints. Raises RepositoryError where it fails."""
        return self.listen(*arguments, stdin=stdin)[0]

    def listen(self, *arguments: str, stdin: bytes | None = None) -> tuple[bytes, bytes]:
        """What a command prints, and its complaints. Raises RepositoryError where it fails."""
        done = self.attempt(*arguments, stdin=stdin)
        if done.returncode:
            fail(self.directory, arguments[0], done.stderr)
        return done.stdout, done.stderr

    def attempt(self, *arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        """A command that may fail. Raises RepositoryError only where it cannot be run at all."""
        try:
            return subprocess.run(
                self.command(*arguments),
                env=environment(os.environ),
                input=stdin or b"",
                capture_output=True,
                timeout=TIMEOUT,
                check=False,
            )
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise not_run(self.directory, error) from error

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A running command, for who feeds its input and reads its output. Its complaints are dropped."""
        try:
            return subprocess.Popen(
                self.command(*arguments),
                env=environment(os.environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except (OSError, ValueError) as error:
            raise not_run(self.directory, error) from error

    def without_filters(self, configuration: Iterable[str]) -> "Git":
        """The same with every filter driver switched off that the keys of a configuration define.

        `diff-files` compares files that changed in the second in which the index was written by content, and
        would run their `clean` filter. Raises RepositoryError for a driver that no option can name.
        """
        names = sorted({match[1] for key in configuration if (match := _FILTER_KEY.fullmatch(key))})
        odd = next((name for name in names if "=" in name), None)
        if odd is not None:
            raise RepositoryError(
                self.directory,
                f"git's configuration defines a filter named {odd!r}",
                "a filter's name must hold no '='",
            )
        off = ("clean=", "smudge=", "process=", "required=false")
        options = [part for name in names for setting in off for part in ("-c", f"filter.{name}.{setting}")]
        return Git(self.directory, (*self.options, *options))


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment of a git command: no GIT_* variable but the user's own configuration, and ours."""
    kept = {key: value for key, value in inherited.items() if not key.startswith("GIT_") or _KEPT.fullmatch(key)}
    return kept | _ENVIRONMENT


def fail(directory: str, command: str, complaints: bytes) -> NoReturn:
    """Raise the RepositoryError that stands for a failed command."""
    text = complaints.decode("utf-8", "replace")
    if "dubious ownership" in text:
        raise RepositoryError(
            directory,
            "git does not trust this repository, because it belongs to another user",
            f"if you trust it, run: git config --global --add safe.directory {directory}",
        )
    lines = text.strip().splitlines()
    fatal = [line for line in lines if line.startswith("fatal:")]
    reason = (fatal or lines or ["it gave no reason"])[0].removeprefix("fatal: ")
    raise RepositoryError(directory, f"git {command} failed: {reason}", "`git status` there may tell more")


def not_run(directory: str, error: Exception) -> RepositoryError:
    """The RepositoryError that stands for a git which could not be run, or did not end."""
    match error:
        case FileNotFoundError():
            return RepositoryError(directory, "git is not installed, or not on PATH", "install git 2.30 or newer")
        case subprocess.TimeoutExpired():
            problem = f"git did not answer within {TIMEOUT:.0f} seconds"
            return RepositoryError(directory, problem, "look for named pipes or a hanging mount there")
        case _:
            return RepositoryError(directory, f"git cannot be run: {error}")
