"""A program that reads the published graph over and over, and says what it saw: one JSON line per different look.

It reads as people do: the whole graph of one run, the edges of whatever is published at the moment, and by SQL.
"""

import sys
import threading
import time
from collections.abc import Iterator

import msgspec
import psycopg

from chaos.corpus import PROJECT
from chaos.graphs import Graph, digest, read_graph
from weft_storage.backends import Store, open_store
from weft_storage.model.errors import StoreUnavailable

_PAUSE = 0.15

_EDGES = """
SELECT importer, imported, kind, line, specifier, names FROM weft.weft_edges WHERE project = %s
"""


class Look(msgspec.Struct, frozen=True):
    """What was read at one moment: the run that was the published one and its graph, and digests of edges."""

    run_id: int
    whole: Graph
    edges: str
    rows: str


def main(url: str) -> None:
    """Look until standard input is closed; in the end a line says how often it was, and how often in vain."""
    ended = threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    seen: set[Look] = set()
    looks = failures = 0
    while not ended.is_set():
        try:
            for look in _looks(url, ended):
                looks += 1
                if look not in seen:
                    seen.add(look)
                    _say(look)
        except (StoreUnavailable, psycopg.Error):
            failures += 1
            time.sleep(_PAUSE)
    _say({"looks": looks, "failures": failures})


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def _looks(url: str, ended: threading.Event) -> Iterator[Look]:
    with open_store(url, create=False) as store, psycopg.connect(url, autocommit=True) as connection:
        while not ended.wait(_PAUSE):
            yield _look(store, connection)


def _look(store: Store, connection: psycopg.Connection[tuple[object, ...]]) -> Look:
    run = store.published(PROJECT)
    assert run is not None
    whole = read_graph(store, run)
    edges = digest(store.edges(PROJECT))
    rows = digest(sorted(connection.execute(_EDGES, (PROJECT,)).fetchall()))
    return Look(run.id, whole, edges, rows)


def _say(thing: object) -> None:
    sys.stdout.write(msgspec.json.encode(thing).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
