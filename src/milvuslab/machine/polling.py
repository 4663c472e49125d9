"""The room's one waiting place: ask again until an answer or a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["poll_until"]

_Answer = TypeVar("_Answer")


def poll_until(ask: Callable[[], _Answer | None], *, timeout_s: float, interval_s: float = 0.05) -> _Answer | None:
    """First answer that is true in a condition, or None when `timeout_s` is over; asks at least once."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = ask()
        if answer:
            return answer
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return None
        time.sleep(min(interval_s, left_s))
