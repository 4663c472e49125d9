"""When a call may be tried again: a count, a total deadline, growing pauses with jitter.

Only errors whose class says `retryable` are tried again, and lost or late answers (`TimedOutError`) of calls that
change nothing. Everything else is final. The clock and the dice are passed in.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable
from typing import TypeVar

from milvuslab.gateway.polling import pause_for
from milvuslab.model.errors import MilvusLabError, TimedOutError

__all__ = ["RetryPolicy", "may_retry", "run_with_retry"]

_Answer = TypeVar("_Answer")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and for how long.

    Attributes:
        attempt_count: calls made in all; 1 means no second try.
        total_s: no try begins after so long, whatever the count says.
        first_pause_s: pause before the second try; doubles each time, up to `longest_pause_s`.
        longest_pause_s: ceiling of one pause.
        jitter_ratio: each pause is shortened at random by up to this share, so that clients do not march in step.
    """

    attempt_count: int = 4
    total_s: float = 15.0
    first_pause_s: float = 0.1
    longest_pause_s: float = 2.0
    jitter_ratio: float = 0.5

    def __post_init__(self) -> None:
        assert self.attempt_count >= 1, "a call is made at least once"
        assert 0 <= self.jitter_ratio <= 1, "jitter is a share"

    @classmethod
    def never(cls) -> RetryPolicy:
        """One attempt: for probes, drills and benchmarks, which want to see every failure."""
        return cls(attempt_count=1)

    def pause_s(self, attempt: int, dice: random.Random) -> float:
        """How long to wait after the attempt of that number, counted from 1."""
        pause = min(self.longest_pause_s, self.first_pause_s * 2 ** (attempt - 1))
        return float(pause * (1 - self.jitter_ratio * dice.random()))


def may_retry(error: MilvusLabError, *, is_idempotent: bool) -> bool:
    """Whether a second try is harmless and has a chance."""
    return error.retryable or (is_idempotent and isinstance(error, TimedOutError))


def run_with_retry(
    call: Callable[[], _Answer],
    *,
    policy: RetryPolicy,
    is_idempotent: bool,
    dice: random.Random,
    now_s: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = pause_for,
) -> _Answer:
    """What `call` answers, after as many tries as the policy allows.

    Raises:
        MilvusLabError: of the last try.
    """
    begun_s = now_s()
    attempt = 0
    while True:
        attempt += 1
        try:
            return call()
        except MilvusLabError as error:
            pause_s = policy.pause_s(attempt, dice)
            is_spent = attempt >= policy.attempt_count or now_s() - begun_s + pause_s > policy.total_s
            if is_spent or not may_retry(error, is_idempotent=is_idempotent):
                raise
        pause(pause_s)
