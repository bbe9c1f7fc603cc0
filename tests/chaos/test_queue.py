"""Redis that goes away, forgets or loses; messages that come twice, late, or never."""

import signal
import time

import pytest

from chaos.cluster import Cluster
from chaos.processes import Scan, send
from weft_storage.backends import open_store, work_of
from weft_tasks.worker.dispatch import Messages


class TestRedis:
    """The broker itself, in the middle of a run."""

    def under_way(self, cluster: Cluster, share: float = 0.3) -> Scan:
        """A scan with that much done, every batch of which takes its time."""
        cluster.database.pace(0.4)
        cluster.worker(kept=True)
        cluster.worker(kept=True)
        scan = cluster.scan()
        cluster.until_done(share)
        return scan

    def test_everything_in_it_may_be_deleted(self, cluster: Cluster) -> None:
        scan = self.under_way(cluster)
        cluster.fault("FLUSHALL in the middle of a run")
        cluster.queue.flush()
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_it_may_be_restarted_with_what_it_knew(self, cluster: Cluster) -> None:
        scan = self.under_way(cluster)
        cluster.fault("Redis restarted, with its append-only file")
        cluster.redis.restart()
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_it_may_crash(self, cluster: Cluster) -> None:
        scan = self.under_way(cluster)
        cluster.fault("kill -9 of Redis; started again with its append-only file")
        cluster.redis.kill()
        cluster.redis.start()
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_it_may_be_restarted_with_nothing(self, cluster: Cluster) -> None:
        scan = self.under_way(cluster)
        cluster.fault("Redis restarted without persistence")
        cluster.redis.restart(keep_data=False)
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_it_may_be_away_for_a_while(self, cluster: Cluster) -> None:
        scan = self.under_way(cluster)
        cluster.fault("Redis away for 20 s")
        cluster.redis.stop()
        time.sleep(20)
        cluster.redis.start()
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_it_may_be_away_when_the_run_ends(self, cluster: Cluster) -> None:
        """The batches in hand are the last ones, so nobody has to be told of anything."""
        cluster.worker(2, kept=True)
        with cluster.database.holding("facts"):
            scan = cluster.scan()
            cluster.until(lambda: cluster.database.blocked("facts"))
            cluster.fault("Redis gone for good while batches are in hand; started again when they are done")
            cluster.redis.stop()
        cluster.until(lambda: not cluster.database.batches("running"))
        cluster.redis.start()
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_it_may_stand_still(self, cluster: Cluster) -> None:
        scan = self.under_way(cluster)
        process = cluster.redis.process
        assert process is not None
        cluster.fault("Redis hangs for 15 s (SIGSTOP)")
        send(process.pid, signal.SIGSTOP)
        time.sleep(15)
        send(process.pid, signal.SIGCONT)
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_a_scan_that_begins_without_it_says_so_at_once(self, cluster: Cluster) -> None:
        cluster.worker(kept=True)
        cluster.fault("a scan while Redis is away; the next one when it is back")
        cluster.redis.stop()
        began = time.monotonic()
        cluster.ends_failed(cluster.scan(), "does not answer")
        assert time.monotonic() - began < 30
        cluster.redis.start()
        cluster.heals()


class TestMessages:
    """Messages are queued before there is a worker, and tampered with."""

    def queued(self, cluster: Cluster) -> Scan:
        """A scan all of whose batches wait in the queue."""
        scan = cluster.scan()
        count = cluster.until(lambda: len(cluster.database.batches("queued")))
        cluster.until(lambda: len(cluster.queue.messages()) == count)
        return scan

    @pytest.mark.parametrize("times", [2, pytest.param(3, marks=pytest.mark.chaos)])
    def test_every_message_may_come_several_times(self, cluster: Cluster, times: int) -> None:
        scan = self.queued(cluster)
        cluster.fault(f"every message of a batch delivered {times} times")
        cluster.queue.put(cluster.queue.messages() * (times - 1))
        cluster.worker(2)
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_every_batch_may_be_sent_again_while_it_is_carried_out(self, cluster: Cluster) -> None:
        cluster.database.pace(0.3)
        cluster.worker(2)
        scan = cluster.scan()
        cluster.until_done(0.2)
        cluster.fault("every batch sent again, three times, under other ids")
        run_id = cluster.run_id()
        with open_store(cluster.url) as store, Messages(cluster.redis.url) as messages:
            terms = work_of(store).terms(run_id)
            assert terms is not None
            every = cluster.database.batches("queued", "running", "done")
            for _ in range(3):
                messages.send_batches(run_id, [(number, "again") for number in every], terms)
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_messages_may_be_lost(self, cluster: Cluster) -> None:
        scan = self.queued(cluster)
        cluster.fault("four messages of batches lost from the queue")
        cluster.queue.drop(4)
        cluster.worker(2)
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_all_messages_may_be_lost(self, cluster: Cluster) -> None:
        scan = self.queued(cluster)
        cluster.fault("all messages of a run lost from the queue")
        cluster.queue.drop(1000)
        cluster.worker(2)
        cluster.ends_complete(scan)

    def test_the_callback_may_be_lost(self, cluster: Cluster) -> None:
        cluster.worker(2)
        with cluster.database.holding("facts"):
            scan = cluster.scan()
            cluster.until(lambda: len(cluster.database.blocked("facts")) == 2)
            cluster.fault("the chord's counter lost, and its callback with it")
            assert cluster.queue.lose_counters()
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_the_callbacks_message_may_be_lost(self, cluster: Cluster) -> None:
        """The last worker is gone when the callback is sent, and its message is taken out of the queue."""
        victim = cluster.worker()
        with cluster.database.holding("adjacency"):
            scan = cluster.scan()
            cluster.until(lambda: cluster.database.blocked("adjacency"))
            cluster.fault("the callback lost with the worker that had it, and its message too")
            victim.process.kill()
            victim.wait()
            cluster.queue.flush()
        cluster.ends_complete(scan)

    @pytest.mark.chaos
    def test_messages_of_a_run_that_is_over_change_nothing(self, cluster: Cluster) -> None:
        scan = self.queued(cluster)
        late = cluster.queue.messages()
        worker = cluster.worker()
        ended = scan.wait()
        assert ended.code == 0, ended.said
        cluster.fault("all messages of a published run delivered again")
        cluster.queue.put(late)
        worker.wait_for(lambda it: it.messages().count("there is nothing to do") == len(late))
        cluster.note("nothing to do")
        cluster.settle(ended)

    @pytest.mark.chaos
    def test_messages_of_a_run_that_was_cancelled_change_nothing(self, cluster: Cluster) -> None:
        scan = self.queued(cluster)
        cluster.fault("all messages of a cancelled run delivered late")
        scan.signal(signal.SIGINT)
        cluster.is_interrupted(scan)
        late = len(cluster.queue.messages())
        assert late
        worker = cluster.worker()
        worker.wait_for(lambda it: it.messages().count("there is nothing to do") == late)
        cluster.heals()

    @pytest.mark.chaos
    def test_messages_that_make_no_sense_are_refused(self, cluster: Cluster) -> None:
        scan = self.queued(cluster)
        cluster.fault("nonsense in the queue: no JSON, no message, another task, a pickle")
        (first, *_) = cluster.queue.messages()
        nonsense = [b"\x80\x04N.", b"{}", b"[]", first.replace(b"weft.extract", b"os.system"), first[:100]]
        nonsense.append(first.replace(b"application/json", b"application/x-python-serialize"))
        cluster.queue.put(nonsense, first=True)
        worker = cluster.worker(2)
        cluster.ends_complete(scan)
        assert worker.process.poll() is None
        assert len(worker.children()) == 2
