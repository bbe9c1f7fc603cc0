"""Locks: which packages a repository takes from outside, at which versions, and who needs whom. Knows no file.

What a file says is normalized, so that two files which mean the same are equal locks: order, comments and layout leave
no trace.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec
from blake3 import blake3

# What people have is far below: these bound the work that a hostile file can make.
_LONGEST = 512
_MOST_PACKAGES = 60_000
_MOST_NEEDS = 500_000


class Extent(StrEnum):
    """How much a file tells.

    GRAPH: every package that is installed, and which of them needs which. FLAT: every package, but not who needs it.
    DIRECT: what is asked for, by whom it names itself; the packages that those need are elsewhere.
    """

    GRAPH = "graph"
    FLAT = "flat"
    DIRECT = "direct"


class Package(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """A package by the name that imports know it by. `version` is for people; `digest` (8 bytes) is the identity of
    version, source and content. `requires` are places in the lock, sorted."""

    name: str
    version: str
    digest: bytes
    requires: tuple[int, ...] = ()


class Lock(msgspec.Struct, frozen=True, array_like=True):
    """What one file tells. `packages` are sorted.

    `scopes` are folders of the packages that it is for, relative to its own ("" that folder itself), each with the
    packages that names mean there; none where it does not tell. A lock with a `problem` tells nothing.
    """

    extent: Extent
    packages: tuple[Package, ...] = ()
    scopes: dict[str, dict[str, int]] = {}
    problem: str = ""


def unreadable(problem: str) -> Lock:
    """The lock of a file that cannot be told apart."""
    return Lock(Extent.FLAT, problem=problem)


class Unreadable(Exception):  # noqa: N818 - what a file is, not what went wrong here
    """A file is not of the format that its name promises."""


class Builder:
    """Collects the packages of one file by the ids that it uses, and gives them in order."""

    def __init__(self, extent: Extent) -> None:
        self._extent = extent
        self._packages: dict[Hashable, tuple[str, str, bytes]] = {}
        self._requires: dict[Hashable, set[Hashable]] = {}
        self._needs = 0
        self._scopes: dict[str, dict[str, Hashable]] = {}

    def add(self, key: Hashable, name: str, version: str, *identity: object) -> None:
        """Add a package; `identity` is what tells it apart beside its version. A key that is there already stays."""
        if name and len(name) <= _LONGEST and key not in self._packages:
            if len(self._packages) == _MOST_PACKAGES:
                raise Unreadable(f"more than {_MOST_PACKAGES} packages")
            self._packages[key] = valid(name), valid(version[:_LONGEST]), _digest(version, *identity)

    def require(self, key: Hashable, required: Hashable) -> None:
        """Say that a package needs another; either may be unknown, or still to come."""
        self._needs += 1
        if self._needs > _MOST_NEEDS:
            raise Unreadable(f"more than {_MOST_NEEDS} dependencies")
        self._requires.setdefault(key, set()).add(required)

    def scope(self, folder: str, names: Mapping[str, Hashable]) -> None:
        """Say which packages names mean in a folder."""
        self._scopes.setdefault(valid(folder), {}).update((valid(name), key) for name, key in names.items())

    def __contains__(self, key: Hashable) -> bool:
        return key in self._packages

    def build(self) -> Lock:
        """The lock."""
        # Equal packages in several places differ by what they need there.
        shape = {key: sorted(self._meant(self._requires.get(key, ()))) for key in self._packages}
        order = sorted(self._packages, key=lambda key: (self._packages[key], shape[key]))
        places = {key: place for place, key in enumerate(order)}
        packages = tuple(
            Package(
                *self._packages[key],
                tuple(sorted({places[each] for each in self._requires.get(key, ()) if each in places})),
            )
            for key in order
        )
        scopes = {
            folder: {name: places[key] for name, key in sorted(names.items()) if key in places}
            for folder, names in sorted(self._scopes.items())
        }
        return Lock(self._extent, packages, scopes)

    def _meant(self, keys: Iterable[Hashable]) -> Iterator[tuple[str, str, bytes]]:
        return (self._packages[key] for key in keys if key in self._packages)


def valid(name: str) -> str:
    """A name as valid Unicode: JSON can hold halves of characters."""
    return name.encode("utf-8", "replace").decode()


def table(value: Any, *keys: str) -> dict[str, Any]:
    """The nested table, or an empty one where something else or nothing stands there."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The value where it is a list, else none."""
    return value if isinstance(value, list) else []


def tables(value: Any) -> Iterator[dict[str, Any]]:
    """The tables in a list."""
    return (each for each in items(value) if isinstance(each, dict))


def text(value: Any) -> str:
    """The value where it is text, a number as it is written, else none."""
    return value if isinstance(value, str) else str(value) if isinstance(value, int | float) else ""


def _digest(*identity: object) -> bytes:
    return blake3("\0".join(map(str, identity)).encode("utf-8", "replace")).digest(8)
