"""One ranking from two: what holds for every pair of rankings and every fusion."""

import doctest
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.apps.text import fusion as module
from milvuslab.apps.text.fusion import DEFAULT_FUSION, Fusion, fuse_ranked
from milvuslab.model.errors import UsageError

# Multiples of 1/64 shift and double without rounding, so that ties stay ties.
SCORES = st.lists(st.integers(-640, 640).map(lambda value: value / 64), max_size=12).map(
    lambda s: sorted(s, reverse=True)
)


@st.composite
def channels(draw):
    """Two ranked lists over the same few ids, either of them possibly empty."""
    lists = {}
    for name in module.CHANNELS:
        scores = draw(SCORES)
        ids = draw(st.permutations(range(12)))[: len(scores)]
        lists[name] = list(zip(ids, scores, strict=True))
    return lists


FUSIONS = st.builds(
    Fusion,
    kind=st.sampled_from(["rrf", "weighted"]),
    dense_weight=st.sampled_from([0.0, 0.25, 0.5, 0.7, 1.0]),
    rrf_k=st.integers(0, 100),
    normalization=st.sampled_from(["range", "deviation"]),
    candidate_count=st.integers(1, 12),
)


@given(channels(), FUSIONS)
def test_every_candidate_comes_once_best_first_with_its_ranks_and_shares(lists, fusion):
    fused = fuse_ranked(lists, fusion)
    kept = {name: [key for key, _ in found[: fusion.candidate_count]] for name, found in lists.items()}

    assert sorted(one.id for one in fused) == sorted({key for keys in kept.values() for key in keys})
    assert [one.score for one in fused] == sorted((one.score for one in fused), reverse=True)
    for one in fused:
        assert dict(one.ranks) == {name: keys.index(one.id) + 1 for name, keys in kept.items() if one.id in keys}
        assert all(0 <= share <= 1 for share in one.shares.values())
        assert sum(one.shares.values()) == pytest.approx(1 if one.score > 0 else 0)


@given(channels(), FUSIONS, st.sampled_from(module.CHANNELS))
def test_all_weight_on_a_channel_keeps_its_order(lists, fusion, name):
    whole = Fusion.from_dict({**fusion.as_dict(), "dense_weight": 1.0 if name == "dense" else 0.0})
    expected = [key for key, _ in lists[name][: fusion.candidate_count]]
    assert [one.id for one in fuse_ranked(lists, whole)][: len(expected)] == expected


@given(channels(), FUSIONS)
def test_a_shift_or_a_factor_of_one_channels_scores_changes_nothing(lists, fusion):
    moved = {**lists, "lexical": [(key, 4 * score + 32) for key, score in lists["lexical"]]}
    before, after = fuse_ranked(lists, fusion), fuse_ranked(moved, fusion)
    assert {one.id: one.score for one in after} == pytest.approx({one.id: one.score for one in before})


@given(channels(), FUSIONS)
def test_the_order_in_which_channels_are_given_changes_nothing(lists, fusion):
    turned = dict(reversed(lists.items()))
    assert [one.id for one in fuse_ranked(lists, fusion)] == [one.id for one in fuse_ranked(turned, fusion)]


@given(channels(), FUSIONS)
def test_who_is_ahead_in_both_channels_is_ahead_in_the_end(lists, fusion):
    place = {one.id: index for index, one in enumerate(fuse_ranked(lists, fusion))}
    ranks = {one.id: one.ranks for one in fuse_ranked(lists, fusion)}
    far = 99
    for (a, place_a), (b, place_b) in itertools.permutations(place.items(), 2):
        if all(ranks[a].get(name, far) < ranks[b].get(name, far) for name in module.CHANNELS):
            assert place_a < place_b


def test_reciprocal_ranks_are_those_of_the_formula():
    fused = fuse_ranked(
        {"dense": [("a", 0.9), ("b", 0.1)], "lexical": [("b", 3.0)]}, Fusion(kind="rrf", rrf_k=60, dense_weight=0.25)
    )
    assert {one.id: one.score for one in fused} == pytest.approx({"a": 0.25 / 61, "b": 0.25 / 62 + 0.75 / 61})


@pytest.mark.parametrize(("normalization", "scale"), [("range", 4), ("deviation", (26 / 9) ** 0.5)])
def test_scores_are_brought_to_one_scale(normalization, scale):
    fused = fuse_ranked(
        {"dense": [("a", 5.0), ("b", 2.0), ("c", 1.0)]}, Fusion(normalization=normalization, dense_weight=1.0)
    )
    assert {one.id: one.score for one in fused} == pytest.approx({"a": 4 / scale, "b": 1 / scale, "c": 0})


def test_a_fusion_survives_its_form_for_json_and_says_what_is_wrong_with_one():
    assert Fusion.from_dict({**DEFAULT_FUSION.as_dict(), "later": 1}) == DEFAULT_FUSION
    assert "dense 0.25" in str(Fusion(kind="rrf", dense_weight=0.25))
    for wrong in (
        {"dense_weight": 1.5},
        {"kind": "sum"},
        {"rrf_k": -1},
        {"normalization": "l2"},
        {"candidate_count": 0},
    ):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            Fusion(**wrong)
    with pytest.raises(UsageError, match="not whole"):
        Fusion.from_dict({"kind": "rrf"})
    with pytest.raises(UsageError, match="image"):
        fuse_ranked({"image": []}, DEFAULT_FUSION)


def test_the_example_runs():
    assert doctest.testmod(module).failed == 0
