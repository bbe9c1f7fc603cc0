"""package.json `exports` and `imports`: a subpath and conditions -> targets, as Node and TypeScript define it.

Pure; knows no files. https://nodejs.org/api/packages.html#package-entry-points
"""

from collections.abc import Collection
from typing import Any

# The longest path that an operating system takes.
_MAX_TARGET = 4096


def exports_table(exports: Any) -> dict[str, Any]:
    """`exports` by subpath: the short forms (a string, a list, bare conditions) are those of `.`."""
    if isinstance(exports, dict) and all(key.startswith(".") for key in exports):
        return exports
    return {".": exports}


def targets(table: dict[str, Any], subpath: str, conditions: Collection[str] | None) -> list[str]:
    """What a subpath (`.`, `./a`, `#a`) leads to, in the order in which it is to be tried.

    `conditions` None takes the targets of every condition. A null target, or none, gives an empty list.
    """
    if "*" not in subpath and not subpath.endswith("/") and subpath in table:
        return _leaves(table[subpath], conditions, "")
    best: tuple[int, int, str] | None = None
    for key in table:
        prefix, star, suffix = key.partition("*")
        if not star and not key.endswith("/"):
            continue
        fits = subpath.startswith(prefix) and subpath.endswith(suffix) and len(subpath) >= len(key)
        if (fits and "*" not in suffix) and (best is None or (len(prefix), len(key)) > best[:2]):
            best = (len(prefix), len(key), key)
    if best is None:
        return []
    prefix, star, suffix = best[2].partition("*")
    rest = subpath[len(prefix) : len(subpath) - len(suffix)]
    found = _leaves(table[best[2]], conditions, rest)
    return found if star else [target + rest for target in found if target.endswith("/")]


def _leaves(target: Any, conditions: Collection[str] | None, rest: str) -> list[str]:
    """The strings in a target, depth first (its depth is bounded where it was read)."""
    if isinstance(target, str):
        size = len(target) + target.count("*") * len(rest)
        return [target.replace("*", rest)] if size <= _MAX_TARGET else []
    if isinstance(target, list):
        return [leaf for each in target for leaf in _leaves(each, conditions, rest)]
    if isinstance(target, dict):
        chosen = (each for key, each in target.items() if conditions is None or _holds(key, conditions))
        return [leaf for each in chosen for leaf in _leaves(each, conditions, rest)]
    return []


def _holds(condition: str, conditions: Collection[str]) -> bool:
    # `types@>=4.7` is for compilers of that version or later: for all that count.
    return (
        condition == "default" or condition in conditions or ("types" in conditions and condition.startswith("types@"))
    )
