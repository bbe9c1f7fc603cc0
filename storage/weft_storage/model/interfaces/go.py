"""The interface of a Go file."""

import msgspec


class GoInterface(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`package` is the name in the package clause, `constraint` the expression of the `//go:build` line, or empty."""

    package: str = ""
    constraint: str = ""
