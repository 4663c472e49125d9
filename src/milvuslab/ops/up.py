"""Everything up, everything down, and how it stands.

What `up` starts is told apart from what ran before, so that a failure or Ctrl-C takes back exactly what this call began.
`down` needs no memory of its own: every program of ours is found by its record or, where its starter was killed, by the
mark it carries.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milvuslab.journal.job import Job, list_jobs
from milvuslab.machine.lock import hold_lock
from milvuslab.model.errors import MilvusLabError, UnsupportedError
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.ops import companion, servers
from milvuslab.ops.contents import CollectionSummary, collect_contents
from milvuslab.ops.extras import has_extra
from milvuslab.ops.orphans import find_orphans, stop_orphans
from milvuslab.ops.together import run_together
from milvuslab.runtime import list_profiles

if TYPE_CHECKING:
    from milvuslab.ops.companion import StudioStatus
    from milvuslab.ops.workspace import Workspace
    from milvuslab.runtime import ServerStatus

__all__ = [
    "DownReport",
    "StatusReport",
    "UpReport",
    "collect_status",
    "known_records",
    "start_all",
    "stop_all",
    "stop_started",
    "watch_all",
]

_STUDIO_TIMEOUT_S = 60.0
_FIRST_DOCUMENTS_TIMEOUT_S = 60.0
"""How long `up` waits before it leaves the samples to load behind the page."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class UpReport:
    """What is up.

    Attributes:
        url: of the studio; empty where it cannot run.
        servers: those that `up` is responsible for.
        missing: what this machine or installation cannot do, one sentence each with its remedy.
        started: names of what this call started: servers, `studio`, `loader`.
        duration_s: of the call.
    """

    url: str
    servers: tuple[ServerStatus, ...]
    missing: tuple[str, ...]
    started: tuple[str, ...]
    duration_s: float

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return {**_shallow(self), "servers": [server.as_dict() for server in self.servers]}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DownReport:
    """What was stopped.

    Attributes:
        stopped: names of what was running.
        killed: those of them that had to be killed after their deadline.
        duration_s: of the call.
    """

    stopped: tuple[str, ...]
    killed: tuple[str, ...]
    duration_s: float

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return _shallow(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """How everything stands.

    Attributes:
        url: of the studio; empty when it is down.
        studio: its process, None when it is down.
        servers: every profile.
        collections: of the running servers, by server name; absent where a server did not answer.
        problems: why a server did not answer, by its name.
        jobs: loads and other long work, oldest first.
        is_loading: whether the loader of the samples works.
        loader_log: the last lines it wrote.
        home_dir: where all of it lies.
    """

    url: str
    studio: StudioStatus | None
    servers: tuple[ServerStatus, ...]
    collections: dict[str, tuple[CollectionSummary, ...]]
    problems: dict[str, str]
    jobs: tuple[Job, ...]
    is_loading: bool
    loader_log: tuple[str, ...]
    home_dir: Path

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return {
            "url": self.url,
            "home_dir": str(self.home_dir),
            "studio": dataclasses.asdict(self.studio) if self.studio else None,
            "servers": [
                {
                    **server.as_dict(),
                    "collections": [found.as_dict() for found in self.collections.get(server.name, ())],
                    "problem": self.problems.get(server.name, ""),
                }
                for server in self.servers
            ],
            "jobs": [{**job.as_dict(), "done_ratio": job.done_ratio} for job in self.jobs],
            "loader": {"is_running": self.is_loading, "log": list(self.loader_log)},
        }


def start_all(workspace: Workspace, *, has_samples: bool = True, observer: Observer = silent) -> UpReport:
    """Servers, studio and loader, started unless they run; what runs is left as it is.

    Raises:
        UnsupportedError: not even Lite can run here.
        StartError: something did not become ready; what this call started is stopped again.
        ConflictError: a port is taken, or another process is doing this.
    """
    began_s = time.monotonic()
    with hold_lock(_lock_path(workspace), timeout_s=60.0, doing="bringing everything up or down"):
        names, missing = _choose_servers(workspace)
        default = _default_server(workspace, names)
        before = _running(workspace)
        try:
            take_back = functools.partial(_take_back, workspace, before)
            reports, studio = _start_parts(
                workspace, names, default=default, missing=missing, observer=observer, on_stop=take_back
            )
            if has_samples and has_extra("text"):
                companion.start_loader(workspace, server_name=default)
                companion.wait_for_first_documents(workspace, timeout_s=_FIRST_DOCUMENTS_TIMEOUT_S, observer=observer)
            elif has_samples:
                missing.append("the samples need the extra text: pip install 'milvuslab[text]'")
        except BaseException:
            _take_back(workspace, before)
            raise
        return UpReport(
            url=studio.url if studio else "",
            servers=tuple(reports[name] for name in names),
            missing=tuple(missing),
            started=tuple(sorted(_running(workspace) - before)),
            duration_s=round(time.monotonic() - began_s, 3),
        )


def stop_all(workspace: Workspace, *, observer: Observer = silent) -> DownReport:
    """Stops everything of ours that runs, whoever started it, and nothing else."""
    with hold_lock(_lock_path(workspace), timeout_s=60.0, doing="bringing everything up or down"):
        report = stop_started(workspace, None, observer=observer)
        orphans = find_orphans(workspace.settings.home_dir, known=known_records(workspace))
        stop_orphans(orphans, timeout_s=workspace.settings.stop_timeout_s)
        lost = tuple(f"{orphan.record_path.parent.name} (its folder was deleted)" for orphan in orphans)
        return dataclasses.replace(report, stopped=(*report.stopped, *lost))


def stop_started(workspace: Workspace, names: tuple[str, ...] | None, *, observer: Observer = silent) -> DownReport:
    """Stops the named parts, or all; servers end side by side, after what uses them."""
    began_s = time.monotonic()
    reports = {}
    for name, stop in (("loader", companion.stop_loader), ("studio", companion.stop_studio)):
        if names is None or name in names:
            observer(Progress(step=f"stop {name}"))
            reports[name] = stop(workspace)
    wanted = [name for name in servers.list_local_names(workspace) if names is None or name in names]
    reports |= run_together(
        {name: functools.partial(servers.stop, workspace, name) for name in wanted},
        observer=observer,
        stop_timeout_s=workspace.settings.stop_timeout_s,
    )
    return DownReport(
        stopped=tuple(name for name, report in reports.items() if report.was_running),
        killed=tuple(name for name, report in reports.items() if report.was_killed),
        duration_s=round(time.monotonic() - began_s, 3),
    )


def collect_status(workspace: Workspace, *, timeout_s: float = 5.0) -> StatusReport:
    """How everything stands now; a server that does not answer within `timeout_s` is a line, not an error."""
    studio = companion.find_studio(workspace)
    reports = servers.list_servers(workspace)
    answers = run_together(
        {
            report.name: functools.partial(_collections_or_problem, workspace, report.name, timeout_s)
            for report in reports
            if report.state in ("running", "degraded")
        }
    )
    return StatusReport(
        url=studio.url if studio else "",
        studio=studio,
        servers=tuple(reports),
        collections={name: found for name, (found, problem) in answers.items() if not problem},
        problems={name: problem for name, (_, problem) in answers.items() if problem},
        jobs=tuple(list_jobs(workspace.settings.home_dir / "jobs")),
        is_loading=companion.find_loader(workspace) is not None,
        loader_log=companion.read_loader_log(workspace),
        home_dir=workspace.settings.home_dir,
    )


def known_records(workspace: Workspace) -> list[Path]:
    """The records of every program that a profile, or we, lead to."""
    profiles = list_profiles(workspace.settings.home_dir)
    return [*(path for profile in profiles for path in profile.record_paths), *companion.companion_records(workspace)]


def watch_all(workspace: Workspace, report: UpReport, *, on_loss: Callable[[str], None]) -> None:
    """Stays until Ctrl-C; tells once of each part that ends by itself."""
    watched = [*(server.name for server in report.servers), *(["studio"] if report.url else [])]
    never = threading.Event()
    while True:
        never.wait(2.0)
        lost = [name for name in watched if not _has_process(workspace, name)]
        watched = [name for name in watched if name not in lost]
        for name in lost:
            on_loss(name)


def _choose_servers(workspace: Workspace) -> tuple[list[str], list[str]]:
    """The servers that `up` is responsible for, with profiles made; and what cannot run here."""
    names, missing = [], []
    for name in servers.UP_NAMES:
        lack = _lack(workspace, name)
        if lack:
            missing.append(lack)
        else:
            names.append(name)
    if not names:
        raise UnsupportedError(
            "a server on this machine", needs="the extra lite at least", has="; ".join(missing),
            hint="pip install 'milvuslab[lite]', or use a remote one: milvuslab server add NAME --kind remote --uri URI",
        )  # fmt: skip
    return names, missing


def _lack(workspace: Workspace, name: str) -> str:
    """Why the server cannot run here; empty when it can, and then it has a profile."""
    try:
        servers.check_platform(servers.open_profile(workspace, name))
    except UnsupportedError as error:
        return f"{error.message}; {error.hint}" if error.hint else error.message
    return ""


def _default_server(workspace: Workspace, names: list[str]) -> str:
    """The server that the studio and the samples use: the chosen one, or what runs here instead of the default."""
    chosen = workspace.server_name()
    return names[0] if workspace.settings.origins["server"] == "default" and chosen not in names else chosen


def _start_parts(
    workspace: Workspace,
    names: list[str],
    *,
    default: str,
    missing: list[str],
    observer: Observer,
    on_stop: Callable[[], object],
) -> tuple[dict[str, ServerStatus], StudioStatus | None]:
    """Servers and studio side by side: the studio answers while servers still start."""
    work: dict[str, Callable[[Observer], Any]] = {
        name: functools.partial(servers.start, workspace, name)
        for name in dict.fromkeys([*names, *_local(workspace, default)])
    }
    if has_extra("studio"):
        companion.start_studio(workspace, server_name=default)
        timeout_s = max(_STUDIO_TIMEOUT_S, workspace.settings.start_timeout_s)
        work["studio"] = lambda observe: companion.wait_for_studio(workspace, timeout_s=timeout_s, observer=observe)
    else:
        missing.append("the studio needs the extra studio: pip install 'milvuslab[studio]'")
    stop_timeout_s = workspace.settings.stop_timeout_s + 10
    results = run_together(work, observer=observer, stop_timeout_s=stop_timeout_s, on_stop=on_stop)
    return results, results.pop("studio", None)


def _local(workspace: Workspace, name: str) -> list[str]:
    """The server that was chosen, when it is one that we start."""
    return [name] if name in servers.list_local_names(workspace) else []


def _take_back(workspace: Workspace, before: set[str]) -> None:
    """Stops what runs now and did not before."""
    stop_started(workspace, tuple(_running(workspace) - before))


def _running(workspace: Workspace) -> set[str]:
    """Names of our parts that have a process now."""
    names = [*servers.list_local_names(workspace), "studio", "loader"]
    return {name for name in names if _has_process(workspace, name)}


def _has_process(workspace: Workspace, name: str) -> bool:
    if name == "studio":
        return companion.find_studio_process(workspace) is not None
    if name == "loader":
        return companion.find_loader(workspace) is not None
    return servers.has_process(workspace, name)


def _collections_or_problem(
    workspace: Workspace, name: str, timeout_s: float, observer: Observer
) -> tuple[tuple[CollectionSummary, ...], str]:
    del observer  # nothing in here takes long
    try:
        with servers.connect_to(workspace, name, timeout_s=timeout_s, is_patient=False) as gateway:
            return tuple(collect_contents(gateway)), ""
    except MilvusLabError as error:
        return (), error.message


def _lock_path(workspace: Workspace) -> Path:
    return Path(workspace.settings.home_dir) / "up.lock"


def _shallow(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
