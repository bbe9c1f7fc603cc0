"""Patterns of `import.meta.glob`: the files that they take, directory by directory. Knows no specifiers."""

from collections.abc import Sequence

from weft_tasks.resolve.base import Index
from weft_tasks.resolve.typescript.globs import Glob, advanced, alternatives, compile_glob, matches, start

# A pattern that goes through more directories, or takes more files, is not read: it would be all of a large repository.
_MOST_DIRECTORIES = 5_000
_MOST_FILES = 10_000
_MAX_PATTERN = 1_000


def is_readable(pattern: str) -> bool:
    """Whether a pattern holds only `*`, `**`, `?` and braces: classes and groups of other kinds are not read."""
    return len(pattern) <= _MAX_PATTERN and not any(char in pattern for char in "[]()\\")


def matching_files(index: Index, pattern: str, left_out: Sequence[str]) -> list[str] | None:
    """The files that a pattern from the root takes and none of `left_out` does, sorted; None where it is too wide.

    Wildcards stand for no name that begins with a dot, and not for node_modules.
    """
    found: set[str] = set()
    seen: set[tuple[str, Glob]] = set()
    pending = [(*_literal_base(glob), glob) for glob in dict.fromkeys(map(compile_glob, alternatives(pattern)))]
    while pending:
        folder, states, glob = pending.pop()
        if len(seen) >= _MOST_DIRECTORIES or len(found) > _MOST_FILES:
            return None
        if (folder, glob) in seen:
            continue
        seen.add((folder, glob))
        for name in index.entries(folder):
            following = advanced(glob, states, name)
            path = f"{folder}/{name}" if folder else name
            if not following:
                continue
            file = index.file(path) if len(glob) in following else None
            if file is not None and not any(matches(each, path) for each in left_out):
                found.add(file)
            elif file is None and following - {len(glob)}:
                pending.append((path, following, glob))
    return sorted(found)


def _literal_base(glob: Glob) -> tuple[str, frozenset[int]]:
    """The folder that the parts before the first wildcard name, and how much of the glob they use up."""
    count = 0
    while count < len(glob) - 1 and not any(char in glob[count] for char in "*?"):
        count += 1
    return "/".join(glob[:count]), frozenset(each + count for each in start(glob[count:]))
