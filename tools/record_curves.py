"""Records how recall and latency of real indexes follow their search parameter, for the tests of the tuner.

`python -m tools.record_curves hnsw_l2 ivf_flat_l2` starts the server of each curve on a folder of its own, uploads
50,000 vectors once, builds the index, asks every query at every rung of the ladder in batches (recall) and some of
them one by one, rung after rung in turn (latency), and writes `tests/tune/curves/NAME.npz`: `matched_counts`
(queries, rungs) uint8 of k = 10, `latency_ms` (rungs, searches) float32, `batch_us` (rungs,) the time of a query within
a batch, which is work and not latency, and `about`, the conditions as JSON.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import itertools
import json
import os
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.manifest import ROOT_DIR, collect_manifest
from milvuslab.gateway import Gateway, connect
from milvuslab.gateway.readiness import check_ready
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from milvuslab.model.settings import resolve
from milvuslab.runtime import add_lite, add_standalone, endpoint_of, start_server, stop_server

__all__ = ["CURVES", "CurveCase", "main"]

K = 10
ROW_COUNT = 50_000
QUERY_COUNT = 10_000
DIM = 128
ROUND_COUNT = 40
"""Rounds of single searches; each asks `ROUND_QUERIES` at every rung, so that a slow moment strikes all rungs alike."""
ROUND_QUERIES = 15
BATCH_ROWS = 500
COLLECTION = "milvuslab_curve"
_KEPT_NAMES = ("HOME", "XDG_CACHE_HOME", "MILVUSLAB_CACHE_DIR", "PATH")


@dataclasses.dataclass(frozen=True, kw_only=True)
class CurveCase:
    """One curve: a server, a data set, an index and the rungs of its search parameter.

    Attributes:
        server: `standalone` (2.3.5), `legacy` (2.2.16) or `lite`.
        noise: how far rows lie from their subspace; more is harder.
        seed: of the data.
        knob: the search parameter that climbs.
        rungs: its values, ascending.
        fixed: other search parameters.
    """

    server: str
    noise: float
    seed: int
    metric: Metric
    index_type: str
    build: Mapping[str, int | bool]
    knob: str
    rungs: Sequence[int]
    fixed: Mapping[str, int] = dataclasses.field(default_factory=dict)


_EF = (10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320, 448)
_NPROBE = (1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256)
CURVES: dict[str, CurveCase] = {
    "hnsw_l2": CurveCase(
        server="standalone", noise=0.15, seed=1, metric=Metric.L2, index_type="HNSW",
        build={"M": 8, "efConstruction": 100}, knob="ef", rungs=_EF,
    ),
    "hnsw_cosine": CurveCase(
        server="standalone", noise=0.3, seed=2, metric=Metric.COSINE, index_type="HNSW",
        build={"M": 16, "efConstruction": 200}, knob="ef", rungs=_EF,
    ),
    "ivf_flat_l2": CurveCase(
        server="standalone", noise=0.15, seed=1, metric=Metric.L2, index_type="IVF_FLAT",
        build={"nlist": 512}, knob="nprobe", rungs=_NPROBE,
    ),
    "ivf_sq8_ip": CurveCase(
        server="standalone", noise=0.3, seed=2, metric=Metric.IP, index_type="IVF_SQ8",
        build={"nlist": 256}, knob="nprobe", rungs=_NPROBE,
    ),
    "scann_l2": CurveCase(
        server="standalone", noise=0.15, seed=1, metric=Metric.L2, index_type="SCANN",
        build={"nlist": 256, "with_raw_data": True}, knob="nprobe", rungs=_NPROBE, fixed={"reorder_k": 100},
    ),
    "annoy_l2": CurveCase(
        server="legacy", noise=0.15, seed=1, metric=Metric.L2, index_type="ANNOY",
        build={"n_trees": 16}, knob="search_k", rungs=(200, 400, 600, 800, 1200, 1600, 2400, 3200, 4800, 6400, 9600, 12800),
    ),
    "lite_hnsw_cosine": CurveCase(
        server="lite", noise=0.3, seed=2, metric=Metric.COSINE, index_type="HNSW",
        build={"M": 16, "efConstruction": 200}, knob="ef", rungs=_EF,
    ),
    "lite_ivf_flat_cosine": CurveCase(
        server="lite", noise=0.3, seed=2, metric=Metric.COSINE, index_type="IVF_FLAT",
        build={"nlist": 256}, knob="nprobe", rungs=_NPROBE,
    ),
}  # fmt: skip


def main() -> None:
    """Records the curves that are named, server by server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("curves", nargs="+", choices=sorted(CURVES))
    parser.add_argument("--folder", type=Path, default=ROOT_DIR / "tests" / "tune" / "curves")
    options = parser.parse_args()
    names = sorted(options.curves, key=lambda name: CURVES[name].server)
    for server, group in itertools.groupby(names, key=lambda name: CURVES[name].server):
        record_on(server, list(group), folder=options.folder)


def record_on(server: str, names: Sequence[str], *, folder: Path) -> None:
    """Starts the server on a folder that goes when it stops, and records the curves on it."""
    with tempfile.TemporaryDirectory(prefix="milvuslab-curves-") as home:
        environment = {name: os.environ[name] for name in _KEPT_NAMES if name in os.environ}
        settings = resolve(environment=environment, flags={"home_dir": home, "start_timeout_s": "180"})
        if server == "lite":
            profile = add_lite(Path(home), server)
        else:
            profile = add_standalone(Path(home), server, version="2.2.16" if server == "legacy" else "")
        start_server(profile, settings=settings, is_ready=check_ready)
        try:
            with connect(endpoint_of(profile), call_timeout_s=120) as gateway:
                for name in names:
                    record_curve(gateway, name, folder=folder)
        finally:
            stop_server(profile, settings=settings)


def record_curve(gateway: Gateway, name: str, *, folder: Path) -> None:
    """Uploads, builds, measures and writes one curve."""
    case = CURVES[name]
    rows, queries = make_vectors(noise=case.noise, seed=case.seed)
    true_ids = find_true_ids(rows, queries, metric=case.metric)
    build(gateway, case, rows)
    ladder = [{**case.fixed, case.knob: rung} for rung in case.rungs]
    counted = [count_matches(gateway, queries, true_ids, params=params) for params in ladder]
    matched = np.stack([counts for counts, _ in counted], axis=1)
    latency_ms = time_searches(gateway, queries, ladder)
    about = {
        "name": name, "server_version": gateway.server_version, "row_count": ROW_COUNT, "dim": DIM, "k": K,
        "index_type": case.index_type, "metric": str(case.metric), "build": dict(case.build), "knob": case.knob,
        "rungs": list(case.rungs), "fixed": dict(case.fixed), "noise": case.noise, "seed": case.seed,
        "manifest": collect_manifest(packages=["numpy", "faiss-cpu", "pymilvus"]),
    }  # fmt: skip
    batch_us = np.array([time_us for _, time_us in counted])
    write_curve(folder / f"{name}.npz", matched_counts=matched, latency_ms=latency_ms, batch_us=batch_us, about=about)
    for rung, recall, times in zip(case.rungs, matched.mean(axis=0) / K, latency_ms, strict=True):
        p50_ms, p99_ms = np.percentile(times, [50, 99])
        print(f"{name} {case.knob} {rung}: recall {recall:.4f}, p50 {p50_ms:.3f} ms, p99 {p99_ms:.3f} ms")
    gateway.collections.drop(COLLECTION)


def make_vectors(*, noise: float, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Rows and queries of one mixture: 100 clusters of unequal size, 16 directions of each, and noise in all 128."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(100, 0.5))
    centres = rng.normal(size=(100, DIM)) * 0.35
    directions = rng.normal(size=(100, 16, DIM)) / 4.0
    labels = rng.choice(100, size=ROW_COUNT + QUERY_COUNT, p=shares)
    spread = rng.normal(size=(len(labels), 16)) * rng.lognormal(0.0, 0.4, size=(len(labels), 1))
    vectors = noise * rng.normal(size=(len(labels), DIM))
    for label in range(100):
        mine = labels == label
        vectors[mine] += centres[label] + spread[mine] @ directions[label]
    vectors = vectors.astype(np.float32)
    return vectors[:ROW_COUNT], vectors[ROW_COUNT:]


def find_true_ids(
    rows: npt.NDArray[np.float32], queries: npt.NDArray[np.float32], *, metric: Metric
) -> npt.NDArray[np.int64]:
    """(nq, K) ids of the true nearest rows; continuous data have no ties."""
    import faiss

    if metric is Metric.COSINE:
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    kind = faiss.METRIC_L2 if metric is Metric.L2 else faiss.METRIC_INNER_PRODUCT
    ids: npt.NDArray[np.int64] = faiss.knn(queries, rows, K, metric=kind)[1]
    return ids


def build(gateway: Gateway, case: CurveCase, rows: npt.NDArray[np.float32]) -> None:
    """One collection with one index, loaded."""
    fields = (
        FieldSpec(name="id", data_type=DataType.INT64, is_primary=True),
        FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=DIM),
    )
    gateway.collections.drop(COLLECTION)
    gateway.collections.create(CollectionSpec(name=COLLECTION, fields=fields))
    gateway.rows.insert(COLLECTION, {"id": np.arange(len(rows)), "vector": rows})
    gateway.collections.flush(COLLECTION)
    spec = IndexSpec(field_name="vector", index_type=case.index_type, metric=case.metric, params=case.build)
    gateway.indexes.build(COLLECTION, spec)
    gateway.collections.load(COLLECTION)
    gateway.collections.settle(COLLECTION)


def count_matches(
    gateway: Gateway, queries: npt.NDArray[np.float32], true_ids: npt.NDArray[np.int64], *, params: Mapping[str, int]
) -> tuple[npt.NDArray[np.uint8], float]:
    """How many of the K true neighbours each query found, and microseconds of a query in a batch (median batch)."""
    found, latencies_ms = [], []
    for begin in range(0, len(queries), BATCH_ROWS):
        hits = gateway.search(COLLECTION, queries[begin : begin + BATCH_ROWS], limit=K, params=params, timeout_s=120)
        found.append(hits.id_table(k=K))
        latencies_ms.append(hits.latency_ms)
    matches = (np.concatenate(found)[:, :, None] == true_ids[:, None, :]).any(axis=2).sum(axis=1)
    return matches.astype(np.uint8), float(np.median(latencies_ms)) * 1000 / BATCH_ROWS


def time_searches(
    gateway: Gateway, queries: npt.NDArray[np.float32], ladder: Sequence[Mapping[str, int]]
) -> npt.NDArray[np.float32]:
    """(rungs, searches) milliseconds of single searches, one at a time; the first round warms up and is not kept."""
    rng = np.random.default_rng(0)
    kept: list[list[float]] = [[] for _ in ladder]
    for round_number in range(ROUND_COUNT + 1):
        rows = rng.choice(len(queries), size=ROUND_QUERIES, replace=False)
        for rung in rng.permutation(len(ladder)):
            times = [
                gateway.search(COLLECTION, queries[row], limit=K, params=ladder[rung], timeout_s=60).latency_ms
                for row in rows
            ]
            if round_number:
                kept[rung] += times
    return np.array(kept, dtype=np.float32)


def write_curve(path: Path, *, about: Mapping[str, Any], **arrays: npt.NDArray[Any]) -> None:
    """Writes the file, the same bytes for the same content."""
    arrays["about"] = np.array(json.dumps(about))
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), buffer.getvalue(), zipfile.ZIP_LZMA)


if __name__ == "__main__":
    main()
