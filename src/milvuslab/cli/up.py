"""`milvuslab up`, `down` and `status`: all of it with one word."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from milvuslab.cli.command import Door, command
from milvuslab.cli.output import format_bytes, format_duration, shorten, table

if TYPE_CHECKING:
    from milvuslab.ops.up import DownReport, StatusReport, UpReport

__all__ = ["register"]

_Foreground = Annotated[
    bool, typer.Option("--foreground", help="Stay; Ctrl-C stops what this call started, and only that.")
]
_NoSamples = Annotated[bool, typer.Option("--no-samples", help="Load no sample documents.")]


def register(app: typer.Typer) -> None:
    """Puts the commands into the program."""
    command(app, "up", examples=["milvuslab up", "milvuslab up --foreground --no-samples"])(_up)
    command(app, "down", examples=["milvuslab down"])(_down)
    command(app, "status", examples=["milvuslab status", "milvuslab status --json"])(_status)


def _up(door: Door, *, is_foreground: _Foreground = False, is_bare: _NoSamples = False) -> None:
    """Start everything and print one address.

    That is: real Milvus, Milvus Lite and the studio, with the samples loading in the background. What runs already is
    left as it is; data is kept.
    """
    from milvuslab.ops.up import start_all, stop_started, watch_all

    with door.watch() as observer:
        report = start_all(door.workspace, has_samples=not is_bare, observer=observer)
    try:
        door.show(report.as_dict(), _up_lines(report))
        if is_foreground:
            sys.stdout.flush()
            watch_all(door.workspace, report, on_loss=_tell_loss)
    finally:
        if is_foreground:
            with door.watch() as observer:
                stop_started(door.workspace, report.started, observer=observer)


def _down(door: Door) -> None:
    """Stop everything of ours; data is kept.

    That is: the studio, the loader and every server of this machine, whoever started them.
    """
    from milvuslab.ops.up import stop_all

    with door.watch() as observer:
        report = stop_all(door.workspace, observer=observer)
    door.show(report.as_dict(), _down_lines(report))


def _status(door: Door) -> None:
    """Show address, servers, collections and jobs."""
    from milvuslab.ops.up import collect_status

    report = collect_status(door.workspace)
    door.show(report.as_dict(), _status_lines(report))


def _up_lines(report: UpReport) -> list[str]:
    lines = [f"{server.name}: Milvus {server.version} at {server.uri}, {server.state}" for server in report.servers]
    lines += [f"missing: {sentence}" for sentence in report.missing]
    began = [name for name in report.started if name != "loader"]
    lines.append(f"up after {report.duration_s:.1f} s" if began else "everything was up already")
    if "loader" in report.started:
        lines.append("samples load in the background; see: milvuslab status")
    return [*lines, *([report.url] if report.url else [])]


def _down_lines(report: DownReport) -> list[str]:
    if not report.stopped:
        return ["nothing was running"]
    lines = [f"stopped {', '.join(report.stopped)} in {report.duration_s:.1f} s; data is kept"]
    if report.killed:
        lines.append(f"{', '.join(report.killed)} had to be killed; what was acknowledged is safe")
    return lines


def _status_lines(report: StatusReport) -> list[str]:
    studio = report.studio
    if studio is None:
        lines = ["studio: down; start everything with: milvuslab up"]
    else:
        about = f"pid {studio.pid}, {format_bytes(studio.rss_bytes)}, up {format_duration(studio.uptime_s)}"
        lines = [studio.url, f"studio: {studio.state}, {about}"]
    return [*lines, "", *_server_lines(report), "", *_job_lines(report)]


def _server_lines(report: StatusReport) -> list[str]:
    rows = [
        [
            one.name,
            str(one.kind),
            one.version,
            one.state,
            one.uri,
            one.pid,
            format_bytes(one.rss_bytes),
            format_duration(one.uptime_s),
        ]
        for one in report.servers
    ]
    head = ["server", "kind", "version", "state", "address", "pid", "memory", "up"]
    lines = list(table(head, [[_plain(cell) for cell in row] for row in rows], empty="no server yet"))
    found = [[name, one.name, one.row_count] for name, summaries in report.collections.items() for one in summaries]
    if found:
        lines += ["", *table(["server", "collection", "rows"], found)]
    return [*lines, *(f"{name}: {problem}" for name, problem in report.problems.items())]


def _job_lines(report: StatusReport) -> list[str]:
    rows = [
        [shorten(job.title, 48), job.state, _share(job), _rate(job), shorten(job.failure, 40)] for job in report.jobs
    ]
    lines = list(table(["job", "state", "done", "rate", "failure"], rows, empty="no job yet"))
    if report.is_loading:
        last = report.loader_log[-1] if report.loader_log else "starting"
        lines.append(f"the samples are loading: {shorten(last, 80)}")
    elif any(line.startswith("error:") for line in report.loader_log):
        lines += ["loading the samples stopped:", *report.loader_log[-2:]]
    return lines


def _share(job: Any) -> str:
    done = f"{job.done_count:,}" if job.total_count is None else f"{job.done_count:,} of {job.total_count:,}"
    return f"{done} {job.unit}".strip()


def _rate(job: Any) -> str:
    return f"{job.rate_per_s:,.1f}/s" if job.state == "running" and job.rate_per_s else ""


def _plain(value: object) -> str:
    return "" if value in (None, 0) else str(value)


def _tell_loss(name: str) -> None:
    print(f"{name} has ended by itself; see: milvuslab server logs {name}", file=sys.stderr, flush=True)
