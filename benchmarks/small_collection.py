"""The collection that the measurements of the driver search: clustered vectors under HNSW 16/200, searched with ef 64."""

from __future__ import annotations

from milvuslab.bench.collection import build_index, upload
from milvuslab.data.vectors import VectorSet, make_clustered
from milvuslab.gateway import Gateway, PreparedSearches
from milvuslab.model.collection import Consistency
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric

DIM = 128
LIMIT = 10
EF = 64
FIELD = "vector"
INDEX = IndexSpec(field_name=FIELD, index_type="HNSW", metric=Metric.L2, params={"M": 16, "efConstruction": 200})
CASE = {"dim": DIM, "limit": LIMIT, "index": "HNSW", "M": 16, "efConstruction": 200, "ef": EF, "metric": "L2",
        "consistency": str(Consistency.EVENTUALLY), "seed": 7}  # fmt: skip


def fill(gateway: Gateway, *, rows: int) -> tuple[str, VectorSet]:
    """The loaded collection's name and its vectors."""
    vectors = make_clustered(row_count=rows, dim=DIM, query_count=min(1_000, rows))
    name = upload(gateway, vectors).name
    build_index(gateway, name, INDEX)
    return name, vectors


def prepare(gateway: Gateway, name: str, vectors: VectorSet) -> PreparedSearches:
    """Its searches, one query in each."""
    return gateway.prepare_searches(
        name, vectors.queries, limit=LIMIT, params={"ef": EF}, consistency=Consistency.EVENTUALLY, field=FIELD
    )
