"""The promise of the tuner, on curves recorded from real indexes: 200 trials for each curve and target."""

import numpy as np
import pytest

from milvuslab.model.errors import CheckFailedError
from milvuslab.tune.outcome import Objective
from milvuslab.tune.tuner import SEARCH_LIMIT, tune
from tests.tune.curve import CURVE_NAMES, read_curve

TRIAL_COUNT = 200
TARGETS = (0.9, 0.95, 0.99)
LEAST_MARGIN = 0.002
"""By how much a ladder must pass the target somewhere: 6,000 searches cannot tell less from nothing."""
CASES = [
    pytest.param(name, target, id=f"{name}-{target}")
    for name in CURVE_NAMES
    for target in TARGETS
    if read_curve(name).true_recalls.max() > target + LEAST_MARGIN
]


def tune_curve(curve, *, target, seed):
    """One tuning, or None when no step could be shown."""
    try:
        return tune(
            curve, builds=[curve.candidate], recall_target=target, objective=Objective.LATENCY_MS_P50,
            query_count=len(curve.recalls), seed=seed,
        )  # fmt: skip
    except CheckFailedError:
        return None


def test_there_are_curves_of_different_indexes_and_servers():
    kinds = {(read_curve(name).about["index_type"], read_curve(name).about["server_version"]) for name in CURVE_NAMES}
    assert len(CURVE_NAMES) >= 5 and len(kinds) >= 4
    assert len(CASES) >= 12
    assert all(len(read_curve(name).recalls) == 10_000 for name in CURVE_NAMES)


@pytest.mark.parametrize("name, target", CASES)
def test_the_target_is_kept_at_little_cost(name, target):
    curve = read_curve(name)
    reaches = curve.true_recalls >= target
    best_ms = curve.median_ms[reaches].min()
    missed_count, unanswered_count, ratios, search_counts = 0, 0, [], []
    for seed in range(TRIAL_COUNT):
        result = tune_curve(curve, target=target, seed=seed)
        if result is None:
            unanswered_count += 1
            continue
        rung = curve.rung_of(result.chosen.params)
        missed_count += not reaches[rung]
        ratios.append(curve.median_ms[rung] / best_ms)
        search_counts.append(result.search_count)
    assert missed_count <= 0.025 * TRIAL_COUNT
    assert unanswered_count <= 0.025 * TRIAL_COUNT
    assert np.mean(ratios) <= 1.10
    assert max(search_counts) <= SEARCH_LIMIT == 6_000


@pytest.mark.parametrize("name", CURVE_NAMES)
def test_what_the_ladder_does_not_reach_is_said(name):
    curve = read_curve(name)
    target = (1 + curve.true_recalls.max()) / 2 + 0.0005
    if target >= 1:
        pytest.skip("reaches everything")
    with pytest.raises(CheckFailedError, match="was shown to reach") as caught:
        tune(curve, builds=[curve.candidate], recall_target=target, query_count=len(curve.recalls))
    assert caught.value.context["recall_best"] == pytest.approx(curve.true_recalls.max(), abs=0.02)
    assert caught.value.exit_code == 1


def bisect_by_estimate(curve, *, target, seed, query_count=500):
    """What others do: halve the ladder, believe each estimate."""
    rows = np.random.default_rng(seed).choice(len(curve.recalls), query_count, replace=False)
    low, high = -1, len(curve.true_recalls) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if curve.recalls[rows, middle].mean() >= target else (middle, high)
    return high


def test_believing_estimates_misses_the_target_far_more_often():
    shares = []
    for name in CURVE_NAMES:
        curve = read_curve(name)
        for target in TARGETS:
            if curve.true_recalls.max() > target:
                rungs = [bisect_by_estimate(curve, target=target, seed=seed) for seed in range(TRIAL_COUNT)]
                shares.append(float((curve.true_recalls[rungs] < target).mean()))
    assert max(shares) > 0.25
    assert np.mean(shares) > 0.03
