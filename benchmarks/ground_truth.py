"""Seconds to find the exact neighbours of every query, by `find_truth` with and without its cache, and by faiss.

Each round asks every subject once, in turn, the next round in the opposite order; the first round warms up and is not
kept. `find_truth` makes the rows itself, block by block; faiss is given all of them, made before. Beside it: rows a second
that `make_clustered` makes on one core.

    python -m benchmarks.ground_truth
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.manifest import collect_manifest, write_result
from milvuslab.data.truth import Truth, find_truth
from milvuslab.data.vectors import VectorSet, make_binary, make_clustered
from milvuslab.model.metric import Metric

__all__ = ["REAL", "SMOKE", "Case", "main", "measure", "summarise"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """What is measured."""

    row_count: int
    dim: int
    query_count: int
    k: int
    round_count: int
    generated_rows: int


REAL = Case(row_count=50_000, dim=128, query_count=1_000, k=100, round_count=5, generated_rows=1_000_000)
SMOKE = Case(row_count=2_000, dim=16, query_count=20, k=10, round_count=2, generated_rows=5_000)


def main() -> None:
    """Measures the real size and writes one result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", default="ground_truth")
    options = parser.parse_args()
    raw = measure(REAL)
    metrics = summarise(raw)
    for subject, values in metrics.items():
        print(subject, values)
    manifest = collect_manifest(packages=["numpy", "faiss-cpu"], extra={"dataset_checksum": raw["dataset_checksum"]})
    print(write_result(options.name, manifest=manifest, case=dataclasses.asdict(REAL), raw=raw, metrics=metrics))


def measure(case: Case) -> dict[str, Any]:
    """Seconds of every subject in every round, and how far the answers agree."""
    floats = make_clustered(row_count=case.row_count, dim=case.dim, query_count=case.query_count)
    bits = make_binary(row_count=case.row_count, dim=case.dim, query_count=case.query_count)
    rows = floats.read_rows(0, floats.row_count)
    with tempfile.TemporaryDirectory(prefix="milvuslab-truth-") as folder:
        subjects = make_subjects(case, floats, bits, rows, Path(folder))
        answers = {name: subject() for name, subject in subjects.items()}
        seconds: dict[str, list[float]] = {name: [] for name in subjects}
        for place in range(case.round_count):
            for name in sorted(subjects, reverse=bool(place % 2)):
                seconds[name].append(time_once(subjects[name]))
    return {
        "dataset_checksum": floats.checksum,
        "seconds": seconds,
        "rows_per_s": [measure_generation(case) for _ in range(case.round_count)],
        "agreement_with_faiss": float(np.mean(answers["L2"].ids == answers["faiss L2"][1])),
    }


def make_subjects(
    case: Case, floats: VectorSet, bits: VectorSet, rows: Any, cache_dir: Path
) -> dict[str, Callable[[], Any]]:
    """What is timed, by name."""
    import faiss

    def find(metric: Metric, *, cache: Path | None = None) -> Callable[[], Truth]:
        vectors = bits if metric.is_binary else floats
        return lambda: find_truth(vectors, metric=metric, k=case.k, cache_dir=cache)

    metrics = (Metric.L2, Metric.IP, Metric.COSINE, Metric.HAMMING, Metric.JACCARD)
    return {
        **{str(metric): find(metric) for metric in metrics},
        "L2 from the cache": find(Metric.L2, cache=cache_dir),
        "faiss L2": lambda: faiss.knn(floats.queries, rows, case.k),
    }


def time_once(subject: Callable[[], Any]) -> float:
    """Seconds of one call."""
    begun_s = time.monotonic()
    subject()
    return time.monotonic() - begun_s


def measure_generation(case: Case) -> float:
    """Rows a second of a set whose width is the case's, by processor time: what one core makes."""
    vectors = make_clustered(row_count=case.generated_rows, dim=case.dim, query_count=1)
    vectors.read_rows(0, 1)
    begun_s = time.process_time()
    for _ in vectors.iter_blocks(65_536):
        pass
    return case.generated_rows / (time.process_time() - begun_s)


def summarise(raw: dict[str, Any]) -> dict[str, Any]:
    """Median and range of the seconds of each subject."""
    metrics: dict[str, Any] = {
        subject: {
            "s_median": round(statistics.median(seconds), 4),
            "s_range": [round(min(seconds), 4), round(max(seconds), 4)],
        }
        for subject, seconds in raw["seconds"].items()
    }
    metrics["generation"] = {"rows_per_core_s_median": round(statistics.median(raw["rows_per_s"]))}
    metrics["agreement_with_faiss_ratio"] = round(raw["agreement_with_faiss"], 6)
    return metrics


if __name__ == "__main__":
    main()
