"""Rows a second of `gateway.rows.insert` from numpy beside plain `MilvusClient.insert` of dict rows.

Both write the same rows of 128 numbers, a key and a short string to a collection of the same schema, in turn and in
changing order, `--repeats` times; the number is the median ratio. Timed is the call alone: dict rows and arrays are
made before. The server's own share is in both; `client_cpu_ratio` compares what the client alone spends, and does not
depend on how busy the machine is.

    python -m benchmarks.insert_rate lite standalone
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.manifest import collect_manifest, write_result
from milvuslab.gateway import Gateway, RetryPolicy, connect
from milvuslab.gateway.readiness import check_ready
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.server import Endpoint
from milvuslab.model.settings import resolve
from milvuslab.runtime import add_lite, add_standalone, endpoint_of, start_server, stop_server

DIM = 128
NAME = "milvuslab_insert_rate"
SPEC = CollectionSpec(
    name=NAME,
    fields=(
        FieldSpec(name="id", data_type=DataType.INT64, is_primary=True),
        FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=DIM),
        FieldSpec(name="title", data_type=DataType.VARCHAR, max_length_bytes=64),
    ),
)


def main() -> None:
    """Measures every server named and writes one result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("servers", nargs="+", choices=["lite", "standalone"])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--name", default="insert_rate")
    options = parser.parse_args()
    case = {"dim": DIM, "rows": options.rows, "repeats": options.repeats, "batch_rows": BATCH_ROWS, "seed": 0}
    raw: dict[str, Any] = {}
    metrics: dict[str, Any] = {}
    versions: dict[str, str] = {}
    for server in options.servers:
        with running(server) as endpoint, connect(endpoint, retry=RetryPolicy.never(), call_timeout_s=120) as gateway:
            versions[server] = gateway.server_version
            raw[server] = measure(gateway, endpoint, rows=options.rows, repeats=options.repeats)
        metrics[server] = compute_metrics(raw[server], rows=options.rows)
        print(server, versions[server], metrics[server])
    manifest = collect_manifest(packages=["pymilvus", "numpy", "protobuf", "grpcio"], extra={"servers": versions})
    print(write_result(options.name, manifest=manifest, case=case, raw=raw, metrics=metrics))


BATCH_ROWS = 10_000
"""Rows of one `MilvusClient.insert`: 10,000 rows of 128 numbers stay well under the 64 MB that a server takes."""


def measure(gateway: Gateway, endpoint: Endpoint, *, rows: int, repeats: int) -> dict[str, list[float]]:
    """Seconds of every insert, by way; the first pair warms up and is not kept."""
    from pymilvus import MilvusClient

    columns = make_columns(rows)
    dict_rows = make_rows(columns)
    client = MilvusClient(uri=endpoint.uri)
    ways: dict[str, Callable[[], None]] = {
        "gateway_s": lambda: check_count(gateway.rows.insert(NAME, columns).count, rows),
        "dict_rows_s": lambda: insert_dicts(client, dict_rows),
    }
    seconds: dict[str, list[float]] = {name: [] for way in ways for name in (way, cpu_name(way))}
    for repeat in range(repeats + 1):
        for way in sorted(ways, reverse=bool(repeat % 2)):
            gateway.collections.drop(NAME)
            gateway.collections.create(SPEC)
            begun_s, begun_cpu_s = time.monotonic(), time.process_time()
            ways[way]()
            if repeat:
                seconds[way].append(time.monotonic() - begun_s)
                seconds[cpu_name(way)].append(time.process_time() - begun_cpu_s)
    gateway.collections.drop(NAME)
    client.close()
    return seconds


def cpu_name(way: str) -> str:
    """Under which name the client's own CPU seconds of a way are kept."""
    return f"{way.removesuffix('_s')}_cpu_s"


def insert_dicts(client: Any, rows: list[dict[str, Any]]) -> None:
    """The plain way, in batches."""
    for begin in range(0, len(rows), BATCH_ROWS):
        client.insert(NAME, rows[begin : begin + BATCH_ROWS])


def make_columns(rows: int) -> dict[str, Any]:
    """The rows as columns."""
    vectors = np.random.default_rng(0).normal(size=(rows, DIM)).astype(np.float32)
    return {"id": np.arange(rows), "vector": vectors, "title": [f"title number {row}" for row in range(rows)]}


def make_rows(columns: dict[str, Any]) -> list[dict[str, Any]]:
    """The same rows as dicts; the vectors stay numpy, which pymilvus takes faster than lists."""
    return [
        {"id": int(key), "vector": vector, "title": title}
        for key, vector, title in zip(columns["id"], columns["vector"], columns["title"], strict=True)
    ]


def compute_metrics(seconds: dict[str, list[float]], *, rows: int) -> dict[str, float]:
    """Median rates and the median of the ratios of pairs."""
    ratios = [slow / fast for slow, fast in zip(seconds["dict_rows_s"], seconds["gateway_s"], strict=True)]
    return {
        "gateway_rows_per_s": round(rows / statistics.median(seconds["gateway_s"])),
        "dict_rows_per_s": round(rows / statistics.median(seconds["dict_rows_s"])),
        "ratio_median": round(statistics.median(ratios), 2),
        "ratio_min": round(min(ratios), 2),
        "ratio_max": round(max(ratios), 2),
        "client_cpu_ratio": round(
            statistics.median(seconds["dict_rows_cpu_s"]) / statistics.median(seconds["gateway_cpu_s"]), 2
        ),
    }


def check_count(found: int, wanted: int) -> None:
    """A run that wrote less is no measurement."""
    if found != wanted:
        raise SystemExit(f"{found} rows were written, not {wanted}")


@contextlib.contextmanager
def running(server: str) -> Iterator[Endpoint]:
    """A server of our own, on a folder that goes when it stops."""
    import os

    with tempfile.TemporaryDirectory(prefix="milvuslab-bench-") as folder:
        kept = {
            name: os.environ[name] for name in ("HOME", "XDG_CACHE_HOME", "MILVUSLAB_CACHE_DIR") if name in os.environ
        }
        settings = resolve(environment=kept, flags={"home_dir": folder, "start_timeout_s": "180"})
        add = add_lite if server == "lite" else add_standalone
        profile = add(Path(folder), server)
        start_server(profile, settings=settings, is_ready=check_ready)
        try:
            yield endpoint_of(profile)
        finally:
            stop_server(profile, settings=settings)


if __name__ == "__main__":
    main()
