"""The two programs that `up` starts beside the servers: the studio, and the loader of the samples.

Both are doors of their own: they get their settings through the environment and are never imported here.
"""

from __future__ import annotations

import dataclasses
import http.client
import shutil
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from milvuslab.data.samples import DEMO_SAMPLES
from milvuslab.journal.job import list_jobs
from milvuslab.machine import poll_until, read_record, write_record
from milvuslab.model.errors import ConflictError, StartError
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.runtime.program import (
    Program,
    RunningProgram,
    StopReport,
    find_program,
    read_log_tail,
    start_program,
    stop_program,
)

if TYPE_CHECKING:
    from milvuslab.ops.workspace import Workspace

__all__ = [
    "StudioStatus",
    "choose_studio_port",
    "companion_records",
    "find_loader",
    "find_studio",
    "find_studio_process",
    "is_port_free",
    "read_loader_log",
    "start_loader",
    "start_studio",
    "stop_loader",
    "stop_studio",
    "studio_command",
    "wait_for_first_documents",
    "wait_for_studio",
]

_ADDRESS_FORMAT = 1
_PORTS_TRIED = 100
_ANY_HOST = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 -- compared with, never bound


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StudioStatus:
    """The studio in the background.

    Attributes:
        url: where a browser on this machine finds it.
        state: `running` when it answers, `starting` when only its process is there.
        pid: its process.
        rss_bytes: memory it holds.
        uptime_s: since its start.
    """

    url: str
    state: str
    pid: int
    rss_bytes: int
    uptime_s: float


def studio_command() -> tuple[str, ...]:
    """The program and its arguments."""
    return (sys.executable, "-m", "milvuslab.studio")


def start_studio(workspace: Workspace, *, server_name: str) -> RunningProgram:
    """The studio's process, started unless it runs; on a free port, which is written down.

    Raises:
        ConflictError: the port that was asked for is taken.
        StartError: the program cannot be executed.
    """
    running = find_program(_record(workspace, "studio"))
    if running is not None:
        return running
    host, port = workspace.settings.studio_host, choose_studio_port(workspace)
    address = {"host": host, "port": port}
    _address_path(workspace).parent.mkdir(parents=True, exist_ok=True)
    write_record(_address_path(workspace), address, version=_ADDRESS_FORMAT)
    environment = workspace.child_environment({"studio_port": str(port), "server": server_name})
    return start_program(_program(workspace, "studio", studio_command(), environment))


def wait_for_studio(workspace: Workspace, *, timeout_s: float, observer: Observer = silent) -> StudioStatus:
    """The studio once it answers.

    Raises:
        StartError: it ended, or did not answer in time.
    """

    def ask() -> StudioStatus | None:
        observer(Progress(step="start studio"))
        status = find_studio(workspace)
        if status is None:
            raise _studio_failure(workspace, "ended at its start")
        return status if status.state == "running" else None

    status = poll_until(ask, timeout_s=timeout_s, interval_s=0.1)
    if status is None:
        raise _studio_failure(workspace, f"did not answer within {timeout_s:.0f} s")
    return status


def find_studio_process(workspace: Workspace) -> RunningProgram | None:
    """The studio's process, or None when it is not running; it is not asked anything."""
    return find_program(_record(workspace, "studio"))


def find_studio(workspace: Workspace) -> StudioStatus | None:
    """The studio in the background as it is now, or None."""
    running = find_studio_process(workspace)
    if running is None:
        return None
    try:
        address = read_record(_address_path(workspace), version=_ADDRESS_FORMAT)
    except FileNotFoundError:
        address = {}
    host = _ANY_HOST.get(str(address.get("host", "")), str(address.get("host", "")))
    port = int(address.get("port", workspace.settings.studio_port))
    return StudioStatus(
        url=f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}",
        state="running" if _answers(host, port) else "starting",
        pid=running.pid,
        rss_bytes=running.rss_bytes,
        uptime_s=running.uptime_s,
    )


def stop_studio(workspace: Workspace) -> StopReport:
    """Ends the studio, also one whose starter was killed."""
    return stop_program(_record(workspace, "studio"), timeout_s=min(10.0, workspace.settings.stop_timeout_s))


def start_loader(workspace: Workspace, *, server_name: str) -> RunningProgram:
    """The loader's process, started unless it runs. It ends by itself, at once when everything is loaded."""
    # It shares the cores with searches, which somebody waits for.
    nice = shutil.which("nice")
    polite = (nice, "-n", "10") if nice else ()
    command = (*polite, sys.executable, "-m", "milvuslab.cli.loader", "--server", server_name)
    return start_program(_program(workspace, "loader", command, workspace.child_environment()))


def wait_for_first_documents(workspace: Workspace, *, timeout_s: float, observer: Observer = silent) -> None:
    """Returns when some documents of every sample are in, the loader ended, or the time is over.

    The loader takes turns, so that is soon; after it the page answers in every language of the samples.
    """
    jobs_dir = workspace.settings.home_dir / "jobs"

    def is_enough() -> bool:
        begun = [job for job in list_jobs(jobs_dir) if job.resume_token or job.state == "done"]
        observer(
            Progress(
                step="load first documents", done_count=min(len(begun), len(DEMO_SAMPLES)),
                total_count=len(DEMO_SAMPLES), unit="samples",
            )
        )  # fmt: skip
        return len(begun) >= len(DEMO_SAMPLES) or find_loader(workspace) is None

    poll_until(is_enough, timeout_s=timeout_s, interval_s=0.5)


def find_loader(workspace: Workspace) -> RunningProgram | None:
    """The loader's process, or None when it is not running."""
    return find_program(_record(workspace, "loader"))


def stop_loader(workspace: Workspace) -> StopReport:
    """Ends the loader; the next one goes on where it was."""
    return stop_program(_record(workspace, "loader"), timeout_s=min(10.0, workspace.settings.stop_timeout_s))


def read_loader_log(workspace: Workspace, *, line_count: int = 5) -> tuple[str, ...]:
    """The last lines the loader wrote."""
    return read_log_tail(_log_path(workspace, "loader"), line_count=line_count)


def companion_records(workspace: Workspace) -> tuple[Path, ...]:
    """The records of the two programs."""
    return (_record(workspace, "studio"), _record(workspace, "loader"))


def is_port_free(host: str, port: int) -> bool:
    """Whether a program could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def choose_studio_port(workspace: Workspace) -> int:
    """The port of the setting; the next free one when nobody asked for it and it is taken.

    Raises:
        ConflictError: the port that was asked for is taken.
    """
    settings = workspace.settings
    host, wanted = settings.studio_host, settings.studio_port
    if wanted == 0:
        return _any_free_port(host)
    candidates: Iterable[int] = range(wanted, min(wanted + _PORTS_TRIED, 65_536))
    if settings.origins["studio_port"] != "default":
        candidates = (wanted,)
    for port in candidates:
        if is_port_free(host, port):
            return port
    raise ConflictError(
        f"port {wanted} of {host} is taken, so the studio cannot listen there",
        hint="choose another: MILVUSLAB_STUDIO_PORT=PORT, or 0 for any free one",
        context={"port": wanted},
    )


def _any_free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _answers(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=2.0)
    try:
        connection.request("GET", "/api/v1/health")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _studio_failure(workspace: Workspace, what: str) -> StartError:
    path = _log_path(workspace, "studio")
    lines = read_log_tail(path, line_count=15)
    tail = "\n".join(f"  {line}" for line in lines) or "  (it wrote nothing)"
    return StartError(f"the studio {what}; its last lines:\n{tail}", hint=f"see {path}, then run it again")


def _program(workspace: Workspace, name: str, command: tuple[str, ...], environment: dict[str, str]) -> Program:
    folder = workspace.settings.home_dir / name
    return Program(
        name=name,
        argv=command,
        environment=environment,
        working_dir=folder,
        log_path=_log_path(workspace, name),
        record_path=_record(workspace, name),
    )


def _record(workspace: Workspace, name: str) -> Path:
    return Path(workspace.settings.home_dir) / name / "program.json"


def _log_path(workspace: Workspace, name: str) -> Path:
    return Path(workspace.settings.home_dir) / "logs" / f"{name}.log"


def _address_path(workspace: Workspace) -> Path:
    return Path(workspace.settings.home_dir) / "studio" / "address.json"
