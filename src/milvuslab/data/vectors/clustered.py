"""Synthetic vectors as real embeddings are: clusters of unequal weight, many numbers but few degrees of freedom.

Uniform or plainly Gaussian vectors have no near neighbours to find: every distance is about the same, and every index
looks hopeless. Here a row is

    centre of its cluster + (latent numbers) @ (one of 16 shapes) + a little noise in all dimensions

with few latent numbers (`intrinsic_dim`), so neighbours exist, and with centres so near to one another that clusters
touch and overlap: a graph or a partition has to look beyond the first one it enters.

Everything is an integer until the last multiplication by a power of two, and no sum reaches 2^24, so float32
arithmetic is exact whatever the order of summation: the same recipe gives the same bytes on every machine and BLAS.
Rows come in tiles of 2,048, each with random words of its own: any tile is made alone, and a smaller set is the
beginning of a larger one. Tiles of that size stay in the second-level cache.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import statistics

import numpy as np
import numpy.typing as npt

from milvuslab.data.vectors.streams import draw_words
from milvuslab.data.vectors.vector_set import FloatRows, Vectors, VectorSet
from milvuslab.model.errors import UsageError

__all__ = ["DIM_LIMIT", "BinaryRows", "ClusteredRows", "make_binary", "make_clustered"]

DIM_LIMIT = 32_768
"""Widest float vector of Milvus: Milvus docs 2.3, limitations.md."""

_VERSION = 1
_TILE_ROWS = 2_048
_SHAPE_COUNT = 16
_ROW_STREAM, _QUERY_STREAM, _SHAPE_STREAM, _CENTRE_STREAM = range(4)
_LATENT_UNIT = 400
"""One standard deviation of a latent number: its largest of 65,536 quantiles, 4.3 deviations, stays under 2^11."""
_SUM_LIMIT = 1 << 22
"""Bound on each of the three parts of a number; their sum stays under 2^24."""
_SPREADS = (0.6, 1.3)
"""Widths of the narrowest and the widest shape."""
_LENGTHS = (1.3, 0.6)
"""Deviations of a cluster along its longest and its shortest direction: real embeddings fall off like that."""
_CENTRE_RATIO = 0.75
"""Deviation of the centres beside that within a cluster, per number: below 1, clusters overlap."""
_NOISE_RATIO = 0.2
_BIT_THRESHOLD = 0.55
"""Where a number becomes a 1 bit, in deviations: about three bits in ten are set, as in fingerprints."""


def make_clustered(
    *,
    row_count: int,
    dim: int,
    query_count: int = 1000,
    intrinsic_dim: int | None = None,
    cluster_count: int = 256,
    seed: int = 7,
) -> VectorSet:
    """Clustered float vectors; the first rows of a larger set with the same other arguments are the same.

    Args:
        row_count: rows of the set.
        dim: numbers of a vector, 2 to 32,768.
        query_count: queries, drawn from the same clusters; none is a row.
        intrinsic_dim: degrees of freedom within a cluster, at most `dim` and 256; higher is harder. None takes 16, or
            `dim` where that is smaller.
        cluster_count: 1 to 65,536; the largest has about 30 times the rows of the smallest of 256.
        seed: of everything.

    Raises:
        UsageError: an argument is outside its range.
    """
    _check_range("row_count", row_count, low=1, high=1 << 40)
    _check_range("dim", dim, low=2, high=DIM_LIMIT)
    rows = _checked_rows(
        dim=dim,
        intrinsic_dim=min(16, dim) if intrinsic_dim is None else intrinsic_dim,
        cluster_count=cluster_count,
        seed=seed,
    )
    _check_range("query_count", query_count, low=1, high=1_000_000)
    return VectorSet(
        name=f"clustered-{row_count}x{dim}",
        row_count=row_count,
        dim=dim,
        queries=rows.make_rows(0, query_count, stream=_QUERY_STREAM),
        source=dataclasses.replace(rows, row_count=row_count, query_count=query_count),
        bucket_seed=seed,
    )


def make_binary(*, row_count: int, dim: int, query_count: int = 1000, seed: int = 7) -> VectorSet:
    """Packed bits that say which numbers of a clustered vector exceed a threshold; about 30 % are set.

    Args:
        row_count: rows of the set.
        dim: bits of a vector, a multiple of 8 up to 32,768.
        query_count: queries; none is a row.
        seed: of everything.

    Raises:
        UsageError: an argument is outside its range.
    """
    if dim % 8:
        raise UsageError(f"dim of binary vectors is {dim}", hint=f"take a multiple of 8: {dim // 8 * 8 + 8}")
    floats = make_clustered(row_count=row_count, dim=dim, query_count=query_count, seed=seed)
    assert isinstance(floats.source, ClusteredRows)
    source = BinaryRows(floats=floats.source)
    return dataclasses.replace(
        floats, name=f"binary-{row_count}x{dim}", queries=source.pack(floats.queries), source=source, is_binary=True
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusteredRows:
    """The recipe of a clustered set; reads any of its rows."""

    dim: int
    intrinsic_dim: int
    cluster_count: int
    seed: int
    row_count: int = 0
    query_count: int = 0

    def read_rows(self, start: int, stop: int) -> Vectors:
        """(n, dim) float32 rows of the set."""
        return self.make_rows(start, stop, stream=_ROW_STREAM)

    def compute_checksum(self) -> str:
        """Of the recipe: it decides every byte."""
        return _checksum_of_recipe("clustered", dataclasses.asdict(self))

    def make_rows(self, start: int, stop: int, *, stream: int) -> FloatRows:
        """(n, dim) float32 of one stream: rows or queries."""
        rows = np.empty((stop - start, self.dim), dtype=np.float32)
        for tile in range(start // _TILE_ROWS, -(-stop // _TILE_ROWS)):
            begin = tile * _TILE_ROWS
            first, last = max(start, begin), min(stop, begin + _TILE_ROWS)
            place = rows[first - start : last - start]
            if len(place) == _TILE_ROWS:
                self._fill_tile(place, tile=tile, stream=stream)
            else:
                whole = np.empty((_TILE_ROWS, self.dim), dtype=np.float32)
                self._fill_tile(whole, tile=tile, stream=stream)
                place[:] = whole[first - begin : last - begin]
        return rows

    def _fill_tile(self, place: FloatRows, *, tile: int, stream: int) -> None:
        """Makes one tile sorted by cluster, so that each shape is one multiplication, and puts it in drawn order."""
        parts = _parts_of(self)
        cluster_words, latent_words, noise = self._draw_tile(tile, stream)
        clusters = parts.cluster_of.take(cluster_words, mode="clip")
        order = np.argsort(clusters, kind="stable")
        clusters = clusters[order]
        latents = _quantiles().take(latent_words, mode="clip").reshape(_TILE_ROWS, self.intrinsic_dim)
        rows, part = np.empty_like(place), np.empty_like(place)
        ends = np.searchsorted(clusters, parts.shape_ends)
        for shape, (begin, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
            np.matmul(latents[begin:end], parts.shapes[shape], out=rows[begin:end])
        np.take(parts.centres, clusters, axis=0, out=part, mode="clip")
        np.add(rows, part, out=rows)
        np.multiply(noise, parts.noise_unit, out=part, dtype=np.float32)
        np.add(rows, part, out=rows)
        np.multiply(rows, parts.scale, out=rows)
        place[order] = rows

    def _draw_tile(
        self, tile: int, stream: int
    ) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16], npt.NDArray[np.int8]]:
        """Words of the clusters, words of the latent numbers, and (rows, dim) int8 noise."""
        latent_count = _TILE_ROWS * self.intrinsic_dim
        noise_bytes = _TILE_ROWS * self.dim
        word_count = (2 * (_TILE_ROWS + latent_count) + noise_bytes) // 8
        halves = draw_words(word_count, seed=self.seed, stream=stream, tile=tile).view("<u2")
        cluster_words, latent_words, noise = np.split(halves, [_TILE_ROWS, _TILE_ROWS + latent_count])
        return cluster_words, latent_words, noise.view(np.int8).reshape(_TILE_ROWS, self.dim)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BinaryRows:
    """Clustered rows turned into bits."""

    floats: ClusteredRows

    def read_rows(self, start: int, stop: int) -> Vectors:
        """(n, dim / 8) uint8 rows of the set, made in pieces: the numbers take 32 times their room."""
        packed = np.empty((stop - start, self.floats.dim // 8), dtype=np.uint8)
        for first in range(start, stop, _TILE_ROWS):
            last = min(stop, first + _TILE_ROWS)
            packed[first - start : last - start] = self.pack(self.floats.read_rows(first, last))
        return packed

    def compute_checksum(self) -> str:
        """Of the recipe: it decides every byte."""
        return _checksum_of_recipe("binary", dataclasses.asdict(self.floats))

    def pack(self, rows: Vectors) -> Vectors:
        """(n, dim) float32 to (n, dim / 8) uint8."""
        return np.packbits(rows > np.float32(_BIT_THRESHOLD), axis=1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Parts:
    """What all tiles of a recipe share; numbers are integers in float32."""

    cluster_of: npt.NDArray[np.uint16]
    """(65536,) cluster that a drawn word stands for: the weights."""
    shape_ends: npt.NDArray[np.uint16]
    """(shapes,) first cluster behind those of each shape; the last one is past every cluster."""
    shapes: FloatRows
    """(shapes, intrinsic_dim, dim)"""
    centres: FloatRows
    """(clusters, dim)"""
    noise_unit: np.float32
    scale: np.float32


@functools.lru_cache(maxsize=4)
def _parts_of(rows: ClusteredRows) -> _Parts:
    weight_unit = _SUM_LIMIT / (_quantiles().max() * 4.3 * _SPREADS[1] * _LENGTHS[0] * rows.intrinsic_dim)
    spreads = np.linspace(*_SPREADS, _SHAPE_COUNT).reshape(-1, 1, 1)
    shapes = _draw_normal((_SHAPE_COUNT, rows.intrinsic_dim, rows.dim), seed=rows.seed, stream=_SHAPE_STREAM)
    lengths = np.linspace(*_LENGTHS, rows.intrinsic_dim).reshape(1, -1, 1)
    shapes = np.rint(shapes * spreads * lengths * weight_unit)
    deviation = _LATENT_UNIT * weight_unit * math.sqrt(rows.intrinsic_dim)
    centres = _draw_normal((rows.cluster_count, rows.dim), seed=rows.seed, stream=_CENTRE_STREAM)
    # A word in 65,536 is a quantile past 4 deviations; the centres are cut there, so that no sum passes its bound.
    centres = np.clip(np.rint(centres * (deviation * _CENTRE_RATIO)), -_SUM_LIMIT, _SUM_LIMIT)
    return _Parts(
        cluster_of=_cut_weights(rows.cluster_count),
        shape_ends=np.asarray(
            [-(-rows.cluster_count * (shape + 1) // _SHAPE_COUNT) for shape in range(_SHAPE_COUNT)], dtype=np.int64
        ),
        shapes=shapes.astype(np.float32),
        centres=centres.astype(np.float32),
        noise_unit=np.float32(max(1, round(deviation * _NOISE_RATIO / 74))),  # 74: deviation of a uniform byte
        scale=np.float32(2.0 ** -round(math.log2(deviation))),
    )


def _cut_weights(cluster_count: int) -> npt.NDArray[np.uint16]:
    """65,536 words shared out to clusters as 1 / (place + 8), each at least one, in an order that mixes the sizes.

    Neighbouring clusters have one shape, so places are spread over the shapes by a stride.
    """
    stride = next(
        step for step in range(cluster_count // 3 + 1, 2 * cluster_count + 2) if math.gcd(step, cluster_count) == 1
    )
    weights = np.array([1 / (place * stride % cluster_count + 8) for place in range(cluster_count)])
    spare = 65_536 - cluster_count
    ends = np.floor(np.cumsum(weights) / weights.sum() * spare).astype(np.int64)
    ends[-1] = spare
    counts = np.diff(ends, prepend=0) + 1
    return np.repeat(np.arange(cluster_count, dtype=np.uint16), counts)


@functools.cache
def _quantiles() -> FloatRows:
    """(65536,) quantiles of the normal distribution in whole units, ascending: a drawn word picks one."""
    normal = statistics.NormalDist()
    lower = np.array([normal.inv_cdf((place + 0.5) / 65_536) for place in range(32_768)])
    lower = np.rint(lower * _LATENT_UNIT).astype(np.float32)
    return np.concatenate([lower, -lower[::-1]])


def _draw_normal(shape: tuple[int, ...], *, seed: int, stream: int) -> npt.NDArray[np.float64]:
    """Standard normal numbers from the table of quantiles."""
    count = math.prod(shape)
    words = draw_words(-(-count // 4), seed=seed, stream=stream, tile=0).view("<u2")[:count]
    return np.reshape(_quantiles()[words].astype(np.float64) / _LATENT_UNIT, shape)


def _checked_rows(*, dim: int, intrinsic_dim: int, cluster_count: int, seed: int) -> ClusteredRows:
    _check_range("intrinsic_dim", intrinsic_dim, low=1, high=min(dim, 256))
    _check_range("cluster_count", cluster_count, low=1, high=65_536)
    _check_range("seed", seed, low=0, high=(1 << 63) - 1)
    return ClusteredRows(dim=dim, intrinsic_dim=intrinsic_dim, cluster_count=cluster_count, seed=seed)


def _check_range(name: str, value: int, *, low: int, high: int) -> None:
    if not low <= value <= high:
        raise UsageError(f"{name} is {value}", hint=f"take {low} to {high}")


def _checksum_of_recipe(kind: str, recipe: dict[str, int]) -> str:
    text = json.dumps({"generator": kind, "version": _VERSION, **recipe}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
