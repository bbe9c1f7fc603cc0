"""Case files: reads the Markdown of `tests/cases` into steps. Knows nothing of the analyzer."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent / "cases"

_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=fence)\s*$", re.M | re.S)
_EDGE = re.compile(
    r"^(?P<importer>\S+) -> (?P<imported>\S+)(?: (?P<kind>[a-z]+))?(?: \((?P<names>[^)]*)\))?(?: @(?P<line>\d+))?$"
)


@dataclass(frozen=True)
class ExpectedEdge:
    """An edge that a case expects; `names` and `line` are None where the case does not say."""

    importer: str
    imported: str
    kind: str
    names: tuple[str, ...] | None
    line: int | None


@dataclass
class Step:
    """The repository after one edit, and what must hold then."""

    files: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    edges: list[ExpectedEdge] | None = None
    unresolved: list[str] = field(default_factory=list)
    external: list[str] | None = None
    ambiguous: list[str] = field(default_factory=list)
    problems: list[str] | None = None


@dataclass
class Case:
    """One case file."""

    path: Path
    settings: dict[str, Any]
    steps: list[Step]


def all_cases() -> list[Path]:
    """Every case file, sorted."""
    return sorted(path for path in CASES.rglob("*.md") if path.name != "README.md")


def read_case(path: Path) -> Case:
    """The steps of a case file. Raises ValueError on a block or line that it does not understand."""
    case = Case(path, {}, [Step()])
    for match in _FENCE.finditer(path.read_text(encoding="utf-8")):
        info, body = match["info"].strip(), match["body"]
        lines = [line.strip() for line in body.splitlines() if line.strip()]
        step = case.steps[-1]
        match info.split(maxsplit=1):
            case ["edges"]:
                step.edges = [_edge(line, path) for line in lines]
            case ["unresolved"]:
                step.unresolved = lines
            case ["external"]:
                step.external = lines
            case ["ambiguous"]:
                step.ambiguous = lines
            case ["problems"]:
                step.problems = lines
            case ["settings"]:
                case.settings = tomllib.loads(body)
            case ["edit"]:
                case.steps.append(_edited(step, lines, path))
            case [_, name]:
                step.files[name] = body
            case _:
                raise ValueError(f"{path}: a block without a meaning: {info!r}")
    if any(step.edges is None for step in case.steps):
        raise ValueError(f"{path}: every step needs an edges block")
    return case


def _edge(line: str, path: Path) -> ExpectedEdge:
    match = _EDGE.match(line)
    if match is None:
        raise ValueError(f"{path}: not an edge: {line!r}")
    names = match["names"]
    return ExpectedEdge(
        importer=match["importer"],
        imported=match["imported"],
        kind=match["kind"] or "import",
        names=None if names is None else tuple(sorted(n.strip() for n in names.split(",") if n.strip())),
        line=int(match["line"]) if match["line"] else None,
    )


def _edited(before: Step, lines: list[str], path: Path) -> Step:
    step = Step(files=dict(before.files), links=dict(before.links))
    for line in lines:
        match line.split():
            case ["delete", name]:
                if name in step.links:
                    del step.links[name]
                else:
                    del step.files[name]
            case ["rename", old, new]:
                step.files[new] = step.files.pop(old)
            case ["link", name, target]:
                step.links[name] = target
            case _:
                raise ValueError(f"{path}: not an edit: {line!r}")
    return step
