"""package.json, pyproject.toml and requirements files: what is asked for, where nothing locks it."""

import re
from collections.abc import Iterator
from typing import Any

from weft_tasks.locks.base import Builder, Extent, Lock, items, table, tables, text
from weft_tasks.locks.documents import decode, read_json, read_toml
from weft_tasks.locks.python_locks import normalized

_NPM_KINDS = ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies")
_NPM_FORCED = ("resolutions", "overrides")
_LOCAL = ("file:", "link:", "workspace:", "portal:")
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(.*)", re.DOTALL)
_COMMENT = re.compile(r"(?:^|\s)#.*")
_VIA = re.compile(r"#\s*(?:via\s+)?([A-Za-z0-9][A-Za-z0-9._-]*)\s*$")
_DEPTH = 20


def read_package_json(source: bytes) -> Lock:
    """What a package.json asks for. Raises Unreadable."""
    document = read_json(source)
    asked: dict[str, list[str]] = {}
    for kind in _NPM_KINDS:
        for name, wanted in table(document, kind).items():
            if not text(wanted).startswith(_LOCAL):
                asked.setdefault(name, []).append(text(wanted))
    for name, wanted in _forced([table(document, kind) for kind in (*_NPM_FORCED, "pnpm")]):
        asked.setdefault(name, []).append(wanted)
    return _asked(asked)


def _forced(waiting: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Versions that are forced on packages, wherever they are needed: by the last name of each pattern."""
    for _ in range(_DEPTH):
        deeper: list[dict[str, Any]] = []
        for level in waiting:
            for pattern, wanted in level.items():
                if isinstance(wanted, dict):
                    deeper.append(wanted)
                elif isinstance(wanted, str):
                    name = pattern.rpartition(">")[2].removeprefix("**/")
                    yield name[: name.find("@", 1)] if name.find("@", 1) > 0 else name, wanted
        waiting = deeper


def read_pyproject(source: bytes) -> Lock:
    """What a pyproject.toml asks for. Raises Unreadable."""
    document = read_toml(source)
    project, poetry = table(document, "project"), table(document, "tool", "poetry")
    lists = [project.get("dependencies"), *table(project, "optional-dependencies").values()]
    lists += [*table(document, "dependency-groups").values(), table(document, "tool", "uv").get("dev-dependencies")]
    lists += table(document, "tool", "pdm", "dev-dependencies").values()
    asked: dict[str, list[str]] = {}
    for written in (text(each) for listed in lists for each in items(listed)):
        _take(written, asked)
    groups = [poetry, *tables(list(table(poetry, "group").values()))]
    for name, wanted in (
        (n, w) for g in groups for k in ("dependencies", "dev-dependencies") for n, w in table(g, k).items()
    ):
        if name != "python":
            asked.setdefault(normalized(name), []).append(_poetry(wanted))
    return _asked(asked)


def _poetry(wanted: Any) -> str:
    if isinstance(wanted, dict):
        return " ".join(f"{key}={_poetry(value)}" for key, value in sorted(wanted.items()))
    return ",".join(map(text, wanted)) if isinstance(wanted, list) else text(wanted)


def _take(written: str, asked: dict[str, list[str]]) -> None:
    if found := _REQUIREMENT.fullmatch(written):
        asked.setdefault(normalized(found[1]), []).append("".join(found[2].split()))


def read_requirements(source: bytes) -> Lock:
    """The lines of a requirements file, with the comments of pip-compile and uv that tell who needs whom.

    Raises Unreadable.
    """
    asked: dict[str, list[str]] = {}
    needed_by: dict[str, set[str]] = {}
    last = ""
    for line in _joined(decode(source)):
        stripped = line.strip()
        if stripped.startswith("#") or not stripped:
            found = _VIA.match(stripped)
            if last and found is not None:
                needed_by.setdefault(last, set()).add(normalized(found[1]))
        elif not stripped.startswith("-"):
            before = set(asked)
            _take(_COMMENT.sub("", stripped), asked)
            last = next(iter(asked.keys() - before), last)
    return _asked(asked, needed_by)


def _joined(content: str) -> Iterator[str]:
    """Lines, those that end in a backslash with the next."""
    parts: list[str] = []
    for line in content.splitlines():
        if line.endswith("\\"):
            parts.append(line[:-1])
            continue
        yield " ".join([*parts, line])
        parts = []
    if parts:
        yield " ".join(parts)


def _asked(asked: dict[str, list[str]], needed_by: dict[str, set[str]] | None = None) -> Lock:
    builder = Builder(Extent.DIRECT)
    for name, wanted in asked.items():
        builder.add(name, name, ", ".join(sorted(set(filter(None, wanted)))))
    for name, others in (needed_by or {}).items():
        for other in others:
            builder.require(other, name)
    return builder.build()
