"""A set of vectors as a value: what it is, its queries, and any block of its rows when asked.

Nothing is held but the queries. A block is the same bytes every time it is read, on its own or as part of a larger one,
by any process: sets can be sent to other processes and read there.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from milvuslab.data.vectors.streams import draw_buckets
from milvuslab.model.metric import Metric

__all__ = ["FloatRows", "GivenTruth", "RowSource", "VectorSet", "Vectors"]

FloatRows = npt.NDArray[np.float32]
Vectors = npt.NDArray[Any]
"""(n, dim) float32, or (n, dim / 8) uint8 with the first bit of a vector in the highest bit of its first byte."""

GivenTruth = tuple[npt.NDArray[np.int64], "npt.NDArray[np.float32] | None"]
"""(nq, k) ids and distances as a file gives them, distances turned into ours; None where it holds ids only."""


class RowSource(Protocol):
    """Where the rows of a set come from."""

    def read_rows(self, start: int, stop: int) -> Vectors:
        """Rows [start, stop) as a new array in C order; 0 <= start <= stop <= row count. Finite numbers only."""

    def compute_checksum(self) -> str:
        """SHA-256 in hexadecimal of what decides every row and every query. May read the whole file."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class VectorSet:
    """Vectors to store and queries to search them with.

    Attributes:
        name: short, for people and file names: `clustered-50000x128`.
        row_count: rows that can be read.
        dim: numbers of a vector; bits of a binary one.
        is_binary: whether vectors are packed bits.
        queries: (nq, dim) float32, or (nq, dim / 8) uint8; never rows of the set itself.
        source: reads the rows.
        metric: the metric that a file names, else None.
        given_truth: neighbours that a file carries, else None. They are not checked: `find_truth` computes its own.
        bucket_seed: seed of the scalar that filters select by.
    """

    name: str
    row_count: int
    dim: int
    queries: Vectors = dataclasses.field(repr=False, compare=False)
    source: RowSource
    is_binary: bool = False
    metric: Metric | None = None
    given_truth: GivenTruth | None = dataclasses.field(default=None, repr=False, compare=False)
    bucket_seed: int = 7

    @functools.cached_property
    def checksum(self) -> str:
        """SHA-256 in hexadecimal of the content: of the recipe of a synthetic set, else of the bytes of its file.

        Worked out when first asked for; a file is read through once for it, about 1 GB/s.
        """
        return self.source.compute_checksum()

    def read_rows(self, start: int, stop: int) -> Vectors:
        """Rows [start, stop): (n, dim) float32, or (n, dim / 8) uint8; the same bytes every time."""
        assert 0 <= start <= stop <= self.row_count, f"rows [{start}, {stop}) of {self.row_count}"
        rows = self.source.read_rows(start, stop)
        assert rows.shape == (stop - start, self.dim // 8 if self.is_binary else self.dim)
        return rows

    def iter_blocks(self, block_rows: int) -> Iterator[tuple[int, Vectors]]:
        """Every row in order: (first row of the block, its rows); only the last block may be shorter."""
        assert block_rows > 0, f"block_rows is {block_rows}"
        for start in range(0, self.row_count, block_rows):
            yield start, self.read_rows(start, min(self.row_count, start + block_rows))

    def buckets(self, start: int, stop: int) -> npt.NDArray[np.int32]:
        """(n,) int32 in [0, 10000), uniform: store it as a field, and `bucket < s * 10000` passes a share s of the rows."""
        assert 0 <= start <= stop <= self.row_count, f"rows [{start}, {stop}) of {self.row_count}"
        return draw_buckets(start, stop, seed=self.bucket_seed)
