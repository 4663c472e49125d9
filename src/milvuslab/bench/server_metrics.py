"""The server's own Prometheus metrics: fetched, cut down to what a search benchmark needs, compared between moments.

Names are those of 2.3.5, read off the live server. A name that a server lacks is absent.
"""

from __future__ import annotations

import dataclasses
import re
import time

__all__ = ["MetricSample", "fetch_metrics", "metric_changes", "parse_metrics"]

_LATENCIES = (
    "milvus_proxy_sq_latency",
    "milvus_proxy_sq_wait_result_latency",
    "milvus_proxy_sq_reduce_result_latency",
    "milvus_querynode_sq_queue_latency",
    "milvus_querynode_sq_wait_tsafe_latency",
    "milvus_querynode_sq_segment_latency",
    "milvus_querynode_sq_core_latency",
    "milvus_querynode_sq_reduce_latency",
)
"""Histograms in milliseconds; their `_sum` and `_count` give the mean of a phase."""

_COUNTERS = ("milvus_proxy_search_vectors_count", "milvus_proxy_req_count", "go_gc_duration_seconds_count")
_GAUGES = ("process_resident_memory_bytes", "milvus_querynode_segment_num", "milvus_querynode_entity_num")
_WANTED = (*(f"{name}_{end}" for name in _LATENCIES for end in ("sum", "count")), *_COUNTERS, *_GAUGES)
_LINE = re.compile(r"([A-Za-z_:][\w:]*)(?:\{([^}]*)\})?\s+(\S+)")
_TIMEOUT_S = 2.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MetricSample:
    """The metrics at a moment.

    Attributes:
        at_ns: monotonic clock, the one of the records.
        values: by name, added up over labels; of requests only those of status `total`, of latencies only searches.
    """

    at_ns: int
    values: dict[str, float]


def fetch_metrics(uri: str) -> MetricSample | None:
    """The metrics now; None when the server does not show them, which stops no run."""
    import httpx

    at_ns = time.monotonic_ns()
    try:
        answer = httpx.get(uri, timeout=_TIMEOUT_S)
        answer.raise_for_status()
    except httpx.HTTPError:
        return None
    return MetricSample(at_ns=at_ns, values=parse_metrics(answer.text))


def parse_metrics(text: str) -> dict[str, float]:
    """The values that we keep out of a page in Prometheus's text form.

    >>> parse_metrics('milvus_proxy_req_count{status="total"} 7\\nmilvus_proxy_req_count{status="success"} 7\\n')
    {'milvus_proxy_req_count': 7.0}
    """
    values: dict[str, float] = {}
    for line in text.splitlines():
        if not line.startswith(_WANTED) or not (match := _LINE.match(line)):
            continue
        name, labels, number = match.groups()
        if name in _WANTED and _is_counted(name, labels or ""):
            values[name] = values.get(name, 0.0) + float(number)
    return values


def metric_changes(before: MetricSample | None, after: MetricSample | None) -> dict[str, float]:
    """What happened between two moments: mean latencies in ms by phase of a search, counts, gauges at the end."""
    if before is None or after is None:
        return {}
    changes: dict[str, float] = {}
    for name in _LATENCIES:
        count = _difference(before, after, f"{name}_count")
        total = _difference(before, after, f"{name}_sum")
        if count and total is not None:
            changes[f"{name}_ms_mean"] = total / count
    for name in _COUNTERS:
        if (count := _difference(before, after, name)) is not None:
            changes[name] = count
    changes.update({name: after.values[name] for name in _GAUGES if name in after.values})
    return changes


def _is_counted(name: str, labels: str) -> bool:
    if name == "milvus_proxy_req_count":
        return 'status="total"' in labels
    if name.startswith(_LATENCIES):
        return 'query_type="query"' not in labels
    return True


def _difference(before: MetricSample, after: MetricSample, name: str) -> float | None:
    if name not in after.values:
        return None
    return after.values[name] - before.values.get(name, 0.0)
