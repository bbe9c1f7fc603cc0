"""Random faults, one after the other, whatever state the last one left; the graph is exact in the end.

CHAOS_RUNS says how many runs there are (default 5), CHAOS_SEED where their seeds begin: the same seed does the same
faults in the same order.
"""

import os
import random
import signal
import time
from collections.abc import Callable

import pytest

from chaos.cluster import Cluster
from chaos.processes import Scan, send

RUNS = int(os.environ.get("CHAOS_RUNS", "5"))
FIRST_SEED = int(os.environ.get("CHAOS_SEED", str(int(time.time()) % 1_000_000)))
FAULTS_A_RUN = 10

Fault = Callable[[Cluster, random.Random], None]


@pytest.mark.chaos
@pytest.mark.parametrize("number", range(RUNS))
def test_any_faults_in_any_order_end_in_the_right_graph(cluster: Cluster, number: int) -> None:
    seed = FIRST_SEED + number
    cluster.log(f"CHAOS_RUNS=1 CHAOS_SEED={seed} does these faults again")
    chance = random.Random(seed)
    cluster.database.pace(0.7)
    for _ in range(2):
        cluster.worker(2, kept=True)
    cluster.fault(f"{FAULTS_A_RUN} random faults, seed {seed}")
    scan = cluster.scan()
    for _ in range(FAULTS_A_RUN):
        fault = chance.choice(FAULTS)
        scan = _with_work(cluster, scan, chance)
        cluster.log(fault.__name__)
        fault(cluster, chance)
    cluster.log("the end")
    _wait(cluster, scan)
    cluster.database.pace(0)
    cluster.heals()


def _with_work(cluster: Cluster, scan: Scan, chance: random.Random) -> Scan:
    """A scan under way, some of whose batches are done since the last fault: this one, or the next."""
    deadline = time.monotonic() + 20
    more = _done(cluster) + chance.randrange(1, 4)
    while time.monotonic() < deadline:
        if not scan.is_running():
            scan, more = _after(cluster, scan, chance), 1
        # Python that is interrupted while it starts says so in its own words.
        if scan.said() and _done(cluster) >= more:
            break
        time.sleep(0.1)
    return scan


def _after(cluster: Cluster, scan: Scan, chance: random.Random) -> Scan:
    """What a person would do next: go on with a run whose orchestrator was killed, or scan again, all of it."""
    ended = scan.wait()
    assert ended.code in (0, 2, 3, 130, -signal.SIGKILL), f"{ended.said}\n{cluster.told()}"
    unfinished = cluster.database.runs_with_work()
    if unfinished and chance.random() < 0.5:
        return cluster.resume(unfinished[0], remote=chance.random() < 0.7)
    return cluster.scan("--full") if ended.code in (0, 3) else cluster.scan()


def _done(cluster: Cluster) -> int:
    return len(cluster.database.batches("done"))


def _wait(cluster: Cluster, scan: Scan) -> None:
    ended = scan.wait(300)
    assert ended.code in (0, 2, 3, 130, -signal.SIGKILL), f"{ended.said}\n{cluster.told()}"


# The faults ----------------------------------------------------------------------------------------


def kill_slot(cluster: Cluster, chance: random.Random) -> None:
    _send_one(cluster.fleet.slots(), signal.SIGKILL, chance)


def kill_helper(cluster: Cluster, chance: random.Random) -> None:
    _send_one(cluster.fleet.helpers(), signal.SIGKILL, chance)


def kill_worker(cluster: Cluster, chance: random.Random) -> None:
    _send_one([worker.pid for worker in cluster.fleet.alive()], signal.SIGKILL, chance)


def end_worker(cluster: Cluster, chance: random.Random) -> None:
    _send_one([worker.pid for worker in cluster.fleet.alive()], signal.SIGTERM, chance)


def kill_orchestrator(cluster: Cluster, chance: random.Random) -> None:
    _send_one([cluster.scans[-1].process.pid], signal.SIGKILL, chance)


def interrupt_orchestrator(cluster: Cluster, chance: random.Random) -> None:
    if cluster.scans[-1].said():
        _send_one([cluster.scans[-1].process.pid], signal.SIGINT, chance)


def pause_slot(cluster: Cluster, chance: random.Random) -> None:
    slots = cluster.fleet.slots()
    if slots:
        victim = chance.choice(slots)
        send(victim, signal.SIGSTOP)
        time.sleep(3)
        send(victim, signal.SIGCONT)


def end_leases(cluster: Cluster, chance: random.Random) -> None:
    for worker in cluster.fleet.alive():
        cluster.database.end_leases(worker.name)


def flush_redis(cluster: Cluster, chance: random.Random) -> None:
    cluster.queue.flush()


def restart_redis(cluster: Cluster, chance: random.Random) -> None:
    cluster.redis.restart(keep_data=chance.random() < 0.5)


def crash_redis(cluster: Cluster, chance: random.Random) -> None:
    cluster.redis.kill()
    time.sleep(chance.random() * 5)
    cluster.redis.start()


def restart_postgres(cluster: Cluster, chance: random.Random) -> None:
    cluster.postgres.stop()
    time.sleep(chance.random() * 5)
    cluster.postgres.start()


def crash_postgres(cluster: Cluster, chance: random.Random) -> None:
    cluster.postgres.kill()
    cluster.postgres.start()


def end_sessions(cluster: Cluster, chance: random.Random) -> None:
    cluster.database.end_all_sessions()


def repeat_messages(cluster: Cluster, chance: random.Random) -> None:
    messages = cluster.queue.messages()
    if messages:
        cluster.queue.put(messages * 2)


def lose_messages(cluster: Cluster, chance: random.Random) -> None:
    cluster.queue.drop(chance.randrange(1, 5))


def lose_counters(cluster: Cluster, chance: random.Random) -> None:
    cluster.queue.lose_counters()


def _send_one(processes: list[int], number: int, chance: random.Random) -> None:
    if processes:
        send(chance.choice(processes), number)


FAULTS: list[Fault] = [
    kill_slot,
    kill_helper,
    kill_worker,
    end_worker,
    kill_orchestrator,
    interrupt_orchestrator,
    pause_slot,
    end_leases,
    flush_redis,
    restart_redis,
    crash_redis,
    restart_postgres,
    crash_postgres,
    end_sessions,
    repeat_messages,
    lose_messages,
    lose_counters,
]
