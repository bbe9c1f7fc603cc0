"""SARIF 2.1.0 (OASIS): cycles and unresolved imports as results of a code scan. Knows nothing of graphs."""

import hashlib
import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from weft.report.documents import Component, EdgeEntry
from weft.report.escape import printable
from weft.report.export.base import in_chunks, json_array
from weft_storage.model.edges import Outside

_ROOT = "%SRCROOT%"  # The conventional name of the repository's root; GitHub and others know it.

_RULES = (
    {
        "id": "dependency-cycle",
        "name": "DependencyCycle",
        "shortDescription": {"text": "Files depend on each other in a cycle."},
        "fullDescription": {
            "text": "Every file of the component depends on every other one, directly or not: none can be "
            "understood, tested or redone before the others. The result lists one shortest cycle."
        },
        "help": {
            "text": "Remove one import of the cycle, for instance by moving what both sides need into a third file."
        },
        "defaultConfiguration": {"level": "warning"},
    },
    {
        "id": "unresolved-import",
        "name": "UnresolvedImport",
        "shortDescription": {"text": "An import leads to nothing."},
        "fullDescription": {
            "text": "Neither the repository nor a declared dependency nor the standard library has what it names."
        },
        "help": {"text": "Correct the import, add the file, or declare the dependency that holds it."},
        "defaultConfiguration": {"level": "warning"},
    },
)


def sarif(components: Iterable[Component], unresolved: Iterable[Outside], *, version: str) -> Iterator[str]:
    """The pieces of a SARIF log with one result a component and one an unresolved import, in the given order.

    `version` is Weft's. Fingerprints depend on a component's members, and on an import's file and specifier, never on
    lines: a result stays the same while the code around it moves.
    """
    return in_chunks(_log(_results(components, unresolved), version))


def _log(results: Iterable[dict[str, Any]], version: str) -> Iterator[str]:
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0"}
    run = {
        "tool": {"driver": {"name": "Weft", "version": version, "rules": list(_RULES)}},
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The root of the repository."}}},
        "columnKind": "unicodeCodePoints",
    }
    yield json.dumps(log, indent=2).removesuffix("\n}") + ',\n  "runs": [\n'
    yield textwrap.indent(json.dumps(run, indent=2), "    ").removesuffix("\n    }")
    yield ',\n      "results": '
    yield from json_array(map(json.dumps, results), "      ")
    yield "\n    }\n  ]\n}\n"


def _results(components: Iterable[Component], unresolved: Iterable[Outside]) -> Iterator[dict[str, Any]]:
    for component in components:
        yield _cycle_result(component)
    seen: Counter[str] = Counter()
    for outside in unresolved:
        fingerprint = _fingerprint(outside.importer, outside.specifier)
        seen[fingerprint] += 1
        yield _unresolved_result(outside, f"{fingerprint}:{seen[fingerprint]}")


def _cycle_result(component: Component) -> dict[str, Any]:
    cycle, members = component.cycle, component.members
    # GitHub shows a related location only where the message links to it.
    path = [f"[{_link_text(edge.importer)}]({number})" for number, edge in enumerate(cycle, 1)]
    first = _location(cycle[0].importer, cycle[0].line) if cycle else _location(members[0], 0)
    return {
        "ruleId": _RULES[0]["id"],
        "ruleIndex": 0,
        "message": {"text": f"{len(members)} files depend on each other: {' -> '.join([*path, *path[:1]])}."},
        "locations": [first],
        "relatedLocations": [_step(number, edge) for number, edge in enumerate(cycle, 1)],
        "partialFingerprints": {"cycleMembers/v1": _fingerprint(*members)},
    }


def _unresolved_result(outside: Outside, fingerprint: str) -> dict[str, Any]:
    return {
        "ruleId": _RULES[1]["id"],
        "ruleIndex": 1,
        "message": {"text": f"'{_literal(outside.specifier)}' leads to nothing{_probed(outside.probed)}."},
        "locations": [_location(outside.importer, outside.line)],
        "partialFingerprints": {"importerAndSpecifier/v1": fingerprint},
    }


def _probed(paths: tuple[str, ...], most: int = 5) -> str:
    if not paths:
        return ""
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return f"; looked for {', '.join(map(_literal, paths[:most]))}{more}"


def _step(number: int, edge: EdgeEntry) -> dict[str, Any]:
    text = f"{_literal(edge.importer)} imports {_literal(edge.imported)} as '{_literal(edge.specifier)}'"
    return {"id": number, **_location(edge.importer, edge.line), "message": {"text": text}}


def _location(path: str, line: int) -> dict[str, Any]:
    """A place in the repository; line 0, of an edge that no text shows, is the whole file."""
    uri = quote(path.encode("utf-8", "surrogateescape"))
    physical: dict[str, Any] = {"artifactLocation": {"uri": uri, "uriBaseId": _ROOT}}
    if line > 0:
        physical["region"] = {"startLine": line}
    return {"physicalLocation": physical}


def _literal(name: str) -> str:
    """A name in a message: no placeholder (3.11.5), no link (3.11.6)."""
    return printable(name).replace("{", "{{").replace("}", "}}").replace("](", "]\\(")


def _link_text(name: str) -> str:
    """A name that a message links (3.11.6)."""
    return re.sub(r"[\\\[\]]", r"\\\g<0>", printable(name)).replace("{", "{{").replace("}", "}}")


def _fingerprint(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:32]
