"""What a comparison answers: who is fastest at which recall, and what none beats."""

import json

import hypothesis
from hypothesis import strategies

from milvuslab.tune.comparison import IndexResult, find_front
from tests.tune.comparison.samples import ANNOY, HNSW, IVF, PQ, point, sample


def test_tuned_types_come_fastest_first():
    found = sample(IVF, PQ, HNSW, ANNOY)
    assert [one.index_type for one in found.tuned] == ["HNSW", "IVF_FLAT"]
    assert HNSW.chosen.params == {"ef": 24}
    assert PQ.chosen is None


def test_at_a_recall_each_type_shows_its_fastest_setting():
    found = sample(IVF, PQ, HNSW, ANNOY)
    assert [(one.index_type, setting.qps) for one, setting in found.at_recall(0.9)] == [
        ("HNSW", 900),
        ("IVF_FLAT", 600),
    ]
    assert [(one.index_type, setting.qps) for one, setting in found.at_recall(0.98)] == [
        ("HNSW", 500),
        ("IVF_FLAT", 300),
    ]
    assert [one.index_type for one, _ in found.at_recall(0.995)] == ["IVF_FLAT"]
    assert found.at_recall(1.01) == ()


def test_a_setting_without_throughput_is_never_the_fastest():
    assert (
        IndexResult(index_type="HNSW", server="lite", state="tuned", curve=(point(1.0, None),)).at_recall(0.5) is None
    )


def test_a_result_survives_json():
    for one in (HNSW, PQ, ANNOY):
        assert IndexResult.from_dict(json.loads(json.dumps(one.as_dict()))) == one


def test_a_front_holds_what_none_beats():
    points = [point(0.9, 900), point(0.96, 800), point(0.93, 700), point(0.99, 500), point(0.99, 400), point(1.0, None)]
    assert [(one.recall, one.qps) for one in find_front(points, by="qps")] == [(0.9, 900), (0.96, 800), (0.99, 500)]


def test_a_front_by_latency_wants_it_small():
    points = [point(0.9, 1, p99=2.0), point(0.95, 1, p99=1.0), point(0.99, 1, p99=5.0)]
    assert [one.recall for one in find_front(points, by="latency_ms_p99")] == [0.95, 0.99]


@hypothesis.given(
    strategies.lists(strategies.tuples(strategies.integers(0, 20), strategies.integers(1, 20)), min_size=1, max_size=30)
)
def test_a_front_agrees_with_asking_every_pair(pairs):
    points = [point(recall / 20, qps) for recall, qps in pairs]
    beaten = {
        (one.recall, one.qps)
        for one in points
        for other in points
        if (other.recall >= one.recall and other.qps >= one.qps) and (other.recall, other.qps) != (one.recall, one.qps)
    }
    wanted = {(one.recall, one.qps) for one in points} - beaten
    front = find_front(points, by="qps")
    assert {(one.recall, one.qps) for one in front} == wanted
    assert len(front) == len(wanted)
