"""The jobs of a batch as bytes, and back. Knows no database.

Decoding raises `ValueError` for anything that encoding did not write, and never takes more memory than what was
written can be worth: rows may be anybody's.
"""

import json
import zlib
from collections import Counter
from collections.abc import Sequence

import msgspec

from weft_storage.model.work import Job

# Jobs are paths and identities, some 150 bytes each: this is more than any batch has.
_MOST_JOBS = 64 << 20
_LEVEL = 1
_PLAIN, _ESCAPED = b"\0", b"\1"

_JOBS = msgspec.msgpack.Decoder(tuple[Job, ...])


def encode_jobs(jobs: Sequence[Job]) -> bytes:
    """A mark byte and the jobs, compressed. Paths may hold any bytes: msgpack refuses them, only JSON can escape."""
    try:
        return _PLAIN + zlib.compress(msgspec.msgpack.encode(jobs), _LEVEL)
    except UnicodeEncodeError:
        return _ESCAPED + zlib.compress(json.dumps(msgspec.to_builtins(jobs)).encode(), _LEVEL)


def decode_jobs(payload: bytes) -> tuple[Job, ...]:
    """The jobs that `encode_jobs` wrote."""
    mark, body = payload[:1], _decompress(payload[1:], _MOST_JOBS)
    if mark == _PLAIN:
        return _JOBS.decode(body)
    if mark == _ESCAPED:
        return msgspec.convert(json.loads(body), tuple[Job, ...])
    raise ValueError("jobs without a known mark")


def languages_of(jobs: Sequence[Job]) -> str:
    """The languages of some jobs for people, the commonest first."""
    counted = Counter(job.language.value for job in jobs)
    return ", ".join(sorted(counted, key=lambda language: (-counted[language], language)))


def _decompress(payload: bytes, most: int) -> bytes:
    stream = zlib.decompressobj()
    try:
        body = stream.decompress(payload, most + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(body) > most or not stream.eof or stream.unused_data:
        raise ValueError("a payload that does not end where it should")
    return body
