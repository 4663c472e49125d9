"""A lock between processes: held by a file, released by the system when its holder dies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from milvuslab.machine.polling import poll_until
from milvuslab.model.errors import ConflictError

__all__ = ["hold_lock", "open_lock"]


@contextlib.contextmanager
def hold_lock(path: Path, *, timeout_s: float, doing: str) -> Iterator[None]:
    """Holds the lock while the block runs. The file stays: removing it would let two holders in.

    Args:
        path: the lock's file; its folder is made.
        timeout_s: how long to wait for another holder.
        doing: what the lock protects, for the message: `starting server lite`.

    Raises:
        ConflictError: another process still holds it.
    """
    with open_lock(path, timeout_s=timeout_s, doing=doing):
        yield


def open_lock(path: Path, *, timeout_s: float, doing: str) -> IO[bytes]:
    """The lock as an open file: it is held until the file is closed, or its process ends.

    Raises:
        ConflictError: another process still holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("ab")
    if not poll_until(lambda: _take(file), timeout_s=timeout_s):
        file.close()
        raise ConflictError(
            f"another process has been {doing} for more than {timeout_s:.0f} s",
            hint=f"wait for it, or find it with: lsof {path}",
        )
    return file


def _take(file: IO[bytes]) -> bool:
    import fcntl  # not on Windows, where modules must still import

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
