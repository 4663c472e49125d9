"""The way over the ladder: where it begins, where it ends, what it costs, and how often it is wrong."""

import numpy as np
import pytest

from milvuslab.tune.climb import Goal, climb_ladder, needed_query_count

GOAL = Goal(recall=0.95, error_ratio=0.02, search_limit=6_000)


def ladder(means, *, query_count=10_000, seed=0):
    """(queries, rungs) recalls in tenths with exactly those means: an easy query is easy on every rung."""
    ease = np.random.default_rng(seed).permutation(query_count) / query_count
    columns = []
    for mean in means:
        matched = np.floor(10 * np.clip(ease + mean, 0, 1) + 1e-9)
        columns.append(np.round(matched))
        short = round(mean * 10 * query_count) - int(matched.sum())
        order = np.argsort(ease, kind="stable")
        for row in np.resize(order[::-1] if short < 0 else order, 40 * query_count):
            if short == 0:
                break
            change = int(np.sign(short))
            if 0 <= columns[-1][row] + change <= 10:
                columns[-1][row] += change
                short -= change
    return np.stack(columns, axis=1) / 10


def climb(recalls, *, goal=GOAL, seed=0):
    asked = []

    def ask(rung, rows):
        asked.append((rung, rows))
        return recalls[rows, rung]

    found = climb_ladder(ask, rung_count=recalls.shape[1], goal=goal, query_count=len(recalls), seed=seed)
    return found, asked


def test_the_made_ladders_have_the_means_they_claim():
    np.testing.assert_allclose(ladder([0.5, 0.949, 0.98]).mean(axis=0), [0.5, 0.949, 0.98])


def test_the_lowest_rung_above_the_target_is_chosen():
    recalls = ladder([0.6, 0.7, 0.8, 0.88, 0.92, 0.97, 0.98, 0.99])
    assert [climb(recalls, seed=seed)[0].chosen for seed in range(20)] == [5] * 20


def test_a_ladder_that_begins_above_the_target_costs_little():
    found, _ = climb(ladder([0.99, 0.995, 0.999]))
    assert found.chosen == 0
    assert found.search_count < 2_000


def test_nothing_is_chosen_below_the_target():
    found, _ = climb(ladder([0.6, 0.8, 0.94]))
    assert found.chosen is None
    assert max(found.rungs, key=lambda one: one.recall).recall == pytest.approx(0.94, abs=0.02)
    assert not any(one.is_shown for one in found.rungs)


@pytest.mark.parametrize("top", [0.95, 0.9499, 0.945])
def test_a_rung_on_the_target_or_just_below_is_chosen_at_most_as_often_as_said(top):
    recalls = ladder([0.7, 0.9, 0.93, top])
    wrong_count = sum(climb(recalls, seed=seed)[0].chosen is not None for seed in range(200))
    assert wrong_count <= 0.02 * 200


def test_many_rungs_just_below_the_target_do_not_add_up():
    recalls = ladder([0.945, 0.946, 0.947, 0.948, 0.949, 0.9495, 0.9499, 0.97, 0.98])
    chosen = [climb(recalls, seed=seed)[0].chosen for seed in range(200)]
    assert sum(rung is None or rung < 7 for rung in chosen) <= 0.02 * 200


def test_recall_that_falls_with_the_rung_is_still_safe():
    recalls = ladder([0.99, 0.94, 0.99, 0.93, 0.98, 0.99])
    chosen = [climb(recalls, seed=seed)[0].chosen for seed in range(50)]
    assert None not in chosen
    assert not {1, 3} & set(chosen)


def test_a_deceiving_draw_of_search_queries_only_costs_time():
    """All rungs look perfect on the queries that choose where to begin; the proof still decides."""
    recalls = ladder([0.7, 0.8, 0.9, 0.97, 0.99])
    order = np.random.default_rng(0).permutation(len(recalls))
    recalls[order[:400]] = 1.0
    found, _ = climb(recalls, seed=0)
    assert found.chosen in (3, 4)


def test_no_query_proves_that_helped_to_choose():
    recalls = ladder([0.8, 0.9, 0.96, 0.99])
    found, asked = climb(recalls)
    order = np.random.default_rng(0).permutation(len(recalls))
    search, proof = set(order[:400].tolist()), set(order[400:].tolist())
    for rung in range(4):
        rows = [rows for asked_rung, rows in asked if asked_rung == rung]
        flat = np.concatenate(rows).tolist() if rows else []
        assert len(flat) == len(set(flat))
        parts = [search if set(part.tolist()) <= search else proof for part in rows]
        assert all(set(part.tolist()) <= side for part, side in zip(rows, parts, strict=True))
        report = next((one for one in found.rungs if one.rung == rung), None)
        if report is not None and report.is_shown:
            held_out = [row for row in flat if row in proof]
            assert report.recall_lower <= recalls[held_out, rung].mean()
    assert found.search_count == sum(len(rows) for _, rows in asked)


@pytest.mark.parametrize("limit", [500, 2_000, 6_000])
def test_the_limit_of_searches_is_kept(limit):
    goal = Goal(recall=0.95, error_ratio=0.02, search_limit=limit)
    for means in ([0.94, 0.951, 0.953], [0.9, 0.955, 0.96, 0.97], [0.9, 0.94]):
        for seed in range(10):
            found, _ = climb(ladder(means), goal=goal, seed=seed)
            assert found.search_count <= max(limit, 1_300)


def test_the_same_seed_chooses_the_same():
    recalls = ladder([0.8, 0.9, 0.953, 0.96, 0.99])
    assert climb(recalls, seed=4)[0] == climb(recalls, seed=4)[0]


def test_few_queries_choose_a_higher_rung_or_none():
    recalls = ladder([0.8, 0.9, 0.955, 0.97, 0.999, 1.0], query_count=400)
    chosen = [climb(recalls, seed=seed)[0].chosen for seed in range(30)]
    assert set(chosen) <= {3, 4, 5}
    least = needed_query_count(GOAL)
    perfect = np.ones((least, 2))
    assert climb(perfect)[0].chosen is not None
    assert climb(perfect[: least * 9 // 10])[0].chosen is None


def test_one_rung_is_a_ladder_too():
    assert climb(ladder([0.97]))[0].chosen == 0
    assert climb(ladder([0.9]))[0].chosen is None
