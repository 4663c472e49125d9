"""The server that a drill breaks: its processes by name, signals to them, connections, and the way back to health.

`heal` is one recipe for whatever was broken, by whomever: frozen processes go on, limits are lifted, what fills the disk is
removed, missing processes are started, and a search is answered. It changes nothing where nothing is broken, so a drill that was
killed is healed by running it again, or by `milvuslab drill heal`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from milvuslab.machine.polling import poll_until
from milvuslab.model.errors import NotFoundError, UnsupportedError
from milvuslab.model.progress import Observer, silent
from milvuslab.model.server import Endpoint, ServerKind
from milvuslab.ops import servers
from milvuslab.ops.drill.proxy import TcpProxy
from milvuslab.runtime import Profile, endpoint_of, endpoints_of, find_program, signal_program
from milvuslab.runtime.cluster import fetch_sessions, open_cluster, pick_instance, role_of

if TYPE_CHECKING:
    from milvuslab.gateway import Gateway
    from milvuslab.ops.workspace import Workspace

__all__ = ["BALLAST", "Stage", "open_stage"]

BALLAST = "drill-ballast"
"""The file that fills a disk; removed by `heal`."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A server of ours, standalone or cluster.

    Attributes:
        workspace: gives settings and profiles.
        profile: of the server.
        proxy: what clients connect through, or None.
    """

    workspace: Workspace
    profile: Profile
    proxy: TcpProxy | None = None

    @property
    def is_cluster(self) -> bool:
        """Whether it has roles of its own."""
        return self.profile.kind is ServerKind.CLUSTER

    @property
    def instances(self) -> tuple[str, ...]:
        """Names of its processes; a standalone has one: `standalone`."""
        return self.profile.instances or ("standalone",)

    def pick(self, name: str) -> list[str]:
        """The processes that a name means: one, all of a role, of a coordinator the one that leads; `node` is all there are.

        Raises:
            NotFoundError: it has none of that name.
        """
        if name == "node":
            return list(self.instances)
        if self.is_cluster:
            return self._pick_leader(pick_instance(open_cluster(self.profile), name))
        if name != "standalone":
            raise NotFoundError(f"server {self.profile.name} has no {name}", hint="it is one process: standalone")
        return ["standalone"]

    def _pick_leader(self, instances: list[str]) -> list[str]:
        if len(instances) < 2 or not role_of(instances[0]).is_coordinator:
            return instances
        sessions = fetch_sessions(open_cluster(self.profile))
        return [one for one in instances if one in sessions and sessions[one].is_active] or instances

    def pid_of(self, instance: str) -> int | None:
        """Its process, or None when there is none."""
        running = find_program(self._record(instance))
        return running.pid if running else None

    def signal(self, instances: Iterable[str], number: signal.Signals) -> tuple[int, ...]:
        """Sends a signal to all processes of these instances; their pids."""
        return tuple(pid for instance in instances for pid in signal_program(self._record(instance), number))

    def wait_gone(self, instances: Iterable[str], *, timeout_s: float) -> bool:
        """Whether none of them has a process any more."""
        names = list(instances)
        return bool(poll_until(lambda: all(self.pid_of(one) is None for one in names), timeout_s=timeout_s))

    def connect(self, *, call_timeout_s: float, is_patient: bool = False) -> Gateway:
        """A connection of its own; calls are not repeated unless patience is asked for.

        Clients of a cluster know all proxies: a call that one did not take goes to the next.

        Raises:
            UnreachableError, TimedOutError: nobody answers.
        """
        from milvuslab.gateway import RetryPolicy, connect, connect_any

        retry = RetryPolicy() if is_patient else RetryPolicy.never()
        if self.proxy is not None:
            return connect(
                Endpoint(uri=f"http://127.0.0.1:{self.proxy.port}"), call_timeout_s=call_timeout_s, retry=retry
            )
        if self.is_cluster:
            return connect_any(endpoints_of(self.profile), call_timeout_s=call_timeout_s, retry=retry)
        return connect(endpoint_of(self.profile), call_timeout_s=call_timeout_s, retry=retry)

    def heal(self, *, observer: Observer = silent) -> None:
        """Everything runs and answers when this returns.

        Raises:
            StartError: it does not become ready.
        """
        self.ballast_path.unlink(missing_ok=True)
        for instance in self.instances:
            if pid := self.pid_of(instance):
                _lift_limit(pid)
                signal_program(self._record(instance), signal.SIGCONT)
        servers.start(self.workspace, self.profile.name, observer)

    @property
    def ballast_path(self) -> Path:
        """Where a fault puts what fills the disk."""
        return self.profile.folder / "data" / BALLAST

    def _record(self, instance: str) -> Path:
        return dict(zip(self.instances, self.profile.record_paths, strict=True))[instance]


def open_stage(workspace: Workspace, name: str, *, observer: Observer = silent) -> Stage:
    """The server of that name, whole: what an earlier drill left broken is healed, what is stopped is started.

    Raises:
        NotFoundError: there is no server of that name.
        UnsupportedError: it is not ours to break, or has no process to break.
    """
    profile = servers.open_profile(workspace, name)
    if profile.kind not in (ServerKind.STANDALONE, ServerKind.CLUSTER):
        raise UnsupportedError(
            f"a drill on {name}", needs="a standalone server or a cluster of this machine", has=f"a {profile.kind} one",
            hint="milvuslab drill run kill, without --server, makes a server for it",
        )  # fmt: skip
    stage = Stage(workspace=workspace, profile=profile)
    stage.heal(observer=observer)
    return stage


def _lift_limit(pid: int) -> None:
    """Memory without a limit again, where a fault had set one."""
    with contextlib.suppress(psutil.Error, OSError, AttributeError):
        process = psutil.Process(pid)
        soft, hard = process.rlimit(psutil.RLIMIT_AS)
        if soft != hard:
            process.rlimit(psutil.RLIMIT_AS, (hard, hard))
