"""The crash box: one file is the unit of failure, with real helper processes and real limits."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weft_storage.model.languages import Language
from weft_tasks.crashbox import CrashBox, Limits, Request
from weft_tasks.crashbox.frames import FrameReader, to_frame
from weft_tasks.extract.encoding import decode_imports

GOOD = b"import a\n"
# Deep nesting makes the parser's stack and the tree grow far beyond the size of the text.
HUNGRY = b"(" * 6_000_000
SLOW = b"x = [\n" + b"    [1, 2, (3, 4)],\n" * 400_000


def request(number: int, source: bytes) -> Request:
    return Request(number.to_bytes(16, "big"), Language.PYTHON, source)


@pytest.fixture
def box() -> Iterator[CrashBox]:
    with CrashBox(Limits(memory=2 << 30, timeout=20)) as opened:
        yield opened


def test_facts_come_in_the_order_of_the_requests(box: CrashBox) -> None:
    requests = [request(number, b"import m%d\n" % number) for number in range(50)]
    outcomes = list(box.extract(requests))
    assert [outcome.key for outcome in outcomes] == [each.key for each in requests]
    specifiers = [decode_imports(outcome.facts.imports)[0].specifier for outcome in outcomes if outcome.facts]
    assert specifiers == [f"m{number}" for number in range(50)]


def test_one_helper_serves_many_batches(box: CrashBox) -> None:
    list(box.extract([request(0, GOOD)]))
    first = helper_pid(box)
    list(box.extract([request(1, GOOD)]))
    assert helper_pid(box) == first


def test_a_file_that_needs_too_much_memory_is_named_and_the_rest_goes_on() -> None:
    with CrashBox(Limits(memory=256 << 20, timeout=60)) as box:
        outcomes = list(box.extract([request(0, GOOD), request(1, HUNGRY), request(2, GOOD), request(3, GOOD)]))
    assert [outcome.facts is not None for outcome in outcomes] == [True, False, True, True]
    assert outcomes[1].poison
    assert outcomes[1].reason


def test_a_file_that_takes_too_long_is_named_and_the_rest_goes_on() -> None:
    with CrashBox(Limits(timeout=0.2)) as box:
        began = time.monotonic()
        outcomes = list(box.extract([request(0, GOOD), request(1, SLOW), request(2, GOOD)]))
        took = time.monotonic() - began
    assert [outcome.facts is not None for outcome in outcomes] == [True, False, True]
    assert outcomes[1].reason == "extraction took longer than 0.2 seconds"
    assert took < 5


def test_a_crash_is_blamed_on_the_file_in_hand_and_the_rest_goes_on() -> None:
    with CrashBox(Limits(timeout=30)) as box:
        list(box.extract([request(0, GOOD)]))
        killer = threading.Timer(0.3, os.kill, (helper_pid(box), signal.SIGSEGV))
        killer.start()
        outcomes = list(box.extract([request(1, SLOW), request(2, GOOD)]))
        killer.join()
    assert outcomes[0].facts is None
    assert outcomes[0].reason == "the parser crashed (SIGSEGV)"
    assert outcomes[1].facts is not None


def test_a_helper_that_somebody_killed_is_no_fault_of_the_file(box: CrashBox) -> None:
    list(box.extract([request(0, GOOD)]))
    os.kill(helper_pid(box), signal.SIGKILL)
    (outcome,) = box.extract([request(1, GOOD)])
    assert (outcome.facts, outcome.poison) == (None, False)
    assert outcome.reason == "the extractor process ended unexpectedly (signal 9)"


def test_a_large_answer_and_a_large_request_do_not_wait_for_each_other(box: CrashBox) -> None:
    large = b"".join(b"import module_number_%d\n" % number for number in range(40_000))
    outcomes = list(box.extract([request(number, large) for number in range(6)]))
    assert all(outcome.facts for outcome in outcomes)


def test_an_interrupt_ends_the_wait_at_once() -> None:
    with CrashBox(Limits(timeout=60)) as box:
        list(box.extract([request(0, GOOD)]))
        threading.Timer(0.3, box.interrupt).start()
        began = time.monotonic()
        outcomes = list(box.extract([request(1, SLOW * 4)]))
        assert outcomes[0].facts is None
        assert time.monotonic() - began < 10


def test_the_helper_ends_with_its_driver() -> None:
    with CrashBox(Limits()) as box:
        list(box.extract([request(0, GOOD)]))
        pid = helper_pid(box)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_helper_does_not_load_code_of_the_current_folder(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that a scan starts in belongs to the repository under analysis."""
    folder = str(tmp_path)
    for name in ("msgspec.py", "weft_tasks.py", "tree_sitter.py"):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write("raise SystemExit('loaded code of the repository')\n")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend("")
    with CrashBox(Limits()) as box:
        (outcome,) = box.extract([request(0, GOOD)])
    assert outcome.facts is not None


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 50))
def test_frames_come_out_as_they_went_in_however_they_are_cut(payloads: list[bytes], step: int) -> None:
    stream = b"".join(to_frame(payload) for payload in payloads)
    reader = FrameReader()
    received = [frame for at in range(0, len(stream), step) for frame in reader.feed(stream[at : at + step])]
    assert [to_frame(payload)[4:] for payload in payloads] == received


def helper_pid(box: CrashBox) -> int:
    process = box._process
    assert process is not None
    return process.pid
