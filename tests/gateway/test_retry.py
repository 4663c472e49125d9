"""Retries are counted, bounded in time, and only of what is harmless."""

import random

import pytest

from milvuslab.gateway.retry import RetryPolicy, may_retry, run_with_retry
from milvuslab.model.errors import NotFoundError, RateLimitedError, RejectedError, TimedOutError, UnreachableError


class Clock:
    """A clock that moves when somebody pauses."""

    def __init__(self):
        self.now = 0.0
        self.pauses = []

    def __call__(self):
        return self.now

    def pause(self, duration_s):
        self.pauses.append(duration_s)
        self.now += duration_s


def run(outcomes, *, policy=None, is_idempotent=False):
    """Runs a call that has these outcomes in turn; returns what came out, the calls made and the clock."""
    clock, left = Clock(), list(outcomes)

    def call():
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def go():
        return run_with_retry(
            call,
            policy=policy or RetryPolicy(),
            is_idempotent=is_idempotent,
            dice=random.Random(0),
            now_s=clock,
            pause=clock.pause,
        )

    return go, left, clock


def test_a_passing_failure_is_tried_again():
    go, left, clock = run([UnreachableError("away"), RateLimitedError("slow down"), "answer"])
    assert go() == "answer"
    assert not left
    assert len(clock.pauses) == 2


@pytest.mark.parametrize("error", [RejectedError("no"), NotFoundError("no"), TimedOutError("late")])
def test_what_is_final_is_not_tried_again(error):
    go, left, clock = run([error, "answer"])
    with pytest.raises(type(error)):
        go()
    assert (left, clock.pauses) == (["answer"], [])


def test_a_lost_answer_is_asked_for_again_only_where_that_is_harmless():
    go, _, _ = run([TimedOutError("late"), "answer"], is_idempotent=True)
    assert go() == "answer"
    assert not may_retry(TimedOutError("late"), is_idempotent=False)


def test_the_count_is_kept():
    go, left, clock = run([UnreachableError(str(number)) for number in range(9)], policy=RetryPolicy(attempt_count=3))
    with pytest.raises(UnreachableError, match="2"):
        go()
    assert (len(left), len(clock.pauses)) == (6, 2)


def test_the_total_time_is_kept():
    policy = RetryPolicy(attempt_count=1_000, total_s=5.0, first_pause_s=1.0, longest_pause_s=1.0, jitter_ratio=0.0)
    go, _, clock = run([UnreachableError("away")] * 1_000, policy=policy)
    with pytest.raises(UnreachableError):
        go()
    assert clock.now == pytest.approx(5.0)


def test_pauses_grow_to_a_ceiling_and_differ():
    policy = RetryPolicy(first_pause_s=0.1, longest_pause_s=1.0, jitter_ratio=0.5)
    dice = random.Random(1)
    for attempt, ceiling in ((1, 0.1), (2, 0.2), (3, 0.4), (4, 0.8), (5, 1.0), (60, 1.0)):
        pauses = {policy.pause_s(attempt, dice) for _ in range(20)}
        assert len(pauses) > 1
        assert all(ceiling / 2 <= pause <= ceiling for pause in pauses)


def test_never_is_one_attempt():
    go, left, _ = run([UnreachableError("away"), "answer"], policy=RetryPolicy.never())
    with pytest.raises(UnreachableError):
        go()
    assert left == ["answer"]
