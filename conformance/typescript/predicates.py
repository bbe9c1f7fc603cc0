"""Classes of difference between Weft and the TypeScript compiler or oxc-resolver, recognised by their circumstances.

They read manifests with code of their own, and ask TypeScript and git: nothing is asked of Weft's resolver.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from conformance.base import Difference, Evidence, Predicate, Side
from conformance.graphs import WeftGraph
from conformance.typescript.outputs import is_beside, is_compiled_to, is_entry_of_build, is_never_kept, stem
from conformance.typescript.packages import (
    DEPENDENCIES,
    USUAL,
    entries,
    leaves,
    manifest,
    mapping,
    package_name,
    package_of,
    read,
    targets_of,
)
from conformance.typescript.resolvers import answers_of
from conformance.typescript.workspaces import expression
from weft_storage.model.edges import Edge
from weft_storage.model.facts import EdgeKind
from weft_storage.model.paths import ancestors, join, parent

_DECLARATION = re.compile(r"\.d\.(?:\w+\.)?[cm]?ts$")
_OUTSIDE = re.compile(r"(?:npm|jsr|node|https?|file):")
# Names that Node.js gives its own modules without a scheme; the few that a folder of a repository may have.
_BUILTINS = frozenset(
    {"assert", "buffer", "crypto", "events", "fs", "http", "os", "path", "process", "stream", "url", "util"}
)
_BUNDLED = (".json", ".mts", ".cts", ".mjs", ".cjs", ".vue", ".svelte", ".astro")
_UNKNOWN_OPTIONS = frozenset({"moduleSuffixes", "customConditions"})


# ---------------------------------------------------------------------------------------------------------------------
# What the authorities do not look for


def query(difference: Difference, evidence: Evidence) -> bool:
    """The specifier carries a bundler's query or loader, without which it is the file's name."""
    edge = _unanswered(difference, evidence)
    if edge is None or not re.search(r"[?!]", edge.specifier):
        return False
    bare = edge.specifier.rpartition("!")[2].partition("?")[0]
    place = join(parent(difference.importer), bare)
    return place is not None and _means(place, difference.imported)


def site_root(difference: Difference, evidence: Evidence) -> bool:
    """The specifier begins with a slash, and leads from the package's folder, its `public` or the root to the file."""
    edge = _unanswered(difference, evidence)
    if edge is None or not edge.specifier.startswith("/"):
        return False
    rest = edge.specifier.partition("?")[0].lstrip("/")
    scope = next((each for each in ancestors(difference.importer) if manifest(each, evidence.graph)), "")
    sites = (scope, f"{scope}/public".lstrip("/"), "")
    return any(_means(f"{each}/{rest}".lstrip("/"), difference.imported) for each in sites)


def bundler_probing(difference: Difference, evidence: Evidence) -> bool:
    """The file is the specifier with an extension that the compiler never adds and bundlers do."""
    edge = _unanswered(difference, evidence)
    place = join(parent(difference.importer), edge.specifier) if edge is not None else None
    if place is None or edge is None or not edge.specifier.startswith("."):
        return False
    return difference.imported in {f"{place}{middle}{each}" for each in _BUNDLED for middle in ("", "/index")}


def meta_glob(difference: Difference, evidence: Evidence) -> bool:
    """A pattern of `import.meta.glob`, from the importer, the root of the site or by an alias, matches the file."""
    edge = difference.edge
    if edge is None or not re.search(rb"import\s*\.\s*meta\s*\.\s*glob", evidence.graph.source(edge.importer)):
        return False
    places = [""] if edge.specifier.startswith("**") else [parent(edge.importer)]
    rest = edge.specifier
    if rest.startswith("/"):
        places = [*(each for each in ancestors(edge.importer) if manifest(each, evidence.graph)), ""]
    elif not rest.startswith((".", "**")):
        places, rest = _aliased(rest, edge.importer, evidence.graph)
    inside = (path for each in places if (path := join(each, rest.lstrip("/"))))
    return any(expression("", each).fullmatch(edge.imported) for each in inside)


def import_map(difference: Difference, evidence: Evidence) -> bool:
    """The import map or the workspace of a deno.json above leads from the specifier to the very file."""
    edge = _unanswered(difference, evidence)
    if edge is None or edge.specifier.startswith("."):
        return False
    mapped = _mapped(edge.specifier, edge.importer, evidence.graph)
    if mapped is not None and not _OUTSIDE.match(mapped):
        return _means(mapped, difference.imported)
    wanted = re.sub(r"^jsr:/?((?:@[^/]+/)?[^/@]+)(?:@[^/]+)?", r"\1", mapped or edge.specifier)
    return difference.imported in set(_deno_entries(wanted, edge.importer, evidence.graph))


def import_map_outside(difference: Difference, evidence: Evidence) -> bool:
    """The import map of a deno.json above leads from the specifier to a registry or an address."""
    found = (_mapped(each, difference.importer, evidence.graph) for each in _specifiers(difference, evidence))
    return difference.side is Side.MISSING and any(each is not None and _OUTSIDE.match(each) for each in found)


# ---------------------------------------------------------------------------------------------------------------------
# Declarations


def beside_declaration(difference: Difference, evidence: Evidence) -> bool:
    """The authority stops at a declaration, for which this file is what runs; Weft has an edge to each."""
    edge = difference.edge
    if edge is None or edge.kind is EdgeKind.TYPE:
        return False
    declared = [
        each
        for each in evidence.graph.edges_of(difference.importer)
        if each.kind is EdgeKind.TYPE
        and _DECLARATION.search(each.imported)
        and (each.importer, each.imported) in evidence.answers.pairs
    ]
    if any(_declares(each.imported, edge.imported) for each in declared):
        return True
    named = set(entries(edge, evidence.graph))
    return _runs(edge, evidence.graph) and any(
        each.imported in named
        or each.specifier == edge.specifier
        or evidence.answers.pairs[edge.importer, each.imported] == edge.line
        for each in declared
    )


def beside_script(difference: Difference, evidence: Evidence) -> bool:
    """The authority stops at the file that runs, beside which this is the declaration; Weft has an edge to each."""
    edge = difference.edge
    if edge is None or edge.kind is not EdgeKind.TYPE or not _DECLARATION.search(difference.imported):
        return False
    others = (each for each in evidence.graph.edges_of(difference.importer) if each.imported != difference.imported)
    return any(
        _declares(edge.imported, each.imported) and (each.importer, each.imported) in evidence.answers.pairs
        for each in others
    )


# ---------------------------------------------------------------------------------------------------------------------
# Outputs


def compiled_output(difference: Difference, evidence: Evidence) -> bool:
    """TypeScript would write the missing file that the specifier names from this very source."""
    graph = evidence.graph
    return any(is_compiled_to(difference.imported, each, graph) for each in _missing(difference, evidence))


def output_beside_source(difference: Difference, evidence: Evidence) -> bool:
    """The missing file lies in a folder that git ignores as this source does in the `src` beside it."""
    graph, edge = evidence.graph, difference.edge
    package = package_of(edge, graph) if edge is not None else None
    return package is not None and any(
        is_never_kept(each, graph) and is_beside(difference.imported, each, package, graph)
        for each in _missing(difference, evidence)
    )


def output_of_bundler(difference: Difference, evidence: Evidence) -> bool:
    """The missing file lies in a folder that git ignores, and a program that builds the package names this source.

    The source has the name of the entry: that of the subpath, or of the output, or it is an index.
    """
    graph, edge = evidence.graph, difference.edge
    package = package_of(edge, graph) if edge is not None else None
    if edge is None or package is None or not is_entry_of_build(difference.imported, package, graph):
        return False
    missing = [each for each in _missing(difference, evidence) if is_never_kept(each, graph)]
    name, source = package_name(edge.specifier), stem(difference.imported)
    subpath = edge.specifier[len(name) :].strip("/")
    if not subpath:
        return bool(missing) and source.endswith("/index")
    return bool(missing) and source.removesuffix("/index").endswith(f"/{stem(subpath)}")


def output_by_condition(difference: Difference, evidence: Evidence) -> bool:
    """What `exports` or `imports` give is missing; the manifest names this file too: another condition, or `source`."""
    graph, edge = evidence.graph, difference.edge
    folder = package_of(edge, graph) if edge is not None else None
    if edge is None or folder is None or not _missing(difference, evidence):
        return False
    source = manifest(folder, graph).get("source")
    named = (
        {join(folder, source)} if isinstance(source, str) and edge.specifier == package_name(edge.specifier) else set()
    )
    return difference.imported in named | {*entries(edge, graph)} - {*entries(edge, graph, USUAL)}


def other_condition(difference: Difference, evidence: Evidence) -> bool:
    """The authority has no answer: `exports` or `imports` give this file, under conditions it was not asked for."""
    edge = _unanswered(difference, evidence)
    if edge is None:
        return False
    asked = [entries(edge, evidence.graph, USUAL - {each}) for each in ("import", "require", "node")]
    return not all(asked) and difference.imported in entries(edge, evidence.graph)


# ---------------------------------------------------------------------------------------------------------------------
# Which package a name means


def own_name(difference: Difference, evidence: Evidence) -> bool:
    """The specifier begins with the name of the package around the importer, which has no `exports`."""
    edge, graph = _unanswered(difference, evidence), evidence.graph
    if edge is None:
        return False
    folder = next((each for each in ancestors(edge.importer) if manifest(each, graph)), None)
    own = manifest(folder, graph) if folder is not None else {}
    if folder is None or own.get("name") != package_name(edge.specifier) or own.get("exports") is not None:
        return False
    named = (join(folder, each) for each in targets_of(edge.specifier, own))
    return any(each is not None and _means(each, difference.imported) for each in named)


def builtin_first(difference: Difference, evidence: Evidence) -> bool:
    """The import names a module of Node.js, which no installed package can replace."""
    return difference.side is Side.MISSING and any(
        each.removeprefix("node:").partition("/")[0] in _BUILTINS and _enters(each, difference, evidence.graph)
        for each in _specifiers(difference, evidence)
    )


def published_elsewhere(difference: Difference, evidence: Evidence) -> bool:
    """The importer's own manifest asks for another package, or place, under the name of one of the workspace."""
    own = next(filter(None, (manifest(each, evidence.graph) for each in ancestors(difference.importer))), {})
    wanted = {key: each for name in DEPENDENCIES for key, each in mapping(own.get(name)).items()}
    return difference.side is Side.MISSING and any(
        re.match(r"npm:|git[+:@]|github:|https?:|[\w.-]+/[\w.-]+", str(wanted.get(package_name(each), "")))
        and _enters(each, difference, evidence.graph)
        for each in _specifiers(difference, evidence)
    )


def outside_target(difference: Difference, evidence: Evidence) -> bool:
    """The first target of `#a` is a package that is not in the repository; the authority goes on to the next."""
    folder = next((each for each in ancestors(difference.importer) if manifest(each, evidence.graph)), None)
    for each in _specifiers(difference, evidence):
        if each.startswith("#") and folder is not None:
            found = list(leaves(mapping(manifest(folder, evidence.graph).get("imports")).get(each), USUAL))
            return bool(found[1:]) and not found[0].startswith((".", "#"))
    return False


def not_scanned(difference: Difference, evidence: Evidence) -> bool:
    """The file lies in a node_modules of a plain folder: without git, none of them is scanned."""
    return "node_modules/" in difference.imported and not any("node_modules/" in each for each in evidence.graph.files)


def installed(difference: Difference, evidence: Evidence) -> bool:
    """The authority goes into a checked-in node_modules by way of a link."""
    names = map(package_name, _specifiers(difference, evidence))
    places = [f"{each}/node_modules/{name}" for name in names for each in ancestors(difference.importer) if name]
    by_link = any(Path(evidence.root, each.lstrip("/")).is_symlink() for each in places)
    return by_link or "node_modules/" in difference.imported


def folder_by_paths(difference: Difference, evidence: Evidence) -> bool:
    """`paths` lead to a folder, whose index a bundler and CommonJS take and the ESM of Node.js does not."""
    if difference.side is Side.EXTRA:
        edge = difference.edge
        return edge is not None and _is_index_of(edge) and _has_other_answer(difference, evidence)
    return any(
        each.line == difference.line and _is_index_of(each) for each in evidence.graph.edges_of(difference.importer)
    )


# ---------------------------------------------------------------------------------------------------------------------
# oxc-resolver alone: the compiler agrees with Weft


def option_unknown(difference: Difference, evidence: Evidence) -> bool:
    """The nearest configuration is a jsconfig.json or sets what oxc-resolver does not read; or `typesVersions` hold."""
    if not _compiler_agrees(difference, evidence):
        return False
    if difference.edge is not None and _has_versions(difference.edge, evidence.graph):
        return True
    for folder in ancestors(difference.importer):
        for name in ("tsconfig.json", "jsconfig.json"):
            path = f"{folder}/{name}".lstrip("/")
            if path in evidence.graph.paths:
                options = _options(path, evidence.graph)
                old = str(options.get("moduleResolution", "")).lower() in ("node", "node10", "classic")
                return name == "jsconfig.json" or old or bool(_UNKNOWN_OPTIONS & options.keys())
    return False


def source_written(difference: Difference, evidence: Evidence) -> bool:
    """The specifier ends like a TypeScript source, in whose place stands another source or its declaration."""
    edge = _unanswered(difference, evidence)
    place = join(parent(difference.importer), edge.specifier) if edge is not None else None
    found = re.fullmatch(r"(.+)(\.[cm]?tsx?)", place or "")
    return (
        found is not None
        and difference.imported.startswith(f"{found[1]}.")
        and difference.imported != place
        and _compiler_agrees(difference, evidence)
    )


def extension_added(difference: Difference, evidence: Evidence) -> bool:
    """The authority adds an extension to what `exports` give, which neither Node.js nor the compiler does."""
    if difference.side is not Side.MISSING or not _compiler_agrees(difference, evidence):
        return False
    graph = evidence.graph
    named = (_edge(difference, each) for each in _specifiers(difference, evidence))
    found = (entry for each in named for entry in entries(each, graph))
    return any(difference.imported.startswith(f"{entry}.") and entry not in graph.paths for entry in found)


def types_package(difference: Difference, evidence: Evidence) -> bool:
    """The declaration lies in a checked-in `@types`, which oxc-resolver knows nothing of."""
    return "node_modules/@types/" in difference.imported and _compiler_agrees(difference, evidence)


def own_output(difference: Difference, evidence: Evidence) -> bool:
    """A file of the package itself is named by its output; Weft and the compiler take the source, built or not."""
    if not _compiler_agrees(difference, evidence):
        return False
    graph = evidence.graph
    ours = [each for each in graph.edges_of(difference.importer) if _is_own(each, graph)]
    if difference.side is Side.MISSING:
        return any(_names(each, difference.imported, graph) for each in ours)
    rivals = [imported for importer, imported in evidence.answers.pairs if importer == difference.importer]
    edge = difference.edge
    return edge is not None and edge in ours and any(_names(edge, each, graph) for each in rivals)


def not_owned(difference: Difference, evidence: Evidence) -> bool:
    """The nearest tsconfig.json lists files, and not the importer: oxc-resolver then knows none of its aliases."""
    nearest = (f"{each}/tsconfig.json".lstrip("/") for each in ancestors(difference.importer))
    config = next((each for each in nearest if each in evidence.graph.paths), None)
    raw = read(config, evidence.graph) if config is not None else {}
    options = _options(config, evidence.graph) if config is not None else {}
    has_alias = difference.edge is None or not difference.edge.specifier.startswith(".") or "rootDirs" in options
    return (
        has_alias
        and bool({"include", "files", "extends", "references"} & raw.keys())
        and _compiler_agrees(difference, evidence)
    )


PREDICATES: Mapping[str, Predicate] = {
    each.__name__: each
    for each in (
        query,
        site_root,
        bundler_probing,
        meta_glob,
        import_map,
        import_map_outside,
        beside_declaration,
        beside_script,
        compiled_output,
        output_by_condition,
        output_beside_source,
        output_of_bundler,
        other_condition,
        own_name,
        builtin_first,
        published_elsewhere,
        outside_target,
        not_scanned,
        installed,
        folder_by_paths,
        option_unknown,
        source_written,
        extension_added,
        types_package,
        own_output,
        not_owned,
    )
}


def _unanswered(difference: Difference, evidence: Evidence) -> Edge | None:
    """Weft's edge, where the authority finds nothing for its specifier."""
    edge = difference.edge
    return edge if edge is not None and (edge.importer, edge.specifier) in evidence.answers.external else None


def _compiler_agrees(difference: Difference, evidence: Evidence) -> bool:
    """Whether the compiler has the pair that Weft has alone, or has not the one that Weft lacks."""
    answers = answers_of("typescript", evidence.root, evidence.graph)
    pair = (difference.importer, difference.imported)
    if difference.side is Side.MISSING or pair in answers.pairs:
        return answers.covers(pair) and (pair in answers.pairs) == (difference.side is Side.EXTRA)
    return beside_declaration(difference, Evidence(evidence.root, evidence.graph, answers))


def _specifiers(difference: Difference, evidence: Evidence) -> Iterator[str]:
    """What the importer names on the line of the authority's answer."""
    imports = evidence.graph.facts(difference.importer).imports
    return (each.specifier for each in imports if each.line == difference.line)


def _edge(difference: Difference, specifier: str) -> Edge:
    return Edge(difference.importer, difference.imported, EdgeKind.IMPORT, difference.line, specifier)


def _means(place: str, path: str) -> bool:
    """Whether a path is the file of that name, with a suffix added or that of a source for its output, or its index."""
    return path == place or stem(path) in (place, stem(place), f"{place}/index".lstrip("/"))


def _declares(declaration: str, path: str) -> bool:
    before, _, suffix = path.rpartition(".")
    kind = {"mjs": "mts", "cjs": "cts"}.get(suffix, "ts")
    return declaration in (f"{before}.d.{kind}", f"{before}.d.ts", f"{path}.d.ts", f"{before}.d.{suffix}.ts")


def _runs(edge: Edge, graph: WeftGraph) -> bool:
    """Whether the package's manifest gives the file where types are not asked for, itself or as an output of it."""
    folder = package_of(edge, graph)
    named = entries(edge, graph, USUAL - {"types"})
    if folder is None:
        place = join(parent(edge.importer), edge.specifier) if edge.specifier.startswith(".") else None
        return place is not None and place not in graph.paths and is_compiled_to(edge.imported, place, graph)
    return any(
        _means(each, edge.imported)
        or (each not in graph.paths and is_compiled_to(edge.imported, each, graph))
        or (is_never_kept(each, graph) and is_beside(edge.imported, each, folder, graph))
        for each in named
        if not _DECLARATION.search(each)
    )


def _missing(difference: Difference, evidence: Evidence) -> list[str]:
    """The files that the specifier usually names and that are not there; none where the authority has an answer."""
    edge = _unanswered(difference, evidence)
    if edge is None:
        return []
    named = entries(edge, evidence.graph, USUAL)
    if edge.specifier.startswith("."):
        place = join(parent(difference.importer), edge.specifier.partition("?")[0])
        named += [place, f"{place}/index"] if place else []
    return [each for each in named if each not in evidence.graph.paths]


def _enters(specifier: str, difference: Difference, graph: WeftGraph) -> bool:
    """Whether the authority's file lies in the package that it found under the specifier's name."""
    folder = package_of(_edge(difference, specifier), graph)
    return folder is not None and difference.imported.startswith(f"{folder}/" if folder else "")


def _is_index_of(edge: Edge) -> bool:
    folder, _, name = edge.imported.rpartition("/")
    last = edge.specifier.rpartition("/")[2]
    return not edge.specifier.startswith(".") and name.startswith("index.") and folder.endswith(f"/{last}")


def _has_other_answer(difference: Difference, evidence: Evidence) -> bool:
    ours = {each.imported for each in evidence.graph.edges_of(difference.importer)}
    return any(
        importer == difference.importer and line == difference.line and imported not in ours
        for (importer, imported), line in evidence.answers.pairs.items()
    )


def _is_own(edge: Edge, graph: WeftGraph) -> bool:
    """Whether the specifier is `#a`, or begins with the name of the package around the importer."""
    own = next(filter(None, (manifest(each, graph) for each in ancestors(edge.importer))), {})
    return edge.specifier.startswith("#") or package_name(edge.specifier) == own.get("name")


def _names(edge: Edge, path: str, graph: WeftGraph) -> bool:
    """Whether the manifest gives the file, or one beside it that differs in the suffix, for the edge's specifier."""
    return stem(path) in {stem(each) for each in entries(edge, graph, USUAL)}


def _has_versions(edge: Edge, graph: WeftGraph) -> bool:
    folder = package_of(edge, graph)
    return folder is not None and "typesVersions" in manifest(folder, graph)


def _options(path: str, graph: WeftGraph) -> dict[str, object]:
    """The compiler options of a configuration and of those that it extends by relative paths."""
    found: dict[str, object] = {}
    for each in _with_extended(path, graph):
        found = {**mapping(read(each, graph).get("compilerOptions")), **found}
    return found


def _with_extended(path: str, graph: WeftGraph) -> list[str]:
    """A configuration and those that it extends by relative paths, nearest first."""
    found = [path]
    for each in found:
        for extended in leaves(read(each, graph).get("extends")):
            place = join(parent(each), extended) or ""
            place = place if place in graph.paths else f"{place}.json"
            if place not in found:
                found.append(place)
    return found


def _aliased(specifier: str, importer: str, graph: WeftGraph) -> tuple[list[str], str]:
    """The folders that the longest prefix in `paths` of the nearest tsconfig.json with one stands for, and the rest."""
    for above in ancestors(importer):
        folder, paths = _paths(f"{above}/tsconfig.json".lstrip("/"), graph)
        fitting = [key for key in paths if key.endswith("*") and specifier.startswith(key[:-1])]
        if fitting:
            best = max(fitting, key=len)
            found = (join(folder, each.rstrip("*")) for each in leaves(paths[best]))
            return [each for each in found if each is not None], specifier[len(best) - 1 :]
    return [], specifier


def _paths(config: str, graph: WeftGraph) -> tuple[str, dict[str, object]]:
    """`paths` of a configuration, or of one that it extends, and the folder that they are relative to."""
    for each in _with_extended(config, graph):
        options = mapping(read(each, graph).get("compilerOptions"))
        if "paths" in options:
            return join(parent(each), str(options.get("baseUrl", "."))) or "", mapping(options["paths"])
    return "", {}


def _mapped(specifier: str, importer: str, graph: WeftGraph) -> str | None:
    """What the nearest import map that knows the specifier makes of it: a path, or what is outside."""
    for folder in ancestors(importer):
        for name in ("deno.json", "deno.jsonc"):
            raw = read(f"{folder}/{name}".lstrip("/"), graph)
            elsewhere = join(folder, str(raw.get("importMap"))) if "importMap" in raw else None
            table = mapping((read(elsewhere, graph) if elsewhere else raw).get("imports"))
            keys = [key for key in table if specifier == key or (key.endswith("/") and specifier.startswith(key))]
            if keys:
                best = max(keys, key=len)
                target = f"{table[best]}{specifier[len(best) :]}"
                return target if _OUTSIDE.match(target) else join(parent(elsewhere) if elsewhere else folder, target)
    return None


def _deno_entries(specifier: str, importer: str, graph: WeftGraph) -> Iterator[str]:
    """What the members of a Deno workspace above that bear the specifier's name export for it."""
    name = package_name(specifier)
    for root in ancestors(importer):
        for file in ("deno.json", "deno.jsonc"):
            workspace = read(f"{root}/{file}".lstrip("/"), graph).get("workspace")
            patterns = [*leaves(workspace)]
            for path in graph.paths if patterns else ():
                if path.rpartition("/")[2] not in ("deno.json", "deno.jsonc"):
                    continue
                member, raw = parent(path), read(path, graph)
                if raw.get("name") == name and any(expression(root, each).fullmatch(member) for each in patterns):
                    table = raw.get("exports") if isinstance(raw.get("exports"), dict) else {".": raw.get("exports")}
                    target = mapping(table).get(f".{specifier[len(name) :]}")
                    yield from filter(None, [join(member, target) if isinstance(target, str) else None])
