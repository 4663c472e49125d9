"""`milvuslab cluster`: a distributed Milvus on this machine, role by role."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, command, group
from milvuslab.cli.output import format_bytes, format_duration, table

if TYPE_CHECKING:
    from milvuslab.runtime.cluster import ClusterStatus, RoleStatus

__all__ = ["app"]

app = group(
    "cluster",
    help_text="A distributed Milvus on this machine: proxies, coordinators, nodes, etcd, Kafka and storage as processes "
    "of their own, without Docker.",
)

_DEFAULT = "cluster"
_Name = Annotated[str, typer.Argument(metavar="[NAME]", help="Name of the cluster; default: cluster.")]
_Role = Annotated[str, typer.Argument(metavar="ROLE", help="A role, query-node, or one of it, query-node-2.")]


@command(
    app,
    "up",
    examples=["milvuslab cluster up", "milvuslab cluster up big --file cluster.toml", "milvuslab cluster up --json"],
)
def up(
    door: Door,
    *,
    name: _Name = _DEFAULT,
    file: Annotated[
        str,
        typer.Option("--file", help="What a new cluster consists of: TOML, see docs/howto/cluster.md.", metavar="FILE"),
    ] = "",
) -> None:
    """Start a cluster, make it first where there is none, and wait until each proxy answers a search."""
    from milvuslab.ops.clusters import bring_up

    with door.watch() as observer:
        report = bring_up(door.workspace, name, file=Path(file).absolute() if file else None, observer=observer)
    door.show(report.as_dict(), _lines(report))


@command(app, "down", examples=["milvuslab cluster down", "milvuslab cluster down big"])
def down(door: Door, *, name: _Name = _DEFAULT) -> None:
    """Stop every process of a cluster; its data is kept."""
    from milvuslab.ops.clusters import bring_down

    with door.watch() as observer:
        report = bring_down(door.workspace, name, observer=observer)
    said = f"stopped {name} in {report.duration_s:.1f} s" if report.was_running else f"{name} was not running"
    door.show({"name": name, **dataclasses.asdict(report)}, [said])


@command(app, "status", examples=["milvuslab cluster status", "milvuslab cluster status --json"])
def status(door: Door, *, name: _Name = _DEFAULT) -> None:
    """Show every process of a cluster and which coordinators lead; asks each proxy for a search."""
    from milvuslab.ops.clusters import report as collect

    report = collect(door.workspace, name)
    door.show(report.as_dict(), _lines(report))


@command(app, "top", examples=["milvuslab cluster top", "milvuslab cluster top --seconds 10"])
def top(
    door: Door,
    *,
    name: _Name = _DEFAULT,
    watch_s: Annotated[float, typer.Option("--seconds", help="How long to watch.", min=0.1, max=600)] = 2.0,
) -> None:
    """Show the memory and the processor time of every process, the busiest first."""
    from milvuslab.ops.clusters import report as collect

    report = collect(door.workspace, name, watch_s=watch_s)
    roles = sorted(report.roles, key=lambda role: -(role.cpu_cores or 0.0))
    rows = [[one.instance, str(one.pid or ""), format_bytes(one.rss_bytes), _cores(one)] for one in roles]
    door.show(
        report.as_dict(),
        [*table(["process", "pid", "memory", "cores"], rows), f"together: {format_bytes(report.rss_bytes)}"],
    )


@command(app, "add", examples=["milvuslab cluster add query-node", "milvuslab cluster add proxy big"])
def add(door: Door, *, role: _Role, name: _Name = _DEFAULT) -> None:
    """Add one process of a role to a cluster that serves."""
    from milvuslab.ops.clusters import add_role

    with door.watch() as observer:
        instance = add_role(door.workspace, name, role, observer=observer)
    door.show({"name": name, "instance": instance}, [f"added {instance} to {name}"])


@command(app, "remove", examples=["milvuslab cluster remove query-node", "milvuslab cluster remove query-node-3 big"])
def remove(door: Door, *, role: _Role, name: _Name = _DEFAULT) -> None:
    """Take one process of a role out of a cluster; it hands over what it serves first."""
    from milvuslab.ops.clusters import remove_role

    with door.watch() as observer:
        instance = remove_role(door.workspace, name, role, observer=observer)
    door.show({"name": name, "instance": instance}, [f"removed {instance} from {name}"])


@command(
    app,
    "restart",
    examples=[
        "milvuslab cluster restart all",
        "milvuslab cluster restart query-node",
        "milvuslab cluster restart etcd-1",
    ],
)
def restart(
    door: Door,
    *,
    role: Annotated[
        str, typer.Argument(metavar="ROLE", help="A role, one of it, or all: every role of Milvus itself.")
    ],
    name: _Name = _DEFAULT,
) -> None:
    """Restart processes one after the other, each when the one before serves again."""
    from milvuslab.ops.clusters import restart_roles

    with door.watch() as observer:
        done = restart_roles(door.workspace, name, role, observer=observer)
    door.show({"name": name, "restarted": done}, [f"restarted {', '.join(done)}"])


@command(app, "logs", examples=["milvuslab cluster logs query-node-1", "milvuslab cluster logs kafka --lines 100"])
def logs(
    door: Door,
    *,
    role: _Role,
    name: _Name = _DEFAULT,
    line_count: Annotated[int, typer.Option("--lines", "-n", help="How many lines of each.", min=1, max=100_000)] = 40,
) -> None:
    """Print the last lines of the log of a process, or of all processes of a role."""
    from milvuslab.ops.clusters import read_role_log

    found = read_role_log(door.workspace, name, role, line_count=line_count)
    if not any(found.values()):
        print(f"{role} has written no log", file=sys.stderr)
    lines = [line for one, own in found.items() for line in ([f"== {one}"] if len(found) > 1 else []) + list(own)]
    door.show({"name": name, "logs": {one: list(own) for one, own in found.items()}}, lines)


def _lines(report: ClusterStatus) -> list[str]:
    rows = [
        [
            one.instance,
            _state(one),
            str(one.port),
            str(one.pid or ""),
            format_bytes(one.rss_bytes),
            format_duration(one.uptime_s),
        ]
        for one in report.roles
    ]
    silent = [uri for uri in report.uris if uri not in report.answering]
    return [
        f"{report.name}: Milvus {report.version}, {report.state}, {report.storage} storage",
        f"addresses: {', '.join(report.uris)}" + (f" (silent: {', '.join(silent)})" if silent else ""),
        f"memory: {format_bytes(report.rss_bytes)}, data: {format_bytes(report.data_size_bytes)} in {report.folder}",
        *table(["process", "state", "port", "pid", "memory", "up"], rows),
    ]


def _state(role: RoleStatus) -> str:
    if role.is_active is None or role.state != "running":
        return role.state
    return "leads" if role.is_active else "waits"


def _cores(role: RoleStatus) -> str:
    return "-" if role.cpu_cores is None else f"{role.cpu_cores:.2f}"
