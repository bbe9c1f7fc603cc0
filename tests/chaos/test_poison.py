"""Files that end their extractor: named, put away by content, and no harm to others."""

import signal

from chaos.cluster import Cluster
from chaos.corpus import HUNGRY_FILE, NEW, POISONED, SLOW_FILE
from chaos.graphs import find_right
from chaos.processes import send


def check_put_away(cluster: Cluster, rev: str) -> None:
    """The next run does not try again: it names the same files and extracts nothing."""
    before = sum(len(worker.batches()) for worker in cluster.fleet.workers)
    ended = cluster.scan(rev=rev).wait()
    assert ended.code == 3, ended.said
    assert ended.document["counts"]["analyzed"] == 0
    assert sum(len(worker.batches()) for worker in cluster.fleet.workers) == before


def test_files_that_hang_or_take_all_memory_are_named_and_not_tried_again(cluster: Cluster) -> None:
    cluster.worker(2)
    cluster.fault("files that hang the parser and that take all memory")
    named = cluster.ends_incomplete(cluster.scan(rev=POISONED))
    assert named.keys() == {HUNGRY_FILE, SLOW_FILE}
    assert named[SLOW_FILE] == "extraction took longer than 1 seconds"
    check_put_away(cluster, POISONED)
    cluster.lacks_for_good(named, find_right(cluster.corpus.root, POISONED))
    cluster.settles_incomplete(POISONED)


def test_a_file_that_crashes_the_parser_is_named_and_not_tried_again(cluster: Cluster) -> None:
    cluster.worker()
    scan = cluster.scan()
    helper = cluster.stop_helper()
    cluster.fault("a file that crashes the parser")
    send(helper, signal.SIGSEGV)
    send(helper, signal.SIGCONT)
    named = cluster.ends_incomplete(scan)
    assert list(named.values()) == ["the parser crashed (SIGSEGV)"]
    check_put_away(cluster, NEW)
    cluster.lacks_for_good(named)
    cluster.settles_incomplete(NEW)
