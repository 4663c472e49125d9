"""Exact nearest neighbours by blocks: fast float32 products to rule rows out, float64 to decide.

One product of matrices gives a rough distance of every row of a block, with a bound on its error. Only rows whose rough
distance is within that bound of the k-th nearest so far are measured again in float64; they decide. So the answer is
that of the slow way, row by row in float64, ties included: equal distances are ordered by id, the smaller first.
Memory stays at a few blocks whatever the set's size. Distances of bits are whole numbers below 2^24, exact at once.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.model.metric import Metric

__all__ = ["Nearest", "measure_pairs"]

_Vectors = npt.NDArray[Any]
_Ids = npt.NDArray[np.int64]
_Floats = npt.NDArray[Any]

_GROUP_QUERIES = 256
_PIECE_ROWS = 16_384
"""Rough distances of a piece are 16 MB: they stay in a third-level cache."""
_FIRST_ROWS = 4_096
_PAIR_CELLS = 1 << 20
_ROUND_ROWS = 1_024
"""Candidates of one query merged at once."""


class Nearest:
    """The k nearest rows seen so far, for each query.

    Args:
        queries: (nq, dim) float32, or (nq, dim / 8) uint8.
        k: neighbours kept.
        metric: L2, IP or COSINE for floats, HAMMING or JACCARD for bits.
    """

    def __init__(self, queries: _Vectors, *, k: int, metric: Metric) -> None:
        self._queries = queries
        self._k = k
        self._metric = metric
        self._rough = _ROUGH[metric](queries)
        self.ids: _Ids = np.full((len(queries), k), -1, dtype=np.int64)
        self.distances: _Floats = np.full((len(queries), k), np.inf, dtype=np.float64)

    def add(self, ids: _Ids, rows: _Vectors) -> None:
        """Takes in a block; ids ascend, and are above those of every block before it."""
        begin = 0
        while begin < len(rows):
            unfilled = bool(np.isinf(self.distances[:, -1]).any())
            end = begin + (max(_FIRST_ROWS, self._k) if unfilled else _PIECE_ROWS)
            self._add_piece(ids[begin:end], rows[begin:end])
            begin = end

    def _add_piece(self, ids: _Ids, rows: _Vectors) -> None:
        prepared, error_per_query = self._rough.prepare(rows)
        for start in range(0, len(self._queries), _GROUP_QUERIES):
            group = slice(start, start + _GROUP_QUERIES)
            rough = self._rough.measure(group, prepared)
            self._add_group(group, rough, error_per_query[group], ids, rows)

    def _add_group(self, group: slice, rough: _Floats, error: _Floats, ids: _Ids, rows: _Vectors) -> None:
        limit = self._limit(group, rough, error)
        # Looking for True in one dimension is several times quicker than in two.
        places, columns = np.divmod(np.flatnonzero(rough <= limit[:, None]), rough.shape[1])
        if not len(places):
            return
        places, columns = self._tighten(group, rough, error, places, columns)
        distances = measure_pairs(self._queries[group], rows, places, columns, metric=self._metric)
        self._merge(group, places, ids[columns], distances)

    def _limit(self, group: slice, rough: _Floats, error: _Floats) -> _Floats:
        """(queries,) rough distance above which no row of the piece can be among the k nearest."""
        limit = self.distances[group, -1] + error
        if np.isinf(limit).any() and rough.shape[1] >= self._k:
            kth = np.partition(rough, self._k - 1, axis=1)[:, self._k - 1].astype(np.float64)
            limit = np.minimum(limit, kth + 2 * error)
        # One step up: comparing is in float32, and must not rule out what rounding put on the edge.
        return np.nextafter(limit.astype(np.float32), np.float32(np.inf))

    def _tighten(self, group: slice, rough: _Floats, error: _Floats, places: _Ids, columns: _Ids) -> tuple[_Ids, _Ids]:
        """Of the pairs that pass, those that pass beside one another too: saves measuring nine in ten."""
        counts = np.bincount(places, minlength=rough.shape[0])
        width = int(counts.max())
        if width <= self._k // 4 or width > 4 * _ROUND_ROWS:
            return places, columns
        values = rough[places, columns]
        table = np.full((rough.shape[0], width), np.inf, dtype=np.float64)
        table[places, _rank_in_row(places, counts)] = values
        known = np.concatenate([table + error[:, None], self.distances[group]], axis=1)
        kth = np.partition(known, self._k - 1, axis=1)[:, self._k - 1]
        limit = np.nextafter((kth + error).astype(np.float32), np.float32(np.inf))
        kept = values <= limit[places]
        return places[kept], columns[kept]

    def _merge(self, group: slice, places: _Ids, ids: _Ids, distances: _Floats) -> None:
        """Stable sorting keeps the smaller id first: those kept are older, and candidates come in order of id."""
        own_ids, own_distances = self.ids[group], self.distances[group]
        ranks = _rank_in_row(places, np.bincount(places, minlength=len(own_ids)))
        for first in range(0, int(ranks.max()) + 1 if len(ranks) else 0, _ROUND_ROWS):
            chosen = (ranks >= first) & (ranks < first + _ROUND_ROWS)
            width = min(_ROUND_ROWS, int(ranks.max()) + 1 - first)
            table = np.full((len(own_ids), width), np.inf, dtype=np.float64)
            table_ids = np.full((len(own_ids), width), -1, dtype=np.int64)
            table[places[chosen], ranks[chosen] - first] = distances[chosen]
            table_ids[places[chosen], ranks[chosen] - first] = ids[chosen]
            table = np.concatenate([own_distances, table], axis=1)
            table_ids = np.concatenate([own_ids, table_ids], axis=1)
            order = np.argsort(table, axis=1, kind="stable")[:, : self._k]
            own_distances[:] = np.take_along_axis(table, order, axis=1)
            own_ids[:] = np.take_along_axis(table_ids, order, axis=1)


def measure_pairs(queries: _Vectors, rows: _Vectors, places: _Ids, columns: _Ids, *, metric: Metric) -> _Floats:
    """(pairs,) float64 `distance` of queries[places[i]] and rows[columns[i]], each as if worked out alone."""
    distances = np.empty(len(places), dtype=np.float64)
    step = max(1, _PAIR_CELLS // queries.shape[1])
    for start in range(0, len(places), step):
        part = slice(start, start + step)
        distances[part] = _PAIRS[metric](queries[places[part]], rows[columns[part]])
    return distances


def _rank_in_row(places: _Ids, counts: _Ids) -> _Ids:
    """For ascending row numbers: which of its row each entry is, from 0."""
    return np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)


def _l2_pairs(a: _Vectors, b: _Vectors) -> _Floats:
    gap = a.astype(np.float64) - b
    return np.asarray(np.einsum("ij,ij->i", gap, gap))


def _ip_pairs(a: _Vectors, b: _Vectors) -> _Floats:
    return np.asarray(-np.einsum("ij,ij->i", a.astype(np.float64), b.astype(np.float64)))


def _cosine_pairs(a: _Vectors, b: _Vectors) -> _Floats:
    a, b = a.astype(np.float64), b.astype(np.float64)
    size = np.sqrt(np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b))
    cosine = np.einsum("ij,ij->i", a, b) / np.where(size > 0, size, 1)
    return np.asarray(1 - cosine)


def _hamming_pairs(a: _Vectors, b: _Vectors) -> _Floats:
    return _count_bits(a ^ b)


def _jaccard_pairs(a: _Vectors, b: _Vectors) -> _Floats:
    united = _count_bits(a | b)
    return np.asarray(np.where(united > 0, 1 - _count_bits(a & b) / np.maximum(united, 1), 0.0))


_BITS_OF = np.array([value.bit_count() for value in range(256)], dtype=np.uint8)


def _count_bits(rows: _Vectors) -> _Floats:
    return np.asarray(_BITS_OF[rows].sum(axis=1, dtype=np.int64).astype(np.float64))


_PAIRS = {
    Metric.L2: _l2_pairs,
    Metric.IP: _ip_pairs,
    Metric.COSINE: _cosine_pairs,
    Metric.HAMMING: _hamming_pairs,
    Metric.JACCARD: _jaccard_pairs,
}


@dataclasses.dataclass(frozen=True)
class _Prepared:
    """A piece ready for the product: vectors as float32 and what each adds to its distances."""

    vectors: _Floats
    offsets: _Floats


class _RoughL2:
    """|q|^2 + |x|^2 - 2 q.x in float32, around the mean of the first piece so that the parts stay small."""

    def __init__(self, queries: _Vectors) -> None:
        self._centre = queries.mean(axis=0, dtype=np.float64).astype(np.float32)
        centred = queries - self._centre
        self._squares = np.einsum("ij,ij->i", centred, centred, dtype=np.float64)
        self._left = -2 * centred

    def prepare(self, rows: _Vectors) -> tuple[_Prepared, _Floats]:
        vectors = rows - self._centre
        squares = np.einsum("ij,ij->i", vectors, vectors)
        longest = np.sqrt(squares.max(initial=0).astype(np.float64))
        size = (np.sqrt(self._squares) + longest) ** 2
        return _Prepared(vectors, squares), _error_ratio(rows.shape[1]) * size

    def measure(self, group: slice, piece: _Prepared) -> _Floats:
        rough = self._left[group] @ piece.vectors.T
        rough += piece.offsets
        rough += self._squares[group, None].astype(np.float32)
        return np.asarray(rough)


class _RoughIp:
    """-q.x in float32."""

    def __init__(self, queries: _Vectors) -> None:
        self._left = -queries
        self._sizes = np.sqrt(np.einsum("ij,ij->i", queries, queries, dtype=np.float64))

    def prepare(self, rows: _Vectors) -> tuple[_Prepared, _Floats]:
        squares = np.einsum("ij,ij->i", rows, rows)
        longest = np.sqrt(squares.max(initial=0).astype(np.float64))
        return _Prepared(rows, squares), _error_ratio(rows.shape[1]) * self._sizes * longest

    def measure(self, group: slice, piece: _Prepared) -> _Floats:
        return np.asarray(self._left[group] @ piece.vectors.T)


class _RoughCosine:
    """1 - q.x / |q| |x| in float32; a vector of zeros is at distance 1 of everything."""

    def __init__(self, queries: _Vectors) -> None:
        self._left = -_unit(queries)

    def prepare(self, rows: _Vectors) -> tuple[_Prepared, _Floats]:
        vectors = _unit(rows)
        return _Prepared(vectors, vectors[:0]), np.full(len(self._left), _error_ratio(rows.shape[1]))

    def measure(self, group: slice, piece: _Prepared) -> _Floats:
        rough = self._left[group] @ piece.vectors.T
        rough += 1
        return np.asarray(rough)


class _RoughHamming:
    """|q| + |x| - 2 |q and x| of bits: whole numbers below 2^24, so without error."""

    def __init__(self, queries: _Vectors) -> None:
        self._left = np.unpackbits(queries, axis=1).astype(np.float32)
        self._counts = self._left.sum(axis=1)

    def prepare(self, rows: _Vectors) -> tuple[_Prepared, _Floats]:
        vectors = np.unpackbits(rows, axis=1).astype(np.float32)
        return _Prepared(vectors, vectors.sum(axis=1)), np.zeros(len(self._left))

    def measure(self, group: slice, piece: _Prepared) -> _Floats:
        rough = self._left[group] @ piece.vectors.T
        rough *= -2
        rough += piece.offsets
        rough += self._counts[group, None]
        return np.asarray(rough)


class _RoughJaccard(_RoughHamming):
    """1 - |q and x| / |q or x| of bits; two empty vectors are at distance 0."""

    def prepare(self, rows: _Vectors) -> tuple[_Prepared, _Floats]:
        piece, error = super().prepare(rows)
        return piece, error + 2**-22

    def measure(self, group: slice, piece: _Prepared) -> _Floats:
        common = self._left[group] @ piece.vectors.T
        united = (self._counts[group, None] + piece.offsets) - common
        np.maximum(united, 1, out=united)
        both_empty = (self._counts[group, None] == 0) & (piece.offsets == 0)
        return np.where(both_empty, np.float32(0), 1 - common / united)


_ROUGH: dict[Metric, Any] = {
    Metric.L2: _RoughL2,
    Metric.IP: _RoughIp,
    Metric.COSINE: _RoughCosine,
    Metric.HAMMING: _RoughHamming,
    Metric.JACCARD: _RoughJaccard,
}


def _unit(vectors: _Vectors) -> _Floats:
    sizes = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    return np.asarray(vectors / np.where(sizes > 0, sizes, 1)[:, None].astype(np.float32))


def _error_ratio(dim: int) -> float:
    """Bound on the error of a float32 sum of `dim` products, as a share of the sum of their sizes.

    The textbook bound is dim x 2^-24 for any order of adding; the constant covers the few operations around it.
    """
    return (dim + 16) * 2.0**-23
