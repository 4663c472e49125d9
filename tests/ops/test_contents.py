import numpy as np
import pytest

from milvuslab.gateway import connect
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.errors import NotFoundError
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from milvuslab.ops.contents import collect_contents, count_rows

NAME = "ops_contents"


@pytest.fixture
def gateway(standalone_endpoint):
    # Lite counts also what is not loaded, so only a real server can show the difference.
    with connect(standalone_endpoint) as gateway:
        yield gateway
        gateway.collections.drop(NAME)


@pytest.fixture
def filled(gateway):
    key = FieldSpec(name="id", data_type=DataType.INT64, is_primary=True)
    vector = FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=4)
    index = IndexSpec(field_name="vector", index_type="FLAT", metric=Metric.L2)
    gateway.collections.create(CollectionSpec(name=NAME, fields=(key, vector)), [index])
    gateway.collections.load(NAME)
    gateway.rows.insert(NAME, {"id": np.arange(5), "vector": np.eye(5, 4, dtype=np.float32)})
    gateway.rows.delete(NAME, ids=[0])
    return gateway


def test_a_loaded_collection_is_counted_exactly(filled):
    summary = next(one for one in collect_contents(filled) if one.name == NAME)
    assert (summary.row_count, summary.is_exact) == (4, True)


def test_a_released_collection_is_estimated_not_refused(filled):
    filled.collections.flush(NAME)
    filled.collections.release(NAME)
    summary = count_rows(filled, NAME)
    assert not summary.is_exact
    assert summary.row_count >= 4


def test_a_missing_collection_is_named(gateway):
    with pytest.raises(NotFoundError):
        count_rows(gateway, "ops_nothing")
