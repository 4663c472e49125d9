"""The time that a run sees: the machine's, or one that a test turns by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Clock", "MonotonicClock"]

_NAP_LONGEST_S = 0.2


class Clock(Protocol):
    """What the driver asks of time. Nanoseconds of a clock that never goes back; its zero means nothing."""

    def now_ns(self) -> int:
        """The time now."""

    def cpu_s(self) -> float:
        """CPU time of this process so far, all threads."""

    def sleep_until_ns(self, when_ns: int, *, is_over: Callable[[], bool]) -> None:
        """Returns at that time, at once when it has gone by, and soon when `is_over` turns true."""

    def wait(self, changed: threading.Condition, is_true: Callable[[], bool]) -> None:
        """Returns once `is_true`, asked when `changed` is notified; the caller holds `changed`."""


class MonotonicClock:
    """The machine's clock.

    Waiting is one sleep of the kernel, which ends some 60 us late on Linux. There is no spinning: on a machine that
    runs the server too, a core that spins is a core the server lacks, and a thread that spins holds Python's lock
    while answers wait for it.
    """

    def now_ns(self) -> int:
        """`time.monotonic_ns`."""
        return time.monotonic_ns()

    def cpu_s(self) -> float:
        """`time.process_time`."""
        return time.process_time()

    def sleep_until_ns(self, when_ns: int, *, is_over: Callable[[], bool]) -> None:
        """Sleeps, in naps short enough to notice the end."""
        while (left_s := (when_ns - time.monotonic_ns()) * 1e-9) > 0 and not is_over():
            time.sleep(min(left_s, _NAP_LONGEST_S))

    def wait(self, changed: threading.Condition, is_true: Callable[[], bool]) -> None:
        """Waits without a bound: every request has its own deadline."""
        changed.wait_for(is_true)
