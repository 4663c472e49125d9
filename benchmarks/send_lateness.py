"""How long after its time the open loop sends a request, at 300 a second against a real server.

The driver promises at most 5 ms at the 99th percentile on a quiet machine; `load_1min` of the manifest says how quiet
it was. A run that is later than that is no measurement of the server alone: its latencies hold our own delay.

    python -m benchmarks.send_lateness
"""

from __future__ import annotations

import argparse
import os
import statistics

from benchmarks.insert_rate import running
from benchmarks.manifest import collect_manifest, write_result
from benchmarks.small_collection import CASE, fill, prepare
from milvuslab.bench.driver import run_open_loop
from milvuslab.bench.metrics import compute_metrics
from milvuslab.bench.schedule import constant_schedule
from milvuslab.gateway import PreparedSearches, RetryPolicy, connect

TARGET_MS = 5.0


def main() -> None:
    """Measures, prints the medians, writes one result; ends with 1 above the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rate", type=float, default=300)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--name", default="send_lateness")
    options = parser.parse_args()
    with running("standalone") as endpoint, connect(endpoint, retry=RetryPolicy.never(), call_timeout_s=300) as gateway:
        version = gateway.server_version
        name, vectors = fill(gateway, rows=options.rows)
        searches = prepare(gateway, name, vectors)
        raw = [measure(searches, rate_per_s=options.rate, duration_s=options.seconds) for _ in range(options.repeats)]
    metrics = {**summarise(raw), "target_ms": TARGET_MS}
    case = {**CASE, "rows": options.rows, "rate_per_s": options.rate, "duration_s": options.seconds,
            "repeats": options.repeats}  # fmt: skip
    manifest = collect_manifest(
        packages=["pymilvus", "numpy", "protobuf", "grpcio"],
        extra={"servers": {"standalone": version}, "warm_up": "100 searches before each run"},
    )
    print(metrics)
    print(write_result(options.name, manifest=manifest, case=case, raw=raw, metrics=metrics))
    if metrics["lateness_ms_p99_median"] > TARGET_MS:
        raise SystemExit(1)


def measure(searches: PreparedSearches, *, rate_per_s: float, duration_s: float) -> dict[str, float | None]:
    """The metrics of one run, with the machine's load before it."""
    load = os.getloadavg()[0]
    schedule = constant_schedule(rate_per_s=rate_per_s, duration_s=duration_s)
    return {**compute_metrics(run_open_loop(searches, schedule)), "load_1min_before": load}


def summarise(raw: list[dict[str, float | None]]) -> dict[str, float]:
    """Medians over the repeats."""
    p99_ms = [one["lateness_ms_p99"] or 0.0 for one in raw]
    return {
        "lateness_ms_p50_median": round(statistics.median(one["lateness_ms_p50"] or 0.0 for one in raw), 3),
        "lateness_ms_p99_median": round(statistics.median(p99_ms), 3),
        "lateness_ms_p99_min": round(min(p99_ms), 3),
        "lateness_ms_p99_max": round(max(p99_ms), 3),
        "latency_ms_p99_median": round(statistics.median(one["latency_ms_p99"] or 0.0 for one in raw), 3),
    }


if __name__ == "__main__":
    main()
