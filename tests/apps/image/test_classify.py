"""Votes, abstention and how honest a confidence is, on values with known answers."""

import numpy as np
import pytest

from milvuslab.apps.image.classify import compute_calibration_error, fit_shares, vote_by_similarity
from milvuslab.model.errors import SchemaError


def test_nearer_neighbours_weigh_more():
    votes = vote_by_similarity(["cat", "dog", "dog"], [0.95, 0.7, 0.7], ids=["a", "b", "c"])
    assert votes[0].label == "cat"
    assert votes[0].nearest_id == "a"
    assert [vote.neighbour_count for vote in votes] == [1, 2]
    assert sum(vote.share for vote in votes) == pytest.approx(1)
    # e^(10 x 0.25) = 12.2 against two votes of 1
    assert votes[0].share == pytest.approx(12.18 / 14.18, abs=1e-3)


def test_equal_neighbours_vote_by_number_and_those_without_a_label_not_at_all():
    votes = vote_by_similarity(["", "dog", "cat", "dog"], [0.99, 0.8, 0.8, 0.8])
    assert [(vote.label, vote.neighbour_count) for vote in votes] == [("dog", 2), ("cat", 1)]
    assert votes[0].share == pytest.approx(2 / 3)
    assert vote_by_similarity(["", ""], [0.9, 0.8]) == ()
    assert vote_by_similarity([], []) == ()


def test_labels_and_scores_belong_together():
    with pytest.raises(SchemaError):
        vote_by_similarity(["cat"], [0.9, 0.8])


def test_calibrated_confidence_says_how_often_such_shares_are_right():
    dice = np.random.default_rng(2)
    shares = dice.random(4_000)
    right = dice.random(4_000) < shares**2  # votes promise more than they keep
    calibration = fit_shares(shares[::2], right[::2])
    promised = [calibration.apply(share) for share in shares[1::2]]
    assert calibration.apply(0.5) == pytest.approx(0.25, abs=0.06)
    assert all(np.diff(calibration.rates) >= 0)
    assert compute_calibration_error(promised, right[1::2]) < 0.03
    assert compute_calibration_error(shares[1::2], right[1::2]) > 0.12


def test_the_calibration_error_is_that_of_its_definition():
    assert compute_calibration_error([1.0, 1.0, 0.05, 0.05], [True, False, False, False]) == pytest.approx(
        0.5 * 0.5 + 0.5 * 0.05
    )
