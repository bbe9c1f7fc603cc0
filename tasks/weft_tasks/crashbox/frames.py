"""Frames: messages on a byte stream, each a 4-byte length and that many bytes of msgpack."""

import struct
from typing import Any

from msgspec import msgpack

_HEADER = struct.Struct("<I")


def to_frame(message: Any) -> bytes:
    """A message as it goes onto the stream."""
    payload = msgpack.encode(message)
    return _HEADER.pack(len(payload)) + payload


class FrameReader:
    """Takes bytes as they come, gives whole payloads."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, received: bytes) -> list[bytes]:
        """The payloads that are complete now, in order."""
        self._buffer += received
        payloads, start = [], 0
        while len(self._buffer) - start >= _HEADER.size:
            (length,) = _HEADER.unpack_from(self._buffer, start)
            end = start + _HEADER.size + length
            if len(self._buffer) < end:
                break
            payloads.append(bytes(self._buffer[start + _HEADER.size : end]))
            start = end
        del self._buffer[:start]
        return payloads
