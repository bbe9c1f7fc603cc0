"""Probing: from a path without certainty to a file that exists, as TypeScript and bundlers do. Knows no specifiers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from weft_tasks.resolve.base import Index

SCRIPTS = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
TYPED = (".ts", ".tsx", ".mts", ".cts")
COMPONENTS = (".vue", ".svelte", ".astro")
CODE = (*SCRIPTS, *COMPONENTS)
_DECLARATIONS = (".d.ts", ".d.mts", ".d.cts")
# The order of the TypeScript compiler; what bundlers add to it comes after what a folder means.
_APPENDED = (".ts", ".tsx", ".d.ts", ".js", ".jsx")
_APPENDED_BY_BUNDLERS = (".mts", ".cts", ".mjs", ".cjs", ".json", *COMPONENTS)
# What may stand in a source file's place when its output is written in an import; and in the place of a source that
# was published as an output.
_WRITTEN_FOR = {
    ".ts": (".ts", ".tsx", ".d.ts", ".js", ".jsx"),
    ".tsx": (".tsx", ".ts", ".d.ts", ".jsx", ".js"),
    ".mts": (".mts", ".d.mts", ".mjs"),
    ".cts": (".cts", ".d.cts", ".cjs"),
    ".js": (".ts", ".tsx", ".d.ts", ".js", ".jsx"),
    ".jsx": (".tsx", ".ts", ".d.ts", ".jsx", ".js"),
    ".mjs": (".mts", ".d.mts", ".mjs"),
    ".cjs": (".cts", ".d.cts", ".cjs"),
}
# An output's source may have any of these suffixes; those that the compiler would turn into the output's come first.
_SOURCES = (*CODE, ".d.ts")
_FIRST_SOURCES = {
    ".js": (".ts", ".tsx", ".js"),
    ".mjs": (".mts", ".mjs"),
    ".cjs": (".cts", ".cjs"),
    ".jsx": (".tsx", ".jsx"),
}
_STYLES = (".css", ".scss", ".sass", ".less", ".styl", ".pcss")


@dataclass(slots=True)
class Probe:
    """A search for one file. `tried` are the paths that were looked for in vain, in order.

    `typed` says that declaration files count, as for the compiler; without it only what runs is looked for.
    """

    index: Index
    typed: bool = True
    suffixes: Sequence[str] = ()
    tried: dict[str, None] = field(default_factory=dict)

    def exact(self, path: str | None) -> str | None:
        """The file of exactly that path (with a module suffix, where the configuration has some)."""
        if not path:
            return None
        for each in _suffixed(path, self.suffixes) if self.suffixes else (path,):
            found = self.index.file(each)
            if found is not None:
                return found
            self.tried[each] = None
        return None

    def written(self, path: str) -> str | None:
        """The file of a path with a suffix: a TypeScript source in the place of its output first."""
        stem, suffix = split_suffix(path)
        for each in _WRITTEN_FOR.get(suffix, (suffix,)):
            found = self.exact(stem + each) if self.typed or each not in _DECLARATIONS else None
            if found is not None:
                return found
        return None

    def file(self, path: str) -> str | None:
        """The file that a path means, its suffix being left out, or written as that of the output."""
        found = self.compiled(path)
        return self.bundled(path) if found is None else found

    def compiled(self, path: str) -> str | None:
        """The file that a path means to the compiler."""
        found = self.written(path) if split_suffix(path)[1] else None
        for each in _APPENDED if found is None else ():
            found = self.exact(path + each) if self.typed or each not in _DECLARATIONS else None
            if found is not None:
                break
        return found

    def bundled(self, path: str) -> str | None:
        """The file that a path means to bundlers and Node.js alone."""
        for each in _APPENDED_BY_BUNDLERS:
            found = self.exact(path + each)
            if found is not None:
                return found
        return None if split_suffix(path)[1] else self.exact(path)

    def indexed(self, folder: str) -> str | None:
        """The index file of a folder."""
        path = f"{folder}/index".lstrip("/")
        if self.index.directory(folder):
            return self.file(path)
        # Nothing lies in the folder: what would be looked for is told without looking.
        self.tried |= {path + each: None for each in (*_APPENDED, *_APPENDED_BY_BUNDLERS)}
        return None

    def source(self, path: str) -> str | None:
        """The source that a build output of that path would be made from."""
        stem, suffix = _split_output(path)
        sources = dict.fromkeys((*_FIRST_SOURCES.get(suffix, ()), *_SOURCES))
        candidates = _STYLES if suffix in _STYLES else tuple(sources)
        for each in candidates if suffix in (*_WRITTEN_FOR, *_STYLES, "") else (suffix,):
            found = self.exact(stem + each)
            if found is not None:
                return found
        return None


def split_suffix(path: str) -> tuple[str, str]:
    """The path and its last suffix (`.d.ts` is one); `./user.service` has `.service`."""
    for each in _DECLARATIONS:
        if path.endswith(each):
            return path[: -len(each)], each
    dot = path.rfind(".")
    return (path[:dot], path[dot:]) if dot > path.rfind("/") + 1 else (path, "")


def is_declaration(path: str) -> bool:
    """Whether a file only declares types: `.d.ts`, or `.d.css.ts` for a file of another kind."""
    return path.endswith(_DECLARATIONS) or (path.endswith(".ts") and ".d." in path[path.rfind("/") + 1 :])


def is_code(path: str) -> bool:
    """Whether a file is read as a program or a component; all others are assets."""
    return path.endswith(CODE)


def _suffixed(path: str, suffixes: Sequence[str]) -> Iterator[str]:
    stem, suffix = split_suffix(path)
    return (stem + each + suffix for each in suffixes)


def _split_output(path: str) -> tuple[str, str]:
    stem, suffix = split_suffix(path)
    return stem, {".d.ts": ".js", ".d.mts": ".mjs", ".d.cts": ".cjs"}.get(suffix, suffix)
