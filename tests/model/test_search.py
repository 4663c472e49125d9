"""Hits are columns; each query owns its rows."""

import numpy as np
import pytest

from milvuslab.model.errors import UsageError
from milvuslab.model.metric import Metric
from milvuslab.model.search import DistanceRange, Hits

HITS = Hits(
    ids=np.array([7, 3, 9, 1, 4], dtype=np.int64),
    scores=np.array([0.9, 0.8, 0.7, 1.0, 0.2], dtype=np.float32),
    offsets=np.array([0, 3, 3, 5], dtype=np.int64),
    metric=Metric.COSINE,
)


def test_queries_own_their_rows():
    assert HITS.query_count == 3
    assert [HITS.ids[HITS.of_query(index)].tolist() for index in range(3)] == [[7, 3, 9], [], [1, 4]]


def test_the_table_is_padded_and_cut():
    assert HITS.id_table(k=2).tolist() == [[7, 3], [-1, -1], [1, 4]]
    assert HITS.id_table(k=4).tolist() == [[7, 3, 9, -1], [-1, -1, -1, -1], [1, 4, -1, -1]]
    assert HITS.id_table(k=1).dtype == np.int64


def test_distances_follow_the_metric():
    np.testing.assert_allclose(HITS.distances, [0.1, 0.2, 0.3, 0.0, 0.8], atol=1e-6)


def test_an_answer_to_no_query_is_empty():
    empty = np.array([], dtype=np.int64)
    hits = Hits(ids=empty, scores=empty.astype(np.float32), offsets=np.array([0]), metric=Metric.L2)
    assert hits.query_count == 0
    assert hits.id_table(k=3).shape == (0, 3)


def test_a_range_holds_something():
    assert DistanceRange(below=1.0, at_least=0.5).below == 1.0
    for at_least in (1.0, 1.5):
        with pytest.raises(UsageError, match="holds no distance"):
            DistanceRange(below=1.0, at_least=at_least)
