"""Every index type that a server is said to have is really built on it, and finds what exact search finds."""

import concurrent.futures

import numpy as np
import pytest

from milvuslab.gateway.indexes import start_index
from milvuslab.gateway.probe_trials import INDEX_PARAMS
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.errors import MilvusLabError, NotFoundError
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from tests.contract.conftest import KEY, vectors

ROWS, DIM = 1_200, 32
WIDE = {
    "FLOAT_VECTOR": Metric.L2,
    "BINARY_VECTOR": Metric.HAMMING,
    "SPARSE_FLOAT_VECTOR": Metric.IP,
}
SEARCH_PARAMS = {
    "IVF_FLAT": {"nprobe": 2}, "IVF_SQ8": {"nprobe": 2}, "IVF_PQ": {"nprobe": 2}, "HNSW": {"ef": 64},
    "HNSW_SQ": {"ef": 64}, "ANNOY": {"search_k": 4000}, "SCANN": {"nprobe": 2, "reorder_k": 200},
    "BIN_IVF_FLAT": {"nprobe": 2}, "DISKANN": {"search_list": 50},
}  # fmt: skip
BUILD_PARAMS = {
    "HNSW": {"M": 16, "efConstruction": 100},
    "HNSW_SQ": {"M": 16, "efConstruction": 100, "sq_type": "SQ8"},
    "ANNOY": {"n_trees": 16},
}
ROUGH = {"HNSW": 0.95, "ANNOY": 0.95, "IVF_PQ": 0.3, "IVF_SQ8": 0.9, "HNSW_SQ": 0.9}


def columns_of(vector_type):
    dice = np.random.default_rng(0)
    if vector_type == "BINARY_VECTOR":
        return dice.integers(0, 256, (ROWS, DIM // 8), dtype=np.uint8)
    if vector_type == "SPARSE_FLOAT_VECTOR":
        return [{row: 1.0, 5_000 + row % 7: 0.1} for row in range(ROWS)]
    return vectors(ROWS, dim=DIM)


def test_every_index_type_is_built_and_finds_its_rows(gateway, capabilities, name):
    """All at once, because a server flushes, builds and loads many collections in the time of a few."""
    made = {}
    for vector_type, kinds in capabilities.index_types.items():
        stored = columns_of(vector_type)
        dim = None if vector_type == "SPARSE_FLOAT_VECTOR" else DIM
        field = FieldSpec(name="vector", data_type=DataType(vector_type), dim=dim)
        for kind in sorted(kinds):
            collection = f"{name}_{kind.lower()}"
            gateway.collections.create(CollectionSpec(name=collection, fields=(KEY, field)))
            gateway.rows.insert(collection, {"id": np.arange(ROWS), "vector": stored})
            made[kind] = (collection, vector_type, stored)
    gateway.collections.flush(*(collection for collection, _, _ in made.values()))
    for kind, (collection, vector_type, _) in made.items():
        params = BUILD_PARAMS.get(kind, INDEX_PARAMS.get(kind, {}))
        spec = IndexSpec(field_name="vector", index_type=kind, metric=WIDE[vector_type], params=params)
        start_index(gateway.session, collection, spec)

    def check(kind):
        collection, _, stored = made[kind]
        report = gateway.indexes.wait(collection, "vector", timeout_s=120)
        gateway.collections.release(collection)
        gateway.collections.load(collection)
        hits = gateway.search(collection, stored[:50], limit=1, params=SEARCH_PARAMS.get(kind, {}))
        return report, (hits.ids == np.arange(50)).mean()

    with concurrent.futures.ThreadPoolExecutor(len(made)) as pool:
        for kind, (report, found_ratio) in zip(made, pool.map(check, made), strict=True):
            assert (report.spec.index_type, report.indexed_row_count, report.total_row_count) == (kind, ROWS, ROWS)
            assert found_ratio >= ROUGH.get(kind, 1.0), kind


def test_an_unknown_index_type_is_refused(gateway, name, is_lite):
    if is_lite:
        pytest.skip("Lite takes any name and refuses it when it loads")
    field = FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=DIM)
    gateway.collections.create(CollectionSpec(name=name, fields=(KEY, field)))
    with pytest.raises(MilvusLabError, match="BEST_INDEX"):
        gateway.indexes.build(name, IndexSpec(field_name="vector", index_type="BEST_INDEX", metric=Metric.L2))


def test_an_index_is_described_and_dropped(gateway, name):
    field = FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=DIM)
    gateway.collections.create(CollectionSpec(name=name, fields=(KEY, field)))
    with pytest.raises(NotFoundError, match="no index"):
        gateway.indexes.describe(name, "vector")
    spec = IndexSpec(field_name="vector", index_type="HNSW", metric=Metric.IP, params={"M": 8, "efConstruction": 40})
    assert gateway.indexes.build(name, spec).spec == spec
    gateway.collections.release(name)
    gateway.indexes.drop(name, "vector")
    assert gateway.indexes.list(name) == []
    with pytest.raises(NotFoundError):
        gateway.indexes.build(name, IndexSpec(field_name="vectro", index_type="FLAT", metric=Metric.L2))
