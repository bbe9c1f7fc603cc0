"""Somebody who reads the published graph over and over, in a process of its own, and says what was seen.

It reads as people do: the whole graph of one run, the edges of whatever is published at the moment, and by SQL.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg

from chaos.corpus import PROJECT
from chaos.graphs import Graph, digest, read_graph
from weft_storage.backends import open_store
from weft_storage.model.errors import StoreUnavailable

_PAUSE = 0.15

_EDGES = """
SELECT importer, imported, kind, line, specifier, names FROM weft.weft_edges WHERE project = %s
"""

_TESTS = Path(__file__).parent.parent


class Look(msgspec.Struct, frozen=True):
    """What was read at one moment: the run that was the published one and its graph, and digests of edges."""

    run_id: int
    whole: Graph
    edges: str
    rows: str


class Reader:
    """The process, from when this is made until `end` or `close`."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "chaos.reader", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(_TESTS), os.environ.get("PYTHONPATH", "")))},
        )

    def end(self) -> list[Look]:
        """All that was seen, different looks only; the last one was taken after this was called."""
        printed, _ = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, "the reader met what nobody foresaw"
        return [msgspec.json.decode(line, type=Look) for line in printed.splitlines()]

    def close(self) -> None:
        """End it by force; idempotent."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def main(url: str) -> None:
    """Look until standard input is closed, and once more; whatever differs from the last look is said."""
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    last: Look | None = None
    looks = _looks(url, ended)
    for look in looks:
        if look != last:
            sys.stdout.write(msgspec.json.encode(look).decode() + "\n")
            sys.stdout.flush()
        last = look


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def _looks(url: str, ended: threading.Event) -> Iterator[Look]:
    """Looks, as long as they are wanted; one more when they are not. A store that is away is waited for."""
    while True:
        try:
            with open_store(url, create=False) as store, psycopg.connect(url, autocommit=True) as connection:
                while True:
                    is_last = ended.wait(_PAUSE)
                    run = store.published(PROJECT)
                    assert run is not None
                    rows = connection.execute(_EDGES, (PROJECT,)).fetchall()
                    yield Look(run.id, read_graph(store, run), digest(store.edges(PROJECT)), digest(sorted(rows)))
                    if is_last:
                        return
        except (StoreUnavailable, psycopg.Error):
            time.sleep(_PAUSE)


if __name__ == "__main__":
    main(sys.argv[1])
