"""How sure a difference between two runs is: medians over repeats, and intervals by bootstrap from raw records.

Requests of one repeat are alike because they were measured in the same minute, so two things are drawn anew: which
repeats, and within each which stretches of time. An interval from requests alone would be far too narrow.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from milvuslab.bench.metrics import compute_percentile
from milvuslab.bench.record import Record

__all__ = ["GATED", "Gated", "RatioInterval", "Series", "compare_series", "series_of"]

_STRETCHES = 20
_SEED = 20_231
_LOWEST_MS, _STEP, _BINS = 1e-3, 0.01, 2_100
"""Bins of one percent each, from a microsecond to over twenty minutes; the last is of failed requests."""
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
        percentiles: of all its requests, exactly; None where it has none.
        histogram: (stretches, bins) requests of each stretch by latency, in the bins that are used.
        bin_ms: (bins,) latency that a bin stands for, within half a percent; infinite for failed ones.
        answered: (stretches,) queries answered in each.
        stretch_s: length of each.
        is_open: whether requests came by a schedule; QPS is then the schedule's, and no result.
    """

    percentiles: Mapping[str, float | None]
    histogram: npt.NDArray[np.float64]
    bin_ms: npt.NDArray[np.float64]
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
    latency_ms = (record.done_ns - record.intended_ns) / 1e6
    answered = np.bincount(
        np.minimum(record.done_ns[record.is_answered] // length_ns, count - 1), minlength=count
    ).astype(np.float64)
    bins = np.clip(np.log(np.maximum(latency_ms, 1e-12) / _LOWEST_MS) / _STEP, 0, _BINS - 2).astype(np.int64)
    bins[~record.is_answered] = _BINS - 1
    used, columns = np.unique(bins, return_inverse=True)
    histogram = np.bincount(stretch * len(used) + columns, minlength=count * len(used)).reshape(count, len(used))
    return Series(
        percentiles={
            name: compute_percentile(latency_ms, ratio, is_answered=record.is_answered)
            for name, ratio in _PERCENTILES.items()
        },
        histogram=histogram.astype(np.float64),
        bin_ms=np.where(used < _BINS - 1, _LOWEST_MS * np.exp(_STEP * (used + 0.5)), np.inf),
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
    drawn_a, drawn_b = _draw(a, name, dice, draws=draws), _draw(b, name, dice, draws=draws)
    ratios = drawn_b / np.maximum(drawn_a, 1e-12)
    tail = (1 - confidence) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    return RatioInterval(a=median_a, b=median_b, ratio=median_b / median_a, low=float(low), high=float(high))


def _draw(repeats: Sequence[Series], name: str, dice: np.random.Generator, *, draws: int) -> npt.NDArray[np.float64]:
    """(draws,) medians over repeats drawn anew, each of stretches drawn anew."""
    count = len(repeats)
    # A repeat that is drawn twice has two sets of stretches, so each has as many values as there are places.
    values = np.stack([_redrawn(one, name, dice, draws=draws * count).reshape(draws, count) for one in repeats])
    chosen = dice.integers(0, count, (draws, count))
    return np.asarray(np.median(values[chosen, np.arange(draws)[:, None], np.arange(count)], axis=1))


def _redrawn(series: Series, name: str, dice: np.random.Generator, *, draws: int) -> npt.NDArray[np.float64]:
    """(draws,) values of a repeat whose stretches were drawn anew."""
    count = len(series.answered)
    weights = dice.multinomial(count, np.full(count, 1 / count), draws).astype(np.float64)
    if name == "qps":
        return np.asarray(weights @ series.answered / (series.stretch_s * count))
    # A percentile of weighted stretches from histograms: its cost does not grow with the requests.
    heights = weights @ series.histogram
    reached = np.cumsum(heights, axis=1) >= _PERCENTILES[name] * heights.sum(axis=1, keepdims=True) - 1e-6
    return np.asarray(series.bin_ms[np.argmax(reached, axis=1)])


def _value(series: Series, name: str) -> float:
    if name == "qps":
        return float(series.answered.sum() / (series.stretch_s * len(series.answered)))
    found = series.percentiles[name]
    return np.nan if found is None else found
