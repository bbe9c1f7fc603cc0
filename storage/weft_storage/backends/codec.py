"""Values as the text that rows hold, and back. Knows no SQL and no database.

Whatever is not a column of its own is packed: base64 of one mark byte and a msgpack body, which is compressed where
that pays. Decoding raises `ValueError` for anything that encoding did not write.
"""

import binascii
import json
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from weft_storage.backends.rows import (
    KIND_NUMBERS,
    DetailRow,
    OutsideRow,
    detail_rows,
    edges_of,
    outside_of,
    outside_rows,
)
from weft_storage.model.edges import Edge, Outside
from weft_storage.model.files import Content, FileRecord, FileStatus, Trait
from weft_storage.model.languages import Language
from weft_storage.model.runs import ImporterRow, Run

FORMAT_VERSION = 1
"""Version of everything packed here. Raising it takes a migration that rewrites or drops what is older."""

CHUNK_SIZE = 1_000_000
"""Characters of JSON in one parameter, at most where its rows are not larger: D1 takes about that much."""

PIECE_SIZE = 512 * 1024
"""Characters of a long payload that stand in one row: D1 takes rows of 2 MB."""

# Below this zlib costs more time (12 µs a call) than the bytes it saves are worth.
_COMPRESS_FROM = 256
_PLAIN, _COMPRESSED, _ESCAPED = 0, 1, 2

T = TypeVar("T")


class _Record(msgspec.Struct, array_like=True, gc=False):
    status: FileStatus
    digest: str
    size: int
    trait: Trait
    language: Language | None
    oid: str
    reason: str
    imports: str
    interface: str
    problems: tuple[str, ...]


_RECORDS = msgspec.json.Decoder(list[_Record])
_DETAILS = msgspec.msgpack.Decoder(list[DetailRow])
_OUTSIDE = msgspec.msgpack.Decoder(list[OutsideRow])
_encode_json = msgspec.json.Encoder().encode
_encode_msgpack = msgspec.msgpack.Encoder().encode


# Text ------------------------------------------------------------------------------------------------


def encode_name(name: str) -> str:
    """A name or sentence as text that any database takes: as its JSON string where it is not such text."""
    if name.startswith('"') or "\0" in name or (not name.isascii() and _has_surrogates(name)):
        return json.dumps(name)
    return name


def decode_name(text: str) -> str:
    """The name that `encode_name` wrote."""
    return str(json.loads(text)) if text.startswith('"') else text


def chunks(fragments: Iterable[str], brackets: str = "[]") -> Iterator[str]:
    """JSON arrays (or objects) of the fragments, in order, longer than `CHUNK_SIZE` only for a single one."""
    held: list[str] = []
    size = 2
    for fragment in fragments:
        if held and size + len(fragment) > CHUNK_SIZE:
            yield brackets[0] + ",".join(held) + brackets[1]
            held, size = [], 2
        held.append(fragment)
        size += len(fragment) + 1
    if held:
        yield brackets[0] + ",".join(held) + brackets[1]


def encode_bytes(raw: bytes) -> str:
    """Bytes as base64."""
    return binascii.b2a_base64(raw, newline=False).decode("ascii")


def decode_bytes(text: str) -> bytes:
    """The bytes that `encode_bytes` wrote."""
    return binascii.a2b_base64(text)


def pieces(payload: bytes) -> list[str]:
    """A long payload as texts that fit into rows: at least one, possibly empty."""
    text = encode_bytes(payload)
    return [text[start : start + PIECE_SIZE] for start in range(0, len(text), PIECE_SIZE)] or [""]


def encode_part(raw: bytes) -> str:
    """A part of facts: base64 of what `pack_part` gives."""
    return encode_bytes(pack_part(raw))


def decode_part(text: str) -> bytes:
    """The bytes that `encode_part` wrote."""
    return unpack_part(decode_bytes(text))


def pack_part(raw: bytes) -> bytes:
    """A part of facts: a mark byte and the bytes, compressed where that pays; empty for no bytes."""
    return _compressed(_PLAIN, raw) if raw else b""


def unpack_part(packed: bytes) -> bytes:
    """The bytes that `pack_part` wrote."""
    return bytes(_body(packed)[1]) if packed else b""


# Runs and files --------------------------------------------------------------------------------------


def encode_run(run: Run) -> str:
    """A run as JSON, without its id."""
    return json.dumps(msgspec.to_builtins(msgspec.structs.replace(run, id=0)), separators=(",", ":"))


def decode_run(run_id: int, body: str) -> Run:
    """The run that `encode_run` wrote, with its id."""
    return msgspec.structs.replace(msgspec.convert(json.loads(body), Run), id=run_id)


def encode_record(record: FileRecord) -> str:
    """A file's record, less its path, as a JSON array that people can read: digests are hex."""
    content = record.content
    fields = (
        record.status,
        content.digest.hex(),
        content.size,
        content.trait,
        record.language,
        record.oid,
        record.reason,
        record.imports.hex(),
        record.interface.hex(),
        record.problems,
    )
    try:
        return _encode_json(fields).decode()
    except UnicodeEncodeError:  # Only the standard library's JSON can escape lone surrogates.
        return json.dumps(fields, separators=(",", ":"))


def decode_records(paths: Sequence[str], payloads: Sequence[str]) -> list[FileRecord]:
    """The records that `encode_record` wrote, with their paths."""
    text = f"[{','.join(payloads)}]"
    try:
        records = _RECORDS.decode(text)
    except msgspec.DecodeError:
        records = msgspec.convert(json.loads(text), list[_Record])
    if len(records) != len(paths):
        raise ValueError("a payload is not one record")
    unhex = bytes.fromhex
    return [
        FileRecord(
            path,
            record.status,
            Content(unhex(record.digest), record.size, record.trait),
            record.language,
            record.oid,
            record.reason,
            unhex(record.imports),
            unhex(record.interface),
            record.problems,
        )
        for path, record in zip(paths, records, strict=True)
    ]


def encode_problems(problems: tuple[str, ...]) -> str:
    """Sentences as a JSON array."""
    return json.dumps(problems) if problems else "[]"


def decode_problems(text: str) -> tuple[str, ...]:
    """The sentences that `encode_problems` wrote."""
    return () if text == "[]" else tuple(map(str, json.loads(text)))


# Rows of importers -----------------------------------------------------------------------------------


def encode_adjacency(row: ImporterRow, ids: Mapping[str, int]) -> str:
    """Where an importer's edges lead: ids of paths (32 bits, little-endian), then the numbers of the kinds (bytes)."""
    if not row.edges:
        return ""
    imported = array("I", [ids[edge.imported] for edge in row.edges])
    kinds = bytes([KIND_NUMBERS[edge.kind] for edge in row.edges])
    return encode_bytes(_little_endian(imported).tobytes() + kinds)


def decode_adjacency(text: str) -> tuple[bytes, bytes]:
    """Ids (32 bits, little-endian) and kinds (bytes) that `encode_adjacency` wrote."""
    raw = decode_bytes(text)
    count, rest = divmod(len(raw), 5)
    if rest:
        raise ValueError("an adjacency of broken length")
    return raw[: 4 * count], raw[4 * count :]


def encode_details(row: ImporterRow) -> str:
    """What else there is to say of an importer's edges, in their order."""
    if not row.edges:
        return ""
    return _pack(detail_rows(row))


def decode_edges(importer: str, adjacency: str, details: str, paths: Mapping[int, str]) -> list[Edge]:
    """The edges of an importer, sorted; `paths` names all that they lead to."""
    ids, kinds = decode_adjacency(adjacency)
    return edges_of(importer, path_ids(ids), kinds, _unpack(details, _DETAILS), paths)


def path_ids(raw: bytes) -> "array[int]":
    """Ids from their little-endian bytes."""
    return _little_endian(array("I", raw))


def encode_outside(row: ImporterRow) -> str:
    """Imports of an importer that lead to nothing in the repository."""
    if not row.outside:
        return ""
    return _pack(outside_rows(row))


def decode_outside(importer: str, text: str) -> list[Outside]:
    """The imports that `encode_outside` wrote, sorted."""
    return outside_of(importer, _unpack(text, _OUTSIDE))


def encode_reads(row: ImporterRow) -> str:
    """The hashes that an importer's resolution read, little-endian."""
    return encode_bytes(_little_endian(array("I", row.reads)).tobytes()) if row.reads else ""


# Packing ---------------------------------------------------------------------------------------------


def _pack(value: list[tuple[Any, ...]]) -> str:
    mark = _PLAIN
    try:
        body = _encode_msgpack(value)
    except UnicodeEncodeError:  # Text that is not valid Unicode: paths of any bytes, specifiers with lone surrogates.
        mark, body = _ESCAPED, _encode_msgpack(_map_text(msgspec.to_builtins(value), _escape))
    return encode_bytes(_compressed(mark, body))


def _unpack(text: str, decoder: "msgspec.msgpack.Decoder[list[T]]") -> list[T]:
    mark, body = _body(decode_bytes(text))
    if mark & _ESCAPED:
        return msgspec.convert(_map_text(msgspec.msgpack.decode(body), _unescape), decoder.type)
    return decoder.decode(body)


def _compressed(mark: int, body: bytes) -> bytes:
    if len(body) >= _COMPRESS_FROM:
        return bytes((mark | _COMPRESSED,)) + zlib.compress(body, 1)
    return bytes((mark,)) + body


def _body(raw: bytes) -> tuple[int, bytes]:
    if not raw or raw[0] > _COMPRESSED | _ESCAPED:
        raise ValueError("a payload without a known mark")
    if not raw[0] & _COMPRESSED:
        return raw[0], raw[1:]
    try:
        return raw[0], zlib.decompress(memoryview(raw)[1:])
    except zlib.error as exc:
        raise ValueError(str(exc)) from exc


def _map_text(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list | tuple):
        return [_map_text(each, change) for each in value]  # Rows are three lists deep.
    return value


def _escape(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")


def _unescape(text: str) -> str:
    return text.encode("ascii").decode("unicode_escape")


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _little_endian(numbers: "array[int]") -> "array[int]":
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
