"""`milvuslab tune`: the index and its parameters for your data, by measurement."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.output import format_bytes, table
from milvuslab.model.errors import UsageError, suggest

if TYPE_CHECKING:
    from milvuslab.data.vectors import VectorSet
    from milvuslab.gateway import Gateway
    from milvuslab.model.metric import Metric
    from milvuslab.model.progress import Observer
    from milvuslab.tune.outcome import Objective, Outcome, TuneResult

__all__ = ["parse_size", "register"]

_SYNTHETIC = "synthetic"
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    command(
        app,
        "tune",
        examples=[
            "milvuslab tune --data synthetic --recall 0.95",
            "milvuslab tune --collection text_en --recall 0.97 --minimize memory --max-latency 20",
            "milvuslab tune --data vectors.npy --metric COSINE --max-memory 2GiB --json",
            "milvuslab tune --data sift.hdf5 --maximize qps --types HNSW,SCANN",
        ],
    )(_tune)


def _tune(
    door: Door,
    *,
    collection: Annotated[
        str, typer.Option("--collection", help="Tune for the vectors of this collection, on a copy.", metavar="NAME")
    ] = "",
    data: Annotated[
        str,
        typer.Option("--data", help="A vector file (.npy .fvecs .hdf5 .parquet), or synthetic.", metavar="FILE"),
    ] = "",
    field: Annotated[
        str, typer.Option("--field", help="Vector field of the collection, or column of a .parquet.", metavar="NAME")
    ] = "",
    recall: Annotated[float, typer.Option("--recall", help="Mean recall to show, between 0 and 1.")] = 0.95,
    minimize: Annotated[
        str,
        typer.Option(
            "--minimize", help="latency_ms_p50, latency_ms_p95, latency_ms_p99 (the default) or memory.", metavar="WHAT"
        ),
    ] = "",
    maximize: Annotated[str, typer.Option("--maximize", help="qps.", metavar="WHAT")] = "",
    max_memory: Annotated[
        str, typer.Option("--max-memory", help="Most memory of the loaded index: 2GiB, 500MB.", metavar="SIZE")
    ] = "",
    max_latency_ms: Annotated[
        float | None, typer.Option("--max-latency", help="Highest P99 of single searches in ms.", metavar="MS")
    ] = None,
    min_qps: Annotated[
        float | None, typer.Option("--min-qps", help="Fewest searches a second with 8 in flight.", metavar="RATE")
    ] = None,
    types: Annotated[
        str, typer.Option("--types", help="Index types, with commas; default: all of the server.", metavar="NAMES")
    ] = "",
    builds_per_type: Annotated[
        int, typer.Option("--builds-per-type", help="Most builds of one type.", min=1, max=3)
    ] = 2,
    metric_name: Annotated[
        str, typer.Option("--metric", help="Default: the collection's or the file's, else L2.", metavar="NAME")
    ] = "",
    k: Annotated[int, typer.Option("--limit", "-k", help="Hits of a search.", min=1, max=1_000)] = 10,
    query_count: Annotated[
        int, typer.Option("--queries", help="Most queries; more show smaller margins.", min=10, max=100_000)
    ] = 5_000,
    row_count: Annotated[int | None, typer.Option("--rows", help="Most rows; synthetic: 50,000.", min=100)] = None,
    dim: Annotated[int, typer.Option("--dim", help="Dimension of synthetic vectors.", min=2, max=32_768)] = 128,
    confidence: Annotated[
        float, typer.Option("--confidence", help="How surely the recall is above the target.")
    ] = 0.98,
    seed: Annotated[int, typer.Option("--seed", help="Of data and draws.", min=0)] = 7,
    is_kept: Annotated[bool, typer.Option("--keep", help="Leave the copy that was measured.")] = False,
    is_restart: Annotated[bool, typer.Option("--restart", help="Forget what earlier runs found out.")] = False,
) -> None:
    """Choose index and parameters for a recall target. Stopped, the same command goes on with the next build."""
    from milvuslab.ops.measuring import running_server, watch_server
    from milvuslab.tune.live import tune_vectors
    from milvuslab.tune.outcome import Budget

    objective = _objective(minimize, maximize)
    budget = Budget(
        memory_bytes=parse_size(max_memory) if max_memory else None, latency_ms_p99=max_latency_ms, qps=min_qps
    )
    asked_metric = _metric(metric_name)
    _check_source(collection, data)
    workspace = door.workspace
    job_dir = workspace.settings.home_dir / "tune"
    if is_restart:
        shutil.rmtree(job_dir, ignore_errors=True)
    name = workspace.server_name()
    with door.watch() as observer, running_server(workspace, name, observer), workspace.connect() as gateway:
        vectors, metric = _vectors(
            gateway, collection=collection, data=data, field=field, query_count=query_count, row_count=row_count,
            dim=dim, seed=seed, observer=observer,
        )  # fmt: skip
        result = tune_vectors(
            gateway, vectors, metric=asked_metric or metric, k=k, recall_target=recall, objective=objective,
            budget=budget, types=[one for one in types.replace(" ", "").split(",") if one],
            builds_per_type=builds_per_type, confidence=confidence, seed=seed,
            cache_dir=workspace.settings.cache_dir, job_dir=job_dir, watch=watch_server(workspace, name),
            is_kept=is_kept, observer=observer,
        )  # fmt: skip
    door.show(
        {"server": name, "data": vectors.name, "metric": str(asked_metric or metric), "k": k, **result.as_dict()},
        _lines(result),
    )


def parse_size(text: str) -> int:
    """Bytes of a size with a unit.

    Raises:
        UsageError: it is none.

    >>> parse_size("2GiB"), parse_size("1.5 GB"), parse_size("300")
    (2147483648, 1500000000, 300)
    """
    match = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?i?)b?\s*", text, flags=re.IGNORECASE)
    unit = _UNITS.get(match.group(2).lower()) if match else None
    if match is None or unit is None or float(match.group(1)) <= 0:
        raise UsageError(f"{text!r} is no size", hint="write it as 2GiB, 500MB or a number of bytes")
    return int(float(match.group(1)) * unit)


def _objective(minimize: str, maximize: str) -> Objective:
    from milvuslab.tune.outcome import Objective

    if minimize and maximize:
        raise UsageError("--minimize and --maximize exclude each other", hint="bound the other one: --max-memory, ...")
    word = maximize or minimize or "latency_ms_p99"
    names = {str(one): one for one in Objective} | {"memory": Objective.MEMORY_BYTES}
    valid = {name: one for name, one in names.items() if one.is_maximised is bool(maximize)}
    if word not in valid:
        option = "--maximize" if maximize else "--minimize"
        raise UsageError(f"{option} {word} is not possible", hint=suggest(word, valid))
    return valid[word]


def _metric(name: str) -> Metric | None:
    from milvuslab.model.metric import Metric

    try:
        return Metric(name.upper()) if name else None
    except ValueError:
        raise UsageError(f"--metric {name} is not known", hint=suggest(name.upper(), map(str, Metric))) from None


def _check_source(collection: str, data: str) -> None:
    if bool(collection) == bool(data):
        raise UsageError(
            "name either a collection or data to tune for", hint="milvuslab tune --data synthetic --recall 0.95"
        )


def _vectors(
    gateway: Gateway, *, collection: str, data: str, field: str, query_count: int, row_count: int | None, dim: int,
    seed: int, observer: Observer,
) -> tuple[VectorSet, Metric]:  # fmt: skip
    from milvuslab.bench.stored import read_collection
    from milvuslab.data.vectors import make_clustered, open_vectors
    from milvuslab.model.metric import Metric

    if collection:
        return read_collection(
            gateway, collection, field=field, query_count=query_count, row_limit=row_count or 1_000_000, seed=seed,
            observer=observer,
        )  # fmt: skip
    if data == _SYNTHETIC:
        vectors = make_clustered(
            row_count=row_count or 50_000, dim=dim, query_count=query_count, intrinsic_dim=min(16, dim), seed=seed
        )
    else:
        vectors = open_vectors(
            Path(data), query_count=query_count, row_limit=row_count, column=field or None, seed=seed
        )
    return vectors, vectors.metric or (Metric.HAMMING if vectors.is_binary else Metric.L2)


def _lines(result: TuneResult) -> Iterator[str]:
    head = ["", "index", "search", "recall", "at least", "P50 ms", "P99 ms", "searches/s", "memory", "state"]
    yield from table(head, [_row(trial, result) for trial in result.trials])
    yield ""
    yield result.explanation.text


def _row(trial: Outcome, result: TuneResult) -> list[object]:
    from milvuslab.tune.outcome import Objective
    from milvuslab.tune.space import describe_params

    latency = trial.latency
    size = trial.value(Objective.MEMORY_BYTES)
    mark = "*" if trial is result.chosen else "+" if trial in result.front else " "
    return [
        mark,
        trial.candidate.label,
        describe_params(trial.params or {}),
        f"{trial.recall:.4f}" if trial.recall is not None else "",
        f"{trial.recall_lower:.4f}" if trial.recall_lower is not None else "",
        f"{latency.p50_ms:.2f}" if latency else "",
        f"{latency.p99_ms:.2f}" if latency else "",
        f"{latency.qps:,.0f}" if latency and latency.qps is not None else "",
        format_bytes(size),
        trial.state.replace("_", " "),
    ]
