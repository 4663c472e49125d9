"""One canonical encoding of a row to SHA-256, and the digest of a multiset of rows.

Two collections hold the same rows exactly when their multiset digests are equal (up to a collision of SHA-256):
order, segments and servers do not matter; field values, dynamic fields and the partition do.

Encoding of a row: fields in order of name, each as length-prefixed name, one type byte and length-prefixed content.
Integers are 8 bytes, FLOAT 4 and DOUBLE 8 bytes IEEE 754 as stored (0.0 and -0.0 differ), strings UTF-8 as stored
(no normalisation), JSON and dynamic fields canonical JSON with sorted names, vectors their little-endian bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.errors import SchemaError

__all__ = ["MultisetDigest", "compute_row_digests"]

_MODULUS = 1 << 256


@dataclasses.dataclass(frozen=True, slots=True)
class MultisetDigest:
    """Digest of any number of rows in any order.

    Attributes:
        row_count: how many rows went in.
        value: sum of the row digests modulo 2^256.
    """

    row_count: int = 0
    value: int = 0

    def add(self, digests: Iterable[bytes]) -> MultisetDigest:
        """With these rows put in."""
        count, value = self.row_count, self.value
        for digest in digests:
            count += 1
            value += int.from_bytes(digest, "big")
        return MultisetDigest(count, value % _MODULUS)

    def remove(self, digests: Iterable[bytes]) -> MultisetDigest:
        """With these rows taken out again."""
        count, value = self.row_count, self.value
        for digest in digests:
            count -= 1
            value -= int.from_bytes(digest, "big")
        return MultisetDigest(count, value % _MODULUS)

    def hex(self) -> str:
        """`COUNT:64 hexadecimal digits`."""
        return f"{self.row_count}:{self.value:064x}"


def compute_row_digests(spec: CollectionSpec, columns: Mapping[str, Any], *, partition: str = "") -> list[bytes]:
    """SHA-256 of each row, in order.

    Args:
        spec: gives each column its type; a column it does not name is a dynamic field.
        columns: numpy arrays or lists of equal length; sparse vectors as `{index: value}`.
        partition: name of the partition the rows lie in; empty when it does not matter.

    Raises:
        SchemaError: columns differ in length, or a dynamic column in a collection that has none.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise SchemaError(f"columns differ in length: {lengths}")
    fields = {field.name: field for field in spec.fields}
    unknown = [name for name in columns if name not in fields]
    if unknown and not spec.has_dynamic_field:
        raise SchemaError(f"collection {spec.name} has no field {unknown[0]}")
    encoders = [(name, fields.get(name), columns[name]) for name in sorted(columns)]
    row_count = next(iter(lengths.values()), 0)
    head = _prefixed(partition.encode())
    digests = []
    for row in range(row_count):
        digest = hashlib.sha256(head)
        for name, field, values in encoders:
            digest.update(_prefixed(name.encode()))
            digest.update(_encode(field, values[row]))
        digests.append(digest.digest())
    return digests


def _encode(field: FieldSpec | None, value: Any) -> bytes:
    if value is None:
        return b"\x00"
    kind = DataType.JSON if field is None else field.data_type
    return b"\x01" + _prefixed(_content(kind, field, value))


def _content(kind: DataType, field: FieldSpec | None, value: Any) -> bytes:
    if kind is DataType.ARRAY:
        assert field is not None and field.element_type is not None
        return b"".join(_prefixed(_content(field.element_type, None, item)) for item in value)
    return _CONTENT[kind](value)


def _integer(value: Any) -> bytes:
    return struct.pack("<q", int(value))


def _binary_vector(value: Any) -> bytes:
    return value if isinstance(value, bytes) else np.ascontiguousarray(value, dtype=np.uint8).tobytes()


def _sparse_vector(value: Mapping[int, float]) -> bytes:
    return b"".join(struct.pack("<If", index, value[index]) for index in sorted(value))


def _canonical_json(value: Any) -> bytes:
    if isinstance(value, bytes):
        value = json.loads(value)  # JSON as the wire carries it
    if isinstance(value, np.generic):
        value = value.item()
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


_CONTENT: dict[DataType, Callable[[Any], bytes]] = {
    DataType.BOOL: _integer,
    DataType.INT8: _integer,
    DataType.INT16: _integer,
    DataType.INT32: _integer,
    DataType.INT64: _integer,
    DataType.FLOAT: lambda value: struct.pack("<f", value),
    DataType.DOUBLE: lambda value: struct.pack("<d", value),
    DataType.VARCHAR: lambda value: str(value).encode(),
    DataType.JSON: _canonical_json,
    DataType.FLOAT_VECTOR: lambda value: np.ascontiguousarray(value, dtype="<f4").tobytes(),
    DataType.BINARY_VECTOR: _binary_vector,
    DataType.SPARSE_FLOAT_VECTOR: _sparse_vector,
}


def _prefixed(content: bytes) -> bytes:
    return struct.pack("<I", len(content)) + content
