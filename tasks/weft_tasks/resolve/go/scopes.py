"""Scopes: in which folders the import paths of some files are looked for, in which order. Knows no manifest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from weft_tasks.resolve.go.layout import head


@dataclass(frozen=True, slots=True)
class Tier:
    """Folders that are searched at once, by the import path that each begins with: the longest path first.

    `whole`: they are vendor folders and the like, which hold packages of any module; `listed` are then the packages
    that may be taken from there, None for all.
    """

    folders: Mapping[str, str]
    whole: bool = False
    listed: frozenset[str] | None = None

    def offers(self, path: str) -> bool:
        """Whether a package may be taken from here."""
        return self.listed is None or path in self.listed


@dataclass(frozen=True)
class Scope:
    """What imports of some files can lead to.

    `main` are the folders of their own modules by module path, `local` those with the ones that replacements lead to,
    `published` the module paths that another repository provides.
    """

    tiers: tuple[Tier, ...] = ()
    main: Mapping[str, str] = field(default_factory=dict)
    local: Mapping[str, str] = field(default_factory=dict)
    published: frozenset[str] = frozenset()

    @cached_property
    def heads(self) -> frozenset[tuple[str, str]]:
        """What import path and folder of its modules have above the part in which they agree (see `layout`)."""
        return frozenset(head(path, folder) for path, folder in self.main.items())
