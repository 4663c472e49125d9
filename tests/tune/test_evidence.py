"""Evidence for a recall above a target: right often enough, whatever the distribution and however often one looks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.tune.evidence import RecallEvidence, Tally, least_query_count, tally

LEVELS = st.lists(st.integers(0, 10).map(lambda matched: matched / 10), min_size=1, max_size=300).map(np.array)


def naive_capital(recalls, target):
    """The definition, stake by stake and query by query."""
    capitals = []
    for share in np.geomspace(0.1, 0.95, 7):
        capital = 1.0
        for recall in recalls:
            capital *= 1 + share / target * (recall - target)
        capitals.append(capital)
    return sum(capitals) / len(capitals)


@given(LEVELS, st.sampled_from([0.5, 0.9, 0.99]))
def test_the_bets_are_those_of_the_definition(recalls, target):
    evidence = RecallEvidence(target=target, error_ratio=0.02)
    evidence.add(recalls)
    assert evidence.is_shown == (naive_capital(recalls, target) >= 50)


@given(LEVELS, LEVELS)
def test_a_tally_of_two_parts_is_the_tally_of_both(first, second):
    both, whole = tally(first).plus(tally(second)), tally(np.concatenate([first, second]))
    np.testing.assert_array_equal(both.values, whole.values)
    np.testing.assert_array_equal(both.counts, whole.counts)
    everything = np.concatenate([first, second])
    assert whole.count == len(everything)
    assert whole.mean == pytest.approx(everything.mean())
    assert whole.error >= everything.std() / math.sqrt(len(everything))


@given(LEVELS)
def test_the_lower_bound_is_below_the_mean_and_shows_itself(recalls):
    evidence = RecallEvidence(target=0.9, error_ratio=0.05)
    evidence.add(recalls)
    low = evidence.lower_bound()
    assert 0 <= low <= recalls.mean() + 1e-9
    assert evidence.is_shown == (low >= 0.9)
    assert naive_capital(recalls, max(low, 1e-3) + 2e-4) < 20 or low == 0


def wrong_ratio(values, shares, *, target, trial_count=1_000, query_count=3_000, look_count=60):
    """How often evidence arises in streams of that distribution, looking 60 times."""
    rng = np.random.default_rng(11)
    shown_count = 0
    for _ in range(trial_count):
        evidence = RecallEvidence(target=target, error_ratio=0.05)
        for part in np.array_split(rng.choice(values, p=shares, size=query_count), look_count):
            evidence.add(part)
            if evidence.is_shown:
                shown_count += 1
                break
    return shown_count / trial_count


@pytest.mark.parametrize(
    "values, shares",
    [
        pytest.param([0.9, 1.0], [0.5, 0.5], id="narrow"),
        pytest.param([0.0, 1.0], [0.05, 0.95], id="all or nothing"),
        pytest.param([0.1, 0.9, 1.0], [0.03, 0.23, 0.74], id="skewed"),
    ],
)
def test_sixty_looks_at_a_mean_on_the_target_are_wrong_at_most_as_often_as_said(values, shares):
    target = float(np.dot(values, shares))
    assert wrong_ratio(values, shares, target=target, trial_count=400) <= 0.05


def test_sixty_looks_with_a_normal_bound_are_wrong_far_more_often():
    """Why it is not a t-test: the same looks with a one-sided 95 % bound of the normal kind."""
    rng = np.random.default_rng(11)
    wrong_count = 0
    for _ in range(400):
        recalls = rng.choice([0.0, 1.0], p=[0.05, 0.95], size=3_000)
        looks = np.arange(50, 3_001, 50)
        means = recalls.cumsum()[looks - 1] / looks
        errors = np.sqrt(means * (1 - means) / looks)
        wrong_count += bool((means - 1.645 * errors > 0.95).any())
    assert wrong_count / 400 > 0.15


def test_what_is_clearly_above_is_shown_soon():
    evidence = RecallEvidence(target=0.95, error_ratio=0.02)
    evidence.add(np.random.default_rng(0).choice([0.9, 1.0], p=[0.2, 0.8], size=400))
    assert evidence.is_shown
    assert 0.95 < evidence.lower_bound() < 0.98


def test_what_was_shown_stays_shown():
    evidence = RecallEvidence(target=0.9, error_ratio=0.05)
    evidence.add(np.ones(100))
    assert evidence.is_shown
    evidence.add(np.zeros(100))
    assert evidence.is_shown and evidence.lower_bound() < 0.9


def test_the_forecast_is_near_what_it_takes():
    rng = np.random.default_rng(5)
    expected = tally(rng.choice([0.8, 1.0], p=[0.15, 0.85], size=5_000))
    fresh = RecallEvidence(target=0.95, error_ratio=0.02)
    forecast = fresh.further_count(expected)
    needed = []
    for _ in range(50):
        evidence = RecallEvidence(target=0.95, error_ratio=0.02)
        while not evidence.is_shown:
            evidence.add(rng.choice([0.8, 1.0], p=[0.15, 0.85], size=10))
        needed.append(evidence.seen.count)
    assert 0.5 * forecast <= np.median(needed) <= 2 * forecast
    assert fresh.further_count(tally(np.full(10, 0.95))) == math.inf
    assert fresh.further_count(expected.shifted(-1.0)) == math.inf


@pytest.mark.parametrize("target, error_ratio", [(0.9, 0.02), (0.99, 0.001)])
def test_fewer_queries_than_the_least_show_nothing(target, error_ratio):
    count = least_query_count(target=target, error_ratio=error_ratio)
    for length, is_shown in ((count - 1, False), (count, True)):
        evidence = RecallEvidence(target=target, error_ratio=error_ratio)
        evidence.add(np.ones(length))
        assert evidence.is_shown is is_shown


def test_an_empty_tally_has_no_queries():
    assert Tally().count == 0
    assert RecallEvidence(target=0.5, error_ratio=0.1).lower_bound() == 0
