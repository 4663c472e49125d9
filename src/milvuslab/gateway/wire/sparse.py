"""Sparse vectors: dimension numbers with weights, as many as each row needs."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.model.errors import SchemaError

__all__ = ["SparseRows", "row_count", "sparse_from_bytes", "sparse_rows", "sparse_to_bytes"]


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class SparseRows:
    """Sparse vectors in compressed rows: row i owns `offsets[i]` to `offsets[i + 1]` of the other two.

    Attributes:
        indices: (entries,) uint32, ascending within a row.
        values: (entries,) float32, finite; negative weights are refused by Milvus for BM25 and by its inverted
            index, not here.
        offsets: (rows + 1,) int64, beginning with 0.
    """

    indices: npt.NDArray[np.uint32]
    values: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.int64]

    @property
    def row_count(self) -> int:
        """How many vectors there are."""
        return len(self.offsets) - 1

    def __len__(self) -> int:
        return self.row_count


def sparse_rows(column: Any, *, where: str) -> SparseRows:
    """The vectors in compressed rows.

    Args:
        column: `SparseRows`, a triple (indices, values, offsets), or a list of `{dimension: weight}`.
        where: the message of an error begins with it.

    Raises:
        SchemaError: a dimension is negative, repeated or beyond 32 bits, or a weight is no finite number.
    """
    if isinstance(column, SparseRows):
        rows = column
    elif _is_triple(column):
        rows = _from_triple(*column, where=where)
    else:
        rows = _from_mappings(column, where=where)
    if not np.isfinite(rows.values).all():
        entry = int(np.flatnonzero(~np.isfinite(rows.values))[0])
        row = int(np.searchsorted(rows.offsets, entry, side="right")) - 1
        raise SchemaError(f"{where} row {row} holds NaN or an infinity", hint="remove such rows")
    return rows


def row_count(column: Any) -> int:
    """How many vectors a column in any of the three forms holds."""
    return len(column[2]) - 1 if _is_triple(column) else len(column)


def sparse_to_bytes(rows: SparseRows) -> list[bytes]:
    """Each row as Milvus writes it: pairs of little-endian uint32 and float32 (`schema.proto`, SparseFloatArray)."""
    pairs = np.empty((len(rows.indices), 2), dtype="<u4")
    pairs[:, 0] = rows.indices
    pairs[:, 1] = rows.values.astype("<f4").view("<u4")
    data = pairs.tobytes()
    ends = (rows.offsets * 8).tolist()
    return [data[begin:end] for begin, end in itertools.pairwise(ends)]


def sparse_from_bytes(contents: list[bytes]) -> list[dict[int, float]]:
    """Each row as `{dimension: weight}`."""
    rows = []
    for content in contents:
        pairs = np.frombuffer(content, dtype="<u4").reshape(-1, 2)
        weights = np.ascontiguousarray(pairs[:, 1]).view("<f4")
        rows.append(dict(zip(pairs[:, 0].tolist(), weights.tolist(), strict=True)))
    return rows


def _is_triple(column: Any) -> bool:
    return isinstance(column, tuple) and len(column) == 3 and all(isinstance(part, np.ndarray) for part in column)


def _from_triple(indices: Any, values: Any, offsets: Any, *, where: str) -> SparseRows:
    fits = (
        indices.dtype.kind in "iu"
        and values.dtype.kind == "f"
        and offsets.dtype.kind in "iu"
        and len(indices) == len(values)
        and len(offsets) >= 1
        and int(offsets[0]) == 0
        and int(offsets[-1]) == len(indices)
        and bool(np.all(np.diff(offsets) >= 0))
    )
    if not fits:
        raise SchemaError(f"{where} takes (indices, values, offsets) of whole rows", hint="see SparseRows")
    if len(indices) and (int(indices.min()) < 0 or int(indices.max()) >= 2**32 - 1):
        raise SchemaError(f"{where} holds a dimension outside 0 to 4294967294")
    steps = np.diff(indices.astype(np.int64))
    begins = np.asarray(offsets[1:-1], dtype=np.int64)
    within = np.ones(len(steps), dtype=bool)
    within[begins[(begins > 0) & (begins <= len(steps))] - 1] = False
    if np.any(steps[within] <= 0):
        raise SchemaError(f"{where} holds dimensions that do not ascend within their row")
    return SparseRows(indices.astype(np.uint32), values.astype(np.float32), offsets.astype(np.int64))


def _from_mappings(column: Any, *, where: str) -> SparseRows:
    indices: list[int] = []
    values: list[float] = []
    offsets = [0]
    for row, vector in enumerate(column):
        if not isinstance(vector, Mapping):
            raise SchemaError(f"{where} row {row} is {repr(vector)[:40]}; it takes {{dimension: weight}}")
        for dimension, weight in sorted(vector.items()):
            if not isinstance(dimension, int | np.integer) or not 0 <= int(dimension) < 2**32 - 1:
                raise SchemaError(f"{where} row {row} holds dimension {dimension!r}, outside 0 to 4294967294")
            if isinstance(weight, bool) or not isinstance(weight, int | float | np.floating | np.integer):
                raise SchemaError(f"{where} row {row} holds weight {weight!r}; it takes numbers")
            indices.append(int(dimension))
            values.append(float(weight))
        offsets.append(len(indices))
    with np.errstate(over="ignore"):
        narrow = np.array(values, dtype=np.float32)
    return SparseRows(np.array(indices, dtype=np.uint32), narrow, np.array(offsets, dtype=np.int64))
