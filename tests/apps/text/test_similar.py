"""Documents like one that is there: by their meaning, without their copies, spread out when asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.apps.text.document import add_document, collect_text_stats
from milvuslab.apps.text.similar import (
    choose_diverse,
    compute_document_similarity,
    compute_overlap,
    find_similar_documents,
)
from milvuslab.model.errors import NotFoundError, UsageError

ERUPTION = "The volcano erupted at dawn and ash fell on the villages below. Lava reached the sea by noon."
TEXTS = {
    "volcano": ERUPTION,
    "volcano.agency": ERUPTION + " Nobody was hurt.",
    "crater": "Smoke rises from the crater of the volcano, and scientists expect another eruption this week.",
    "crater.again": "Smoke rises from the crater of the volcano, and scientists expect another eruption this month.",
    "earthquake": "A strong earthquake shook the coast. Rescue teams searched the collapsed houses for survivors.",
    "bread": "Knead the dough for ten minutes, let it rise, then bake the bread in a hot oven until golden.",
    "football": "The striker scored twice in the second half and the home team won the cup final.",
}


@pytest.fixture
def gateway(lite_gateway):
    return lite_gateway


@pytest.fixture
def filled(collection, make_document):
    keys = {name: add_document(collection, make_document(name, text)) for name, text in TEXTS.items()}
    keys["mirror"] = add_document(collection, make_document("crater", TEXTS["crater"], source="mirror"))
    assert collect_text_stats(collection).document_count == len(keys)
    return collection, keys


def titles(answer):
    return [hit.title for hit in answer.hits]


def test_copies_are_one_hit_that_names_the_others(filled):
    collection, keys = filled
    answer = find_similar_documents(collection, keys["volcano"], limit=3)
    assert titles(answer)[0] in ("crater", "crater.again") and titles(answer)[1] == "earthquake"
    assert [(same.title, same.overlap > 0.7) for same in answer.also_at[keys["volcano"]]] == [("volcano.agency", True)]
    copies = {same.document_id for same in answer.also_at[answer.hits[0].document_id]}
    assert copies | {answer.hits[0].document_id} == {keys["crater"], keys["mirror"], keys["crater.again"]}
    assert set(answer.also_at) == {keys["volcano"], answer.hits[0].document_id}
    assert answer.as_dict()["also_at"][keys["volcano"]][0]["source"] == "tests"


def test_without_grouping_every_document_is_a_hit(filled):
    collection, keys = filled
    answer = find_similar_documents(collection, keys["volcano"], limit=4, is_grouped=False)
    assert titles(answer)[0] == "volcano.agency" and answer.also_at == {}
    assert titles(answer).count("crater") == 2 and "volcano" not in titles(answer)
    assert [hit.score for hit in answer.hits] == sorted((hit.score for hit in answer.hits), reverse=True)


def test_diversity_brings_other_subjects_before_more_of_the_same(filled):
    collection, keys = filled
    near = find_similar_documents(collection, keys["volcano"], limit=3, is_grouped=False)
    wide = find_similar_documents(collection, keys["volcano"], limit=3, is_grouped=False, diversity=0.7)
    assert titles(wide)[0] == titles(near)[0]
    assert len({title.split(".")[0] for title in titles(wide)}) > len({title.split(".")[0] for title in titles(near)})


def test_a_hit_shows_the_passage_that_comes_nearest(filled, make_document):
    collection, _ = filled
    key = add_document(
        collection, make_document("report", "Prices of flour rose again. " * 8 + TEXTS["football"] + " The end." * 9)
    )
    answer = find_similar_documents(collection, key, limit=5)
    match = next(hit for hit in answer.hits if hit.title == "football")
    assert match.text in TEXTS["football"] and match.published_at_s is None
    assert 0 < answer.embed_ms + answer.milvus_ms < answer.total_ms


def test_a_document_that_was_replaced_counts_once(filled, make_document):
    collection, keys = filled
    replaced = add_document(collection, make_document("bread", "The dog chased the cat around the garden."))
    assert replaced == keys["bread"]
    answer = find_similar_documents(collection, keys["football"], limit=10)
    assert titles(answer).count("bread") == 1
    assert next(hit for hit in answer.hits if hit.title == "bread").text.startswith("The dog")


def test_what_cannot_be_asked_is_refused(filled):
    collection, keys = filled
    with pytest.raises(NotFoundError):
        find_similar_documents(collection, "0" * 24)
    for wrong in ({"limit": 0}, {"limit": 101}, {"diversity": 1.1}, {"diversity": -0.1}):
        with pytest.raises(UsageError) as caught:
            find_similar_documents(collection, keys["bread"], **wrong)
        assert caught.value.hint


def test_similarity_is_the_slow_obvious_mean_of_best_matches():
    draw = np.random.default_rng(3)
    documents = [draw.normal(size=(size, 8)).astype(np.float32) for size in (1, 4, 2, 7)]
    documents = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in documents]
    fast = compute_document_similarity(documents)
    for row, first in enumerate(documents):
        for column, second in enumerate(documents):
            ways = [
                np.mean([max(float(one @ other) for other in far) for one in near])
                for near, far in ((first, second), (second, first))
            ]
            assert fast[row, column] == pytest.approx(sum(ways) / 2, abs=1e-5)


@given(st.integers(2, 9).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, 2**32 - 1))), st.floats(0, 1))
def test_the_nearest_always_comes_first_and_none_twice(shape, diversity):
    size, seed = shape
    similarity = np.random.default_rng(seed).random((size, size), dtype=np.float32)
    chosen = choose_diverse(similarity, list(range(1, size)), limit=5, diversity=diversity)
    assert len(chosen) == len(set(chosen)) == min(5, size - 1)
    assert chosen[0] == 1 + int(similarity[0, 1:].argmax())


def test_overlap_tells_a_copy_from_another_report():
    assert compute_overlap(ERUPTION, ERUPTION.upper()) == 1
    assert compute_overlap(ERUPTION, TEXTS["crater"]) < 0.1
    assert compute_overlap("", ERUPTION) == compute_overlap("...", "") == 0
    assert compute_overlap("회의는 금요일에 한다", "회의는 금요일에 한다") == 1
