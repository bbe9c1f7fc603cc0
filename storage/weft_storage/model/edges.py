"""Edges: where imports lead, once they are resolved against a repository."""

from enum import StrEnum

import msgspec

from weft_storage.model.facts import EdgeKind


class Status(StrEnum):
    """How the resolution of an import ended."""

    RESOLVED = "resolved"
    EXTERNAL = "external"
    AMBIGUOUS = "ambiguous"
    UNRESOLVED = "unresolved"


class Target(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A place in the repository that an import leads to: a file, or a Go package's directory ("." at the root).

    `kind` and `names` are those of the edge: an import may lead to several files, each for some of its names.
    """

    path: str
    kind: EdgeKind
    names: tuple[str, ...] = ()


class Resolution(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where one import leads.

    RESOLVED and AMBIGUOUS have `targets` (an import of several names may resolve to several). EXTERNAL has
    `package`: the distribution, package, module or crate outside the repository. UNRESOLVED has `probed`:
    the paths that were looked for in vain, in order.
    """

    status: Status
    targets: tuple[Target, ...] = ()
    package: str = ""
    probed: tuple[str, ...] = ()


class Edge(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """One edge, at most one per (importer, imported, kind). `line` is the first, `names` are all, sorted."""

    importer: str
    imported: str
    kind: EdgeKind
    line: int
    specifier: str
    names: tuple[str, ...] = ()
    ambiguous: bool = False


class Outside(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """An import that leads to nothing in the repository: EXTERNAL (with `package`) or UNRESOLVED (with `probed`)."""

    importer: str
    line: int
    specifier: str
    status: Status
    kind: EdgeKind
    names: tuple[str, ...] = ()
    package: str = ""
    probed: tuple[str, ...] = ()
