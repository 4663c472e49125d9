"""The trials of a probe: each does one thing on a collection of its own and raises when the server refuses."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from milvuslab.gateway.client import Gateway
from milvuslab.gateway.indexes import start_index
from milvuslab.gateway.session import Session
from milvuslab.model.collection import CollectionSpec, Consistency, DataType, FieldSpec, FunctionSpec
from milvuslab.model.errors import RejectedError, TimedOutError
from milvuslab.model.filter import where
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from milvuslab.model.search import AnnQuery, DistanceRange

__all__ = [
    "DATA_TYPE_TRIALS",
    "FEATURE_TRIALS",
    "INDEX_PARAMS",
    "INDEX_TYPES",
    "METRICS",
    "Bench",
    "try_index",
    "try_metric",
]

_DIM = 8
_ROWS = 8
_BUILT_ROWS = 1_100
"""A sealed segment under 1,024 rows is never indexed (`rootCoord.minSegmentSizeToEnableIndex`, milvus.yaml 2.3)."""
_NEVER_TRUSTED = ("DISKANN",)
_BUILT_DIM = 32

INDEX_TYPES: dict[str, tuple[str, ...]] = {
    "FLOAT_VECTOR": (
        "AUTOINDEX", "FLAT", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "HNSW", "HNSW_SQ", "ANNOY", "SCANN", "DISKANN",
        "IVF_RABITQ",
    ),
    "BINARY_VECTOR": ("BIN_FLAT", "BIN_IVF_FLAT"),
    "SPARSE_FLOAT_VECTOR": ("SPARSE_INVERTED_INDEX", "SPARSE_WAND"),
}  # fmt: skip
"""Names tried, by vector type: those of Milvus 2.2 to 2.6. GPU types are left out: 2.3.5 takes them without a GPU."""

METRICS: dict[str, tuple[str, ...]] = {
    "FLOAT_VECTOR": ("L2", "IP", "COSINE"),
    "BINARY_VECTOR": ("HAMMING", "JACCARD"),
    "SPARSE_FLOAT_VECTOR": ("IP",),
}

INDEX_PARAMS: dict[str, dict[str, Any]] = {
    "IVF_FLAT": {"nlist": 2},
    "IVF_SQ8": {"nlist": 2},
    "IVF_PQ": {"nlist": 2, "m": 4, "nbits": 8},
    "HNSW": {"M": 4, "efConstruction": 16},
    "HNSW_SQ": {"M": 4, "efConstruction": 16, "sq_type": "SQ8"},
    "ANNOY": {"n_trees": 2},
    "SCANN": {"nlist": 2},
    "BIN_IVF_FLAT": {"nlist": 2},
    "IVF_RABITQ": {"nlist": 2},
}
_USUAL = {"FLOAT_VECTOR": ("FLAT", "L2"), "BINARY_VECTOR": ("BIN_FLAT", "HAMMING")}


@dataclasses.dataclass(frozen=True, slots=True)
class Bench:
    """Where one trial works.

    Attributes:
        gateway: a connection of its own.
        name: for its collection.
        deadline_s: by `time.monotonic`, when it must be done.
        is_embedded: whether the server says that it lives inside a process.
    """

    gateway: Gateway
    name: str
    deadline_s: float
    is_embedded: bool

    @property
    def left_s(self) -> float:
        """Seconds left.

        Raises:
            TimedOutError: none.
        """
        left = self.deadline_s - time.monotonic()
        if left <= 0:
            raise TimedOutError("the trial took longer than its deadline")
        return left

    @property
    def session(self) -> Session:
        """The connection underneath, for calls that the gateway has no method for."""
        return self.gateway.session


def try_index(bench: Bench, vector_type: str, index_type: str) -> None:
    """Asks for the index; servers refuse an unknown type, or wrong parameters, at once.

    DISKANN is built on real rows everywhere: 2.2.16 takes it and never builds it where disk indexes are off (measured).
    A server inside a process (Lite, by its own word) takes any name and fails, or quietly searches without index, later
    (measured on 3.2.2). There the index is built on real rows, which costs milliseconds; on a real server it would cost
    5 to 10 s, and the contract suite does it.
    """
    _, usual_metric = _USUAL.get(vector_type, ("", "IP"))
    _make_vectors(bench, vector_type)
    spec = IndexSpec(
        field_name="vector", index_type=index_type, metric=Metric(usual_metric), params=INDEX_PARAMS.get(index_type, {})
    )
    start_index(bench.session, bench.name, spec, timeout_s=min(bench.left_s, 3.0))
    if not bench.is_embedded and index_type not in _NEVER_TRUSTED:
        return
    collections = bench.gateway.collections
    bench.gateway.rows.insert(bench.name, {"id": np.arange(_BUILT_ROWS), "vector": _many_vectors(vector_type)})
    collections.flush(bench.name, timeout_s=bench.left_s)
    bench.gateway.indexes.wait(bench.name, "vector", timeout_s=bench.left_s)
    collections.release(bench.name)
    collections.load(bench.name, timeout_s=bench.left_s)


def try_metric(bench: Bench, vector_type: str, metric: str) -> None:
    """Asks for the plainest index with that metric; an unknown one is refused at once."""
    usual_type, _ = _USUAL.get(vector_type, ("SPARSE_INVERTED_INDEX", ""))
    _make_vectors(bench, vector_type)
    spec = IndexSpec(field_name="vector", index_type=usual_type, metric=Metric(metric))
    start_index(bench.session, bench.name, spec, timeout_s=min(bench.left_s, 3.0))


def _make_vectors(bench: Bench, vector_type: str) -> None:
    dim = None if vector_type == "SPARSE_FLOAT_VECTOR" else _BUILT_DIM
    fields = (_KEY, FieldSpec(name="vector", data_type=DataType(vector_type), dim=dim))
    bench.gateway.collections.create(CollectionSpec(name=bench.name, fields=fields))


def _many_vectors(vector_type: str) -> Any:
    dice = np.random.default_rng(0)
    if vector_type == "BINARY_VECTOR":
        return dice.integers(0, 256, (_BUILT_ROWS, _BUILT_DIM // 8), dtype=np.uint8)
    if vector_type == "SPARSE_FLOAT_VECTOR":
        return [{row % 50: 1.0} for row in range(_BUILT_ROWS)]
    return dice.normal(size=(_BUILT_ROWS, _BUILT_DIM)).astype(np.float32)


def _data_type_trial(field: FieldSpec, values: Any) -> Callable[[Bench], None]:
    """A trial that writes one row with the field."""

    def run(bench: Bench) -> None:
        fields = (_KEY, field) if field.data_type.is_vector else (_KEY, _VECTOR, field)
        bench.gateway.collections.create(CollectionSpec(name=bench.name, fields=fields))
        columns = {"id": [1], field.name: values}
        if not field.data_type.is_vector:
            columns["vector"] = _vectors(1)
        bench.gateway.rows.insert(bench.name, columns)

    return run


def _vectors(count: int) -> Any:
    return np.eye(_DIM, dtype=np.float32)[:count]


_KEY = FieldSpec(name="id", data_type=DataType.INT64, is_primary=True)
_VECTOR = FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=_DIM)
_NUMBER = FieldSpec(name="number", data_type=DataType.INT64)
_FLAT = IndexSpec(field_name="vector", index_type="FLAT", metric=Metric.L2)


def _loaded(bench: Bench, *, has_dynamic_field: bool = False, dynamic: Mapping[str, Any] | None = None) -> None:
    """Makes, fills and loads the trial's collection: `number` is the key modulo 2."""
    spec = CollectionSpec(name=bench.name, fields=(_KEY, _VECTOR, _NUMBER), has_dynamic_field=has_dynamic_field)
    bench.gateway.collections.create(spec, [_FLAT])
    keys = np.arange(_ROWS)
    bench.gateway.rows.insert(
        bench.name, {"id": keys, "vector": _vectors(_ROWS), "number": keys % 2, **(dynamic or {})}
    )
    bench.gateway.collections.load(bench.name, timeout_s=bench.left_s)


def _expect(found: object, wanted: object, what: str) -> None:
    """A server that takes the call and does something else does not have the feature."""
    if found != wanted:
        raise RejectedError(f"{what} gave {found}, not {wanted}")


def _try_range_search(bench: Bench) -> None:
    _loaded(bench)
    hits = bench.gateway.search(
        bench.name, _vectors(1), limit=_ROWS, within=DistanceRange(below=1.0), consistency=Consistency.STRONG
    )
    _expect(hits.ids.tolist(), [0], "a search within distance 1")


def _try_group_by(bench: Bench) -> None:
    _loaded(bench)
    hits = bench.gateway.search(bench.name, _vectors(1), limit=_ROWS, group_by="number", consistency=Consistency.STRONG)
    _expect(len(hits.ids), 2, "a search grouped by a field of two values")


def _try_iterator(bench: Bench) -> None:
    _loaded(bench)
    pages = bench.gateway.rows.iterate(bench.name, fields=["id"], batch_rows=3, consistency=Consistency.STRONG)
    _expect([key for page in pages for key in page["id"].tolist()], list(range(_ROWS)), "pages of three")


def _try_row_count_query(bench: Bench) -> None:
    _loaded(bench)
    _expect(bench.gateway.rows.count(bench.name, consistency=Consistency.STRONG), _ROWS, "count(*)")
    if bench.session.counts_by_keys:
        raise RejectedError("count(*) is not understood")


def _try_dynamic_field(bench: Bench) -> None:
    _loaded(bench, has_dynamic_field=True, dynamic={"color": ["red", "blue"] * (_ROWS // 2)})
    rows = bench.gateway.rows.query(
        bench.name, where=where("color") == "red", fields=["color"], limit=_ROWS, consistency=Consistency.STRONG
    )
    _expect(len(rows["id"]), _ROWS // 2, "a filter on a dynamic field")


def _try_json_bool(bench: Bench) -> None:
    _loaded(bench, has_dynamic_field=True, dynamic={"flag": [True, 1] * (_ROWS // 2)})
    rows = bench.gateway.rows.query(
        bench.name, where=where("flag") == 1, fields=["id"], limit=_ROWS, consistency=Consistency.STRONG
    )
    _expect(len(rows["id"]), _ROWS // 2, "the number 1 among true and 1")


def _try_upsert(bench: Bench) -> None:
    _loaded(bench)
    bench.gateway.rows.upsert(bench.name, {"id": [0], "vector": _vectors(1), "number": [7]})
    rows = bench.gateway.rows.get(bench.name, [0], ["number"], consistency=Consistency.STRONG)
    _expect(rows["number"].tolist(), [7], "an upsert")


def _try_delete_by_filter(bench: Bench) -> None:
    _loaded(bench)
    request = bench.session.protos.milvus.DeleteRequest(collection_name=bench.name, expr="number == 1")
    bench.session.caller.change("Delete", request, what="delete by filter")


def _try_filter_templates(bench: Bench) -> None:
    _loaded(bench)
    protos = bench.session.protos
    request = protos.milvus.QueryRequest(
        collection_name=bench.name,
        expr="number == {wanted}",
        output_fields=["id"],
        expr_template_values={"wanted": protos.schema.TemplateValue(int64_val=1)},
        **bench.session.freshness(bench.name, Consistency.STRONG),
    )
    answer = bench.session.caller.read("Query", request, what="query with a template")
    counts = {len(field.scalars.long_data.data) for field in answer.fields_data if field.field_name == "id"}
    _expect(counts, {_ROWS // 2}, "a filter template")


def _try_hybrid_search(bench: Bench) -> None:
    other = dataclasses.replace(_VECTOR, name="other")
    spec = CollectionSpec(name=bench.name, fields=(_KEY, _VECTOR, other))
    bench.gateway.collections.create(spec, [_FLAT, dataclasses.replace(_FLAT, field_name="other")])
    bench.gateway.rows.insert(bench.name, {"id": np.arange(_ROWS), "vector": _vectors(_ROWS), "other": _vectors(_ROWS)})
    bench.gateway.collections.load(bench.name, timeout_s=bench.left_s)
    queries = [AnnQuery(vectors=_vectors(1), field=name, limit=2) for name in ("vector", "other")]
    hits = bench.gateway.hybrid_search(bench.name, queries, limit=2, consistency=Consistency.STRONG)
    _expect(int(hits.ids[0]), 0, "a hybrid search")


def _try_multi_vector(bench: Bench) -> None:
    other = dataclasses.replace(_VECTOR, name="other")
    bench.gateway.collections.create(CollectionSpec(name=bench.name, fields=(_KEY, _VECTOR, other)))


def _try_partition_key(bench: Bench) -> None:
    key = dataclasses.replace(_NUMBER, is_partition_key=True)
    bench.gateway.collections.create(CollectionSpec(name=bench.name, fields=(_KEY, _VECTOR, key), partition_count=2))
    described = bench.gateway.collections.describe(bench.name)
    _expect(described.partition_key, key, "a partition key")


def _try_aliases(bench: Bench) -> None:
    bench.gateway.collections.create(CollectionSpec(name=bench.name, fields=(_KEY, _VECTOR)))
    alias = f"{bench.name}_alias"
    bench.gateway.collections.aliases.create(bench.name, alias)
    try:
        _expect(bench.gateway.collections.describe(alias).name, bench.name, "an alias")
    finally:
        bench.gateway.collections.aliases.drop(alias)


def _try_rename(bench: Bench) -> None:
    bench.gateway.collections.create(CollectionSpec(name=bench.name, fields=(_KEY, _VECTOR)))
    bench.gateway.collections.rename(bench.name, f"{bench.name}_renamed")
    renamed = f"{bench.name}_renamed"
    _expect(bench.gateway.collections.describe(renamed).name, renamed, "a rename")


def _try_replicas(bench: Bench) -> None:
    bench.gateway.collections.create(CollectionSpec(name=bench.name, fields=(_KEY, _VECTOR)), [_FLAT])
    bench.gateway.collections.load(bench.name, replica_count=2, timeout_s=bench.left_s)
    request = bench.session.protos.milvus.GetReplicasRequest(collectionID=bench.session.collection_id(bench.name))
    answer = bench.session.caller.read("GetReplicas", request, what="list replicas")
    _expect(len(answer.replicas), 2, "two replicas")


def _try_full_text(bench: Bench) -> None:
    text = FieldSpec(name="text", data_type=DataType.VARCHAR, max_length_bytes=100, analyzer={"tokenizer": "standard"})
    sparse = FieldSpec(name="sparse", data_type=DataType.SPARSE_FLOAT_VECTOR)
    function = FunctionSpec(name="bm25", input_field="text", output_field="sparse")
    spec = CollectionSpec(name=bench.name, fields=(_KEY, text, sparse), functions=(function,))
    bench.gateway.collections.create(spec)
    _expect(bench.gateway.collections.describe(bench.name).functions, (function,), "a BM25 function")


def _call_trial(method: str, **fields: Any) -> Callable[[Bench], None]:
    """A trial that reads something from the server."""

    def run(bench: Bench) -> None:
        protos = bench.session.protos
        request = getattr(protos.milvus, f"{method}Request")(**fields)
        bench.session.caller.read(method, request, what=method)

    return run


def _try_compaction(bench: Bench) -> None:
    bench.gateway.collections.create(CollectionSpec(name=bench.name, fields=(_KEY, _VECTOR)))
    bench.gateway.collections.compact(bench.name, timeout_s=bench.left_s)


_LENGTH = {"max_length_bytes": 16}
_SCALARS: dict[str, tuple[dict[str, Any], Any]] = {
    "BOOL": ({}, [True]),
    "INT8": ({}, [1]),
    "INT16": ({}, [1]),
    "INT32": ({}, [1]),
    "INT64": ({}, [1]),
    "FLOAT": ({}, [1.5]),
    "DOUBLE": ({}, [1.5]),
    "VARCHAR": (_LENGTH, ["a"]),
    "JSON": ({}, [{"a": 1}]),
    "ARRAY": ({"element_type": DataType.INT64, "max_capacity": 4}, [[1, 2]]),
    "FLOAT_VECTOR": ({"dim": _DIM}, [[0.0] * _DIM]),
    "BINARY_VECTOR": ({"dim": _DIM}, np.zeros((1, 1), dtype=np.uint8)),
    "SPARSE_FLOAT_VECTOR": ({}, [{1: 1.0}]),
}

DATA_TYPE_TRIALS: dict[str, Callable[[Bench], None]] = {
    name: _data_type_trial(FieldSpec(name="value", data_type=DataType(name), **params), values)
    for name, (params, values) in _SCALARS.items()
}

FEATURE_TRIALS: dict[str, Callable[[Bench], None]] = {
    "range_search": _try_range_search,
    "group_by": _try_group_by,
    "iterator": _try_iterator,
    "row_count_query": _try_row_count_query,
    "dynamic_field": _try_dynamic_field,
    "json_bool": _try_json_bool,
    "upsert": _try_upsert,
    "delete_by_filter": _try_delete_by_filter,
    "filter_templates": _try_filter_templates,
    "hybrid_search": _try_hybrid_search,
    "replicas": _try_replicas,
    "multi_vector": _try_multi_vector,
    "partition_key": _try_partition_key,
    "aliases": _try_aliases,
    "rename": _try_rename,
    "full_text": _try_full_text,
    "compaction": _try_compaction,
    "bulk_load": _call_trial("ListImportTasks", limit=1),
    "databases": _call_trial("ListDatabases"),
    "resource_groups": _call_trial("ListResourceGroups"),
    "roles": _call_trial("SelectRole"),
    "json": DATA_TYPE_TRIALS["JSON"],
    "array": DATA_TYPE_TRIALS["ARRAY"],
    "sparse": DATA_TYPE_TRIALS["SPARSE_FLOAT_VECTOR"],
    "binary": DATA_TYPE_TRIALS["BINARY_VECTOR"],
}
