"""A comparison with known numbers."""

from pathlib import Path

from milvuslab.tune.comparison import Comparison, CurvePoint, IndexResult, PlannedIndex

QUESTION = {
    "data_name": "clustered-1000x8",
    "data_checksum": "ab" * 32,
    "row_count": 1_000,
    "dim": 8,
    "metric": "L2",
    "k": 10,
    "recall_target": 0.95,
    "confidence": 0.98,
    "in_flight": 8,
}
MANIFEST = {"cpu_model": "Chip <1>", "cpu_count": 2, "memory_bytes": 24e9, "measured_at": "2026-01-01", "servers": {}}


def point(recall, qps, *, p99=2.0, is_chosen=False, **params):
    return CurvePoint(
        params=params, recall=recall, query_count=1_000, latency_ms_p50=1.0, latency_ms_p95=1.5, latency_ms_p99=p99,
        search_count=500, qps=qps, error_ratio=0.0, is_chosen=is_chosen,
    )  # fmt: skip


HNSW = IndexResult(
    index_type="HNSW",
    server="standalone",
    server_version="v2.3.5",
    state="tuned",
    build_params={"M": 16, "efConstruction": 200},
    recall_lower=0.951,
    curve=(point(0.90, 900, ef=10), point(0.96, 800, is_chosen=True, ef=24), point(0.99, 500, ef=96)),
    build_s=1.5,
    load_s=0.5,
    memory_bytes=5_000_000,
    memory_bytes_estimate=4_000_000,
    disk_bytes=4_100_000,
    disk_bytes_estimate=4_000_000,
    tuning_search_count=1_200,
    wall_s=20.0,
)
IVF = IndexResult(
    index_type="IVF_FLAT",
    server="standalone",
    server_version="v2.3.5",
    state="tuned",
    build_params={"nlist": 32},
    recall_lower=0.95,
    curve=(point(0.955, 600, p99=3.0, is_chosen=True, nprobe=4), point(1.0, 300, p99=None, nprobe=32)),
    build_s=0.5,
    memory_bytes_estimate=3_000_000,
    disk_bytes_estimate=3_000_000,
)
PQ = IndexResult(
    index_type="IVF_PQ", server="standalone", state="not_reached", detail="IVF_PQ <m=4> reaches 0.8 in 500 queries",
    build_params={"nlist": 32, "m": 4}, curve=(point(0.8, 1_000, nprobe=32),), memory_bytes_estimate=1_000_000,
)  # fmt: skip
ANNOY = IndexResult(index_type="ANNOY", server="milvus-2-2", state="failed", detail="it broke")


def sample(*results, folder=Path("nowhere"), **changes):
    """A comparison of those results."""
    planned = tuple(PlannedIndex(index_type=one.index_type, server=one.server) for one in results)
    values = {**QUESTION, "manifest": MANIFEST, "wall_s": 42.0, "is_complete": True, **changes}
    return Comparison(folder=folder, planned=planned, results=results, **values)
