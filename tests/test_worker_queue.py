"""What strangers put into the queue: a worker survives it, refuses it for good, and does the work behind it."""

import base64
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from planned_runs import job_of, planned_run
from weft_storage.backends import Store, open_store
from weft_storage.model.runs import RunState
from weft_tasks.jobs import fingerprint, pack_contents
from weft_tasks.worker.dispatch import Messages, queue_name
from workers import running_worker

QUEUE = f"weft:{queue_name('weft', fingerprint())}"
NO_PARTS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}

BODIES: dict[str, object] = {
    "an object": {"a": 1},
    "too short": [1, 2],
    "too long": [[], {}, NO_PARTS, 1],
    "a number": 7,
    "nothing": None,
    "arguments that are none": [1, 2, 3],
    "a chain that is none": [[], {}, NO_PARTS | {"chain": 7, "chord": "x", "callbacks": 1}],
}
HEADERS: dict[str, dict[str, object]] = {
    "a task that is no name": {"task": {"a": 1}},
    "a task that is a number": {"task": 7},
    "an id that is none": {"id": ["a"]},
    "limits that are none": {"timelimit": 7},
    "a time that is none": {"eta": "never"},
    "an expiry that is none": {"expires": {"a": 1}},
    "a group that is none": {"group": {"x": 1}, "retries": "a"},
}


@pytest.fixture
def store(postgres_url: str) -> Iterator[Store]:
    with open_store(postgres_url) as opened:
        yield opened


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    opened = redis.Redis.from_url(redis_url)
    yield opened
    opened.close()


def message(body: object, headers: dict[str, object] | None = None) -> bytes:
    """A message as Celery's clients send it, but for what is in it."""
    task = str(uuid.uuid4())
    arguments = {"lang": "py", "task": "weft.extract", "id": task, "root_id": task, "retries": 0}
    properties: dict[str, Any] = {
        "correlation_id": task,
        "delivery_info": {"exchange": "", "routing_key": QUEUE.removeprefix("weft:")},
        "delivery_tag": str(uuid.uuid4()),
        "body_encoding": "base64",
    }
    return json.dumps(
        {
            "body": base64.b64encode(json.dumps(body).encode()).decode(),
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": arguments | (headers or {}),
            "properties": properties,
        }
    ).encode()


class TestStrangers:
    def test_messages_that_make_no_sense_end_no_worker_and_do_not_come_again(
        self, store: Store, postgres_url: str, redis_url: str, client: "redis.Redis"
    ) -> None:
        nonsense = [message(body) for body in BODIES.values()]
        nonsense += [message([[], {}, NO_PARTS], headers) for headers in HEADERS.values()]
        with running_worker(postgres_url, redis_url) as worker:
            client.lpush(QUEUE, *nonsense)
            works_on(store, redis_url)
            worker.wait_for(lambda _: client.hlen("weft:unacked") == 0)
            assert worker.process.poll() is None
            assert any("makes no sense" in each for each in worker.messages())

    def test_what_is_no_message_ends_no_worker(
        self, store: Store, postgres_url: str, redis_url: str, client: "redis.Redis"
    ) -> None:
        with running_worker(postgres_url, redis_url) as worker:
            client.lpush(QUEUE, b"garbage", b"{}", b"[]", b"7", b'{"body": 1}', b"\x80\x04N.", b"[" * 100_000)
            works_on(store, redis_url)
            assert worker.process.poll() is None
            assert any("is no message" in each for each in worker.messages())


def works_on(store: Store, redis_url: str) -> None:
    """A run that is sent afterwards comes to its end."""
    files = {"a.py": b"import b\n", "b.py": b""}
    pack = pack_contents({job_of(path, source).key: source for path, source in files.items()})
    with Messages(redis_url) as messages, planned_run(store, [files], packs=[pack]) as planned:
        messages.send_run(planned.run.id, planned.labelled, planned.terms)
        planned.wait_until_over()
        assert planned.state() is RunState.PUBLISHED
