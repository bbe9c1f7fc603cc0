"""Configuration: `weft.toml` or `[tool.weft]` of a repository -> settings. Knows no command line."""

import os
import tomllib
from collections.abc import Callable
from typing import Any

import msgspec

from weft.snapshot import ContentError, Contents, TreeContents, take_snapshot
from weft_storage.model.errors import ConfigurationError, RepositoryError
from weft_storage.model.paths import join
from weft_storage.model.settings import Settings

_OWN = "weft.toml"
_LIMIT = 16 << 20

# What timers (seconds) and resource limits (MiB) of every system can hold.
_LONGEST = 1_000_000.0
_MOST_MEMORY = 1 << 40


def settings_of(root: str, rev: str | None) -> Settings:
    """The settings of the repository at `root`, as they are on disk or in a commit.

    Raises `ConfigurationError`, and `RepositoryError` where the commit or the folder cannot be read.
    """
    # Asked first of all commands, before a store would make folders for itself below a root that is not there.
    if not os.path.isdir(root):
        problem = "this is not a folder" if os.path.lexists(root) else "there is no such folder"
        raise RepositoryError(root, problem, "name a repository or a folder")
    contents = TreeContents(root) if rev is None else take_snapshot(root, rev=rev, settings=Settings()).contents()
    with contents:
        return read_settings(lambda path: _read(contents, root if rev is None else None, path))


def _read(contents: Contents, folder: str | None, path: str) -> bytes | None:
    """The bytes of a file, None where there is none. Our own file, if it is there on disk, must be readable."""
    try:
        return contents.read(path, _LIMIT)
    except ContentError as error:
        if path == _OWN and folder is not None and os.path.lexists(os.path.join(folder, path)):
            raise ConfigurationError(
                path, f"cannot be read ({error.reason})", "make it a file, or remove it"
            ) from error
        return None


def read_settings(read: Callable[[str], bytes | None]) -> Settings:
    """The settings of a repository whose files `read` gives (None where there is no such file).

    `weft.toml` wins over `[tool.weft]` in pyproject.toml. Raises `ConfigurationError`; a pyproject.toml that is not
    TOML counts as one without such a table: it is a problem of the repository, not of its configuration.
    """
    own = read(_OWN)
    if own is not None:
        return _convert(_parse(own, _OWN), _OWN)
    shared = read("pyproject.toml")
    if shared is None or b"weft" not in shared:
        return Settings()
    try:
        tool = _parse(shared, "pyproject.toml").get("tool")
    except ConfigurationError:
        return Settings()
    table = tool.get("weft", {}) if isinstance(tool, dict) else {}
    return _convert(table, "[tool.weft] in pyproject.toml")


def _parse(text: bytes, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(name, f"is not TOML ({error})", "mend or remove it") from error


def _convert(table: Any, name: str) -> Settings:
    try:
        settings = msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        known = ", ".join(Settings.__struct_fields__)
        problem = f"{error}"
        raise ConfigurationError(name, problem[:1].lower() + problem[1:], f"the keys are: {known}") from error
    if settings.max_file_size <= 0 or settings.file_memory < 0 or not settings.file_timeout > 0:
        raise ConfigurationError(name, "a limit is not a positive number", "give one, or leave it out")
    if settings.file_timeout > _LONGEST or settings.file_memory > _MOST_MEMORY:
        raise ConfigurationError(name, "a limit is larger than any system knows", "give a smaller one, or leave it out")
    outside = next((path for path in settings.source_roots if join("", path) is None), None)
    if outside is not None:
        raise ConfigurationError(name, f"source root '{outside}' is outside the repository", "name folders within it")
    return settings
