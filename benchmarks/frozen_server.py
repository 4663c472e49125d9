"""What a run says of a server that stands still for a second: our open loop beside a closed loop.

A real server is stopped with SIGSTOP for 1 s in the middle of a run of 20 s at a fixed rate. Of the requests, 5 % meet
the stall and wait 0 to 1 s, so 1 % of all wait at least 0.8 s: a P99 between 0.80 s and 1.25 s is the truth. The
closed loop sends one request at a time and shows how such a tool misses it.

    python -m benchmarks.frozen_server
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import threading
from collections.abc import Iterator

from benchmarks.insert_rate import running
from benchmarks.manifest import collect_manifest, write_result
from benchmarks.small_collection import CASE, fill, prepare
from milvuslab.bench.driver import run_closed_loop, run_open_loop
from milvuslab.bench.metrics import compute_metrics
from milvuslab.bench.schedule import constant_schedule
from milvuslab.gateway import PreparedSearches, RetryPolicy, connect
from milvuslab.model.server import Endpoint

FROZEN_S = 1.0
TARGET_S = (0.80, 1.25)


def main() -> None:
    """Measures, prints the medians, writes one result; ends with 1 when a P99 misses the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--name", default="frozen_server")
    options = parser.parse_args()
    with running("standalone") as endpoint, connect(endpoint, retry=RetryPolicy.never(), call_timeout_s=300) as gateway:
        version = gateway.server_version
        name, vectors = fill(gateway, rows=options.rows)
        searches = prepare(gateway, name, vectors)
        pid = pid_behind(endpoint)
        raw = [
            measure(searches, pid, rate_per_s=options.rate, duration_s=options.seconds) for _ in range(options.repeats)
        ]
    metrics = summarise(raw)
    case = {**CASE, "rows": options.rows, "rate_per_s": options.rate, "duration_s": options.seconds,
            "frozen_s": FROZEN_S, "repeats": options.repeats}  # fmt: skip
    manifest = collect_manifest(
        packages=["pymilvus", "numpy", "protobuf", "grpcio"],
        extra={"servers": {"standalone": version}, "warm_up": "100 searches before each run"},
    )
    print(metrics)
    print(write_result(options.name, manifest=manifest, case=case, raw=raw, metrics=metrics))
    if not metrics["is_seen_whole"]:
        raise SystemExit(1)


def measure(
    searches: PreparedSearches, pid: int, *, rate_per_s: float, duration_s: float, frozen_s: float = FROZEN_S
) -> dict[str, dict[str, float | None]]:
    """The metrics of both loops, each with a stall in its middle."""
    schedule = constant_schedule(rate_per_s=rate_per_s, duration_s=duration_s)
    with frozen(pid, after_s=duration_s / 2, frozen_s=frozen_s):
        open_loop = compute_metrics(run_open_loop(searches, schedule))
    with frozen(pid, after_s=duration_s / 2, frozen_s=frozen_s):
        closed_loop = compute_metrics(run_closed_loop(searches, in_flight=1, duration_s=duration_s))
    return {"open": open_loop, "closed": closed_loop}


@contextlib.contextmanager
def frozen(pid: int, *, after_s: float, frozen_s: float) -> Iterator[None]:
    """Stops the process after a time and lets it go on after another; it goes on whatever happens here."""
    over = threading.Event()

    def stall() -> None:
        if not over.wait(after_s):
            os.kill(pid, signal.SIGSTOP)
            over.wait(frozen_s)
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=stall)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def pid_behind(endpoint: Endpoint) -> int:
    """The process that listens at the endpoint's port; ours, so it may be asked for."""
    import psutil

    port = int(endpoint.uri.rsplit(":", 1)[1])
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in process.net_connections()):
                return process.pid
    raise SystemExit(f"no process of ours listens at {endpoint.uri}")


def summarise(raw: list[dict[str, dict[str, float | None]]]) -> dict[str, float | bool | None]:
    """Median P99 of each loop, and whether every open loop told the truth."""
    seconds = [(one["open"]["latency_ms_p99"] or 0) / 1_000 for one in raw]
    return {
        "open_p99_s_median": round(statistics.median(seconds), 3),
        "open_p99_s_min": round(min(seconds), 3),
        "open_p99_s_max": round(max(seconds), 3),
        "closed_p99_s_median": round(statistics.median((one["closed"]["latency_ms_p99"] or 0) for one in raw) / 1e3, 4),
        "error_ratio_max": max(one["open"]["error_ratio"] or 0 for one in raw),
        "is_seen_whole": all(TARGET_S[0] <= one <= TARGET_S[1] for one in seconds),
    }


if __name__ == "__main__":
    main()
