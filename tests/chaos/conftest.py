"""Fixtures of the fault suite, and the table of its outcomes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.cluster import Cluster, Row, made_cluster, make_template
from chaos.corpus import NEW, OLD, Corpus, make_corpus
from chaos.graphs import Right, find_right

ROWS = pytest.StashKey[list[Row]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The faults that were done, and what became of them."""
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    terminalreporter.section("faults")
    width = max(len(row.fault) for row in rows)
    for row in rows:
        terminalreporter.write_line(f"{row.fault:<{width}}  {row.seconds:6.1f} s  {row.outcome}")


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def right_old(corpus: Corpus) -> Right:
    return find_right(corpus.root, OLD)


@pytest.fixture(scope="session")
def right_new(corpus: Corpus) -> Right:
    return find_right(corpus.root, NEW)


@pytest.fixture(scope="session")
def template(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a Postgres in which the old graph is published."""
    return make_template(corpus, tmp_path_factory.mktemp("template"))


@pytest.fixture
def cluster(
    corpus: Corpus, right_old: Right, right_new: Right, template: Path, pytestconfig: pytest.Config
) -> Iterator[Cluster]:
    """A cluster with the old graph and no workers yet."""
    with made_cluster(corpus, right_old, right_new, template, pytestconfig.stash[ROWS]) as made:
        yield made
