"""A server that is measured: a connection, a look at its processes, and the folder its data lie in."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from milvuslab.bench.server_side import ServerWatch

if TYPE_CHECKING:
    from milvuslab.gateway import Gateway

__all__ = ["MeasuredServer", "ServerSource", "list_index_files"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredServer:
    """A server that answers.

    Attributes:
        gateway: the connection.
        watch: looks at its processes; not entered yet.
        data_dir: where its data lie on this machine; None where they do not.
    """

    gateway: Gateway
    watch: ServerWatch
    data_dir: Path | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerSource:
    """A server by name that is opened when its turn comes and, if we started it, stopped afterwards.

    Attributes:
        name: the profile's.
        open: gives the running server for the time of a `with`.
    """

    name: str
    open: Callable[[], AbstractContextManager[MeasuredServer]]


def list_index_files(data_dir: Path | None) -> dict[Path, int]:
    """Size of each index file in a server's folder; empty where the folder cannot be seen.

    Milvus with local storage keeps them below `index_files` (measured on 2.2.16 and 2.3.5), Lite as `.idx` beside the
    rows (read in 3.2.2). Those of a dropped index stay until the server collects its garbage: compare before and after.
    """
    if data_dir is None or not data_dir.is_dir():
        return {}
    found: dict[Path, int] = {}
    for path in data_dir.rglob("*"):
        if path.suffix == ".idx" or "index_files" in path.parts:
            try:
                if path.is_file():
                    found[path] = path.stat().st_size
            except OSError:  # the server removed it between listing and looking
                continue
    return found
