"""Lockfiles and manifests: the packages that a repository takes from outside, at which versions.

`format_of(path)` tells which files count, `read_lock` what one says, `compare` what moved between two. Pure: bytes in,
values out; nothing here knows a store or another file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from weft_storage.model.languages import Family
from weft_storage.model.paths import basename, parent
from weft_tasks.locks import bun, cargo, gomod, manifests, npm, pnpm, python_locks, yarn
from weft_tasks.locks.base import Extent, Lock, Package, Unreadable, unreadable

__all__ = ["LOCKS_VERSION", "Extent", "Format", "Lock", "Package", "Role", "folder_of", "format_of", "read_lock"]

LOCKS_VERSION = 1
"""Raised whenever the same bytes may be read otherwise."""


class Role(StrEnum):
    """What a file has to say of versions: a LOCK has the last word, a MANIFEST where no lock covers it."""

    LOCK = "lock"
    MANIFEST = "manifest"


@dataclass(frozen=True, slots=True)
class Format:
    """A format of files, and the languages whose packages they name."""

    name: str
    family: Family
    role: Role
    read: Callable[[bytes], Lock]

    @property
    def identity(self) -> str:
        """Equal identities read equal bytes equally."""
        return f"lock/{self.name}/{LOCKS_VERSION}"


_FORMATS = {
    name: Format(name, family, role, read)
    for name, family, role, read in (
        ("package-lock.json", Family.TYPESCRIPT, Role.LOCK, npm.read),
        ("npm-shrinkwrap.json", Family.TYPESCRIPT, Role.LOCK, npm.read),
        ("pnpm-lock.yaml", Family.TYPESCRIPT, Role.LOCK, pnpm.read),
        ("yarn.lock", Family.TYPESCRIPT, Role.LOCK, yarn.read),
        ("bun.lock", Family.TYPESCRIPT, Role.LOCK, bun.read),
        ("package.json", Family.TYPESCRIPT, Role.MANIFEST, manifests.read_package_json),
        ("uv.lock", Family.PYTHON, Role.LOCK, python_locks.read_packages),
        ("poetry.lock", Family.PYTHON, Role.LOCK, python_locks.read_packages),
        ("pdm.lock", Family.PYTHON, Role.LOCK, python_locks.read_packages),
        ("pylock.toml", Family.PYTHON, Role.LOCK, python_locks.read_packages),
        ("Pipfile.lock", Family.PYTHON, Role.LOCK, python_locks.read_pipfile),
        ("pyproject.toml", Family.PYTHON, Role.MANIFEST, manifests.read_pyproject),
        ("Cargo.lock", Family.RUST, Role.LOCK, cargo.read_lock),
        ("Cargo.toml", Family.RUST, Role.MANIFEST, cargo.read_manifest),
        ("go.mod", Family.GO, Role.LOCK, gomod.read_module),
        ("go.sum", Family.GO, Role.LOCK, gomod.read_sums),
    )
}
_REQUIREMENTS = Format("requirements.txt", Family.PYTHON, Role.MANIFEST, manifests.read_requirements)


def format_of(path: str) -> Format | None:
    """The format of a file by its name; None for all others, and for what is installed rather than written."""
    name = basename(path)
    found = _FORMATS.get(name) or (_REQUIREMENTS if _is_requirements(path, name) else None)
    return None if found is None or "node_modules" in path.split("/") else found


def folder_of(path: str) -> str:
    """The folder that a lockfile or manifest is for: its own, or that above a folder of requirements files."""
    folder = parent(path)
    return parent(folder) if basename(folder) == "requirements" and path.endswith(".txt") else folder


def read_lock(form: Format, source: bytes | None) -> Lock:
    """What a file says; None where it cannot be read. Total: a hostile file is a lock with a problem."""
    if source is None:
        return unreadable("it cannot be read")
    try:
        return form.read(source)
    except Unreadable as error:
        return unreadable(str(error))


def _is_requirements(path: str, name: str) -> bool:
    return name.endswith((".txt", ".in")) and ("requirements" in name or basename(parent(path)) == "requirements")
