"""The benchmarks of the driver at their smallest size, and their arithmetic on numbers that are known."""

import pytest

from benchmarks import client_cpu, frozen_server, send_lateness
from benchmarks.small_collection import fill, prepare
from milvuslab.gateway import RetryPolicy, connect


@pytest.fixture(scope="module")
def gateway(standalone_endpoint):
    with connect(standalone_endpoint, retry=RetryPolicy.never(), call_timeout_s=60) as opened:
        yield opened


@pytest.fixture(scope="module")
def searches(gateway):
    name, vectors = fill(gateway, rows=2_000)
    yield prepare(gateway, name, vectors)
    gateway.collections.drop(name)


def test_client_cpu_at_smoke_size(gateway, standalone_endpoint, searches):
    raw = client_cpu.measure(gateway, standalone_endpoint, rows=2_000, query_count=200, repeats=1)
    metrics = client_cpu.summarise(raw)
    assert {way: len(runs) for way, runs in raw.items()} == {"driver": 1, "client_8_threads": 1, "client_1_thread": 1}
    # No number is promised on a busy machine, but less work than pymilvus's client it is anywhere.
    assert 0 < metrics["cpu_ratio_median"] < 1 and metrics["driver_parse_us_median"] > 0


def test_a_frozen_server_at_smoke_size(standalone_endpoint, searches):
    pid = frozen_server.pid_behind(standalone_endpoint)
    found = frozen_server.measure(searches, pid, rate_per_s=60, duration_s=2.0, frozen_s=0.5)
    # A quarter of the requests meet the stall; the closed loop's one does.
    assert found["open"]["error_ratio"] == 0 and 0.4 <= found["open"]["latency_ms_p99"] / 1_000 < 1.5
    assert found["closed"]["latency_ms_max"] >= 400


def test_lateness_at_smoke_size(searches):
    found = send_lateness.measure(searches, rate_per_s=200, duration_s=1.0)
    assert found["query_count"] == 200 and 0 < found["lateness_ms_p50"] < 100


def test_known_cpu_times_give_known_ratios():
    def runs(*values, **more):
        return [{"client_cpu_us_per_query": value, "qps": 1.0, **more} for value in values]

    metrics = client_cpu.summarise(
        {
            "driver": runs(200, 210, 300, parse_us_per_query=20),
            "client_8_threads": runs(500, 700, 600),
            "client_1_thread": runs(400, 420, 600),
        }
    )
    assert metrics["cpu_ratio_median"] == 0.4 and metrics["cpu_ratio_max"] == 0.5 and metrics["cpu_ratio_min"] == 0.3
    assert metrics["cpu_ratio_with_parse_median"] == 0.44 and metrics["cpu_ratio_against_1_thread_median"] == 0.5


@pytest.mark.parametrize(("p99_ms", "is_seen"), [(900, True), (790, False), (1_300, False), (None, False)])
def test_the_truth_about_a_stall_has_bounds(p99_ms, is_seen):
    one = {"open": {"latency_ms_p99": 1_000, "error_ratio": 0}, "closed": {"latency_ms_p99": 20, "error_ratio": 0}}
    other = {"open": {"latency_ms_p99": p99_ms, "error_ratio": 0}, "closed": {"latency_ms_p99": 30, "error_ratio": 0}}
    metrics = frozen_server.summarise([one, other])
    assert metrics["is_seen_whole"] is is_seen and metrics["closed_p99_s_median"] == 0.025


def test_known_lateness_gives_known_medians():
    raw = [
        {"lateness_ms_p50": 0.1 * number, "lateness_ms_p99": float(number), "latency_ms_p99": 9.0}
        for number in (1, 2, 9)
    ]
    assert send_lateness.summarise(raw) == {
        "lateness_ms_p50_median": 0.2, "lateness_ms_p99_median": 2.0, "lateness_ms_p99_min": 1.0,
        "lateness_ms_p99_max": 9.0, "latency_ms_p99_median": 9.0,
    }  # fmt: skip
