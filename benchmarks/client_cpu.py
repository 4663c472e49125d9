"""CPU time of the client for one query: our driver beside `MilvusClient.search`, on the same real server.

Both keep 8 searches under way, in turn and in changing order, `--repeats` times; the number is the median ratio.
`MilvusClient` runs in 8 threads, which is how its users do it, and once more in a single one. Counted is
the whole process during the run, gRPC's own threads included. What our driver does before (serialising) and after
(parsing) is counted too, and stands apart: `cpu_ratio_with_parse` has the parsing in it.

    python -m benchmarks.client_cpu
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.insert_rate import running
from benchmarks.manifest import collect_manifest, write_result
from benchmarks.small_collection import CASE, EF, FIELD, LIMIT, fill, prepare
from milvuslab.bench.driver import run_closed_loop
from milvuslab.bench.metrics import compute_metrics
from milvuslab.gateway import Gateway, PreparedSearches, RetryPolicy, connect
from milvuslab.model.server import Endpoint

IN_FLIGHT = 8
TARGET_RATIO = 0.40
WARM_UP_COUNT = 200


def main() -> None:
    """Measures, prints the medians, writes one result; ends with 1 above the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=5_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--name", default="client_cpu")
    options = parser.parse_args()
    with running("standalone") as endpoint, connect(endpoint, retry=RetryPolicy.never(), call_timeout_s=300) as gateway:
        version = gateway.server_version
        raw = measure(gateway, endpoint, rows=options.rows, query_count=options.queries, repeats=options.repeats)
    metrics = {**summarise(raw), "target_ratio": TARGET_RATIO}
    case = {
        **CASE,
        "rows": options.rows,
        "queries": options.queries,
        "in_flight": IN_FLIGHT,
        "repeats": options.repeats,
    }
    manifest = collect_manifest(
        packages=["pymilvus", "numpy", "protobuf", "grpcio"],
        extra={"servers": {"standalone": version}, "warm_up": f"{WARM_UP_COUNT} searches before each run"},
    )
    print(metrics)
    print(write_result(options.name, manifest=manifest, case=case, raw=raw, metrics=metrics))
    if metrics["cpu_ratio_median"] > TARGET_RATIO:
        raise SystemExit(1)


def measure(
    gateway: Gateway, endpoint: Endpoint, *, rows: int, query_count: int, repeats: int
) -> dict[str, list[dict[str, float]]]:
    """What each way used in each repeat."""
    from pymilvus import MilvusClient

    name, vectors = fill(gateway, rows=rows)
    searches = prepare(gateway, name, vectors)
    client = MilvusClient(uri=endpoint.uri)
    ways = {
        "driver": lambda: measure_driver(searches, query_count=query_count),
        "client_8_threads": lambda: measure_client(client, name, vectors.queries, query_count, thread_count=IN_FLIGHT),
        "client_1_thread": lambda: measure_client(client, name, vectors.queries, query_count, thread_count=1),
    }
    raw: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for repeat in range(repeats):
        for way in sorted(ways, reverse=bool(repeat % 2)):
            raw[way].append(ways[way]())
    client.close()
    return raw


def measure_driver(searches: PreparedSearches, *, query_count: int) -> dict[str, float]:
    """One run of our closed loop."""
    record = run_closed_loop(
        searches, in_flight=IN_FLIGHT, request_count=query_count, warm_up_count=WARM_UP_COUNT, timeout_s=60
    )
    if record.error_counts:
        raise SystemExit(f"searches failed: {record.errors}")
    metrics = compute_metrics(record)
    return {name: float(metrics[name] or 0) for name in ("client_cpu_us_per_query", "parse_us_per_query", "qps")}


def measure_client(
    client: Any, name: str, queries: npt.NDArray[np.float32], query_count: int, *, thread_count: int
) -> dict[str, float]:
    """The same searches through `MilvusClient.search`."""

    def search(first: int, count: int) -> None:
        for number in range(first, first + count):
            client.search(
                name, [queries[number % len(queries)]], anns_field=FIELD, limit=LIMIT,
                search_params={"params": {"ef": EF}}, consistency_level="Eventually",
            )  # fmt: skip

    search(0, WARM_UP_COUNT)
    share = query_count // thread_count
    threads = [threading.Thread(target=search, args=(place * share, share)) for place in range(thread_count)]
    begun_s, begun_cpu_s = time.monotonic(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = share * thread_count
    cpu_s, wall_s = time.process_time() - begun_cpu_s, time.monotonic() - begun_s
    return {"client_cpu_us_per_query": cpu_s * 1e6 / done, "qps": done / wall_s}


def summarise(raw: dict[str, list[dict[str, float]]]) -> dict[str, float]:
    """Medians, and the medians of the ratios of what was measured in the same repeat."""
    ours, threads, single = raw["driver"], raw["client_8_threads"], raw["client_1_thread"]
    cpu = "client_cpu_us_per_query"

    def ratios(others: list[dict[str, float]], *, with_parse: bool = False) -> list[float]:
        return [
            (one[cpu] + (one["parse_us_per_query"] if with_parse else 0)) / other[cpu]
            for one, other in zip(ours, others, strict=True)
        ]

    against_threads = ratios(threads)
    return {
        "driver_cpu_us_median": round(statistics.median(one[cpu] for one in ours), 1),
        "driver_parse_us_median": round(statistics.median(one["parse_us_per_query"] for one in ours), 1),
        "client_8_threads_cpu_us_median": round(statistics.median(one[cpu] for one in threads), 1),
        "client_1_thread_cpu_us_median": round(statistics.median(one[cpu] for one in single), 1),
        "cpu_ratio_median": round(statistics.median(against_threads), 3),
        "cpu_ratio_min": round(min(against_threads), 3),
        "cpu_ratio_max": round(max(against_threads), 3),
        "cpu_ratio_with_parse_median": round(statistics.median(ratios(threads, with_parse=True)), 3),
        "cpu_ratio_against_1_thread_median": round(statistics.median(ratios(single)), 3),
        "driver_qps_median": round(statistics.median(one["qps"] for one in ours), 1),
        "client_8_threads_qps_median": round(statistics.median(one["qps"] for one in threads), 1),
    }


if __name__ == "__main__":
    main()
