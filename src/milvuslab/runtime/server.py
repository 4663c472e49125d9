"""Start, stop and look at a server by its profile.

Ready means that `is_ready`, which the caller supplies, saw a search answered; an open port is not enough. Starting
returns when that happened, or ends what it started and says why. Nothing here keeps running: state is what the record
and the processes say.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from milvuslab.machine.polling import poll_until
from milvuslab.model.errors import ConflictError, ServerError, StartError, TimedOutError, UnsupportedError
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.model.server import ServerKind
from milvuslab.model.settings import Settings
from milvuslab.runtime.builds import BUILDS, choose_build, read_machine
from milvuslab.runtime.cause import guess_cause
from milvuslab.runtime.cluster import (
    ClusterStatus,
    cluster_status,
    make_kit,
    open_cluster,
    start_cluster,
    stop_cluster,
)
from milvuslab.runtime.disk import check_free_space, measure_folder
from milvuslab.runtime.install import install_build
from milvuslab.runtime.lite import lite_program, lite_version
from milvuslab.runtime.ports import check_ports, is_port_open
from milvuslab.runtime.profile import IsReady, Profile, endpoint_of
from milvuslab.runtime.program import (
    Program,
    RunningProgram,
    StopReport,
    find_program,
    read_exit,
    read_log_tail,
    start_program,
    stop_program,
)
from milvuslab.runtime.standalone import find_logs, standalone_program, write_configuration

__all__ = [
    "ServerStatus",
    "has_process",
    "read_server_log",
    "remove_server",
    "restart_server",
    "server_status",
    "start_server",
    "stop_server",
]

_NEEDED_BYTES = {ServerKind.LITE: 50_000_000, ServerKind.STANDALONE: 500_000_000}
# A fresh standalone writes 212 MB before the first row: etcd 62 MB and RocksMQ 150 MB lay out their files (measured).
_ATTEMPT_S = 15.0
_LOG_LINES_SHOWN = 12
_CRASH = re.compile(r"panic: |fatal error: |SIG[A-Z]+: |goroutine \d+ \[|\*\*\* Aborted")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """How a server is.

    Attributes:
        name: of the profile.
        kind: lite, standalone, cluster or remote.
        version: of the build or of Lite; empty for a remote server.
        state: `running`, `starting`, `unresponsive` or `stopped`; a remote server is never `starting`. A cluster may be
            `degraded`: it serves, but not by all of its processes.
        uri: where clients connect, without anything secret; of a cluster a proxy that answers.
        ports: by purpose.
        pid: of its process, or None; a cluster has many.
        uptime_s: since its (oldest) process started, or None.
        rss_bytes: memory its processes hold, or None.
        data_size_bytes: what its folder takes on disk, logs included; 0 for a remote server.
        folder: its folder.
    """

    name: str
    kind: ServerKind
    version: str
    state: str
    uri: str
    ports: Mapping[str, int]
    pid: int | None
    uptime_s: float | None
    rss_bytes: int | None
    data_size_bytes: int
    folder: Path

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**values, "kind": str(self.kind), "ports": dict(self.ports), "folder": str(self.folder)}


def start_server(
    profile: Profile, *, settings: Settings, is_ready: IsReady, observer: Observer = silent
) -> ServerStatus:
    """The server's status once a search was answered; a server that runs already is only asked.

    Raises:
        StartError: it died or was not ready within `start_timeout_s` (what was started is stopped again), or the
            disk is full, or its folder cannot be written.
        ConflictError: somebody else listens on one of its ports.
        TimedOutError: it was running before and does not answer.
        UnsupportedError: its build or package is not for this machine or not installed.
        UnreachableError: the build has to be fetched and cannot be.
    """
    if profile.kind is ServerKind.CLUSTER:
        cluster = open_cluster(profile)
        kit = make_kit(cluster.spec, settings=settings, observer=observer)
        return _as_server(profile, start_cluster(cluster, kit=kit, is_ready=is_ready, observer=observer))
    if profile.kind is ServerKind.REMOTE:
        is_ready(endpoint_of(profile, fallback_token=settings.remote_token), settings.call_timeout_s)
        return server_status(profile, settings=settings, is_ready=is_ready)
    watch = functools.partial(_wait_ready, profile, settings=settings, is_ready=is_ready, observer=observer)
    found = find_program(profile.record_path)
    # One that ends while we ask it, because somebody just killed it, counts as stopped.
    if found is None or not watch(found):
        running = start_program(_prepare(profile, settings=settings, observer=observer))
        try:
            if not watch(running):
                raise _died(profile, running)
        except BaseException:
            if not running.was_running:
                stop_server(profile, settings=settings)
            raise
    return _describe(profile, state="running", running=find_program(profile.record_path))


def stop_server(profile: Profile, *, settings: Settings, observer: Observer = silent) -> StopReport:
    """Ends the server's process; a server that is stopped, or is not ours, is left as it is.

    Raises:
        ConflictError: its process belongs to another user, or does not end.
    """
    if profile.kind is ServerKind.REMOTE:
        return StopReport(was_running=False, was_killed=False, duration_s=0.0)
    if profile.kind is ServerKind.CLUSTER:
        return stop_cluster(profile, settings=settings, observer=observer)
    observer(Progress(step=f"stop {profile.name}"))
    limits = [build.stop_limit_s for build in BUILDS if build.version == profile.version and build.stop_limit_s]
    return stop_program(profile.record_path, timeout_s=min([settings.stop_timeout_s, *limits]))


def restart_server(
    profile: Profile, *, settings: Settings, is_ready: IsReady, observer: Observer = silent
) -> ServerStatus:
    """Stops and starts; raises what either raises."""
    stop_server(profile, settings=settings, observer=observer)
    return start_server(profile, settings=settings, is_ready=is_ready, observer=observer)


def server_status(profile: Profile, *, settings: Settings, is_ready: IsReady | None = None) -> ServerStatus:
    """How the server is now.

    Args:
        profile: the server.
        settings: for `call_timeout_s` and `start_timeout_s`.
        is_ready: asks for a search; None looks at the port only, which is quick but says less.
    """
    if profile.kind is ServerKind.CLUSTER:
        return _as_server(profile, cluster_status(open_cluster(profile), settings=settings, is_ready=is_ready))
    running = None if profile.kind is ServerKind.REMOTE else find_program(profile.record_path)
    if profile.kind is not ServerKind.REMOTE and running is None:
        return _describe(profile, state="stopped", running=None)
    if _answers(profile, settings=settings, is_ready=is_ready):
        state = "running"
    else:
        is_young = running is not None and running.uptime_s < settings.start_timeout_s
        state = "starting" if is_young else "unresponsive"
    return _describe(profile, state=state, running=running)


def read_server_log(profile: Profile, *, line_count: int = 100) -> tuple[str, ...]:
    """Last lines of the server's logs, oldest first: of Milvus's own log, or of what the program printed.

    Raises:
        UnsupportedError: a remote server's log is not here.
    """
    if profile.kind is ServerKind.REMOTE:
        raise UnsupportedError("the log of a remote server", needs="a server of ours", has=f"the address {profile.uri}")
    if profile.kind is ServerKind.CLUSTER:
        raise UnsupportedError(
            "one log of a cluster", needs="the name of a role", has=f"{len(profile.instances)} processes with logs of their own",
            hint=f"milvuslab cluster logs ROLE {profile.name}; roles: {', '.join(profile.instances)}",
        )  # fmt: skip
    lines: list[str] = []
    for path in find_logs(profile):
        lines += read_log_tail(path, line_count=line_count)
    return tuple(lines[-line_count:])


def has_process(profile: Profile) -> bool:
    """Whether a process of the server is there, ready or not; a remote one has none here."""
    return any(find_program(path) is not None for path in profile.record_paths)


def remove_server(profile: Profile) -> None:
    """Removes the profile with all the data of a server of ours.

    Raises:
        ConflictError: it runs.
    """
    if has_process(profile):
        raise ConflictError(f"server {profile.name} is running", hint=f"milvuslab server stop {profile.name}")
    # The profile goes first: a folder without one is no server, so a crash half way leaves nothing half alive.
    (profile.folder / "profile.json").unlink(missing_ok=True)
    shutil.rmtree(profile.folder)


def _as_server(profile: Profile, status: ClusterStatus) -> ServerStatus:
    uptimes = [role.uptime_s for role in status.roles if role.uptime_s is not None]
    return ServerStatus(
        name=status.name,
        kind=profile.kind,
        version=status.version,
        state=status.state,
        uri=(status.answering or status.uris)[0],
        ports=profile.ports,
        pid=None,
        uptime_s=max(uptimes, default=None),
        rss_bytes=status.rss_bytes or None,
        data_size_bytes=status.data_size_bytes,
        folder=status.folder,
    )


def _prepare(profile: Profile, *, settings: Settings, observer: Observer) -> Program:
    check_free_space(profile.folder, needed_bytes=_NEEDED_BYTES[profile.kind], purpose=f"server {profile.name}")
    if profile.kind is ServerKind.LITE:
        program = lite_program(profile)
    else:
        build = choose_build(read_machine(), version=profile.version)
        install = install_build(build, cache_dir=settings.cache_dir, is_offline=settings.offline, observer=observer)
        program = standalone_program(profile, install=install)
    check_ports(profile.ports, server_name=profile.name)
    if profile.kind is ServerKind.STANDALONE:
        write_configuration(
            profile,
            install=install,
            session_ttl_s=settings.session_ttl_s,
            index_build_parallel=settings.index_build_parallel,
        )
    observer(Progress(step=f"start {profile.name}", message=f"log: {program.log_path}"))
    return program


def _wait_ready(
    profile: Profile, running: RunningProgram, *, settings: Settings, is_ready: IsReady, observer: Observer
) -> bool:
    """Whether the process lives when a search was answered; False as soon as it does not."""
    endpoint = endpoint_of(profile)
    # Somebody else may have started it a moment ago: then it has what is left of its time.
    timeout_s = settings.start_timeout_s
    if running.was_running:
        timeout_s = max(settings.call_timeout_s, timeout_s - running.uptime_s)
    started_s = time.monotonic()
    last_refusal: list[ServerError] = []

    def ask() -> str:
        observer(Progress(step=f"wait for {profile.name}", done_count=int(time.monotonic() - started_s), unit="s"))
        if find_program(profile.record_path) is None:
            return "dead"
        if not is_port_open(profile.ports["proxy"]):
            return ""
        try:
            is_ready(endpoint, min(_ATTEMPT_S, max(1.0, timeout_s - (time.monotonic() - started_s))))
        except ServerError as error:
            last_refusal[:] = [error]
            return ""
        return "ready"

    if end := poll_until(ask, timeout_s=timeout_s, interval_s=0.1):
        return end == "ready"
    reason = last_refusal[0].message if last_refusal else f"port {profile.ports['proxy']} is not open"
    if running.was_running:
        raise TimedOutError(
            f"server {profile.name} runs as process {running.pid} but answers no search within {timeout_s:.0f} s: {reason}",
            hint=f"milvuslab server restart {profile.name}",
        )
    raise StartError(
        f"server {profile.name} answered no search within {timeout_s:.0f} s and was stopped: {reason}",
        hint=f"give it more time: MILVUSLAB_START_TIMEOUT_S={2 * timeout_s:.0f}; its log: milvuslab server logs {profile.name}",
        context={"log": list(read_server_log(profile, line_count=_LOG_LINES_SHOWN))},
    )


def _died(profile: Profile, running: RunningProgram) -> StartError:
    exit_text = read_exit(running.pid)
    lines = _last_words(profile)
    cause, step = guess_cause(lines, exit_text=exit_text)
    shown = "\n".join(f"  {line[:300]}" for line in lines)
    return StartError(
        f"server {profile.name} died at start"
        + (f" ({exit_text})" if exit_text else "")
        + (f": {cause}" if cause else "")
        + (f"; its last words:\n{shown}" if shown else "; it left no log"),
        hint=step.replace("NAME", profile.name),
        context={"exit": exit_text, "cause": cause, "log": list(lines)},
    )


def _last_words(profile: Profile) -> tuple[str, ...]:
    """The end of what the program printed in this run; of a Go crash the lines around its beginning."""
    lines = read_log_tail(profile.folder / "logs" / "program.log", line_count=4_000, limit_bytes=2_000_000)
    crashes = [number for number, line in enumerate(lines) if _CRASH.match(line)]
    return lines[max(0, crashes[0] - 8) : crashes[0] + 4] if crashes else lines[-_LOG_LINES_SHOWN:]


def _answers(profile: Profile, *, settings: Settings, is_ready: IsReady | None) -> bool:
    if profile.kind is not ServerKind.REMOTE and not is_port_open(profile.ports["proxy"]):
        return False
    if is_ready is None:
        return True
    try:
        is_ready(endpoint_of(profile, fallback_token=settings.remote_token), settings.call_timeout_s)
    except ServerError:
        return False
    return True


def _describe(profile: Profile, *, state: str, running: RunningProgram | None) -> ServerStatus:
    version = profile.version
    if profile.kind is ServerKind.LITE:
        # A profile outlives the package; the other servers are still to be told of.
        with contextlib.suppress(UnsupportedError):
            version = lite_version()
    is_remote = profile.kind is ServerKind.REMOTE
    return ServerStatus(
        name=profile.name,
        kind=profile.kind,
        version=version,
        state=state,
        uri=profile.uri if is_remote else f"http://127.0.0.1:{profile.ports['proxy']}",
        ports=profile.ports,
        pid=running.pid if running else None,
        uptime_s=running.uptime_s if running else None,
        rss_bytes=running.rss_bytes if running else None,
        data_size_bytes=0 if is_remote else measure_folder(profile.folder),
        folder=profile.folder,
    )
