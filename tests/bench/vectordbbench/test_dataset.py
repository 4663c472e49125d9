"""The files that the tool reads, read back."""

import numpy as np
import pytest
from pyarrow import parquet

from milvuslab.bench.vectordbbench import write_dataset
from milvuslab.data.truth import find_truth
from milvuslab.data.vectors import make_binary, make_clustered
from milvuslab.model.errors import SchemaError
from milvuslab.model.metric import Metric


@pytest.fixture
def vectors():
    return make_clustered(row_count=500, dim=8, query_count=20, intrinsic_dim=4)


@pytest.fixture
def truth(vectors):
    return find_truth(vectors, metric=Metric.L2, k=5, cache_dir=None)


def test_queries_and_their_neighbours_are_written_row_for_row(vectors, truth, tmp_path):
    folder = write_dataset(vectors, truth, tmp_path / "set")
    queries = parquet.read_table(folder / "test.parquet")
    neighbours = parquet.read_table(folder / "neighbors.parquet")
    assert np.array_equal(np.array(queries["emb"].to_pylist(), np.float32), vectors.queries)
    assert neighbours["neighbors_id"].to_pylist() == truth.ids.tolist()
    assert queries["id"].to_pylist() == neighbours["id"].to_pylist() == list(range(20))
    assert not (folder / "train.parquet").exists()


def test_rows_are_written_when_the_tool_is_to_load_them(vectors, truth, tmp_path):
    rows = parquet.read_table(write_dataset(vectors, truth, tmp_path, with_rows=True) / "train.parquet")
    assert rows["id"].to_pylist() == list(range(500))
    assert np.array_equal(np.array(rows["emb"].to_pylist(), np.float32), vectors.read_rows(0, 500))


def test_binary_vectors_are_refused(truth, tmp_path):
    with pytest.raises(SchemaError, match="binary"):
        write_dataset(make_binary(row_count=100, dim=16, query_count=20), truth, tmp_path)
