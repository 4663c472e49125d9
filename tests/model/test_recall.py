"""Recall against counting by hand, and what it refuses to score."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milvuslab.model.errors import CheckFailedError, UsageError
from milvuslab.model.recall import recall_at_k, recall_by_distance, worst_decile_recall


@st.composite
def tables(draw):
    """Found and true ids of a few queries, and a depth; found rows may be short and padded."""
    query_count, width = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    pool = list(range(40))
    true = [draw(st.permutations(pool))[:width] for _ in range(query_count)]
    found = []
    for _ in range(query_count):
        count = draw(st.integers(0, width))
        found.append(draw(st.permutations(pool))[:count] + [-1] * (width - count))
    return np.array(found, dtype=np.int64), np.array(true, dtype=np.int64), draw(st.integers(1, width))


@settings(max_examples=60, deadline=None)
@given(tables())
def test_it_is_what_counting_gives(case):
    found, true, k = case
    expected = [len({*map(int, f[:k])} & {*map(int, t[:k])}) / k for f, t in zip(found, true, strict=True)]
    recall = recall_at_k(found, true, k=k)
    assert recall.dtype == np.float64 and recall.tolist() == expected
    assert ((recall >= 0) & (recall <= 1)).all()


@settings(max_examples=60, deadline=None)
@given(tables())
def test_by_distance_is_never_below_by_id(case):
    found, true, k = case
    distance_of = np.random.default_rng(5).integers(0, 6, size=41) / 4
    order = np.argsort(distance_of[true], axis=1, kind="stable")
    true = np.take_along_axis(true, order, axis=1)
    found_distances = np.where(found >= 0, distance_of[found], np.nan)
    by_distance = recall_by_distance(found_distances, distance_of[true], k=k)
    assert (by_distance >= recall_at_k(found, true, k=k)).all() and (by_distance <= 1).all()


def test_the_order_of_the_answer_does_not_matter_but_its_depth_does():
    true = np.array([[1, 2, 3, 4]])
    assert recall_at_k(np.array([[4, 3, 2, 1]]), true, k=4) == 1
    assert recall_at_k(np.array([[4, 3, 2, 1]]), true, k=2) == 0


def test_an_answer_narrower_than_k_misses_the_rest():
    assert recall_at_k(np.array([[1, 2]]), np.array([[1, 2, 3, 4]]), k=4) == 0.5
    assert recall_by_distance(np.array([[0.1, 0.2]]), np.array([[0.1, 0.2, 0.3, 0.4]]), k=4) == 0.5


def test_many_queries_are_counted_in_pieces():
    true = np.arange(3_000 * 100).reshape(3_000, 100)
    found = true.copy()
    found[:, :25] = -1
    assert (recall_at_k(found, true, k=100) == 0.75).all()


def test_a_tie_at_the_edge_counts_by_distance_only():
    true_ids, found_ids = np.array([[1, 2, 3]]), np.array([[1, 2, 9]])
    true, found = np.array([[0.1, 0.5, 0.5]]), np.array([[0.1, 0.5, 0.5]])
    assert recall_at_k(found_ids, true_ids, k=3) == pytest.approx(2 / 3)
    assert recall_by_distance(found, true, k=3) == 1


@pytest.mark.parametrize("kth", [-40.0, 0.0, 0.01, 300.0])
def test_the_tolerance_follows_the_size_of_the_distance(kth):
    true = np.array([[kth - 1, kth]])
    step = 1e-4 * max(1.0, abs(kth))
    assert recall_by_distance(np.array([[kth - 1, kth + 0.9 * step]]), true, k=2) == 1
    assert recall_by_distance(np.array([[kth - 1, kth + 1.1 * step]]), true, k=2) == 0.5


@pytest.mark.parametrize("padding", [np.nan, np.inf])
def test_padded_distances_miss(padding):
    assert recall_by_distance(np.array([[0.1, padding]]), np.array([[0.1, 0.2]]), k=2) == 0.5


def test_a_repeated_id_is_a_failed_check_and_padding_is_none():
    true = np.array([[1, 2, 3], [4, 5, 6]])
    with pytest.raises(CheckFailedError, match="answer of query 1 names id 4 twice") as caught:
        recall_at_k(np.array([[1, -1, -1], [4, 9, 4]]), true, k=3)
    assert caught.value.findings == ("1 of 2 queries have a repeated id in their answer",)
    with pytest.raises(CheckFailedError, match="truth of query 0"):
        recall_at_k(true, np.array([[1, 1, 3], [4, 5, 6]]), k=3)


@pytest.mark.parametrize(
    "found, true, k, message",
    [
        pytest.param(np.zeros((2, 3)), np.zeros((3, 3)), 1, "2 answers and the truth of 3", id="row counts"),
        pytest.param(np.zeros((1, 3)), np.zeros((1, 3)), 4, "k is 4", id="narrow truth"),
        pytest.param(np.zeros((1, 3)), np.zeros((1, 3)), 0, "k is 0", id="no depth"),
        pytest.param(np.zeros(3), np.zeros(3), 1, "shape", id="one row"),
        pytest.param(np.zeros((0, 3)), np.zeros((0, 3)), 1, "empty", id="no query"),
        pytest.param(np.array([[1, 2]]), np.array([[1, -1]]), 2, "truth of query 0 is padded", id="padded truth"),
    ],
)
def test_tables_that_do_not_fit_are_refused(found, true, k, message):
    with pytest.raises(UsageError, match=message):
        recall_at_k(found, true, k=k)


def test_a_true_distance_that_is_no_number_is_refused():
    with pytest.raises(UsageError, match="truth of query 1"):
        recall_by_distance(np.zeros((2, 1)), np.array([[0.0], [np.nan]]), k=1)


def test_the_worst_tenth_is_at_least_one_query():
    assert worst_decile_recall(np.array([0.25])) == 0.25
    assert worst_decile_recall(np.array([0.5] + [1.0] * 9)) == 0.5
    assert worst_decile_recall(np.array([0.0, 1.0] + [1.0] * 9)) == 0.5


@pytest.mark.parametrize("values", [[], [0.5, np.nan]])
def test_recall_that_was_not_measured_has_no_worst_tenth(values):
    with pytest.raises(UsageError):
        worst_decile_recall(np.array(values))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_the_worst_tenth_is_between_the_worst_and_the_mean(values):
    worst = worst_decile_recall(np.array(values))
    assert min(values) - 1e-12 <= worst <= np.mean(values) + 1e-12
