"""Rows of a .npy file, mapped into memory while a block is read."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.data.vectors.file_rows import check_table, damaged, pack_rows
from milvuslab.data.vectors.vector_set import Vectors
from milvuslab.model.errors import UsageError

__all__ = ["NumpyFile", "open_numpy"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class NumpyFile:
    """A two-dimensional array of numbers."""

    path: Path
    row_count: int
    dim: int
    is_binary: bool

    def read(self, start: int, stop: int) -> Vectors:
        """(n, dim) float32, or (n, dim / 8) uint8."""
        return pack_rows(self.path, _map(self.path)[start:stop], is_binary=self.is_binary, first_row=start)


def open_numpy(path: Path, *, is_binary: bool) -> NumpyFile:
    """The file, its header checked.

    Args:
        path: the file.
        is_binary: whether uint8 is packed bits; booleans always are bits.

    Raises:
        SchemaError: it is cut off, no .npy file, or no table of numbers.
        UsageError: bits were asked for, and it holds neither bytes nor booleans.
    """
    rows = _map(path)
    if rows.ndim != 2 or rows.dtype.kind not in "fiub":
        raise damaged(path, f"an array of {rows.dtype} with shape {rows.shape}", hint="write (rows, dim) numbers")
    is_boolean = rows.dtype.kind == "b"
    if is_binary and not is_boolean and rows.dtype != np.uint8:
        raise UsageError(f"{path} holds {rows.dtype}, no bits", hint="write uint8 with numpy.packbits, or booleans")
    width = -(-rows.shape[1] // 8) * 8 if is_boolean else rows.shape[1] * (8 if is_binary else 1)
    check_table(path, row_count=len(rows), dim=width)
    return NumpyFile(path=path, row_count=len(rows), dim=width, is_binary=is_boolean or is_binary)


def _map(path: Path) -> npt.NDArray[Any]:
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError) as error:
        raise damaged(path, f"no whole .npy file: {error}", hint="write it with numpy.save") from None
