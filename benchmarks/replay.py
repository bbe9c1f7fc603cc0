"""Replays commits of any repository into one kept store with `--rev`, and compares each graph with one from nothing.

    .venv/bin/python benchmarks/replay.py /path/to/repository --commits 50

Exits 1 if any graph differs. The repository is only read, and may be bare.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile

WEFT = [sys.executable, "-m", "weft"]


def scan(repository: str, store: str, rev: str) -> dict[str, object]:
    """Scan a commit into a store; the document of the scan."""
    command = [*WEFT, "scan", repository, "--rev", rev, "--store", store, "--project", "p", "--format", "json", "-q"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr.decode())
    return json.loads(done.stdout)


def edges(store: str) -> bytes:
    """The exported graph of a store and what it leaves unresolved."""
    graph = [*WEFT, "export", "--format", "jsonl", "--store", store]
    outside = [*WEFT, "unresolved", "--format", "jsonl", "--store", store]
    return b"".join(subprocess.run(each, capture_output=True, check=True).stdout for each in (graph, outside))


def main() -> None:
    """Replay the commits, oldest first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository")
    parser.add_argument("--commits", type=int, default=50)
    arguments = parser.parse_args()
    listed = [
        "git",
        "-C",
        arguments.repository,
        "rev-list",
        "--first-parent",
        f"--max-count={arguments.commits}",
        "HEAD",
    ]
    commits = subprocess.run(listed, capture_output=True, check=True, text=True).stdout.split()[::-1]
    differing, extracted, affected = [], [], []
    with tempfile.TemporaryDirectory(prefix="weft-replay-") as folder:
        for number, commit in enumerate(commits):
            kept, fresh = f"{folder}/kept.db", f"{folder}/fresh-{number}.db"
            run = scan(arguments.repository, kept, commit)
            scan(arguments.repository, fresh, commit)
            if edges(kept) != edges(fresh):
                differing.append(commit)
            if number:
                extracted.append(run["counts"]["analyzed"])
                affected.append(run["affected"])
    print(
        f"{len(commits)} commits, {len(differing)} graphs differ {differing}; per commit after the first: "
        f"extracted median {statistics.median(extracted):g}, most {max(extracted)}; "
        f"affected median {statistics.median(affected):g}, most {max(affected)}"
    )
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
