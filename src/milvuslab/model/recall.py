"""Recall: how much of the exact answer a search found. Numbers per query in [0, 1]; whoever averages says how."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.model.errors import CheckFailedError, UsageError

__all__ = ["recall_at_k", "recall_by_distance", "worst_decile_recall"]

_Table = npt.NDArray[Any]
_FloatVector = npt.NDArray[np.float64]

_CHUNK_CELLS = 1 << 22


def recall_at_k(found_ids: _Table, true_ids: _Table, *, k: int) -> _FloatVector:
    """Share of the true k nearest neighbours that a search found, for each query.

    Args:
        found_ids: (nq, any width) int64, best first; -1 fills the slots of a short answer. Only the first k count.
        true_ids: (nq, >= k) int64 from exact search, best first, never padded.
        k: depth compared.

    Returns:
        (nq,) float64 in [0, 1]. A padded slot counts as a miss.

    Raises:
        UsageError: row counts differ, the truth is narrower than k, padded, or empty.
        CheckFailedError: a row of either table repeats an id: duplicate keys, or a broken client, not low recall.

    Note: ids only. Where rows tie with the k-th neighbour use `recall_by_distance`, which accepts any of them.

    >>> recall_at_k(np.array([[3, 1, -1]]), np.array([[1, 2, 3]]), k=3).round(3)
    array([0.667])
    """
    found, true = _checked_pair(found_ids, true_ids, k=k)
    if (true < 0).any():
        row = int(np.argmax((true < 0).any(axis=1)))
        raise UsageError(f"the truth of query {row} is padded with a negative id", hint="work the truth out again")
    _refuse_duplicates(true, what="truth")
    _refuse_duplicates(found, what="answer")
    hits = np.zeros(len(true), dtype=np.float64)
    rows = max(1, _CHUNK_CELLS // (k * max(1, found.shape[1])))
    for start in range(0, len(true), rows):
        part = slice(start, start + rows)
        hits[part] = (found[part, :, None] == true[part, None, :]).sum(axis=(1, 2))
    return hits / k


def recall_by_distance(
    found_distances: _Table, true_distances: _Table, *, k: int, tolerance: float = 1e-4
) -> _FloatVector:
    """Share of the first k answers that are as near as the k-th true neighbour, for each query.

    Args:
        found_distances: (nq, any width) `distance` of each answer, smaller is closer; NaN or infinity fills the slots
            of a short answer. They must be exact: an index of compressed vectors (IVF_SQ8, IVF_PQ) may answer with
            distances to those, and then says too much or too little.
        true_distances: (nq, >= k) ascending `distance` from exact search.
        k: depth compared.
        tolerance: what a distance may lie above the k-th true one: this share of its size, or of 1 where that is
            larger. 1e-4 covers servers that add float32 products in another order than we do.

    Returns:
        (nq,) float64 in [0, 1]; never below `recall_at_k` but for the rounding that `tolerance` covers.

    Raises:
        UsageError: row counts differ, the truth is narrower than k, empty, or not finite.

    >>> recall_by_distance(np.array([[0.5, 0.5, 0.9]]), np.array([[0.1, 0.5, 0.5]]), k=3).round(3)
    array([0.667])
    """
    found, true = _checked_pair(found_distances, true_distances, k=k)
    if not np.isfinite(true).all():
        row = int(np.argmax(~np.isfinite(true).all(axis=1)))
        raise UsageError(f"the truth of query {row} has a distance that is no number", hint="work the truth out again")
    last = true[:, k - 1].astype(np.float64)
    bound = last + tolerance * np.maximum(1.0, np.abs(last))
    return np.asarray((found.astype(np.float64) <= bound[:, None]).sum(axis=1) / k)


def worst_decile_recall(recall: _Table) -> float:
    """Mean recall of the worst tenth of the queries, at least one: what the average hides.

    Args:
        recall: (nq,) per query.

    Raises:
        UsageError: there is no query, or a value is no number.

    >>> worst_decile_recall(np.array([1.0] * 18 + [0.2, 0.4])).__round__(3)
    0.3
    """
    values = np.asarray(recall, dtype=np.float64).ravel()
    if not values.size or not np.isfinite(values).all():
        raise UsageError("recall has no values, or one that is no number", hint="measure at least one query with truth")
    count = math.ceil(values.size / 10)
    return float(np.partition(values, count - 1)[:count].mean())


def _checked_pair(found: _Table, true: _Table, *, k: int) -> tuple[_Table, _Table]:
    found, true = np.asarray(found), np.asarray(true)
    if found.ndim != 2 or true.ndim != 2:
        raise UsageError(f"tables of shape {found.shape} and {true.shape}", hint="pass (queries, neighbours)")
    if len(found) != len(true):
        raise UsageError(
            f"{len(found)} answers and the truth of {len(true)} queries", hint="work the truth out for these queries"
        )
    if not len(true):
        raise UsageError("the truth is empty", hint="no truth is no recall: leave it out")
    if not 1 <= k <= true.shape[1]:
        raise UsageError(f"k is {k}, the truth has {true.shape[1]} neighbours", hint=f"take 1 to {true.shape[1]}")
    return found[:, :k], true[:, :k]


def _refuse_duplicates(ids: _Table, *, what: str) -> None:
    ordered = np.sort(ids, axis=1)
    repeated = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if repeated.any():
        row, place = (int(index) for index in np.argwhere(repeated)[0])
        count = int(repeated.any(axis=1).sum())
        raise CheckFailedError(
            f"the {what} of query {row} names id {ordered[row, place]} twice",
            findings=[f"{count} of {len(ids)} queries have a repeated id in their {what}"],
            hint="rows were stored twice under one key, or answers were put together wrongly",
        )
