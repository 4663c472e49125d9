"""Index types on 50,000 x 128 vectors, each tuned to recall 0.95: the whole of `milvuslab bench indexes`, timed.

Servers are started from a folder without any data and stopped again, which counts. Programs and capabilities come from
the person's own cache. The page is written beside the result of each type, in the folder that is printed.

    python -m benchmarks.index_comparison
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.manifest import write_result
from milvuslab.data.vectors import make_clustered
from milvuslab.model.metric import Metric
from milvuslab.model.progress import Progress
from milvuslab.ops.comparing import list_sources
from milvuslab.ops.workspace import open_workspace
from milvuslab.tune.comparison import QUERY_COUNT, CompareTask, Comparison, compare_indexes, write_report

TARGET_S = 360.0
TARGET_TYPES = 8


def main() -> None:
    """Compares, prints the result, writes it; ends with 1 when it took too long or too few types were tuned."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--recall", type=float, default=0.95)
    parser.add_argument("--folder", default="", help="where the page and the records stay")
    parser.add_argument("--name", default="index_comparison")
    options = parser.parse_args()
    folder = Path(options.folder or tempfile.mkdtemp(prefix="milvuslab-comparison-"))
    load_before = os.getloadavg()[0]
    begun_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="milvuslab-home-") as home_dir:
        workspace = open_workspace(flags={"home_dir": home_dir}, environment=os.environ, folder=Path(home_dir))
        vectors = make_clustered(row_count=options.rows, dim=options.dim, query_count=QUERY_COUNT)
        task = CompareTask(vectors=vectors, metric=Metric.L2, recall_target=options.recall)
        found = compare_indexes(task, list_sources(workspace), folder=folder, observer=_Steps())
        page = write_report(found)
    wall_s = time.monotonic() - begun_s
    metrics = {**summarise(found), "wall_s": round(wall_s, 1), "target_s": TARGET_S, "target_types": TARGET_TYPES}
    case = {"rows": options.rows, "dim": options.dim, "recall": options.recall, "k": found.k, "metric": found.metric,
            "in_flight": found.in_flight, "confidence": found.confidence, "data_checksum": found.data_checksum}  # fmt: skip
    manifest = {**found.manifest, "load_1min": round(load_before, 2)}
    raw = [one.as_dict() for one in found.results]
    print(metrics)
    print(page)
    print(write_result(options.name, manifest=manifest, case=case, raw=raw, metrics=metrics))
    if wall_s > TARGET_S or len(found.tuned) < TARGET_TYPES:
        raise SystemExit(1)


def summarise(found: Comparison) -> dict[str, Any]:
    """How many types were tuned, and what each came to at the target."""
    return {
        "tuned_count": len(found.tuned),
        "types": {
            one.label: {
                "recall": round(point.recall, 4),
                "recall_lower": one.recall_lower and round(one.recall_lower, 4),
                "qps": point.qps and round(point.qps),
                "latency_ms_p99": point.latency_ms_p99 and round(point.latency_ms_p99, 2),
                "build_s": one.build_s and round(one.build_s, 1),
                "wall_s": round(one.wall_s, 1),
            }
            for one in found.tuned
            if (point := one.chosen) is not None
        },
    }


class _Steps:
    """Prints each step once."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def __call__(self, progress: Progress) -> None:
        line = f"{progress.step} {progress.message}".strip()
        if line not in self._seen:
            self._seen.add(line)
            print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


if __name__ == "__main__":
    main()
