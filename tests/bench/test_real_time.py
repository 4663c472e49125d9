"""The driver over real gRPC against a scripted server. Margins are wide: the machine may be busy."""

import threading

import grpc
import numpy as np
import pytest

from milvuslab.bench.driver import run_closed_loop, run_open_loop
from milvuslab.bench.metrics import compute_metrics
from milvuslab.bench.schedule import constant_schedule
from milvuslab.gateway import RetryPolicy, connect
from tests.scripted_server import Reply, serve

QUERIES = np.eye(4, dtype=np.float32)


def prepared(gateway):
    return gateway.prepare_searches("scripted", QUERIES, limit=3)


def script(number):
    """50 ms each; every tenth is refused by gRPC, every eleventh by Milvus, one never comes in time."""
    if number == 7:
        return Reply(after_s=3)
    if number % 10 == 9:
        return Reply(status=grpc.StatusCode.UNAVAILABLE, reason="no room")
    return Reply(after_s=0.05, error_code=8 if number % 11 == 10 else 0, reason="rate limit")


def test_outcomes_and_latencies_of_a_known_server():
    with serve(script) as (milvus, endpoint), connect(endpoint, retry=RetryPolicy.never()) as gateway:
        schedule = constant_schedule(rate_per_s=50, duration_s=1.2)
        record = run_open_loop(prepared(gateway), schedule, timeout_s=2.0, warm_up_count=0)
        assert len(milvus.requests) == 60
    # The server counts arrivals, which are in the order sent.
    assert record.error_counts == {"unreachable": 6, "timed_out": 1, "rate_limited": 5}
    assert set(record.errors) == {"unreachable", "timed_out", "rate_limited"}
    assert record.intended_ns.tolist() == (schedule * 1e9).round().astype(int).tolist()
    metrics = compute_metrics(record)
    assert metrics["query_count"] == 48 and metrics["error_ratio"] == pytest.approx(12 / 60)
    assert 50 <= metrics["latency_ms_p50"] < 500 and 50 <= metrics["service_ms_p50"] <= metrics["latency_ms_p50"]
    assert 2.0 <= record.wall_s < 3.5 and record.done_ns[7] - record.sent_ns[7] >= 1_900_000_000


def test_a_stall_is_seen_whole():
    with (
        serve(lambda number: Reply(after_s=0.001), worker_count=64) as (milvus, endpoint),
        connect(endpoint, retry=RetryPolicy.never()) as gateway,
    ):
        timer = threading.Timer(0.5, milvus.stall, args=[1.0])
        timer.start()
        schedule = constant_schedule(rate_per_s=40, duration_s=3)
        record = run_open_loop(prepared(gateway), schedule, timeout_s=5.0, warm_up_count=0)
        timer.join()
    metrics = compute_metrics(record)
    assert metrics["query_count"] == 120 and metrics["error_ratio"] == 0
    assert 700 <= metrics["latency_ms_p99"] < 1_500


def test_a_closed_loop_over_grpc():
    with serve(lambda number: Reply(after_s=0.02)) as (milvus, endpoint), connect(endpoint) as gateway:
        record = run_closed_loop(prepared(gateway), in_flight=4, request_count=100, warm_up_count=10)
        assert len(milvus.requests) == 110
    assert record.request_count == 100 and record.in_flight_max == 4 and not record.error_counts
    assert record.ids.tolist() == [[1, 2, 3]] * 100
    assert 20 < compute_metrics(record)["qps"] <= 4 / 0.02 + 1


def test_a_server_that_is_gone_leaves_failures():
    with serve(lambda number: Reply()) as (_, endpoint):
        gateway = connect(endpoint, retry=RetryPolicy.never())
        searches = prepared(gateway)
    with gateway:
        record = run_open_loop(searches, constant_schedule(rate_per_s=20, duration_s=0.5), timeout_s=1, warm_up_count=2)
    assert record.request_count == 10 and (record.code != 0).all()
    assert set(record.error_counts) <= {"unreachable", "timed_out"}
    assert compute_metrics(record)["latency_ms_p50"] is None
