"""The one place of this room that waits; each caller has a deadline of its own."""

from __future__ import annotations

import time

__all__ = ["pause"]


def pause(duration_s: float) -> None:
    """Lets other processes work for a moment before the next look."""
    time.sleep(duration_s)
