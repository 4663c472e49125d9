"""Servers by name for a comparison: each is started when its turn comes, and stopped when we started it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from milvuslab.model.progress import Observer, silent
from milvuslab.model.server import ServerKind
from milvuslab.ops.measuring import running_server, watch_server
from milvuslab.ops.servers import check_platform, connect_to, open_profile

if TYPE_CHECKING:
    from milvuslab.bench.measured_server import MeasuredServer, ServerSource
    from milvuslab.ops.workspace import Workspace

__all__ = ["COMPARED_SERVERS", "list_sources"]

COMPARED_SERVERS = ("standalone", "milvus-2-2", "lite")
"""Where index types are looked for, in this order: the newest real server, the last one with ANNOY, Lite."""


def list_sources(
    workspace: Workspace, names: Sequence[str] = (), *, observer: Observer = silent
) -> tuple[ServerSource, ...]:
    """The servers as sources that open them.

    Args:
        workspace: gives profiles and folders.
        names: of servers; empty takes those of `COMPARED_SERVERS` that run on this machine.
        observer: told of starts and stops.

    Raises:
        NotFoundError: there is no server of a name.
        UnsupportedError: one that was named does not run on this machine.
    """
    from milvuslab.bench.measured_server import ServerSource
    from milvuslab.model.errors import UnsupportedError

    found = []
    for name in names or COMPARED_SERVERS:
        try:
            check_platform(open_profile(workspace, name))
        except UnsupportedError:
            if names:
                raise
            continue
        found.append(ServerSource(name=name, open=functools.partial(_open, workspace, name, observer)))
    return tuple(found)


@contextlib.contextmanager
def _open(workspace: Workspace, name: str, observer: Observer) -> Iterator[MeasuredServer]:
    from milvuslab.bench.measured_server import MeasuredServer

    with running_server(workspace, name, observer), connect_to(workspace, name) as gateway:
        profile = open_profile(workspace, name)
        data_dir = None if profile.kind is ServerKind.REMOTE else profile.folder / "data"
        yield MeasuredServer(gateway=gateway, watch=watch_server(workspace, name), data_dir=data_dir)
