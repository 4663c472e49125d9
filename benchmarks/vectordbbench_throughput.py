"""Answers a second from the same Milvus at 8 in flight: our closed loop beside VectorDBBench 1.0.20.

Both search the same collection (50,000 x 128, HNSW 16/200, ef 64, k 10) at the collection's consistency level, in turn
and in changing order, `--repeats` times. VectorDBBench runs in an environment of its own with 8 processes; ours is one
process. The ratio is ours over the better of two rates of the tool: the one it reports, and the sum of what its
processes logged of themselves, which leaves out how it starts and ends.

    python -m benchmarks.vectordbbench_throughput
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from pathlib import Path

from benchmarks.insert_rate import running
from benchmarks.manifest import collect_manifest, write_result
from milvuslab.bench.vectordbbench import ToolCase, install_tool, run_side_by_side
from milvuslab.data.vectors import make_clustered
from milvuslab.gateway import RetryPolicy, connect
from milvuslab.model.progress import Progress
from milvuslab.model.server import Endpoint
from milvuslab.model.settings import resolve

TARGET_RATIO = 1.5


def main() -> None:
    """Measures, prints the medians, writes one result; ends with 1 below the target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--uri", default="", help="a server that runs, kept as it is; default: one of our own")
    parser.add_argument("--name", default="vectordbbench_throughput")
    options = parser.parse_args()
    names = ("HOME", "XDG_CACHE_HOME", "MILVUSLAB_CACHE_DIR", "PATH")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    cache_dir = resolve(environment=kept).cache_dir
    tool = install_tool(cache_dir=cache_dir, observer=show)
    case = ToolCase(row_count=options.rows, duration_s=options.seconds)
    vectors = make_clustered(row_count=case.row_count, dim=case.dim)
    with (
        tempfile.TemporaryDirectory(prefix="milvuslab-vectordbbench-") as folder,
        contextlib.nullcontext(Endpoint(uri=options.uri)) if options.uri else running("standalone") as endpoint,
        connect(endpoint, retry=RetryPolicy.never(), call_timeout_s=120) as gateway,
    ):
        found = run_side_by_side(
            gateway, tool, vectors, case, folder=Path(folder), environment=kept, repeat_count=options.repeats,
            cache_dir=cache_dir, observer=show,
        )  # fmt: skip
    values = found.as_dict()
    metrics = {**values.pop("metrics"), "target_ratio": TARGET_RATIO}
    manifest = collect_manifest(
        packages=["pymilvus", "numpy", "protobuf", "grpcio"],
        extra={
            "servers": {"standalone": found.server_version},
            "tool_versions": values["tool_versions"],
            "dataset": {"name": vectors.name, "checksum": vectors.checksum},
            "index": values["index"],
            "consistency": values["consistency"],
            "warm_up": "ours: 100 requests before each run; the tool has none",
            "tool_limits": values["tool_limits"],
        },
    )
    case_values = {**values["case"], "repeats": options.repeats}
    raw = {"ours": values["ours"], "tool": values["tool"], "ratios": found.ratios}
    print(metrics)
    print(write_result(options.name, manifest=manifest, case=case_values, raw=raw, metrics=metrics))
    if metrics["qps_ratio_median"] < TARGET_RATIO:
        raise SystemExit(1)


def show(progress: Progress) -> None:
    """One line a step that says something."""
    if progress.message:
        print(f"{progress.step}: {progress.message}", flush=True)


if __name__ == "__main__":
    main()
