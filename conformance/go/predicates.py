"""Classes of difference between Weft and `go list`, recognised by their circumstances."""

import os
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
    """The module has its path alone, follows the importer's layout, and no version of it is required there.

    Neither of them is a fixture or a copy.
    """
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
        and not any(map(_is_passed_over, (parent(difference.importer), away)))
        and _follow_one_layout(home, away, evidence)
        and not re.search(named, evidence.graph.source(_manifest(home)))
        and edge.specifier == "/".join(part for part in (path, place) if part)
    )


def relative_import(difference: Difference, evidence: Evidence) -> bool:
    """A relative path, and the folder that it leads to has a Go file that is no test."""
    edge = difference.edge
    if edge is None or edge.specifier.split("/")[0] not in (".", ".."):
        return False
    meant = os.path.normpath(os.path.join(parent(difference.importer), edge.specifier))
    files = {path for path in evidence.graph.paths if (parent(path) or ".") == meant and path.endswith(".go")}
    return difference.imported == meant and any(not path.endswith("_test.go") for path in files)


PREDICATES: Mapping[str, Predicate] = {
    each.__name__: each for each in (own_directory, unconnected_sibling, relative_import)
}


def _is_passed_over(folder: str) -> bool:
    return any(name in ("testdata", "vendor") or name.startswith(("_", ".")) for name in folder.split("/"))


def _follow_one_layout(home: str, away: str, evidence: Evidence) -> bool:
    """Whether one prefix, put before the folders of both modules, gives their module paths; but for a final /v2."""
    paths = [_module_path(folder, evidence) for folder in (home, away)]
    if not paths[0]:
        return bool(_prefixes(paths[1], away))
    shared = os.path.commonpath([f"/{home}", f"/{away}"])[1:]
    for above in (shared, *ancestors(shared)):
        rests = [folder[len(above) :].strip("/") for folder in (home, away)]
        if _prefixes(paths[0], rests[0]) & _prefixes(paths[1], rests[1]):
            return True
    return False


def _prefixes(path: str, folder: str) -> set[str]:
    """What may stand before a folder in the path of its module."""
    paths = {path, re.sub(r"/v[0-9]+$", "", path)}
    return {
        each.removesuffix(folder).rstrip("/") for each in paths if f"/{each}".endswith(f"/{folder}" if folder else "")
    }


def _modules_above(path: str, evidence: Evidence) -> Iterator[str]:
    return (folder for folder in ancestors(path) if _manifest(folder) in evidence.graph.paths)


def _all_modules(evidence: Evidence) -> list[str]:
    return sorted(parent(path) for path in evidence.graph.paths if path.rpartition("/")[2] == "go.mod")


def _module_path(folder: str, evidence: Evidence) -> str:
    found = _MODULE.search(evidence.graph.source(_manifest(folder)))
    return found[1].decode(errors="replace") if found else ""


def _manifest(folder: str) -> str:
    return f"{folder}/go.mod" if folder else "go.mod"
