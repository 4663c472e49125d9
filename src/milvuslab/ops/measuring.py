"""A case on a server by name: started where it does not run, watched by its process, measured, stopped again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from milvuslab.model.progress import Observer, silent
from milvuslab.model.server import ServerKind
from milvuslab.ops.servers import connect_to, open_profile, report_server, start, stop

if TYPE_CHECKING:
    from milvuslab.bench.case import Case
    from milvuslab.bench.run_folder import RunFolder
    from milvuslab.bench.server_side import ServerWatch
    from milvuslab.ops.workspace import Workspace

__all__ = ["choose_folder", "choose_server", "run_on_server", "running_server", "runs_dir", "watch_server"]


def run_on_server(
    workspace: Workspace,
    case: Case,
    *,
    folder: Path | None = None,
    is_kept: bool = False,
    observer: Observer = silent,
) -> RunFolder:
    """The finished run of a case; see `bench.run.run_case` for what it raises.

    Args:
        workspace: gives the servers and folders.
        case: what to measure.
        folder: takes the records; None takes up an unfinished run of the same case, or makes a new folder.
        is_kept: whether the collection stays.
        observer: told about each phase.
    """
    from milvuslab.bench.run import run_case

    name = choose_server(workspace, case)
    with running_server(workspace, name, observer), connect_to(workspace, name) as gateway:
        return run_case(
            case,
            gateway=gateway,
            folder=folder or choose_folder(workspace, case),
            cache_dir=workspace.settings.cache_dir,
            watch=watch_server(workspace, name),
            is_kept=is_kept,
            observer=observer,
        )


def choose_server(workspace: Workspace, case: Case) -> str:
    """The server that a person named, else the case's, else the usual one."""
    is_named = workspace.settings.origins["server"] != "default"
    return workspace.server_name() if is_named or not case.server.profile else case.server.profile


def runs_dir(workspace: Workspace) -> Path:
    """Where runs lie that were given no folder."""
    home_dir: Path = workspace.settings.home_dir
    return home_dir / "bench"


def choose_folder(workspace: Workspace, case: Case) -> Path:
    """The folder of the newest unfinished run of the same case, else a new one named after case and time."""
    from milvuslab.bench.run_folder import list_runs

    for run in reversed(list_runs(runs_dir(workspace))):
        if not run.is_finished and run.case.digest == case.digest:
            return run.path
    moment = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    return runs_dir(workspace) / f"{case.name}-{moment}"


@contextlib.contextmanager
def running_server(workspace: Workspace, name: str, observer: Observer = silent) -> Iterator[None]:
    """The server runs in the block; one that we started for it is stopped again."""
    profile = open_profile(workspace, name)
    was_running = profile.kind is ServerKind.REMOTE or report_server(workspace, name).pid is not None
    start(workspace, name, observer)
    try:
        yield
    finally:
        if not was_running:
            stop(workspace, name, observer)


def watch_server(workspace: Workspace, name: str) -> ServerWatch:
    """Looks at the processes and metrics of a server of this machine; of a remote one it says why not."""
    from milvuslab.bench.server_side import ServerWatch

    profile = open_profile(workspace, name)
    if profile.kind is ServerKind.REMOTE:
        return ServerWatch(reason=f"server {name} is a remote one, its processes are not on this machine")
    status = report_server(workspace, name)
    port = profile.ports.get("metrics")
    metrics_uri = f"http://127.0.0.1:{port}/metrics" if port else ""
    return ServerWatch([status.pid] if status.pid else [], metrics_uri=metrics_uri)
