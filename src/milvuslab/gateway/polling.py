"""Waiting for a server: ask, pause, ask again, until a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable

from milvuslab.model.errors import TimedOutError

__all__ = ["pause_for", "poll"]

_PAUSE_LONGEST_S = 0.5


def poll(
    is_done: Callable[[], bool],
    *,
    what: str,
    timeout_s: float,
    first_pause_s: float = 0.01,
    now_s: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] | None = None,
) -> None:
    """Returns once `is_done` says so; pauses grow from 10 ms to half a second.

    Raises:
        TimedOutError: it did not in time; the server goes on working.
    """
    deadline_s = now_s() + timeout_s
    pause_s = first_pause_s
    while not is_done():
        left_s = deadline_s - now_s()
        if left_s <= 0:
            raise TimedOutError(
                f"{what} is not done after {timeout_s:g} s", hint="the server goes on; ask again later or wait longer"
            )
        (pause or pause_for)(min(pause_s, left_s))
        pause_s = min(_PAUSE_LONGEST_S, pause_s * 1.5)


def pause_for(duration_s: float) -> None:
    """Waits; only between two looks at a server."""
    time.sleep(duration_s)
