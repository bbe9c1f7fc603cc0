"""Arrays of Postgres as numpy's. Makes no object for an edge."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from weft_storage.backends.arrays import rank_edges
from weft_storage.model.runs import StoredGraph

_HEADER = 20
"""Bytes before the elements of an array of one dimension, as `array_send` gives it."""


def build_graph(rows: Sequence[tuple[int, bytes, bytes]], paths: Iterable[tuple[int, str]]) -> StoredGraph:
    """The graph of all rows (id of the importer, what `array_send` gives of ids and of kinds) over these paths."""
    counts = [(len(imported) - _HEADER) // 8 for _, imported, _ in rows]
    importers = np.repeat(np.array([path_id for path_id, _, _ in rows], dtype=np.uint32), counts)
    imported = _elements([each for _, each, _ in rows], ">u4").astype(np.uint32)
    kinds = _elements([each for _, _, each in rows], ">u2").astype(np.uint64)
    if not len(importers) == len(imported) == len(kinds):
        raise ValueError("an adjacency of unequal halves")
    return rank_edges(importers, imported, kinds, lambda ids: (path for path in paths if path[0] in ids))


def _elements(sent: list[bytes], kind: str) -> npt.NDArray[np.unsignedinteger]:
    """Every element is its length in four bytes and its big-endian value."""
    words = np.frombuffer(b"".join(each[_HEADER:] for each in sent), np.dtype(kind))
    stride = 4 // words.itemsize + 1
    if len(words) % stride:
        raise ValueError("an array of broken length")
    return words[stride - 1 :: stride]
