"""Specifiers: what sort of thing a specifier names, from its text alone."""

import re

from weft_tasks.resolve.typescript.builtins import NODE_MODULES

# The longest path that an operating system takes; nothing longer names a file.
MAX_LENGTH = 4096

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_REGISTRY = re.compile(r"(?:npm|jsr):/?((?:@[^/@]+/)?[^/@]+)")
_JSR = re.compile(r"jsr:/?((?:@[^/@]+/)?[^/@]+)(?:@[^/]*)?(/.*)?")
_HOST = re.compile(r"[a-z]+://[^/]+")
_PACKAGE = re.compile(r"(?:@[^/:@\s]+/)?[^/:@\s.][^/:@\s]*")


def stripped(specifier: str) -> str:
    """The specifier without a bundler's loaders (`raw-loader!./a`) and query (`./a.svg?raw`)."""
    path = specifier.rpartition("!")[2] or specifier
    return path.partition("?")[0] or path


def is_relative(specifier: str) -> bool:
    """Whether it begins at the importer's folder."""
    return specifier in (".", "..") or specifier.startswith(("./", "../"))


def is_url(specifier: str) -> bool:
    """Whether it begins with a scheme (`node:fs`, `npm:react`, `virtual:x`, `https://…`)."""
    return _SCHEME.match(specifier) is not None or specifier.startswith("//")


def is_builtin(specifier: str) -> bool:
    """Whether Node.js itself provides the module."""
    return specifier.startswith("node:") or specifier in NODE_MODULES


def split_package(specifier: str) -> tuple[str, str]:
    """The package that a bare specifier names, and the subpath in it (`.` or `./…`); ("", ".") where it names none."""
    match = _PACKAGE.match(specifier)
    if match is None or specifier[match.end() : match.end() + 1] not in ("", "/"):
        return "", "."
    rest = specifier[match.end() :]
    return match[0], f".{rest}" if len(rest) > 1 else "."


def types_package(name: str) -> str:
    """The package that holds the types of another: `@types/a__b` those of `@a/b`."""
    return f"@types/{name.removeprefix('@').replace('/', '__')}"


def of_jsr(specifier: str) -> str:
    """`jsr:@a/b@1/sub` as a bare specifier (`@a/b/sub`); any other specifier as it is."""
    match = _JSR.fullmatch(specifier)
    return f"{match[1]}{match[2] or ''}" if match is not None else specifier


def outside_name(specifier: str) -> str:
    """The name under which something outside the repository is known: a package, `node:fs`, a host, else the text."""
    if is_builtin(specifier):
        return "node:" + specifier.removeprefix("node:").partition("/")[0]
    for pattern in (_REGISTRY, _HOST):
        match = pattern.match(specifier)
        if match is not None:
            return match[1] if match.lastindex else match[0]
    return split_package(specifier)[0] or specifier


def package_in_node_modules(path: str) -> str | None:
    """The package that a path leads into by way of a node_modules folder; None where there is none on it."""
    _, folder, rest = f"/{path}".rpartition("/node_modules/")
    return (split_package(rest)[0] or rest) if folder else None
