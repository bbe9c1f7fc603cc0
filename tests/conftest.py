"""Fixtures and hypothesis profiles shared by all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from repositories import Repository
from weft_storage.backends import open_store

pytest_plugins = ("browser", "compose", "servers")

settings.register_profile("fast", max_examples=25, deadline=None)
settings.register_profile("ci", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "fast"))


@pytest.fixture(autouse=True)
def _hermetic(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing of the person who runs the tests counts: no git configuration, no WEFT_* or GIT_* variables."""
    for name in list(os.environ):
        if name.startswith(("WEFT_", "GIT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """An empty folder and a SQLite store beside it."""
    root = tmp_path / "repository"
    root.mkdir()
    with open_store(f"sqlite:///{tmp_path}/graph.db") as store:
        yield Repository(root, store)


@pytest.fixture
def git_repository(repository: Repository) -> Repository:
    """An empty git work tree and a SQLite store beside it."""
    repository.git("init", "--quiet", "--initial-branch", "main")
    return repository
