"""How much smaller the affected set is at symbol level: real commits of any repository, each against its parent.

    .venv/bin/python benchmarks/precision.py /path/to/repository --commits 100

Prints per commit the changed files, the files affected at file level and at symbol level, and the units; then sums and
medians. The repository is only read, and may be bare.
"""

import argparse
import os
import statistics
import subprocess
import time
from collections.abc import Callable

from weft.configuration import settings_of
from weft.pipeline import Options, analyze
from weft.queries import GraphView
from weft.queries.affected import Change, last_change
from weft.queries.symbol_level import affected_units
from weft_storage.backends import open_store
from weft_tasks.symbols import ALL

PROJECT = "p"


def reader(repository: str, rev: str) -> Callable[[str], bytes | None]:
    """Contents of a commit's files."""

    def read(path: str) -> bytes | None:
        shown = subprocess.run(["git", "-C", repository, "cat-file", "blob", f"{rev}:{path}"], capture_output=True)
        return shown.stdout if shown.returncode == 0 else None

    return read


def commits(repository: str, number: int) -> list[str]:
    """The last commits of the first parents' line, oldest first."""
    command = ["git", "-C", repository, "rev-list", "--first-parent", f"--max-count={number + 1}", "HEAD"]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.split()[::-1]


def main() -> None:
    """Compare both levels over the commits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository")
    parser.add_argument("--commits", type=int, default=100)
    arguments = parser.parse_args()
    rows, seconds = [], []
    revisions = commits(arguments.repository, arguments.commits)
    with open_store("memory://") as store:
        for number, rev in enumerate(revisions):
            settings = settings_of(arguments.repository, rev)
            analyze(store, arguments.repository, settings, Options(PROJECT, rev=rev, jobs=os.cpu_count() or 1))
            if number == 0:
                continue
            change = last_change(GraphView(store, PROJECT))
            began = time.perf_counter()
            before, now = (reader(arguments.repository, each) for each in (revisions[number - 1], rev))
            units = affected_units(change, before, now)
            seconds.append(time.perf_counter() - began)
            rows.append(_row(rev, change, units))
    _say(rows, seconds)


Row = tuple[str, int, int, int, int, int]


def _row(rev: str, change: Change, units: dict[str, set[str]]) -> Row:
    changed = sum(1 for file in change.affected.files if file.change)
    whole = sum(ALL in names for names in units.values())
    return rev[:10], changed, len(change.affected.files), len(units), whole, sum(map(len, units.values()))


def _say(rows: list[Row], seconds: list[float]) -> None:
    print("commit      changed  files  files by symbols  of these whole  units")
    for rev, *numbers in rows:
        print(f"{rev}  {numbers[0]:7}  {numbers[1]:5}  {numbers[2]:16}  {numbers[3]:14}  {numbers[4]:5}")
    several = [row for row in rows if row[2] > 1]
    files, symbols = sum(row[2] for row in several), sum(row[3] for row in several)
    ratios = [row[3] / row[2] for row in several]
    print(f"{len(several)} of {len(rows)} commits affect more than one file: {files} files, {symbols} by symbols")
    if ratios:
        print(f"in the median {statistics.median(ratios):.0%} of the files; {statistics.median(seconds):.2f} s each")


if __name__ == "__main__":
    main()
