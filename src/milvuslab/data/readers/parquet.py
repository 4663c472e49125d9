"""Parquet files, read in small batches of the columns that are needed. A position is `ROWS:0`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from milvuslab.data.document import Document
from milvuslab.data.readers.columns import Columns, row_fields
from milvuslab.data.readers.source import Source, damaged, parse_position
from milvuslab.model.errors import missing_extra

__all__ = ["read_parquet"]

_BATCH_ROWS = 64


def read_parquet(source: Source, position: str) -> Iterator[tuple[Document, str]]:
    """One document a row; row groups before the position are not read.

    Raises:
        SchemaError: it is no Parquet file, or no column holds the text.
        UnsupportedError: the extra `text` is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ModuleNotFoundError:
        raise missing_extra("pyarrow", "text") from None
    skip_rows, _ = parse_position(position, default=(0, 0))
    try:
        with pq.ParquetFile(source.path) as file:
            columns = Columns.find(file.schema_arrow.names, source.columns)
            if columns.text is None:
                names = ", ".join(file.schema_arrow.names)
                raise damaged(source, f"no column holds the text, there are {names}; name it: columns={{'text': ...}}")
            for number, row in _rows(file, columns, skip_rows):
                fields = row_fields(source, row, columns, number)
                document = fields and source.document(row=number, **fields)
                if document:
                    yield document, f"{number}:0"
    except pa.ArrowException as error:
        raise damaged(source, str(error).splitlines()[0][:200]) from error


def _rows(file: Any, columns: Columns, skip_rows: int) -> Iterator[tuple[int, dict[str, Any]]]:
    wanted = [name for name in (getattr(columns, field) for field in columns.__slots__) if name is not None]
    number = 0
    for group in range(file.metadata.num_row_groups):
        group_rows = file.metadata.row_group(group).num_rows
        if number + group_rows <= skip_rows:
            number += group_rows
            continue
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group], columns=wanted):
            for row in batch.to_pylist():
                number += 1
                if number > skip_rows:
                    yield number, row
