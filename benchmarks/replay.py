"""Replays commits of any repository into a kept store, and compares each graph with one from nothing, byte for byte.

    .venv/bin/python benchmarks/replay.py /path/to/repository --commits 200
    .venv/bin/python benchmarks/replay.py /path/to/repository --commits 50 --store postgresql://... --cold

Commits of the first parents are read with `--rev`, oldest first; the repository may be bare and is only read. What is
compared: exported edges, imports that lead outside, components, coverage, problems and the records of all files.

The graph compared with is made from nothing: every import of every file is resolved anew, into an empty store. Its
facts come from a second cache of facts, where each content is extracted once, by another process than the kept
store's. So the replay proves nothing about the extraction of a content that several commits have beyond its being the
same twice; `--cold` extracts everything anew for every commit, and proves that too.

Exits 1 if any graph differs.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, cast

from msgspec.structs import replace

from weft.configuration import settings_of
from weft.pipeline import Options, analyze
from weft.report.export import export, outside_lines
from weft.verification import differences
from weft_storage.backends import Store, open_store
from weft_storage.model.runs import Run
from weft_storage.model.states import Components
from weft_tasks.finalize.states import load_state

CACHES = ("known_facts", "put_facts", "facts", "quarantined", "quarantine", "blobs", "put_blobs", "cache", "put_cache")


@dataclass(frozen=True)
class Step:
    """One commit: what changed by git's count, what the kept store did about it, and whether the graphs are equal."""

    commit: str
    changed: int
    files: int
    extracted: int
    resolved: int
    affected: int
    seconds: float
    fresh_seconds: float
    differences: tuple[str, ...]


class FreshGraph:
    """An empty store whose caches by content are those of another."""

    def __init__(self, graph: Store, caches: Store) -> None:
        self._graph = graph
        self._caches = caches

    def __getattr__(self, name: str) -> Any:
        return getattr(self._caches if name in CACHES else self._graph, name)


def replay(repository: str, commits: Sequence[str], kept: Store, project: str, *, cold: bool) -> Iterator[Step]:
    """Scan the commits one after the other into the kept store, each also into a fresh one."""
    previous = ""
    with open_store("memory://") as caches:
        for commit in commits:
            run, seconds = scan(repository, commit, kept, project)
            with fresh_store(caches, cold=cold) as fresh:
                _, fresh_seconds = scan(repository, commit, fresh, project)
                found = compare(kept, fresh, project)
            counts = run.counts
            yield Step(
                commit,
                changed_files(repository, previous, commit) if previous else counts["files"],
                counts["files"],
                counts["analyzed"],
                counts["resolved"],
                run.affected,
                seconds,
                fresh_seconds,
                tuple(found),
            )
            previous = commit


@contextmanager
def fresh_store(caches: Store, *, cold: bool) -> Iterator[Store]:
    """A store without any graph, and without facts where it must be cold."""
    with open_store("memory://") as empty:
        yield empty if cold else cast(Store, FreshGraph(empty, caches))


def scan(repository: str, commit: str, store: Store, project: str) -> tuple[Run, float]:
    """Scan a commit; the run and its seconds."""
    began = time.perf_counter()
    options = Options(project, rev=commit, jobs=os.cpu_count() or 1)
    run = analyze(store, repository, settings_of(repository, commit), options)
    return run, time.perf_counter() - began


def compare(kept: Store, fresh: Store, project: str) -> list[str]:
    """In what two graphs differ; nothing where they are equal, byte for byte."""
    if exported(kept, project) == exported(fresh, project):
        return []
    found = [f"{each.kind} {each.what}: {each.detail}" for each in differences(kept, fresh, project)]
    return found or ["the exports differ"]


def exported(store: Store, project: str) -> list[str]:
    """All that a graph says of its repository, as text."""
    run = store.published(project)
    assert run is not None
    files = store.files(project)
    return [
        *export("jsonl", store.edges(project), files=[each.path for each in files], project=project, run=0),
        *outside_lines(store.outside(project)),
        repr([replace(each, oid="") for each in files]),
        repr(load_state(store, project, Components).components),
        repr((sorted(run.coverage.items()), run.problems, run.state, run.edges, run.unresolved, run.components)),
    ]


def changed_files(repository: str, old: str, new: str) -> int:
    """How many files of any kind differ between two commits, by git's count."""
    return len(git(repository, "diff", "--name-only", "--no-renames", "-z", old, new).split("\0")) - 1


def git(repository: str, *arguments: str) -> str:
    """What a git command prints."""
    done = subprocess.run(["git", "-C", repository, *arguments], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "surrogateescape")


def summary(steps: Sequence[Step]) -> dict[str, Any]:
    """The figures of a replay; the first commit, which is a cold scan, is left out of those of work."""
    later = steps[1:]
    changed = sum(step.changed for step in later)
    return {
        "commits": len(steps),
        "differing": [step.commit for step in steps if step.differences],
        "files": steps[-1].files,
        "changed": spread([step.changed for step in later]),
        "extracted": spread([step.extracted for step in later]),
        "resolved": spread([step.resolved for step in later]),
        "affected": spread([step.affected for step in later]),
        "extracted per file changed": round(sum(step.extracted for step in later) / changed, 3),
        "resolved per file changed": round(sum(step.resolved for step in later) / changed, 3),
        "resolved per file of the repository": round(
            sum(step.resolved for step in later) / sum(step.files for step in later), 5
        ),
        "seconds": spread([step.seconds for step in later]),
        "seconds from nothing": spread([step.fresh_seconds for step in later]),
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile (nearest rank) and maximum."""
    ordered = sorted(values)
    p95 = ordered[math.ceil(len(ordered) * 0.95) - 1]
    return {"median": round(statistics.median(ordered), 3), "p95": round(p95, 3), "max": round(ordered[-1], 3)}


def main() -> None:
    """Replay what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository")
    parser.add_argument("--commits", type=int, default=200, help="How many, before --until.")
    parser.add_argument("--until", default="HEAD", metavar="REV", help="The last of them.")
    parser.add_argument("--store", metavar="URL", help="The kept store; default: a SQLite file.")
    parser.add_argument("--cold", action="store_true", help="Extract everything anew for every commit.")
    parser.add_argument("--steps", metavar="FILE", help="Write a line of JSON for every commit.")
    arguments = parser.parse_args()
    listed = ["rev-list", "--first-parent", f"--max-count={arguments.commits}", arguments.until]
    commits = git(arguments.repository, *listed).split()[::-1]
    steps: list[Step] = []
    with tempfile.TemporaryDirectory(prefix="weft-replay-") as folder:
        with open_store(arguments.store or f"sqlite:///{folder}/kept.db") as kept:
            project = f"replay-{os.path.basename(os.path.abspath(arguments.repository))}-{os.getpid()}"
            for step in replay(arguments.repository, commits, kept, project, cold=arguments.cold):
                steps.append(step)
                if step.differences:
                    print(f"{step.commit} differs:", *step.differences[:20], sep="\n    ", flush=True)
        if arguments.steps:
            with open(arguments.steps, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(asdict(step)) + "\n" for step in steps)
    print(json.dumps(summary(steps), indent=2))
    sys.exit(1 if any(step.differences for step in steps) else 0)


if __name__ == "__main__":
    main()
