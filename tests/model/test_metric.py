"""Distances order as scores do, closer first, for every metric, against scores worked out by hand."""

import numpy as np
import pytest

from milvuslab.model.metric import Metric, score_to_distance

RNG = np.random.default_rng(7)
VECTORS = RNG.normal(size=(50, 8)).astype(np.float32)
QUERY = RNG.normal(size=8).astype(np.float32)
BITS = RNG.integers(0, 2, size=(50, 64)).astype(bool)
QUERY_BITS = RNG.integers(0, 2, size=64).astype(bool)

UNIT = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True)
SCORES = {
    Metric.L2: ((VECTORS - QUERY) ** 2).sum(axis=1),
    Metric.IP: VECTORS @ QUERY,
    Metric.COSINE: UNIT @ QUERY / np.linalg.norm(QUERY),
    Metric.HAMMING: (BITS != QUERY_BITS).sum(axis=1).astype(np.float32),
    Metric.JACCARD: 1 - (BITS & QUERY_BITS).sum(axis=1) / (BITS | QUERY_BITS).sum(axis=1),
    Metric.BM25: np.abs(VECTORS @ QUERY),
}


@pytest.mark.parametrize("metric", Metric)
def test_smaller_distance_is_better_score(metric):
    scores = SCORES[metric]
    best_first = np.argsort(-scores if metric.larger_is_better else scores, kind="stable")
    distances = score_to_distance(scores, metric=metric)
    assert np.array_equal(np.argsort(distances, kind="stable"), best_first)
    assert (distances.dtype, distances.shape) == (scores.dtype, scores.shape)


@pytest.mark.parametrize("metric", [Metric.L2, Metric.COSINE, Metric.HAMMING, Metric.JACCARD])
def test_the_thing_itself_is_at_distance_zero(metric):
    same = {Metric.L2: 0.0, Metric.COSINE: 1.0, Metric.HAMMING: 0.0, Metric.JACCARD: 0.0}[metric]
    assert score_to_distance(np.array([same]), metric=metric).tolist() == [0.0]


@pytest.mark.parametrize("metric", Metric)
def test_distances_are_a_copy_and_nan_stays(metric):
    scores = np.array([0.5, np.nan], dtype=np.float32)
    distances = score_to_distance(scores, metric=metric)
    assert np.isnan(distances[1])
    distances[0] = 99
    assert scores[0] == np.float32(0.5)


def test_names_are_milvuss_own():
    assert [str(metric) for metric in Metric] == ["L2", "IP", "COSINE", "HAMMING", "JACCARD", "BM25"]
    assert {metric for metric in Metric if metric.is_binary} == {Metric.HAMMING, Metric.JACCARD}
