"""Outputs that are not built: which source one is made of, shown without Weft's resolver.

Three witnesses: TypeScript's emitter (`ts.getOutputFileNames` over every project that lists the source), git's rules of
what is ignored, and the text of the programs that build a package.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import lru_cache

from conformance.graphs import WeftGraph
from conformance.typescript.node import run
from weft_storage.model.paths import ancestors, basename, parent

_SUFFIX = re.compile(r"(?:\.d)?\.[cm]?[jt]sx?$|\.(?:vue|svelte|astro|json)$")
_SCRIPT = re.compile(r"\.[cm]?[jt]sx?$")
_CONFIG = re.compile(r"tsconfig[\w.-]*\.json")
_WIDE = re.compile(rb'"rootDir"\s*:\s*"(?:\./)?\.\.')
_FORMATS = frozenset({"browser", "build", "cjs", "dist", "es", "esm", "lib", "module", "out", "output", "types"})
_PROGRAM = re.compile(
    r"package\.json|(?:.*[.-])?(?:config|build)\.[cm]?[jt]s(?:on)?|(?:gulp|Gulp|Make|Jake)file(?:\.[cm]?[jt]s)?"
    r"|(?:build|bundle|rollup|esbuild)[\w.-]*\.[cm]?[jt]s"
)
# No program that builds something is larger.
_LONGEST_PROGRAM = 200_000


def stem(path: str) -> str:
    """A path without the suffix of a script or declaration: that of a source and of what is made of it."""
    return _SUFFIX.sub("", path)


def is_compiled_to(source: str, output: str, graph: WeftGraph) -> bool:
    """Whether TypeScript, building a project that lists the source, would write an output of that stem."""
    return stem(output) in _emitted(graph).get(source, frozenset())


def is_never_kept(output: str, graph: WeftGraph) -> bool:
    """Whether git ignores the path, or the repository has no such folder: what stands there is made by a build."""
    return parent(output) not in _folders(graph) or _is_ignored(output, graph.root)


def is_beside(source: str, output: str, package: str, graph: WeftGraph) -> bool:
    """Whether a source lies in the package's `src` as the output does in its folder, and is alone in that.

    Folders named after formats do not count: `dist/esm/a.js` is made of `src/a.ts`.
    """
    inside = stem(output).removeprefix(f"{package}/" if package else "").split("/")
    for start in range(1, len(inside)):
        found = _by_stem(graph).get("/".join(filter(None, (package, "src", *inside[start:]))), ())
        if found:
            return [each for each in found if ".d." not in basename(each) or each == source] == [source]
        if inside[start] not in _FORMATS:
            return False
    return False


def is_entry_of_build(source: str, package: str, graph: WeftGraph) -> bool:
    """Whether a program that builds the package, in its folder or above it, names the source."""
    inside = stem(source).removeprefix(f"{package}/" if package else "")
    named = re.compile(rf"(?<![\w-]){re.escape(inside)}(?![\w-])(?!/[\w*])")
    return any(named.search(text) for text in _programs(package, graph))


def _programs(package: str, graph: WeftGraph) -> Iterator[str]:
    for folder in (package, *(ancestors(package) if package else ())):
        for place in (folder, f"{folder}/scripts".lstrip("/")):
            for name, path in _files(graph).get(place, {}).items():
                if _PROGRAM.fullmatch(name):
                    yield graph.source(path)[:_LONGEST_PROGRAM].decode("utf-8", "replace")


@lru_cache(maxsize=2)
def _files(graph: WeftGraph) -> Mapping[str, Mapping[str, str]]:
    """Files by folder, then by name."""
    found: dict[str, dict[str, str]] = {}
    for path in graph.paths:
        found.setdefault(parent(path), {})[basename(path)] = path
    return found


@lru_cache(maxsize=2)
def _by_stem(graph: WeftGraph) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(graph.paths):
        found.setdefault(stem(path), []).append(path)
    return found


@lru_cache(maxsize=2)
def _folders(graph: WeftGraph) -> frozenset[str]:
    return frozenset(each for path in graph.paths for each in ancestors(path))


@lru_cache(maxsize=2)
def _emitted(graph: WeftGraph) -> Mapping[str, frozenset[str]]:
    """The stems of the outputs of every script that an edge leads to."""
    sources = sorted({edge.imported for edge in graph.edges if _SCRIPT.search(edge.imported)})
    configs = sorted(
        path for path in graph.paths if _CONFIG.fullmatch(basename(path)) and _WIDE.search(graph.source(path))
    )
    found = json.loads(run("outputs.cjs", configs, sources, root=graph.root))
    return {source: frozenset(map(stem, outputs)) for source, outputs in found.items()}


@lru_cache(maxsize=10_000)
def _is_ignored(path: str, root: str) -> bool:
    with tempfile.TemporaryDirectory(prefix="weft-conformance-") as empty:
        subprocess.run(["git", "init", "--quiet", "--bare", empty], check=True)
        command = ["git", f"--git-dir={empty}", f"--work-tree={root}", "-c", "core.excludesFile=/dev/null"]
        asked = [*command, "check-ignore", "--quiet", "--no-index", "--", path]
        return subprocess.run(asked, cwd=root, capture_output=True).returncode == 0
