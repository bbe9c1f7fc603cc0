"""yarn.lock of Yarn 1 and of Yarn 2 to 4.

Both are read by lines: a key of comma-separated descriptors (`name@range`), below it the entry. The first needs no
YAML, which it is not; the second is the part of YAML that both have in common.
"""

import json
from collections.abc import Iterator
from typing import Any

from weft_tasks.locks.base import Builder, Extent, Lock, Unreadable, table, text
from weft_tasks.locks.documents import decode

_NEEDS = ("dependencies", "optionalDependencies")
_BERRY = "__metadata"
_WORKSPACE = "@workspace:"
_MOST_DESCRIPTORS = 500


def read(source: bytes) -> Lock:
    """The lock of a file of Yarn. Raises Unreadable."""
    entries = _entries(decode(source))
    return _of_berry(entries) if _BERRY in entries else _of_classic(entries)


def _of_classic(entries: dict[str, dict[str, Any]]) -> Lock:
    builder = Builder(Extent.GRAPH)
    keys: dict[str, tuple[str, str]] = {}
    for key, entry in entries.items():
        if "version" not in entry:
            raise Unreadable("not a yarn.lock")
        descriptors = _descriptors(key)
        resolved = text(entry.get("integrity")) or text(entry.get("resolved"))
        # One entry may have several names: aliases of the same package.
        for name in dict.fromkeys(_name(each) for each in descriptors):
            builder.add((key, name), name, text(entry.get("version")), resolved)
        keys.update((each, (key, _name(each))) for each in descriptors)
    for key, entry in entries.items():
        for name in dict.fromkeys(map(_name, _descriptors(key))):
            for needed, asked in _needed(entry):
                builder.require((key, name), keys.get(f"{needed}@{asked}"))
    return builder.build()


def _of_berry(entries: dict[str, dict[str, Any]]) -> Lock:
    builder = Builder(Extent.GRAPH)
    packages = {key: entry for key, entry in entries.items() if key != _BERRY}
    keys = {}
    for key, entry in packages.items():
        is_local = _WORKSPACE in text(entry.get("resolution"))
        for descriptor in _descriptors(key):
            name = _name(descriptor)
            keys[descriptor] = (key, name)
            if not is_local:
                identity = text(entry.get("resolution")), text(entry.get("checksum"))
                builder.add((key, name), name, text(entry.get("version")), *identity)
    for key, entry in packages.items():
        named = {name: found for name, asked in _needed(entry) if (found := _berry_key(name, asked, keys)) is not None}
        resolution = text(entry.get("resolution"))
        if _WORKSPACE in resolution:
            folder = resolution.rpartition(_WORKSPACE)[2]
            builder.scope("" if folder == "." else folder, named)
        for name in dict.fromkeys(map(_name, _descriptors(key))):
            for found in named.values():
                builder.require((key, name), found)
    return builder.build()


def _berry_key(name: str, asked: str, keys: dict[str, tuple[str, str]]) -> tuple[str, str] | None:
    """The entry of a descriptor; until Yarn 4 the protocol of dependencies was left out. Patched ones are found by
    what they patch."""
    for candidate in (f"{name}@{asked}", f"{name}@npm:{asked}"):
        if candidate in keys:
            return keys[candidate]
    return None


def _needed(entry: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for kind in _NEEDS:
        for name, asked in table(entry, kind).items():
            yield name, text(asked)


def _descriptors(key: str) -> list[str]:
    if key.count(",") > _MOST_DESCRIPTORS:
        raise Unreadable("a key of too many descriptors")
    return [each.strip().strip('"') for each in key.split(",") if each.strip()]


def _name(descriptor: str) -> str:
    at = descriptor.find("@", 1)
    return descriptor[:at] if at > 0 else descriptor


def _entries(content: str) -> dict[str, dict[str, Any]]:
    """Entries by their keys: text, or one level of tables. Lines of lists are left out."""
    entries: dict[str, dict[str, Any]] = {}
    entry: dict[str, Any] = {}
    nested: dict[str, Any] = {}
    for line in content.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip(" "))
        if indent == 0:
            if not stripped.endswith(":"):
                raise Unreadable("not a yarn.lock")
            # Berry writes long keys as YAML does, `? key` and `:` below; keys of several words are quoted as one.
            entry = entries.setdefault(_unquoted(stripped[:-1]), {})
            nested = entry
        elif indent <= 2:
            name, value = _pair(stripped)
            nested = entry
            if value is None:
                nested = entry[name] = {}
            else:
                entry[name] = value
        elif not stripped.startswith("- "):
            name, value = _pair(stripped)
            nested[name] = value or ""
    return entries


def _pair(line: str) -> tuple[str, str | None]:
    """`name value` or `name: value`, either quoted; None for a name alone that more is below."""
    if line.startswith('"'):
        end = line.find('"', 1)
        name, rest = line[1:end], line[end + 1 :]
    else:
        end = min((each for each in (line.find(" "), line.find(": ")) if each >= 0), default=len(line))
        name, rest = line[:end].removesuffix(":"), line[end:]
    value = rest.lstrip(":").strip()
    is_alone = not value and line.endswith(":")
    return name, None if is_alone else _unquoted(value)


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"' and '"' not in value[1:-1].replace('\\"', ""):
        try:
            return text(json.loads(value))
        except ValueError:
            return value[1:-1]
    return value
