"""Packs: contents of jobs that travel with their batch, compressed. Pure."""

import zlib
from collections.abc import Mapping, Sequence

import msgspec

from weft_storage.model.work import Job

# Source compresses three to five times at any level; the higher ones take many times as long.
_LEVEL = 1

# What msgpack adds to one entry: the headers of its key and of its bytes.
_ENTRY_BYTES = 16
_MAP_BYTES = 16

_decoder = msgspec.msgpack.Decoder(dict[bytes, bytes])


class PackError(ValueError):
    """A pack is not what `pack_contents` made for these jobs."""


def pack_contents(contents: Mapping[bytes, bytes]) -> bytes:
    """Contents by the keys of their jobs, as one string of bytes."""
    return zlib.compress(msgspec.msgpack.encode(dict(contents)), _LEVEL)


def unpack_contents(pack: bytes, jobs: Sequence[Job]) -> dict[bytes, bytes]:
    """What was packed for these jobs. Raises PackError.

    Never unpacks more than the sizes of the jobs allow, whatever the pack says. Contents need not be those of the
    jobs: whoever uses them compares digests. Those that have another size come out as they are, or not at all.
    """
    most = _MAP_BYTES + sum(len(job.key) + job.content.size + _ENTRY_BYTES for job in jobs)
    try:
        return _decoder.decode(_decompress(pack, most))
    except (zlib.error, msgspec.DecodeError) as error:
        raise PackError(f"the pack of contents is damaged: {error}") from error


def part_of_pack(pack: bytes | None, jobs: Sequence[Job], whole: Sequence[Job]) -> bytes | None:
    """The contents of some jobs out of the pack of the `whole` batch; None where there is none or it is damaged.

    A batch without contents that it needs asks for them.
    """
    if pack is None:
        return None
    try:
        contents = unpack_contents(pack, whole)
    except PackError:
        return None
    return pack_contents({job.key: contents[job.key] for job in jobs if job.key in contents})


def _decompress(pack: bytes, most: int) -> bytes:
    stream = zlib.decompressobj()
    body = stream.decompress(pack, most + 1)
    if len(body) > most:
        raise PackError("the pack of contents holds more than its jobs")
    if not stream.eof or stream.unused_data:
        raise PackError("the pack of contents is damaged: it does not end where it should")
    return body
