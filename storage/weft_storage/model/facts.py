"""Facts: what one file says, taken from its bytes alone."""

from enum import StrEnum

import msgspec

from weft_storage.model.languages import Language


class EdgeKind(StrEnum):
    """What construct makes an edge. Meaning, strength and part in cycles: docs/semantics.md."""

    IMPORT = "import"
    REEXPORT = "reexport"
    DYNAMIC = "dynamic"
    MODULE = "module"
    MACRO = "macro"
    TYPE = "type"
    ANCESTOR = "ancestor"
    TEST = "test"
    ASSET = "asset"
    STRING = "string"
    TRAIT = "trait"


class Strength(StrEnum):
    """Whether a change of the imported file can change what the importer does (strong) or only its types."""

    STRONG = "strong"
    WEAK = "weak"


WEAK_KINDS = frozenset({EdgeKind.TYPE, EdgeKind.STRING})
# The others are containment, tests and data: with them almost every package would be one cycle.
CYCLE_KINDS = frozenset({EdgeKind.IMPORT, EdgeKind.REEXPORT, EdgeKind.DYNAMIC, EdgeKind.MACRO, EdgeKind.TYPE})


def strength_of(kind: EdgeKind) -> Strength:
    """The strength that every edge of the kind has."""
    return Strength.WEAK if kind in WEAK_KINDS else Strength.STRONG


class DeclarationKind(StrEnum):
    """What a declaration declares."""

    FUNCTION = "function"
    CLASS = "class"
    INTERFACE = "interface"
    TYPE_ALIAS = "type_alias"
    CONSTANT = "constant"
    ENUM = "enum"
    MODULE = "module"
    MACRO = "macro"
    METHOD = "method"


class Import(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One import construct of a file, as its text has it.

    `specifier` is the text that names the imported thing (`.b`, `../x`, `fmt`, `crate::a::B`). `names` are the
    names taken from it, as the imported file calls them; `*` for all of them, `default` for a default
    export. `line` counts from 1. `scope` is where in the file it stands, for languages in which that changes
    the meaning (Rust: the path of inline modules, `a::b`). `detail` is what else its resolution needs
    (Rust: the value of `#[path]`).
    """

    specifier: str
    kind: EdgeKind
    line: int
    names: tuple[str, ...] = ()
    scope: str = ""
    detail: str = ""


class Declaration(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A named thing that a file declares. Lines count from 1, both inclusive.

    `digest` is the identity of its text (8 bytes). `parent` is the name of the class, type or module that it
    is a member of, dotted where nested; empty at the top level. `exported` says that other files can name it.
    """

    name: str
    kind: DeclarationKind
    line: int
    end_line: int
    digest: bytes
    parent: str = ""
    exported: bool = True


class FileFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All that the extractor found in one file. Imports and declarations stand in source order.

    `interface` holds what the resolution of *other* files asks about this one, encoded by the language's
    struct in `weft_storage.model.interfaces`; empty where the language has none. `problems` are sentences
    about source that could not be read as intended; they never stop the analysis.
    """

    language: Language
    imports: tuple[Import, ...] = ()
    declarations: tuple[Declaration, ...] = ()
    interface: bytes = b""
    problems: tuple[str, ...] = ()
