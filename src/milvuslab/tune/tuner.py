"""The choice: every candidate is built once, its ladder climbed, the rest compared; and why, in reasons.

Builds are outside, search parameters inside: a build costs seconds to minutes, a search parameter nothing. The error
that is allowed is shared out among the candidates whose recall is measured, so that the choice of the best of them is
below the target no more often than said.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from milvuslab.model.errors import RejectedError, UnsupportedError, UsageError
from milvuslab.model.progress import Observer, Progress, silent
from milvuslab.tune.climb import Climb, Goal, climb_ladder, needed_query_count
from milvuslab.tune.front import pareto_front
from milvuslab.tune.measurer import Measurer
from milvuslab.tune.outcome import Budget, Objective, Outcome, TuneResult
from milvuslab.tune.reasons import explain_choice, explain_failure
from milvuslab.tune.space import Candidate

__all__ = ["SEARCH_LIMIT", "Keeper", "tune"]

SEARCH_LIMIT = 6_000
"""Most searches spent on the recall of one candidate. On recorded curves the chosen step is then within 10 % of the
fastest one that reaches the target (`benchmarks/results/tuner_curves.json`)."""


class Keeper(Protocol):
    """Keeps outcomes, so that a tuning that was interrupted goes on with the next candidate."""

    def find(self, candidate: Candidate, goal: Goal) -> Outcome | None:
        """What came of that candidate under that goal, if it was tried before."""

    def keep(self, outcome: Outcome, goal: Goal) -> None:
        """Keeps what came of a candidate; on return it survives a crash."""


def tune(
    measurer: Measurer,
    *,
    builds: Sequence[Candidate],
    recall_target: float,
    objective: Objective = Objective.LATENCY_MS_P99,
    budget: Budget | None = None,
    query_count: int,
    confidence: float = 0.98,
    search_limit: int = SEARCH_LIMIT,
    seed: int = 7,
    keeper: Keeper | None = None,
    observer: Observer = silent,
) -> TuneResult:
    """The best candidate whose recall was shown to be above the target, within the budget.

    Args:
        measurer: asked about one build after the other.
        builds: what to try.
        recall_target: mean recall to show, in (0, 1).
        objective: what to make small, or large.
        budget: what must not be exceeded.
        query_count: queries that the measurer has; more of them show smaller margins.
        confidence: of all tunings at most a share of 1 - confidence choose something whose mean recall, over queries
            like those given, is not above the target.
        search_limit: most searches for the recall of one candidate.
        seed: of the order in which queries are drawn; the same seed and answers give the same choice.
        keeper: keeps what is finished.
        observer: told of each candidate; may raise to stop, what is finished was kept.

    Raises:
        UsageError: an argument is out of range, or there are too few queries to show the target at all.
        CheckFailedError: no candidate qualified; the message names the best recall, the hint what to change.
    """
    _check(recall_target=recall_target, confidence=confidence, query_count=query_count, builds=builds)
    budget = budget or Budget()
    measured_count = sum(not _is_known(candidate, budget) for candidate in builds)
    goal = Goal(recall=recall_target, error_ratio=(1 - confidence) / max(1, measured_count), search_limit=search_limit)
    trier = _Trier(measurer, goal=goal, budget=budget, query_count=query_count, seed=seed, observer=observer)
    trials = []
    for place, candidate in enumerate(builds):
        observer(
            Progress(
                step="try indexes", done_count=place, total_count=len(builds), unit="builds", message=candidate.label
            )
        )
        trials.append(_kept_or_tried(candidate, trier.run, goal=goal, keeper=keeper))
    observer(Progress(step="try indexes", done_count=len(builds), total_count=len(builds), unit="builds"))
    return _choose(trials, goal=goal, confidence=confidence, objective=objective, query_count=query_count)


def _check(*, recall_target: float, confidence: float, query_count: int, builds: Sequence[Candidate]) -> None:
    if not 0 < recall_target < 1:
        raise UsageError(
            f"a recall target of {recall_target:g} cannot be shown by measuring",
            hint="give one between 0 and 1, 0.95; for a recall of exactly 1 build FLAT",
        )
    if not 0.5 <= confidence < 1:
        raise UsageError(f"confidence is {confidence:g}", hint="give one from 0.5 to below 1, 0.98")
    if not builds:
        raise UsageError("there is no candidate to try", hint="name at least one index type")
    if query_count < 1:
        raise UsageError("there are no queries", hint="give queries, some thousand of them")


def _is_known(candidate: Candidate, budget: Budget) -> bool:
    """Whether the recall of a candidate needs no measuring, so that it takes no share of the error."""
    return candidate.is_exact or bool(budget.excess_memory(candidate.memory_bytes))


def _kept_or_tried(
    candidate: Candidate, run: Callable[[Candidate], Outcome], *, goal: Goal, keeper: Keeper | None
) -> Outcome:
    found = keeper.find(candidate, goal) if keeper else None
    if found is None:
        found = run(candidate)
        if keeper:
            keeper.keep(found, goal)
    return found


class _Trier:
    """Tries one candidate after the other, all by the same rules."""

    def __init__(
        self, measurer: Measurer, *, goal: Goal, budget: Budget, query_count: int, seed: int, observer: Observer
    ) -> None:
        self._measurer = measurer
        self._goal = goal
        self._budget = budget
        self._query_count = query_count
        self._seed = seed
        self._observer = observer

    def run(self, candidate: Candidate) -> Outcome:
        """What comes of the candidate; it is built unless the budget or the number of queries forbids it."""
        if excess := self._budget.excess_memory(candidate.memory_bytes):
            return Outcome(candidate=candidate, state="too_large", detail=f"{candidate.label} {excess}, by formula")
        if not candidate.is_exact and self._query_count < needed_query_count(self._goal):
            return Outcome(
                candidate=candidate,
                state="too_few_queries",
                detail=f"{candidate.label} needs at least {needed_query_count(self._goal):,} queries",
            )
        try:
            return self._measure(candidate)
        except (UnsupportedError, RejectedError) as error:
            return Outcome(candidate=candidate, state="failed", detail=f"{candidate.label}: {error.message}")

    def _measure(self, candidate: Candidate) -> Outcome:
        memory_bytes = self._measurer.measure_memory_bytes(candidate.build)
        if excess := self._budget.excess_memory(memory_bytes):
            return Outcome(
                candidate=candidate, state="too_large", memory_bytes=memory_bytes,
                detail=f"{candidate.label} {excess}, as measured",
            )  # fmt: skip
        outcome = _exact(candidate) if candidate.is_exact else self._climb(candidate)
        outcome = dataclasses.replace(outcome, memory_bytes=memory_bytes)
        if outcome.params is None:
            return outcome
        latency = self._measurer.measure_latency(candidate.build, outcome.params)
        excess = self._budget.excess_time(latency)
        return dataclasses.replace(
            outcome,
            latency=latency,
            state="too_slow" if excess else "qualified",
            detail=f"{outcome.label}: {excess}" if excess else "",
        )

    def _climb(self, candidate: Candidate) -> Outcome:
        asked_count = 0

        def ask(rung: int, rows: Any) -> Any:
            nonlocal asked_count
            recalls = self._measurer.measure_recall(candidate.build, candidate.ladder[rung], rows)
            asked_count += len(rows)
            self._observer(
                Progress(
                    step=f"climb {candidate.label}", done_count=asked_count, total_count=self._goal.search_limit,
                    unit="searches",
                )
            )  # fmt: skip
            return recalls

        climb = climb_ladder(
            ask, rung_count=len(candidate.ladder), goal=self._goal, query_count=self._query_count, seed=self._seed
        )
        return _outcome_of(candidate, climb, target=self._goal.recall)


def _exact(candidate: Candidate) -> Outcome:
    return Outcome(candidate=candidate, state="qualified", params=candidate.ladder[-1], recall=1.0, recall_lower=1.0)


def _outcome_of(candidate: Candidate, climb: Climb, *, target: float) -> Outcome:
    if climb.chosen is not None:
        rung = next(one for one in climb.rungs if one.rung == climb.chosen)
        return Outcome(
            candidate=candidate, state="qualified", params=candidate.ladder[climb.chosen], recall=rung.recall,
            recall_lower=rung.recall_lower, rungs=climb.rungs, search_count=climb.search_count,
        )  # fmt: skip
    best = max(climb.rungs, key=lambda one: one.recall)
    return Outcome(
        candidate=candidate, state="not_shown", recall=best.recall, recall_lower=best.recall_lower,
        rungs=climb.rungs, search_count=climb.search_count,
        detail=f"{candidate.label} reaches {best.recall:.4f} in {best.query_count:,} queries, "
        f"which does not show {target:g}",
    )  # fmt: skip


def _choose(
    trials: Sequence[Outcome], *, goal: Goal, confidence: float, objective: Objective, query_count: int
) -> TuneResult:
    qualified = [trial for trial in trials if trial.state == "qualified" and trial.value(objective) is not None]
    if not qualified:
        raise explain_failure(trials, goal=goal, query_count=query_count)
    costs = [_costs(trial, objective) for trial in qualified]
    order = sorted(range(len(qualified)), key=lambda place: costs[place])
    return TuneResult(
        recall_target=goal.recall,
        confidence=confidence,
        objective=objective,
        chosen=qualified[order[0]],
        front=tuple(qualified[place] for place in pareto_front(costs)),
        trials=tuple(trials),
        explanation=explain_choice(
            [qualified[place] for place in order], trials, goal=goal, confidence=confidence, objective=objective,
            query_count=query_count,
        ),
    )  # fmt: skip


def _costs(trial: Outcome, objective: Objective) -> tuple[float, float]:
    """What is compared: the objective, and memory; where memory is the objective, the P99 latency."""
    value = trial.value(objective)
    other = trial.value(Objective.LATENCY_MS_P99 if objective is Objective.MEMORY_BYTES else Objective.MEMORY_BYTES)
    assert value is not None
    return (-value if objective.is_maximised else value), (0.0 if other is None else other)
