"""The interface of a Python module."""

import msgspec


class PythonInterface(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Names that a module binds, as far as its own text tells.

    `bindings` are the names bound at module level (sorted, star imports not followed). `dunder_all` is the
    literal `__all__`, or None. `stars` are the specifiers of its module-level star imports.
    """

    bindings: tuple[str, ...] = ()
    dunder_all: tuple[str, ...] | None = None
    stars: tuple[str, ...] = ()
