"""Keys of the index whose answers have changed between two snapshots. Knows neither stores nor languages."""

import json
from array import array
from collections.abc import Iterable, Set
from dataclasses import dataclass

from blake3 import blake3
from msgspec import msgpack, to_builtins

from weft_storage.model.paths import ancestors, parent


def key_hash(key: str) -> int:
    """32 bits of a key. Two keys that meet cost a needless resolution, never a wrong edge."""
    return int.from_bytes(blake3(key.encode("utf-8", "surrogateescape")).digest(4), "little")


def pack_reads(reads: Iterable[str], hashes: dict[str, int]) -> bytes:
    """The reads of an importer as sorted native 32-bit hashes; `hashes` remembers those already known."""
    packed = array("I")
    for key in reads:
        found = hashes.get(key)
        if found is None:
            found = hashes[key] = key_hash(key)
        packed.append(found)
    return array("I", sorted(set(packed))).tobytes()


def answer_digest(answer: object) -> bytes:
    """The identity (8 bytes) of an answer of a project."""
    try:
        encoded = msgpack.encode(answer)
    except UnicodeEncodeError:  # A path in it is not valid UTF-8; only JSON can escape that.
        encoded = json.dumps(to_builtins(answer)).encode()
    return blake3(encoded).digest(8)


@dataclass(frozen=True, slots=True)
class PathChanges:
    """Paths that came and went between two snapshots."""

    added: frozenset[str]
    removed: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed)


def path_changes(old: Set[str], new: Set[str]) -> PathChanges:
    """What differs between two sets of paths."""
    return PathChanges(frozenset(new - old), frozenset(old - new))


def changed_path_keys(changes: PathChanges, old: Set[str], new: Set[str]) -> set[str]:
    """Keys about files and directories that are answered otherwise now."""
    keys = {f"f:{path}" for path in (*changes.added, *changes.removed)}
    # An interface is asked for by path: a file that comes or goes changes that answer too.
    keys |= {f"i:{path}" for path in (*changes.added, *changes.removed)}
    if not changes:
        return keys
    old_directories, new_directories = directories(old), directories(new)
    for path in (*changes.added, *changes.removed):
        keys.add(f"e:{parent(path)}")
    for directory in old_directories ^ new_directories:
        keys |= {f"d:{directory}", f"e:{directory}", f"e:{parent(directory)}"}
    return keys


def directories(paths: Iterable[str]) -> set[str]:
    """Every directory that holds some of the paths, "" for the root."""
    found = {""}
    for directory in {parent(path) for path in paths}:
        if directory not in found:
            found.add(directory)
            found.update(ancestors(directory))
    return found
