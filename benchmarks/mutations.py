"""Does the affected set miss a test? Breaks functions of a Python project with tests, one at a time, and looks.

    .venv/bin/python benchmarks/mutations.py /path/to/clone --python /path/to/venv/bin/python --source src

The clone must be clean and its tests must pass with `PYTHON -m pytest`. Each mutant makes one function raise; every
test that fails then must be affected at file level, and its function at symbol level. The clone's files are changed and
restored. Exits 1 if a test was missed.
"""

import argparse
import ast
import json
import os
import random
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

WEFT = [sys.executable, "-m", "weft"]


@dataclass(frozen=True)
class Mutant:
    """A function that is made to raise: its file and the line before which it does."""

    path: Path
    name: str
    line: int
    column: int


def mutants(source: Path) -> list[Mutant]:
    """Every function with a body of its own lines."""
    found = []
    for path in sorted(source.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.body[0].lineno > node.lineno:
                first = node.body[0]
                found.append(Mutant(path, node.name, first.lineno, first.col_offset))
    return found


def failing(python: str, clone: Path, tests: list[str]) -> set[tuple[str, str]]:
    """(file, top-level test or class) of the tests that fail; files alone that cannot even be collected."""
    command = [python, "-m", "pytest", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider", *tests]
    printed = subprocess.run(command, cwd=clone, capture_output=True, text=True, timeout=900).stdout
    found = set()
    for line in printed.splitlines():
        if match := re.match(r"(?:FAILED|ERROR) (\S+?\.py)(?:::(\w+))?", line):
            found.add((match[1], match[2] or ""))
    return found


def affected(clone: Path, *options: str) -> dict[str, list[str] | None]:
    """The affected files of the work tree against HEAD, with their declarations where asked for."""
    command = [*WEFT, "affected", "--since", "HEAD", "--format", "json", *options]
    printed = subprocess.run(command, cwd=clone, capture_output=True, check=True).stdout
    return {each["path"]: each["symbols"] for each in json.loads(printed)["files"]}


def missed(tests: set[tuple[str, str]], units: dict[str, list[str] | None]) -> list[str]:
    """Failing tests that a result does not hold. A file that cannot be loaded fails with any of its tests."""
    return [f"{path}::{name}" for path, name in sorted(tests) if not _holds(units, path, name)]


def _holds(units: dict[str, list[str] | None], path: str, name: str) -> bool:
    symbols = units.get(path, [])
    return symbols is None or bool({"*", "", name} & set(symbols) if name else symbols)


def main() -> None:
    """Break one function after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", type=Path)
    parser.add_argument("--python", required=True)
    parser.add_argument("--source", default="src")
    parser.add_argument("--tests", nargs="*", default=[])
    parser.add_argument("--mutants", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    clone: Path = arguments.clone.resolve()
    os.environ["WEFT_STORE"] = f"sqlite:///{clone}/.git/weft.db"
    subprocess.run([*WEFT, "scan", "-q"], cwd=clone, check=True, stdout=subprocess.DEVNULL)
    before = failing(arguments.python, clone, arguments.tests)
    chosen = mutants(clone / arguments.source)
    random.Random(arguments.seed).shuffle(chosen)
    totals = {"failed": 0, "missed by files": 0, "missed by symbols": 0}
    sizes = []
    for mutant in chosen[: arguments.mutants]:
        text = mutant.path.read_text()
        lines = text.splitlines(keepends=True)
        lines.insert(mutant.line - 1, " " * mutant.column + 'raise RuntimeError("mutant")\n')
        mutant.path.write_text("".join(lines))
        try:
            failed = failing(arguments.python, clone, arguments.tests) - before
            files, symbols = affected(clone), affected(clone, "--symbols")
        finally:
            mutant.path.write_text(text)
        by_files, by_symbols = missed(failed, files), missed(failed, symbols)
        totals["failed"] += len(failed)
        totals["missed by files"] += len(by_files)
        totals["missed by symbols"] += len(by_symbols)
        sizes.append((len(files), len(symbols)))
        where = f"{mutant.path.relative_to(clone)}:{mutant.line} {mutant.name}"
        print(f"{where}: {len(failed)} failed; {len(files)} files, {len(symbols)} by symbols", flush=True)
        for each in by_files:
            print(f"    missed by files: {each}")
        for each in by_symbols:
            print(f"    missed by symbols: {each}")
    print(", ".join(f"{name}: {number}" for name, number in totals.items()))
    print(f"affected files: {sum(a for a, _ in sizes)} by files, {sum(b for _, b in sizes)} by symbols")
    sys.exit(1 if totals["missed by files"] or totals["missed by symbols"] else 0)


if __name__ == "__main__":
    main()
