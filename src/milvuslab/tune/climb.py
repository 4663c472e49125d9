"""The first rung of a ladder whose recall is shown to be above a target.

Rungs are search parameters in ascending order of work. Two kinds of queries are kept apart:

1. *Search queries* find out where to begin: the ladder is halved with a few queries a rung, then a rung is looked for
   that is clearly above the target.
2. *Held-out queries* prove. From the beginning rung the proof goes down, in steps that the search queries chose, until
   a rung is not shown; the last that was shown is chosen. The order does not depend on the held-out queries, and a wrong choice needs
   the first rung of it that is below the target to be shown: that happens with a probability of at most the error
   ratio, whatever the number of rungs (a fixed-sequence test), and whenever one stops (`tune/evidence.py`).

Should the beginning rung itself not be shown, the proof goes up instead, with a share of the error ratio that was set
aside for that, half of it for the last rung. Nothing here assumes that recall rises with the rung; where it does not, a slower rung may be chosen.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from milvuslab.tune.evidence import RecallEvidence, Tally, least_query_count, tally

__all__ = ["Ask", "Climb", "Goal", "RungRecall", "climb_ladder", "needed_query_count"]

Ask = Callable[[int, npt.NDArray[np.int64]], npt.NDArray[np.float64]]
"""Recall (n,) of a rung for the query rows (n,)."""

_LOOK_COUNT = 100
"""Search queries of a first look at a rung."""
_BATCH_COUNT = 250
"""Held-out queries between two looks; looking more often saves little and costs a round trip each."""
_DOWN_RATIO = 0.7
"""Share of the error ratio for the way down; what remains is for the way up, which is rarely gone."""
_EASY_COUNT = 1_000
"""A beginning rung should be shown within about as many held-out queries."""
_PATIENCE_COUNT = 1_500
"""Most held-out queries for a beginning rung below the last: it was taken for easy, so the next one up is nearer."""
_SEARCH_RATIO = 0.25
_SEARCH_COUNT = 400
"""At most this share of the queries, and this many, are search queries."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What is to be shown, and how surely.

    Attributes:
        recall: the target, in (0, 1).
        error_ratio: how often a rung may be chosen whose mean recall is not above the target.
        search_limit: most searches, counted by query and rung.
    """

    recall: float
    error_ratio: float
    search_limit: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RungRecall:
    """What was found out about one rung.

    Attributes:
        rung: its place on the ladder, from 0.
        recall: mean of all queries asked.
        query_count: how many that were.
        recall_lower: lower confidence bound from the held-out queries alone; None where none was asked.
        is_shown: whether its recall was shown to be above the target.
    """

    rung: int
    recall: float
    query_count: int
    recall_lower: float | None
    is_shown: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Climb:
    """What came of a ladder.

    Attributes:
        chosen: the rung, or None when none was shown.
        rungs: those that were asked, ascending.
        search_count: searches spent.
    """

    chosen: int | None
    rungs: tuple[RungRecall, ...]
    search_count: int


def climb_ladder(ask: Ask, *, rung_count: int, goal: Goal, query_count: int, seed: int) -> Climb:
    """The lowest rung that could be shown to reach the goal.

    Args:
        ask: measures recall; never asked the same query at the same rung twice for the same purpose.
        rung_count: length of the ladder.
        goal: what to show.
        query_count: queries there are, rows 0 to `query_count - 1`; `needed_query_count` says the least.
        seed: of the order in which queries are drawn.
    """
    order = np.random.default_rng(seed).permutation(query_count)
    search_count = min(_SEARCH_COUNT, int(query_count * _SEARCH_RATIO))
    climber = _Climber(
        ask, rung_count=rung_count, goal=goal, search_rows=order[:search_count], proof_rows=order[search_count:]
    )
    start = climber.find_start()
    chosen = climber.go_down(start)
    if chosen is None:
        chosen = climber.go_up(start + 1)
    return Climb(chosen=chosen, rungs=climber.report(), search_count=climber.search_count)


def needed_query_count(goal: Goal) -> int:
    """Queries without which no rung could be shown, were its recall perfect."""
    proof_count = least_query_count(target=goal.recall, error_ratio=goal.error_ratio * _DOWN_RATIO)
    return min(math.ceil(proof_count / (1 - _SEARCH_RATIO)), proof_count + _SEARCH_COUNT)


class _Climber:
    """The searches of one ladder: what was asked, what it showed, what is left."""

    def __init__(
        self,
        ask: Ask,
        *,
        rung_count: int,
        goal: Goal,
        search_rows: npt.NDArray[np.int64],
        proof_rows: npt.NDArray[np.int64],
    ) -> None:
        self._ask = ask
        self._rung_count = rung_count
        self._goal = goal
        self._search_rows = search_rows
        self._proof_rows = proof_rows
        self._looked: dict[int, Tally] = {}
        self._evidence: dict[int, RecallEvidence] = {}
        self.search_count = 0

    def find_start(self) -> int:
        """The lowest rung that is clearly above the target, or the last one."""
        low, high = -1, self._rung_count
        while high - low > 1:
            middle = (low + high) // 2
            looked = self._look(middle, _LOOK_COUNT)
            low, high = (low, middle) if looked.mean >= self._goal.recall else (middle, high)
        start, step = min(high, self._rung_count - 1), 1
        while start < self._rung_count - 1 and not self._is_easy(start):
            start, step = min(start + step, self._rung_count - 1), step * 2
            if self.search_count > self._goal.search_limit // 3:
                break
        return start

    def go_down(self, start: int) -> int | None:
        """The last rung shown on the way down from `start`; None when not even that was."""
        chosen = None
        for rung in self._plan_down(start):
            limit = self._left() if chosen is not None or rung == self._rung_count - 1 else _PATIENCE_COUNT
            if not self._prove(rung, error_ratio=self._goal.error_ratio * _DOWN_RATIO, limit=limit):
                break
            chosen = rung
        return chosen

    def go_up(self, start: int) -> int | None:
        """The first rung shown on the way up in growing steps; half of what is left goes to the last rung."""
        error_ratio, rung, step = self._goal.error_ratio * (1 - _DOWN_RATIO) / 2, start, 1
        last, last_error_ratio = self._rung_count - 1, error_ratio
        kept_count = 2 * least_query_count(target=self._goal.recall, error_ratio=error_ratio)
        while rung < last:
            error_ratio /= 2
            if self._prove(rung, error_ratio=error_ratio, limit=min(self._left() * 2 // 3, self._left() - kept_count)):
                return rung
            rung, step = rung + step, step * 2
        is_shown = start <= last and self._prove(last, error_ratio=last_error_ratio, limit=self._left())
        return last if is_shown else None

    def _plan_down(self, start: int) -> list[int]:
        """The rungs of the way down, by what the search queries say of each.

        A proof at half the margin takes four times the queries. So each step goes to the lowest rung that seems to have
        at least half the margin of the one before: the steps together cost little more than the last of them.
        """
        rungs = sorted(self._looked)
        means = np.maximum.accumulate([self._looked[rung].mean for rung in rungs])
        margins = np.interp(np.arange(start + 1), rungs, means) - self._goal.recall
        plan = [start]
        while plan[-1] > 0:
            half = margins[plan[-1]] / 2
            fitting = [rung for rung in range(plan[-1]) if margins[rung] >= half > 0]
            plan.append(fitting[0] if fitting else plan[-1] - 1)
        return plan

    def report(self) -> tuple[RungRecall, ...]:
        """Everything that was found out."""
        return tuple(self._report(rung) for rung in sorted(self._looked.keys() | self._evidence.keys()))

    def _report(self, rung: int) -> RungRecall:
        evidence, seen = self._evidence.get(rung), self._seen(rung)
        return RungRecall(
            rung=rung,
            recall=seen.mean,
            query_count=seen.count,
            recall_lower=evidence.lower_bound() if evidence else None,
            is_shown=evidence.is_shown if evidence else False,
        )

    def _look(self, rung: int, count: int) -> Tally:
        """What the first search queries say of a rung; each is asked once."""
        seen = self._looked.get(rung, Tally())
        if seen.count < min(count, len(self._search_rows)):
            seen = seen.plus(tally(self._search(rung, self._search_rows[seen.count : count])))
            self._looked[rung] = seen
        return seen

    def _is_easy(self, rung: int) -> bool:
        """Whether the rung seems so far above the target that the proof is short."""
        if self._look(rung, _LOOK_COUNT).mean < self._goal.recall:
            return False
        # All rungs see the same queries: an easy draw of few lifts them all, so the beginning is chosen by more.
        looked = self._look(rung, _SEARCH_COUNT)
        evidence = RecallEvidence(target=self._goal.recall, error_ratio=self._goal.error_ratio * _DOWN_RATIO)
        return evidence.further_count(looked.shifted(-looked.error)) <= _EASY_COUNT

    def _prove(self, rung: int, *, error_ratio: float, limit: int) -> bool:
        """Whether held-out queries show the rung to be above the target within `limit` searches."""
        limit = min(limit, self._left(), len(self._proof_rows))
        if limit <= 0:
            return False
        evidence = RecallEvidence(target=self._goal.recall, error_ratio=error_ratio)
        self._evidence[rung] = evidence
        asked_count = 0
        while not evidence.is_shown and asked_count < limit and not self._is_hopeless(rung, left=limit - asked_count):
            rows = self._proof_rows[asked_count : min(limit, asked_count + _BATCH_COUNT)]
            evidence.add(self._search(rung, rows))
            asked_count += len(rows)
        return evidence.is_shown

    def _is_hopeless(self, rung: int, *, left: int) -> bool:
        """Whether more queries would be wasted even if the rung were two standard errors better. Never chooses one."""
        seen = self._seen(rung)
        if seen.count < _LOOK_COUNT:
            return False
        return self._evidence[rung].further_count(seen.shifted(2 * seen.error)) > left

    def _seen(self, rung: int) -> Tally:
        looked = self._looked.get(rung, Tally())
        return looked.plus(self._evidence[rung].seen) if rung in self._evidence else looked

    def _search(self, rung: int, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        self.search_count += len(rows)
        return self._ask(rung, rows)

    def _left(self) -> int:
        return self._goal.search_limit - self.search_count
