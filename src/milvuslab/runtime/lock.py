"""A lock between processes: held by a file, released by the system when its holder dies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from milvuslab.model.errors import ConflictError
from milvuslab.runtime.polling import poll_until

__all__ = ["hold_lock"]


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
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if not poll_until(lambda: _take(file), timeout_s=timeout_s):
            raise ConflictError(
                f"another process has been {doing} for more than {timeout_s:.0f} s",
                hint=f"wait for it, or find it with: lsof {path}",
            )
        yield


def _take(file: IO[bytes]) -> bool:
    import fcntl  # not on Windows, where modules must still import

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
