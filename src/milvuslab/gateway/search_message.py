"""What every search is made of: the checked request message, and the hits in an answer."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from milvuslab.gateway.session import Session
from milvuslab.gateway.wire.decode import decode_columns, decode_ids, empty_columns
from milvuslab.gateway.wire.sparse import sparse_rows, sparse_to_bytes
from milvuslab.gateway.wire.validate import checked_queries
from milvuslab.model.collection import CollectionSpec, Consistency, DataType, FieldSpec
from milvuslab.model.errors import NotFoundError, SchemaError, UsageError, suggest
from milvuslab.model.metric import Metric
from milvuslab.model.search import Hits

__all__ = [
    "LIMIT_MAX",
    "check_names",
    "hits_of",
    "query_blobs",
    "search_request",
    "target_field",
    "usual_metric",
]

LIMIT_MAX = 16_384
"""Most hits of one query (`quotaAndLimits.limits.topK`, milvus.yaml 2.3)."""

_PLACEHOLDERS = {DataType.BINARY_VECTOR: 100, DataType.FLOAT_VECTOR: 101, DataType.SPARSE_FLOAT_VECTOR: 104}
_TEXT_PLACEHOLDER = 21
"""`PlaceholderType.VarChar`: the server makes the query vector of a text with the function that made the field's."""


def target_field(spec: CollectionSpec, name: str | None) -> FieldSpec:
    """The vector field of that name; None is the only one.

    Raises:
        UsageError: there are several and no name was given.
        SchemaError: the field holds no vectors.
    """
    if name is None:
        if len(spec.vector_fields) > 1:
            names = [one.name for one in spec.vector_fields]
            raise UsageError(f"{spec.name} has {len(names)} vector fields", hint=f"say which: {', '.join(names)}")
        return spec.vector_fields[0]
    found = spec.field(name)
    if not found.data_type.is_vector:
        raise SchemaError(f"{spec.name}.{name} is {found.data_type}, not a vector", hint="search a vector field")
    return found


def check_names(spec: CollectionSpec, names: Sequence[str]) -> None:
    """Raises NotFoundError for a field that is neither in the schema nor can be dynamic."""
    known = [one.name for one in spec.fields]
    for name in names:
        if name in spec.computed_names:
            raise SchemaError(f"{spec.name} keeps no values of {name}: a function makes them", hint="leave it out")
        if name not in known and not spec.has_dynamic_field:
            raise NotFoundError(f"{spec.name} has no field {name}", hint=suggest(name, known))


def usual_metric(spec: CollectionSpec, field: FieldSpec) -> Metric:
    """What a server takes when an index names none; a field without an index is searched with it."""
    if field.name in spec.computed_names:
        return Metric.BM25
    usual = {DataType.BINARY_VECTOR: Metric.HAMMING, DataType.SPARSE_FLOAT_VECTOR: Metric.IP}
    return usual.get(field.data_type, Metric.COSINE)


def query_blobs(spec: CollectionSpec, field: FieldSpec, vectors: Any) -> list[bytes]:
    """The bytes of each query as a placeholder takes them, checked against the field.

    A field that a function fills takes texts, one or a list.

    Raises:
        SchemaError: they do not fit the field.
    """
    where = f"the query for {spec.name}.{field.name}"
    if field.name in spec.computed_names:
        return _text_blobs(vectors, where=where)
    if field.data_type is DataType.SPARSE_FLOAT_VECTOR:
        return sparse_to_bytes(sparse_rows([vectors] if isinstance(vectors, Mapping) else vectors, where=where))
    table = checked_queries(field, vectors, where=where)
    width = table.shape[1] * table.itemsize
    data = table.tobytes()
    return [data[begin : begin + width] for begin in range(0, len(data), width)]


def _text_blobs(texts: Any, *, where: str) -> list[bytes]:
    texts = [texts] if isinstance(texts, str) else list(texts)
    if not texts or not all(isinstance(text, str) for text in texts):
        raise SchemaError(f"{where} must be text: the server makes the vectors of this field", hint='["words"]')
    try:
        return [text.encode() for text in texts]
    except UnicodeEncodeError:
        raise SchemaError(f"{where} holds half a surrogate pair, which is no text") from None


def search_request(
    session: Session,
    name: str,
    target: FieldSpec,
    blobs: list[bytes],
    *,
    limit: int,
    metric: Metric,
    params: Mapping[str, Any],
    condition: str | bool,
    partitions: Sequence[str] | None,
    output_fields: Sequence[str],
    group_by: str | None,
    offset: int,
    consistency: Consistency | None,
) -> Any:
    """The `SearchRequest` message of queries whose bytes `query_blobs` made."""
    protos = session.protos
    common = protos.common
    is_text = target.name in session.spec(name).computed_names
    kind = _TEXT_PLACEHOLDER if is_text else _PLACEHOLDERS[target.data_type]
    group = common.PlaceholderGroup(placeholders=[common.PlaceholderValue(tag="$0", type=kind, values=blobs)])
    settings = {
        "anns_field": target.name,
        "topk": str(limit),
        "metric_type": str(metric),
        "params": json.dumps(dict(params), default=_plain_number),
        "round_decimal": "-1",
        "ignore_growing": "False",
    }
    if offset:
        settings["offset"] = str(offset)
    if group_by:
        settings["group_by_field"] = group_by
    return protos.milvus.SearchRequest(
        collection_name=name,
        partition_names=partitions or [],
        dsl="" if condition is True else str(condition),
        dsl_type=common.DslType.BoolExprV1,
        placeholder_group=group.SerializeToString(),
        output_fields=output_fields,
        search_params=protos.key_values(settings),
        nq=len(blobs),
        **session.freshness(name, consistency),
    )


def hits_of(
    results: Any,
    spec: CollectionSpec,
    metric: Metric,
    output_fields: Sequence[str],
    *,
    begun_s: float,
    query_count: int,
) -> Hits:
    """The columns of a `SearchResultData` message."""
    ids = decode_ids(results.ids)
    scores = np.fromiter(results.scores, np.float32, len(results.scores))
    if metric is Metric.BM25:
        # Lite 3.2.2 answers with -score, servers with score (read in its index/sparse_inverted.py); neither is below 0.
        scores = np.abs(scores)
    offsets = np.zeros(query_count + 1, dtype=np.int64)
    if len(results.topks) == query_count:
        np.cumsum(np.fromiter(results.topks, np.int64, query_count), out=offsets[1:])
    columns = empty_columns(spec, output_fields)
    if len(ids):
        columns.update(decode_columns(results.fields_data, wanted=output_fields, spec=spec))
        if spec.primary.name in output_fields and spec.primary.name not in {
            field.field_name for field in results.fields_data
        }:
            columns[spec.primary.name] = ids
    return Hits(
        ids=ids,
        scores=scores,
        offsets=offsets,
        metric=metric,
        columns=columns,
        latency_ms=(time.monotonic() - begun_s) * 1_000,
    )


def _plain_number(value: Any) -> Any:
    """A numpy number as Python's own, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise UsageError(f"{value!r} is no search parameter", hint="use numbers, strings, True and False")
