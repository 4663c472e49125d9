"""How sure a difference between two runs is: medians over repeats, and intervals by bootstrap from raw records.

Requests of one repeat are alike because they were measured in the same minute, so two things are drawn anew: which
repeats, and within each which stretches of time. An interval from requests alone would be far too narrow.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from milvuslab.bench.metrics import compute_percentile
from milvuslab.bench.record import Record

__all__ = ["GATED", "Gated", "RatioInterval", "Series", "compare_series", "series_of"]

_STRETCHES = 20
_SEED = 20_231
_PERCENTILES = {"latency_ms_p50": 0.5, "latency_ms_p95": 0.95, "latency_ms_p99": 0.99}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """A metric that a gate looks at, and which way is better."""

    name: str
    larger_is_better: bool = False


GATED: tuple[Gated, ...] = (
    *(Gated(name=name) for name in _PERCENTILES),
    Gated(name="qps", larger_is_better=True),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """What one repeat says about time, cut into stretches.

    Attributes:
        latency_ms: for each stretch the latencies of its requests; infinite for failed ones.
        answered: (stretches,) queries answered in each.
        stretch_s: length of each.
        is_open: whether requests came by a schedule; QPS is then the schedule's, and no result.
    """

    latency_ms: tuple[npt.NDArray[np.float64], ...]
    answered: npt.NDArray[np.float64]
    stretch_s: float
    is_open: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RatioInterval:
    """B beside A.

    Attributes:
        a: median over the repeats of A.
        b: median over the repeats of B.
        ratio: b / a.
        low: lower end of the interval of the ratio.
        high: upper end.
    """

    a: float
    b: float
    ratio: float
    low: float
    high: float


def series_of(record: Record) -> Series:
    """The record as stretches of equal time, by when a request was to be sent; at least one."""
    count = max(1, min(_STRETCHES, record.request_count // 10))
    length_ns = max(1, int(record.wall_s * 1e9 / count) + 1)
    stretch = np.minimum(record.intended_ns // length_ns, count - 1)
    latency_ms = np.where(record.is_answered, (record.done_ns - record.intended_ns) / 1e6, np.inf)
    answered = np.bincount(
        np.minimum(record.done_ns[record.is_answered] // length_ns, count - 1), minlength=count
    ).astype(np.float64)
    return Series(
        latency_ms=tuple(latency_ms[stretch == one] for one in range(count)),
        answered=answered * record.batch_rows,
        stretch_s=record.wall_s / count,
        is_open=record.kind == "open",
    )


def compare_series(
    a: Sequence[Series],
    b: Sequence[Series],
    *,
    name: str,
    is_rate_found: bool = False,
    confidence: float = 0.95,
    draws: int = 400,
) -> RatioInterval | None:
    """B beside A for one of `GATED`; None where a side has no such number, or for the QPS of an open loop.

    Args:
        a: repeats of the first run.
        b: repeats of the second.
        name: of the metric.
        is_rate_found: whether the rate of an open loop was found, not given: then its QPS is a result.
        confidence: of the interval.
        draws: bootstrap draws.
    """
    if name == "qps" and not is_rate_found and any(one.is_open for one in (*a, *b)):
        return None
    values_a = [_value(one, name) for one in a]
    values_b = [_value(one, name) for one in b]
    if not all(map(np.isfinite, (*values_a, *values_b))) or min(values_a) <= 0:
        return None
    median_a, median_b = float(np.median(values_a)), float(np.median(values_b))
    dice = np.random.default_rng(_SEED)
    ratios = [_draw(b, name, dice) / max(_draw(a, name, dice), 1e-12) for _ in range(draws)]
    tail = (1 - confidence) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    return RatioInterval(a=median_a, b=median_b, ratio=median_b / median_a, low=float(low), high=float(high))


def _draw(repeats: Sequence[Series], name: str, dice: np.random.Generator) -> float:
    """The median over repeats drawn anew, each of stretches drawn anew."""
    chosen = dice.integers(0, len(repeats), len(repeats))
    return float(np.median([_value(_resampled(repeats[number], dice), name) for number in chosen]))


def _resampled(series: Series, dice: np.random.Generator) -> Series:
    count = len(series.answered)
    chosen = dice.integers(0, count, count)
    return dataclasses.replace(
        series, latency_ms=tuple(series.latency_ms[one] for one in chosen), answered=series.answered[chosen]
    )


def _value(series: Series, name: str) -> float:
    if name == "qps":
        return float(series.answered.sum() / (series.stretch_s * len(series.answered)))
    found = compute_percentile(np.concatenate(series.latency_ms), _PERCENTILES[name])
    return np.nan if found is None else found
