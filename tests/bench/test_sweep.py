"""Sweeps over servers whose limits are known."""

import numpy as np
import pytest

from milvuslab.bench.sweep import (
    find_highest_rate,
    sweep_batch_rows,
    sweep_concurrency,
    sweep_rate,
    sweep_selectivity,
)
from milvuslab.model.errors import RejectedError, UsageError
from tests.bench.virtual import MS, ScriptedSearches, VirtualClock


@pytest.fixture
def clock():
    return VirtualClock()


class Queue:
    """A server with so many cores, each of which takes `service_ns` for a request: what does not fit waits."""

    def __init__(self, *, service_ns, cores=1):
        self.service_ns, self.free_ns = service_ns, [0] * cores

    def __call__(self, number, now_ns):
        core = int(np.argmin(self.free_ns))
        self.free_ns[core] = max(now_ns, self.free_ns[core]) + self.service_ns
        return self.free_ns[core] - now_ns


def test_throughput_grows_to_what_the_server_can(clock):
    searches = ScriptedSearches(clock, latency_ns=Queue(service_ns=10 * MS, cores=4))
    points = sweep_concurrency(searches, in_flight=(1, 2, 4, 8), duration_s=2, warm_up_count=0, clock=clock)
    assert [point.value for point in points] == [1, 2, 4, 8]
    assert [point.metrics["qps"] for point in points] == pytest.approx([100, 200, 400, 400], rel=0.02)
    assert [point.metrics["service_ms_p50"] for point in points] == [10, 10, 10, 20]


def test_latency_grows_with_the_rate(clock):
    searches = ScriptedSearches(clock, latency_ns=Queue(service_ns=10 * MS))
    told = []
    points = sweep_rate(
        searches, rates_per_s=(50, 100, 200), duration_s=2, warm_up_count=0, clock=clock, observer=told.append
    )
    # At twice what it can, the last of 400 requests waits for half of the run.
    assert [point.metrics["latency_ms_max"] for point in points] == pytest.approx([10, 10, 2_005])
    assert [(one.done_count, one.total_count) for one in told] == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_poisson_arrivals_wait_for_each_other_below_the_limit(clock):
    searches = ScriptedSearches(clock, latency_ns=Queue(service_ns=10 * MS))
    (point,) = sweep_rate(searches, rates_per_s=(70,), duration_s=100, seed=3, warm_up_count=0, clock=clock)
    # M/D/1 at a load of 0.7: a request waits rho / (2 (1 - rho)) = 1.17 service times on average.
    waits_ms = (point.record.done_ns - point.record.intended_ns) / MS - 10
    assert waits_ms.mean() == pytest.approx(11.7, rel=0.15)


def test_batches_keep_the_latency_of_the_whole_request(clock):
    def prepare(rows):
        return ScriptedSearches(clock, latency_ns=lambda number, now_ns: (1 + rows) * MS, batch_rows=rows)

    points = sweep_batch_rows(prepare, batch_rows=(1, 9), duration_s=2, warm_up_count=0, clock=clock)
    assert [point.metrics["service_ms_p50"] for point in points] == [2, 10]
    assert [point.metrics["qps"] for point in points] == pytest.approx([500, 900], rel=0.01)


def test_each_selectivity_has_its_own_searches_and_truth(clock):
    class Truth:
        def __init__(self, share):
            self.ids = np.array([[1, 2, 3 if share == 1 else 9]] * 5)
            self.distances = np.array([[0, 1, 2]] * 5, dtype=np.float32)

    def prepare(share):
        return ScriptedSearches(clock, latency_ns=lambda number, now_ns: round(MS / share))

    points = sweep_selectivity(
        prepare, selectivities=(1.0, 0.1), rate_per_s=50, duration_s=2, warm_up_count=0, find_truth=Truth, clock=clock
    )
    assert [point.metrics["latency_ms_p50"] for point in points] == [1, 10]
    assert [point.metrics["recall"] for point in points] == pytest.approx([1, 2 / 3])
    with pytest.raises(UsageError, match="shares"):
        sweep_selectivity(prepare, selectivities=(10,), rate_per_s=1, duration_s=1)


@pytest.mark.parametrize(("cores", "limit_per_s"), [(1, 50), (3, 150)])
def test_the_highest_rate_is_what_the_server_can(clock, cores, limit_per_s):
    searches = ScriptedSearches(clock, latency_ns=Queue(service_ns=20 * MS, cores=cores))
    found = find_highest_rate(searches, latency_ms_p99_below=100, duration_s=10, warm_up_count=0, clock=clock)
    assert limit_per_s * 0.95 <= found.rate_per_s <= limit_per_s * 1.02
    assert found.is_bounded and found.points[-1].value == found.rate_per_s and len(found.points) <= 14


def test_the_highest_rate_may_be_none_or_beyond_the_search(clock):
    slow = ScriptedSearches(clock, latency_ns=lambda number, now_ns: 100 * MS)
    found = find_highest_rate(slow, latency_ms_p99_below=50, duration_s=2, warm_up_count=0, clock=clock)
    assert found.rate_per_s is None and len(found.points) == 1
    fast = ScriptedSearches(clock, latency_ns=lambda number, now_ns: MS)
    found = find_highest_rate(fast, latency_ms_p99_below=50, duration_s=5, high_per_s=100, warm_up_count=0, clock=clock)
    assert found.rate_per_s == 100 and not found.is_bounded


def test_a_rate_with_failures_does_not_hold(clock):
    # Past 40/s of offered load the server refuses some, and quickly: low latency, but no answer.
    def outcome(number):
        return RejectedError("search: too many") if number % 500 == 499 else (1, 2, 3)

    searches = ScriptedSearches(clock, latency_ns=lambda number, now_ns: MS, outcome=outcome)
    found = find_highest_rate(searches, latency_ms_p99_below=50, duration_s=10, warm_up_count=0, clock=clock)
    failed = [point for point in found.points if point.metrics["error_ratio"]]
    assert failed and all(point.value != found.rate_per_s for point in failed)
