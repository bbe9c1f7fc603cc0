"""The interface of a Rust file."""

import msgspec


class RustModule(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A `mod` item. `scope` is the path of the inline modules around it, `a::b`; `path` the value of `#[path]`."""

    name: str
    scope: str = ""
    inline: bool = False
    path: str = ""


class RustReexport(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A leaf of a `use`: `name` is bound in `scope` to `target`; `*` for a glob. `public` says that others see it."""

    name: str
    target: str
    scope: str = ""
    public: bool = False


class RustInterface(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The module items and `use` bindings of a file, in source order."""

    modules: tuple[RustModule, ...] = ()
    uses: tuple[RustReexport, ...] = ()
