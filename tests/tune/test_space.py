"""Which candidates there are for some data on some server."""

import pytest

from milvuslab.model.errors import NotFoundError, UnsupportedError
from milvuslab.model.index_catalog import INDEX_TYPES, check_build_params, check_search_params
from milvuslab.model.metric import Metric
from milvuslab.tune.front import pareto_front
from milvuslab.tune.space import DEFAULT_TYPES, list_candidates

SUPPORTED = ("FLAT", "HNSW", "IVF_FLAT", "IVF_PQ", "IVF_SQ8", "SCANN", "ANNOY", "AUTOINDEX")


def candidates(**changed):
    asked = {"supported": SUPPORTED, "metric": Metric.L2, "row_count": 50_000, "dim": 128, "limit": 10, **changed}
    return list_candidates(**asked)


@pytest.mark.parametrize("dim", [7, 128])
@pytest.mark.parametrize("row_count", [100, 50_000, 10_000_000])
def test_every_candidate_is_valid_by_the_catalog(row_count, dim):
    for one in candidates(row_count=row_count, dim=dim, builds_per_type=3):
        check_build_params(one.build.index_type, one.build.params, dim=dim)
        assert one.ladder and one.memory_bytes > 0
        for params in one.ladder:
            check_search_params(one.build.index_type, params, limit=10, build_params=one.build.params)


def test_every_type_that_is_tried_is_in_the_catalog():
    assert set(DEFAULT_TYPES) <= set(INDEX_TYPES)


def test_types_come_in_builds_that_differ():
    labels = [one.label for one in candidates(builds_per_type=3)]
    assert len(set(labels)) == len(labels)
    assert [label for label in labels if label.startswith("HNSW")] == [
        "HNSW M=16 efConstruction=200", "HNSW M=32 efConstruction=200", "HNSW M=8 efConstruction=200",
    ]  # fmt: skip
    assert sum(label.startswith("FLAT") for label in labels) == 1
    assert not any(label.startswith("AUTOINDEX") for label in labels)


@pytest.mark.parametrize(("recall_target", "parts"), [(0.9, [64, 32, 128]), (0.95, [128, 64, 32])])
def test_a_quantizer_begins_with_what_a_high_recall_needs(recall_target, parts):
    found = candidates(types=["IVF_PQ"], builds_per_type=3, recall_target=recall_target)
    assert [one.build.params["m"] for one in found] == parts


def test_only_flat_needs_no_measuring():
    assert [one.build.index_type for one in candidates() if one.is_exact] == ["FLAT"]


def test_a_metric_that_a_type_does_not_take_leaves_it_out():
    assert "ANNOY" not in {one.build.index_type for one in candidates(metric=Metric.COSINE)}
    with pytest.raises(UnsupportedError, match="ANNOY with COSINE"):
        candidates(types=["ANNOY"], metric=Metric.COSINE)


def test_what_the_server_does_not_build_is_an_error_when_named():
    with pytest.raises(UnsupportedError, match="DISKANN"):
        candidates(types=["DISKANN"])
    with pytest.raises(NotFoundError, match="HNWS"):
        candidates(types=["HNWS"])
    with pytest.raises(UnsupportedError, match="any index type"):
        candidates(supported=())


def test_names_may_be_written_small():
    assert {one.build.index_type for one in candidates(types=["hnsw"])} == {"HNSW"}


def test_equal_points_stay_on_the_front_and_beaten_ones_go():
    assert pareto_front([(1.0, 2.0), (1.0, 2.0), (2.0, 1.0), (2.0, 2.0), (1.0, 3.0)]) == [0, 1, 2]
    assert pareto_front([]) == []
