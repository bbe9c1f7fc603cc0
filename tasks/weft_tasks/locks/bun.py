"""bun.lock: the text format of Bun.

`packages` maps a place (`a`, or `a/b` for a b that only a has) to [`name@version`, source?, {needs}, integrity?].
"""

from typing import Any

from weft_tasks.locks.base import Builder, Extent, Lock, Unreadable, items, table, text
from weft_tasks.locks.documents import read_json5

_NEEDS = ("dependencies", "optionalDependencies", "peerDependencies")
_LOCAL = ("workspace:", "link:", "root:")


def read(source: bytes) -> Lock:
    """The lock of a file of Bun. Raises Unreadable."""
    document = read_json5(source)
    if document.get("lockfileVersion") not in (0, 1):
        raise Unreadable(f"of an unknown version {document.get('lockfileVersion')!r}")
    builder = Builder(Extent.GRAPH)
    packages = {place: items(entry) for place, entry in table(document, "packages").items()}
    for place, entry in packages.items():
        last = _steps(place)[-1]
        known, _, version = text(entry[0] if entry else None).rpartition("@")
        if not version.startswith(_LOCAL):
            builder.add(place, last, version, known, *(each for each in entry[1:] if isinstance(each, str)))
    for place, entry in packages.items():
        needs: Any = next((each for each in entry if isinstance(each, dict)), {})
        for kind in _NEEDS:
            for name in table(needs, kind):
                builder.require(place, _found_from(_steps(place), name, packages))
    for folder, workspace in table(document, "workspaces").items():
        own = text(table(workspace).get("name"))
        named = {}
        for kind in (*_NEEDS, "devDependencies"):
            for name in table(workspace, kind):
                named[name] = f"{own}/{name}" if f"{own}/{name}" in packages else name
        builder.scope(folder, named)
    return builder.build()


def _steps(place: str) -> list[str]:
    """The packages of a place, `@scope/a/b` -> [`@scope/a`, `b`]."""
    found: list[str] = []
    for part in place.split("/"):
        if found and found[-1].startswith("@") and "/" not in found[-1]:
            found[-1] += f"/{part}"
        else:
            found.append(part)
    return found


def _found_from(steps: list[str], name: str, packages: dict[str, Any]) -> str | None:
    places = ("/".join([*steps[:length], name]) for length in range(min(len(steps), 50), -1, -1))
    return next((place for place in places if place in packages), None)
