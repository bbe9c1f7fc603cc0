"""Symbols: the declarations of files, what each of them mentions, and whom a change of one affects. Knows no store."""

from weft_tasks.symbols.affected import World, affected_symbols, changed_names
from weft_tasks.symbols.reading import ALL, LOADING, OPAQUE, SCRIPT, FileSymbols, Unit, read_symbols

__all__ = [
    "ALL", "LOADING", "OPAQUE", "SCRIPT", "FileSymbols", "Unit", "World", "affected_symbols", "changed_names",
    "read_symbols",
]  # fmt: skip
