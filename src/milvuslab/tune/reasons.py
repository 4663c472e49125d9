"""Why this candidate and no other; and when none qualified, what would have to change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from milvuslab.model.errors import CheckFailedError, MilvusLabError, UsageError
from milvuslab.tune.climb import Goal, needed_query_count
from milvuslab.tune.explanation import Explanation, Reason
from milvuslab.tune.outcome import Objective, Outcome, State
from milvuslab.tune.space import describe_params

__all__ = ["explain_choice", "explain_failure"]

_SHUT_OUT: tuple[State, ...] = ("too_large", "too_slow", "not_shown", "too_few_queries", "failed")


def explain_choice(
    qualified: Sequence[Outcome],
    trials: Sequence[Outcome],
    *,
    goal: Goal,
    confidence: float,
    objective: Objective,
    query_count: int,
) -> Explanation:
    """The reasons for the first of the qualified ones, which come best first."""
    chosen, others = qualified[0], qualified[1:]
    reasons = [
        Reason(
            code="chosen",
            values={"label": chosen.label, "objective": str(objective), "value": _show(chosen, objective)},
        ),
        *_recall_reasons(chosen, goal=goal, confidence=confidence),
        *_comparisons(chosen, others, objective),
        *_absences(trials, query_count=query_count),
    ]
    return Explanation(reasons=tuple(reasons))


def explain_failure(trials: Sequence[Outcome], *, goal: Goal, query_count: int) -> MilvusLabError:
    """The error for a tuning without a choice: what came nearest, and what to change."""
    findings = [trial.detail or f"{trial.label}: the objective was not measured" for trial in trials]
    states = {trial.state for trial in trials}
    if states == {"too_few_queries"}:
        return UsageError(
            f"a recall of {goal.recall:g} cannot be shown with {query_count:,} queries",
            hint=f"give at least {needed_query_count(goal):,} queries, better some thousand; or ask for less confidence",
        )
    seen = [trial for trial in trials if trial.recall is not None]
    best = max(seen, key=lambda trial: (trial.recall or 0.0, trial.state == "qualified"), default=None)
    message = f"no index was shown to reach a recall of {goal.recall:g} within the budget"
    if best is not None:
        message += f"; the best is {best.label} with {best.recall:.4f}"
    error = CheckFailedError(message, findings=findings, hint=_advice(states, best, goal=goal))
    error.context["recall_best"] = best.recall if best is not None else None
    return error


def _recall_reasons(chosen: Outcome, *, goal: Goal, confidence: float) -> Iterator[Reason]:
    if chosen.candidate.is_exact:
        yield Reason(code="recall_exact")
        return
    own = next(one for one in chosen.rungs if chosen.candidate.ladder[one.rung] == chosen.params)
    yield Reason(
        code="recall_shown",
        values={
            "recall": own.recall, "query_count": own.query_count, "target": goal.recall, "confidence": confidence,
            "recall_lower": own.recall_lower,
        },
    )  # fmt: skip
    below = next((one for one in chosen.rungs if one.rung == own.rung - 1), None)
    if own.rung == 0:
        yield Reason(code="rung_first")
    elif below is not None:
        yield Reason(
            code="rung_below",
            values={
                "params": describe_params(chosen.candidate.ladder[below.rung]), "recall": below.recall,
                "query_count": below.query_count, "recall_lower": below.recall_lower or 0.0,
            },
        )  # fmt: skip


def _comparisons(chosen: Outcome, others: Sequence[Outcome], objective: Objective) -> Iterator[Reason]:
    if not others:
        yield Reason(code="only_one")
        return
    yield Reason(code="runner_up", values={"label": others[0].label, "value": _show(others[0], objective)})
    own = chosen.value(Objective.MEMORY_BYTES)
    sizes = [(size, other) for other in others if (size := other.value(Objective.MEMORY_BYTES)) is not None]
    if own is not None and sizes and objective is not Objective.MEMORY_BYTES:
        size, smallest = min(sizes, key=lambda pair: pair[0])
        if size < own:
            values = {"label": smallest.label, "memory": f"{size / 1e6:,.0f} MB", "value": _show(smallest, objective)}
            yield Reason(code="less_memory", values=values)


def _absences(trials: Sequence[Outcome], *, query_count: int) -> Iterator[Reason]:
    for state in _SHUT_OUT:
        labels = [trial.candidate.label for trial in trials if trial.state == state]
        if labels:
            values = {"labels": ", ".join(labels)}
            yield Reason(code=state, values={**values, "query_count": query_count} if "few" in state else values)


def _advice(states: set[State], best: Outcome | None, *, goal: Goal) -> str:
    if "too_large" in states and "not_shown" not in states:
        return "allow more memory, or name types that take less: --max-memory, --types"
    if "too_slow" in states or best is None or best.state == "qualified":
        return "allow more time, ask for less recall, or name other types"
    if (best.recall or 0.0) > goal.recall:
        return "it may well reach it: give more queries, so that a small margin can be shown; or ask for a little less"
    return f"ask for a recall below {best.recall:.3f}, build with more (M, nlist, m), or try other types, FLAT at last"


def _show(trial: Outcome, objective: Objective) -> str:
    value = trial.value(objective)
    assert value is not None, f"{trial.label} qualified without {objective}"
    if objective is Objective.MEMORY_BYTES:
        return f"{value / 1e6:,.0f} MB"
    return f"{value:,.0f} searches/s" if objective is Objective.QPS else f"{value:.2f} ms"
