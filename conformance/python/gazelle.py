"""Gazelle's Python test data (bazel-contrib/rules_python, gazelle/python/testdata): its expected targets against Weft.

    python -m conformance.python.gazelle PATH

Each folder beneath PATH is a repository; its BUILD.out files say which target holds which files and depends on which.
A dependency that Weft has and Gazelle has not, or the reverse, is printed with the reason that is known of it. Exits 1
where there is one without a reason. Nothing of it is kept here.
"""

import ast
import re
import sys
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from conformance.graphs import WeftGraph, scan
from weft_storage.model.facts import EdgeKind
from weft_storage.model.paths import parent

_KINDS = frozenset({EdgeKind.IMPORT, EdgeKind.TYPE, EdgeKind.DYNAMIC})


@dataclass(frozen=True, slots=True)
class Target:
    """A rule of a BUILD file: its label without repository, its sources and the labels that it depends on."""

    label: str
    sources: tuple[str, ...]
    dependencies: frozenset[str]


@click.command()
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(path: Path) -> None:
    """Compare Weft with what Gazelle's test data expects, case by case."""
    agreed = unknown = 0
    for case in sorted(each for each in path.iterdir() if each.is_dir()):
        targets = list(_targets(case))
        expected = {(each.label, label) for each in targets for label in each.dependencies}
        found = set(_dependencies(targets, expected, scan(str(case), str(case), rev=None, jobs=1)))
        agreed += len(expected & found)
        for pair in sorted(expected ^ found):
            side = "gazelle only" if pair in expected else "weft only"
            reason = _reason(case, pair, targets)
            unknown += not reason
            click.echo(f"{case.name}: {pair[0]} -> {pair[1]} {side}: {reason or 'unexplained'}")
    click.echo(f"{agreed} dependencies agree, {unknown} differ for no known reason")
    sys.exit(bool(unknown))


def _targets(case: Path) -> Iterator[Target]:
    """The Python targets of a case that have sources."""
    for build in sorted(case.rglob("BUILD.out")):
        package = build.parent.relative_to(case).as_posix().removeprefix(".")
        for node in ast.walk(ast.parse(build.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id != "filegroup":
                given = {each.arg: _literals(each.value) for each in node.keywords if each.arg}
                sources = [name for name in given.get("srcs", ()) if name.endswith((".py", ".pyi"))]
                if given.get("name") and sources:
                    files = tuple(f"{package}/{name}".strip("/") for name in sources)
                    labels = (_label(each, package) for each in (*given.get("deps", ()), *given.get("pyi_deps", ())))
                    own = _label(f":{given['name'][0]}", package)
                    yield Target(own, files, frozenset(each for each in labels if each and each != own))


def _literals(node: ast.expr) -> list[str]:
    return [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def _label(written: str, package: str) -> str:
    """`package:name`; empty for labels of other repositories."""
    if written.startswith("@"):
        return ""
    where, name = package, written.removeprefix(":")
    if written.startswith("//"):
        where, _, name = written[2:].partition(":")
    return f"{where}:{name or where.rpartition('/')[2]}"


def _dependencies(
    targets: list[Target], expected: Container[tuple[str, str]], graph: WeftGraph
) -> Iterator[tuple[str, str]]:
    """(label, label) where a source of the one imports a source of the other.

    Where several targets hold the imported file it is the expected one, else the first.
    """
    for target in targets:
        for edge in (edge for source in target.sources for edge in graph.edges_of(source)):
            holders = [each.label for each in targets if edge.imported in each.sources]
            if edge.kind in _KINDS and holders and edge.imported not in target.sources:
                pairs = [(target.label, holder) for holder in holders]
                yield next((pair for pair in pairs if pair in expected), pairs[0])


def _reason(case: Path, pair: tuple[str, str], targets: list[Target]) -> str:
    """Why a dependency differs, where the text of the case tells; else nothing."""
    builds = "".join(each.read_text(encoding="utf-8") for each in case.rglob("BUILD.in"))
    files = [file for each in targets if each.label == pair[0] for file in each.sources]
    sources = "".join((case / file).read_text(encoding="utf-8") for file in files if (case / file).is_file())
    manifests = "".join(each.read_text(encoding="utf-8") for each in case.rglob("gazelle_python.yaml"))
    if pair[1].endswith((":conftest", ":__test__")):
        return "a file that tests load without importing it"
    if "gazelle:include_dep" in sources:
        return "named in a comment for Gazelle"
    if re.search(r"(?m)^(?:from|import) __init__\b", sources):
        return "`import __init__`: Bazel runs the file in its own folder, Weft sees it in its package"
    if "gazelle:resolve" in builds or "gazelle:python_root" in builds:
        return "a directive for Gazelle in a BUILD file"
    if any(f"{name}: " in manifests for name in re.findall(r"(?m)^import (\w+)$", sources)):
        return "a distribution that gazelle_python.yaml lists goes before the file"
    if "generation_mode file" in builds and any(file.endswith("__init__.py") for file in files):
        return "a target for each file: all hold the package's `__init__.py`, whose imports count for none"
    if any(case.joinpath(parent(file), "__init__.py").is_file() for file in files):
        return "a file in a package is no top-level module for its siblings"
    return ""


if __name__ == "__main__":
    main()
