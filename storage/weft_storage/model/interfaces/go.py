"""The interface of a Go file."""

import msgspec


class GoInterface(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`package` is the name in the package clause; `constraint` the expression of its `//go:build` line. Empty: none."""

    package: str = ""
    constraint: str = ""
