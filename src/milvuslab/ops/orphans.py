"""Programs of ours that no profile leads to any more: somebody deleted a server's folder while it ran."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection
from pathlib import Path

import psutil

__all__ = ["Orphan", "find_orphans", "stop_orphans"]

_MARK = "_MILVUSLAB_PROGRAM"
"""Name in the environment of every program that `runtime.program` starts; its value is the path of the record."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A process whose record lies below our home folder and belongs to nothing we know.

    Attributes:
        pid: its process id.
        record_path: of the record it was started with.
    """

    pid: int
    record_path: Path


def find_orphans(home_dir: Path, *, known: Collection[Path]) -> list[Orphan]:
    """Our processes below `home_dir` whose record is none of `known`."""
    home, expected = home_dir.resolve(), {path.resolve() for path in known}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            mark = process.environ().get(_MARK, "")
            path = Path(mark)
            if mark and path not in expected and path.is_relative_to(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(Orphan(pid=process.pid, record_path=path))
    return found


def stop_orphans(orphans: Collection[Orphan], *, timeout_s: float) -> None:
    """Ends them: SIGTERM, `timeout_s`, SIGKILL."""
    processes = []
    for orphan in orphans:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(orphan.pid)
            if process.environ().get(_MARK) == str(orphan.record_path):
                process.terminate()
                processes.append(process)
    _, living = psutil.wait_procs(processes, timeout=timeout_s)
    for process in living:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(living, timeout=5)
