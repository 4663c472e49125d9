"""Questions find what a person would call right, within their filters."""

from __future__ import annotations

import pytest

from milvuslab.apps.text.document import add_document, collect_text_stats
from milvuslab.apps.text.search import TextQuery, search_text
from milvuslab.model.errors import UsageError

TEXTS = {
    "volcano": "The volcano erupted at dawn and ash fell on the villages below. Lava reached the sea by noon.",
    "earthquake": "A strong earthquake shook the coast. Rescue teams searched the collapsed houses for survivors.",
    "bread": "Knead the dough for ten minutes, let it rise, then bake the bread in a hot oven until golden.",
    "football": "The striker scored twice in the second half and the home team won the cup final.",
    "interest": "The central bank raised interest rates again to slow inflation, and shares fell.",
}


@pytest.fixture
def filled(collection, make_document):
    keys = {
        name: add_document(
            collection,
            make_document(
                name,
                text,
                source="kitchen" if name == "bread" else "press",
                published_at_s=None if name == "bread" else day * 100,
            ),
        )
        for day, (name, text) in enumerate(TEXTS.items(), 1)
    }
    # Other searches here take what the server has; a strong read waits until it has everything.
    assert collect_text_stats(collection).document_count == len(TEXTS)
    return collection, keys


def titles(answer) -> list[str]:
    return [hit.title for hit in answer.hits]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("eruption of a mountain", "volcano"),
        ("recipe for a loaf", "bread"),
        ("who won the match", "football"),
        ("monetary policy", "interest"),
    ],
)
def test_meaning_finds_what_words_would_not(filled, question: str, expected: str) -> None:
    collection, keys = filled
    answer = search_text(collection, TextQuery(text=question, limit=3))
    best = answer.hits[0]
    assert (best.title, best.document_id) == (expected, keys[expected])
    assert best.text in TEXTS[expected]
    assert [hit.score for hit in answer.hits] == sorted((hit.score for hit in answer.hits), reverse=True)
    assert all(-1.0001 <= hit.score <= 1.0001 for hit in answer.hits)
    assert 0 < answer.embed_ms < answer.total_ms and 0 < answer.milvus_ms < answer.total_ms


def test_a_document_appears_once_unless_passages_are_wanted(filled) -> None:
    collection, _ = filled
    grouped = search_text(collection, TextQuery(text="lava and ash", limit=5))
    assert len(set(titles(grouped))) == len(grouped.hits) == 5
    passages = search_text(collection, TextQuery(text="lava and ash", limit=5, is_grouped=False))
    assert len(passages.hits) == 5
    assert len({hit.passage_id for hit in passages.hits}) == 5


def test_documents_are_found_behind_the_many_passages_of_one(collection, make_document) -> None:
    # 60 passages of one document are nearer than anything else.
    add_document(collection, make_document("long", "Volcano and lava and ash at the sea of fire. " * 140))
    for number in range(4):
        add_document(collection, make_document(f"short-{number}", f"Bread number {number} is baked in an oven."))
    assert collect_text_stats(collection).passage_count > 60
    answer = search_text(collection, TextQuery(text="volcano and lava", limit=5))
    assert set(titles(answer)) == {"long", "short-0", "short-1", "short-2", "short-3"}


def test_filters_hold(filled) -> None:
    collection, _ = filled

    def found(**conditions) -> set[str]:
        return set(titles(search_text(collection, TextQuery(text="news", limit=10, **conditions))))

    assert found(source="kitchen") == {"bread"}
    assert found(language="ko") == set()
    assert found(published_after_s=200) == {"earthquake", "football", "interest"}
    assert found(published_before_s=200) == {"volcano"}
    assert found(published_after_s=100, published_before_s=201, source="press") == {"volcano", "earthquake"}
    assert found(source='kitchen" or ordinal >= 0 or source == "') == set()


def test_a_lowest_score_is_a_range_search(filled) -> None:
    collection, _ = filled
    everything = search_text(collection, TextQuery(text="volcano", limit=10, channel="dense"))
    border = (everything.hits[0].score + everything.hits[1].score) / 2
    near = search_text(collection, TextQuery(text="volcano", limit=10, min_score=border, channel="dense"))
    assert titles(near) == titles(everything)[:1]


def test_words_of_the_question_are_marked(filled) -> None:
    collection, _ = filled
    hit = search_text(collection, TextQuery(text="volcano ash", limit=1)).hits[0]
    assert {hit.text[start:end].lower() for start, end in hit.highlights} == {"volcano", "ash"}


@pytest.mark.parametrize("wrong", [{"text": " "}, {"limit": 0}, {"limit": 1_001}, {"min_score": 1.5}])
def test_a_wrong_question_is_refused_with_a_next_step(wrong) -> None:
    with pytest.raises(UsageError) as caught:
        TextQuery(**{"text": "x", **wrong})
    assert caught.value.hint
