"""Stores that processes share: what any store on disk or a server must do, and helpers to start and kill processes."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from functools import cache

import pytest

from store_samples import Graph, check, facts, publish, record, row
from weft_storage.backends import Store, open_store
from weft_storage.model.errors import StoreBusy, StoreUnavailable
from weft_storage.model.files import FileRecord
from weft_storage.model.runs import Run, RunState

_HOLD = """
    import os, sys, time
    from weft_storage.backends import open_store
    with open_store(sys.argv[1]) as store, store.lock("p", timeout=0):
        child = os.fork() if sys.argv[2] == "fork" else 0
        if not sys.argv[2] or child:
            print(child, flush=True)
        time.sleep(60)
"""

_PUBLISH_FOREVER = """
    import sys
    sys.path[:0] = sys.argv[2:]
    from store_processes import publish_alternately
    publish_alternately(sys.argv[1])
"""


class StoreProcesses:
    """Inherit it and give the URL of a store that is not there yet.

    `lock_seconds` is how long the lock of a killed process may outlive it.
    """

    lock_seconds = 0.1

    @pytest.fixture
    def store_url(self) -> str:
        raise NotImplementedError

    def test_opening_and_reading_need_no_numpy(self, store_url: str) -> None:
        with open_store(store_url) as store:
            publish(store, files=[record("a")], rows=[row("a", "b")])
        script = """
            import sys
            from weft_storage.backends import open_store
            with open_store(sys.argv[1], create=False) as store:
                assert store.published("p") and store.files("p") and list(store.edges("p"))
            assert "numpy" not in sys.modules
        """
        with python(script, store_url) as child:
            assert child.wait() == 0

    def test_many_processes_may_make_one_store(self, store_url: str) -> None:
        script = """
            import sys
            from weft_storage.backends import open_store
            with open_store(sys.argv[1]) as store:
                store.put_cache(sys.argv[2], b"x")
        """
        children = [python(script, store_url, str(number)) for number in range(6)]
        for child in children:
            with child:
                assert child.wait() == 0
        with open_store(store_url, create=False) as store:
            assert all(store.cache(str(number)) for number in range(6))

    def test_a_lock_names_the_process_that_holds_it(self, store_url: str) -> None:
        child = python(_HOLD, store_url, "")
        assert child.stdout
        child.stdout.readline()
        with open_store(store_url) as store:
            with pytest.raises(StoreBusy, match=f"project 'p': is being scanned by pid {child.pid} on host .* since 2"):
                store.lock("p", timeout=0.1).__enter__()
            child.kill()
            child.wait()
            with store.lock("p", timeout=self.lock_seconds):
                pass
        child.stdout.close()

    def test_a_killed_process_lets_go_though_its_forked_children_live(self, store_url: str) -> None:
        child = python(_HOLD, store_url, "fork")
        assert child.stdout
        grandchild = int(child.stdout.readline())
        try:
            child.kill()
            child.wait()
            os.kill(grandchild, 0)
            with open_store(store_url) as store, store.lock("p", timeout=5):
                pass
        finally:
            os.kill(grandchild, signal.SIGKILL)
            child.stdout.close()

    def test_readers_see_the_published_graph_while_another_is_written(self, store_url: str) -> None:
        before = Graph({"a": record("a")}, {"a": row("a", "b")}, {"s": b"1"})
        with open_store(store_url) as writer, open_store(store_url, create=False) as reader:
            publish(writer, files=before.files.values(), rows=before.rows.values(), states=before.states)
            checked = []

            def slowly() -> Iterator[FileRecord]:
                for number in range(20_000):
                    yield record(f"f{number}")
                    if number % 5000 == 0:
                        check(reader, "p", before)
                        checked.append(number)

            publish(writer, files=slowly(), removed_rows=["a"], states={"s": b"2"})
            assert len(checked) == 4
            assert len(reader.files("p")) == 20_001

    def test_edges_that_are_being_read_do_not_change(self, store_url: str) -> None:
        first = Graph(rows={f"f{number}": row(f"f{number}", "x", "y") for number in range(100)})
        with open_store(store_url) as store:
            publish(store, rows=first.rows.values())
            edges = store.edges("p")
            found = [next(edges)]
            publish(store, removed_rows=first.rows)
            store.collect(keep_runs=1)
            found += edges
            assert found == first.edges()


def python(script: str, *arguments: str) -> "subprocess.Popen[str]":
    """A process that runs a script; what it prints can be read."""
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def message_of(call: Callable[[], object]) -> str:
    """What `StoreUnavailable` says of a call, nothing where it succeeds."""
    try:
        call()
    except StoreUnavailable as exc:
        return str(exc)
    return ""


@cache
def two_graphs() -> list[Graph]:
    """Graphs that differ in every row; the state `s` says which it is."""
    names = [f"f{number}" for number in range(1500)]
    return [
        Graph(
            {name: record(name, seed) for name in names},
            {name: row(name, *names[seed * 3 : seed * 3 + 3]) for name in names},
            {"s": bytes([seed]) * 700_000},
        )
        for seed in (0, 1)
    ]


def publish_alternately(url: str) -> None:
    """Publish one of two graphs after the other, until somebody ends the process."""
    graphs = two_graphs()
    with open_store(url) as store, store.lock("p", timeout=10):
        os.write(1, b"ready\n")
        while True:
            for graph in graphs:
                store.put_facts([facts(number) for number in range(100)])
                publish_graph(store, graph)


def publish_graph(store: Store, graph: Graph) -> None:
    """Publish all of a graph."""
    publish(store, files=graph.files.values(), rows=graph.rows.values(), states=graph.states)


def kill_while_publishing(url: str, seconds: float) -> None:
    """Publish two graphs alternately in a process, and kill it after so many seconds."""
    child = python(_PUBLISH_FOREVER, url, *sys.path)
    assert child.stdout
    assert child.stdout.readline() == "ready\n"
    time.sleep(seconds)
    child.kill()
    child.wait()
    child.stdout.close()


def check_one_of_two(store: Store) -> None:
    """The published graph is one of the two graphs, whole."""
    seed = (store.state("p", "s") or b"?")[0]
    check(store, "p", two_graphs()[seed])


def begin_after_a_kill(store: Store) -> None:
    """Begin a run as the next scan does; the one that was killed is interrupted by that."""
    interrupted = store.runs("p", limit=1)[0]
    store.begin(Run(project="p"))
    if interrupted.state is RunState.RUNNING:
        assert store.runs("p", limit=2)[1].error == "interrupted"
