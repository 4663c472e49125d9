"""Collections and indexes between our values and Milvus's messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from milvuslab.gateway.wire.protos import load_protos
from milvuslab.model.collection import CollectionSpec, Consistency, DataType, FieldSpec, FunctionSpec
from milvuslab.model.index import IndexReport, IndexSpec
from milvuslab.model.metric import Metric

__all__ = [
    "DESCRIPTION_PROPERTY",
    "TYPE_NUMBERS",
    "index_from_message",
    "index_params",
    "schema_to_message",
    "spec_from_message",
]

DESCRIPTION_PROPERTY = "milvuslab.description"
"""Where the description is kept a second time: Lite 3.2 keeps properties of a collection, but no description."""

TYPE_NUMBERS: dict[DataType, int] = {
    DataType.BOOL: 1,
    DataType.INT8: 2,
    DataType.INT16: 3,
    DataType.INT32: 4,
    DataType.INT64: 5,
    DataType.FLOAT: 10,
    DataType.DOUBLE: 11,
    DataType.VARCHAR: 21,
    DataType.ARRAY: 22,
    DataType.JSON: 23,
    DataType.BINARY_VECTOR: 100,
    DataType.FLOAT_VECTOR: 101,
    DataType.SPARSE_FLOAT_VECTOR: 104,
}
"""Numbers of `schema.proto`'s DataType."""

_TYPES = {number: data_type for data_type, number in TYPE_NUMBERS.items()}
_DYNAMIC_FIELD = "$meta"
_BM25 = 1
"""`schema.proto`'s FunctionType; other kinds call services and are none of ours."""
_LENGTH_MAX_BYTES = 65_535
_INDEX_STATES = {0: "None", 1: "Unissued", 2: "InProgress", 3: "Finished", 4: "Failed", 5: "Retry"}


def schema_to_message(spec: CollectionSpec) -> Any:
    """The `CollectionSchema` to create a collection with."""
    protos = load_protos()
    message = protos.schema.CollectionSchema(
        name=spec.name,
        description=spec.description,
        enable_dynamic_field=spec.has_dynamic_field,
        autoID=spec.is_auto_id,
    )
    for field in spec.fields:
        message.fields.append(_field_to_message(field, is_auto_id=spec.is_auto_id and field.is_primary))
    for function in spec.functions:
        message.functions.add(
            name=function.name,
            type=_BM25,
            input_field_names=[function.input_field],
            output_field_names=[function.output_field],
        )
    return message


def _property(answer: Any, key: str) -> str:
    return next((str(pair.value) for pair in answer.properties if pair.key == key), "")


def spec_from_message(answer: Any) -> CollectionSpec:
    """The collection of a `DescribeCollectionResponse`.

    Field types that we have no word for are left out: they cannot be written through this gateway, but the rest
    can be read.
    """
    schema = answer.schema
    fields = tuple(
        _field_from_message(field)
        for field in schema.fields
        if field.data_type in _TYPES and not field.is_dynamic and field.name != _DYNAMIC_FIELD
    )
    has_partition_key = any(field.is_partition_key for field in fields)
    level = load_protos().common.ConsistencyLevel.Name(answer.consistency_level)
    return CollectionSpec(
        name=schema.name or answer.collection_name,
        fields=fields,
        description=schema.description or _property(answer, DESCRIPTION_PROPERTY),
        is_auto_id=any(field.autoID for field in schema.fields),
        has_dynamic_field=schema.enable_dynamic_field,
        shard_count=max(1, answer.shards_num),
        partition_count=(answer.num_partitions or None) if has_partition_key else None,
        consistency=Consistency(level) if level in {str(one) for one in Consistency} else Consistency.BOUNDED,
        functions=tuple(
            FunctionSpec(
                name=function.name,
                input_field=function.input_field_names[0],
                output_field=function.output_field_names[0],
            )
            for function in schema.functions
            if function.type == _BM25
        ),
    )


def index_params(spec: IndexSpec) -> dict[str, str]:
    """The parameters to build an index with; Milvus wants the build parameters as one JSON text."""
    params: dict[str, str] = {}
    if spec.index_type:
        params["index_type"] = spec.index_type
    if spec.metric is not None:
        params["metric_type"] = str(spec.metric)
    if spec.params or spec.metric is not None:
        params["params"] = json.dumps(dict(spec.params))
    return params


def index_from_message(message: Any) -> IndexReport:
    """The index of an `IndexDescription`."""
    values = {pair.key: pair.value for pair in message.params}
    metric = values.pop("metric_type", "")
    index_type = values.pop("index_type", "")
    nested = _as_mapping(values.pop("params", ""))
    return IndexReport(
        spec=IndexSpec(
            field_name=message.field_name,
            index_type=index_type,
            metric=Metric(metric) if metric in {str(one) for one in Metric} else None,
            params={**{key: _as_value(value) for key, value in values.items() if key != "dim"}, **nested},
        ),
        name=message.index_name,
        indexed_row_count=int(message.indexed_rows),
        total_row_count=int(message.total_rows),
        state=_INDEX_STATES.get(message.state, str(message.state)),
        failure=message.index_state_fail_reason,
    )


def _field_to_message(field: FieldSpec, *, is_auto_id: bool) -> Any:
    protos = load_protos()
    type_params: dict[str, str] = {}
    if field.dim is not None:
        type_params["dim"] = str(field.dim)
    if field.max_length_bytes is not None:
        type_params["max_length"] = str(field.max_length_bytes)
    if field.max_capacity is not None:
        type_params["max_capacity"] = str(field.max_capacity)
    if field.analyzer is not None:
        type_params["enable_analyzer"] = "true"
        if field.analyzer:
            type_params["analyzer_params"] = json.dumps(dict(field.analyzer))
    return protos.schema.FieldSchema(
        name=field.name,
        description=field.description,
        data_type=TYPE_NUMBERS[field.data_type],
        element_type=TYPE_NUMBERS[field.element_type] if field.element_type else 0,
        is_primary_key=field.is_primary,
        is_partition_key=field.is_partition_key,
        autoID=is_auto_id,
        type_params=protos.key_values(type_params),
    )


def _field_from_message(message: Any) -> FieldSpec:
    params = {pair.key: pair.value for pair in message.type_params}
    data_type = _TYPES[message.data_type]
    element_type = _TYPES[message.element_type] if data_type is DataType.ARRAY else None
    if element_type is DataType.VARCHAR:
        params.setdefault("max_length", str(_LENGTH_MAX_BYTES))  # Lite forgets it
    return FieldSpec(
        name=message.name,
        data_type=data_type,
        dim=int(params["dim"]) if data_type.has_dim and "dim" in params else None,
        max_length_bytes=int(params["max_length"]) if params.get("max_length") else None,
        max_capacity=int(params["max_capacity"]) if params.get("max_capacity") else None,
        element_type=element_type,
        is_primary=message.is_primary_key,
        is_partition_key=message.is_partition_key,
        analyzer=_as_mapping(params.get("analyzer_params", "")) if _is_analyzed(params) else None,
        description=message.description,
    )


def _is_analyzed(params: Mapping[str, str]) -> bool:
    return params.get("enable_analyzer", "").lower() == "true"


def _as_mapping(text: str) -> dict[str, Any]:
    value = _as_value(text) if text else {}
    return value if isinstance(value, dict) else {}


def _as_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
