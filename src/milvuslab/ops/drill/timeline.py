"""What clients saw: each call with its time and outcome, and how long an operation was away. Pure.

A dead server counts no failures of its own, so availability is what probes at a fixed rate get (measured: `node_id` and
counters of Milvus begin anew with each process). A probe counts from the moment it was due, so one that had to
wait for a stalled one before it is late, not left out.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["OPERATIONS", "WRONG_ANSWER", "OperationReport", "Probe", "count_by_second", "measure_operation"]

OPERATIONS = ("insert", "upsert", "delete", "search", "query")
WRONG_ANSWER = "wrong answer"
"""How the failure of a call begins that was answered without an error, and not with what is there."""
_STEADY_S = 3.0
"""An operation is back when no probe fails for this long."""
_ERRORS_SHOWN = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Probe:
    """One call.

    Attributes:
        operation: one of `OPERATIONS`.
        due_s: when it was to be sent, seconds since the beginning of the drill.
        done_s: when its answer, its failure or its deadline came.
        is_ok: whether it did what was asked, with the right content.
        error: the failure in short; empty for a success.
    """

    operation: str
    due_s: float
    done_s: float
    is_ok: bool
    error: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OperationReport:
    """How one operation fared between two moments.

    Attributes:
        operation: which one.
        probe_count: calls that were due.
        ok_count: of them, those that succeeded.
        wrong_count: of them, those that were answered, but not with what is there; they count as failed.
        availability_ratio: `ok_count / probe_count`; 0 when nothing was sent.
        gap_s: the longest time without a success.
        gap_begin_s: when that began, seconds since the beginning of the drill.
        recovery_s: from the fault until calls succeeded and went on doing so for 3 s; 0 when none failed, None when
            that did not come.
        errors: the most frequent failures, with their number.
    """

    operation: str
    probe_count: int
    ok_count: int
    wrong_count: int
    availability_ratio: float
    gap_s: float
    gap_begin_s: float
    recovery_s: float | None
    errors: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def measure_operation(
    probes: Iterable[Probe], operation: str, *, begin_s: float, end_s: float, fault_s: float | None = None
) -> OperationReport:
    """The report of one operation over the probes that were due in `[begin_s, end_s)`.

    Args:
        probes: in any order; those of other operations are left out.
        operation: which one.
        begin_s: of the time that counts.
        end_s: of it.
        fault_s: when the fault struck; None when there was none.
    """
    own = [one for one in probes if one.operation == operation and begin_s <= one.due_s < end_s]
    successes = sorted(one.done_s for one in own if one.is_ok)
    gap_s, gap_begin_s = _longest_gap(successes, begin_s=begin_s, end_s=end_s)
    errors = collections.Counter(one.error for one in own if not one.is_ok)
    return OperationReport(
        operation=operation,
        probe_count=len(own),
        ok_count=len(successes),
        wrong_count=sum(one.error.startswith(WRONG_ANSWER) for one in own),
        availability_ratio=len(successes) / len(own) if own else 0.0,
        gap_s=gap_s,
        gap_begin_s=gap_begin_s,
        recovery_s=_recovery_s(own, fault_s=begin_s if fault_s is None else fault_s, end_s=end_s),
        errors=dict(errors.most_common(_ERRORS_SHOWN)),
    )


def count_by_second(probes: Iterable[Probe], operation: str, *, end_s: float) -> list[tuple[int, int]]:
    """For each whole second, how many probes were due in it and how many of them succeeded."""
    counts = [(0, 0)] * (int(end_s) + 1)
    for one in probes:
        if one.operation == operation and 0 <= one.due_s < len(counts):
            due, ok = counts[int(one.due_s)]
            counts[int(one.due_s)] = (due + 1, ok + one.is_ok)
    return counts


def _longest_gap(successes: Sequence[float], *, begin_s: float, end_s: float) -> tuple[float, float]:
    inside = [moment for moment in successes if begin_s <= moment <= end_s]
    edges = [begin_s, *inside, end_s]
    return max((later - earlier, earlier) for earlier, later in itertools.pairwise(edges))


def _recovery_s(own: Sequence[Probe], *, fault_s: float, end_s: float) -> float | None:
    """From the fault to the first success behind which no probe fails for a while."""
    struck = sorted((one for one in own if one.done_s >= fault_s), key=lambda one: one.done_s)
    failures = [one.done_s for one in struck if not one.is_ok]
    if not failures:
        return 0.0 if struck else None
    for moment in (one.done_s for one in struck if one.is_ok and one.done_s > failures[0]):
        is_steady = not any(moment < failure <= moment + _STEADY_S for failure in failures)
        if is_steady and moment + _STEADY_S <= end_s:
            return moment - fault_s
    return None
