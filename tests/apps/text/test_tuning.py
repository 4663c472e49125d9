"""A fusion fitted by cross-validation: its arithmetic against the slow way, and when it is refused."""

import random

import pytest

from milvuslab.apps.text.fusion import Fusion, fuse_ranked
from milvuslab.apps.text.tuning import FUSION_GRID, score_fusions, tune_fusion
from milvuslab.model.errors import UsageError
from milvuslab.model.ranking import compute_ndcg

SEED = 3
SMALL_GRID = tuple(Fusion(dense_weight=weight, candidate_count=50) for weight in (0.1, 0.3, 0.5, 0.7, 0.9))


def make_lists(dice, *, question_count, lexical_signal, dense_signal=3.0):
    """Lists of two channels in which the one right document has a head start over noise."""
    lists, relevant = {"dense": {}, "lexical": {}}, {}
    ids = [f"d{number}" for number in range(40)]
    for number in range(question_count):
        key, right = f"q{number}", dice.choice(ids)
        relevant[key] = {right: 1}
        for name, signal in (("dense", dense_signal), ("lexical", lexical_signal)):
            scores = {one: dice.gauss(signal * (one == right), 1) for one in ids}
            lists[name][key] = sorted(scores.items(), key=lambda item: -item[1])
    return lists, relevant


def test_the_fast_scores_are_those_of_the_fused_rankings():
    dice = random.Random(SEED)
    ids = [f"d{number}" for number in range(25)]
    lists, relevant = {"dense": {}, "lexical": {}}, {}
    for number in range(12):
        key = f"q{number}"
        relevant[key] = {one: dice.choice([0, 1, 2]) for one in dice.sample(ids, 6)} | {"never found": 1}
        for ranked in lists.values():
            found = dice.sample(ids, dice.randint(0, 25))
            # Few different scores: ties are the rule here.
            ranked[key] = sorted(((one, dice.randint(0, 4) / 4) for one in found), key=lambda item: -item[1])
    fusions = [
        *dice.sample(FUSION_GRID, 25),
        Fusion(dense_weight=1.0),
        Fusion(dense_weight=0.0, kind="rrf"),
        Fusion(dense_weight=0.5),
    ]
    fusions += [Fusion(candidate_count=5, kind=kind, dense_weight=0.5) for kind in ("rrf", "weighted")]
    fast = score_fusions(lists, relevant, fusions)
    for row, fusion in enumerate(fusions):
        for column, (key, grades) in enumerate(relevant.items()):
            fused = fuse_ranked({name: lists[name][key] for name in lists}, fusion)
            assert fast[row, column] == pytest.approx(compute_ndcg([one.id for one in fused], grades, k=10)), fusion


def test_two_channels_that_know_different_things_are_fused():
    lists, relevant = make_lists(random.Random(SEED), question_count=200, lexical_signal=2.5, dense_signal=2.5)
    report = tune_fusion(lists, relevant, grid=SMALL_GRID)
    assert report.is_accepted and report.gain.low > 0
    assert report.tuned.mean > max(one.mean for one in report.channels.values())
    assert report.fusion.dense_weight in (0.3, 0.5, 0.7)
    assert report.reason.startswith("accepted")
    assert len(report.fold_fusions) == 5 and report.as_dict()["question_count"] == 200


def test_a_channel_that_knows_nothing_is_not_worth_a_fusion():
    lists, relevant = make_lists(random.Random(SEED), question_count=120, lexical_signal=0)
    report = tune_fusion(lists, relevant, grid=SMALL_GRID)
    assert not report.is_accepted and report.best_channel == "dense"
    assert "refused" in report.reason and report.default.mean < report.channels["dense"].mean


def test_no_question_is_scored_by_a_fusion_that_was_chosen_on_it():
    # Noise alone: the best of a large grid looks better than chance on the questions it was chosen on, and only there.
    lists, relevant = make_lists(random.Random(SEED), question_count=60, lexical_signal=0, dense_signal=0)
    report = tune_fusion(lists, relevant, grid=FUSION_GRID[:120])
    looks = score_fusions(lists, relevant, FUSION_GRID[:120]).mean(axis=1).max()
    assert report.tuned.mean < looks
    assert not report.is_accepted


def test_too_few_questions_settle_nothing():
    lists, relevant = make_lists(random.Random(SEED), question_count=19, lexical_signal=2)
    with pytest.raises(UsageError, match="19 judged questions"):
        tune_fusion(lists, relevant, grid=SMALL_GRID)
