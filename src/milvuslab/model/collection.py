"""Collections as values: fields, their types, and what Milvus demands of them.

A spec checks itself when it is made; whether a server can hold it is asked of its capabilities.
Limits are Milvus's own (Milvus docs 2.3, limitations.md; names and lengths measured on 2.3.5).
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Mapping
from typing import Any

from milvuslab.model.errors import NotFoundError, SchemaError, suggest

__all__ = ["CollectionSpec", "Consistency", "DataType", "FieldSpec", "FunctionSpec", "check_name"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_RESERVED = frozenset({"$meta", "RowID", "Timestamp"})


class DataType(str, enum.Enum):
    """Field types by Milvus's own words."""

    BOOL = "BOOL"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FLOAT = "FLOAT"
    DOUBLE = "DOUBLE"
    VARCHAR = "VARCHAR"
    JSON = "JSON"
    ARRAY = "ARRAY"
    FLOAT_VECTOR = "FLOAT_VECTOR"
    BINARY_VECTOR = "BINARY_VECTOR"
    SPARSE_FLOAT_VECTOR = "SPARSE_FLOAT_VECTOR"

    @property
    def is_vector(self) -> bool:
        """Whether the field is searched by nearness."""
        return self.value.endswith("VECTOR")

    @property
    def has_dim(self) -> bool:
        """Whether the field needs a dimension; sparse vectors have none."""
        return self in (DataType.FLOAT_VECTOR, DataType.BINARY_VECTOR)

    def __str__(self) -> str:
        return self.value


class Consistency(str, enum.Enum):
    """How fresh a search must be (Milvus docs 2.3, consistency.md).

    STRONG waits for everything acknowledged before the call: up to one time tick, 200 ms. BOUNDED accepts the server's
    graceful time (5 s) and so hardly ever waits. SESSION sees this client's own writes. EVENTUALLY never waits.
    """

    STRONG = "Strong"
    BOUNDED = "Bounded"
    SESSION = "Session"
    EVENTUALLY = "Eventually"

    def __str__(self) -> str:
        return self.value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FieldSpec:
    """One field of a collection.

    Attributes:
        name: letters, digits and '_', not beginning with a digit, at most 255.
        data_type: what a value is.
        dim: numbers (or bits, a multiple of 8) of a vector; 1 to 32,768 numbers.
        max_length_bytes: longest VARCHAR in UTF-8 bytes, 1 to 65,535; also of the strings of an ARRAY.
        max_capacity: most elements of an ARRAY, 1 to 4,096.
        element_type: type of the elements of an ARRAY.
        is_primary: whether it is the key: INT64 or VARCHAR, exactly one of a collection.
        is_partition_key: whether rows are spread over partitions by its hash: INT64 or VARCHAR.
        analyzer: how the server cuts a VARCHAR into words, by Milvus's names: `{"tokenizer": "standard"}`; an empty one
            is the server's usual. None is a field that is not cut (Milvus docs 2.5, analyzer-overview.md).
        description: kept by the server.
    """

    name: str
    data_type: DataType
    dim: int | None = None
    max_length_bytes: int | None = None
    max_capacity: int | None = None
    element_type: DataType | None = None
    is_primary: bool = False
    is_partition_key: bool = False
    analyzer: Mapping[str, Any] | None = dataclasses.field(default=None, hash=False)
    description: str = ""

    def __post_init__(self) -> None:
        check_name(self.name, what="field")
        if self.data_type.has_dim:
            self._check_dim()
        elif self.dim is not None:
            raise SchemaError(f"field {self.name} is {self.data_type} and takes no dim")
        if (self.is_primary or self.is_partition_key) and self.data_type not in (DataType.INT64, DataType.VARCHAR):
            raise SchemaError(f"field {self.name} is {self.data_type}; a key is INT64 or VARCHAR")
        if self.data_type is DataType.ARRAY:
            self._check_array()
        elif self.element_type is not None or self.max_capacity is not None:
            raise SchemaError(f"field {self.name} is {self.data_type}; only ARRAY has elements and a capacity")
        if self.analyzer is not None and self.data_type is not DataType.VARCHAR:
            raise SchemaError(f"field {self.name} is {self.data_type}; only a VARCHAR is cut into words")
        self._check_length()

    def _check_dim(self) -> None:
        if self.dim is None or not 1 <= self.dim <= 32_768:
            raise SchemaError(f"field {self.name} has dim {self.dim}", hint="give a dim of 1 to 32768")
        if self.data_type is DataType.BINARY_VECTOR and self.dim % 8:
            raise SchemaError(f"field {self.name} has dim {self.dim}", hint="a binary dim is a multiple of 8")

    def _check_array(self) -> None:
        if self.element_type is None or self.element_type.is_vector:
            raise SchemaError(
                f"field {self.name} is an ARRAY of {self.element_type}", hint="give a scalar element_type"
            )
        if self.element_type in (DataType.ARRAY, DataType.JSON):
            raise SchemaError(f"field {self.name} is an ARRAY of {self.element_type}, which Milvus does not nest")
        if self.max_capacity is None or not 1 <= self.max_capacity <= 4_096:
            raise SchemaError(
                f"field {self.name} has capacity {self.max_capacity}", hint="give max_capacity of 1 to 4096"
            )

    def _check_length(self) -> None:
        holds_text = DataType.VARCHAR in (self.data_type, self.element_type)
        if holds_text and (self.max_length_bytes is None or not 1 <= self.max_length_bytes <= 65_535):
            raise SchemaError(
                f"field {self.name} has max_length_bytes {self.max_length_bytes}", hint="give 1 to 65535 bytes"
            )
        if not holds_text and self.max_length_bytes is not None:
            raise SchemaError(f"field {self.name} is {self.data_type} and takes no max_length_bytes")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSpec:
    """A BM25 function: the server makes the sparse vectors of a field from the words of another.

    Rows are written without the output field; it is searched with texts (Milvus docs 2.5, full-text-search.md).

    Attributes:
        name: letters, digits and '_', not beginning with a digit, at most 255.
        input_field: VARCHAR with an analyzer.
        output_field: SPARSE_FLOAT_VECTOR.
    """

    name: str
    input_field: str
    output_field: str

    def __post_init__(self) -> None:
        check_name(self.name, what="function")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSpec:
    """A collection as it is to be, or as a server described it.

    Attributes:
        name: letters, digits and '_', not beginning with a digit, at most 255.
        fields: in order; exactly one is primary, at least one is a vector.
        description: kept by the server; our applications store the encoder's fingerprint there.
        is_auto_id: whether the server gives the primary keys.
        has_dynamic_field: whether rows may carry fields that the schema does not name.
        shard_count: write channels, 1 to 16.
        partition_count: partitions a partition key is hashed to, 1 to 4,096; None takes the server's 64 (2.3: 64,
            2.6: 16). Only with a partition key.
        consistency: level of searches that name none.
        functions: fields that the server fills.
    """

    name: str
    fields: tuple[FieldSpec, ...]
    description: str = ""
    is_auto_id: bool = False
    has_dynamic_field: bool = False
    shard_count: int = 1
    partition_count: int | None = None
    consistency: Consistency = Consistency.BOUNDED
    functions: tuple[FunctionSpec, ...] = ()

    def __post_init__(self) -> None:
        check_name(self.name, what="collection")
        names = [field.name for field in self.fields]
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise SchemaError(f"collection {self.name} names a field twice: {', '.join(sorted(repeated))}")
        if sum(field.is_primary for field in self.fields) != 1:
            raise SchemaError(f"collection {self.name} needs exactly one primary field")
        if not any(field.data_type.is_vector for field in self.fields):
            raise SchemaError(f"collection {self.name} has no vector field")
        if sum(field.is_partition_key for field in self.fields) > 1:
            raise SchemaError(f"collection {self.name} has more than one partition key")
        if self.primary.is_partition_key:
            raise SchemaError(f"field {self.primary.name} cannot be primary and partition key at once")
        if not 1 <= self.shard_count <= 16:
            raise SchemaError(f"collection {self.name} has {self.shard_count} shards", hint="give 1 to 16")
        if self.partition_count is not None and not self.partition_key:
            raise SchemaError(f"collection {self.name} has a partition_count but no partition key")
        if self.partition_count is not None and not 1 <= self.partition_count <= 4_096:
            raise SchemaError(f"collection {self.name} has {self.partition_count} partitions", hint="give 1 to 4096")
        self._check_functions()

    def _check_functions(self) -> None:
        for function in self.functions:
            words, vector = self.field(function.input_field), self.field(function.output_field)
            if words.analyzer is None:
                raise SchemaError(
                    f"function {function.name} of {self.name} reads {words.name}, which has no analyzer",
                    hint='give the field analyzer={"tokenizer": "standard"}',
                )
            if vector.data_type is not DataType.SPARSE_FLOAT_VECTOR:
                raise SchemaError(
                    f"function {function.name} of {self.name} writes {vector.name}, which is {vector.data_type}",
                    hint="BM25 writes a SPARSE_FLOAT_VECTOR",
                )
        outputs = [function.output_field for function in self.functions]
        if len(set(outputs)) < len(outputs):
            raise SchemaError(f"two functions of {self.name} write the same field")

    @property
    def computed_names(self) -> frozenset[str]:
        """Fields that the server fills: never written, and never read back."""
        return frozenset(function.output_field for function in self.functions)

    @property
    def primary(self) -> FieldSpec:
        """The key."""
        return next(field for field in self.fields if field.is_primary)

    @property
    def partition_key(self) -> FieldSpec | None:
        """The field whose hash chooses the partition, if there is one."""
        return next((field for field in self.fields if field.is_partition_key), None)

    @property
    def vector_fields(self) -> tuple[FieldSpec, ...]:
        """Fields that are searched by nearness, in order."""
        return tuple(field for field in self.fields if field.data_type.is_vector)

    def field(self, name: str) -> FieldSpec:
        """The field of that name.

        Raises:
            NotFoundError: there is none; the hint names the nearest.
        """
        for field in self.fields:
            if field.name == name:
                return field
        raise NotFoundError(
            f"collection {self.name} has no field {name}", hint=suggest(name, [field.name for field in self.fields])
        )


def check_name(name: str, *, what: str) -> str:
    """The name itself, when Milvus takes it for a collection, field, partition or alias.

    Raises:
        SchemaError: it does not begin with a letter or '_', holds something else than letters, digits and '_', is
            longer than 255, or is reserved.
    """
    if name in _RESERVED or not _NAME.fullmatch(name):
        raise SchemaError(
            f"{name!r} is no {what} name", hint="begin with a letter or '_', then letters, digits and '_', at most 255"
        )
    return name
