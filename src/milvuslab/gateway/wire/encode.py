"""Columns to Milvus's column messages, without touching single numbers.

Float vectors are the bulk of every write. Their bytes in memory are already what protobuf wants in a packed field,
so they are handed over as one serialised submessage (field 1, length, bytes) and parsed with a memory copy, instead
of through a Python float for each number.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.gateway.wire.protos import load_protos, varint
from milvuslab.gateway.wire.schema import TYPE_NUMBERS
from milvuslab.gateway.wire.sparse import SparseRows, sparse_to_bytes
from milvuslab.gateway.wire.validate import Batch
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec

__all__ = ["chunks_of", "encode_fields", "packed_vectors"]

_FIELD_ONE_BYTES = b"\x0a"
_NUMBERS = {
    DataType.BOOL: "bool_data",
    DataType.INT8: "int_data",
    DataType.INT16: "int_data",
    DataType.INT32: "int_data",
    DataType.INT64: "long_data",
}

assert sys.byteorder == "little", "protobuf's floats are little-endian; so must this machine be"


def chunks_of(row_bytes: npt.NDArray[np.int64], *, chunk_bytes: int) -> list[tuple[int, int]]:
    """Row ranges [begin, end) whose bytes stay under the limit; a row larger than it stands alone."""
    ends = np.cumsum(row_bytes)
    ranges: list[tuple[int, int]] = []
    begin = 0
    while begin < len(ends):
        sent = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, sent + chunk_bytes, side="right")))
        ranges.append((begin, end))
        begin = end
    return ranges


def encode_fields(spec: CollectionSpec, batch: Batch, *, begin: int, end: int) -> list[Any]:
    """`FieldData` messages of the rows [begin, end) of a checked batch."""
    messages = [_encode_field(spec.field(name), column, begin=begin, end=end) for name, column in batch.columns.items()]
    if batch.dynamic is not None:
        schema = load_protos().schema
        message = schema.FieldData(type=TYPE_NUMBERS[DataType.JSON], field_name="$meta", is_dynamic=True)
        message.scalars.json_data.data.extend(batch.dynamic[begin:end])
        messages.append(message)
    return messages


def packed_vectors(vectors: npt.NDArray[Any]) -> bytes:
    """A serialised `FloatArray` or `DoubleArray` of all numbers of the array, row after row."""
    data = vectors.tobytes()
    return _FIELD_ONE_BYTES + varint(len(data)) + data


def _encode_field(field: FieldSpec, column: Any, *, begin: int, end: int) -> Any:
    message = load_protos().schema.FieldData(type=TYPE_NUMBERS[field.data_type], field_name=field.name)
    _ENCODERS.get(field.data_type, _put_numbers)(message, field, column, begin, end)
    return message


def _put_numbers(message: Any, field: FieldSpec, column: Any, begin: int, end: int) -> None:
    getattr(message.scalars, _NUMBERS[field.data_type]).data.extend(column[begin:end].tolist())


def _put_floats(message: Any, field: FieldSpec, column: Any, begin: int, end: int) -> None:
    name = "float_data" if field.data_type is DataType.FLOAT else "double_data"
    getattr(message.scalars, name).MergeFromString(packed_vectors(column[begin:end]))


def _put_strings(message: Any, field: FieldSpec, column: Any, begin: int, end: int) -> None:
    del field
    message.scalars.string_data.data.extend(column[begin:end])


def _put_json(message: Any, field: FieldSpec, column: Any, begin: int, end: int) -> None:
    del field
    message.scalars.json_data.data.extend(column[begin:end])


def _put_arrays(message: Any, field: FieldSpec, column: Any, begin: int, end: int) -> None:
    element = field.element_type
    assert element is not None, "a FieldSpec of type ARRAY has an element type"
    array = message.scalars.array_data
    array.element_type = TYPE_NUMBERS[element]
    slot = (
        _NUMBERS.get(element)
        or {
            DataType.FLOAT: "float_data",
            DataType.DOUBLE: "double_data",
            DataType.VARCHAR: "string_data",
        }[element]
    )
    for row in column[begin:end]:
        values = row.tolist() if isinstance(row, np.ndarray) else row
        target = getattr(array.data.add(), slot)
        target.SetInParent()
        target.data.extend(values)


def _put_float_vectors(message: Any, field: FieldSpec, column: Any, begin: int, end: int) -> None:
    message.vectors.dim = field.dim
    message.vectors.float_vector.MergeFromString(packed_vectors(column[begin:end]))


def _put_binary_vectors(message: Any, field: FieldSpec, column: Any, begin: int, end: int) -> None:
    message.vectors.dim = field.dim
    message.vectors.binary_vector = column[begin:end].tobytes()


def _put_sparse_vectors(message: Any, field: FieldSpec, column: SparseRows, begin: int, end: int) -> None:
    del field
    first, last = int(column.offsets[begin]), int(column.offsets[end])
    rows = SparseRows(column.indices[first:last], column.values[first:last], column.offsets[begin : end + 1] - first)
    message.vectors.dim = int(rows.indices.max()) + 1 if len(rows.indices) else 1
    message.vectors.sparse_float_vector.contents.extend(sparse_to_bytes(rows))
    message.vectors.sparse_float_vector.dim = message.vectors.dim


_ENCODERS: Mapping[DataType, Callable[[Any, FieldSpec, Any, int, int], None]] = {
    DataType.FLOAT: _put_floats,
    DataType.DOUBLE: _put_floats,
    DataType.VARCHAR: _put_strings,
    DataType.JSON: _put_json,
    DataType.ARRAY: _put_arrays,
    DataType.FLOAT_VECTOR: _put_float_vectors,
    DataType.BINARY_VECTOR: _put_binary_vectors,
    DataType.SPARSE_FLOAT_VECTOR: _put_sparse_vectors,
}
