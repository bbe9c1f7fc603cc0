"""The driver of one helper process. Knows how files fail; knows nothing of where they come from.

One box belongs to one thread. The helper is started at the first file and again after each that ended it.
"""

import os
import select
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from msgspec import msgpack

from weft_storage.model.languages import Language
from weft_storage.model.runs import StoredFacts
from weft_storage.model.work import Limits
from weft_tasks.crashbox.child import EXIT_MEMORY
from weft_tasks.crashbox.frames import FrameReader, to_frame

# Requests sent ahead of their answers: the helper never waits for the driver, and a death loses little.
_WINDOW = 4
_CHUNK = 1 << 20
# The kernel ends a helper at its deadline; the driver waits a little longer before it does so itself.
_GRACE_SECONDS = 5.0

# Signals that a process brings upon itself.
_FAULTS = frozenset(
    {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGSYS, signal.SIGTRAP}
)

_START = (
    "import sys; sys.path[:] = sys.argv[4:]; "
    "from weft_tasks.crashbox.child import main; main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))"
)

_answer_decoder = msgpack.Decoder(tuple[StoredFacts | None, str])


@dataclass(frozen=True, slots=True)
class Request:
    """One content to extract, by the key of its facts."""

    key: bytes
    language: Language
    source: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: its facts, or the reason why there are none.

    `poison` says that the content itself ended the helper (or made the extractor fail): it would do so again.
    """

    key: bytes
    facts: StoredFacts | None
    reason: str = ""
    poison: bool = False


class CrashBox:
    """Extracts contents in a helper process under limits; a content that ends the helper is named, the rest goes on."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._reader = FrameReader()
        self._outgoing: deque[memoryview] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the helper; idempotent."""
        if self._channel is not None:
            self._channel.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._process = self._channel = None
        self._reader, self._outgoing = FrameReader(), deque()

    def interrupt(self) -> None:
        """End the helper from another thread: whoever waits for an answer gets an outcome at once."""
        process = self._process
        if process is not None:
            process.kill()

    def extract(self, requests: Iterable[Request]) -> Iterator[Outcome]:
        """The outcome of each request, in order; requests are taken a few ahead of the outcomes.

        The helper works in order, so when it dies the oldest request without an answer is the guilty one, and
        those behind it are sent again to the next helper.
        """
        waiting: deque[Request] = deque()
        source = iter(requests)
        exhausted = False
        while True:
            while not exhausted and len(waiting) < _WINDOW:
                request = next(source, None)
                if request is None:
                    exhausted = True
                else:
                    waiting.append(request)
                    self._send(request)
            if not waiting:
                return
            answers = self._receive()
            for facts, reason in answers:
                yield Outcome(waiting.popleft().key, facts, reason, poison=facts is None)
            if not answers:
                guilty = waiting.popleft()
                reason, poison = self._cause_of_death()
                yield Outcome(guilty.key, None, reason, poison)
                for request in waiting:
                    self._send(request)

    def _send(self, request: Request) -> None:
        if self._process is None:
            self._start()
        self._outgoing.append(memoryview(to_frame((request.key, request.language.value, request.source))))

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        # Only folders by absolute path: the current folder belongs to the repository under analysis.
        path = [each for each in sys.path if os.path.isabs(each)]
        limits = (str(self._limits.memory), str(self._limits.timeout))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _START, str(theirs.fileno()), *limits, *path],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
            )
        ours.setblocking(False)
        self._channel = ours

    def _receive(self) -> list[tuple[StoredFacts | None, str]]:
        """The next answers, at least one; none when the helper is dead or had to be ended."""
        assert self._channel is not None
        poller = select.poll()
        while True:
            poller.register(self._channel, select.POLLIN | (select.POLLOUT if self._outgoing else 0))
            events = poller.poll((self._limits.timeout + _GRACE_SECONDS) * 1000)
            if not events:
                return []
            try:
                if self._outgoing and events[0][1] & select.POLLOUT:
                    frame = self._outgoing.popleft()
                    if left := frame[self._channel.send(frame) :]:
                        self._outgoing.appendleft(left)
                if events[0][1] & ~select.POLLOUT:
                    received = self._channel.recv(_CHUNK)
                    if not received:
                        return []
                    if answers := self._reader.feed(received):
                        return [_answer_decoder.decode(answer) for answer in answers]
            except (ConnectionError, BrokenPipeError):
                return []

    def _cause_of_death(self) -> tuple[str, bool]:
        """Why the helper ended, as a sentence, and whether the file is to blame; ends it first where it still runs."""
        assert self._process is not None
        try:
            code = self._process.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            code = -signal.SIGALRM
        self.close()
        if code == -signal.SIGALRM:
            return f"extraction took longer than {self._limits.timeout:g} seconds", True
        if code == EXIT_MEMORY:
            return f"extraction needed more than {self._limits.memory >> 20} MiB of memory", True
        if -code in _FAULTS:
            return f"the parser crashed ({signal.Signals(-code).name})", True
        # Somebody killed it (the system, when memory ran out), or it could not start: another time it may go well.
        ended = f"signal {-code}" if code < 0 else f"exit code {code}"
        return f"the extractor process ended unexpectedly ({ended})", False
