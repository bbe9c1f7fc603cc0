"""Orchestrators that are killed, interrupted, stopped, or two at once."""

import signal

import pytest

from chaos.cluster import Cluster
from chaos.processes import Scan, send


class TestKilled:
    @pytest.mark.chaos
    def test_during_extraction_the_workers_publish_the_run_without_it(self, cluster: Cluster) -> None:
        cluster.worker()
        with cluster.database.holding("facts"):
            scan = cluster.scan()
            cluster.until(lambda: cluster.database.blocked("facts"))
            cluster.fault("kill -9 of the orchestrator during extraction; nobody scans again")
            cluster.dies(scan)
        run_id = cluster.run_id()
        cluster.until(lambda: cluster.database.state(run_id) == "published")
        cluster.heals(how="published by a worker")

    def test_during_extraction_the_next_scan_begins_at_once(self, cluster: Cluster) -> None:
        cluster.worker()
        with cluster.database.holding("facts"):
            scan = cluster.scan()
            cluster.until(lambda: cluster.database.blocked("facts"))
            cluster.fault("kill -9 of the orchestrator during extraction; the next scan comes at once")
            cluster.dies(scan)
            scan = cluster.scan("--lock-timeout", "5")
        cluster.heals(scan)

    @pytest.mark.chaos
    @pytest.mark.parametrize("by_workers", [True, False])
    def test_during_extraction_the_run_can_be_resumed(self, cluster: Cluster, by_workers: bool) -> None:
        cluster.worker(packed=True)
        with cluster.database.holding("facts"):
            scan = cluster.scan()
            cluster.until(lambda: cluster.database.blocked("facts"))
            cluster.fault(
                f"kill -9 of the orchestrator; weft resume {'by workers' if by_workers else 'without workers'}"
            )
            cluster.dies(scan)
            run_id = cluster.run_id()
            scan = cluster.resume(run_id, remote=by_workers)
        cluster.heals(scan, how="right by weft resume")
        assert cluster.database.state(run_id) == "published"

    def test_while_it_publishes_it_has_published_nothing(self, cluster: Cluster) -> None:
        cluster.worker(packed=True)
        with cluster.database.holding("adjacency"):
            scan = cluster.scan()
            cluster.until(lambda: scan.process.pid in cluster.database.blocked("adjacency"))
            cluster.fault("kill -9 of the orchestrator while it publishes; weft resume")
            run_id = cluster.run_id()
            cluster.dies(scan)
        cluster.heals(cluster.resume(run_id), how="right by weft resume")

    @pytest.mark.chaos
    def test_while_it_publishes_the_next_scan_makes_it_right(self, cluster: Cluster) -> None:
        cluster.worker(packed=True)
        with cluster.database.holding("adjacency"):
            scan = cluster.scan()
            cluster.until(lambda: scan.process.pid in cluster.database.blocked("adjacency"))
            cluster.fault("kill -9 of the orchestrator while it publishes; the next scan")
            cluster.dies(scan)
        ended = cluster.heals()
        assert ended.document["counts"]["analyzed"] == 0

    @pytest.mark.chaos
    def test_just_before_the_plan_is_committed_nothing_was_planned(self, cluster: Cluster) -> None:
        cluster.worker()
        with cluster.database.holding("batch"):
            scan = cluster.scan()
            cluster.until(lambda: scan.process.pid in cluster.database.blocked("batch"))
            cluster.fault("kill -9 of the orchestrator just before the plan is committed")
            cluster.dies(scan)
        cluster.heals()


class TestInterrupted:
    @pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.chaos)])
    def test_during_extraction_the_run_is_cancelled_and_late_batches_count_for_naught(
        self, cluster: Cluster, number: signal.Signals
    ) -> None:
        worker = cluster.worker()
        with cluster.database.holding("facts"):
            scan = cluster.scan()
            cluster.until(lambda: cluster.database.blocked("facts"))
            cluster.fault(f"{number.name} of the orchestrator during extraction")
            # The batch in hand holds the run: it is cancelled when that batch has ended.
            scan.signal(number)
        cluster.is_interrupted(scan)
        worker.wait_for(lambda it: it.messages().count("there is nothing to do") >= 1)
        cluster.heals()

    @pytest.mark.chaos
    def test_while_it_publishes_nothing_is_published(self, cluster: Cluster) -> None:
        cluster.worker(packed=True)
        with cluster.database.holding("adjacency"):
            scan = cluster.scan()
            cluster.until(lambda: scan.process.pid in cluster.database.blocked("adjacency"))
            cluster.fault("SIGINT of the orchestrator while it publishes")
            scan.signal(signal.SIGINT)
            cluster.is_interrupted(scan)
        cluster.heals()


class TestTwoAtOnce:
    @pytest.mark.chaos
    def test_the_second_says_who_scans_or_waits(self, cluster: Cluster) -> None:
        cluster.worker()
        with cluster.database.holding("facts"):
            first = cluster.scan()
            cluster.until(lambda: cluster.database.blocked("facts"))
            cluster.fault("two orchestrators of one project at once")
            cluster.ends_failed(cluster.scan("--lock-timeout", "0"), f"is being scanned by pid {first.process.pid} on")
            waiting = cluster.scan("--lock-timeout", "60")
            cluster.until(lambda: cluster.database.has_session(waiting.process.pid))
        cluster.ends_complete(first)
        ended = waiting.wait()
        assert (ended.code, ended.document["counts"]["analyzed"]) == (0, 0)

    @pytest.mark.chaos
    def test_one_that_slept_meanwhile_finds_its_run_published(self, cluster: Cluster) -> None:
        cluster.worker()
        with cluster.database.holding("facts"):
            scan = cluster.scan()
            cluster.until(lambda: cluster.database.blocked("facts"))
            run_id = cluster.run_id()
            cluster.fault("an orchestrator that stands still until its run is published")
            send(scan.process.pid, signal.SIGSTOP)
        cluster.until(lambda: cluster.database.state(run_id) == "published")
        send(scan.process.pid, signal.SIGCONT)
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_one_that_lost_its_lock_while_it_stood_still_does_not_disturb_the_next(self, cluster: Cluster) -> None:
        cluster.worker(packed=True)
        with cluster.database.holding("adjacency"):
            first = cluster.scan()
            cluster.until(lambda: first.process.pid in cluster.database.blocked("adjacency"))
            cluster.fault("an orchestrator that loses its lock while it publishes; another scans")
            send(first.process.pid, signal.SIGSTOP)
            cluster.database.end_sessions(first.process.pid)
        second = cluster.scan("--lock-timeout", "5").wait()
        assert second.code == 0, second.said
        send(first.process.pid, signal.SIGCONT)
        _fails_or_finds_it_done(cluster, first)
        cluster.settle(second)


def _fails_or_finds_it_done(cluster: Cluster, scan: Scan) -> None:
    cluster.ends_failed(scan, "scan again")
