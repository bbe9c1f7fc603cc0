"""Languages: which file is written in which. Knows names of files, never contents."""

from enum import StrEnum


class Language(StrEnum):
    """A language that has an extractor and a resolver."""

    PYTHON = "python"
    TYPESCRIPT = "typescript"
    TSX = "tsx"
    JAVASCRIPT = "javascript"
    VUE = "vue"
    SVELTE = "svelte"
    ASTRO = "astro"
    GO = "go"
    RUST = "rust"


class Family(StrEnum):
    """Languages that share one resolver: a TypeScript file may import a JavaScript file."""

    PYTHON = "python"
    TYPESCRIPT = "typescript"
    GO = "go"
    RUST = "rust"


_BY_SUFFIX = {
    ".py": Language.PYTHON,
    ".pyi": Language.PYTHON,
    ".ts": Language.TYPESCRIPT,
    ".mts": Language.TYPESCRIPT,
    ".cts": Language.TYPESCRIPT,
    ".tsx": Language.TSX,
    # The JavaScript grammar reads JSX too; the TypeScript ones reject some sloppy-mode scripts.
    ".js": Language.JAVASCRIPT,
    ".jsx": Language.JAVASCRIPT,
    ".mjs": Language.JAVASCRIPT,
    ".cjs": Language.JAVASCRIPT,
    ".vue": Language.VUE,
    ".svelte": Language.SVELTE,
    ".astro": Language.ASTRO,
    ".go": Language.GO,
    ".rs": Language.RUST,
}

_FAMILY = {
    Language.PYTHON: Family.PYTHON,
    Language.TYPESCRIPT: Family.TYPESCRIPT,
    Language.TSX: Family.TYPESCRIPT,
    Language.JAVASCRIPT: Family.TYPESCRIPT,
    Language.VUE: Family.TYPESCRIPT,
    Language.SVELTE: Family.TYPESCRIPT,
    Language.ASTRO: Family.TYPESCRIPT,
    Language.GO: Family.GO,
    Language.RUST: Family.RUST,
}

COMPONENTS = frozenset({Language.VUE, Language.SVELTE, Language.ASTRO})
"""Markup with scripts in it: the scripts are what is read."""


def language_of(path: str) -> Language | None:
    """The language that the name of a file stands for, or None where no extractor reads it."""
    dot = path.rfind(".")
    if dot <= path.rfind("/") + 1:  # no suffix, or a dot file such as ".py"
        return None
    return _BY_SUFFIX.get(path[dot:])


def family_of(language: Language) -> Family:
    """The family whose resolver serves the language."""
    return _FAMILY[language]


def unit_of(path: str) -> str:
    """The unit that a file is compiled with: a Go package's directory ("." at the root), else the file itself.

    A Go test file is a unit of its own: it depends on its package, never the other way round.
    """
    if path.endswith(".go") and not path.endswith("_test.go"):
        return path.rpartition("/")[0] or "."
    return path
