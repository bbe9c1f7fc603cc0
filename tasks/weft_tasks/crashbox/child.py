"""The helper process of a crash box: reads requests, extracts, answers. It may die at any file; nothing is lost.

Its limits are the kernel's, so that they hold when the parser hangs or runs away inside C code: RLIMIT_AS
for memory, and SIGALRM, at its default action of ending the process, as the deadline of each file.
"""

import resource
import signal
import socket
import sys

from msgspec import msgpack

from weft_storage.model.languages import Language
from weft_storage.model.runs import StoredFacts
from weft_tasks.crashbox.frames import FrameReader, to_frame
from weft_tasks.extract import extract
from weft_tasks.extract.encoding import encode_facts

_request_decoder = msgpack.Decoder(tuple[bytes, str, bytes])

# A MemoryError leaves the process in a state that nobody has tested; it ends with this code.
EXIT_MEMORY = 87

_CHUNK = 1 << 20


def main(descriptor: int, memory: int, timeout: float) -> None:
    """Serve the socket at a file descriptor until its other end closes. `memory` in bytes, `timeout` in seconds."""
    _limit(memory)
    channel = socket.socket(fileno=descriptor)
    reader = FrameReader()
    while received := channel.recv(_CHUNK):
        for payload in reader.feed(received):
            channel.sendall(_answer(payload, timeout))


def _limit(memory: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if memory and (hard == resource.RLIM_INFINITY or memory <= hard):
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _answer(payload: bytes, timeout: float) -> bytes:
    key, language, source = _request_decoder.decode(payload)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        facts = encode_facts(key, extract(Language(language), source))
        answer: tuple[StoredFacts | None, str] = (facts, "")
    except MemoryError:
        sys.exit(EXIT_MEMORY)
    except Exception as problem:  # A fault of the extractor is a failure of this one file.
        answer = (None, f"the extractor failed: {type(problem).__name__}: {problem}")
    signal.setitimer(signal.ITIMER_REAL, 0)
    return to_frame(answer)
