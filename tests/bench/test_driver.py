"""The driver, in a world where every latency is written down: the exact record is asserted."""

import numpy as np
import pytest

from milvuslab.bench.driver import run_closed_loop, run_open_loop
from milvuslab.bench.metrics import compute_metrics
from milvuslab.bench.record import CODES
from milvuslab.bench.schedule import constant_schedule
from milvuslab.model.errors import NotFoundError, TimedOutError, UsageError
from tests.bench.virtual import MS, ScriptedSearches, VirtualClock


@pytest.fixture
def clock():
    return VirtualClock()


def open_loop(searches, rate_per_s, duration_s, **options):
    schedule = constant_schedule(rate_per_s=rate_per_s, duration_s=duration_s)
    return run_open_loop(searches, schedule, warm_up_count=0, clock=searches.clock, **options)


def test_an_open_loop_sends_at_its_times_and_counts_from_them(clock):
    searches = ScriptedSearches(clock, latency_ns=lambda number, now_ns: (10 + number) * MS, request_count=3)
    record = open_loop(searches, rate_per_s=10, duration_s=0.5)
    assert record.kind == "open"
    assert record.intended_ns.tolist() == [0, 100 * MS, 200 * MS, 300 * MS, 400 * MS]
    assert record.sent_ns.tolist() == record.intended_ns.tolist()
    assert (record.done_ns - record.sent_ns).tolist() == [10 * MS, 11 * MS, 12 * MS, 13 * MS, 14 * MS]
    assert record.query_row.tolist() == searches.sent_indices == [0, 1, 2, 0, 1]
    assert record.ids.tolist() == [[1, 2, 3]] * 5 and record.distances.tolist() == [[0, 1, 2]] * 5
    assert record.wall_s == pytest.approx(0.414) and record.client_cpu_s == pytest.approx(0.414 / 4)
    assert record.in_flight_max == 1 and record.error_counts == {} and record.warm_up_count == 0


def frozen(from_ns, to_ns, *, latency_ns):
    """A server that answers after `latency_ns`, but nothing while it is frozen."""
    begun_ns = VirtualClock().now_ns()

    def latency(number, now_ns):
        done_ns = now_ns + latency_ns
        return (
            max(latency_ns, begun_ns + to_ns - now_ns)
            if begun_ns + from_ns <= done_ns < begun_ns + to_ns
            else (latency_ns)
        )

    return latency


def test_a_frozen_server_is_seen_whole_by_an_open_loop(clock):
    # 20 s at 100/s, 2 ms each, frozen from 10 s to 11 s: 100 requests wait from 1000 ms down to 10 ms.
    searches = ScriptedSearches(clock, latency_ns=frozen(10_000 * MS, 11_000 * MS, latency_ns=2 * MS))
    metrics = compute_metrics(open_loop(searches, rate_per_s=100, duration_s=20))
    assert metrics["query_count"] == 2_000 and metrics["error_ratio"] == 0
    assert metrics["latency_ms_p50"] == 2 and metrics["latency_ms_max"] == 1_000
    # Of 2,000 the 1,980th: 20 are slower than it, and they are 10 ms apart below the longest.
    assert metrics["latency_ms_p99"] == 800
    assert metrics["lateness_ms_p99"] == 0


def test_a_closed_loop_hides_the_same_stall(clock):
    searches = ScriptedSearches(clock, latency_ns=frozen(10_000 * MS, 11_000 * MS, latency_ns=2 * MS))
    record = run_closed_loop(searches, in_flight=1, duration_s=20, warm_up_count=0, clock=clock)
    metrics = compute_metrics(record)
    assert metrics["latency_ms_p99"] == 2 and metrics["latency_ms_max"] == 1_002
    assert record.kind == "closed" and metrics["lateness_ms_p99"] is None and metrics["rate_per_s"] is None


def test_what_a_slow_client_sends_late_counts_from_its_time(clock):
    # Each send takes the client 30 ms, the schedule wants one every 10 ms: request n is 20 n ms late.
    searches = ScriptedSearches(clock, latency_ns=lambda number, now_ns: 5 * MS, send_costs_ns=30 * MS)
    record = open_loop(searches, rate_per_s=100, duration_s=0.1)
    assert ((record.sent_ns - record.intended_ns) / MS).tolist() == [20 * n for n in range(10)]
    # An answer is noticed only when the client has sent: that too is its fault and is not hidden.
    assert ((record.done_ns - record.intended_ns) / MS).min() >= 5
    assert compute_metrics(record)["lateness_ms_max"] == 180


def test_the_bound_on_requests_under_way_delays_and_drops_nothing(clock):
    searches = ScriptedSearches(clock, latency_ns=lambda number, now_ns: 100 * MS)
    record = open_loop(searches, rate_per_s=100, duration_s=0.06, max_in_flight=2)
    assert record.request_count == 6 and record.in_flight_max == 2
    assert (record.sent_ns / MS).tolist() == [0, 10, 100, 110, 200, 210]
    assert ((record.done_ns - record.intended_ns) / MS).tolist() == [100, 100, 180, 180, 260, 260]


def test_failures_are_rows(clock):
    late, gone = TimedOutError("search books: no answer"), NotFoundError("search books: no collection")
    outcomes = {1: late, 3: (gone,), 4: late}
    searches = ScriptedSearches(
        clock, latency_ns=lambda number, now_ns: MS, outcome=lambda number: outcomes.get(number, (7, 8))
    )
    record = open_loop(searches, rate_per_s=10, duration_s=0.5)
    assert [CODES[number] for number in record.code] == ["ok", "timed_out", "ok", "not_found", "timed_out"]
    assert record.error_counts == {"timed_out": 2, "not_found": 1}
    assert record.errors == {"timed_out": late.message, "not_found": gone.message}
    assert record.ids.tolist() == [[7, 8, -1], [-1] * 3, [7, 8, -1], [-1] * 3, [-1] * 3]
    assert np.isinf(record.distances).sum() == 2 + 9
    metrics = compute_metrics(record)
    assert metrics["error_ratio"] == pytest.approx(0.6) and metrics["query_count"] == 2
    assert metrics["latency_ms_p50"] is None and metrics["latency_ms_max"] == 1


def test_a_closed_loop_keeps_its_number_under_way(clock):
    searches = ScriptedSearches(clock, latency_ns=lambda number, now_ns: 10 * MS)
    record = run_closed_loop(searches, in_flight=4, duration_s=0.1, warm_up_count=0, clock=clock)
    assert record.in_flight_max == 4 and record.request_count == 40
    assert record.wall_s == pytest.approx(0.1) and compute_metrics(record)["qps"] == pytest.approx(400)
    assert searches.sent_indices == [n % 5 for n in range(40)]


def test_a_closed_loop_ends_after_its_count(clock):
    searches = ScriptedSearches(clock, latency_ns=lambda number, now_ns: 10 * MS)
    record = run_closed_loop(searches, in_flight=3, request_count=7, warm_up_count=0, clock=clock)
    assert record.request_count == 7 and (record.sent_ns / MS).tolist() == [0, 0, 0, 10, 10, 10, 20]


def test_batches_are_one_request_and_many_queries(clock):
    searches = ScriptedSearches(clock, latency_ns=lambda number, now_ns: 10 * MS, batch_rows=4, request_count=2)
    record = run_closed_loop(searches, in_flight=1, request_count=3, warm_up_count=0, clock=clock)
    assert record.ids.shape == (12, 3) and record.query_row.tolist() == [0, 4, 0]
    assert record.query_of_row.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3]
    metrics = compute_metrics(record)
    assert metrics["qps"] == pytest.approx(400) and metrics["service_ms_max"] == 10


def test_the_warm_up_is_not_in_the_record(clock):
    searches = ScriptedSearches(clock, latency_ns=lambda number, now_ns: (500 if number < 6 else 1) * MS)
    record = run_closed_loop(searches, in_flight=1, request_count=4, warm_up_count=6, clock=clock)
    assert record.request_count == 4 and record.warm_up_count == 6 and len(searches.sent_indices) == 10
    assert compute_metrics(record)["latency_ms_max"] == 1


def test_a_warm_up_of_a_dead_server_ends(clock):
    searches = ScriptedSearches(
        clock, latency_ns=lambda number, now_ns: 2_000 * MS, outcome=lambda number: TimedOutError("no answer")
    )
    record = run_closed_loop(searches, in_flight=1, request_count=1, warm_up_count=100, timeout_s=2.0, clock=clock)
    assert len(searches.sent_indices) <= 4 and record.error_counts == {"timed_out": 1}


def test_a_run_that_breaks_says_why(clock):
    searches = ScriptedSearches(clock, latency_ns=lambda number, now_ns: MS)

    def break_later(index, *, timeout_s):
        if len(searches.sent_indices) == 3:
            raise UsageError("the gateway is closed")
        return ScriptedSearches.send(searches, index, timeout_s=timeout_s)

    searches.send = break_later
    with pytest.raises(UsageError, match="closed"):
        open_loop(searches, rate_per_s=10, duration_s=1)
    with pytest.raises(UsageError, match="closed"):
        run_closed_loop(searches, in_flight=1, duration_s=1, warm_up_count=0, clock=clock)


def test_an_observer_can_stop_a_run(clock):
    def stop(progress):
        raise KeyboardInterrupt

    searches = ScriptedSearches(clock, latency_ns=lambda number, now_ns: MS)
    with pytest.raises(KeyboardInterrupt):
        run_open_loop(searches, constant_schedule(rate_per_s=1, duration_s=3600), warm_up_count=0, observer=stop)
    assert len(searches.sent_indices) <= 2


@pytest.mark.parametrize(
    "schedule", [np.array([]), np.array([-1.0, 0.0]), np.array([0.0, 2.0, 1.0])], ids=["empty", "early", "back"]
)
def test_a_schedule_that_is_none_is_refused(clock, schedule):
    searches = ScriptedSearches(clock, latency_ns=lambda number, now_ns: MS)
    with pytest.raises(UsageError, match="schedule"):
        run_open_loop(searches, schedule, clock=clock)


def test_a_closed_loop_without_an_end_is_refused(clock):
    searches = ScriptedSearches(clock, latency_ns=lambda number, now_ns: MS)
    with pytest.raises(UsageError, match="end"):
        run_closed_loop(searches, in_flight=1)
    with pytest.raises(UsageError, match="0 under way"):
        run_closed_loop(searches, in_flight=0, duration_s=1)
