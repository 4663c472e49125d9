"""Milvus's column messages to columns: numpy arrays for numbers and vectors, lists for the rest.

Floats are not read one by one: the submessage is serialised again, which is a memory copy, and its bytes are viewed
as an array.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.gateway.wire.sparse import sparse_from_bytes
from milvuslab.model.collection import CollectionSpec, DataType

__all__ = ["decode_columns", "decode_ids", "empty_columns", "packed_floats"]

_INTEGERS: dict[int, Any] = {2: np.int8, 3: np.int16, 4: np.int32, 5: np.int64}
_EMPTY: dict[DataType, Any] = {
    DataType.BOOL: np.bool_,
    DataType.INT8: np.int8,
    DataType.INT16: np.int16,
    DataType.INT32: np.int32,
    DataType.INT64: np.int64,
    DataType.FLOAT: np.float32,
    DataType.DOUBLE: np.float64,
}


def decode_columns(fields: Sequence[Any], *, wanted: Sequence[str], spec: CollectionSpec) -> dict[str, Any]:
    """The wanted columns of an answer, in the wanted order.

    Args:
        fields: `FieldData` messages.
        wanted: field names; names outside the schema are dynamic fields, whose missing values are None.
        spec: tells fields of the schema from dynamic ones.
    """
    by_name = {"$meta" if field.is_dynamic else field.field_name: field for field in fields}
    known = {field.name for field in spec.fields}
    dynamic: list[dict[str, Any]] | None = None
    columns: dict[str, Any] = {}
    for name in wanted:
        if name in by_name and (name in known or "$meta" not in by_name):
            columns[name] = _decode_field(by_name[name])
        elif "$meta" in by_name:
            dynamic = dynamic if dynamic is not None else _decode_field(by_name["$meta"])
            columns[name] = dynamic if name == "$meta" else [row.get(name) for row in dynamic]
    return columns


def decode_ids(ids: Any) -> npt.NDArray[Any]:
    """Primary keys: int64, or object holding str."""
    if ids.WhichOneof("id_field") == "str_id":
        values = np.empty(len(ids.str_id.data), dtype=object)
        values[:] = list(ids.str_id.data)
        return values
    return np.fromiter(ids.int_id.data, np.int64, len(ids.int_id.data))


def empty_columns(spec: CollectionSpec, names: Sequence[str]) -> dict[str, Any]:
    """The wanted columns of an answer without rows."""
    known = {field.name: field for field in spec.fields}
    columns: dict[str, Any] = {}
    for name in names:
        field = known.get(name)
        if field is not None and field.data_type in _EMPTY:
            columns[name] = np.empty(0, dtype=_EMPTY[field.data_type])
        elif field is not None and field.data_type is DataType.FLOAT_VECTOR:
            columns[name] = np.empty((0, field.dim or 0), dtype=np.float32)
        elif field is not None and field.data_type is DataType.BINARY_VECTOR:
            columns[name] = np.empty((0, (field.dim or 0) // 8), dtype=np.uint8)
        else:
            columns[name] = []
    return columns


def packed_floats(message: Any, *, dtype: Any) -> npt.NDArray[Any]:
    """All numbers of a `FloatArray` or `DoubleArray`, as a read-only view of one copy."""
    data = message.SerializeToString()
    begin = 1
    while begin < len(data) and data[begin] & 0x80:
        begin += 1
    return np.frombuffer(data, dtype=dtype, offset=min(begin + 1, len(data)))


def _decode_field(field: Any) -> Any:  # noqa: PLR0911  (one return a form)
    kind = field.WhichOneof("field")
    if kind == "vectors":
        return _decode_vectors(field.vectors)
    scalars = field.scalars
    slot = scalars.WhichOneof("data")
    if slot is None:
        return _nothing(field.type)
    if slot == "float_data":
        return packed_floats(scalars.float_data, dtype="<f4")
    if slot == "double_data":
        return packed_floats(scalars.double_data, dtype="<f8")
    data = getattr(scalars, slot).data
    if slot in ("int_data", "long_data"):
        return np.fromiter(data, _INTEGERS.get(field.type, np.int64), len(data))
    if slot == "bool_data":
        return np.fromiter(data, np.bool_, len(data))
    if slot == "json_data":
        return [json.loads(value) if value else None for value in data]
    if slot == "array_data":
        return [_decode_element_list(row) for row in data]
    return list(data)


def _decode_element_list(row: Any) -> list[Any]:
    slot = row.WhichOneof("data")
    return list(getattr(row, slot).data) if slot else []


def _decode_vectors(vectors: Any) -> Any:
    slot = vectors.WhichOneof("data")
    dim = int(vectors.dim)
    if slot == "float_vector":
        return packed_floats(vectors.float_vector, dtype="<f4").reshape(-1, dim)
    if slot == "binary_vector":
        return np.frombuffer(vectors.binary_vector, dtype=np.uint8).reshape(-1, dim // 8)
    if slot == "sparse_float_vector":
        return sparse_from_bytes(list(vectors.sparse_float_vector.contents))
    return np.empty((0, dim), dtype=np.float32)


def _nothing(type_number: int) -> Any:
    types: Mapping[int, Any] = {1: np.bool_, 10: np.float32, 11: np.float64, **_INTEGERS}
    return np.empty(0, dtype=types[type_number]) if type_number in types else []
