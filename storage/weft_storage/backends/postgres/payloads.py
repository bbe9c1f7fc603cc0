"""Values as Postgres holds them, and back. Knows no SQL and no database.

What SQL may ask is jsonb, which cannot hold every text: NUL and lone surrogates. Such texts stand in it as
`codec.encode_name` writes them. Decoding raises `ValueError` for anything that encoding did not write.
"""

import json
import sys
from array import array
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from weft_storage.backends import codec
from weft_storage.backends.base import KINDS
from weft_storage.model.edges import Edge, Outside, Status
from weft_storage.model.facts import EdgeKind
from weft_storage.model.runs import ImporterRow, Run

_KIND_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}

_HEADER = 20
"""Bytes before the elements of an array of one dimension, as `array_send` gives it."""

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


class _Detail(msgspec.Struct, array_like=True, gc=False):
    line: int
    specifier: str
    names: tuple[str, ...]
    ambiguous: bool


class _OutsideRow(msgspec.Struct, array_like=True, gc=False):
    line: int
    specifier: str
    status: Status
    kind: EdgeKind
    names: tuple[str, ...]
    package: str
    probed: tuple[str, ...]


_DETAILS = msgspec.json.Decoder(list[_Detail])
_OUTSIDE = msgspec.json.Decoder(list[_OutsideRow])
_encode_json = msgspec.json.Encoder().encode


def encode_summary(run: Run) -> str:
    """What SQL may ask of a run, as text for jsonb."""
    fields = msgspec.to_builtins(run)
    return json.dumps(_map_text({name: fields[name] for name in _SUMMARY}, codec.encode_name))


def encode_targets(row: ImporterRow, ids: Mapping[str, int]) -> tuple[list[int], list[int]]:
    """Where an importer's edges lead: ids of paths, and numbers of kinds."""
    return [ids[edge.imported] for edge in row.edges], [_KIND_NUMBERS[edge.kind] for edge in row.edges]


def encode_details(row: ImporterRow) -> str:
    """What else there is to say of an importer's edges, in their order, as text for jsonb."""
    return _encode([(edge.line, edge.specifier, edge.names, edge.ambiguous) for edge in row.edges])


def decode_edges(importer: str, imported: bytes, kinds: bytes, details: str, paths: Mapping[int, str]) -> list[Edge]:
    """The edges of an importer, sorted; `paths` names all that they lead to."""
    rows = _decode(details, _DETAILS)
    found = [
        Edge(importer, paths[target], KINDS[kind], row.line, row.specifier, row.names, row.ambiguous)
        for target, kind, row in zip(ids_of(imported), _elements(kinds, "H"), rows, strict=True)
    ]
    return sorted(found)


def encode_outside(row: ImporterRow) -> str:
    """Imports of an importer that lead to nothing in the repository, as text for jsonb."""
    return _encode(
        [
            (each.line, each.specifier, each.status, each.kind, each.names, each.package, each.probed)
            for each in row.outside
        ]
    )


def decode_outside(importer: str, text: str) -> list[Outside]:
    """The imports that `encode_outside` wrote, sorted."""
    found = [
        Outside(importer, row.line, row.specifier, row.status, row.kind, row.names, row.package, row.probed)
        for row in _decode(text, _OUTSIDE)
    ]
    return sorted(found)


def encode_reads(row: ImporterRow) -> bytes:
    """The hashes that an importer's resolution read, little-endian."""
    hashes = array("I", row.reads)
    if sys.byteorder == "big":
        hashes.byteswap()
    return hashes.tobytes()


def ids_of(sent: bytes) -> "array[int]":
    """The numbers of an `integer[]` that `array_send` gave."""
    return _elements(sent, "I")


def _elements(sent: bytes, code: str) -> "array[int]":
    """Every element is its length in four bytes and its big-endian value in as many as an item of `code` has."""
    words = array(code)
    words.frombytes(sent[_HEADER:])
    if sys.byteorder == "little":
        words.byteswap()
    stride = 4 // words.itemsize + 1
    if len(words) % stride:
        raise ValueError("an array of broken length")
    return words[stride - 1 :: stride]


def _encode(value: list[tuple[Any, ...]]) -> str:
    try:
        text = _encode_json(value).decode()
    except UnicodeEncodeError:  # Lone surrogates.
        text = ""
    if text and not _may_be_encoded(text) and "\\u0000" not in text:
        return text
    return _encode_json(_map_text(msgspec.to_builtins(value), codec.encode_name)).decode()


def _decode(text: str, decoder: "msgspec.json.Decoder[list[Any]]") -> list[Any]:
    if not _may_be_encoded(text):
        return decoder.decode(text)
    decoded: list[Any] = msgspec.convert(_map_text(msgspec.json.decode(text), codec.decode_name), decoder.type)
    return decoded


def _may_be_encoded(text: str) -> bool:
    """Whether some string in the JSON begins with a quote, as those of `codec.encode_name` do."""
    return '"\\"' in text


def _map_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list | tuple):
        return [_map_text(each, change) for each in value]  # Rows are three lists deep.
    if isinstance(value, dict):
        return {change(name): _map_text(each, change) for name, each in value.items()}
    return value
