"""How a cluster stands: each of its processes with memory and processor, and the whole in one word."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from milvuslab.model.errors import ServerError
from milvuslab.model.settings import Settings
from milvuslab.runtime.cluster.layout import Cluster
from milvuslab.runtime.cluster.roles import role_of
from milvuslab.runtime.cluster.sessions import Session, fetch_sessions
from milvuslab.runtime.disk import measure_folder
from milvuslab.runtime.ports import is_port_open
from milvuslab.runtime.profile import IsReady, endpoints_of
from milvuslab.runtime.program import RunningProgram, find_program

__all__ = ["ClusterStatus", "RoleStatus", "cluster_status"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RoleStatus:
    """How one process of a cluster is.

    Attributes:
        instance: its name, `query-node-2`.
        role: what it does.
        state: `running`, `starting` (a process that has not reported for duty) or `stopped`.
        is_active: whether a coordinator leads; None for what has no twins, or while unknown.
        port: where it is reached.
        pid: of its process, or None.
        uptime_s: since its process started, or None.
        rss_bytes: memory it holds, or None.
        cpu_cores: cores it kept busy while it was watched, or None when it was not.
    """

    instance: str
    role: str
    state: str
    is_active: bool | None
    port: int
    pid: int | None
    uptime_s: float | None
    rss_bytes: int | None
    cpu_cores: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStatus:
    """How a cluster is.

    Attributes:
        name: of its profile.
        version: of Milvus.
        state: `running` (every process is there and every proxy answered), `degraded` (clients are served, but not by
            all), `starting`, `unresponsive` (processes, but no proxy answers) or `stopped`.
        uris: where clients connect, one for each proxy.
        answering: those of them that answered.
        roles: every process, in the order of the table of roles.
        storage: `local` or `s3`.
        rss_bytes: memory of all together.
        data_size_bytes: what the cluster's folder takes on disk, logs included.
        folder: its folder.
    """

    name: str
    version: str
    state: str
    uris: tuple[str, ...]
    answering: tuple[str, ...]
    roles: tuple[RoleStatus, ...]
    storage: str
    rss_bytes: int
    data_size_bytes: int
    folder: Path

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return {**dataclasses.asdict(self), "folder": str(self.folder)}


def cluster_status(
    cluster: Cluster, *, settings: Settings, is_ready: IsReady | None = None, watch_s: float = 0.0
) -> ClusterStatus:
    """How the cluster is now.

    Args:
        cluster: the cluster.
        settings: for `call_timeout_s` and `start_timeout_s`.
        is_ready: asks each proxy for a search; None looks at their ports only.
        watch_s: how long the processors are watched; 0 leaves `cpu_cores` out.
    """
    running = {name: find_program(cluster.record_of(name)) for name in cluster.profile.instances}
    cores = _watch_cores(running, watch_s) if watch_s > 0 else {}
    sessions: Mapping[str, Session] = {}
    with contextlib.suppress(ServerError):
        sessions = fetch_sessions(cluster) if any(running.values()) else {}
    roles = tuple(
        _describe(cluster, name, running=found, session=sessions.get(name), cpu_cores=cores.get(name))
        for name, found in running.items()
    )
    answering = _answering(cluster, settings=settings, is_ready=is_ready) if any(running.values()) else ()
    return ClusterStatus(
        name=cluster.name,
        version=cluster.profile.version,
        state=_judge(roles, answering=answering, settings=settings),
        uris=tuple(endpoint.uri for endpoint in endpoints_of(cluster.profile)),
        answering=answering,
        roles=roles,
        storage=cluster.spec.storage,
        rss_bytes=sum(role.rss_bytes or 0 for role in roles),
        data_size_bytes=measure_folder(cluster.profile.folder),
        folder=cluster.profile.folder,
    )


def _judge(roles: tuple[RoleStatus, ...], *, answering: tuple[str, ...], settings: Settings) -> str:
    alive = [role for role in roles if role.pid is not None]
    proxy_count = sum(role.role == "proxy" for role in roles)
    if not alive:
        return "stopped"
    if answering:
        is_whole = len(answering) == proxy_count and all(role.state == "running" for role in roles)
        return "running" if is_whole else "degraded"
    youngest_s = min(role.uptime_s or 0.0 for role in alive)
    return "starting" if youngest_s < settings.start_timeout_s else "unresponsive"


def _describe(
    cluster: Cluster,
    instance: str,
    *,
    running: RunningProgram | None,
    session: Session | None,
    cpu_cores: float | None,
) -> RoleStatus:
    role = role_of(instance)
    has_reported = session is not None if role.word else is_port_open(cluster.port_of(instance))
    return RoleStatus(
        instance=instance,
        role=role.name,
        state="stopped" if running is None else "running" if has_reported else "starting",
        is_active=session.is_active if session and running and role.is_coordinator else None,
        port=cluster.port_of(instance),
        pid=running.pid if running else None,
        uptime_s=running.uptime_s if running else None,
        rss_bytes=running.rss_bytes if running else None,
        cpu_cores=cpu_cores,
    )


def _answering(cluster: Cluster, *, settings: Settings, is_ready: IsReady | None) -> tuple[str, ...]:
    found = []
    for endpoint in endpoints_of(cluster.profile):
        if not is_port_open(int(endpoint.uri.rsplit(":", 1)[1])):
            continue
        try:
            if is_ready is not None:
                is_ready(endpoint, settings.call_timeout_s)
        except ServerError:
            continue
        found.append(endpoint.uri)
    return tuple(found)


def _watch_cores(running: Mapping[str, RunningProgram | None], watch_s: float) -> dict[str, float]:
    before = {name: _cpu_s(found.pid) for name, found in running.items() if found}
    threading.Event().wait(watch_s)
    return {
        name: (after_s - before_s) / watch_s
        for name, before_s in before.items()
        if before_s is not None and (found := running[name]) and (after_s := _cpu_s(found.pid)) is not None
    }


def _cpu_s(pid: int) -> float | None:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return None
    return float(times.user + times.system)
