"""Programs that are not as they should be: other versions, other clocks."""

import pytest

from chaos.cluster import Cluster

OTHER_VERSION = """
import importlib
importlib.import_module("weft_tasks.jobs.fingerprint").PROTOCOL_VERSION = 99
"""

CLOCK = """
import time
real = time.time
time.time = lambda: real() + {}
"""


class TestOtherVersions:
    @pytest.mark.chaos
    def test_a_worker_of_another_version_gets_nothing(self, cluster: Cluster) -> None:
        stranger = cluster.worker(prelude=OTHER_VERSION)
        cluster.fault("only a worker of another version; then one of this version")
        cluster.ends_failed(cluster.scan("--patience", "3"), "none of them to queue", "of this version")
        cluster.worker()
        cluster.heals()
        assert stranger.batches() == []

    @pytest.mark.chaos
    def test_it_refuses_what_comes_to_it_by_mistake(self, cluster: Cluster) -> None:
        stranger = cluster.worker(prelude=OTHER_VERSION)
        scan = cluster.scan()
        count = cluster.until(lambda: len(cluster.database.batches("queued")))
        cluster.until(lambda: len(cluster.queue.messages()) == count)
        cluster.fault("half of the messages end up with a worker of another version")
        cluster.queue.misdirect(count // 2, to=stranger.wait_for_message("the worker listens")["fingerprint"])
        stranger.wait_for(lambda it: sum("it is of version" in each for each in it.messages()) == count // 2)
        cluster.worker()
        cluster.ends_complete(scan)
        assert stranger.batches() == []


@pytest.mark.chaos
class TestClocks:
    @pytest.mark.parametrize("seconds", [7200, -7200])
    def test_a_worker_may_be_hours_off(self, cluster: Cluster, seconds: int) -> None:
        cluster.database.pace(0.5)
        cluster.worker(prelude=CLOCK.format(seconds))
        cluster.worker()
        cluster.fault(f"the clock of one of two workers is {seconds // 3600:+d} h off")
        cluster.ends_complete(cluster.scan())

    @pytest.mark.parametrize("seconds", [7200, -7200])
    def test_the_orchestrator_may_be_hours_off(self, cluster: Cluster, seconds: int) -> None:
        cluster.worker(2)
        cluster.fault(f"the clock of the orchestrator is {seconds // 3600:+d} h off")
        cluster.ends_complete(cluster.scan(prelude=CLOCK.format(seconds)))
