"""What a record says, in numbers: pure functions of the record and the truth.

A percentile is the smallest measured value that at least that share of *all* requests kept to. A request that failed
never got its answer, so it ranks behind every answer: where more requests failed than a percentile leaves out, there
is no such percentile. There is none either of fewer requests than it takes to see it (100 for P99, 1,000 for P99.9).
What was not measured is None, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from milvuslab.bench.record import Record
from milvuslab.model.errors import UsageError
from milvuslab.model.recall import recall_at_k, recall_by_distance, worst_decile_recall

__all__ = ["METRICS", "TrueNeighbours", "compute_metrics", "compute_percentile"]

METRICS: Mapping[str, str] = {
    "latency_ms_p50": "time from when a request was to be sent to its answer: half of the requests took at most this",
    "latency_ms_p95": "the same, for 95 % of the requests",
    "latency_ms_p99": "the same, for 99 % of the requests",
    "latency_ms_p999": "the same, for 99.9 % of the requests",
    "latency_ms_max": "the longest of those that were answered",
    "service_ms_p50": "time from when a request was sent to its answer: leaves out how late it was sent",
    "service_ms_p95": "the same, for 95 % of the requests",
    "service_ms_p99": "the same, for 99 % of the requests",
    "service_ms_p999": "the same, for 99.9 % of the requests",
    "service_ms_max": "the longest of those that were answered",
    "lateness_ms_p50": "how long after its time the client sent a request; open loop only",
    "lateness_ms_p99": "the same, for 99 % of the requests",
    "lateness_ms_max": "the same, for the latest",
    "qps": "queries answered a second, from the begin of the run to the last answer",
    "rate_per_s": "requests to be sent a second by the schedule; open loop only",
    "query_count": "queries answered",
    "error_ratio": "share of the requests that failed",
    "recall": "share of the true nearest neighbours found, by id; mean over the queries answered",
    "recall_by_distance": "the same, where an id as near as the k-th true one is right",
    "recall_worst_decile": "mean recall of the tenth of the queries that fared worst",
    "client_cpu_us_per_query": "CPU time of the client during the run for each query answered; parsing not included",
    "parse_us_per_query": "CPU time of the client after the run to parse each answer",
    "client_bound_ratio": "share of one core that the client used; near 1 the client was measured, not the server",
    "wall_s": "from the begin of the run to its last answer",
}
"""Every metric with its meaning, in the order of reports."""

_PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}


class TrueNeighbours(Protocol):
    """What exact search found; `data.truth.Truth` is one."""

    @property
    def ids(self) -> npt.NDArray[np.int64]:
        """(nq, >=k), best first."""

    @property
    def distances(self) -> npt.NDArray[np.float32]:
        """(nq, >=k), ascending."""


def compute_metrics(
    record: Record, *, truth: TrueNeighbours | None = None, k: int | None = None
) -> dict[str, float | None]:
    """All of `METRICS`.

    Args:
        record: of one run.
        truth: row i are the neighbours of query i; None leaves the recalls None.
        k: depth at which recall is compared; None is the limit of the searches.

    Raises:
        UsageError: the truth has fewer queries than were asked, or fewer neighbours than k.
        CheckFailedError: an answer repeats an id.
    """
    is_answered = record.is_answered
    answered_count = int(is_answered.sum()) * record.batch_rows
    is_open = record.kind == "open"
    lateness_ms = (record.sent_ns - record.intended_ns) / 1e6
    found: dict[str, float | None] = {
        **_spread("latency_ms", (record.done_ns - record.intended_ns) / 1e6, is_answered),
        **_spread("service_ms", (record.done_ns - record.sent_ns) / 1e6, is_answered),
        "lateness_ms_p50": compute_percentile(lateness_ms, 0.5) if is_open else None,
        "lateness_ms_p99": compute_percentile(lateness_ms, 0.99) if is_open else None,
        "lateness_ms_max": float(lateness_ms.max()) if is_open else None,
        "qps": answered_count / record.wall_s if record.wall_s > 0 else None,
        "rate_per_s": _planned_rate_per_s(record) if is_open else None,
        "query_count": float(answered_count),
        "error_ratio": 1 - float(is_answered.mean()),
        "client_cpu_us_per_query": _per_query_us(record.client_cpu_s, answered_count),
        "parse_us_per_query": _per_query_us(record.parse_cpu_s, answered_count),
        "client_bound_ratio": record.client_cpu_s / record.wall_s if record.wall_s > 0 else None,
        "wall_s": record.wall_s,
        **_recalls(record, truth, k=k),
    }
    return {name: found[name] for name in METRICS}


def compute_percentile(
    values: npt.NDArray[Any], ratio: float, *, is_answered: npt.NDArray[np.bool_] | None = None
) -> float | None:
    """The smallest value that at least `ratio` of all are not above; values that are not answered count as infinite.

    None when it would be infinite, or when there are too few values for one of them to lie above.

    >>> compute_percentile(np.arange(1, 101), 0.99)
    99.0
    >>> compute_percentile(np.arange(1, 100), 0.99) is None
    True
    """
    count = len(values)
    # Written without 1 - ratio, which is not exact: 1 - 0.99 is 0.010000000000000009.
    if count == 0 or round(count * ratio, 6) > count - 1:
        return None
    answered = np.sort(values if is_answered is None else values[is_answered])
    position = max(0, math.ceil(round(count * ratio, 6)) - 1)
    return float(answered[position]) if position < len(answered) else None


def _spread(name: str, values: npt.NDArray[np.float64], is_answered: npt.NDArray[np.bool_]) -> dict[str, float | None]:
    spread: dict[str, float | None] = {
        f"{name}_{suffix}": compute_percentile(values, ratio, is_answered=is_answered)
        for suffix, ratio in _PERCENTILES.items()
    }
    return {**spread, f"{name}_max": float(values[is_answered].max()) if is_answered.any() else None}


def _planned_rate_per_s(record: Record) -> float | None:
    """Gaps of the schedule, not requests over the run: a run of two requests a second apart plans 1/s."""
    span_s = float(record.intended_ns[-1] - record.intended_ns[0]) * 1e-9
    return (record.request_count - 1) / span_s if span_s > 0 else None


def _per_query_us(seconds: float, query_count: int) -> float | None:
    return seconds * 1e6 / query_count if query_count else None


def _recalls(record: Record, truth: TrueNeighbours | None, *, k: int | None) -> dict[str, float | None]:
    """Recall of the first answer to each query: repeating a query says nothing new about the index."""
    depth = record.ids.shape[1] if k is None else k
    queries, rows = np.unique(
        np.where(np.repeat(record.is_answered, record.batch_rows), record.query_of_row, -1), return_index=True
    )
    rows, queries = rows[queries >= 0], queries[queries >= 0]
    if truth is None or not len(rows):
        return dict.fromkeys(("recall", "recall_by_distance", "recall_worst_decile"))
    if queries[-1] >= len(truth.ids) or depth > truth.ids.shape[1] or depth > record.ids.shape[1]:
        raise UsageError(
            f"a truth of {truth.ids.shape[0]:,} queries to depth {truth.ids.shape[1]} does not fit searches of "
            f"{int(queries[-1]) + 1:,} queries with limit {record.ids.shape[1]} at depth {depth}",
            hint="work the truth out for the same queries, k at most the limit",
        )
    recall = recall_at_k(record.ids[rows], truth.ids[queries], k=depth)
    by_distance = recall_by_distance(record.distances[rows], truth.distances[queries], k=depth)
    return {
        "recall": float(recall.mean()),
        "recall_by_distance": float(by_distance.mean()),
        "recall_worst_decile": worst_decile_recall(recall),
    }
