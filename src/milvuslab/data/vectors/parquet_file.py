"""Rows of a Parquet column of lists, read batch by batch.

A reader keeps its place, so going through a file in order reads it once; jumping starts again at the row group.
"""

from __future__ import annotations

import bisect
import dataclasses
import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from milvuslab.data.vectors.file_rows import check_table, damaged, pack_rows
from milvuslab.data.vectors.vector_set import Vectors
from milvuslab.model.errors import NotFoundError, UsageError, missing_extra, suggest

__all__ = ["ParquetFile", "open_parquet"]

_BATCH_ROWS = 8_192


class _Place:
    """Where reading stands: batches behind it, and the row they begin at. Not sent to other processes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.row = -1
        self.batches: Iterator[Any] = iter(())

    def __reduce__(self) -> tuple[Any, ...]:
        return (_Place, ())


@dataclasses.dataclass(frozen=True, kw_only=True)
class ParquetFile:
    """A column of equally long lists of numbers."""

    path: Path
    column: str
    row_count: int
    dim: int
    is_binary: bool
    group_starts: tuple[int, ...]
    _place: _Place = dataclasses.field(default_factory=_Place, repr=False, compare=False)

    def read(self, start: int, stop: int) -> Vectors:
        """(n, dim) float32, or (n, dim / 8) uint8."""
        width = self.dim // 8 if self.is_binary else self.dim
        rows = np.empty((stop - start, width), dtype=np.uint8 if self.is_binary else np.float32)
        with self._place.lock:
            filled = 0
            while filled < len(rows):
                part = self._next_part(start + filled, limit=len(rows) - filled)
                rows[filled : filled + len(part)] = part
                filled += len(part)
        return rows

    def _next_part(self, row: int, *, limit: int) -> Vectors:
        """At least one row from `row` on, from one batch; the rest of the batch is put back."""
        place = self._place
        group = bisect.bisect_right(self.group_starts, row) - 1
        if not self.group_starts[group] <= place.row <= row:
            place.row, place.batches = self.group_starts[group], self._read_batches(group)
        while True:
            batch = _next_batch(place.batches, self.path, place.row)
            begin = place.row
            place.row += len(batch)
            if place.row > row:
                break
        end = min(len(batch), row - begin + limit)
        if end < len(batch):
            place.batches = itertools.chain([batch.slice(end)], place.batches)
            place.row = begin + end
        return self._convert(batch.slice(row - begin, end - (row - begin)), first_row=row)

    def _read_batches(self, group: int) -> Iterator[Any]:
        file = _opened(self.path)
        groups = list(range(group, len(self.group_starts)))
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=groups, columns=[self.column]):
            yield batch.column(0)

    def _convert(self, lists: Any, *, first_row: int) -> Vectors:
        """(n, width) of a slice of lists, each checked for its width."""
        width = self.dim // 8 if self.is_binary else self.dim
        lengths = _lengths_of(lists)
        wrong = lengths != width
        if wrong.any():
            place = int(np.argmax(wrong))
            found = "nothing" if lengths[place] < 0 else f"{lengths[place]} numbers"
            raise damaged(
                self.path, f"row {first_row + place} of column {self.column!r} has {found}, row 0 has {width}"
            )
        values = lists.flatten().to_numpy(zero_copy_only=False).reshape(len(lists), width)
        return pack_rows(self.path, values, is_binary=self.is_binary, first_row=first_row)


def open_parquet(path: Path, *, column: str | None, is_binary: bool) -> ParquetFile:
    """The file and its column of vectors.

    Args:
        path: the file.
        column: the column; None takes the only one that holds lists of numbers.
        is_binary: whether lists of uint8 are packed bits.

    Raises:
        NotFoundError: no such column.
        UsageError: several columns hold vectors and none is named, or the one named holds none.
        SchemaError: no Parquet file, or no vectors in it.
        UnsupportedError: pyarrow is missing.
    """
    file = _opened(path)
    chosen = _choose_column(path, file.schema_arrow, column)
    counts = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
    starts = tuple(itertools.accumulate([0, *counts[:-1]])) if counts else ()
    check_table(path, row_count=sum(counts), dim=1)
    first = next(file.iter_batches(batch_size=1, columns=[chosen])).column(0)
    width = max(0, int(_lengths_of(first)[0]))
    dim = width * 8 if is_binary else width
    check_table(path, row_count=sum(counts), dim=dim)
    return ParquetFile(
        path=path, column=chosen, row_count=sum(counts), dim=dim, is_binary=is_binary, group_starts=starts
    )


def _choose_column(path: Path, schema: Any, column: str | None) -> str:
    fitting = [field.name for field in schema if _holds_vectors(field.type)]
    if column is not None:
        if column not in schema.names:
            raise NotFoundError(f"{path} has no column {column!r}", hint=suggest(column, fitting or schema.names))
        if column not in fitting:
            raise UsageError(
                f"column {column!r} of {path} holds {schema.field(column).type}, no lists of numbers",
                hint=suggest(column, fitting),
            )
        return column
    if not fitting:
        raise damaged(path, "no column holds lists of numbers", hint=f"columns: {', '.join(schema.names)}")
    if len(fitting) > 1:
        raise UsageError(f"{path} has {len(fitting)} columns of vectors", hint=f"name one: {', '.join(fitting)}")
    return str(fitting[0])


def _holds_vectors(kind: Any) -> bool:
    from pyarrow import types

    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(is_list and (types.is_floating(kind.value_type) or types.is_integer(kind.value_type)))


def _lengths_of(lists: Any) -> Any:
    """(n,) numbers of each list; -1 where there is none."""
    import pyarrow.compute as pc

    return pc.fill_null(pc.list_value_length(lists), -1).to_numpy(zero_copy_only=False)


def _next_batch(batches: Iterator[Any], path: Path, row: int) -> Any:
    try:
        return next(batches)
    except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
        raise damaged(path, f"it cannot be read from row {row} on: {error}") from None


def _opened(path: Path) -> Any:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise missing_extra("pyarrow", "bench") from None
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise damaged(path, f"no whole Parquet file: {error}") from None
