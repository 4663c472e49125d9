"""What every reader of vector files gives, and the checks that all their rows pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from milvuslab.data.vectors.clustered import DIM_LIMIT
from milvuslab.data.vectors.vector_set import Vectors
from milvuslab.model.errors import SchemaError

__all__ = ["RowFile", "as_bits", "as_floats", "check_table", "damaged", "pack_rows"]


class RowFile(Protocol):
    """A file whose rows are vectors."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def row_count(self) -> int:
        """Rows in the file."""

    @property
    def dim(self) -> int:
        """Numbers of a row, bits of a binary one."""

    @property
    def is_binary(self) -> bool:
        """Whether rows are packed bits."""

    def read(self, start: int, stop: int) -> Vectors:
        """Rows [start, stop): (n, dim) float32, or (n, dim / 8) uint8, as a new array.

        Raises:
            SchemaError: a row is not of its form; the message names the row, counted from 0.
        """


def damaged(path: Path, reason: str, *, hint: str = "") -> SchemaError:
    """The error for a file that is not what its name says."""
    return SchemaError(f"{path}: {reason}", hint=hint or "fetch or write the file again")


def check_table(path: Path, *, row_count: int, dim: int) -> None:
    """Refuses a file without rows, and rows that no Milvus would take."""
    if row_count < 1:
        raise damaged(path, "there is no row", hint="pass a file with vectors")
    if not 1 <= dim <= DIM_LIMIT:
        raise damaged(path, f"a row has {dim} numbers", hint=f"Milvus takes vectors of 1 to {DIM_LIMIT:,}")


def as_floats(path: Path, rows: npt.NDArray[Any], *, first_row: int) -> Vectors:
    """(n, dim) float32 in C order; a value that is no finite float32 is refused with its row and place."""
    with np.errstate(over="ignore"):
        floats = np.array(rows, dtype=np.float32, order="C")
    if rows.dtype.kind == "f":
        # Adding is one quick pass, and NaN and infinity survive it; only then is it worth looking where.
        with np.errstate(over="ignore", invalid="ignore"):
            is_suspect = not np.isfinite(floats.sum(dtype=np.float64))
        if is_suspect:
            _refuse_unfinite(path, rows, floats, first_row)
    return floats


def as_bits(rows: npt.NDArray[Any]) -> Vectors:
    """(n, ceil(dim / 8)) uint8 of (n, dim) zeros and others; the last byte is filled with zeros, which no metric sees."""
    return np.packbits(np.asarray(rows) != 0, axis=1)


def pack_rows(path: Path, rows: npt.NDArray[Any], *, is_binary: bool, first_row: int) -> Vectors:
    """Rows as a set wants them: bits where they are boolean, bytes of bits as they are, else float32."""
    if not is_binary:
        return as_floats(path, rows, first_row=first_row)
    return as_bits(rows) if rows.dtype.kind == "b" else np.array(rows, dtype=np.uint8, order="C")


def _refuse_unfinite(path: Path, rows: npt.NDArray[Any], floats: Vectors, first_row: int) -> None:
    places = np.argwhere(~np.isfinite(floats))
    if len(places):
        row, place = (int(index) for index in places[0])
        raise damaged(
            path,
            f"row {first_row + row} has {rows[row, place]} at place {place}, which is no finite float32",
            hint="leave the row out, or repair what wrote it",
        )
