"""What a tuning asks for and what it returns: objective, budget, outcome of each candidate, the choice."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from milvuslab.tune.climb import RungRecall
from milvuslab.tune.explanation import Explanation
from milvuslab.tune.measurer import Latency
from milvuslab.tune.space import Candidate, describe_params

__all__ = ["Budget", "Objective", "Outcome", "State", "TuneResult"]

State = Literal["qualified", "too_large", "too_slow", "too_few_queries", "not_shown", "failed"]
"""`qualified` may be chosen. `too_large` and `too_slow` break the budget; `not_shown` does not show the recall;
`too_few_queries` and a `too_large` by formula were never built; `failed` was refused by the server."""


class Objective(str, enum.Enum):
    """What is made small, or large."""

    LATENCY_MS_P50 = "latency_ms_p50"
    LATENCY_MS_P95 = "latency_ms_p95"
    LATENCY_MS_P99 = "latency_ms_p99"
    MEMORY_BYTES = "memory_bytes"
    QPS = "qps"

    @property
    def is_maximised(self) -> bool:
        """Whether more is better."""
        return self is Objective.QPS

    def __str__(self) -> str:
        return self.value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one candidate.

    Attributes:
        candidate: what was tried.
        state: whether it may be chosen, or why not.
        params: the search parameters that were shown to reach the target; None when none were.
        recall: estimate at `params`, or the best that was seen; 1 of an exact index; None when nothing was measured.
        recall_lower: lower confidence bound at `params` from held-out queries; 1 of an exact index.
        rungs: what was found out about each rung of the ladder that was asked.
        latency: of single searches at `params`.
        memory_bytes: of the loaded index on the server as measured; None where that cannot be seen.
        search_count: searches spent on recall, counted by query and rung.
        detail: what was in the way, one sentence; empty when qualified.
    """

    candidate: Candidate
    state: State
    params: Mapping[str, Any] | None = None
    recall: float | None = None
    recall_lower: float | None = None
    rungs: tuple[RungRecall, ...] = ()
    latency: Latency | None = None
    memory_bytes: int | None = None
    search_count: int = 0
    detail: str = ""

    @property
    def label(self) -> str:
        """Index and search parameters in words."""
        return " ".join([self.candidate.label, describe_params(self.params or {})]).strip()

    def value(self, objective: Objective) -> float | None:
        """What the objective says of it; None when that was not measured.

        Memory is the formula's where there is one: what a server grows by is the index and its garbage.
        """
        if objective is Objective.MEMORY_BYTES:
            formula = self.candidate.memory_bytes
            return self.memory_bytes if formula is None else formula
        if self.latency is None:
            return None
        return {
            Objective.LATENCY_MS_P50: self.latency.p50_ms,
            Objective.LATENCY_MS_P95: self.latency.p95_ms,
            Objective.LATENCY_MS_P99: self.latency.p99_ms,
            Objective.QPS: self.latency.qps,
        }[objective]

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON, with the parameters beside each rung."""
        build = self.candidate.build
        return {
            "index_type": build.index_type,
            "field_name": build.field_name,
            "metric": str(build.metric) if build.metric else None,
            "build": dict(build.params),
            "is_exact": self.candidate.is_exact,
            "memory_bytes_estimate": self.candidate.memory_bytes,
            "ladder": [dict(params) for params in self.candidate.ladder],
            "state": self.state,
            "params": dict(self.params) if self.params is not None else None,
            "recall": self.recall,
            "recall_lower": self.recall_lower,
            "rungs": [
                {"params": dict(self.candidate.ladder[one.rung]), **dataclasses.asdict(one)} for one in self.rungs
            ],
            "latency": dataclasses.asdict(self.latency) if self.latency else None,
            "memory_bytes": self.memory_bytes,
            "search_count": self.search_count,
            "detail": self.detail,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Outcome:
        """The outcome that `as_dict` wrote."""
        build = IndexSpec(
            field_name=values["field_name"],
            index_type=values["index_type"],
            metric=Metric(values["metric"]) if values["metric"] else None,
            params=values["build"],
        )
        candidate = Candidate(
            build=build,
            ladder=tuple(values["ladder"]),
            is_exact=values["is_exact"],
            memory_bytes=values["memory_bytes_estimate"],
        )
        rungs = [{name: value for name, value in rung.items() if name != "params"} for rung in values["rungs"]]
        kept = ("state", "params", "recall", "recall_lower", "memory_bytes", "search_count", "detail")
        return cls(
            candidate=candidate,
            rungs=tuple(RungRecall(**rung) for rung in rungs),
            latency=Latency(**values["latency"]) if values["latency"] else None,
            **{name: values[name] for name in kept},
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What must not be exceeded; None is no bound.

    Attributes:
        memory_bytes: of the loaded index: the formula is asked before the build, the server after it.
        latency_ms_p50: median of single searches.
        latency_ms_p99: 99th percentile of single searches.
        qps: least answered searches a second.
    """

    memory_bytes: int | None = None
    latency_ms_p50: float | None = None
    latency_ms_p99: float | None = None
    qps: float | None = None

    def excess_memory(self, memory_bytes: int | None) -> str:
        """By what the memory breaks the budget, one sentence; empty when it does not."""
        if self.memory_bytes is None or memory_bytes is None or memory_bytes <= self.memory_bytes:
            return ""
        return f"takes {memory_bytes / 1e6:,.3g} MB, the budget is {self.memory_bytes / 1e6:,.3g} MB"

    def excess_time(self, latency: Latency) -> str:
        """By what the speed breaks the budget, one sentence; empty when it does not."""
        return "; ".join(self._excesses(latency))

    def _excesses(self, latency: Latency) -> Iterator[str]:
        if self.latency_ms_p50 is not None and latency.p50_ms > self.latency_ms_p50:
            yield f"its median is {latency.p50_ms:.2f} ms, the budget is {self.latency_ms_p50:g} ms"
        if self.latency_ms_p99 is not None and latency.p99_ms > self.latency_ms_p99:
            yield f"its P99 is {latency.p99_ms:.2f} ms, the budget is {self.latency_ms_p99:g} ms"
        if self.qps is not None and (latency.qps is None or latency.qps < self.qps):
            yield f"it answers {latency.qps or 0:,.0f} searches/s, at least {self.qps:,g} are wanted"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TuneResult:
    """What a tuning chose, from what, and why.

    Attributes:
        recall_target: what the recall was shown to be above.
        confidence: how surely: the chosen one is below the target in at most 1 - confidence of all tunings.
        objective: what was made small, or large.
        chosen: the best that qualified.
        front: qualified ones that none beats in speed and memory at once, by the objective.
        trials: every candidate.
        explanation: why, as reasons and as a paragraph.
    """

    recall_target: float
    confidence: float
    objective: Objective
    chosen: Outcome
    front: tuple[Outcome, ...]
    trials: tuple[Outcome, ...]
    explanation: Explanation

    @property
    def search_count(self) -> int:
        """Searches spent on recall by all candidates."""
        return sum(trial.search_count for trial in self.trials)

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return {
            "recall_target": self.recall_target,
            "confidence": self.confidence,
            "objective": str(self.objective),
            "chosen": self.chosen.as_dict(),
            "front": [trial.label for trial in self.front],
            "search_count": self.search_count,
            "trials": [trial.as_dict() for trial in self.trials],
            "explanation": self.explanation.as_dict(),
        }
