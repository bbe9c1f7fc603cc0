"""Classes of difference between Weft and `go list`, recognised by their circumstances."""

import re
from collections.abc import Iterator, Mapping

from conformance.base import Difference, Evidence, Predicate
from weft_storage.model.paths import ancestors, parent

_MODULE = re.compile(rb'^\s*module\s+"?([^\s"]+)', re.M)

# A requirement of v0.0.0 says that there is no version.
_REQUIRED = rb"(?m)\b%s[\s\"]+v(?!0\.0\.0(?:-00010101000000-|\s|$))"


def own_directory(difference: Difference, evidence: Evidence) -> bool:
    """A file that imports the package of its own directory: both are one unit."""
    del evidence
    return difference.imported == (parent(difference.importer) or ".") and not difference.importer.endswith("_test.go")


def unconnected_sibling(difference: Difference, evidence: Evidence) -> bool:
    """The module is in the repository, has its path alone, and the importer's go.mod requires no version of it."""
    edge = difference.edge
    if edge is None or (difference.importer, edge.specifier) not in evidence.answers.external:
        return False
    home = next(_modules_above(difference.importer, evidence), None)
    away = next(_modules_above(f"{difference.imported}/.", evidence), None)
    if home is None or away is None or home == away:
        return False
    path = _module_path(away, evidence)
    place = difference.imported[len(away) :].strip("/")
    alone = [each for each in _all_modules(evidence) if _module_path(each, evidence) == path] == [away]
    named = _REQUIRED % re.escape(path.encode())
    return (
        alone
        and not re.search(named, evidence.graph.source(_manifest(home)))
        and edge.specifier == "/".join(part for part in (path, place) if part)
    )


PREDICATES: Mapping[str, Predicate] = {each.__name__: each for each in (own_directory, unconnected_sibling)}


def _modules_above(path: str, evidence: Evidence) -> Iterator[str]:
    return (folder for folder in ancestors(path) if _manifest(folder) in evidence.graph.paths)


def _all_modules(evidence: Evidence) -> list[str]:
    return sorted(parent(path) for path in evidence.graph.paths if path.rpartition("/")[2] == "go.mod")


def _module_path(folder: str, evidence: Evidence) -> str:
    found = _MODULE.search(evidence.graph.source(_manifest(folder)))
    return found[1].decode(errors="replace") if found else ""


def _manifest(folder: str) -> str:
    return f"{folder}/go.mod" if folder else "go.mod"
