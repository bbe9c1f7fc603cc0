"""Packed rows of importers as arrays: the only part of the stores that needs numpy, so the only one that loads it."""

from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from weft_storage.backends.codec import decode_adjacency, decode_bytes
from weft_storage.model.runs import StoredGraph

EMPTY_GRAPH = StoredGraph((), b"", b"", b"")

Ids = npt.NDArray[np.uint32]
Kinds = npt.NDArray[np.uint64]


def build_graph(
    rows: Sequence[tuple[int, str]], texts_of: Callable[[Collection[int]], Iterable[tuple[int, str]]]
) -> StoredGraph:
    """The graph of all rows (id of the importer, its adjacency); `texts_of` gives the paths of ids."""
    return rank_edges(*_edges(rows), texts_of)


def rank_edges(
    importers: Ids, imported: Ids, kinds: Kinds, texts_of: Callable[[Collection[int]], Iterable[tuple[int, str]]]
) -> StoredGraph:
    """The graph of edges between ids of paths; `texts_of` gives the paths of ids.

    Ids become their ranks among the sorted paths that are an end of an edge.
    """
    ids = np.unique(np.concatenate([importers, imported]))
    named = sorted(((text, path_id) for path_id, text in texts_of(set(ids.tolist()))))
    order = np.array([path_id for _, path_id in named], dtype=np.uint32)
    if len(order) != len(ids):
        raise ValueError("edges to a path without a name")
    ranks = np.zeros(int(ids[-1]) + 1 if len(ids) else 0, dtype=np.uint64)
    ranks[order] = np.arange(len(order), dtype=np.uint64)
    # One number per edge sorts several times faster than three columns. 28 bits are enough for 268 million paths.
    numbers = np.sort(ranks[importers] << np.uint64(36) | ranks[imported] << np.uint64(8) | kinds)
    return StoredGraph(
        paths=tuple(text for text, _ in named),
        importers=(numbers >> np.uint64(36)).astype(np.uint32).tobytes(),
        imported=(numbers >> np.uint64(8) & np.uint64(2**28 - 1)).astype(np.uint32).tobytes(),
        kinds=numbers.astype(np.uint8).tobytes(),
    )


def replace_importers(
    graph: StoredGraph, importers: Collection[str], edges: Collection[tuple[str, str, int]]
) -> StoredGraph:
    """The graph with all edges of some importers replaced by others (importer, imported, number of the kind)."""
    ids = {path: number for number, path in enumerate(graph.paths)}
    dropped = np.array([ids[path] for path in importers if path in ids], dtype=np.uint32)
    old = np.frombuffer(graph.importers, np.uint32)
    kept = ~np.isin(old, dropped)
    added = [(ids.setdefault(a, len(ids)), ids.setdefault(b, len(ids)), kind) for a, b, kind in edges]
    new = np.array(added, dtype=np.uint32).reshape(-1, 3)
    texts = list(ids)
    return rank_edges(
        np.concatenate([old[kept], new[:, 0]]),
        np.concatenate([np.frombuffer(graph.imported, np.uint32)[kept], new[:, 1]]),
        np.concatenate([np.frombuffer(graph.kinds, np.uint8)[kept], new[:, 2]]).astype(np.uint64),
        lambda wanted: ((number, texts[number]) for number in wanted),
    )


def imported_ids(rows: Iterable[tuple[int, str]]) -> set[int]:
    """Ids of all paths that some adjacency leads to."""
    ids = b"".join(decode_adjacency(payload)[0] for _, payload in rows)
    return set(np.unique(np.frombuffer(ids, "<u4")).tolist())


def rows_that_read(rows: Sequence[tuple[int, str]], hashes: Collection[int]) -> set[int]:
    """Ids of the importers (id, packed reads) that read one of the hashes."""
    return raw_rows_that_read([(path_id, decode_bytes(payload)) for path_id, payload in rows], hashes)


def raw_rows_that_read(rows: Sequence[tuple[int, bytes]], hashes: Collection[int]) -> set[int]:
    """Ids of the importers (id, little-endian reads) that read one of the hashes."""
    packed = [payload for _, payload in rows]
    reads = np.frombuffer(b"".join(packed), "<u4")
    ends = np.cumsum([len(each) // 4 for each in packed])
    hits = np.flatnonzero(np.isin(reads, np.fromiter(hashes, np.uint32, len(hashes))))
    found = np.unique(np.searchsorted(ends, hits, side="right"))
    return {rows[number][0] for number in found.tolist()}


def _edges(rows: Sequence[tuple[int, str]]) -> tuple[Ids, Ids, Kinds]:
    halves = [decode_adjacency(payload) for _, payload in rows]
    counts = [len(kinds) for _, kinds in halves]
    importers = np.repeat(np.array([path_id for path_id, _ in rows], dtype=np.uint32), counts)
    imported = np.frombuffer(b"".join(ids for ids, _ in halves), "<u4").astype(np.uint32)
    kinds = np.frombuffer(b"".join(kinds for _, kinds in halves), np.uint8).astype(np.uint64)
    return importers, imported, kinds
