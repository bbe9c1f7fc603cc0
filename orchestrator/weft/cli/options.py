"""What commands have in common: options, where the store is, how to talk to a person."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from weft.queries import GraphView
    from weft_storage.backends import Store

EXIT_FINDINGS = 1
EXIT_INCOMPLETE = 3

DEBUG = "WEFT_DEBUG"
STORE_FOLDER = ".weft"
STORE_FILE = "graph.db"

EPILOG = """\b
Exit codes: 0 done and clean, 1 findings where asked for, 2 usage or environment, 3 the run is incomplete.
"""

Command = TypeVar("Command", bound=Callable[..., Any])


_LOOKS: dict[str, dict[str, Any]] = {
    "strong": {"bold": True},
    "dim": {"dim": True},
    "good": {"fg": "green"},
    "warn": {"fg": "yellow"},
    "bad": {"fg": "red"},
}


@dataclass(frozen=True, slots=True)
class Voice:
    """How to talk: `quiet` says only results, `verbose` every phase's time; `color` where a terminal wants it."""

    quiet: bool
    verbose: bool
    color: bool

    def style(self, text: str, role: str) -> str:
        """The text in the colours of its role (`weft.report.text.Role`), where colours are wanted."""
        return click.style(text, **_LOOKS.get(role, {})) if self.color else text


def say(text: str) -> None:
    """Print a result. Paths may hold bytes that are not UTF-8: those go out as they are in the file system."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()


def to_text(document: Any, as_text: Callable[..., str], output_format: str, speaker: Voice) -> str:
    """A document as the format that was asked for, with a final newline unless there is nothing to say."""
    from weft.report.documents import to_json

    if output_format == "json":
        return to_json(document)
    text = as_text(document, speaker.style)
    return f"{text}\n" if text and not text.endswith("\n") else text


def common(command: Command) -> Command:
    """The options that every command has."""
    for option in (
        click.option("--debug", is_flag=True, help="Show a traceback when something fails."),
        click.option("--no-color", is_flag=True, help="No colours (as with NO_COLOR set)."),
        click.option("-v", "--verbose", is_flag=True, help="Say more."),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing but results and errors."),
        click.option("--project", metavar="NAME", help="Project in the store; default: the repository folder's name."),
        click.option("--store", "store_url", metavar="URL", envvar="WEFT_STORE", callback=_or_from_file, help=(
            "sqlite:///file.db, a path, postgresql://... or memory://; default: .weft/graph.db in the repository. "
            "WEFT_STORE_FILE may name a file that holds the URL."
        )),
    ):  # fmt: skip
        command = option(command)
    return command


def broker_option(command: Command) -> Command:
    """`--broker`, also from the environment or from a file."""
    return click.option("--broker", metavar="URL", envvar="WEFT_BROKER", callback=_or_from_file, help=(
        "The workers' queue: redis://..., rediss://... WEFT_BROKER_FILE may name a file that holds the URL."
    ))(command)  # fmt: skip


def _or_from_file(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """An option's value, or what the file says that `<its variable>_FILE` names: secrets are mounted as files."""
    name = f"{parameter.envvar}_FILE"
    path = os.environ.get(name)
    if value or not path:
        return value
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise click.BadParameter(f"{name} names {path}, which cannot be read: {reason}", context, parameter) from error


def json_or_text(command: Command) -> Command:
    """`--format text|json`."""
    return format_option("text", "json")(command)


def format_option(*formats: str) -> Callable[[Command], Command]:
    """`--format`, the first being the default."""
    choice = click.Choice(formats)
    return click.option("--format", "output_format", type=choice, default=formats[0], show_default=True, help="Output.")


def voice(*, quiet: bool, verbose: bool, no_color: bool, debug: bool) -> Voice:
    """How this command talks."""
    if debug:
        os.environ[DEBUG] = "1"
    color = not no_color and not os.environ.get("NO_COLOR") and sys.stdout.isatty()
    return Voice(quiet, verbose, color)


def find_root(start: str) -> str:
    """The repository around a folder: the nearest one above with a store, else the git work tree, else the folder."""
    start = os.path.realpath(start)
    marked = _nearest(start, lambda folder: os.path.exists(os.path.join(folder, STORE_FOLDER, STORE_FILE)))
    return marked or _nearest(start, lambda folder: os.path.exists(os.path.join(folder, ".git"))) or start


def root_to_scan(start: str) -> str:
    """The repository around a folder as far as a scan goes: a git work tree is never left for a store above it."""
    marks = (os.path.join(STORE_FOLDER, STORE_FILE), ".git")
    start = os.path.realpath(start)
    return _nearest(start, lambda folder: any(os.path.exists(os.path.join(folder, mark)) for mark in marks)) or start


def _nearest(folder: str, holds: Callable[[str], bool]) -> str | None:
    while not holds(folder):
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return folder


def default_store(root: str) -> str:
    """The store of a repository when none is named."""
    return "sqlite:///" + os.path.join(root, STORE_FOLDER, STORE_FILE)


def default_project(root: str) -> str:
    """The project of a repository when none is named: the name of its folder."""
    name = os.path.basename(os.path.realpath(root)) or "root"
    return name.encode("utf-8", "backslashreplace").decode()


@contextmanager
def open_view(store_url: str | None, project: str | None, *, at: int | None = None) -> "Iterator[GraphView]":
    """The published graph that a reading command means: of the repository around the current folder, or of a named
    store (its only project, or the one named)."""
    from weft.queries import GraphView

    with open_for_reading(store_url) as (store, root):
        yield GraphView(store, choose_project(store, root, project, named_store=store_url is not None), at=at)


@contextmanager
def open_for_reading(store_url: str | None) -> "Iterator[tuple[Store, str]]":
    """An existing store, and the repository around the current folder."""
    from weft_storage.backends import open_store

    root = find_root(os.getcwd())
    with open_store(store_url or default_store(root), create=False) as store:
        yield store, root


def choose_project(store: "Store", root: str, project: str | None, *, named_store: bool) -> str:
    """The project that is meant. Raises `ProjectUnknown`, listing what there is, when it cannot be told."""
    from weft_storage.model.errors import ProjectUnknown

    known = store.projects()
    if project is not None:
        if project in known:
            return project
        problem = f"does not hold project '{project}'"
    elif default_project(root) in known:
        return default_project(root)
    elif len(known) == 1:
        return known[0]
    else:
        problem = (
            "holds several projects" if named_store and known else f"does not hold project '{default_project(root)}'"
        )
    listed = f"name one with --project: {', '.join(known)}" if known else "run `weft scan` first"
    raise ProjectUnknown(f"store '{store.url}'", problem, listed)


def repository_path(view: "GraphView", file: str) -> str:
    """The path in the repository that a person means by FILE: from the current folder, else from the root.

    Raises `UsageError` where the graph has neither.
    """
    return find_path(view, file) or view.node(file)


def find_path(view: "GraphView", file: str) -> str | None:
    """What `repository_path` says, or None where the graph has no such file."""
    absolute = os.path.realpath(file)
    # The last: the folder may have been moved since it was scanned, or be another work tree of the project.
    meant = (_below(view.run.root, absolute), os.path.normpath(file), _below(find_root(os.getcwd()), absolute))
    return next((each for each in meant if each is not None and view.holds(each)), None)


def _below(root: str, path: str) -> str | None:
    """The path from a root, None where it lies elsewhere."""
    relative = os.path.relpath(path, root) if root else ".."
    return None if relative == ".." or relative.startswith("../") else relative
