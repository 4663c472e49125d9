"""Checks columns against a collection before anything is sent. Nothing is cast if that could lose something.

Every check works on whole columns; a fault is searched row by row only to name it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from milvuslab.gateway.wire.sparse import row_count, sparse_rows
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.errors import SchemaError, suggest

__all__ = ["Batch", "ColumnData", "checked_batch", "checked_queries"]

ColumnData = npt.NDArray[Any] | Sequence[Any]
"""A column: a numpy array (vectors: (rows, dim), binary vectors packed uint8 (rows, dim / 8)), or a list."""

_JSON_MAX_BYTES = 65_536
"""Largest JSON value (Milvus docs 2.3, limitations.md)."""

_INTEGERS: dict[DataType, type[np.signedinteger[Any]]] = {
    DataType.INT8: np.int8,
    DataType.INT16: np.int16,
    DataType.INT32: np.int32,
    DataType.INT64: np.int64,
}
_FLOATS: dict[DataType, type[np.floating[Any]]] = {DataType.FLOAT: np.float32, DataType.DOUBLE: np.float64}


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """Columns that fit: what the encoder takes.

    Attributes:
        columns: by field name: numpy arrays of the exact type, lists of str, of JSON bytes, of lists, `SparseRows`.
        dynamic: JSON bytes of each row's dynamic fields, or None when the collection has none.
        row_count: length of every column.
        row_bytes: (rows,) int64, about what each row takes on the wire.
    """

    columns: Mapping[str, Any]
    dynamic: list[bytes] | None
    row_count: int
    row_bytes: npt.NDArray[np.int64]


def checked_batch(spec: CollectionSpec, columns: Mapping[str, ColumnData], *, with_auto_id: bool = False) -> Batch:
    """The columns in the form that is sent.

    Args:
        spec: the collection.
        columns: by field name; names outside the schema become dynamic fields where the collection takes them.
        with_auto_id: whether the primary key must be given although the server makes it (upsert, delete).

    Raises:
        SchemaError: a field is missing or unknown, lengths differ, or a value does not fit; names field and row.
    """
    wanted = {field.name: field for field in spec.fields if field.name not in spec.computed_names}
    if spec.is_auto_id and not with_auto_id:
        wanted.pop(spec.primary.name)
    _check_names(spec, wanted, columns)
    row_count = _common_length(spec, columns)
    row_bytes = np.zeros(row_count, dtype=np.int64)
    checked: dict[str, Any] = {}
    for name, field in wanted.items():
        checked[name], sizes = _checked_column(field, columns[name], where=f"{spec.name}.{name}")
        row_bytes += sizes
    dynamic = None
    if spec.has_dynamic_field:
        extra = {name: columns[name] for name in columns if name not in wanted}
        dynamic = _dynamic_column(spec, extra, row_count=row_count)
        row_bytes += np.fromiter(map(len, dynamic), np.int64, row_count)
    return Batch(columns=checked, dynamic=dynamic, row_count=row_count, row_bytes=row_bytes)


def checked_queries(field: FieldSpec, vectors: Any, *, where: str) -> npt.NDArray[Any]:
    """Query vectors as a table (nq, dim) of the field's type; one vector of (dim,) is a table of one.

    Raises:
        SchemaError: the shape or a number does not fit, or there is no query.
    """
    table = np.asarray(vectors)[np.newaxis] if np.ndim(vectors) == 1 else vectors
    checked, _ = _checked_column(field, table, where=where)
    if len(checked) == 0:
        raise SchemaError(f"{where} is empty", hint="pass at least one vector")
    assert isinstance(checked, np.ndarray), "float and binary vectors are checked into arrays"
    return checked


def _check_names(spec: CollectionSpec, wanted: Mapping[str, FieldSpec], columns: Mapping[str, ColumnData]) -> None:
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise SchemaError(f"rows for {spec.name} lack {', '.join(missing)}", hint=f"give: {', '.join(wanted)}")
    for name in columns:
        if name in wanted:
            continue
        if spec.is_auto_id and name == spec.primary.name:
            raise SchemaError(f"{spec.name} makes its own {name}", hint=f"leave {name} out")
        if name in spec.computed_names:
            raise SchemaError(f"{spec.name} makes its own {name} by a function", hint=f"leave {name} out")
        if not spec.has_dynamic_field:
            raise SchemaError(f"{spec.name} has no field {name} and takes no dynamic ones", hint=suggest(name, wanted))
        if not name or name == "$meta" or not isinstance(name, str):
            raise SchemaError(f"{name!r} is no name for a dynamic field of {spec.name}")


def _common_length(spec: CollectionSpec, columns: Mapping[str, ColumnData]) -> int:
    sparse = {field.name for field in spec.fields if field.data_type is DataType.SPARSE_FLOAT_VECTOR}
    lengths = {name: row_count(column) if name in sparse else len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise SchemaError(f"columns for {spec.name} differ in length: {told}")
    return next(iter(lengths.values()), 0)


def _checked_column(field: FieldSpec, column: ColumnData, *, where: str) -> tuple[Any, npt.NDArray[np.int64] | int]:  # noqa: PLR0911  (one return a type)
    """The column as it is sent, and the bytes of each row (or of all rows alike)."""
    kind = field.data_type
    if kind is DataType.FLOAT_VECTOR:
        return _float_vectors(column, dim=field.dim or 0, where=where), 4 * (field.dim or 0)
    if kind is DataType.BINARY_VECTOR:
        return _binary_vectors(column, dim=field.dim or 0, where=where), (field.dim or 0) // 8
    if kind is DataType.SPARSE_FLOAT_VECTOR:
        rows = sparse_rows(column, where=where)
        return rows, 8 * np.diff(rows.offsets)
    if kind in _INTEGERS:
        return _integers(column, dtype=_INTEGERS[kind], where=where), 10
    if kind in _FLOATS:
        return _floats(column, dtype=_FLOATS[kind], where=where), 8
    if kind is DataType.BOOL:
        return _booleans(column, where=where), 1
    if kind is DataType.VARCHAR:
        return _strings(column, max_bytes=field.max_length_bytes or 0, where=where)
    if kind is DataType.JSON:
        texts = [_json_bytes(value, where=where, row=row) for row, value in enumerate(column)]
        return texts, np.fromiter(map(len, texts), np.int64, len(texts))
    return _arrays(field, column, where=where)


def _float_vectors(column: ColumnData, *, dim: int, where: str) -> npt.NDArray[np.float32]:
    vectors = _as_table(column, width=dim, where=where, what="numbers")
    if vectors.dtype.kind not in "fiu":
        raise SchemaError(f"{where} takes numbers, not {vectors.dtype}")
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(vectors, dtype="<f4")
    _check_finite(narrow, where=where)
    return narrow


def _binary_vectors(column: ColumnData, *, dim: int, where: str) -> npt.NDArray[np.uint8]:
    if isinstance(column, list | tuple) and column and isinstance(column[0], bytes):
        column = [np.frombuffer(value, dtype=np.uint8) for value in column]
    packed = _as_table(column, width=dim // 8, where=where, what=f"bytes ({dim} bits packed)")
    if packed.dtype != np.uint8:
        raise SchemaError(
            f"{where} takes packed bits as uint8, not {packed.dtype}", hint="numpy.packbits(bits, axis=1)"
        )
    return np.ascontiguousarray(packed)


def _as_table(column: ColumnData, *, width: int, where: str, what: str) -> npt.NDArray[Any]:
    if isinstance(column, np.ndarray) and column.ndim == 2 and column.shape[1] == width:
        return column
    if len(column) == 0:
        return np.empty((0, width), dtype=np.uint8 if "bytes" in what else np.float32)
    if isinstance(column, np.ndarray) and column.dtype != object:
        raise SchemaError(f"{where} takes a table of (rows, {width}) {what}, not one of {column.shape}")
    for row, value in enumerate(column):
        if not isinstance(value, list | tuple | np.ndarray) or len(value) != width:
            found = len(value) if isinstance(value, list | tuple | np.ndarray) else repr(value)[:40]
            raise SchemaError(f"{where} row {row} has {found}, not {width} {what}")
    try:
        return np.asarray(list(column))
    except ValueError as error:
        raise SchemaError(f"{where} takes a table of (rows, {width}) {what}: {error}") from error


def _check_finite(values: npt.NDArray[Any], *, where: str) -> None:
    # The sum is finite only if every number is, bar an overflow, which the slow path settles.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum(dtype=np.float64)):
            return
    finite = np.isfinite(values)
    bad = np.flatnonzero(~(finite.all(axis=1) if values.ndim == 2 else finite))
    if len(bad):
        raise SchemaError(f"{where} row {bad[0]} holds NaN, an infinity or a number too large", hint="remove such rows")


def _integers(
    column: ColumnData, *, dtype: type[np.signedinteger[Any]], where: str
) -> npt.NDArray[np.signedinteger[Any]]:
    values = _as_vector(column, where=where, kinds="iu", what="integers")
    limits = np.iinfo(dtype)
    if len(values) and (int(values.min()) < limits.min or int(values.max()) > limits.max):
        row = int(np.flatnonzero((values < limits.min) | (values > limits.max))[0])
        raise SchemaError(f"{where} row {row} is {values[row]}, outside {limits.min} to {limits.max}")
    return np.ascontiguousarray(values, dtype=dtype)


def _floats(column: ColumnData, *, dtype: type[np.floating[Any]], where: str) -> npt.NDArray[np.floating[Any]]:
    values = _as_vector(column, where=where, kinds="fiu", what="numbers")
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(values, dtype=dtype)
    _check_finite(narrow, where=where)
    return narrow


def _booleans(column: ColumnData, *, where: str) -> npt.NDArray[np.bool_]:
    return _as_vector(column, where=where, kinds="b", what="True and False")


def _as_vector(column: ColumnData, *, where: str, kinds: str, what: str) -> npt.NDArray[Any]:
    """A one-dimensional array of one of the numpy kinds, made from a list only when no value changes."""
    if not isinstance(column, np.ndarray):
        allowed: tuple[type, ...] = {"b": (bool, np.bool_), "iu": (int, np.integer)}.get(
            kinds, (int, float, np.integer, np.floating)
        )
        _check_types(column, allowed=allowed, where=where, what=what, with_bool="b" in kinds)
        if len(column) == 0:
            return np.empty(0, dtype=bool if kinds == "b" else np.int64)
        try:
            column = np.asarray(column, dtype={"b": np.bool_, "iu": np.int64}.get(kinds, np.float64))
        except OverflowError as error:
            raise SchemaError(f"{where} holds an integer beyond 64 bits") from error
    if column.ndim != 1 or column.dtype.kind not in kinds:
        raise SchemaError(f"{where} takes a flat column of {what}, not {column.dtype} of shape {column.shape}")
    return column


def _check_types(column: Any, *, allowed: tuple[type, ...], where: str, what: str, with_bool: bool) -> None:
    kinds = set(map(type, column))
    if all(issubclass(kind, allowed) and (with_bool or not issubclass(kind, bool)) for kind in kinds):
        return
    for row, value in enumerate(column):
        if not isinstance(value, allowed) or (isinstance(value, bool) and not with_bool):
            raise SchemaError(f"{where} row {row} is {repr(value)[:40]}; it takes {what}")


def _strings(column: ColumnData, *, max_bytes: int, where: str) -> tuple[list[str], npt.NDArray[np.int64]]:
    values = column.tolist() if isinstance(column, np.ndarray) else list(column)
    _check_types(values, allowed=(str,), where=where, what="strings", with_bool=False)
    try:
        sizes = np.fromiter(map(len, map(str.encode, values)), np.int64, len(values))
    except UnicodeEncodeError:
        _refuse_surrogate(values, where=where)
    if len(sizes) and sizes.max() > max_bytes:
        row = int(np.argmax(sizes > max_bytes))
        raise SchemaError(
            f"{where} row {row} has {sizes[row]:,} bytes, more than {max_bytes:,}",
            hint="shorten it, or give the field a larger max_length_bytes",
        )
    return values, sizes + 3


def _refuse_surrogate(values: list[str], *, where: str) -> NoReturn:
    row = next(row for row, value in enumerate(values) if any("\ud800" <= letter <= "\udfff" for letter in value))
    raise SchemaError(f"{where} row {row} holds half a surrogate pair, which is no text")


def _json_bytes(value: Any, *, where: str, row: int) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaError(
            f"{where} row {row} is no JSON: {error}", hint="use dict, list, str, int, float, bool"
        ) from error
    if len(text) > _JSON_MAX_BYTES:
        raise SchemaError(f"{where} row {row} has {len(text):,} bytes of JSON, more than {_JSON_MAX_BYTES:,}")
    return text


def _dynamic_column(spec: CollectionSpec, extra: Mapping[str, ColumnData], *, row_count: int) -> list[bytes]:
    if not extra:
        return [b"{}"] * row_count
    lists = {name: column.tolist() if isinstance(column, np.ndarray) else column for name, column in extra.items()}
    names = tuple(lists)
    return [
        _json_bytes(dict(zip(names, values, strict=True)), where=f"{spec.name}'s dynamic fields", row=row)
        for row, values in enumerate(zip(*lists.values(), strict=True))
    ]


def _arrays(field: FieldSpec, column: ColumnData, *, where: str) -> tuple[list[Any], npt.NDArray[np.int64]]:
    assert field.element_type is not None, "a FieldSpec of type ARRAY has an element type"
    element = FieldSpec(name=field.name, data_type=field.element_type, max_length_bytes=field.max_length_bytes)
    rows: list[Any] = []
    sizes = np.zeros(len(column), dtype=np.int64)
    for row, values in enumerate(column):
        if not isinstance(values, list | tuple | np.ndarray):
            raise SchemaError(f"{where} row {row} is {repr(values)[:40]}; it takes a list")
        if len(values) > (field.max_capacity or 0):
            raise SchemaError(f"{where} row {row} has {len(values)} elements, more than {field.max_capacity}")
        checked, element_bytes = _checked_column(element, values, where=f"{where} row {row} element")
        rows.append(checked)
        sizes[row] = np.sum(element_bytes) if isinstance(element_bytes, np.ndarray) else element_bytes * len(values)
    return rows, sizes + 4
