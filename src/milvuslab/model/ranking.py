"""How good a ranking is, by judged relevance: the measures of the evaluation campaigns, and how sure their means are.

A grade of 1 or more is relevant, larger is better; 0, less, or no grade is not. The numbers are those of trec_eval (tests
compare with `ir_measures`). Where a query has nothing relevant there is nothing to measure: the measures refuse it, so
that it is counted as left out and never averaged in as a zero.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from milvuslab.model.errors import UsageError

__all__ = [
    "Interval",
    "Key",
    "bootstrap_interval",
    "bootstrap_paired_difference",
    "compute_average_precision",
    "compute_ndcg",
    "compute_ndcg_of_ranks",
    "compute_reciprocal_rank",
    "compute_relevant_recall",
    "rank_by_score",
]

Key = TypeVar("Key", bound=Hashable)
_SEED = 20_240_601
_DRAWS = 2_000
_CHUNK_CELLS = 20_000_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean over queries and how sure it is.

    Attributes:
        mean: of all queries.
        low: lower end of the interval.
        high: upper end.
        count: queries.
    """

    mean: float
    low: float
    high: float
    count: int

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        return f"{self.mean:.3f} ({self.low:.3f} to {self.high:.3f})"


def rank_by_score(scores: Mapping[str, float]) -> list[str]:
    """The ids by falling score; equal scores by falling id, which is trec_eval's rule.

    >>> rank_by_score({"a": 0.5, "b": 0.5, "c": 0.9})
    ['c', 'b', 'a']
    """
    return sorted(sorted(scores, reverse=True), key=lambda key: -scores[key])


def compute_ndcg(ranked: Sequence[Key], grades: Mapping[Key, int], *, k: int) -> float:
    """Normalised discounted cumulative gain of the first k: the gain is the grade, the discount log2(rank + 1).

    Args:
        ranked: ids, best first, none twice.
        grades: judged ids with their grades.
        k: depth.

    Raises:
        UsageError: nothing is relevant, k is below 1, or an id comes twice.

    >>> round(compute_ndcg(["x", "a"], {"a": 1}, k=10), 4)
    0.6309
    """
    _relevant(grades)
    found = _checked(ranked, k=k)
    ranks = {key: rank for rank, key in enumerate(found, start=1)}
    return compute_ndcg_of_ranks({key: ranks[key] for key in grades if key in ranks}, grades, k=k)


def compute_ndcg_of_ranks(ranks: Mapping[Key, int], grades: Mapping[Key, int], *, k: int) -> float:
    """The same from where the judged ids stand: ranks from 1; those that were not found are left out."""
    gain = math.fsum(max(0, grades[key]) / math.log2(rank + 1) for key, rank in ranks.items() if rank <= k)
    best = sorted((max(0, grade) for grade in grades.values()), reverse=True)[:k]
    return gain / math.fsum(grade / math.log2(rank + 1) for rank, grade in enumerate(best, start=1))


def compute_relevant_recall(ranked: Sequence[Key], grades: Mapping[Key, int], *, k: int) -> float:
    """Share of the relevant ids that stand among the first k.

    Raises:
        UsageError: as `compute_ndcg`.
    """
    relevant = _relevant(grades)
    return sum(key in relevant for key in _checked(ranked, k=k)) / len(relevant)


def compute_reciprocal_rank(ranked: Sequence[Key], grades: Mapping[Key, int], *, k: int | None = None) -> float:
    """1 / rank of the first relevant id; 0 when none is among the first k (None: among all).

    Raises:
        UsageError: as `compute_ndcg`.
    """
    relevant = _relevant(grades)
    found = _checked(ranked, k=k)
    return next((1 / rank for rank, key in enumerate(found, start=1) if key in relevant), 0.0)


def compute_average_precision(ranked: Sequence[Key], grades: Mapping[Key, int], *, k: int | None = None) -> float:
    """Mean over the relevant ids of the precision where each stands; one that was not found counts 0.

    Raises:
        UsageError: as `compute_ndcg`.
    """
    relevant = _relevant(grades)
    found = _checked(ranked, k=k)
    ranks = [rank for rank, key in enumerate(found, start=1) if key in relevant]
    return math.fsum(place / rank for place, rank in enumerate(ranks, start=1)) / len(relevant)


def bootstrap_interval(
    values: Sequence[float] | npt.NDArray[np.float64],
    *,
    confidence: float = 0.95,
    draws: int = _DRAWS,
    seed: int = _SEED,
) -> Interval:
    """The mean with its percentile bootstrap interval: queries drawn anew, with replacement.

    Args:
        values: one for each query.
        confidence: of the interval.
        draws: how often; 2,000 settle the ends of a 95 % interval to about its twentieth.
        seed: the same gives the same interval.

    Raises:
        UsageError: there is no value, or one that is no number.
    """
    measured = np.asarray(values, dtype=np.float64).ravel()
    if not measured.size or not np.isfinite(measured).all():
        raise UsageError("there are no values to average, or one is no number", hint="judge at least one query")
    means = _drawn_means(measured, draws=draws, dice=np.random.default_rng(seed))
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(mean=float(measured.mean()), low=float(low), high=float(high), count=len(measured))


def bootstrap_paired_difference(
    a: Sequence[float] | npt.NDArray[np.float64],
    b: Sequence[float] | npt.NDArray[np.float64],
    *,
    confidence: float = 0.95,
    draws: int = _DRAWS,
    seed: int = _SEED,
) -> Interval:
    """How much larger a is than b on the same queries, with its interval: a is better where `low` is above 0.

    Raises:
        UsageError: they have not the same length, or no value.
    """
    if len(a) != len(b):
        raise UsageError(f"{len(a)} values beside {len(b)}", hint="compare the same queries")
    differences = np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
    return bootstrap_interval(differences, confidence=confidence, draws=draws, seed=seed)


def _drawn_means(values: npt.NDArray[np.float64], *, draws: int, dice: np.random.Generator) -> npt.NDArray[np.float64]:
    """(draws,) means of as many values drawn with replacement, in memory that does not grow with their number."""
    rows = max(1, _CHUNK_CELLS // len(values))
    parts = [
        values[dice.integers(0, len(values), (min(rows, draws - start), len(values)))].mean(axis=1)
        for start in range(0, draws, rows)
    ]
    return np.concatenate(parts)


def _relevant(grades: Mapping[Key, int]) -> frozenset[Key]:
    relevant = frozenset(key for key, grade in grades.items() if grade >= 1)
    if not relevant:
        raise UsageError("nothing is relevant to this query", hint="leave it out, and say how many were left out")
    return relevant


def _checked(ranked: Sequence[Key], *, k: int | None) -> Sequence[Key]:
    if k is not None and k < 1:
        raise UsageError(f"k is {k}", hint="look at the first 1 or more")
    if len(set(ranked)) != len(ranked):
        raise UsageError("a ranking names an id twice", hint="keep the best place of each")
    return ranked if k is None else ranked[:k]
