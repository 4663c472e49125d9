"""Runs over a ladder of one value, and the search for the highest rate that a server keeps up with.

Every point keeps its record, so a report can be made of it again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from milvuslab.bench.clock import Clock
from milvuslab.bench.driver import Searches, run_closed_loop, run_open_loop
from milvuslab.bench.metrics import TrueNeighbours, compute_metrics
from milvuslab.bench.record import Record
from milvuslab.bench.schedule import constant_schedule, poisson_schedule
from milvuslab.model.errors import UsageError
from milvuslab.model.progress import Observer, Progress, silent

__all__ = [
    "BATCH_ROWS",
    "IN_FLIGHT",
    "SELECTIVITIES",
    "RateSearch",
    "SweepPoint",
    "find_highest_rate",
    "sweep_batch_rows",
    "sweep_concurrency",
    "sweep_rate",
    "sweep_selectivity",
]

IN_FLIGHT = (1, 2, 4, 8, 16, 32)
"""Requests under way: doubling, until a small server answers no more of them a second."""

BATCH_ROWS = (1, 4, 16, 64, 256)
"""Queries in a request."""

SELECTIVITIES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.01, 0.001)
"""Share of the rows that pass a filter: indexes change their way of searching somewhere in between."""

_KEPT_UP_RATIO = 0.98
"""A server keeps up with a rate when it answers this share of it: what is under way at the end takes the rest."""

_Value = TypeVar("_Value", int, float)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweepPoint:
    """One run of a sweep.

    Attributes:
        value: what was swept: requests under way, requests a second, queries in a request, or selectivity.
        record: what happened.
        metrics: worked out of the record.
    """

    value: float
    record: Record
    metrics: Mapping[str, float | None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RateSearch:
    """The outcome of `find_highest_rate`.

    Attributes:
        rate_per_s: the highest rate that held in every run at it; None when not even the lowest did.
        is_bounded: whether a higher rate was seen to fail; False when the search ended at `high_per_s`.
        points: every run in the order made.
    """

    rate_per_s: float | None
    is_bounded: bool
    points: tuple[SweepPoint, ...]


def sweep_concurrency(
    searches: Searches,
    *,
    in_flight: Sequence[int] = IN_FLIGHT,
    duration_s: float,
    timeout_s: float = 10.0,
    warm_up_count: int = 100,
    truth: TrueNeighbours | None = None,
    k: int | None = None,
    observer: Observer = silent,
    clock: Clock | None = None,
) -> tuple[SweepPoint, ...]:
    """A closed loop at each number of requests under way: how throughput grows, and where it ends."""

    def run(count: int) -> Record:
        return run_closed_loop(
            searches, in_flight=count, duration_s=duration_s, timeout_s=timeout_s, warm_up_count=warm_up_count,
            clock=clock,
        )  # fmt: skip

    return _sweep(in_flight, run, step="sweep concurrency", truth=truth, k=k, observer=observer)


def sweep_rate(
    searches: Searches,
    *,
    rates_per_s: Sequence[float],
    duration_s: float,
    timeout_s: float = 10.0,
    warm_up_count: int = 100,
    seed: int | None = None,
    truth: TrueNeighbours | None = None,
    k: int | None = None,
    observer: Observer = silent,
    clock: Clock | None = None,
) -> tuple[SweepPoint, ...]:
    """An open loop at each rate: how latency grows with load. A seed makes the arrivals Poisson's, else even."""

    def run(rate_per_s: float) -> Record:
        return _run_at(
            searches, rate_per_s, duration_s=duration_s, timeout_s=timeout_s, warm_up_count=warm_up_count, seed=seed,
            clock=clock,
        )  # fmt: skip

    return _sweep(rates_per_s, run, step="sweep rate", truth=truth, k=k, observer=observer)


def sweep_batch_rows(
    prepare: Callable[[int], Searches],
    *,
    batch_rows: Sequence[int] = BATCH_ROWS,
    in_flight: int = 1,
    duration_s: float,
    timeout_s: float = 30.0,
    warm_up_count: int = 10,
    truth: TrueNeighbours | None = None,
    k: int | None = None,
    observer: Observer = silent,
    clock: Clock | None = None,
) -> tuple[SweepPoint, ...]:
    """A closed loop at each number of queries in a request. The latency is of the whole request, never a share of it.

    Args:
        prepare: searches with that many queries in each; `functools.partial` of `Gateway.prepare_searches`.
        batch_rows: the ladder.
        in_flight: requests under way.
        duration_s: of each run.
        timeout_s: deadline of each request.
        warm_up_count: requests before each run.
        truth: of the queries.
        k: depth of recall.
        observer: told which point is being measured.
        clock: None is the machine's.
    """

    def run(rows: int) -> Record:
        return run_closed_loop(
            prepare(rows), in_flight=in_flight, duration_s=duration_s, timeout_s=timeout_s,
            warm_up_count=warm_up_count, clock=clock,
        )  # fmt: skip

    return _sweep(batch_rows, run, step="sweep batch size", truth=truth, k=k, observer=observer)


def sweep_selectivity(
    prepare: Callable[[float], Searches],
    *,
    selectivities: Sequence[float] = SELECTIVITIES,
    rate_per_s: float,
    duration_s: float,
    timeout_s: float = 10.0,
    warm_up_count: int = 100,
    find_truth: Callable[[float], TrueNeighbours] | None = None,
    k: int | None = None,
    observer: Observer = silent,
    clock: Clock | None = None,
) -> tuple[SweepPoint, ...]:
    """An open loop with each filter of the ladder, all at one rate.

    Args:
        prepare: searches whose filter lets that share of the rows pass.
        selectivities: the ladder, shares in (0, 1].
        rate_per_s: requests a second.
        duration_s: of each run.
        timeout_s: deadline of each request.
        warm_up_count: requests before each run.
        find_truth: exact neighbours among the rows that pass; None leaves the recalls out.
        k: depth of recall.
        observer: told which point is being measured.
        clock: None is the machine's.

    Raises:
        UsageError: a selectivity is not in (0, 1].
    """
    if any(not 0 < share <= 1 for share in selectivities):
        raise UsageError(f"selectivities are shares in (0, 1], not {list(selectivities)}")

    def run(share: float) -> Record:
        return _run_at(
            prepare(share), rate_per_s, duration_s=duration_s, timeout_s=timeout_s, warm_up_count=warm_up_count,
            seed=None, clock=clock,
        )  # fmt: skip

    return _sweep(selectivities, run, step="sweep selectivity", truth=find_truth, k=k, observer=observer)


def find_highest_rate(
    searches: Searches,
    *,
    latency_ms_p99_below: float,
    duration_s: float = 10.0,
    low_per_s: float = 10.0,
    high_per_s: float = 100_000.0,
    precision_ratio: float = 0.05,
    timeout_s: float = 10.0,
    warm_up_count: int = 100,
    observer: Observer = silent,
    clock: Clock | None = None,
) -> RateSearch:
    """The highest rate at which the P99 of an open loop stays below a bound.

    Doubles from `low_per_s` until a rate fails, halves the gap until it is small, and measures the winner once more;
    when that run fails, the next lower rate that held is tried. A rate holds when nothing failed, the P99 is known
    and below the bound, and the server kept up: a queue that only grows shows in a short run's throughput first.

    Args:
        searches: what is asked.
        latency_ms_p99_below: the bound, milliseconds from the intended time.
        duration_s: of each run; longer where low rates would send fewer than 100 requests.
        low_per_s: the first rate.
        high_per_s: no rate above it is tried.
        precision_ratio: the answer lies at most this share below a rate that failed.
        timeout_s: deadline of each request.
        warm_up_count: requests before each run.
        observer: told which rate is being measured.
        clock: None is the machine's.

    Raises:
        UsageError: the bounds make no range.
    """
    if not (0 < low_per_s <= high_per_s and latency_ms_p99_below > 0 and precision_ratio > 0):
        raise UsageError(f"no rate from {low_per_s:g}/s to {high_per_s:g}/s can be looked for", hint="all above 0")
    points: list[SweepPoint] = []
    held: list[float] = []

    def holds(rate_per_s: float) -> bool:
        observer(Progress(step="find highest rate", done_count=len(points), unit="runs", message=f"{rate_per_s:g}/s"))
        record = _run_at(
            searches, rate_per_s, duration_s=max(duration_s, 110 / rate_per_s), timeout_s=timeout_s,
            warm_up_count=warm_up_count, seed=None, clock=clock,
        )  # fmt: skip
        metrics = compute_metrics(record)
        points.append(SweepPoint(value=rate_per_s, record=record, metrics=metrics))
        is_held = _holds(metrics, rate_per_s * record.batch_rows, latency_ms_p99_below=latency_ms_p99_below)
        if is_held:
            held.append(rate_per_s)
        return is_held

    rate_per_s = low_per_s
    while holds(rate_per_s) and rate_per_s < high_per_s:
        rate_per_s = min(high_per_s, rate_per_s * 2)
    failed_per_s = None if rate_per_s in held else rate_per_s
    while failed_per_s is not None and held and failed_per_s > held[-1] * (1 + precision_ratio):
        middle_per_s = (held[-1] * failed_per_s) ** 0.5
        if not holds(middle_per_s):
            failed_per_s = middle_per_s
    candidates = sorted(held, reverse=True)
    confirmed = next((rate for rate in candidates if holds(rate)), None)
    return RateSearch(
        rate_per_s=confirmed,
        is_bounded=failed_per_s is not None or bool(candidates and confirmed != candidates[0]),
        points=tuple(points),
    )


def _holds(metrics: Mapping[str, float | None], wanted_qps: float, *, latency_ms_p99_below: float) -> bool:
    p99_ms, qps = metrics["latency_ms_p99"], metrics["qps"]
    if p99_ms is None or qps is None or metrics["error_ratio"]:
        return False
    return p99_ms < latency_ms_p99_below and qps >= _KEPT_UP_RATIO * wanted_qps


def _run_at(
    searches: Searches,
    rate_per_s: float,
    *,
    duration_s: float,
    timeout_s: float,
    warm_up_count: int,
    seed: int | None,
    clock: Clock | None,
) -> Record:
    if seed is None:
        schedule = constant_schedule(rate_per_s=rate_per_s, duration_s=duration_s)
    else:
        schedule = poisson_schedule(rate_per_s=rate_per_s, duration_s=duration_s, seed=seed)
    return run_open_loop(searches, schedule, timeout_s=timeout_s, warm_up_count=warm_up_count, clock=clock)


def _sweep(
    values: Sequence[_Value],
    run: Callable[[_Value], Record],
    *,
    step: str,
    truth: TrueNeighbours | Callable[[float], TrueNeighbours] | None,
    k: int | None,
    observer: Observer,
) -> tuple[SweepPoint, ...]:
    points = []
    for number, value in enumerate(values):
        observer(Progress(step=step, done_count=number, total_count=len(values), unit="runs", message=f"{value:g}"))
        record = run(value)
        known = truth(value) if callable(truth) else truth
        points.append(SweepPoint(value=float(value), record=record, metrics=compute_metrics(record, truth=known, k=k)))
    observer(Progress(step=step, done_count=len(values), total_count=len(values), unit="runs"))
    return tuple(points)
