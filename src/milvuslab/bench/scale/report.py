"""The result of a scale run: what was predicted beside what was measured, as a file and as lines for a person."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from milvuslab.bench.manifest import MEASURING_PACKAGES, collect_manifest, describe_index, describe_server, write_result
from milvuslab.bench.scale.run import ScaleOutcome

if TYPE_CHECKING:
    from milvuslab.bench.scale.server import ScaleServer
    from milvuslab.gateway import Gateway

__all__ = ["SCALE_METRICS", "compute_scale_metrics", "describe_outcome", "write_scale_result"]

SCALE_METRICS: Mapping[str, str] = {
    "total_s": "one command from nothing to the report; None when it was gone on with after a kill",
    "generate_s": "making and staging the rows, and finding the exact answers",
    "bulk_load_s": "the server reading the staged files",
    "bulk_load_rows_per_s": "rows over that time",
    "index_s": "until every row was indexed",
    "load_s": "until searches were answered",
    "measure_s": "all searches",
    "recall": "recall@k of the searches one at a time, against exact truth",
    "latency_ms_p50": "one search at a time",
    "latency_ms_p99": "one search at a time",
    "open_loop_latency_ms_p50": "from the intended time, at the fixed rate",
    "open_loop_latency_ms_p99": "from the intended time, at the fixed rate",
    "open_loop_lateness_ms_p99": "how late the client sent",
    "open_loop_recall": "recall@k of those searches",
    "segment_count": "segments that hold the rows",
    "index_build_count": "indexes built; equal to segment_count where each was built once",
    "server_memory_bytes": "highest resident memory of the server",
    "loaded_memory_bytes": "its resident memory after the searches",
    "client_memory_bytes": "highest resident memory of this program",
    "disk_bytes": "the server's folder at the end",
    "disk_peak_bytes": "the same with what was staged, at most",
}
"""Every metric of a scale result with its meaning."""


def compute_scale_metrics(outcome: ScaleOutcome) -> dict[str, float | None]:
    """All of `SCALE_METRICS`; what was cut short by a kill is None."""
    state, single, loaded = outcome.state, outcome.measured.one_at_a_time, outcome.measured.open_loop
    found: dict[str, float | None] = {
        "total_s": outcome.total_s,
        "generate_s": state.generate_s,
        "bulk_load_s": state.bulk_load_s,
        "bulk_load_rows_per_s": state.bulk_load_rows_per_s,
        "index_s": state.index_s,
        "load_s": state.load_s,
        "measure_s": state.measure_s,
        "recall": single["recall"],
        "latency_ms_p50": single["latency_ms_p50"],
        "latency_ms_p99": single["latency_ms_p99"],
        "open_loop_latency_ms_p50": loaded["latency_ms_p50"],
        "open_loop_latency_ms_p99": loaded["latency_ms_p99"],
        "open_loop_lateness_ms_p99": loaded["lateness_ms_p99"],
        "open_loop_recall": loaded["recall"],
        "segment_count": outcome.segment_count,
        "index_build_count": outcome.index_build_count,
        "server_memory_bytes": max(state.server_memory_bytes.values(), default=None),
        "loaded_memory_bytes": outcome.loaded_memory_bytes,
        "client_memory_bytes": state.client_memory_bytes,
        "disk_bytes": outcome.disk_bytes,
        "disk_peak_bytes": max(state.disk_peak_bytes, outcome.disk_bytes),
    }
    return {name: found[name] for name in SCALE_METRICS}


def write_scale_result(outcome: ScaleOutcome, *, gateway: Gateway, server: ScaleServer, folder: Path) -> Path:
    """Writes `folder/scale-ROWSxDIM-TYPE.json` with manifest, case, prediction, raw figures and metrics."""
    case = outcome.case
    manifest = collect_manifest(
        packages=MEASURING_PACKAGES,
        extra={
            "server": {**describe_server(gateway), "options": dict(server.profile.options)},
            "index": describe_index(gateway, case.name, "vector"),
            "search_params": outcome.measured.params,
            "data": {"generator": "make_clustered", "seed": case.seed},
            "warm_up": "100 searches before each run",
        },
    )
    raw = {
        "state": outcome.state.as_dict(),
        "ladder": list(outcome.measured.ladder),
        "one_at_a_time": outcome.measured.one_at_a_time,
        "open_loop": outcome.measured.open_loop,
    }
    return write_result(
        f"scale-{case.row_count}x{case.dim}-{case.index_type.lower().replace('_', '-')}",
        manifest=manifest,
        case={**case.as_dict(), "prediction": outcome.prediction.as_dict()},
        raw=raw,
        metrics=compute_scale_metrics(outcome),
        folder=folder,
    )


def describe_outcome(outcome: ScaleOutcome) -> list[tuple[str, float | None, float | None, str]]:
    """Rows for a person: (what, measured, predicted, unit); predicted is None where nothing was."""
    found, said = compute_scale_metrics(outcome), outcome.prediction
    predicted = {
        "total_s": said.total_s,
        "generate_s": said.generate_s,
        "bulk_load_s": said.bulk_load_s,
        "index_s": said.index_s,
        "load_s": said.load_s,
        "measure_s": said.measure_s,
        "server_memory_bytes": said.server_memory_bytes,
        "loaded_memory_bytes": said.loaded_memory_bytes,
        "client_memory_bytes": said.client_memory_bytes,
        "disk_bytes": said.disk_bytes,
        "disk_peak_bytes": said.disk_peak_bytes,
    }
    return [(name, found[name], predicted.get(name), _unit(name)) for name in SCALE_METRICS]


def _unit(name: str) -> str:
    for ending, unit in (("rows_per_s", "rows/s"), ("_s", "s"), ("_bytes", "bytes")):
        if name.endswith(ending):
            return unit
    return "ms" if "_ms_" in name else ""
