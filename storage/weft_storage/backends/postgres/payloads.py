"""Values as Postgres holds them, and back. Knows no SQL and no database.

What SQL may ask is jsonb, which cannot hold every text: NUL and lone surrogates. Such texts stand in it as
`codec.encode_name` writes them. Decoding raises `ValueError` for anything that encoding did not write.
"""

import json
import sys
from array import array
from collections.abc import Callable, Mapping
from struct import Struct
from typing import Any

import msgspec

from weft_storage.backends import codec
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
from weft_storage.model.runs import ImporterRow, Run

# Postgres's binary formats. An array: dimensions, whether there are nulls, type, and length and lower bound of the
# dimension; then every element as its length in four bytes and its big-endian value.
_ROW_START = Struct(">hii")
_LENGTH = Struct(">i")
_ARRAY_START = Struct(">iiIii")
_INTEGER, _SMALLINT = 23, 21
_JSONB_VERSION = b"\x01"

_ENCODED = '"\\"'
"""Stands in JSON where some string begins with a quote, as those of `codec.encode_name` may."""

_SUMMARY = (
    "revision",
    "started",
    "finished",
    "counts",
    "edges",
    "unresolved",
    "affected",
    "components",
    "cache_hit_rate",
    "seconds",
    "error",
    "host",
    "pid",
    "version",
)


_DETAILS = msgspec.json.Decoder(list[DetailRow])
_OUTSIDE = msgspec.json.Decoder(list[OutsideRow])
_encode_json = msgspec.json.Encoder().encode


def encode_summary(run: Run) -> str:
    """What SQL may ask of a run, as text for jsonb."""
    fields = msgspec.to_builtins(run)
    return json.dumps(_map_text({name: fields[name] for name in _SUMMARY}, codec.encode_name))


def binary_row(path: int, *fields: bytes) -> bytes:
    """A row of COPY's binary format: an `integer`, and fields in their binary format."""
    parts = [_ROW_START.pack(1 + len(fields), 4, path)]
    for field in fields:
        parts += (_LENGTH.pack(len(field)), field)
    return b"".join(parts)


def encode_targets(row: ImporterRow, ids: Mapping[str, int]) -> tuple[bytes, bytes]:
    """Where an importer's edges lead, in binary format: `integer[]` of paths' ids, `smallint[]` of kinds' numbers."""
    imported, kinds = array("I", bytes(8 * len(row.edges))), array("H", bytes(6 * len(row.edges)))
    imported[0::2] = array("I", [4]) * len(row.edges)
    imported[1::2] = array("I", [ids[edge.imported] for edge in row.edges])
    kinds[1::3] = array("H", [2]) * len(row.edges)
    kinds[2::3] = array("H", [KIND_NUMBERS[edge.kind] for edge in row.edges])
    return _binary_array(_INTEGER, len(row.edges), imported), _binary_array(_SMALLINT, len(row.edges), kinds)


def encode_details(row: ImporterRow) -> bytes:
    """What else there is to say of an importer's edges, in their order, as `jsonb` in binary format."""
    return _encode(detail_rows(row))


def decode_edges(importer: str, imported: bytes, kinds: bytes, details: str, paths: Mapping[int, str]) -> list[Edge]:
    """The edges of an importer, sorted; `paths` names all that they lead to."""
    return edges_of(importer, ids_of(imported), _elements(kinds, "H"), _decode(details, _DETAILS), paths)


def encode_outside(row: ImporterRow) -> bytes:
    """Imports of an importer that lead to nothing in the repository, as `jsonb` in binary format."""
    return _encode(outside_rows(row))


def decode_outside(importer: str, text: str) -> list[Outside]:
    """The imports that `encode_outside` wrote, sorted."""
    return outside_of(importer, _decode(text, _OUTSIDE))


def encode_reads(row: ImporterRow) -> bytes:
    """The hashes that an importer's resolution read, little-endian."""
    hashes = array("I", row.reads)
    if sys.byteorder == "big":
        hashes.byteswap()
    return hashes.tobytes()


def ids_of(sent: bytes) -> "array[int]":
    """The numbers of an `integer[]` that `array_send` gave."""
    return _elements(sent, "I")


def _binary_array(kind: int, count: int, elements: "array[int]") -> bytes:
    if sys.byteorder == "little":
        elements.byteswap()
    return _ARRAY_START.pack(1, 0, kind, count, 1) + elements.tobytes()


def _elements(sent: bytes, code: str) -> "array[int]":
    words = array(code)
    words.frombytes(sent[_ARRAY_START.size :])
    if sys.byteorder == "little":
        words.byteswap()
    stride = 4 // words.itemsize + 1
    if len(words) % stride:
        raise ValueError("an array of broken length")
    return words[stride - 1 :: stride]


def _encode(value: list[tuple[Any, ...]]) -> bytes:
    try:
        raw = _encode_json(value)
    except UnicodeEncodeError:  # Lone surrogates.
        raw = b""
    if not raw or b"\\u0000" in raw or _ENCODED.encode() in raw:
        raw = _encode_json(_map_text(msgspec.to_builtins(value), codec.encode_name))
    return _JSONB_VERSION + raw


def _decode(text: str, decoder: "msgspec.json.Decoder[list[Any]]") -> list[Any]:
    if _ENCODED not in text:
        return decoder.decode(text)
    decoded: list[Any] = msgspec.convert(_map_text(msgspec.json.decode(text), codec.decode_name), decoder.type)
    return decoded


def _map_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list | tuple):
        return [_map_text(each, change) for each in value]  # Rows are three lists deep.
    if isinstance(value, dict):
        return {change(name): _map_text(each, change) for name, each in value.items()}
    return value
