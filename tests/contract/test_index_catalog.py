"""What the catalogue says of a version agrees with what the probe saw, and with what servers do with parameters."""

import re

import numpy as np
import pytest

from milvuslab.gateway.probe_trials import INDEX_TYPES as PROBED_TYPES
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.errors import MilvusLabError, UsageError
from milvuslab.model.index import IndexSpec
from milvuslab.model.index_catalog import INDEX_TYPES, check_build_params, check_search_params, get_index_type
from milvuslab.model.metric import Metric
from tests.contract.conftest import KEY, vectors

ROWS, DIM = 1_200, 32


def said_to_have(version, vector_type):
    """Types that the catalogue says this version has, of those that a probe asks for."""
    release = re.match(r"v?(\d+\.\d+)", version)
    found = set()
    for name in PROBED_TYPES[vector_type]:
        one = get_index_type(name)
        if release is None:  # Lite tells a version of its own
            is_there = one.is_in_lite
        else:
            is_there = one.since <= release.group(1) and (not one.until or release.group(1) <= one.until)
        if is_there:
            found.add(name)
    return found


@pytest.mark.parametrize("vector_type", PROBED_TYPES)
def test_the_catalogue_and_the_probe_agree(capabilities, vector_type):
    # DISKANN and SCANN need more than a version: a disk, and AVX2.
    depends = {name for name in PROBED_TYPES[vector_type] if get_index_type(name).needs}
    seen = set(capabilities.index_types.get(vector_type, ()))
    assert seen - depends == said_to_have(capabilities.server_version, vector_type) - depends
    assert seen & depends <= said_to_have(capabilities.server_version, vector_type)


def test_metrics_that_a_server_takes_are_in_the_catalogue(capabilities):
    for vector_type, metrics in capabilities.metrics.items():
        known = {word for one in INDEX_TYPES.values() if one.vector_kind == vector_type for word in one.metrics}
        assert set(metrics) <= known


@pytest.fixture(scope="module")
def graph(gateway):
    """A loaded collection with a poor HNSW, so that recall moves when `ef` reaches it."""
    name = "milvuslab_test_catalog_graph"
    field = FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=DIM)
    gateway.collections.create(CollectionSpec(name=name, fields=(KEY, field)))
    rows = vectors(ROWS, dim=DIM)
    gateway.rows.insert(name, {"id": np.arange(ROWS), "vector": rows})
    gateway.collections.flush(name)
    build = check_build_params("HNSW", {"M": 4, "efConstruction": 16}, dim=DIM)
    gateway.indexes.build(name, IndexSpec(field_name="vector", index_type="HNSW", metric=Metric.L2, params=build))
    gateway.collections.load(name)
    yield name, rows
    gateway.collections.drop(name)


def recall_of(gateway, graph, params):
    """Recall at 10, with 200 queries near the rows."""
    name, rows = graph
    queries = rows[:200] + 0.3 * vectors(200, dim=DIM, seed=1)
    true = np.argsort(((queries[:, None] - rows[None]) ** 2).sum(axis=2), axis=1)[:, :10]
    found = gateway.search(name, queries, limit=10, params=params).id_table(k=10)
    return np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found, true, strict=True)])


@pytest.mark.parametrize("ignored", [{"epf": 400}, {"EF": 400}, {"nprobe": 400}, {"params": {"ef": 400}}])
def test_a_server_ignores_what_the_check_refuses(gateway, graph, ignored):
    usual, wide = recall_of(gateway, graph, {}), recall_of(gateway, graph, {"ef": 400})
    assert wide > usual + 0.1, "ef must move recall, or this proves nothing"
    # The same search on 2.3.5 answers a little differently from call to call, so only the side is asked.
    assert recall_of(gateway, graph, ignored) < (usual + wide) / 2
    with pytest.raises(UsageError):
        check_search_params("HNSW", ignored, limit=10)


def test_an_ef_below_the_limit_is_refused_before_a_server_sees_it(gateway, graph, is_lite):
    with pytest.raises(UsageError, match="ef is 9"):
        check_search_params("HNSW", {"ef": 9}, limit=10)
    if is_lite:
        assert recall_of(gateway, graph, {"ef": 9}) < 1
    else:
        with pytest.raises(MilvusLabError):
            recall_of(gateway, graph, {"ef": 9})
