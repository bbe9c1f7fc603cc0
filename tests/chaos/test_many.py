"""Very many batches in one run."""

from pathlib import Path

import pytest

from chaos.cluster import made_cluster, make_template
from chaos.conftest import ROWS
from chaos.corpus import NEW, OLD, make_crowd
from chaos.graphs import find_right

BATCHES = 10_000

ONE_FILE_A_BATCH = f"""
import importlib
importlib.import_module("weft_tasks.jobs.batches")._BATCH_FILES = 1
importlib.import_module("weft.pipeline.distributed")._MOST_BATCHES = {BATCHES}
"""


@pytest.mark.chaos
def test_ten_thousand_batches_of_one_run_end_right(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    crowd = make_crowd(tmp_path, BATCHES)
    old, new = find_right(crowd.root, OLD), find_right(crowd.root, NEW)
    template = make_template(crowd, tmp_path)
    with made_cluster(crowd, old, new, template, pytestconfig.stash[ROWS]) as cluster:
        cluster.worker(2)
        cluster.fault(f"{BATCHES} batches in one run, one of two workers killed in the middle")
        victim = cluster.worker()
        scan = cluster.scan(prelude=ONE_FILE_A_BATCH)
        cluster.until(lambda: cluster.database.share_done() >= 0.5, 900)
        assert len(cluster.database.batches("queued", "running", "done")) == BATCHES
        victim.process.kill()
        cluster.ends_complete(scan, 900)
