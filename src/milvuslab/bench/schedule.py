"""When each request of an open loop is to be sent, decided before the run and by nothing that happens in it."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from milvuslab.model.errors import LimitError, UsageError

__all__ = ["REQUESTS_MAX", "constant_schedule", "poisson_schedule"]

REQUESTS_MAX = 20_000_000
"""Most requests of one run: their times and answers of ten hits are kept, about 3 GB."""


def constant_schedule(*, rate_per_s: float, duration_s: float) -> npt.NDArray[np.float64]:
    """Offsets in seconds from the begin of a run, evenly spaced, the first at 0, all before `duration_s`.

    >>> constant_schedule(rate_per_s=4, duration_s=1).tolist()
    [0.0, 0.25, 0.5, 0.75]
    """
    _check(rate_per_s, duration_s)
    # Times that meet the end within a billionth of a step are the end: 0.1 s at 30/s is 3 requests, not 4.
    count = max(1, math.ceil(rate_per_s * duration_s - 1e-9))
    return np.arange(count, dtype=np.float64) / rate_per_s


def poisson_schedule(*, rate_per_s: float, duration_s: float, seed: int) -> npt.NDArray[np.float64]:
    """Offsets in seconds, ascending, as independent users make them: gaps are exponential with mean 1 / rate.

    The number of requests varies around rate x duration by about its square root; the same seed gives the same times.
    There is always at least one.
    """
    _check(rate_per_s, duration_s)
    dice = np.random.default_rng(seed)
    # Given their number, the times of a Poisson process are uniform (any text on it: order statistics property).
    count = max(1, int(dice.poisson(rate_per_s * duration_s)))
    return np.sort(dice.uniform(0.0, duration_s, count))


def _check(rate_per_s: float, duration_s: float) -> None:
    if not (0 < rate_per_s < math.inf and 0 < duration_s < math.inf):
        raise UsageError(f"{rate_per_s:g} requests a second for {duration_s:g} s is no schedule", hint="both above 0")
    if rate_per_s * duration_s > REQUESTS_MAX:
        raise LimitError(
            f"{rate_per_s * duration_s:,.0f} requests are more than {REQUESTS_MAX:,}", hint="make the run shorter"
        )
