"""Clusters by name: made at their first start from a file and the settings, changed while they serve, looked at."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from milvuslab.model.errors import ConflictError, NotFoundError
from milvuslab.model.progress import Observer, silent
from milvuslab.ops.servers import check_gateway
from milvuslab.runtime import StopReport, list_profiles
from milvuslab.runtime.cluster import (
    Cluster,
    ClusterSpec,
    ClusterStatus,
    StorageKeys,
    add_instance,
    check_tools,
    cluster_status,
    find_tools,
    make_cluster,
    make_kit,
    pick_instance,
    read_cluster,
    read_cluster_file,
    read_instance_log,
    remove_instance,
    restart_instances,
    start_cluster,
    stop_cluster,
)

if TYPE_CHECKING:
    from milvuslab.ops.workspace import Workspace

__all__ = [
    "DEFAULT_NAME",
    "add_role",
    "bring_down",
    "bring_up",
    "read_role_log",
    "remove_role",
    "report",
    "restart_roles",
]

DEFAULT_NAME = "cluster"
_ALL = "all"


def bring_up(
    workspace: Workspace,
    name: str,
    *,
    file: Path | None = None,
    spec: ClusterSpec | None = None,
    observer: Observer = silent,
) -> ClusterStatus:
    """The cluster once a search was answered through each proxy; made when there is none of that name.

    Args:
        workspace: gives settings and profiles.
        name: of the cluster.
        file: what it consists of, for a new one; None takes the usual parts.
        spec: the same as a value.
        observer: is told what starts and what is waited for.

    Raises:
        ConflictError: there is one of that name that the file does not describe, or a port is taken.
        UnsupportedError: a program is missing on this machine.
        StartError: it did not become ready; what was started is stopped again.
    """
    cluster = _open_or_make(workspace, name, wanted=read_cluster_file(file) if file else spec, source=str(file or name))
    kit = make_kit(cluster.spec, settings=workspace.settings, observer=observer)
    return start_cluster(cluster, kit=kit, is_ready=check_gateway, observer=observer)


def bring_down(workspace: Workspace, name: str, *, observer: Observer = silent) -> StopReport:
    """Ends every process of the cluster, whoever started it; data is kept.

    Raises:
        NotFoundError: there is no cluster of that name.
    """
    return stop_cluster(_read(workspace, name).profile, settings=workspace.settings, observer=observer)


def report(workspace: Workspace, name: str, *, watch_s: float = 0.0) -> ClusterStatus:
    """How the cluster stands, a search through each proxy included.

    Args:
        workspace: gives settings and profiles.
        name: of the cluster.
        watch_s: how long the processors are watched; 0 does not.
    """
    is_ready = None if watch_s else check_gateway
    return cluster_status(_read(workspace, name), settings=workspace.settings, is_ready=is_ready, watch_s=watch_s)


def add_role(workspace: Workspace, name: str, role: str, *, observer: Observer = silent) -> str:
    """One more instance of a role, which has reported for duty; its name.

    Raises:
        ConfigError: there is no such role.
        ConflictError: its number is fixed, or the cluster does not run.
    """
    cluster = _read(workspace, name)
    kit = make_kit(cluster.spec, settings=workspace.settings, observer=observer)
    home_dir = workspace.settings.home_dir
    return add_instance(home_dir, cluster, role, kit=kit, is_ready=check_gateway, observer=observer)[1]


def remove_role(workspace: Workspace, name: str, role: str, *, observer: Observer = silent) -> str:
    """One instance less, which hands over before it ends; its name.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is the last of its role, or the number is fixed.
    """
    cluster = _read(workspace, name)
    settings = workspace.settings
    return remove_instance(settings.home_dir, cluster, role, settings=settings, observer=observer)[1]


def restart_roles(workspace: Workspace, name: str, role: str, *, observer: Observer = silent) -> list[str]:
    """Instances restarted one after the other, in the order in which it was done.

    Args:
        workspace: gives settings and profiles.
        name: of the cluster.
        role: an instance, a role, or `all` roles of Milvus itself.
        observer: is told which one restarts.

    Raises:
        ConflictError: the cluster does not run.
        StartError: one did not report again.
    """
    cluster = _read(workspace, name)
    kit = make_kit(cluster.spec, settings=workspace.settings, observer=observer)
    names = [] if role == _ALL else [role]
    return restart_instances(cluster, names, kit=kit, is_ready=check_gateway, observer=observer)


def read_role_log(workspace: Workspace, name: str, role: str, *, line_count: int) -> dict[str, tuple[str, ...]]:
    """The last lines of the log of each instance that the word names, oldest first."""
    cluster = _read(workspace, name)
    return {one: read_instance_log(cluster, one, line_count=line_count) for one in pick_instance(cluster, role)}


def _open_or_make(workspace: Workspace, name: str, *, wanted: ClusterSpec | None, source: str) -> Cluster:
    known = {profile.name for profile in list_profiles(workspace.settings.home_dir)}
    if name not in known:
        return _make(workspace, name, wanted or ClusterSpec())
    cluster = _read(workspace, name)
    if wanted is not None and _with_settings(workspace, wanted) != cluster.spec:
        raise ConflictError(
            f"cluster {name} was made from other values than {source} holds",
            hint=f"choose another name, or: milvuslab cluster down {name}; milvuslab server remove {name} --yes",
        )
    return cluster


def _make(workspace: Workspace, name: str, spec: ClusterSpec) -> Cluster:
    settings = workspace.settings
    spec = _with_settings(workspace, spec)
    tools = find_tools(
        settings.cache_dir,
        etcd_path=settings.etcd_program,
        java_path=settings.java_program,
        kafka_home=settings.kafka_home,
        s3proxy_home=settings.s3proxy_home,
    )
    check_tools(spec, tools)  # before anything is made
    keys = StorageKeys(access_key=settings.s3_access_key, secret_key=settings.s3_secret_key)
    is_given = spec.s3_endpoint and settings.s3_access_key and settings.s3_secret_key
    return make_cluster(settings.home_dir, name, spec=spec, keys=keys if is_given else None)


def _with_settings(workspace: Workspace, spec: ClusterSpec) -> ClusterSpec:
    """The spec with what the settings say runs elsewhere; the file wins."""
    settings = workspace.settings
    return dataclasses.replace(
        spec,
        etcd_endpoints=spec.etcd_endpoints or settings.etcd_endpoints,
        kafka_addresses=spec.kafka_addresses or settings.kafka_addresses,
        s3_endpoint=spec.s3_endpoint or (settings.s3_endpoint if spec.storage == "s3" else ""),
    )


def _read(workspace: Workspace, name: str) -> Cluster:
    try:
        return read_cluster(workspace.settings.home_dir, name)
    except NotFoundError as error:
        raise NotFoundError(error.message, hint=f"milvuslab cluster up {name}") from None
