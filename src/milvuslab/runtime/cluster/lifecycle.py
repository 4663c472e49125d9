"""Bring a cluster up and down, and change one of its roles while it serves.

Up means: every role has reported for duty and a search was answered through each proxy. What a call started it ends again
when it fails. Nothing here keeps running: processes are found by their records and marks, so that `stop_cluster` also
ends what a killed starter left behind. One change at a time: a lock that the system releases when its holder dies.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from milvuslab.machine.lock import hold_lock
from milvuslab.machine.polling import poll_until
from milvuslab.model.errors import ConflictError, ServerError, StartError
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.model.settings import Settings
from milvuslab.runtime.cause import guess_cause
from milvuslab.runtime.cluster.layout import Cluster, drop_instance, pick_instance, reserve_instance
from milvuslab.runtime.cluster.programs import prepare_program
from milvuslab.runtime.cluster.roles import order_restart, order_start, order_stop, role_of
from milvuslab.runtime.cluster.sessions import Session, fetch_sessions, is_etcd_healthy
from milvuslab.runtime.cluster.spec import ClusterSpec
from milvuslab.runtime.cluster.status import ClusterStatus, cluster_status
from milvuslab.runtime.cluster.tools import Kit
from milvuslab.runtime.disk import check_free_space
from milvuslab.runtime.ports import check_ports, is_port_open
from milvuslab.runtime.profile import IsReady, Profile, endpoints_of
from milvuslab.runtime.program import (
    StopReport,
    find_program,
    read_exit,
    read_log_tail,
    start_program,
    stop_program,
)

__all__ = ["add_instance", "read_instance_log", "remove_instance", "restart_instances", "start_cluster", "stop_cluster"]

_NEEDED_BYTES = 600_000_000
_ATTEMPT_S = 15.0
_DOWN_TIMEOUT_S = 4.0
"""How long a Milvus role may take to end when all end: there is nobody to hand over to, and Kafka holds the writes."""
_LOCK_TIMEOUT_S = 60.0
_LOG_LINES_SHOWN = 12


def start_cluster(cluster: Cluster, *, kit: Kit, is_ready: IsReady, observer: Observer = silent) -> ClusterStatus:
    """The cluster once every role has reported and a search was answered through each proxy; what runs is left alone.

    Raises:
        StartError: a role died or did not report, or no search was answered, within `start_timeout_s`; what this call
            started is stopped again.
        ConflictError: somebody else listens on one of its ports, or another process changes the cluster.
    """
    with _change(cluster):
        missing = _missing(cluster, cluster.profile.instances)
        try:
            _start(cluster, missing, kit=kit, observer=observer)
            _wait_ready(cluster, kit=kit, is_ready=is_ready, observer=observer)
        except BaseException:
            _stop(cluster, missing, settings=kit.settings, is_down=True)
            raise
        return cluster_status(cluster, settings=kit.settings)


def stop_cluster(profile: Profile, *, settings: Settings, observer: Observer = silent) -> StopReport:
    """Ends every process of the cluster, whoever started it; data is kept. Its spec may be damaged.

    Raises:
        ConflictError: a process belongs to another user or does not end, or another process changes the cluster.
    """
    observer(Progress(step=f"stop {profile.name}"))
    cluster = Cluster(profile=profile, spec=ClusterSpec())
    with _change(cluster):
        return _stop(cluster, cluster.profile.instances, settings=settings, is_down=True)


def add_instance(
    home_dir: Path, cluster: Cluster, role: str, *, kit: Kit, is_ready: IsReady, observer: Observer = silent
) -> tuple[Cluster, str]:
    """The cluster with one more instance of a role, which has reported for duty; and its name.

    Raises:
        ConfigError: there is no such role.
        ConflictError: its number of members is fixed, or the cluster does not run.
        StartError: it did not report; it is taken back.
    """
    with _change(cluster):
        _require_running(cluster)
        grown, instance = reserve_instance(home_dir, cluster, role)
        try:
            _start(grown, [instance], kit=kit, observer=observer)
            _wait_ready(grown, kit=kit, is_ready=is_ready, observer=observer, only=[instance])
        except BaseException:
            _stop(grown, [instance], settings=kit.settings, is_down=True)
            _forget(home_dir, grown, instance)
            raise
        return grown, instance


def remove_instance(
    home_dir: Path, cluster: Cluster, name: str, *, settings: Settings, observer: Observer = silent
) -> tuple[Cluster, str]:
    """The cluster without one instance, which hands over what it serves before it ends; and its name.

    Args:
        home_dir: where profiles lie.
        cluster: the cluster.
        name: an instance, or a role: then its instance with the highest number goes.
        settings: for the deadlines.
        observer: is told which one ends.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is the last of its role, or the number of members is fixed.
    """
    with _change(cluster):
        instance = pick_instance(cluster, name)[-1]
        role = role_of(instance)
        if not role.is_scalable:
            raise ConflictError(
                f"the number of {role.name} members is fixed when a cluster is made",
                hint="make another cluster with another number of them",
            )
        if len(cluster.instances_of(role.name)) == 1:
            raise ConflictError(
                f"{instance} is the last {role.name} of cluster {cluster.name}",
                hint=f"add another one first: milvuslab cluster add {role.name}",
            )
        observer(Progress(step=f"stop {instance}", message="it hands over what it serves"))
        _stop(cluster, [instance], settings=settings, is_down=False)
        return _forget(home_dir, cluster, instance), instance


def restart_instances(
    cluster: Cluster,
    names: Sequence[str],
    *,
    kit: Kit,
    is_ready: IsReady,
    observer: Observer = silent,
) -> list[str]:
    """Restarts instances one after the other, the next when the one before serves again; returns them in that order.

    Args:
        cluster: the cluster.
        names: instances or roles; empty takes every role of Milvus itself.
        kit: what they are made of.
        is_ready: asks a proxy for a search.
        observer: is told which one restarts.

    Raises:
        NotFoundError: a name is none of this cluster.
        ConflictError: the cluster does not run.
        StartError: one did not report again; those after it were left alone.
    """
    with _change(cluster):
        _require_running(cluster)
        picked = [one for name in names for one in pick_instance(cluster, name)]
        wanted = list(dict.fromkeys(picked)) or [one for one in cluster.profile.instances if role_of(one).word]
        active = [name for name, session in fetch_sessions(cluster).items() if session.is_active]
        order = order_restart(wanted, active=[name for name in active if role_of(name).is_coordinator])
        for instance in order:
            observer(Progress(step=f"restart {instance}"))
            before = fetch_sessions(cluster)
            _stop(cluster, [instance], settings=kit.settings, is_down=False)
            _start(cluster, [instance], kit=kit, observer=observer)
            _wait_ready(cluster, kit=kit, is_ready=is_ready, observer=observer, before=before, only=[instance])
        return order


def read_instance_log(cluster: Cluster, instance: str, *, line_count: int = 100) -> tuple[str, ...]:
    """Last lines of an instance's logs, oldest first: what the program printed, then Milvus's own."""
    folder = cluster.folder_of(instance) / "logs"
    own = sorted(folder.glob("*-*.log"), key=lambda path: path.stat().st_mtime)
    lines: list[str] = []
    for path in (folder / "program.log", *own[-1:]):
        lines += read_log_tail(path, line_count=line_count)
    return tuple(lines[-line_count:])


def _change(cluster: Cluster) -> contextlib.AbstractContextManager[None]:
    return hold_lock(cluster.lock_path, timeout_s=_LOCK_TIMEOUT_S, doing=f"changing cluster {cluster.name}")


def _missing(cluster: Cluster, instances: Iterable[str]) -> list[str]:
    return [name for name in instances if find_program(cluster.record_of(name)) is None]


def _require_running(cluster: Cluster) -> None:
    if len(_missing(cluster, cluster.profile.instances)) == len(cluster.profile.instances):
        raise ConflictError(f"cluster {cluster.name} is not running", hint=f"milvuslab cluster up {cluster.name}")


def _start(cluster: Cluster, instances: Sequence[str], *, kit: Kit, observer: Observer) -> None:
    check_free_space(cluster.profile.folder, needed_bytes=_NEEDED_BYTES, purpose=f"cluster {cluster.name}")
    # A folder of ours before any role makes it with rights of its own.
    (cluster.profile.folder / "data").mkdir(mode=0o700, exist_ok=True)
    ports = {purpose: port for purpose, port in cluster.profile.ports.items() if purpose.split("/")[0] in instances}
    check_ports(ports, server_name=cluster.name)
    for group in order_start(instances):
        observer(Progress(step=f"start {', '.join(group)}"))
        _side_by_side(lambda name: start_program(prepare_program(cluster, name, kit=kit)), group)
        for name in group:
            _wait_listening(cluster, name, timeout_s=kit.settings.start_timeout_s)


def _wait_listening(cluster: Cluster, instance: str, *, timeout_s: float) -> None:
    """Returns when what keeps state can be used; the roles of Milvus wait for it and for each other by themselves."""
    role, port = role_of(instance), cluster.port_of(instance)
    if role.word:
        return
    is_up: Callable[[], bool] = functools.partial(is_port_open, port)
    if role.name == "etcd":
        is_up = functools.partial(is_etcd_healthy, port)

    def ask() -> str:
        return "dead" if _missing(cluster, [instance]) else "up" if is_up() else ""

    end = poll_until(ask, timeout_s=timeout_s, interval_s=0.1)
    if end != "up":
        raise _failure(cluster, instance, "died" if end == "dead" else f"did not listen within {timeout_s:.0f} s")


def _wait_ready(
    cluster: Cluster,
    *,
    kit: Kit,
    is_ready: IsReady,
    observer: Observer,
    before: dict[str, Session] | None = None,
    only: Collection[str] | None = None,
) -> None:
    """Returns when the instances have reported under a new number and every living proxy answered a search."""
    timeout_s = kit.settings.start_timeout_s
    deadline_s = time.monotonic() + timeout_s
    watched = [name for name in cluster.profile.instances if only is None or name in only]
    unanswered = {
        f"proxy {endpoint.uri}": endpoint
        for name, endpoint in zip(cluster.instances_of("proxy"), endpoints_of(cluster.profile), strict=True)
        if name in watched or not _missing(cluster, [name])
    }
    lack: list[str] = []

    def ask() -> bool:
        for dead in _missing(cluster, watched):
            raise _failure(cluster, dead, "died")
        lack[:] = [*_unreported(cluster, watched, before or {}), *unanswered]
        observer(Progress(step=f"wait for {cluster.name}", message=", ".join(lack)))
        for name, endpoint in list(unanswered.items()):
            if not is_port_open(int(endpoint.uri.rsplit(":", 1)[1])):
                return False
            try:
                is_ready(endpoint, min(_ATTEMPT_S, max(1.0, deadline_s - time.monotonic())))
            except ServerError as error:
                lack.append(error.message)
                return False
            del unanswered[name]
        return not _unreported(cluster, watched, before or {})

    if not poll_until(ask, timeout_s=timeout_s, interval_s=0.1):
        raise StartError(
            f"cluster {cluster.name} was not ready within {timeout_s:.0f} s; it lacks {'; '.join(lack)}",
            hint=f"give it more time: MILVUSLAB_START_TIMEOUT_S={2 * timeout_s:.0f}; see milvuslab cluster logs ROLE",
        )


def _unreported(cluster: Cluster, instances: Iterable[str], before: dict[str, Session]) -> list[str]:
    """Those roles of Milvus that have no session, or only that of the run before."""
    try:
        sessions = fetch_sessions(cluster)
    except ServerError:
        return [name for name in instances if role_of(name).word]
    return [
        name
        for name in instances
        if role_of(name).word
        and (name not in sessions or (name in before and sessions[name].server_id == before[name].server_id))
    ]


def _stop(cluster: Cluster, instances: Iterable[str], *, settings: Settings, is_down: bool) -> StopReport:
    """Ends instances, group by group; `is_down` when nobody is left to hand over to."""
    started_s = time.monotonic()
    reports: list[StopReport] = []
    for group in order_stop(instances):
        reports += _side_by_side(lambda name: _stop_one(cluster, name, settings=settings, is_down=is_down), group)
    return StopReport(
        was_running=any(report.was_running for report in reports),
        was_killed=any(report.was_killed for report in reports),
        duration_s=time.monotonic() - started_s,
    )


def _stop_one(cluster: Cluster, instance: str, *, settings: Settings, is_down: bool) -> StopReport:
    role = role_of(instance)
    is_hurried = is_down and bool(role.word)
    timeout_s = min(_DOWN_TIMEOUT_S, settings.stop_timeout_s) if is_hurried else role.stop_timeout_s
    return stop_program(cluster.record_of(instance), timeout_s=timeout_s)


def _forget(home_dir: Path, cluster: Cluster, instance: str) -> Cluster:
    shrunk = drop_instance(home_dir, cluster, instance)
    shutil.rmtree(cluster.folder_of(instance), ignore_errors=True)
    return shrunk


def _side_by_side(work: Callable[[str], object], names: Sequence[str]) -> list:  # type: ignore[type-arg]
    with ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
        return list(pool.map(work, names))


def _failure(cluster: Cluster, instance: str, what: str) -> StartError:
    running = find_program(cluster.record_of(instance))
    lines = read_instance_log(cluster, instance, line_count=_LOG_LINES_SHOWN)
    exit_text = read_exit(running.pid) if running else ""
    cause, step = guess_cause(lines, exit_text=exit_text)
    shown = "\n".join(f"  {line[:300]}" for line in lines)
    return StartError(
        f"{instance} of cluster {cluster.name} {what}"
        + (f": {cause}" if cause else "")
        + f"; its last words:\n{shown}",
        hint=step.replace("server logs NAME", f"cluster logs {instance}").replace("NAME", cluster.name),
        context={"instance": instance, "cause": cause, "log": list(lines)},
    )
