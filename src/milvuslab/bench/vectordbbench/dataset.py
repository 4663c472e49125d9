"""A set of vectors as the tool's custom dataset: three Parquet files, nothing fetched from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from milvuslab.model.errors import SchemaError, missing_extra

if TYPE_CHECKING:
    from milvuslab.data.truth import Truth
    from milvuslab.data.vectors import VectorSet

__all__ = ["write_dataset"]

_BLOCK_ROWS = 50_000


def write_dataset(vectors: VectorSet, truth: Truth, folder: Path, *, with_rows: bool = False) -> Path:
    """Writes `test.parquet` (queries), `neighbors.parquet` (their true neighbours) and returns the folder.

    Columns are named as VectorDBBench's `CustomDataset` reads them: `id`, `emb`, `neighbors_id`. It reads nothing else
    when it does not load the rows itself.

    Args:
        vectors: float vectors.
        truth: of `vectors.queries`, row for row.
        folder: made when missing.
        with_rows: whether to write `train.parquet` too, for a run in which the tool loads the rows.

    Raises:
        SchemaError: the vectors are binary, which the tool's files cannot say.
        UnsupportedError: pyarrow is not installed.
    """
    if vectors.is_binary:
        raise SchemaError(f"{vectors.name} holds binary vectors; VectorDBBench takes numbers", hint="take a float set")
    arrow, parquet = _arrow()
    folder.mkdir(parents=True, exist_ok=True)
    ids = np.arange(len(vectors.queries), dtype=np.int64)
    parquet.write_table(arrow.table({"id": ids, "emb": _lists(arrow, vectors.queries)}), folder / "test.parquet")
    parquet.write_table(
        arrow.table({"id": ids, "neighbors_id": _lists(arrow, truth.ids)}), folder / "neighbors.parquet"
    )
    if with_rows:
        _write_rows(vectors, folder / "train.parquet")
    return folder


def _write_rows(vectors: VectorSet, path: Path) -> None:
    arrow, parquet = _arrow()
    schema = arrow.schema([("id", arrow.int64()), ("emb", arrow.list_(arrow.float32()))])
    with parquet.ParquetWriter(path, schema) as writer:
        for start, block in vectors.iter_blocks(_BLOCK_ROWS):
            ids = np.arange(start, start + len(block), dtype=np.int64)
            writer.write_table(arrow.table({"id": ids, "emb": _lists(arrow, block)}, schema=schema))


def _lists(arrow: Any, rows: npt.NDArray[Any]) -> Any:
    """(n, width) as a column of lists."""
    offsets = np.arange(0, rows.size + 1, rows.shape[1], dtype=np.int32)
    return arrow.ListArray.from_arrays(offsets, np.ascontiguousarray(rows).ravel())


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        raise missing_extra("pyarrow", "bench") from None
    return arrow, parquet
