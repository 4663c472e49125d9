"""What a drill found, as one value: what broke, how long each operation was away, what became of the data, and whether that is good.

A drill passes when the fault was seen to happen, the server was healed, the ledger is clean, and no limit is passed. A control
has the opposite burden: without a fault nothing may fail, and with a seeded defect the verdict must not be good.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from milvuslab.journal.checker import CheckReport
from milvuslab.ops.drill.faults import Evidence
from milvuslab.ops.drill.timeline import OPERATIONS, OperationReport

__all__ = ["Control", "Limits", "Round", "Verdict", "compute_p95", "judge"]

Control = Literal["", "no-fault", "defect"]
_WRITES = ("insert", "upsert", "delete")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a drill may cost; None means that it is reported only.

    Attributes:
        search_gap_s: longest time without a successful search.
        write_gap_s: the same of each kind of write.
        search_recovery_s: from the fault until searches succeed again, the 95th percentile over rounds.
        write_recovery_s: the same of each kind of write.
        search_availability_ratio: least share of searches that succeed in a round.
        search_after_mending_s: from the beginning of mending until searches succeed again.
    """

    search_gap_s: float | None = None
    write_gap_s: float | None = None
    search_recovery_s: float | None = None
    write_recovery_s: float | None = None
    search_availability_ratio: float | None = None
    search_after_mending_s: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One time the server was broken and healed.

    Attributes:
        begin_s: seconds since the beginning of the drill.
        end_s: of it.
        evidence: that it happened.
        is_healed: whether everything ran and answered again.
        heal_s: how long mending took, from its beginning until a search was answered.
        operations: how each fared.
    """

    begin_s: float
    end_s: float
    evidence: Evidence
    is_healed: bool
    heal_s: float
    operations: Mapping[str, OperationReport]

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The whole finding.

    Attributes:
        drill: its name.
        title: one line for a person.
        server: that was broken.
        server_version: of Milvus.
        control: which control it was; empty for the drill itself.
        started_at: when, ISO 8601 in UTC.
        duration_s: all of it.
        rate_per_s: calls of each operation.
        timeout_s: deadline of a call.
        rounds: every time it was broken.
        data: ledger against server.
        findings: why it does not pass; empty when it does.
        advice: what to change so that the next time is shorter.
    """

    drill: str
    title: str
    server: str
    server_version: str
    control: Control
    started_at: str
    duration_s: float
    rate_per_s: float
    timeout_s: float
    rounds: tuple[Round, ...]
    data: CheckReport
    findings: tuple[str, ...]
    advice: tuple[str, ...]

    @property
    def is_passed(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.findings

    @property
    def is_right(self) -> bool:
        """Whether it is what it should be: a control with a defect must not pass."""
        return self.is_passed != (self.control == "defect")

    def recovery_s_p95(self, operation: str) -> float | None:
        """The 95th percentile over rounds; None when an operation did not come back in one."""
        return compute_p95([one.operations[operation].recovery_s for one in self.rounds])

    def gap_s_max(self, operation: str) -> float:
        """The longest time without a success in any round."""
        return max((one.operations[operation].gap_s for one in self.rounds), default=0.0)

    def wrong_count(self, operation: str) -> int:
        """Calls of all rounds that were answered, but not with what is there."""
        return sum(one.operations[operation].wrong_count for one in self.rounds)

    def availability_ratio(self, operation: str) -> float:
        """Share of all calls of all rounds that succeeded."""
        reports = [one.operations[operation] for one in self.rounds]
        return sum(one.ok_count for one in reports) / max(1, sum(one.probe_count for one in reports))

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        together = {
            operation: {
                "availability_ratio": self.availability_ratio(operation),
                "wrong_count": self.wrong_count(operation),
                "gap_s_max": self.gap_s_max(operation),
                "recovery_s_p95": self.recovery_s_p95(operation),
            }
            for operation in OPERATIONS
        }
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {
            **values,
            "rounds": [one.as_dict() for one in self.rounds],
            "data": self.data.as_dict(),
            "operations": together,
            "is_passed": self.is_passed,
            "is_right": self.is_right,
        }


def judge(rounds: Sequence[Round], data: CheckReport, *, limits: Limits, control: Control) -> tuple[str, ...]:
    """Why these rounds and these data are not good; nothing when they are."""
    findings = [
        finding
        for number, one in enumerate(rounds, start=1)
        for finding in _judge_round(one, where=f"round {number}: " if len(rounds) > 1 else "", control=control)
    ]
    findings += _judge_limits(rounds, limits=Limits() if control else limits)
    findings += [f"data: {count} {kind}" for kind, count in data.counts.items() if count]
    if not data.acknowledged_count:
        findings.append("data: no write was acknowledged, so nothing is proven")
    return tuple(findings)


def compute_p95(values: Sequence[float | None]) -> float | None:
    """The smallest value that 95 % do not pass; None where one of them has none, or there are none.

    >>> compute_p95([4.0, 1.0, 3.0, 2.0])
    4.0
    """
    known = sorted(value for value in values if value is not None)
    if not known or len(known) < len(values):
        return None
    return known[math.ceil(0.95 * len(known)) - 1]


def _judge_round(one: Round, *, where: str, control: Control) -> Iterable[str]:
    if not one.evidence.happened:
        yield f"{where}the fault was not seen to happen: {'; '.join(one.evidence.notes)}"
    if not one.is_healed:
        yield f"{where}the server was not healed"
    for operation, report in one.operations.items():
        if report.wrong_count:
            yield f"{where}{report.wrong_count} calls of {operation} were answered, but not with what is there"
        if report.recovery_s is None:
            yield f"{where}{operation} did not come back"
        if control and report.ok_count < report.probe_count:
            failed = report.probe_count - report.ok_count
            yield f"{where}{failed} of {report.probe_count} calls of {operation} failed although nothing was broken"


def _judge_limits(rounds: Sequence[Round], *, limits: Limits) -> Iterable[str]:
    for operations, gap_s, recovery_s in (
        (("search",), limits.search_gap_s, limits.search_recovery_s),
        (_WRITES, limits.write_gap_s, limits.write_recovery_s),
    ):
        for operation in operations:
            reports = [one.operations[operation] for one in rounds]
            longest_s = max(report.gap_s for report in reports)
            if gap_s is not None and longest_s > gap_s:
                yield f"{operation} was away for {longest_s:.1f} s, more than {gap_s:g} s"
            p95_s = compute_p95([report.recovery_s for report in reports])
            if recovery_s is not None and p95_s is not None and p95_s > recovery_s:
                yield f"{operation} was back after {p95_s:.1f} s (p95), later than {recovery_s:g} s"
    for one in rounds:
        back_s, ended_s = one.operations["search"].recovery_s, one.evidence.ended_at_s
        if limits.search_after_mending_s is not None and back_s is not None and ended_s is not None:
            late_s = back_s - (ended_s - one.evidence.struck_at_s)
            if late_s > limits.search_after_mending_s:
                yield f"search was back {late_s:.1f} s after mending began, later than {limits.search_after_mending_s:g} s"
    least = limits.search_availability_ratio
    for number, one in enumerate(rounds, start=1):
        ratio = one.operations["search"].availability_ratio
        if least is not None and ratio < least:
            yield f"round {number}: {ratio:.2%} of searches succeeded, less than {least:.2%}"
