"""`milvuslab server`: the servers of this machine, and remote ones, by name."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from milvuslab.cli.command import Door, command, group
from milvuslab.cli.output import format_bytes, format_duration, table
from milvuslab.model.errors import UsageError

if TYPE_CHECKING:
    from milvuslab.runtime import ServerStatus

__all__ = ["app"]

app = group(
    "server", help_text="Install, start, stop and look at servers. Each has a name, a profile and its own data."
)

_Name = Annotated[str, typer.Argument(metavar="[NAME]", help="Name of the server; default: the one commands use.")]
_NewName = Annotated[str, typer.Argument(metavar="NAME", help="A name: a-z, 0-9 and '-', beginning with a letter.")]


@command(
    app,
    "install",
    examples=[
        "milvuslab server install",
        "milvuslab server install --version 2.2.16",
        "milvuslab server install --repair",
    ],
)
def install(
    door: Door,
    *,
    version: Annotated[str, typer.Option("--version", help="Milvus version; default: the best for this machine.")] = "",
    is_repair: Annotated[bool, typer.Option("--repair", help="Unpack a damaged installation anew.")] = False,
) -> None:
    """Fetch and unpack a Milvus build, every file checked. Starting a server does this by itself."""
    from milvuslab.ops.servers import install as install_build

    with door.watch() as observer:
        done = install_build(door.workspace, version=version, is_repair=is_repair, observer=observer)
    door.show(
        {"version": done.build.version, "path": str(done.path)},
        [f"Milvus {done.build.version} is in {done.path}"],
    )


@command(
    app,
    "add",
    examples=[
        "milvuslab server add annoy --kind standalone --version 2.2.16",
        "milvuslab server add scratch --kind lite",
        "milvuslab server add prod --uri https://milvus.example.com:19530 --token-file token.txt",
    ],
)
def add(
    door: Door,
    *,
    name: _NewName,
    kind: Annotated[str, typer.Option("--kind", help="lite, standalone or remote; --uri means remote.")] = "",
    version: Annotated[str, typer.Option("--version", help="Milvus version of a standalone.")] = "",
    uri: Annotated[str, typer.Option("--uri", help="Address of a remote server: https://HOST:PORT.")] = "",
    token_file: Annotated[
        str, typer.Option("--token-file", help="File that holds the token or user:password.", metavar="FILE")
    ] = "",
    ca_file: Annotated[
        str, typer.Option("--ca-file", help="Certificate authority of the server.", metavar="FILE")
    ] = "",
    tls_name: Annotated[
        str, typer.Option("--tls-name", help="Name in the server's certificate where it is not the host.")
    ] = "",
    client_cert_file: Annotated[
        str, typer.Option("--client-cert-file", help="Our certificate, for mutual TLS.", metavar="FILE")
    ] = "",
    client_key_file: Annotated[str, typer.Option("--client-key-file", help="Its key.", metavar="FILE")] = "",
) -> None:
    """Give a server a name. Ports and folders are chosen now and kept; nothing is started."""
    from milvuslab.ops.servers import RemoteAddress, add_server

    remote = None
    if uri:
        remote = RemoteAddress(
            uri=uri,
            token_path=_absolute(token_file),
            ca_pem_path=_absolute(ca_file),
            tls_name=tls_name,
            client_pem_path=_absolute(client_cert_file),
            client_key_path=_absolute(client_key_file),
        )
    elif token_file or ca_file or tls_name or client_cert_file or client_key_file:
        raise UsageError("token and certificates belong to a remote server", hint="name it: --uri https://HOST:PORT")
    report = add_server(door.workspace, name, kind=kind, version=version, remote=remote)
    door.show(
        report.as_dict(), [f"added {report.name}: {report.kind} {report.version} at {report.uri}".replace("  ", " ")]
    )


@command(app, "remove", examples=["milvuslab server remove scratch --yes"])
def remove(
    door: Door,
    *,
    name: _NewName,
    is_sure: Annotated[bool, typer.Option("--yes", help="Remove its data without asking.")] = False,
) -> None:
    """Remove a stopped server with its profile and all its data. There is no way back."""
    from milvuslab.ops.servers import remove_server

    freed_bytes = remove_server(door.workspace, name, is_sure=is_sure)
    door.show({"name": name, "freed_bytes": freed_bytes}, [f"removed {name}, {format_bytes(freed_bytes)}"])


@command(app, "list", examples=["milvuslab server list", "milvuslab server list --json"])
def list_servers(door: Door) -> None:
    """List all servers with their state."""
    from milvuslab.ops.servers import list_servers as collect

    reports = collect(door.workspace)
    rows = [[one.name, str(one.kind), one.version, one.state, one.uri] for one in reports]
    door.show(
        {"servers": [one.as_dict() for one in reports]},
        table(["name", "kind", "version", "state", "address"], rows, empty="no server yet: milvuslab up"),
    )


@command(app, "start", examples=["milvuslab server start", "milvuslab server start milvus-2-2"])
def start(door: Door, *, name: _Name = "") -> None:
    """Start a server and wait until it answers a search. The usual names are made at their first start."""
    from milvuslab.ops.servers import start as start_server

    with door.watch() as observer:
        report = start_server(door.workspace, door.workspace.server_name(name), observer)
    door.show(report.as_dict(), _lines(report))


@command(app, "stop", examples=["milvuslab server stop", "milvuslab server stop lite"])
def stop(door: Door, *, name: _Name = "") -> None:
    """Stop a server; its data is kept."""
    from milvuslab.ops.servers import stop as stop_server

    name = door.workspace.server_name(name)
    with door.watch() as observer:
        report = stop_server(door.workspace, name, observer)
    said = f"stopped {name} in {report.duration_s:.1f} s" if report.was_running else f"{name} was not running"
    door.show({"name": name, **_stop_dict(report)}, [said])


@command(app, "restart", examples=["milvuslab server restart standalone"])
def restart(door: Door, *, name: _Name = "") -> None:
    """Stop a server and start it again."""
    from milvuslab.ops.servers import start as start_server
    from milvuslab.ops.servers import stop as stop_server

    name = door.workspace.server_name(name)
    with door.watch() as observer:
        stop_server(door.workspace, name, observer)
        report = start_server(door.workspace, name, observer)
    door.show(report.as_dict(), _lines(report))


@command(app, "status", examples=["milvuslab server status", "milvuslab server status lite --json"])
def status(door: Door, *, name: _Name = "") -> None:
    """Show the state of one server: process, ports, memory, disk."""
    from milvuslab.ops.servers import report_server

    report = report_server(door.workspace, door.workspace.server_name(name))
    door.show(report.as_dict(), _lines(report))


@command(app, "logs", examples=["milvuslab server logs", "milvuslab server logs lite --lines 200"])
def logs(
    door: Door,
    *,
    name: _Name = "",
    line_count: Annotated[int, typer.Option("--lines", "-n", help="How many lines.", min=1, max=100_000)] = 40,
) -> None:
    """Print the last lines of a server's log."""
    from milvuslab.ops.servers import read_server_log

    name = door.workspace.server_name(name)
    lines = read_server_log(door.workspace, name, line_count=line_count)
    if not lines:
        print(f"{name} has written no log", file=sys.stderr)
    door.show({"name": name, "lines": list(lines)}, lines)


@command(
    app, "config", examples=["milvuslab server config standalone", "milvuslab server config standalone --renew-ports"]
)
def config(
    door: Door,
    *,
    name: _Name = "",
    is_renewal: Annotated[bool, typer.Option("--renew-ports", help="Choose other ports for a stopped server.")] = False,
) -> None:
    """Print a server's profile and where its configuration and data lie. Secrets are masked."""
    from milvuslab.ops.servers import describe_profile, renew_ports

    name = door.workspace.server_name(name)
    if is_renewal:
        renew_ports(door.workspace, name)
    values = describe_profile(door.workspace, name)
    door.show(values, [f"{key}: {value}" for key, value in values.items() if value not in ("", None, {})])


def _lines(report: ServerStatus) -> list[str]:
    lines = [
        f"{report.name}: {report.kind} {report.version}, {report.state}".replace(" ,", ","),
        f"address: {report.uri}",
    ]
    if report.pid:
        about = f"{report.pid}, {format_bytes(report.rss_bytes)}, up {format_duration(report.uptime_s)}"
        lines.append(f"process: {about}")
    if report.ports:
        lines.append("ports: " + ", ".join(f"{purpose} {port}" for purpose, port in report.ports.items()))
    if report.data_size_bytes:
        lines.append(f"data: {format_bytes(report.data_size_bytes)} in {report.folder}")
    return lines


def _stop_dict(report: object) -> dict[str, object]:
    import dataclasses

    return dataclasses.asdict(report)  # type: ignore[call-overload, no-any-return]


def _absolute(path: str) -> str:
    return str(Path(path).absolute()) if path else ""
