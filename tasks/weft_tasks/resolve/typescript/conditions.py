"""package.json `exports`, `imports` and `typesVersions`: a subpath -> targets, as Node and TypeScript define it.

Pure; knows no files. https://nodejs.org/api/packages.html#package-entry-points
"""

import re
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# The longest path that an operating system takes.
_MAX_TARGET = 4096
# The compiler for which `typesVersions` are read: any current one gives the same answers to the ranges in use.
_COMPILER = (5, 9, 3)
_COMPARATOR = re.compile(r"([<>]=?|=|\^|~)?\s*v?(\d{1,9}|[x*])(?:\.(\d{1,9}|[x*]))?(?:\.(\d{1,9}|[x*]))?(?:-[\w.]+)?")


def exports_table(exports: Any) -> dict[str, Any]:
    """`exports` by subpath: the short forms (a string, a list, bare conditions) are those of `.`."""
    # Node.js refuses a mixture, so the first key tells them apart.
    if isinstance(exports, dict) and next(iter(exports), ".").startswith("."):
        return exports
    return {".": exports}


def targets(table: dict[str, Any], subpath: str, conditions: Collection[str] | None) -> list[str]:
    """What a subpath (`.`, `./a`, `#a`) leads to, in the order in which it is to be tried.

    `conditions` None takes the targets of every condition. A null target, or none, gives an empty list.
    """
    if "*" not in subpath and not subpath.endswith("/") and subpath in table:
        return _leaves(table[subpath], conditions, "")
    fitting = (key for key in _candidates(table, subpath) if _fits(key, subpath))
    best = max(fitting, key=lambda key: (len(key.partition("*")[0]), len(key)), default=None)
    if best is None:
        return []
    prefix, star, suffix = best.partition("*")
    rest = subpath[len(prefix) : len(subpath) - len(suffix)]
    found = _leaves(table[best], conditions, rest)
    return found if star else [target + rest for target in found if target.endswith("/")]


@dataclass(frozen=True, slots=True)
class _Patterns:
    """The patterns of a large table by what stands before their star, so that a subpath need not try them all."""

    table: dict[str, Any]
    by_prefix: dict[str, list[str]]
    lengths: tuple[int, ...]


# By the identity of the table, which the value keeps alive; the oldest goes first.
_patterns: OrderedDict[int, _Patterns] = OrderedDict()
_MOST_TABLES = 64
_SMALL = 64


def _candidates(table: dict[str, Any], subpath: str) -> Iterable[str]:
    """The keys that may be the pattern of a subpath, those of a short table all."""
    if len(table) <= _SMALL:
        return table
    known = _patterns.get(id(table))
    if known is None or known.table is not table:
        known = _patterns[id(table)] = _read_patterns(table)
        if len(_patterns) > _MOST_TABLES:
            _patterns.popitem(last=False)
    return (key for length in known.lengths for key in known.by_prefix.get(subpath[:length], ()))


def _read_patterns(table: dict[str, Any]) -> _Patterns:
    by_prefix: dict[str, list[str]] = {}
    for key in table:
        prefix, star, _ = key.partition("*")
        if star or key.endswith("/"):
            by_prefix.setdefault(prefix, []).append(key)
    return _Patterns(table, by_prefix, tuple(sorted({len(prefix) for prefix in by_prefix})))


def _fits(key: str, subpath: str) -> bool:
    prefix, star, suffix = key.partition("*")
    if (not star and not key.endswith("/")) or "*" in suffix:
        return False
    return subpath.startswith(prefix) and subpath.endswith(suffix) and len(subpath) >= len(key)


def types_of_version(ranges: Mapping[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The (pattern, targets) of the first range that a current compiler is in."""
    chosen = next((each for key, each in ranges.items() if any(map(_in_range, key.split("||")))), None)
    if not isinstance(chosen, dict):
        return ()
    found = []
    for pattern, leads_to in chosen.items():
        if isinstance(pattern, str) and isinstance(leads_to, list):
            found.append((pattern, tuple(each for each in leads_to if isinstance(each, str))))
    return tuple(found)


def versioned_targets(patterns: Collection[tuple[str, tuple[str, ...]]], subpath: str) -> list[str]:
    """What the best of the patterns makes of a subpath without its `./`; none where no pattern takes it."""
    best: tuple[int, str, tuple[str, ...]] | None = None
    for pattern, found in patterns:
        if pattern == subpath:
            return list(found)
        prefix, star, suffix = pattern.partition("*")
        fits = star and subpath.startswith(prefix) and subpath.endswith(suffix) and len(subpath) >= len(pattern) - 1
        if fits and (best is None or len(prefix) > best[0]):
            best = (len(prefix), subpath[len(prefix) : len(subpath) - len(suffix)], found)
    return [] if best is None else [each.replace("*", best[1], 1) for each in best[2]]


def _in_range(text: str) -> bool:
    """Whether the compiler is in a range of semantic versions without alternatives."""
    lower, hyphen, upper = text.partition(" - ")
    written = f">={lower.strip()} <={upper.strip()}" if hyphen else text
    found = [] if _COMPARATOR.sub("", written).strip() else list(_COMPARATOR.finditer(written))
    return bool(found) and all(map(_compares, found))


def _compares(match: re.Match[str]) -> bool:
    given = [int(each) for each in match.groups()[1:] if each and each.isdigit()]
    compiler = list(_COMPILER[: len(given)])
    match match[1]:
        case ">=":
            return compiler >= given
        case "<=":
            return compiler <= given
        case ">":
            return compiler > given
        case "<":
            return list(_COMPILER) < [*given, 0, 0][:3]
        case "^":
            return compiler >= given and compiler[:1] == given[:1]
        case "~":
            return compiler >= given and compiler[:2] == given[:2]
    return compiler == given


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
