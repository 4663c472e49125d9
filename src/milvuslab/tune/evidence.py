"""Evidence that a mean recall is above a target, valid whenever one looks at it.

A gambler bets on each query's recall being above the target, with odds that are fair or worse for the gambler as long as
the true mean is at or below it: the capital becomes `capital * (1 + stake * (recall - target))`. Then the capital ever
reaches 1 / p with a probability of at most p (Ville's inequality), however often one looks, whenever one stops, and
whatever the shape of the distribution: per-query recall is discrete and skewed, so nothing normal is assumed. Several
stakes are played at once and their capitals averaged, because the best one depends on the unknown margin and spread
(Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", 2024).
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import numpy.typing as npt

__all__ = ["RecallEvidence", "Tally", "least_query_count", "tally"]

_STAKES = np.geomspace(0.1, 0.95, 7)
"""Shares of the largest stake, 1 / target, at which a recall of 0 would take all capital. The best stake is about
margin / variance: 0.15 for a margin of 0.003 at a spread of 0.14, beyond 0.95 for easy cases."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tally:
    """How often each recall was seen; the order of queries tells nothing.

    Attributes:
        values: (m,) float64 distinct recalls.
        counts: (m,) how often.
    """

    values: npt.NDArray[np.float64] = dataclasses.field(default_factory=lambda: np.empty(0))
    counts: npt.NDArray[np.int64] = dataclasses.field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def count(self) -> int:
        """Queries seen."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Mean recall; there must be at least one query."""
        return float(self.values @ self.counts) / self.count

    @property
    def error(self) -> float:
        """Standard error of the mean, never 0: equal recalls say little about the next one."""
        variance = float((self.values - self.mean) ** 2 @ self.counts) / self.count
        return math.sqrt((variance + 0.05 / self.count) / self.count)

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        values, places = np.unique(np.concatenate([self.values, other.values]), return_inverse=True)
        counts = np.zeros(len(values), dtype=np.int64)
        np.add.at(counts, places.ravel(), np.concatenate([self.counts, other.counts]))
        return Tally(values=values, counts=counts)

    def shifted(self, by: float) -> Tally:
        """The same with every recall moved, but not below 0: what it might have been."""
        return Tally(values=np.maximum(0.0, self.values + by), counts=self.counts)


def tally(recalls: npt.NDArray[np.float64]) -> Tally:
    """Counts the distinct values of (n,) recalls."""
    values, counts = np.unique(recalls, return_counts=True)
    return Tally(values=values, counts=counts)


class RecallEvidence:
    """Evidence that the mean recall of a stream of queries is above a target.

    Args:
        target: the recall to show, in (0, 1).
        error_ratio: how often evidence may arise although the mean is not above the target.
    """

    def __init__(self, *, target: float, error_ratio: float) -> None:
        assert 0 < target < 1 and 0 < error_ratio < 1, f"target {target}, error ratio {error_ratio}"
        self.target = target
        self.error_ratio = error_ratio
        self.seen = Tally()
        self.is_shown = False

    def add(self, recalls: npt.NDArray[np.float64]) -> None:
        """Takes the recalls of further queries, and looks: what was shown once stays shown."""
        self.seen = self.seen.plus(tally(recalls))
        self.is_shown = self.is_shown or self._missing(self.target) <= 0

    def further_count(self, expected: Tally) -> float:
        """How many more queries it probably takes, if they were like the expected ones; infinite if never.

        `expected` is an estimate and never part of the evidence.
        """
        growth = float((_gains(expected, target=self.target) / expected.count).max())
        return max(0.0, self._missing(self.target)) / growth if growth > 0 else math.inf

    def lower_bound(self) -> float:
        """Largest mean that everything seen so far shows, at the same error ratio; 0 without evidence.

        Holds at every look at once: a one-sided confidence sequence.
        """
        low, high = 0.0, 1.0
        for _ in range(14):  # to 0.0001, well below what a few thousand queries can tell
            middle = (low + high) / 2
            low, high = (middle, high) if self._missing(middle) <= 0 else (low, middle)
        return low

    def _missing(self, mean: float) -> float:
        """By how much the log of the capital falls short of showing that the mean is larger."""
        return -math.log(self.error_ratio) - _log_capital(self.seen, target=mean)


def least_query_count(*, target: float, error_ratio: float) -> int:
    """Queries that it takes when every single one has recall 1; fewer can never show the target.

    >>> least_query_count(target=0.95, error_ratio=0.01), least_query_count(target=0.99, error_ratio=0.01)
    (131, 667)
    """
    count = 1
    while _log_capital(Tally(values=np.ones(1), counts=np.array([count])), target=target) < -math.log(error_ratio):
        count += 1
    return count


def _log_capital(seen: Tally, *, target: float) -> float:
    """Log of the mean capital of all stakes after those queries."""
    logs = _gains(seen, target=target)
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).mean()))


def _gains(seen: Tally, *, target: float) -> npt.NDArray[np.float64]:
    """(stakes,) log of the capital that each stake won or lost."""
    gains: npt.NDArray[np.float64] = (
        np.log1p((_STAKES / target)[:, None] * (seen.values - target)[None, :]) @ seen.counts
    )
    return gains
