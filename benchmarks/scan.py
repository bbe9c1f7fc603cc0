"""Times of `weft scan` on any repository: cold, without changes, after one edit; and the floors beside them.

    .venv/bin/python benchmarks/scan.py /path/to/repository [...]

The repository is cloned into a temporary folder and never changed. Every command is a whole process: wall seconds, CPU
seconds of its whole process tree, and the peak memory of its largest process, the median of several runs.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WEFT = [sys.executable, "-m", "weft"]
# A file is edited by adding a line to it: an ordinary edit, without a change of its imports.
COMMENT = {".py": "# edited\n", ".go": "// edited\n", ".rs": "// edited\n"}


def measure(command: list[str], folder: Path) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak MiB of a command and all its children."""
    began = time.perf_counter()
    done = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(done.pid, 0)
    wall = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) not in (0, 3):
        raise SystemExit(f"{command} failed in {folder}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def median(results: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    """The median of each figure."""
    wall, cpu, peak = (statistics.median(column) for column in zip(*results, strict=True))
    return wall, cpu, peak


def cold(folder: Path) -> tuple[float, float, float]:
    """A scan into an empty store."""
    shutil.rmtree(folder / ".weft", ignore_errors=True)
    return measure([*WEFT, "scan", "-q"], folder)


def edited(folder: Path, number: int) -> tuple[float, float, float]:
    """A scan after one line was added to one file."""
    files = [path for path in report(folder, "export", "--format", "json")["files"] if Path(path).suffix in COMMENT]
    files = files or [path for path in report(folder, "export", "--format", "json")["files"] if path.endswith("ts")]
    path = folder / files[number * 7919 % len(files)]
    with path.open("a") as file:
        file.write(COMMENT.get(path.suffix, "// edited\n"))
    return measure([*WEFT, "scan", "-q"], folder)


def report(folder: Path, *command: str) -> dict[str, object]:
    """The document of a command."""
    return json.loads(subprocess.run([*WEFT, *command], cwd=folder, capture_output=True, check=True).stdout)


def bench(repository: str, runs: int) -> None:
    """Print the figures of one repository."""
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as temporary:
        folder = Path(temporary) / Path(repository).resolve().name
        subprocess.run(["git", "clone", "--quiet", repository, str(folder)], check=True)
        rows = {"cold": median([cold(folder) for _ in range(runs)])}
        rows["no change"] = median([measure([*WEFT, "scan", "-q"], folder) for _ in range(runs)])
        rows["one edit"] = median([edited(folder, number) for number in range(runs)])
        rows["git status"] = median([measure(["git", "status"], folder) for _ in range(runs)])
        status = report(folder, "status", "--format", "json")
        verified = subprocess.run([*WEFT, "verify", "-q"], cwd=folder, capture_output=True, check=False).returncode
        print(f"\n{repository} at {status['revision'][:12]}")
        print(
            f"files {status['counts']['files']}, edges {status['edges']}, unresolved {status['unresolved']}, "
            f"cyclic components {status['components']}, verify {'equal' if verified == 0 else 'NOT EQUAL'}"
        )
        print(f"{'':12} {'wall s':>8} {'CPU s':>8} {'peak MiB':>9}")
        for name, (wall, cpu, peak) in rows.items():
            print(f"{name:12} {wall:8.2f} {cpu:8.2f} {peak:9.0f}")


def main() -> None:
    """Bench every repository that is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="+")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    for repository in arguments.repositories:
        bench(repository, arguments.runs)


if __name__ == "__main__":
    main()
