"""Runs inside grimp's own environment: builds graphs of packages and prints what grimp says. Knows nothing of Weft.

Standard input: a list of groups, each {dotted package name: folder}. Standard output, for each group:
{"modules": {module: path}, "imports": [[importer, imported, line]], "broken": {path: reason}}. Nothing is run.
"""

import ast
import json
import os
import sys
from collections.abc import Iterator
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
            _empty(error.filename)
        except BaseException as error:
            # Its scanner panics, with no Exception, at dots that lead out of the package, and names no file.
            found = {} if isinstance(error, KeyboardInterrupt) else dict(_unreadable(packages))
            if not found.keys() - broken.keys():
                raise
            broken |= found
            for path in found:
                _empty(path)
    modules = {module: path for module in graph.modules if (path := _file(module, packages))}
    imports = [
        [importer, imported, graph.get_import_details(importer=importer, imported=imported)[0]["line_number"]]
        for importer in modules
        for imported in graph.find_modules_directly_imported_by(importer)
    ]
    # Where dots lead out of an `__init__`, it drops all imports of the file without a word.
    silent = {path for module, path in modules.items() if not graph.find_modules_directly_imported_by(module)}
    broken |= {path: why for path, why in _unreadable(packages, silent) if path not in broken}
    return {"modules": modules, "imports": imports, "broken": broken}


def _empty(path: str) -> None:
    with open(path, "w", encoding="utf-8"):
        pass


def _unreadable(packages: dict[str, str], among: set[str] | None = None) -> Iterator[tuple[str, str]]:
    """Files (of those given) with relative imports that lead out of all packages, or that are not text: the reasons."""
    for name, top in packages.items():
        for folder, _, files in os.walk(top):
            depth = name.count(".") + 1 + os.path.relpath(folder, top).replace(".", "").count(os.sep)
            depth += folder != top
            for file in files:
                path = os.path.join(folder, file)
                is_asked = file.endswith(".py") and (among is None or path in among)
                if is_asked and (reason := _reason(path, depth)):
                    yield path, reason


def _reason(path: str, depth: int) -> str:
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (SyntaxError, ValueError):
        return "does not parse"
    far = (node.level > depth for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return "its dots lead out of the package" if any(far) else ""


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
