"""The interface of a Rust file."""

import msgspec


class RustModule(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A `mod` item. `scope` is the path of the inline modules around it, `a::b`.

    `paths` are the values of its `#[path]` attributes; `conditional` says that all of them stand in `cfg_attr`, so
    that the usual place counts too. `macro_use` says that its macros are seen beyond it.
    """

    name: str
    scope: str = ""
    inline: bool = False
    paths: tuple[str, ...] = ()
    conditional: bool = False
    macro_use: bool = False
    public: bool = False


class RustUse(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A leaf of a `use`: `name` is bound in `scope` to `target`; `*` for a glob.

    `public` says that others see it (any `pub`), `local` that it stands in a function's body.
    """

    name: str
    target: str
    scope: str = ""
    public: bool = False
    local: bool = False


class RustExternCrate(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An `extern crate`: `name` is bound in `scope` to the crate; `macro_use` imports its macros."""

    name: str
    crate: str
    scope: str = ""
    macro_use: bool = False
    public: bool = False


class RustMacro(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A `macro_rules!`; an exported one lives at the root of its crate.

    `declares` says that it takes nothing and declares modules in files: its items count as if they stood at the call.
    """

    name: str
    scope: str = ""
    exported: bool = False
    declares: bool = False


class RustCall(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A macro call that is an item and gives nothing to the macro: `name!();`."""

    name: str
    scope: str = ""


class RustInclude(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An `include!` of a literal: the text of `path` belongs to the module at `scope`."""

    path: str
    scope: str = ""


class RustInterface(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What paths of other files can run through in this one, in source order.

    `types` are `scope::name` of the types whose names start in lower case: such a segment of a path is commonly a
    module. `open` are the scopes in which a macro call may declare anything.
    """

    modules: tuple[RustModule, ...] = ()
    uses: tuple[RustUse, ...] = ()
    crates: tuple[RustExternCrate, ...] = ()
    macros: tuple[RustMacro, ...] = ()
    includes: tuple[RustInclude, ...] = ()
    types: tuple[str, ...] = ()
    open: tuple[str, ...] = ()
    calls: tuple[RustCall, ...] = ()
