"""The server that a scale run makes for itself: a standalone whose segments are as large as our files.

With the usual settings 2.3.5 cuts what it loads at 512 MB, leaves the rest of each file as a small segment, merges the
small ones later and builds their indexes a second time: of 829 s for ten files of a million rows more than half.
Here each file is one segment and nothing is merged, so each index is built once.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from milvuslab.gateway.readiness import check_ready
from milvuslab.model.errors import ConfigError, NotFoundError, UnsupportedError
from milvuslab.model.progress import Observer, silent
from milvuslab.model.server import Endpoint, ServerKind
from milvuslab.model.settings import Settings
from milvuslab.runtime import (
    Option,
    Profile,
    add_standalone,
    endpoint_of,
    read_profile,
    remove_server,
    start_server,
    stop_server,
)

__all__ = ["SERVER_NAME", "ScaleServer", "open_server", "scale_options", "withdraw_server"]

SERVER_NAME = "scale"
_SEGMENT_MB = 4_096
"""Above `PART_BYTES_MAX` with its keys, so that no file is cut."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScaleServer:
    """A running server of a scale run.

    Attributes:
        profile: its profile.
        endpoint: where it listens.
        pid: its process.
        folder: its files, on the disk that the rows go to.
    """

    profile: Profile
    endpoint: Endpoint
    pid: int
    folder: Path


def scale_options(*, core_count: int) -> tuple[Option, ...]:
    """What such a server has in `milvus.yaml` besides the usual, each with its reason."""
    return (
        Option(
            path="dataCoord.segment.maxSize",
            value=_SEGMENT_MB,
            reason="MB; a bulk load begins a new segment where one file passes it. Each of our files stays below, so a "
            "file is a segment",
        ),
        Option(
            path="dataCoord.enableCompaction",
            value=False,
            reason="merging segments after a load builds their indexes a second time",
        ),
        Option(
            path="indexNode.scheduler.buildParallel",
            value=core_count,
            reason="one build keeps about one core and a half busy: on two cores two builds at once waste neither",
        ),
        Option(
            path="dataCoord.gc.interval",
            value=60,
            reason="seconds; with the default of 3600 and the next row, files of a dropped collection stay for hours",
        ),
        Option(
            path="dataCoord.gc.dropTolerance",
            value=30,
            reason="seconds; the default of 10800 keeps dropped rows on disk for 3 hours",
        ),
    )


def open_server(
    settings: Settings, *, name: str = SERVER_NAME, core_count: int, observer: Observer = silent
) -> ScaleServer:
    """The server of that name, started; it is made when it is not there.

    Raises:
        ConfigError: a server of that name has other settings.
        UnsupportedError: no standalone runs on this machine.
        StartError: it did not become ready.
    """
    options = {option.path: option.value for option in scale_options(core_count=core_count)}
    try:
        profile = read_profile(settings.home_dir, name)
    except NotFoundError:
        profile = add_standalone(settings.home_dir, name, options=options)
    if profile.kind is not ServerKind.STANDALONE:
        raise UnsupportedError("a scale run", needs="a standalone server of this machine", has=f"a {profile.kind} one")
    if dict(profile.options) != options:
        raise ConfigError(
            f"server {name} was not made for a scale run on {core_count} cores: its segments would be cut and merged",
            hint=f"leave out --server, or: milvuslab server remove {name} --yes",
        )
    status = start_server(profile, settings=settings, is_ready=check_ready, observer=observer)
    assert status.pid is not None, "a started server has a process"
    return ScaleServer(profile=profile, endpoint=endpoint_of(profile), pid=status.pid, folder=profile.folder)


def withdraw_server(server: ScaleServer, *, settings: Settings, observer: Observer = silent) -> None:
    """Stops the server and removes it with all its data."""
    stop_server(server.profile, settings=settings, observer=observer)
    remove_server(server.profile)
