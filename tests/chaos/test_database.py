"""Postgres that is stopped, crashes, ends sessions, or has no room left."""

import time

import pytest

from chaos.cluster import Cluster
from chaos.disks import small_disk

WAYS = ["fast shutdown", "kill -9"]


def stop(cluster: Cluster, way: str) -> None:
    if way == "kill -9":
        cluster.postgres.kill()
    else:
        cluster.postgres.stop()


def away(cluster: Cluster, way: str, seconds: float) -> None:
    """Postgres is away for so long."""
    stop(cluster, way)
    time.sleep(seconds)
    cluster.postgres.start()


def test_it_may_crash_and_come_back_during_extraction(cluster: Cluster) -> None:
    cluster.database.pace(0.3)
    cluster.worker(2)
    scan = cluster.scan()
    cluster.until_done(0.3)
    cluster.fault("Postgres crashes during extraction and recovers at once")
    away(cluster, "kill -9", 0)
    cluster.ends_complete(scan)


@pytest.mark.chaos
@pytest.mark.parametrize("way", WAYS)
class TestAwayForTenSeconds:
    def test_during_extraction(self, cluster: Cluster, way: str) -> None:
        cluster.database.pace(0.3)
        cluster.worker(2)
        scan = cluster.scan()
        cluster.until_done(0.3)
        cluster.fault(f"Postgres away for 10 s during extraction ({way})")
        away(cluster, way, 10)
        cluster.ends_complete(scan)

    def test_while_a_worker_publishes(self, cluster: Cluster, way: str) -> None:
        cluster.worker()
        with cluster.database.holding("adjacency"):
            scan = cluster.scan()
            assert cluster.until(lambda: cluster.database.blocked("adjacency")) != [scan.process.pid]
            cluster.fault(f"Postgres away for 10 s while a worker publishes ({way})")
            away(cluster, way, 10)
        cluster.ends_complete(scan)

    def test_while_the_orchestrator_publishes(self, cluster: Cluster, way: str) -> None:
        cluster.worker(packed=True)
        with cluster.database.holding("adjacency"):
            scan = cluster.scan()
            cluster.until(lambda: scan.process.pid in cluster.database.blocked("adjacency"))
            cluster.fault(f"Postgres away for 10 s while the orchestrator publishes ({way})")
            away(cluster, way, 10)
        cluster.ends_complete(scan)

    def test_while_the_plan_is_committed(self, cluster: Cluster, way: str) -> None:
        cluster.worker()
        with cluster.database.holding("batch"):
            scan = cluster.scan()
            cluster.until(lambda: scan.process.pid in cluster.database.blocked("batch"))
            cluster.fault(f"Postgres away for 10 s while the plan is committed ({way})")
            away(cluster, way, 10)
        cluster.ends_failed(scan, "store")
        cluster.heals()


@pytest.mark.chaos
class TestSessions:
    def test_an_administrator_may_end_all_of_them_during_extraction(self, cluster: Cluster) -> None:
        cluster.database.pace(0.3)
        cluster.worker(2)
        scan = cluster.scan()
        cluster.until_done(0.3)
        cluster.fault("pg_terminate_backend of all sessions during extraction, three times")
        for share in (0.4, 0.5, 0.6):
            cluster.database.end_all_sessions()
            cluster.until_done(share)
        cluster.ends_complete(scan)

    def test_another_scan_may_come_while_the_lock_is_lost(self, cluster: Cluster) -> None:
        """With Postgres the lock of the project went away; whoever comes first has it."""
        cluster.database.pace(0.3)
        cluster.worker(2)
        first = cluster.scan()
        cluster.until_done(0.3)
        cluster.fault("Postgres restarted during extraction, and a second scan comes at once")
        away(cluster, "fast shutdown", 0)
        second = cluster.scan("--lock-timeout", "60")
        codes = {first.wait().code, second.wait().code}
        assert codes <= {0, 2}
        assert 0 in codes
        cluster.note("one of two is complete")
        cluster.settle(first.wait() if first.wait().code == 0 else second.wait())


@pytest.mark.chaos
class TestNoRoom:
    """Disks that are full, and have room again later."""

    def test_on_the_disk_of_its_tables(self, cluster: Cluster) -> None:
        cluster.worker(2)
        with small_disk(cluster.postgres.folder) as disk:
            cluster.database.move_tables(disk.folder)
            disk.leave_room(0.5)
            scan = cluster.scan()
            cluster.fault("no room on the disk of Postgres' tables")
            cluster.ends_failed(scan, "has no room left on its disk", "the published graph is unharmed")
            disk.leave_room(200)
            cluster.heals()
            cluster.database.move_tables(None)

    def test_on_the_disk_of_everything(self, cluster: Cluster) -> None:
        """Postgres itself may go down then: it must write its log."""
        with small_disk(cluster.postgres.folder, megabytes=1000) as disk:
            cluster.database.move_server(disk.folder)
            cluster.worker(2)
            cluster.database.pace(0.2)
            scan = cluster.scan()
            cluster.until_done(0.3)
            cluster.fault("no room on the only disk of Postgres; room again after 10 s")
            disk.leave_room(0)
            time.sleep(10)
            disk.leave_room(500)
            cluster.postgres.start()
            ended = scan.wait()
            assert ended.code in (0, 2)
            cluster.heals()
            cluster.postgres.stop()
