"""Processes that are killed: slots, helpers, workers."""

import signal

from chaos.cluster import Cluster
from chaos.processes import send


def test_without_a_fault_the_graph_is_right_and_nothing_is_left(cluster: Cluster) -> None:
    cluster.worker()
    cluster.fault("none")
    ended = cluster.ends_complete(cluster.scan())
    assert ended.document["counts"]["analyzed"] == 369


def test_a_slot_killed_in_the_middle_of_a_batch_is_replaced(cluster: Cluster) -> None:
    cluster.worker(2)
    with cluster.holding("facts"):
        scan = cluster.scan()
        (victim, *_) = cluster.until(lambda: cluster.blocked("facts"))
        cluster.fault("kill -9 of a Celery child in the middle of a batch")
        send(victim, signal.SIGKILL)
    cluster.ends_complete(scan)
