"""`milvuslab bench scale`: the largest set this machine holds, from nothing to a report."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.output import format_bytes, format_duration, table
from milvuslab.model.errors import UsageError

if TYPE_CHECKING:
    from milvuslab.bench.scale.case import ScaleCase
    from milvuslab.bench.scale.prediction import Prediction
    from milvuslab.bench.scale.run import ScaleOutcome
    from milvuslab.journal.job import JobWriter
    from milvuslab.model.progress import Observer

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    command(
        app,
        "scale",
        examples=[
            "milvuslab bench scale --rows 10000000 --dim 128",
            "milvuslab bench scale --rows 100000000 --predict",
            "milvuslab bench scale --rows 1000000 --drop --json",
        ],
    )(_scale)


def _scale(
    door: Door,
    *,
    row_count: Annotated[int, typer.Option("--rows", help="Rows of the set.", min=1)] = 10_000_000,
    dim: Annotated[int, typer.Option("--dim", help="Numbers of a vector.", min=2)] = 128,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the data.", min=0)] = 7,
    query_count: Annotated[int, typer.Option("--queries", help="Queries.", min=100, max=100_000)] = 1_000,
    index_type: Annotated[
        str, typer.Option("--index", help="IVF_FLAT, or IVF_SQ8 with a quarter of the memory and less recall.")
    ] = "IVF_FLAT",
    recall: Annotated[float, typer.Option("--recall", help="recall@10 that the searches must reach.")] = 0.98,
    rate_per_s: Annotated[float, typer.Option("--rate", help="Searches a second of the open loop.", min=0.1)] = 50.0,
    duration_s: Annotated[float, typer.Option("--duration", help="Seconds of the open loop.", min=1)] = 60.0,
    part_limit_rows: Annotated[
        int, typer.Option("--part-rows", help="Most rows of one file and segment; 0: what 1.4 GB hold.", min=0)
    ] = 0,
    output: Annotated[str, typer.Option("--output", help="Folder of the result file.", metavar="FOLDER")] = "",
    is_restart: Annotated[bool, typer.Option("--restart", help="Begin anew instead of going on.")] = False,
    is_prediction: Annotated[
        bool, typer.Option("--predict", help="Only say what it takes, and whether it fits here.")
    ] = False,
    is_dropped: Annotated[
        bool, typer.Option("--drop/--keep", help="Remove the server with its data at the end, or keep it.")
    ] = False,
) -> None:
    """Generate, bulk-load, index, load and measure as many rows as asked, in bounded memory.

    Says first what it takes in memory, disk and time, and refuses what does not fit. A run that was stopped or killed
    goes on when the same command is given again. A server of its own, called scale unless --server names it, keeps
    each file as one segment, so that each index is built once.
    """
    from milvuslab.bench.scale.case import ScaleCase
    from milvuslab.bench.scale.prediction import predict
    from milvuslab.ops.host import read_host

    case = ScaleCase(
        row_count=row_count, dim=dim, seed=seed, query_count=query_count, index_type=index_type, core_count=read_host().core_count,
        part_limit_rows=part_limit_rows or None, recall_target=recall, rate_per_s=rate_per_s, duration_s=duration_s,
    )  # fmt: skip
    prediction = predict(case)
    _check(door, case, prediction)
    if is_prediction:
        door.show({"case": case.as_dict(), "prediction": prediction.as_dict()}, _prediction_lines(case, prediction))
        return
    _announce(door, case, prediction)
    with door.watch() as observer:
        outcome, path = _run(
            door, case, output=Path(output).absolute() if output else None, is_restart=is_restart,
            is_dropped=is_dropped, observer=observer,
        )  # fmt: skip
    from milvuslab.bench.scale.report import compute_scale_metrics

    value = {
        "result": str(path),
        "metrics": compute_scale_metrics(outcome),
        "prediction": prediction.as_dict(),
        "params": outcome.measured.params,
        "run_count": outcome.state.run_count,
    }
    door.show(value, _outcome_lines(outcome, path))


def _check(door: Door, case: ScaleCase, prediction: Prediction) -> None:
    """Refuses what does not fit, before anything is made; what an interrupted run has already counts as there."""
    import shutil

    from milvuslab.bench.scale.prediction import check_fits
    from milvuslab.ops.host import find_existing_parent, read_host
    from milvuslab.runtime.disk import measure_folder

    settings = door.workspace.settings
    free_bytes = shutil.disk_usage(find_existing_parent(settings.home_dir)).free
    used_bytes = 0
    if _job_state(door, case) in ("interrupted", "failed", "running"):
        used_bytes = measure_folder(settings.home_dir / "servers" / _server_name(door))
    check_fits(
        prediction, disk_free_bytes=free_bytes, memory_free_bytes=read_host().memory_free_bytes,
        disk_used_bytes=used_bytes,
    )  # fmt: skip


def _run(
    door: Door, case: ScaleCase, *, output: Path | None, is_restart: bool, is_dropped: bool, observer: Observer
) -> tuple[ScaleOutcome, Path]:
    from milvuslab.bench.scale.report import write_scale_result
    from milvuslab.bench.scale.run import run_scale
    from milvuslab.bench.scale.server import open_server, withdraw_server
    from milvuslab.gateway import RetryPolicy, connect

    settings = door.workspace.settings
    folder = settings.home_dir / "scale" / case.name
    patient = RetryPolicy(attempt_count=settings.retry_count + 1, total_s=settings.retry_deadline_s)
    with _job(door, case, is_restart=is_restart) as job:
        began_s = time.monotonic()
        server = open_server(settings, name=_server_name(door), core_count=case.core_count, observer=observer)
        started_s = time.monotonic() - began_s
        with connect(server.endpoint, call_timeout_s=max(30.0, settings.call_timeout_s), retry=patient) as gateway:
            outcome = run_scale(
                case, server=server, gateway=gateway, job=job, folder=folder, started_s=started_s, observer=observer
            )
            path = write_scale_result(outcome, gateway=gateway, server=server, folder=output or folder)
        if is_dropped:
            withdraw_server(server, settings=settings, observer=observer)
    return outcome, path


@contextlib.contextmanager
def _job(door: Door, case: ScaleCase, *, is_restart: bool) -> Iterator[JobWriter]:
    """The job of the case, ended however the block ends."""
    from milvuslab.journal.job import JobWriter

    home_dir = door.workspace.settings.home_dir
    job = JobWriter(home_dir / "jobs", _job_id(case), title=f"scale run of {case.row_count:,} x {case.dim}")
    try:
        if is_restart:
            job.restart()
        yield job
    except BaseException as error:
        job.fail(str(error) or type(error).__name__, is_interrupt=isinstance(error, KeyboardInterrupt))
        raise
    job.finish(report=job.job.report)


def _server_name(door: Door) -> str:
    from milvuslab.bench.scale.server import SERVER_NAME
    from milvuslab.runtime import list_profiles

    if "server" not in door.flags:
        return SERVER_NAME
    name = door.flags["server"]
    if name in ("standalone", "lite"):
        known = [profile.name for profile in list_profiles(door.workspace.settings.home_dir)]
        raise UsageError(
            f"a scale run does not use server {name}: it needs segments of its own size",
            hint=f"leave out --server, or name a new one; there are {', '.join(known) or 'none yet'}",
        )
    return name


def _job_id(case: ScaleCase) -> str:
    return case.name.replace("_", "-")


def _job_state(door: Door, case: ScaleCase) -> str:
    from milvuslab.journal.job import read_job

    job = read_job(door.workspace.settings.home_dir / "jobs", _job_id(case))
    return job.state if job else ""


def _announce(door: Door, case: ScaleCase, prediction: Prediction) -> None:
    import sys

    if not door.is_json:
        for line in _prediction_lines(case, prediction):
            print(line, file=sys.stderr)


def _prediction_lines(case: ScaleCase, prediction: Prediction) -> list[str]:
    parts = f"{case.part_count} parts of {case.part_rows:,} rows"
    disk = f"{format_bytes(prediction.disk_peak_bytes)} of disk ({format_bytes(prediction.disk_bytes)} stay)"
    duration = f"about {format_duration(prediction.total_s)} on a quiet machine of {case.core_count} cores"
    return [
        f"{case.row_count:,} x {case.dim} in {parts}, {case.index_type} with {case.list_count:,} lists",
        f"takes {disk}, {format_bytes(prediction.memory_bytes)} of memory, {duration}",
    ]


def _outcome_lines(outcome: ScaleOutcome, path: Path) -> Iterable[str]:
    from milvuslab.bench.scale.report import describe_outcome

    rows = [
        [name, _shown(value, unit), _shown(said, unit) if said is not None else "", _off(value, said)]
        for name, value, said, unit in describe_outcome(outcome)
    ]
    ladder = ", ".join(f"{one['nprobe']}: {one['recall']:.4f}" for one in outcome.measured.ladder)
    return [
        *table(["figure", "measured", "predicted", "off"], rows),
        "",
        f"recall by nprobe: {ladder}",
        f"result: {path}",
    ]


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    if unit == "bytes":
        return format_bytes(value)
    if unit == "s":
        return format_duration(value)
    if unit in ("rows/s", ""):
        return f"{value:,.0f} {unit}".rstrip() if value > 1 or value == int(value) else f"{value:.4f}"
    return f"{value:.1f} {unit}"


def _off(value: float | None, said: float | None) -> str:
    return f"{value / said - 1:+.0%}".replace("%", " %") if value and said else ""
