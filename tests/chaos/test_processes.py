"""Processes that are killed, stopped or told to end: slots, helpers, workers."""

import signal
import time

import pytest

from chaos.cluster import Cluster
from chaos.processes import send


@pytest.mark.chaos
def test_without_a_fault_the_graph_is_right_and_nothing_is_left(cluster: Cluster) -> None:
    cluster.worker()
    cluster.fault("none")
    ended = cluster.ends_complete(cluster.scan())
    assert ended.document["counts"]["analyzed"] == 369


def test_a_slot_killed_in_the_middle_of_a_batch_is_replaced(cluster: Cluster) -> None:
    cluster.worker(2)
    with cluster.database.holding("facts"):
        scan = cluster.scan()
        victim = cluster.until(lambda: cluster.database.blocked("facts"))[0]
        cluster.fault("kill -9 of a Celery child in the middle of a batch")
        send(victim, signal.SIGKILL)
    cluster.ends_complete(scan)


@pytest.mark.chaos
def test_a_slot_that_hangs_is_overtaken_when_its_lease_runs_out(cluster: Cluster) -> None:
    worker = cluster.worker(2)
    scan = cluster.scan()
    cluster.stop_helper()
    (slot,) = [slot for slot in worker.children() if cluster.stopped_helper_of(slot)]
    cluster.fault("a Celery child that stands still in the middle of a batch (its lease runs out)")
    send(slot, signal.SIGSTOP)
    cluster.ends_complete(scan)
    send(slot, signal.SIGKILL)


@pytest.mark.chaos
def test_a_slot_that_hangs_in_a_transaction_is_overtaken_too(cluster: Cluster) -> None:
    cluster.worker(2)
    with cluster.database.holding("facts"):
        scan = cluster.scan()
        victim = cluster.until(lambda: cluster.database.blocked("facts"))[0]
        cluster.fault("a Celery child that stands still in a transaction of the store")
        send(victim, signal.SIGSTOP)
    cluster.ends_complete(scan)
    send(victim, signal.SIGKILL)


@pytest.mark.chaos
def test_a_helper_that_is_killed_costs_the_file_in_hand_until_the_next_scan(cluster: Cluster) -> None:
    cluster.worker()
    scan = cluster.scan()
    helper = cluster.stop_helper()
    cluster.fault("kill -9 of a crash box's helper")
    send(helper, signal.SIGKILL)
    named = cluster.ends_incomplete(scan)
    assert list(named.values()) == ["the extractor process ended unexpectedly (signal 9)"]
    ended = cluster.heals()
    assert ended.document["counts"]["analyzed"] == 1


class TestWorkers:
    """Whole workers: main process, slots and helpers."""

    def test_the_second_worker_carries_on_for_one_that_was_killed(self, cluster: Cluster) -> None:
        victim, _ = cluster.worker(), cluster.worker()
        with cluster.database.holding("facts"):
            scan = cluster.scan()
            cluster.until(lambda: set(victim.children()) & set(cluster.database.blocked("facts")))
            cluster.fault("kill -9 of one of two workers")
            slots = victim.children()
            victim.process.kill()
            cluster.until(lambda: not any(send(slot, 0) for slot in slots))
        cluster.database.end_leases(victim.name)
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_the_batches_of_a_worker_that_was_killed_come_back_by_themselves(self, cluster: Cluster) -> None:
        victim, _ = cluster.worker(2), cluster.worker()
        with cluster.database.holding("facts"):
            scan = cluster.scan()
            cluster.until(lambda: set(victim.children()) <= set(cluster.database.blocked("facts")))
            cluster.fault("kill -9 of one of two workers (the lease runs out)")
            victim.process.kill()
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_a_worker_that_starts_later_carries_on_for_the_only_one(self, cluster: Cluster) -> None:
        victim = cluster.worker()
        with cluster.database.holding("facts"):
            scan = cluster.scan()
            cluster.until(lambda: cluster.database.blocked("facts"))
            cluster.fault("kill -9 of the only worker; another starts later")
            victim.process.kill()
            victim.wait()
        cluster.database.end_leases(victim.name)
        cluster.worker()
        cluster.ends_complete(scan)

    def test_a_worker_that_comes_back_from_the_dead_changes_nothing(self, cluster: Cluster) -> None:
        frozen, _ = cluster.worker(), cluster.worker()
        with cluster.database.holding("facts"):
            scan = cluster.scan()
            cluster.until(lambda: set(frozen.children()) & set(cluster.database.blocked("facts")))
            cluster.fault("a worker that stands still beyond its lease, and goes on when all is over")
            # Blocked as they are they would still end their batch: their sessions go, as over a broken network.
            for process in (frozen.pid, *frozen.children()):
                send(process, signal.SIGSTOP)
            for process in frozen.children():
                cluster.database.end_sessions(process)
            cluster.database.end_leases(frozen.name)
        ended = scan.wait()
        assert ended.code == 0, ended.said
        for process in (*frozen.children(), frozen.pid):
            send(process, signal.SIGCONT)
        frozen.wait_for(lambda it: any("for naught" in each or "stopped:" in each for each in it.messages()))
        cluster.note("complete")
        cluster.settle(ended)

    @pytest.mark.chaos
    def test_a_worker_that_is_told_to_end_does_its_batch_first(self, cluster: Cluster) -> None:
        victim, _ = cluster.worker(), cluster.worker()
        with cluster.database.holding("facts"):
            scan = cluster.scan()
            cluster.until(lambda: set(victim.children()) & set(cluster.database.blocked("facts")))
            cluster.fault("SIGTERM of one of two workers in the middle of a batch")
            victim.signal(signal.SIGTERM)
            time.sleep(1)
        assert victim.wait() == 0
        cluster.ends_complete(scan)
        assert cluster.database.most_attempts() == 1

    @pytest.mark.chaos
    def test_a_batch_that_does_not_end_in_time_goes_back_to_the_queue(self, cluster: Cluster) -> None:
        victim = cluster.worker(soft_timeout=1)
        with cluster.database.holding("facts"):
            scan = cluster.scan()
            cluster.until(lambda: cluster.database.blocked("facts"))
            cluster.fault("SIGTERM of the only worker, whose batch does not end in time; another starts")
            victim.signal(signal.SIGTERM)
            victim.wait()
        cluster.worker()
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_all_workers_are_replaced_one_after_the_other_as_in_a_rollout(self, cluster: Cluster) -> None:
        cluster.database.pace(1)
        workers = [cluster.worker(), cluster.worker()]
        scan = cluster.scan()
        cluster.fault("a rolling restart of all workers")
        for number, worker in enumerate(workers, 1):
            cluster.until_done(number / 4)
            cluster.worker()
            worker.signal(signal.SIGTERM)
            assert worker.wait() == 0
        cluster.ends_complete(scan)
        assert cluster.database.most_attempts() == 1


class TestMerge:
    """Workers that die while they finalize."""

    def test_a_slot_killed_while_it_publishes_publishes_nothing(self, cluster: Cluster) -> None:
        cluster.worker(2)
        with cluster.database.holding("adjacency"):
            scan = cluster.scan()
            victim = cluster.until(lambda: cluster.database.blocked("adjacency"))[0]
            assert victim != scan.process.pid
            cluster.fault("kill -9 of the Celery child that publishes")
            send(victim, signal.SIGKILL)
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_the_orchestrator_publishes_where_the_worker_died_that_did(self, cluster: Cluster) -> None:
        victim = cluster.worker()
        with cluster.database.holding("adjacency"):
            scan = cluster.scan()
            cluster.until(lambda: cluster.database.blocked("adjacency"))
            cluster.fault("kill -9 of the only worker while it publishes")
            victim.process.kill()
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_a_worker_that_dies_between_the_last_batch_and_the_callback_loses_nothing(self, cluster: Cluster) -> None:
        victim = cluster.worker()
        scan = cluster.scan()
        cluster.until(
            lambda: (
                scan.is_running()
                and cluster.database.batches("done")
                and not cluster.database.batches("queued", "running")
            )
        )
        cluster.fault("kill -9 of the only worker right after its last batch")
        victim.process.kill()
        cluster.ends_complete(scan)
