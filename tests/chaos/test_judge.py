"""The judge himself: he must see what is not right."""

import pytest

from chaos.cluster import Cluster


def test_the_judge_sees_edges_that_are_missing_from_a_graph(cluster: Cluster) -> None:
    cluster.database.ask("DELETE FROM weft.adjacency WHERE path = (SELECT min(path) FROM weft.adjacency)")
    with pytest.raises(AssertionError, match="a reader saw a mixture"):
        cluster.check_readers()


def test_the_judge_sees_that_the_old_graph_is_not_the_new_one(cluster: Cluster) -> None:
    with pytest.raises(AssertionError, match="what is published is not right"):
        cluster.check_readers()
