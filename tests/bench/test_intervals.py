"""Bootstrap intervals and the gate, on records whose difference is known."""

import numpy as np
import pytest

from milvuslab.bench.compare import _judge
from milvuslab.bench.intervals import GATED, RatioInterval, compare_series, series_of
from tests.bench.records import make_record, make_truth

TRUTH = make_truth(query_count=1_000)
BY_NAME = {one.name: one for one in GATED}


def runs(*, factor=1.0, seed=0, repeats=3, drift=0.02):
    """Repeats of lognormal latencies; each repeat as a whole is a little slower or faster."""
    dice = np.random.default_rng(seed)
    return [
        series_of(make_record(TRUTH, latency_ms=factor * (1 + drift * dice.normal()) * dice.lognormal(1.0, 0.3, 1_000)))
        for _ in range(repeats)
    ]


@pytest.mark.parametrize("name", ["latency_ms_p50", "latency_ms_p95", "latency_ms_p99"])
def test_the_same_thing_measured_twice_is_no_regression(name):
    wrong = 0
    for seed in range(8):
        interval = compare_series(runs(seed=seed), runs(seed=seed + 1_000), name=name, draws=100)
        wrong += _judge(interval, BY_NAME[name], 0.1) == "worse"
    assert wrong == 0


@pytest.mark.parametrize("name", ["latency_ms_p50", "latency_ms_p95", "latency_ms_p99"])
def test_half_as_slow_again_is_always_seen(name):
    for seed in range(4):
        interval = compare_series(runs(seed=seed), runs(seed=seed + 1_000, factor=1.5), name=name, draws=100)
        assert interval.low < 1.5 * 1.05 and interval.high > 1.5 * 0.95
        assert _judge(interval, BY_NAME[name], 0.1) == "worse"
        back = compare_series(runs(seed=seed, factor=1.5), runs(seed=seed + 1_000), name=name, draws=100)
        assert _judge(back, BY_NAME[name], 0.1) == "better"


def test_intervals_hold_the_true_ratio_about_as_often_as_they_say():
    held = 0
    for seed in range(30):
        interval = compare_series(
            runs(seed=seed, repeats=6), runs(seed=seed + 500, repeats=6, factor=1.2), name="latency_ms_p50", draws=100
        )
        held += interval.low <= 1.2 <= interval.high
    assert held >= 25, "of 30 intervals of 95 %"


def test_a_metric_that_a_side_lacks_is_not_compared():
    failing = [series_of(make_record(TRUTH, failed=range(0, 1_000, 10)))]
    assert compare_series(runs(), failing, name="latency_ms_p99") is None
    assert compare_series(runs(), failing, name="latency_ms_p50") is not None


def test_throughput_counts_for_closed_loops_only():
    closed = [series_of(make_record(TRUTH, kind="closed"))]
    assert compare_series(runs(), runs(), name="qps") is None
    interval = compare_series(closed, closed, name="qps")
    assert interval.a == interval.b == pytest.approx(100, rel=0.02)


@pytest.mark.parametrize(
    "low, high, judgement",
    [
        (1.11, 1.4, "worse"),
        (1.02, 1.4, "perhaps worse"),
        (0.95, 1.4, "same"),
        (0.95, 1.05, "same"),
        (0.5, 0.8, "better"),
    ],
)
def test_where_the_interval_lies_decides(low, high, judgement):
    interval = RatioInterval(a=1, b=1, ratio=1, low=low, high=high)
    assert _judge(interval, BY_NAME["latency_ms_p99"], 0.1) == judgement


def test_of_throughput_less_is_worse():
    interval = RatioInterval(a=1, b=0.7, ratio=0.7, low=0.6, high=0.8)
    assert _judge(interval, BY_NAME["qps"], 0.1) == "worse"
