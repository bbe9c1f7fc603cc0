"""Classes of difference between Weft and the TypeScript compiler or oxc-resolver, recognised by their circumstances.

They read manifests with code of their own: nothing is asked of Weft's resolver.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyjson5

from conformance.base import Difference, Evidence, Predicate, Side
from weft_storage.model.edges import Edge
from weft_storage.model.facts import EdgeKind, Import
from weft_storage.model.paths import ancestors, join, parent

_DECLARATION = re.compile(r"\.d\.(?:\w+\.)?[cm]?ts$")
_PACKAGE = re.compile(r"(?:@[^/]+/)?[^/]+")
# Names that Node.js gives its own modules without a scheme; the few that a folder of a repository may have.
_BUILTINS = frozenset(
    {"assert", "buffer", "crypto", "events", "fs", "http", "os", "path", "process", "stream", "url", "util"}
)
_DEPENDENCIES = ("peerDependencies", "optionalDependencies", "devDependencies", "dependencies")
_BUNDLED = (".json", ".mts", ".cts", ".mjs", ".cjs", ".vue", ".svelte", ".astro")


def query(difference: Difference, evidence: Evidence) -> bool:
    """The specifier carries a bundler's query or loader, without which it is the file's name."""
    edge = _unanswered(difference, evidence)
    if edge is None or not re.search(r"[?!]", edge.specifier):
        return False
    bare = edge.specifier.rpartition("!")[2].partition("?")[0]
    place = join(parent(difference.importer), bare)
    return place is not None and difference.imported.startswith(place)


def site_root(difference: Difference, evidence: Evidence) -> bool:
    """The specifier begins with a slash, and the file lies there beneath a package's folder or its `public`."""
    edge = _unanswered(difference, evidence)
    if edge is None or not edge.specifier.startswith("/"):
        return False
    rest = edge.specifier.partition("?")[0]
    return any(f"/{difference.imported}".startswith(f"/{base}{rest}".replace("//", "/")) for base in _sites(difference))


def bundler_probing(difference: Difference, evidence: Evidence) -> bool:
    """The file is the specifier with an extension that the compiler never adds and bundlers do."""
    edge = _unanswered(difference, evidence)
    place = join(parent(difference.importer), edge.specifier) if edge is not None else None
    if place is None or edge is None or not edge.specifier.startswith("."):
        return False
    return difference.imported in {f"{place}{middle}{each}" for each in _BUNDLED for middle in ("", "/index")}


def import_map(difference: Difference, evidence: Evidence) -> bool:
    """A deno.json above maps the specifier, or names the package that the file lies in."""
    edge = _unanswered(difference, evidence)
    if edge is None or edge.specifier.startswith("."):
        return False
    for folder in ancestors(difference.importer):
        for name in ("deno.json", "deno.jsonc"):
            manifest = _json(f"{folder}/{name}".lstrip("/"), evidence)
            elsewhere = manifest.get("importMap")
            mapped = _json(join(folder, elsewhere) or "", evidence) if isinstance(elsewhere, str) else manifest
            keys = [*_mapping(mapped.get("imports")), *_deno_members(manifest, folder, evidence)]
            if any(edge.specifier == key or edge.specifier.startswith(key.rstrip("/") + "/") for key in keys):
                return True
    return False


def beside_declaration(difference: Difference, evidence: Evidence) -> bool:
    """The authority stops at a declaration, beside which this file is what runs; Weft has an edge to each."""
    edge = difference.edge
    if edge is None:
        return False
    declared = (each for each in evidence.graph.edges_of(difference.importer) if each.kind is EdgeKind.TYPE)
    return any(
        _declares(each.imported, edge.imported) or _are_one_entry(edge, each.imported, evidence)
        for each in declared
        if (each.importer, each.imported) in evidence.answers.pairs
    )


def extension_added(difference: Difference, evidence: Evidence) -> bool:
    """The authority adds an extension to what `exports` give, which neither Node.js nor the compiler does."""
    if difference.side is not Side.MISSING:
        return False
    named = [
        Edge(difference.importer, difference.imported, EdgeKind.TYPE, 0, each.specifier)
        for each in _at_line(difference, evidence)
    ]
    found = ((each, _package_of(each, evidence)) for each in named)
    entries = (
        entry for each, folder in found if folder is not None for entry in _entries(each.specifier, folder, evidence)
    )
    return any(difference.imported.startswith(f"{entry}.") and entry not in evidence.graph.paths for entry in entries)


def beside_script(difference: Difference, evidence: Evidence) -> bool:
    """The authority stops at the file that runs, beside which this is the declaration; Weft has an edge to each."""
    edge = difference.edge
    if edge is None or edge.kind is not EdgeKind.TYPE or not _DECLARATION.search(difference.imported):
        return False
    others = (each for each in evidence.graph.edges_of(difference.importer) if each.imported != difference.imported)
    return any(
        each.specifier == edge.specifier and (each.importer, each.imported) in evidence.answers.pairs for each in others
    )


def unbuilt_output(difference: Difference, evidence: Evidence) -> bool:
    """What the specifier names, an entry of a package or a path, is an output that is not in the repository."""
    edge = difference.edge
    if edge is None:
        return False
    if edge.specifier.startswith("."):
        place = join(parent(difference.importer), edge.specifier)
        return (
            place is not None
            and _unanswered(difference, evidence) is not None
            and not _is_folder(parent(place), evidence)
        )
    folder = _package_of(edge, evidence)
    if folder is None:
        return False
    missing = [each for each in _entries(edge.specifier, folder, evidence) if each not in evidence.graph.paths]
    return bool(missing)


def other_condition(difference: Difference, evidence: Evidence) -> bool:
    """The file is what `exports` or `imports` give under a condition that the authority was not asked for."""
    edge = _unanswered(difference, evidence)
    folder = _package_of(edge, evidence) if edge is not None else None
    return (
        edge is not None
        and folder is not None
        and difference.imported in set(_entries(edge.specifier, folder, evidence))
    )


def builtin_first(difference: Difference, evidence: Evidence) -> bool:
    """The import names a module of Node.js, which no installed package can replace."""
    return difference.side is Side.MISSING and any(
        each.specifier.removeprefix("node:").partition("/")[0] in _BUILTINS for each in _at_line(difference, evidence)
    )


def published_elsewhere(difference: Difference, evidence: Evidence) -> bool:
    """The importer's own manifest asks for another package, or place, under the name of one of the workspace."""
    manifest = next(filter(None, (_manifest(each, evidence) for each in ancestors(difference.importer))), {})
    wanted = {key: each for name in _DEPENDENCIES for key, each in _mapping(manifest.get(name)).items()}
    return any(
        re.match(r"npm:|git|https?:|[\w.-]+/", str(wanted.get(match[0], "")))
        for each in _at_line(difference, evidence)
        if (match := _PACKAGE.match(each.specifier))
    )


def outside_target(difference: Difference, evidence: Evidence) -> bool:
    """The first target of `#a` is a package that is not in the repository; the authority goes on to the next."""
    folder = next((each for each in ancestors(difference.importer) if _manifest(each, evidence)), None)
    for each in _at_line(difference, evidence):
        if each.specifier.startswith("#") and folder is not None:
            target = next(_leaves(_mapping(_manifest(folder, evidence).get("imports")).get(each.specifier)), ".")
            return not target.startswith((".", "#"))
    return False


def option_unknown(difference: Difference, evidence: Evidence) -> bool:
    """The nearest configuration is a jsconfig.json, or sets what oxc-resolver does not read from one."""
    for folder in ancestors(difference.importer):
        for name in ("tsconfig.json", "jsconfig.json"):
            path = f"{folder}/{name}".lstrip("/")
            if path in evidence.graph.paths:
                options = _mapping(_json(path, evidence).get("compilerOptions"))
                old = str(options.get("moduleResolution", "")).lower() in ("node", "node10", "classic")
                return name == "jsconfig.json" or old or bool({"moduleSuffixes", "customConditions"} & options.keys())
    return False


def source_written(difference: Difference, evidence: Evidence) -> bool:
    """The specifier ends like a TypeScript source, in whose place stands another source or its declaration."""
    edge = _unanswered(difference, evidence)
    place = join(parent(difference.importer), edge.specifier) if edge is not None else None
    found = re.fullmatch(r"(.+)(\.[cm]?tsx?)", place or "")
    return found is not None and difference.imported.startswith(f"{found[1]}.") and difference.imported != place


def not_owned(difference: Difference, evidence: Evidence) -> bool:
    """An alias of the nearest tsconfig.json, which lists other files than the importer."""
    edge = _unanswered(difference, evidence)
    above = (_json(f"{each}/tsconfig.json".lstrip("/"), evidence) for each in ancestors(difference.importer))
    nearest = next(filter(None, above), {})
    return edge is not None and not edge.specifier.startswith(".") and bool({"include", "files"} & nearest.keys())


def not_scanned(difference: Difference, evidence: Evidence) -> bool:
    """The file lies in a node_modules of a plain folder: without git, none of them is scanned."""
    return "node_modules/" in difference.imported and not any("node_modules/" in each for each in evidence.graph.files)


def installed(difference: Difference, evidence: Evidence) -> bool:
    """The authority goes into a checked-in node_modules by way of a link, or without a package.json."""
    del evidence
    return "node_modules/" in difference.imported


def folder_by_paths(difference: Difference, evidence: Evidence) -> bool:
    """`paths` lead to a folder, whose index a bundler and CommonJS take and the ESM of Node.js does not."""
    if difference.side is Side.EXTRA:
        edge = difference.edge
        return edge is not None and _is_index_of(edge) and _has_other_answer(difference, evidence)
    return any(
        each.line == difference.line and _is_index_of(each) for each in evidence.graph.edges_of(difference.importer)
    )


PREDICATES: Mapping[str, Predicate] = {
    each.__name__: each
    for each in (
        query,
        site_root,
        bundler_probing,
        import_map,
        beside_declaration,
        beside_script,
        extension_added,
        unbuilt_output,
        other_condition,
        builtin_first,
        published_elsewhere,
        outside_target,
        option_unknown,
        source_written,
        not_owned,
        not_scanned,
        installed,
        folder_by_paths,
    )
}


def _unanswered(difference: Difference, evidence: Evidence) -> Edge | None:
    """Weft's edge, where the authority finds nothing for its specifier."""
    edge = difference.edge
    return edge if edge is not None and (edge.importer, edge.specifier) in evidence.answers.external else None


def _sites(difference: Difference) -> Iterator[str]:
    for folder in ancestors(difference.importer):
        yield folder
        yield f"{folder}/public"


def _at_line(difference: Difference, evidence: Evidence) -> Iterator[Import]:
    return (each for each in evidence.graph.facts(difference.importer).imports if each.line == difference.line)


def _declares(declaration: str, path: str) -> bool:
    stem, _, suffix = path.rpartition(".")
    kind = {"mjs": "mts", "cjs": "cts"}.get(suffix, "ts")
    return declaration in (f"{stem}.d.{kind}", f"{stem}.d.ts", f"{path}.d.ts", f"{stem}.d.{suffix}.ts")


def _are_one_entry(edge: Edge, declaration: str, evidence: Evidence) -> bool:
    """Whether a package's manifest has both files for the specifier, under different conditions."""
    folder = _package_of(edge, evidence)
    return folder is not None and {edge.imported, declaration} <= set(_entries(edge.specifier, folder, evidence))


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


def _package_of(edge: Edge, evidence: Evidence) -> str | None:
    """The folder of the package that the specifier names, above the imported file (`#a`: above the importer)."""
    if edge.specifier.startswith("#"):
        return next((each for each in ancestors(edge.importer) if _manifest(each, evidence)), None)
    name = _PACKAGE.match(edge.specifier)
    above = (each for each in ancestors(edge.imported) if name and _manifest(each, evidence).get("name") == name[0])
    return next(above, None)


def _entries(specifier: str, folder: str, evidence: Evidence) -> Iterator[str]:
    """Every path that the package's manifest names for the specifier, under whatever condition."""
    manifest = _manifest(folder, evidence)
    if specifier.startswith("#"):
        subpath, table = specifier, _mapping(manifest.get("imports"))
    else:
        name = _PACKAGE.match(specifier)
        subpath = "." + specifier[name.end() :] if name else "."
        exports = manifest.get("exports")
        keyed = isinstance(exports, dict) and all(key.startswith(".") for key in exports)
        table = _mapping(exports) if keyed else {".": exports} if exports is not None else {}
    for key, value in table.items():
        prefix, star, suffix = key.partition("*")
        if key == subpath or (star and subpath.startswith(prefix) and subpath.endswith(suffix)):
            rest = subpath[len(prefix) : len(subpath) - len(suffix)] if star else ""
            yield from filter(None, (join(folder, each.replace("*", rest)) for each in _leaves(value)))
    if subpath == ".":
        fields = [manifest.get(each) for each in ("types", "typings", "main", "module")]
        yield from filter(None, (join(folder, each) for each in fields if isinstance(each, str)))
        # Without an entry, and without an index, the package has an output by convention alone.
        yield f"{folder}/index.js".lstrip("/")
    elif not table and not specifier.startswith("#"):
        yield join(folder, subpath) or folder


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)


def _deno_members(manifest: Mapping[str, Any], folder: str, evidence: Evidence) -> Iterator[str]:
    for member in manifest.get("workspace") or ():
        place = join(folder, member) if isinstance(member, str) else None
        named = _json(f"{place}/deno.json", evidence).get("name") if place is not None else None
        if isinstance(named, str):
            yield named


def _is_folder(path: str, evidence: Evidence) -> bool:
    return not path or any(each.startswith(f"{path}/") for each in evidence.graph.paths)


def _manifest(folder: str, evidence: Evidence) -> Mapping[str, Any]:
    return _json(f"{folder}/package.json".lstrip("/"), evidence)


def _json(path: str, evidence: Evidence) -> Mapping[str, Any]:
    if path not in evidence.graph.paths:
        return {}
    try:
        return _mapping(pyjson5.decode(evidence.graph.source(path).decode("utf-8-sig", "replace")))
    except (ValueError, pyjson5.Json5Exception):
        return {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
