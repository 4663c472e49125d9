"""`milvuslab bench vectordbbench`: VectorDBBench and our closed loop on the same collection, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.output import table
from milvuslab.model.errors import UsageError, suggest

if TYPE_CHECKING:
    from milvuslab.bench.vectordbbench import SideBySide
    from milvuslab.model.metric import Metric

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(
        app,
        "vectordbbench",
        examples=[
            "milvuslab bench vectordbbench --server standalone",
            "milvuslab bench vectordbbench --rows 50000 --dim 128 --in-flight 8 --seconds 20 --repeats 3 --json",
            "milvuslab bench vectordbbench --data sift.hdf5 --metric L2 --ef 100",
        ],
    )(_run_beside)


def _run_beside(
    door: Door,
    *,
    row_count: Annotated[int, typer.Option("--rows", help="Rows of the collection.", min=1_000)] = 50_000,
    dim: Annotated[int, typer.Option("--dim", help="Numbers of a synthetic vector.", min=2)] = 128,
    data: Annotated[str, typer.Option("--data", help="Vectors of a file instead: hdf5, fvecs, npy, parquet.")] = "",
    metric: Annotated[str, typer.Option("--metric", help="L2, IP or COSINE.", metavar="NAME")] = "L2",
    in_flight: Annotated[int, typer.Option("--in-flight", help="Searches under way at a time.", min=1, max=256)] = 8,
    duration_s: Annotated[int, typer.Option("--seconds", help="Length of each timed loop.", min=1)] = 20,
    repeat_count: Annotated[int, typer.Option("--repeats", help="Runs of each side, in turn.", min=1, max=20)] = 3,
    k: Annotated[int, typer.Option("--k", help="Hits asked for.", min=1)] = 10,
    m: Annotated[int, typer.Option("--hnsw-m", help="HNSW: links of a node.", min=4, max=64)] = 16,
    ef_construction: Annotated[int, typer.Option("--ef-construction", help="HNSW: candidates, building.", min=8)] = 200,
    ef: Annotated[int, typer.Option("--ef", help="HNSW: candidates, searching.", min=1)] = 64,
    is_kept: Annotated[bool, typer.Option("--keep", help="Leave the collection VDBBench on the server.")] = False,
) -> None:
    """Run VectorDBBench 1.0.20 and our closed loop on one collection, in turn, and compare.

    The tool is installed once, into an environment of its own in the cache (about 1.2 GB); it fetches no data.
    """
    from milvuslab.bench.vectordbbench import COLLECTION, ToolCase, install_tool, run_side_by_side
    from milvuslab.data.vectors import make_clustered, open_vectors

    settings = door.workspace.settings
    vectors = (
        open_vectors(Path(data), row_limit=row_count)
        if data
        else make_clustered(row_count=row_count, dim=dim, query_count=1_000)
    )
    case = ToolCase(
        row_count=vectors.row_count, dim=vectors.dim, metric=_metric(metric), k=k, in_flight=in_flight,
        duration_s=duration_s, m=m, ef_construction=ef_construction, ef=ef,
    )  # fmt: skip
    folder = settings.home_dir / "bench" / f"vectordbbench-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}"
    with door.workspace.connect() as gateway, door.watch() as observer:
        tool = install_tool(cache_dir=settings.cache_dir, is_offline=settings.offline, observer=observer)
        found = run_side_by_side(
            gateway, tool, vectors, case, folder=folder, environment=door.workspace.environment,
            repeat_count=repeat_count, cache_dir=settings.cache_dir, observer=observer,
        )  # fmt: skip
        if not is_kept:
            gateway.collections.drop(COLLECTION)
    door.show({**found.as_dict(), "folder": str(folder)}, _lines(found, folder))


def _lines(found: SideBySide, folder: Path) -> Iterator[str]:
    from milvuslab.bench.vectordbbench import TOOL_LIMITS

    medians, case = found.compute_metrics(), found.case
    yield f"{case.row_count:,} x {case.dim}, {case.metric}, HNSW {case.m}/{case.ef_construction}, ef {case.ef}, k {case.k}"
    yield f"Milvus {found.server_version}, consistency {found.consistency}, {case.in_flight} in flight, closed loop"
    yield ""
    versions = f"VectorDBBench {found.tool_versions.get('vectordb-bench', '')}"
    rows = [
        ["answers a second", _text(medians["tool_qps"], 0), _text(medians["ours_qps"], 0)],
        ["  without its own start and end", _text(medians["tool_qps_inside"], 0), ""],
        ["latency p95, ms", _text(medians["tool_latency_ms_p95"], 1), _text(medians["ours_latency_ms_p95"], 1)],
        ["latency p99, ms", _text(medians["tool_latency_ms_p99"], 1), _text(medians["ours_latency_ms_p99"], 1)],
        ["recall by id", _text(medians["tool_recall"], 4), _text(medians["ours_recall"], 4)],
    ]
    yield from table([f"median of {len(found.ours)}", versions, "milvuslab"], rows)
    yield ""
    ratios = f"{medians['qps_ratio_min']:.2f} to {medians['qps_ratio_max']:.2f}"
    yield f"milvuslab got {medians['qps_ratio_median']:.2f} times the answers ({ratios}) from the same server"
    yield f"each run of the tool, with its log: {folder}"
    yield ""
    yield "What the tool's numbers are, and are not:"
    yield from (f"- {limit}" for limit in TOOL_LIMITS)


def _metric(name: str) -> Metric:
    from milvuslab.model.metric import Metric

    try:
        return Metric(name.upper())
    except ValueError:
        raise UsageError(f"there is no metric {name}", hint=suggest(name.upper(), ["L2", "IP", "COSINE"])) from None


def _text(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"
