"""Metrics of records whose numbers are known."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.bench.metrics import METRICS, compute_metrics, compute_percentile
from milvuslab.bench.record import Record
from milvuslab.model.errors import UsageError

MS = 1_000_000


def make_record(latencies_ms, *, failed=(), kind="open", late_ms=0, **changes):
    """One request every 10 ms, each sent `late_ms` late and done `latencies_ms` after its time."""
    count = len(latencies_ms)
    intended = np.arange(count, dtype=np.int64) * 10 * MS
    code = np.zeros(count, dtype=np.int16)
    code[list(failed)] = 2
    values = {
        "kind": kind,
        "intended_ns": intended,
        "sent_ns": intended + late_ms * MS,
        "done_ns": intended + (np.array(latencies_ms) * MS).astype(np.int64),
        "query_row": np.arange(count, dtype=np.int64),
        "code": code,
        "batch_rows": 1,
        "ids": np.zeros((count, 1), dtype=np.int64),
        "distances": np.zeros((count, 1), dtype=np.float32),
        "client_cpu_s": 0.5,
        "parse_cpu_s": 0.1,
        "wall_s": 2.0,
        **changes,
    }
    return Record(**values)


@dataclasses.dataclass
class Truth:
    ids: np.ndarray
    distances: np.ndarray


def test_the_whole_report_of_a_known_run():
    metrics = compute_metrics(make_record(list(range(1, 1001)), late_ms=1))
    expected = {
        "latency_ms_p50": 500, "latency_ms_p95": 950, "latency_ms_p99": 990, "latency_ms_p999": 999,
        "latency_ms_max": 1000, "service_ms_p50": 499, "service_ms_p95": 949, "service_ms_p99": 989,
        "service_ms_p999": 998, "service_ms_max": 999, "lateness_ms_p50": 1, "lateness_ms_p99": 1,
        "lateness_ms_max": 1, "qps": 500, "rate_per_s": 100, "query_count": 1000, "error_ratio": 0, "recall": None,
        "recall_by_distance": None, "recall_worst_decile": None, "client_cpu_us_per_query": 500,
        "parse_us_per_query": 100, "client_bound_ratio": 0.25, "wall_s": 2,
    }  # fmt: skip
    assert metrics == {name: value if value is None else pytest.approx(value) for name, value in expected.items()}
    assert list(metrics) == list(METRICS)


def test_a_failure_ranks_behind_every_answer():
    # 1,000 requests of 5 ms; ten of them fail at once, in 0 ms: they must not make the run look faster.
    latencies_ms = [0 if number < 10 else 5 for number in range(1000)]
    metrics = compute_metrics(make_record(latencies_ms, failed=range(10)))
    assert metrics["latency_ms_p50"] == metrics["latency_ms_p99"] == 5
    assert metrics["latency_ms_p999"] is None and metrics["error_ratio"] == pytest.approx(0.01)
    assert metrics["qps"] == 495
    worse = compute_metrics(make_record(latencies_ms, failed=range(11)))
    assert worse["latency_ms_p99"] is None


def test_a_run_without_an_answer_has_no_numbers_but_its_failures():
    metrics = compute_metrics(make_record([1, 2, 3], failed=range(3)))
    assert metrics["error_ratio"] == 1 and metrics["qps"] == 0
    for name in ("latency_ms_p50", "latency_ms_max", "service_ms_p50", "client_cpu_us_per_query", "recall"):
        assert metrics[name] is None


def test_a_closed_loop_has_no_lateness_and_no_rate():
    metrics = compute_metrics(make_record([1] * 200, kind="closed"))
    assert metrics["lateness_ms_p99"] is metrics["rate_per_s"] is metrics["lateness_ms_max"] is None


def test_a_percentile_needs_a_value_beyond_it():
    few = np.arange(99)
    assert compute_percentile(few, 0.99) is None and compute_percentile(few, 0.95) == 94
    assert compute_percentile(np.array([]), 0.5) is None and compute_percentile(np.array([7]), 0.5) is None
    assert compute_percentile(np.arange(1000), 0.999) == 998 and compute_percentile(np.arange(999), 0.999) is None


@given(
    values=st.lists(st.floats(0, 1e6), min_size=2, max_size=400),
    ratio=st.sampled_from([0.5, 0.9, 0.95, 0.99]),
    failed_count=st.integers(0, 20),
)
def test_a_percentile_is_what_counting_says(values, ratio, failed_count):
    is_answered = np.arange(len(values)) >= failed_count
    found = compute_percentile(np.array(values), ratio, is_answered=is_answered)
    ranked = sorted(value for value, kept in zip(values, is_answered, strict=True) if kept)
    ranked += [math.inf] * (len(values) - len(ranked))
    enough = [value for value in ranked if sum(one <= value for one in ranked) >= round(ratio * len(values), 6)]
    if len(values) < round(1 / (1 - ratio), 6) or enough[0] == math.inf:
        assert found is None
    else:
        assert found == enough[0]


@given(seed=st.integers(0, 2**32), count=st.integers(1000, 1200))
def test_percentiles_rise(seed, count):
    values = np.random.default_rng(seed).exponential(size=count)
    ranks = [compute_percentile(values, ratio) for ratio in (0.5, 0.95, 0.99, 0.999)]
    assert ranks == sorted(ranks) and ranks[-1] <= max(values)


def test_recall_counts_each_query_once_and_only_answers():
    # Query 0 is answered three times, query 1 fails, query 2 finds one of two.
    record = make_record(
        [1] * 5,
        failed=[1],
        query_row=np.array([0, 1, 0, 2, 0]),
        ids=np.array([[10, 11], [-1, -1], [10, 11], [30, 99], [98, 99]]),
        distances=np.array([[0, 1], [np.inf] * 2, [0, 1], [0, 1], [5, 6]], dtype=np.float32),
    )
    truth = Truth(
        ids=np.array([[10, 11, 12], [20, 21, 22], [30, 31, 32]]),
        distances=np.array([[0, 1, 2], [0, 1, 2], [0, 1, 2]], dtype=np.float32),
    )
    metrics = compute_metrics(record, truth=truth)
    assert metrics["recall"] == pytest.approx(0.75)
    assert metrics["recall_by_distance"] == 1  # 99 lies as near as the second true neighbour
    assert metrics["recall_worst_decile"] == pytest.approx(0.5)
    assert compute_metrics(record, truth=truth, k=1)["recall"] == 1


@pytest.mark.parametrize(
    ("rows", "width", "k"), [(2, 1, 1), (3, 0, 1), (3, 5, 2)], ids=["few queries", "narrow truth", "beyond the limit"]
)
def test_a_truth_that_does_not_fit_is_refused(rows, width, k):
    truth = Truth(ids=np.zeros((rows, width), dtype=np.int64), distances=np.zeros((rows, width), dtype=np.float32))
    with pytest.raises(UsageError, match="does not fit"):
        compute_metrics(make_record([1, 1, 1]), truth=truth, k=k)
