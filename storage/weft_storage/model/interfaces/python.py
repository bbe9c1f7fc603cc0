"""The interface of a Python module."""

import msgspec


class PythonInterface(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Names that a module binds, as far as its own text tells. Blocks under `if TYPE_CHECKING:` bind nothing.

    `bindings` are the names bound at module level (sorted), but for those in `from_imports`: (specifier, names) per
    module-level `from` import, in source order, with the names that keep their name (`*` for a star import).
    A name may be in both. `dunder_all` are the literal names in `__all__`, or None without `__all__`; `open_all` says
    that it also gets names which the text does not list. `dynamic` says that the module makes names up when asked
    (`__getattr__`, or another object in its place in `sys.modules`); `open_path` that it changes its `__path__`,
    so that further folders may hold its submodules. `search` are the folders that it adds to `sys.path`, relative to
    its own: `<folder` before what is there, `>folder` after.
    """

    bindings: tuple[str, ...] = ()
    from_imports: tuple[tuple[str, tuple[str, ...]], ...] = ()
    dunder_all: tuple[str, ...] | None = None
    open_all: bool = False
    dynamic: bool = False
    open_path: bool = False
    search: tuple[str, ...] = ()
