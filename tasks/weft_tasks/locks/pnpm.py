"""pnpm-lock.yaml, versions 5 to 9.

https://github.com/pnpm/spec/tree/master/lockfile
"""

from collections.abc import Hashable, Iterator
from typing import Any

from weft_tasks.locks.base import Builder, Extent, Lock, Unreadable, table, text
from weft_tasks.locks.documents import read_yaml

_ASKED = ("dependencies", "devDependencies", "optionalDependencies")
_NEEDS = ("dependencies", "optionalDependencies")
_VERSIONS = ("5", "6", "7", "9")


def read(source: bytes) -> Lock:
    """The lock of a file of pnpm. Raises Unreadable."""
    document = read_yaml(source)
    version = text(document.get("lockfileVersion"))
    if version.partition(".")[0] not in _VERSIONS:
        raise Unreadable(f"of an unknown version {version!r}")
    reader = _Reader(document, version.partition(".")[0])
    return reader.read()


class _Reader:
    """The packages of one document. From version 9 on `packages` tell of contents, `snapshots` of who needs whom."""

    def __init__(self, document: dict[str, Any], version: str) -> None:
        self._document = document
        self._version = version
        self._contents = table(document, "packages")
        self._packages = table(document, "snapshots") if version == "9" else self._contents
        self._builder = Builder(Extent.GRAPH)

    def read(self) -> Lock:
        for key, entry in self._packages.items():
            self._add(key, table(entry))
        for key, entry in self._packages.items():
            for name, reference in self._needed(entry, _NEEDS):
                if (found := self._key(name, reference)) is not None:
                    self._builder.require(key, self._alias(found, name))
        importers = table(self._document, "importers") or {".": self._document}
        for folder, importer in importers.items():
            named = {}
            for name, reference in self._needed(importer, _ASKED):
                if (found := self._key(name, reference)) is not None:
                    named[name] = self._alias(found, name)
            self._builder.scope("" if folder == "." else folder, named)
        return self._builder.build()

    def _add(self, key: str, entry: dict[str, Any]) -> None:
        name, version = self._named(key, entry)
        # The same version with other peers is another package: what it imports is other code.
        contents = table(self._contents, key.partition("(")[0]) if self._version == "9" else entry
        resolution = table(contents, "resolution")
        identity = text(resolution.get("integrity")) or "\0".join(
            f"{k}={text(v)}" for k, v in sorted(resolution.items())
        )
        self._builder.add(key, name, version, identity)

    def _alias(self, key: str, name: str) -> Hashable:
        """The package of a key as an importer calls it: `npm:` aliases have names of their own."""
        own = self._named(key, table(self._packages, key))
        if own[0] == name:
            return key
        alias = (key, name)
        self._builder.add(alias, name, f"{own[0]}@{own[1]}")
        self._builder.require(alias, key)
        return alias

    def _named(self, key: str, entry: dict[str, Any]) -> tuple[str, str]:
        """Name and version of a package: `/a/1.0.0_peer` (5), `/a@1.0.0(peer)` (6), `a@1.0.0(peer)` (9)."""
        if name := text(entry.get("name")):
            return name, text(entry.get("version"))
        bare = key.partition("(")[0].lstrip("/")
        if self._version == "5":
            name, _, version = bare.rpartition("/")
            return name, version.partition("_")[0]
        at = bare.find("@", 1)
        return (bare[:at], bare[at + 1 :]) if at > 0 else (bare, "")

    def _needed(self, entry: Any, kinds: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        for kind in kinds:
            for name, reference in table(entry, kind).items():
                # Since version 6 importers say what was asked for beside what was taken.
                yield name, text(reference.get("version") if isinstance(reference, dict) else reference)

    def _key(self, name: str, reference: str) -> str | None:
        """The key of what a name refers to: a version of that name, or a key in full; None for what is linked."""
        if not reference or reference.startswith(("link:", "workspace:")):
            return None
        joint = "/" if self._version == "5" else "@"
        slash = "" if self._version == "9" else "/"
        candidates = (f"{slash}{name}{joint}{reference}", reference, f"/{reference}")
        return next((key for key in candidates if key in self._packages), None)
