"""go.mod and go.work: their text -> modules, requirements, replacements, uses. Knows no other file.

The grammar is that of golang.org/x/mod/modfile; the Go Modules Reference describes it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MODULE_VERBS = frozenset(
    {"module", "go", "toolchain", "godebug", "require", "exclude", "replace", "retract", "tool", "ignore"}
)
WORKSPACE_VERBS = frozenset({"go", "toolchain", "godebug", "use", "replace"})

# As in modfile, a word ends where a comment begins, even without a space before it.
_TOKEN = re.compile(
    r"""[ \t\r\f\v]*+(?:
        (?P<comment>//.*+)
      | (?P<quoted>"(?:[^"\\]|\\.)*+")
      | `(?P<raw>[^`]*+)`
      | (?P<mark>[()\[\]{},])
      | (?P<word>(?:(?!//)[^\s()\[\]{},"`])(?:(?!//)[^\s()\[\]{},])*+)
    )""",
    re.X,
)
_ESCAPE = re.compile(r"\\(.)")
_GO_VERSION = re.compile(r"(\d{1,4})(?:\.(\d{1,4}))?")


@dataclass(frozen=True, slots=True)
class Replacement:
    """`replace path [version] => target`. A target is a folder (`local`) or another module's path."""

    path: str
    version: str
    target: str
    local: bool
    line: int


@dataclass(slots=True)
class ModuleFile:
    """What a go.mod or go.work says. `problems` name lines; what could be read is here all the same.

    `module` is empty where there is none. `requires` has the version per module path. `uses` are (folder, line).
    `go` is the version of the language as (major, minor); (0, 0) where it is not said.
    """

    module: str = ""
    go: tuple[int, int] = (0, 0)
    requires: dict[str, str] = field(default_factory=dict)
    replacements: list[Replacement] = field(default_factory=list)
    uses: list[tuple[str, int]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def parse_module(source: bytes) -> ModuleFile:
    """Read a go.mod."""
    found = _parse(source, MODULE_VERBS)
    # An empty go.mod is no mistake: it keeps a folder out of the module around it.
    if not found.module and source.strip():
        found.problems.append("no module directive")
    return found


def parse_workspace(source: bytes) -> ModuleFile:
    """Read a go.work."""
    return _parse(source, WORKSPACE_VERBS)


def _parse(source: bytes, verbs: frozenset[str]) -> ModuleFile:
    found = ModuleFile()
    for line, words, problem in _statements(source.decode("utf-8-sig", "replace")):
        if not problem:
            problem = _keep(found, line, words) if words[0] in verbs else f"unknown directive {words[0]!r}"
        if problem:
            found.problems.append(f"line {line}: {problem}")
    return found


def _statements(text: str) -> Iterator[tuple[int, list[str], str]]:
    """(line, words, problem) per statement; in a block, its verb comes before each line's own words."""
    verb, opened = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
        words, problem = _words(line)
        if problem:
            yield number, words, problem
        elif not words:
            continue
        elif verb and words == [")"]:
            verb = ""
        elif verb:
            yield number, [verb, *words], ""
        elif len(words) == 2 and words[1] == "(":
            verb, opened = words[0], number
        elif not (len(words) == 3 and words[1:] == ["(", ")"]):
            yield number, words, ""
    if verb:
        yield opened, [], f"the block of {verb!r} is not closed"


def _words(line: str) -> tuple[list[str], str]:
    """The words of a line, unquoted, without its comment; and what is wrong with it."""
    words: list[str] = []
    position, line = 0, line.rstrip()
    while position < len(line):
        token = _TOKEN.match(line, position)
        if token is None:
            return words, "unexpected text or unclosed string"
        if token["comment"] is not None:
            break
        quoted = token["quoted"]
        words.append(_ESCAPE.sub(r"\1", quoted[1:-1]) if quoted else token[token.lastgroup or 0])
        position = token.end()
    return words, ""


def _keep(found: ModuleFile, line: int, words: list[str]) -> str:
    """Take one statement into the result, or say what is wrong with it."""
    match words:
        case ["module", path]:
            if found.module:
                return "a second module directive"
            found.module = path
        case ["go", version] if number := _GO_VERSION.match(version):
            found.go = int(number[1]), int(number[2] or 0)
        case ["require", path, version]:
            found.requires[path] = version
        case ["replace", path, "=>", target]:
            found.replacements.append(Replacement(path, "", target, _is_folder(target), line))
        case ["replace", path, version, "=>", target]:
            found.replacements.append(Replacement(path, version, target, _is_folder(target), line))
        case ["replace", path, "=>", target, _]:
            found.replacements.append(Replacement(path, "", target, False, line))
        case ["replace", path, version, "=>", target, _]:
            found.replacements.append(Replacement(path, version, target, False, line))
        case ["use", folder]:
            found.uses.append((folder, line))
        case ["module" | "require" | "replace" | "use", *_]:
            return f"malformed {words[0]!r} directive"
    return ""


def _is_folder(target: str) -> bool:
    return target in (".", "..") or target.startswith(("./", "../", "/"))
