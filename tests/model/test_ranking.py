"""Measures of a ranking: against `ir_measures` on random rankings with ties and grades, and by hand."""

import doctest
import random

import ir_measures
import numpy as np
import pytest
from ir_measures import AP, RR, R, nDCG

from milvuslab.model import ranking
from milvuslab.model.errors import UsageError

SEED = 5


def make_run(dice, *, query_count=60, document_count=40):
    """Judgements with grades -1 to 3, and scores of which many are equal; documents may be missing or not judged."""
    ids = [f"d{number}" for number in range(document_count)]
    grades, scores = {}, {}
    for number in range(query_count):
        judged = {key: dice.choice([-1, 0, 0, 1, 2, 3]) for key in dice.sample(ids, 12)}
        judged[dice.choice(ids)] = 1
        found = dice.sample(ids, dice.randint(1, document_count))
        grades[f"q{number}"] = judged
        scores[f"q{number}"] = {key: dice.randint(0, 8) / 8 for key in found}
    return grades, scores


def test_measures_agree_with_ir_measures_with_ties_and_grades():
    grades, scores = make_run(random.Random(SEED))
    ours = {
        nDCG @ 10: lambda ranked, judged: ranking.compute_ndcg(ranked, judged, k=10),
        nDCG @ 3: lambda ranked, judged: ranking.compute_ndcg(ranked, judged, k=3),
        R @ 10: lambda ranked, judged: ranking.compute_relevant_recall(ranked, judged, k=10),
        R @ 100: lambda ranked, judged: ranking.compute_relevant_recall(ranked, judged, k=100),
        RR: ranking.compute_reciprocal_rank,
        AP: ranking.compute_average_precision,
        AP @ 5: lambda ranked, judged: ranking.compute_average_precision(ranked, judged, k=5),
    }
    compared = 0
    for one in ir_measures.iter_calc(list(ours), grades, scores):
        ranked = ranking.rank_by_score(scores[one.query_id])
        assert ours[one.measure](ranked, grades[one.query_id]) == pytest.approx(one.value, abs=1e-6), one
        compared += 1
    assert compared == len(ours) * len(grades)


def test_reciprocal_rank_looks_no_further_than_k():
    assert ranking.compute_reciprocal_rank(["x", "y", "a"], {"a": 1}, k=2) == 0
    assert ranking.compute_reciprocal_rank(["x", "y", "a"], {"a": 1}, k=3) == pytest.approx(1 / 3)


def test_ndcg_of_ranks_is_ndcg_of_the_ranking():
    grades = {"a": 3, "b": 1, "c": 2, "gone": 2, "bad": -1}
    ranked = ["x", "bad", "c", "a", "y", "b"]
    ranks = {key: ranked.index(key) + 1 for key in grades if key in ranked}
    for k in (1, 3, 4, 10):
        expected = ranking.compute_ndcg(ranked, grades, k=k)
        assert ranking.compute_ndcg_of_ranks(ranks, grades, k=k) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("ranked", "grades", "k", "words"),
    [(["a"], {"a": 0}, 10, "nothing is relevant"), (["a"], {"a": 1}, 0, "k is 0"), (["a", "a"], {"a": 1}, 5, "twice")],
)
def test_what_cannot_be_measured_is_refused(ranked, grades, k, words):
    for measure in (
        ranking.compute_ndcg, ranking.compute_relevant_recall, ranking.compute_reciprocal_rank,
        ranking.compute_average_precision,
    ):  # fmt: skip
        with pytest.raises(UsageError, match=words):
            measure(ranked, grades, k=k)


def test_the_interval_holds_the_true_mean_about_as_often_as_it_says():
    dice = np.random.default_rng(SEED)
    held = 0
    for _ in range(200):
        found = ranking.bootstrap_interval(dice.beta(2, 3, 60), draws=400)
        held += found.low <= 0.4 <= found.high
    assert 180 <= held <= 199  # 95 %, less the little that small samples cost


def test_a_paired_difference_sees_what_two_intervals_hide():
    dice = np.random.default_rng(SEED)
    hard = dice.uniform(0, 1, 300)
    a, b = hard + 0.02 + dice.normal(0, 0.02, 300), hard
    apart = [ranking.bootstrap_interval(values) for values in (a, b)]
    assert apart[0].low < apart[1].high
    assert ranking.bootstrap_paired_difference(a, b).low > 0.015
    none = ranking.bootstrap_paired_difference(b, b)
    assert (none.mean, none.low, none.high, none.count) == (0, 0, 0, 300)


def test_intervals_are_the_same_whatever_the_memory_they_use(monkeypatch):
    values = np.random.default_rng(SEED).uniform(0, 1, 50)
    whole = ranking.bootstrap_interval(values, draws=300)
    monkeypatch.setattr(ranking, "_CHUNK_CELLS", 500)
    assert ranking.bootstrap_interval(values, draws=300) == whole
    assert "to" in str(whole) and whole.as_dict()["count"] == 50


def test_no_values_are_no_interval():
    for values in ([], [0.5, float("nan")]):
        with pytest.raises(UsageError, match="no values"):
            ranking.bootstrap_interval(values)
    with pytest.raises(UsageError, match="beside"):
        ranking.bootstrap_paired_difference([1.0], [1.0, 2.0])


def test_the_examples_run():
    assert doctest.testmod(ranking).failed == 0
