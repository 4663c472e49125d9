"""`milvuslab bench indexes`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.output import format_bytes, format_duration, table

if TYPE_CHECKING:
    from milvuslab.data.vectors import VectorSet
    from milvuslab.model.metric import Metric
    from milvuslab.tune.comparison import Comparison, IndexResult

__all__ = ["comparison_lines", "register"]


def register(app: typer.Typer) -> None:
    """Adds the command to its noun."""
    command(
        app,
        "indexes",
        examples=[
            "milvuslab bench indexes",
            "milvuslab bench indexes --rows 20000 --dim 64 --types HNSW,IVF_FLAT,SCANN --recall 0.98",
            "milvuslab bench indexes --collection text_en --server standalone",
            "milvuslab bench indexes --data sift.hdf5 --servers standalone,lite --everywhere --folder runs/sift",
        ],
    )(_indexes)


def _indexes(
    door: Door,
    *,
    rows: Annotated[int, typer.Option("--rows", help="Rows of a synthetic set.", min=1_000, max=10_000_000)] = 50_000,
    dim: Annotated[int, typer.Option("--dim", help="Numbers of a synthetic vector.", min=2, max=32_768)] = 128,
    data: Annotated[
        str,
        typer.Option(
            "--data", help="Vectors of a file instead: .fvecs, .bvecs, .npy, .hdf5 or .parquet.", metavar="FILE"
        ),
    ] = "",
    collection: Annotated[
        str, typer.Option("--collection", help="Vectors of this collection of --server, on a copy.", metavar="NAME")
    ] = "",
    metric: Annotated[
        str, typer.Option("--metric", help="L2, IP, COSINE, HAMMING or JACCARD; default: the file's, else L2.")
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", help="Hits of a search, and depth of recall.", min=1, max=1_024)
    ] = 10,
    recall: Annotated[float, typer.Option("--recall", help="Recall that every type is tuned to.")] = 0.95,
    types: Annotated[
        str, typer.Option("--types", help="Index types, separated by commas; default: all that the servers build.")
    ] = "",
    servers: Annotated[
        str,
        typer.Option(
            "--servers",
            help="Servers, separated by commas, in the order in which types are looked for.",
            metavar="NAMES",
        ),
    ] = "",
    is_everywhere: Annotated[
        bool, typer.Option("--everywhere", help="Measure every type on every server that builds it.")
    ] = False,
    folder: Annotated[
        str,
        typer.Option("--folder", help="Takes the results; default: a new one below the home folder.", metavar="FOLDER"),
    ] = "",
    is_kept: Annotated[bool, typer.Option("--keep", help="Leave the collections on the servers.")] = False,
) -> None:
    """Compare index types on the same data, each tuned to the same recall: one table and one page.

    Starts the servers that it needs, one after the other, and stops those that it started. Given a --folder, the same
    command goes on where it was stopped.
    """
    from milvuslab.ops.comparing import list_sources
    from milvuslab.tune.comparison import CompareTask, compare_indexes, write_report

    vectors = _vectors(door, data=data, collection=collection, rows=rows, dim=dim)
    task = CompareTask(
        vectors=vectors,
        metric=_metric(metric, vectors),
        k=limit,
        recall_target=recall,
        types=_names(types),
        is_everywhere=is_everywhere,
    )
    with door.watch() as observer:
        sources = list_sources(door.workspace, _names(servers), observer=observer)
        found = compare_indexes(
            task,
            sources,
            folder=Path(folder) if folder else _choose_folder(door),
            cache_dir=door.workspace.settings.cache_dir,
            is_kept=is_kept,
            observer=observer,
        )
    page = write_report(found)
    door.show({**found.as_dict(), "page": str(page)}, [*comparison_lines(found), f"page: {page}"])


def comparison_lines(found: Comparison) -> Iterator[str]:
    """The table of results, the fastest first, and what was in the way of the others."""
    yield (
        f"{found.data_name}: {found.row_count:,} x {found.dim}, {found.metric}, recall@{found.k} >= {found.recall_target:g}"
    )
    head = ["type", "server", "set", "recall", "qps", "p50 ms", "p99 ms", "build s", "memory", "by formula", "disk"]
    others = [one for one in found.results if one.chosen is None]
    yield from table(head, [_cells(one) for one in found.tuned])
    for one in others:
        yield f"{one.label}: {one.state.replace('_', ' ')}: {one.detail}"
    yield f"took {format_duration(found.wall_s)}"


def _cells(one: IndexResult) -> list[object]:
    point = one.chosen
    assert point is not None
    return [
        one.index_type,
        one.server,
        " ".join(f"{name}={value}" for name, value in {**one.build_params, **point.params}.items()),
        f"{point.recall:.4f}",
        _number(point.qps, digits=0),
        _number(point.latency_ms_p50),
        _number(point.latency_ms_p99),
        _number(one.build_s, digits=1),
        format_bytes(one.memory_bytes),
        format_bytes(one.memory_bytes_estimate),
        format_bytes(one.disk_bytes),
    ]


def _number(value: float | None, *, digits: int = 2) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _vectors(door: Door, *, data: str, collection: str, rows: int, dim: int) -> VectorSet:
    from milvuslab.bench.stored import read_collection
    from milvuslab.data.vectors import make_clustered, open_vectors
    from milvuslab.model.errors import UsageError
    from milvuslab.tune.comparison import QUERY_COUNT

    if data and collection:
        raise UsageError("name either a file or a collection", hint="leave out --data or --collection")
    if collection:
        with door.workspace.connect() as gateway, door.watch() as observer:
            vectors, metric = read_collection(gateway, collection, query_count=QUERY_COUNT, observer=observer)
        return dataclasses.replace(vectors, metric=metric)
    if data:
        return open_vectors(data, query_count=QUERY_COUNT)
    return make_clustered(row_count=rows, dim=dim, query_count=QUERY_COUNT)


def _metric(name: str, vectors: VectorSet) -> Metric:
    from milvuslab.model.errors import UsageError, suggest
    from milvuslab.model.metric import Metric

    if not name:
        return vectors.metric or (Metric.HAMMING if vectors.is_binary else Metric.L2)
    try:
        return Metric(name.upper())
    except ValueError:
        raise UsageError(f"{name!r} is no metric", hint=suggest(name.upper(), [str(one) for one in Metric])) from None


def _choose_folder(door: Door) -> Path:
    moment = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    home_dir: Path = door.workspace.settings.home_dir
    return home_dir / "comparisons" / moment
