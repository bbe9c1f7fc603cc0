"""The interface of a Go file."""

import msgspec


class GoInterface(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What stands in and above the package clause; each is empty where it is not written.

    `package` is the name, `constraint` the expression of the `//go:build` line, `path` that of the import comment.
    """

    package: str = ""
    constraint: str = ""
    path: str = ""
