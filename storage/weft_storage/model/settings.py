"""Settings: what the configuration of a repository says about its analysis."""

import msgspec


class ExtraEdge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An edge that no text shows: both paths relative to the root."""

    importer: str
    imported: str


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `[tool.weft]` table or `weft.toml`, checked. Paths and globs are relative to the root.

    `exclude` are gitignore patterns of files to leave out. `source_roots` replaces the Python roots that are
    found. `max_file_size` is in bytes, `file_timeout` in seconds, `file_memory` (address space of one extractor
    process) in MiB.
    """

    exclude: tuple[str, ...] = ()
    source_roots: tuple[str, ...] = ()
    extra_edges: tuple[ExtraEdge, ...] = ()
    string_imports: bool = False
    submodules: bool = False
    max_file_size: int = 4 * 1024 * 1024
    file_timeout: float = 30.0
    file_memory: int = 2048
