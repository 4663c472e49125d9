"""Schedules: times that nothing in a run can change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.bench.schedule import constant_schedule, poisson_schedule
from milvuslab.model.errors import LimitError, UsageError


@given(rate_per_s=st.floats(0.5, 2_000), duration_s=st.floats(0.01, 5))
def test_a_constant_schedule_is_even_and_ends_in_time(rate_per_s, duration_s):
    times = constant_schedule(rate_per_s=rate_per_s, duration_s=duration_s)
    assert times[0] == 0 and times[-1] < duration_s
    assert abs(len(times) - rate_per_s * duration_s) <= 1
    assert np.allclose(np.diff(times), 1 / rate_per_s)


def test_a_product_that_is_not_exact_makes_no_request_more():
    assert len(constant_schedule(rate_per_s=30, duration_s=0.1)) == 3  # 0.1 * 30 is 3.0000000000000004
    assert len(constant_schedule(rate_per_s=300, duration_s=20)) == 6_000


def test_a_poisson_schedule_has_exponential_gaps():
    times = poisson_schedule(rate_per_s=200, duration_s=100, seed=7)
    gaps = np.diff(times)
    assert (gaps >= 0).all() and times[0] >= 0 and times[-1] < 100
    assert abs(len(times) - 20_000) < 4 * 20_000**0.5
    # Exponential: the spread is the mean, and 1/e of the gaps are longer than it.
    assert gaps.mean() == pytest.approx(1 / 200, rel=0.03) and gaps.std() == pytest.approx(1 / 200, rel=0.05)
    assert (gaps > gaps.mean()).mean() == pytest.approx(np.exp(-1), abs=0.02)


def test_a_seed_repeats_a_poisson_schedule():
    one, same, other = (poisson_schedule(rate_per_s=50, duration_s=2, seed=seed) for seed in (3, 3, 4))
    assert one.tolist() == same.tolist() != other.tolist()


@pytest.mark.parametrize("make", [constant_schedule, lambda **values: poisson_schedule(seed=1, **values)])
def test_rates_that_are_none_are_refused(make):
    for rate_per_s, duration_s in [(0, 1), (-1, 1), (1, 0), (float("nan"), 1), (float("inf"), 1)]:
        with pytest.raises(UsageError):
            make(rate_per_s=rate_per_s, duration_s=duration_s)
    with pytest.raises(LimitError, match="20,000,000"):
        make(rate_per_s=1e6, duration_s=60)
    assert len(make(rate_per_s=0.001, duration_s=1)) == 1
