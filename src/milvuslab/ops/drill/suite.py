"""Drills by name: on a server of their own unless one is named, one after the other, with their controls."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milvuslab.machine.lock import hold_lock
from milvuslab.model.errors import MilvusLabError, NotFoundError, UnsupportedError
from milvuslab.model.progress import Observer, silent
from milvuslab.ops import clusters, servers
from milvuslab.ops.drill.drills import DRILLS, Drill, get_drill
from milvuslab.ops.drill.run import run_drill
from milvuslab.ops.drill.small_disk import mount_small_disk
from milvuslab.ops.drill.stage import Stage, open_stage
from milvuslab.ops.drill.timeline import Probe
from milvuslab.ops.drill.verdict import Control, Verdict
from milvuslab.runtime import list_profiles
from milvuslab.runtime.cluster import make_spec

if TYPE_CHECKING:
    from milvuslab.ops.workspace import Workspace

__all__ = ["heal", "list_reports", "read_report", "run_named", "run_suite"]


def run_named(
    workspace: Workspace,
    name: str,
    *,
    server: str = "",
    control: Control = "",
    round_count: int = 1,
    rate_per_s: float = 10.0,
    timeout_s: float = 1.0,
    observer: Observer = silent,
    observe: Callable[[Probe], None] = lambda _: None,
) -> Verdict:
    """One drill and its verdict; a server that was made for it is stopped again.

    Args:
        workspace: gives settings and profiles.
        name: of the drill.
        server: to break; empty makes one for drills.
        control: `no-fault` or `defect` instead of the fault.
        round_count: how often it is broken and healed.
        rate_per_s: calls of each operation.
        timeout_s: deadline of a call.
        observer: is told the steps.
        observe: is given each probe.

    Raises:
        NotFoundError: there is no drill, or no server, of that name.
        UnsupportedError: this machine or this server cannot do that; nothing was broken.
        ConflictError: another drill runs in this workspace.
    """
    drill = get_drill(name)
    with _hold(workspace), _open(workspace, drill, server=server, observer=observer) as stage:
        return run_drill(
            stage, drill, folder=_name_folder(workspace, drill.name, control), control=control,
            round_count=round_count, rate_per_s=rate_per_s, timeout_s=timeout_s, observer=observer, observe=observe,
        )  # fmt: skip


def run_suite(
    workspace: Workspace,
    names: Sequence[str] = (),
    *,
    has_controls: bool = True,
    observer: Observer = silent,
) -> Iterator[Verdict | tuple[str, MilvusLabError]]:
    """The verdict of each drill, or its name and why it could not be run; both controls come first.

    Args:
        workspace: gives settings and profiles.
        names: drills; empty takes all.
        has_controls: whether `kill` is run without a fault and with a defect before anything is believed.
        observer: is told the steps.
    """
    controls: tuple[Control, ...] = ("no-fault", "defect") if has_controls else ()
    chosen: list[tuple[Drill, Control]] = [(get_drill("kill"), control) for control in controls]
    chosen += [(get_drill(name), "") for name in names or DRILLS]
    with _hold(workspace):
        for _, group in itertools.groupby(chosen, key=lambda one: one[0].own_server):
            yield from _run_group(workspace, list(group), observer=observer)


def _run_group(
    workspace: Workspace, group: Sequence[tuple[Drill, Control]], *, observer: Observer
) -> Iterator[Verdict | tuple[str, MilvusLabError]]:
    """Drills that share a server, which is started once for all of them."""
    with contextlib.ExitStack() as stack:
        try:
            stage = stack.enter_context(_open(workspace, group[0][0], server="", observer=observer))
        except UnsupportedError as error:
            yield from ((drill.name, error) for drill, _ in group)
            return
        for drill, control in group:
            yield _run_or_say(stage, drill, control=control, observer=observer)


def _run_or_say(
    stage: Stage, drill: Drill, *, control: Control, observer: Observer
) -> Verdict | tuple[str, MilvusLabError]:
    try:
        return run_drill(
            stage, drill, folder=_name_folder(stage.workspace, drill.name, control), control=control, observer=observer
        )
    except UnsupportedError as error:
        return drill.name, error


def heal(workspace: Workspace, server: str, *, observer: Observer = silent) -> None:
    """Mends whatever a drill that was killed left broken.

    Raises:
        NotFoundError: there is no server of that name.
    """
    open_stage(workspace, server, observer=observer)


def list_reports(workspace: Workspace) -> list[Path]:
    """Folders of the drills that came to a verdict, oldest first."""
    return sorted(path.parent for path in _folder(workspace).glob("*/verdict.json"))


def read_report(workspace: Workspace, name: str) -> dict[str, Any]:
    """The verdict in a folder of `list_reports`, as JSON holds it.

    Raises:
        NotFoundError: there is none of that name.
    """
    for folder in list_reports(workspace):
        if folder.name == name:
            found: dict[str, Any] = json.loads((folder / "verdict.json").read_text("utf-8"))
            return found
    raise NotFoundError(f"there is no drill report {name}", hint="milvuslab drill reports")


@contextlib.contextmanager
def _open(workspace: Workspace, drill: Drill, *, server: str, observer: Observer) -> Iterator[Stage]:
    """The named server, or one made for the drill, which is stopped afterwards."""
    if server:
        stage = open_stage(workspace, server, observer=observer)
        _check_kind(stage, drill)
        yield stage
        return
    name = drill.own_server
    with contextlib.ExitStack() as stack:
        if drill.server == "cluster":
            stack.callback(_stop, workspace, name)
            clusters.bring_up(workspace, name, spec=make_spec(drill.cluster, source=drill.name), observer=observer)
        else:
            _make_standalone(workspace, name)
            if drill.has_small_disk:
                folder = workspace.settings.home_dir / "servers" / name
                stack.enter_context(mount_small_disk(folder / "data"))
            stack.callback(_stop, workspace, name)
        yield open_stage(workspace, name, observer=observer)


def _make_standalone(workspace: Workspace, name: str) -> None:
    known = {profile.name for profile in list_profiles(workspace.settings.home_dir)}
    if name not in known:
        servers.add_server(workspace, name, kind="standalone")


def _stop(workspace: Workspace, name: str) -> None:
    with contextlib.suppress(NotFoundError):  # it was never made
        servers.stop(workspace, name)


def _check_kind(stage: Stage, drill: Drill) -> None:
    has = "cluster" if stage.is_cluster else "standalone"
    if drill.server != has:
        raise UnsupportedError(f"the drill {drill.name}", needs=f"a {drill.server} server", has=f"a {has} one")
    if drill.has_small_disk:
        raise UnsupportedError(
            f"the drill {drill.name}", needs="a small disk of its own", has=f"the disk of server {stage.profile.name}",
            hint=f"milvuslab drill run {drill.name}, without --server",
        )  # fmt: skip


def _hold(workspace: Workspace) -> contextlib.AbstractContextManager[None]:
    return hold_lock(_folder(workspace) / "drill.lock", timeout_s=0.5, doing="running a drill")


def _folder(workspace: Workspace) -> Path:
    folder: Path = workspace.settings.home_dir / "drills"
    return folder


def _name_folder(workspace: Workspace, name: str, control: str) -> Path:
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    return _folder(workspace) / "-".join(part for part in (stamp, name, control) if part)
