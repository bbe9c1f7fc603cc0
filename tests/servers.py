"""Real Postgres and real Redis for tests: those that the environment names, else servers of our own for the session."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from psycopg import sql

from weft.stack import PostgresServer, RedisServer, StackError

AnyServer = TypeVar("AnyServer", PostgresServer, RedisServer)

# Read here: a fixture of every test takes WEFT_* out of the environment.
NAMED_POSTGRES = os.environ.get("WEFT_TEST_POSTGRES")
NAMED_REDIS = os.environ.get("WEFT_TEST_REDIS")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a Postgres for this session; its user may create databases. Tests want `postgres_url`."""
    if NAMED_POSTGRES:
        yield NAMED_POSTGRES
        return
    with _or_fail(lambda: PostgresServer(settings={"max_connections": "200"})) as server:
        yield server.url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The URL of a Redis for this session. Tests want `redis_url`."""
    if NAMED_REDIS:
        yield NAMED_REDIS
        return
    with _or_fail(RedisServer) as server:
        yield server.url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database of this test's own; it is dropped afterwards, also when somebody is connected."""
    name = f"weft_test_{secrets.token_hex(8)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    yield urlsplit(postgres_server)._replace(path=f"/{name}").geturl()
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def redis_url(redis_server: str) -> Iterator[str]:
    """The URL of an empty Redis database; it is emptied afterwards too."""
    client = redis.Redis.from_url(redis_server)
    client.flushdb()
    yield redis_server
    client.flushdb()
    client.close()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A Postgres for one test, which may stop, kill and restart it. Never one that the environment names."""
    with _or_fail(PostgresServer) as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis for one test, which may stop, kill and restart it; it keeps its data over restarts."""
    with _or_fail(lambda: RedisServer(append_only=True)) as server:
        yield server


@contextmanager
def _or_fail(make: Callable[[], AnyServer]) -> Iterator[AnyServer]:
    """A running server. A machine without one fails the test: distributed mode is not to go untested unnoticed."""
    try:
        server = make()
        server.start()
    except StackError as error:
        pytest.fail(str(error), pytrace=False)
    try:
        yield server
    finally:
        server.close()
