"""The .fvecs, .bvecs and .ivecs files of the TEXMEX sets (SIFT, GIST, BIGANN): each row says its own width.

Form: little-endian int32 width, then that many float32, uint8 or int32; source: corpus-texmex.irisa.fr, "Vector file formats".
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.data.vectors.file_rows import as_floats, check_table, damaged
from milvuslab.data.vectors.vector_set import Vectors

__all__ = ["TexmexFile", "open_texmex"]

_TYPES = {".fvecs": "<f4", ".bvecs": "u1", ".ivecs": "<i4"}
_WIDTH_BYTES = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class TexmexFile:
    """A file of rows that each begin with their width; mapped into memory while a block is read."""

    path: Path
    row_count: int
    dim: int
    is_binary: bool = False

    def read(self, start: int, stop: int) -> Vectors:
        """(n, dim) float32."""
        return as_floats(self.path, self.read_raw(start, stop), first_row=start)

    def read_raw(self, start: int, stop: int) -> npt.NDArray[Any]:
        """(n, dim) of the type in the file, still in the file.

        Raises:
            SchemaError: a row has another width.
        """
        kind = np.dtype(_TYPES[self.path.suffix.lower()])
        record = np.dtype([("width", "<i4"), ("values", kind, (self.dim,))])
        rows = np.memmap(self.path, dtype=record, mode="r", offset=start * record.itemsize, shape=(stop - start,))
        if (rows["width"] != self.dim).any():
            _refuse_other_width(self.path, self.row_count, record.itemsize, self.dim)
        return np.asarray(rows["values"])


def open_texmex(path: Path) -> TexmexFile:
    """The file, its size checked against the width of its first row.

    Raises:
        SchemaError: it is empty, cut off, or its rows differ in width.
    """
    size_bytes = path.stat().st_size
    if size_bytes < _WIDTH_BYTES:
        raise damaged(path, "there is no row", hint="pass a file with vectors")
    dim = int(np.fromfile(path, dtype="<i4", count=1)[0])
    check_table(path, row_count=1, dim=dim)
    record_bytes = _WIDTH_BYTES + dim * np.dtype(_TYPES[path.suffix.lower()]).itemsize
    row_count, rest_bytes = divmod(size_bytes, record_bytes)
    if rest_bytes:
        _refuse_rest(path, row_count, rest_bytes, record_bytes, dim)
    return TexmexFile(path=path, row_count=row_count, dim=dim)


def _refuse_rest(path: Path, row_count: int, rest_bytes: int, record_bytes: int, dim: int) -> None:
    if row_count:
        _refuse_other_width(path, row_count, record_bytes, dim)
    raise damaged(path, f"the file ends inside row {row_count}: {rest_bytes} of {record_bytes} bytes")


def _refuse_other_width(path: Path, row_count: int, record_bytes: int, dim: int) -> None:
    """Looks from the first row on: behind a row of other width, nothing is where it is expected."""
    places = np.memmap(path, dtype=np.uint8, mode="r", shape=(row_count, record_bytes))[:, :_WIDTH_BYTES]
    widths = np.ascontiguousarray(places).view("<i4")[:, 0]
    wrong = widths != dim
    if wrong.any():
        row = int(np.argmax(wrong))
        raise damaged(path, f"row {row} says it has {widths[row]} numbers, row 0 has {dim}")
