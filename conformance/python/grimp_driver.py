"""Runs inside grimp's own environment: builds graphs of packages and prints what grimp says. Knows nothing of Weft.

Standard input: a list of groups, each {dotted package name: folder}. Standard output, for each group:
{"modules": {module: path}, "imports": [[importer, imported, line]], "broken": {path: reason}}. Nothing is run.
"""

import json
import os
import sys
from typing import Any

from grimp import build_graph
from grimp.application.config import settings
from grimp.exceptions import SourceSyntaxError


class _Finder:
    """Finds packages where the group says, not on `sys.path`: names such as `tests` are taken there."""

    def __init__(self, packages: dict[str, str]) -> None:
        self._packages = packages

    def determine_package_directories(self, package_name: str, file_system: Any) -> set[str]:
        del file_system
        return {self._packages[package_name]}


def _answer(packages: dict[str, str]) -> dict[str, Any]:
    """What grimp says of a group. It stops at a file that does not parse: such files are emptied, and named."""
    broken: dict[str, str] = {}
    settings.configure(PACKAGE_FINDER=_Finder(packages))
    while True:
        try:
            graph = build_graph(*packages, cache_dir=None)
            break
        except SourceSyntaxError as error:
            broken[error.filename] = f"line {error.lineno} does not parse"
            with open(error.filename, "w", encoding="utf-8"):
                pass
        except UnicodeDecodeError as error:
            return {"modules": {}, "imports": [], "broken": dict.fromkeys(packages.values(), str(error))}
    modules = {module: path for module in graph.modules if (path := _file(module, packages))}
    imports = [
        [importer, imported, graph.get_import_details(importer=importer, imported=imported)[0]["line_number"]]
        for importer in modules
        for imported in graph.find_modules_directly_imported_by(importer)
    ]
    return {"modules": modules, "imports": imports, "broken": broken}


def _file(module: str, packages: dict[str, str]) -> str:
    """The file of a module of the group; empty for a namespace."""
    name = module
    while name not in packages:
        name = name.rpartition(".")[0]
        if not name:
            return ""
    base = os.path.join(packages[name], *module[len(name) :].strip(".").split("."))
    found = (path for path in (os.path.join(base, "__init__.py"), base.rstrip("/") + ".py") if os.path.isfile(path))
    return next(found, "")


if __name__ == "__main__":
    json.dump([_answer(group) for group in json.load(sys.stdin)], sys.stdout)
