"""By meaning, by words, by both: what each finds, what an answer says of it, and what a server without words does."""

from __future__ import annotations

import dataclasses
import json
import re
import secrets

import numpy as np
import pytest

from milvuslab.apps.text.collection import (
    PassageCut,
    create_text_collection,
    open_text_collection,
    text_collection_spec,
)
from milvuslab.apps.text.document import collect_text_stats
from milvuslab.apps.text.fusion import Fusion, fuse_ranked
from milvuslab.apps.text.ingest import ingest_documents
from milvuslab.apps.text.search import TextQuery, search_text
from milvuslab.data.document import Document, Item
from milvuslab.model.errors import UnsupportedError, UsageError
from milvuslab.model.filter import where
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric

CUT = PassageCut(limit_tokens=24, overlap_tokens=6)
TEXTS = {
    "volcano": ("en", "The volcano erupted at dawn and ash fell on the villages. Lava reached the sea by noon."),
    "earthquake": ("en", "A strong earthquake shook the coast. Rescue teams searched the collapsed houses."),
    "bread": ("en", "Knead the dough for ten minutes, let it rise, then bake the bread in a hot oven."),
    "pivot": ("ko", "피벗 테이블을 만들려면 데이터가 있는 셀을 고르고 메뉴에서 삽입을 누릅니다."),
    "merge": ("ko", "여러 셀을 병합하면 왼쪽 위 셀의 내용만 남습니다. 병합은 되돌릴 수 있습니다."),
    "macro": ("ko", "LibreOffice Basic 매크로는 반복되는 일을 대신합니다. 매크로를 기록해 두세요."),
}


def fill(collection, *names: str) -> None:
    items = [
        Item(
            document=Document(
                document_id=name, title=name, text=text, language=language, source=f"{language}-tests",
                published_at_s=day * 100,
            ),
            resume_token="",
        )
        for day, (name, (language, text)) in enumerate(TEXTS.items(), 1)
        if name in (names or TEXTS)
    ]  # fmt: skip
    ingest_documents(collection, items)
    # Other searches here take what the server has; a strong read waits until it has everything.
    assert collect_text_stats(collection).document_count == len(items)


@pytest.fixture(scope="module")
def on_lite(lite_gateway, minilm):
    name = f"milvuslab_test_{secrets.token_hex(6)}"
    collection = create_text_collection(lite_gateway, name, encoder=minilm, cut=CUT)
    fill(collection)
    yield collection
    lite_gateway.collections.drop(name)


@pytest.fixture(scope="module")
def on_standalone(standalone_gateway, minilm):
    name = f"milvuslab_test_{secrets.token_hex(6)}"
    collection = create_text_collection(standalone_gateway, name, encoder=minilm, cut=CUT)
    fill(collection, "volcano")
    yield collection
    standalone_gateway.collections.drop(name)


def titles(answer) -> list[str]:
    return [hit.title for hit in answer.hits]


def marked(hit) -> list[str]:
    return [hit.text[start:end] for start, end in hit.highlights]


@pytest.mark.parametrize(
    ("question", "expected", "words"),
    [
        ("셀에 피벗 테이블", "pivot", "피벗|테이블|셀"),
        ("병합을", "merge", "병합"),
        ("매크로가", "macro", "매크로"),
        ("basic macros 매크로", "macro", "Basic|매크로"),
        ("baking breads", "bread", "bake|bread"),
    ],
)
def test_words_find_what_holds_them_whatever_their_particles_and_endings(on_lite, question, expected, words) -> None:
    answer = search_text(on_lite, TextQuery(text=question, channel="lexical", limit=3))
    best = answer.hits[0]
    assert (answer.channel, best.title) == ("lexical", expected)
    assert marked(best) == re.findall(words, best.text) != []
    assert best.explanation.final_rank == best.explanation.lexical_rank == 1
    assert (best.explanation.dense_rank, best.explanation.lexical_share) == (None, 1.0)
    assert best.score == best.explanation.lexical_score > 0
    assert answer.embed_ms == 0 < answer.milvus_ms < answer.lexical_ms < answer.total_ms


def test_an_answer_names_the_words_as_the_question_writes_them(on_lite) -> None:
    answer = search_text(on_lite, TextQuery(text="earthquakes and rescue, volcanoes", channel="hybrid", limit=6))
    by_title = {hit.title: hit.explanation.matched_terms for hit in answer.hits}
    assert by_title["earthquake"] == ("earthquakes", "rescue")
    assert by_title["volcano"] == ("volcanoes",)
    assert by_title["bread"] == ()


def test_both_channels_merged_are_the_fusion_of_each_alone(on_lite) -> None:
    fusion = Fusion(kind="weighted", dense_weight=0.3, candidate_count=20)
    collection = dataclasses.replace(on_lite, fusion=fusion)
    question = "lava and hot bread near the coast"
    alone = {
        channel: search_text(collection, TextQuery(text=question, channel=channel, limit=20))
        for channel in ("dense", "lexical")
    }
    channels = {name: [(hit.document_id, hit.score) for hit in answer.hits] for name, answer in alone.items()}
    expected = fuse_ranked(channels, fusion)
    both = search_text(collection, TextQuery(text=question, limit=20))
    assert both.channel == "hybrid"
    assert [hit.document_id for hit in both.hits] == [one.id for one in expected]
    for hit, one in zip(both.hits, expected, strict=True):
        told = hit.explanation
        assert hit.score == pytest.approx(one.score, abs=1e-5)
        assert {"dense": told.dense_rank, "lexical": told.lexical_rank} == {
            name: one.ranks.get(name) for name in ("dense", "lexical")
        }
        assert told.dense_share == pytest.approx(one.shares["dense"], abs=1e-5)
        assert told.lexical_share == pytest.approx(one.shares["lexical"], abs=1e-5)
    assert [hit.explanation.final_rank for hit in both.hits] == list(range(1, len(both.hits) + 1))
    assert both.lexical_ms > 0 and both.fuse_ms > 0 and both.embed_ms > 0 and not both.note


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"language": "ko"}, {"pivot", "merge"}),
        ({"source": "en-tests"}, set()),
        ({"published_after_s": 500}, {"merge"}),
        ({"published_before_s": 500}, {"pivot"}),
    ],
)
def test_filters_hold_for_words_too(on_lite, values, expected) -> None:
    answer = search_text(on_lite, TextQuery(text="셀", channel="lexical", **values))
    assert set(titles(answer)) == expected


def test_a_lowest_cosine_holds_for_words_too(on_lite) -> None:
    query = TextQuery(text="the volcano and the dough", limit=6)
    cosine = {hit.title: hit.score for hit in search_text(on_lite, dataclasses.replace(query, channel="dense")).hits}
    border = (cosine["volcano"] + cosine["bread"]) / 2
    nearer = max(("volcano", "bread"), key=cosine.__getitem__)
    assert set(titles(search_text(on_lite, dataclasses.replace(query, channel="lexical")))) == {"volcano", "bread"}
    for channel in ("lexical", "hybrid"):
        near = search_text(on_lite, dataclasses.replace(query, channel=channel, min_score=border))
        assert titles(near) == [nearer]


def test_passages_of_one_document_may_all_appear(on_lite) -> None:
    query = TextQuery(text="병합", channel="hybrid", limit=50, language="ko", is_grouped=False)
    hits = [hit for hit in search_text(on_lite, query).hits if hit.title == "merge"]
    assert len(hits) > 1 and len({hit.passage_id for hit in hits}) == len(hits)
    assert len(search_text(on_lite, dataclasses.replace(query, is_grouped=True)).hits) == 3


def test_a_question_without_a_word_that_counts_is_asked_by_meaning(on_lite) -> None:
    both = search_text(on_lite, TextQuery(text="what is it", limit=6))
    dense = search_text(on_lite, TextQuery(text="what is it", limit=6, channel="dense"))
    assert titles(both) == titles(dense)
    assert search_text(on_lite, TextQuery(text="what is it", channel="lexical")).hits == ()


def test_a_server_without_words_answers_by_meaning_and_says_why(on_standalone) -> None:
    assert not on_standalone.has_lexical
    answer = search_text(on_standalone, TextQuery(text="eruption of a mountain", limit=1))
    assert (answer.channel, titles(answer)) == ("dense", ["volcano"])
    assert "2.3.5" in answer.note and "no vectors of words" in answer.note
    assert search_text(on_standalone, TextQuery(text="eruption", channel="dense")).note == ""
    for channel in ("lexical", "hybrid"):
        with pytest.raises(UnsupportedError, match="lexical channel") as caught:
            search_text(on_standalone, TextQuery(text="eruption", channel=channel))
        assert "channel dense" in caught.value.hint


def test_a_channel_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match="channel is 'words'"):
        TextQuery(text="a", channel="words")


def rewrite(spec, **values):
    stored = {**json.loads(spec.description), **values}
    return dataclasses.replace(spec, description=json.dumps({key: one for key, one in stored.items() if one != "gone"}))


def test_a_collection_of_the_first_format_is_read_and_written_by_meaning(lite_gateway, minilm, unique_name) -> None:
    gateway = lite_gateway
    spec = rewrite(text_collection_spec(unique_name, fingerprint=minilm.fingerprint, cut=CUT), version=1, terms="gone")
    spec = dataclasses.replace(spec, fields=tuple(field for field in spec.fields if field.name != "revision"))
    gateway.collections.create(spec, [IndexSpec(field_name="vector", index_type="FLAT", metric=Metric.IP)])
    collection = open_text_collection(gateway, unique_name, open_encoder=lambda _: minilm)
    assert (collection.has_revision, collection.has_lexical) == (False, False)
    fill(collection)
    answer = search_text(collection, TextQuery(text="volcano ash", limit=1))
    assert (answer.channel, titles(answer)) == ("dense", ["volcano"])
    assert set(marked(answer.hits[0])) == {"volcano", "ash"}
    assert answer.note
    gateway.collections.drop(unique_name)


def test_words_found_by_other_rules_are_not_searched(lite_gateway, minilm, unique_name) -> None:
    spec = text_collection_spec(unique_name, fingerprint=minilm.fingerprint, cut=CUT, has_lexical=True)
    index = IndexSpec(field_name="vector", index_type="FLAT", metric=Metric.IP)
    words = IndexSpec(field_name="lexical_vector", index_type="SPARSE_INVERTED_INDEX", metric=Metric.BM25)
    lite_gateway.collections.create(rewrite(spec, terms=999), [index, words])
    collection = open_text_collection(lite_gateway, unique_name, open_encoder=lambda _: minilm)
    assert not collection.has_lexical
    assert "other rules" in collection.lexical_note
    lite_gateway.collections.drop(unique_name)


def test_of_a_document_that_is_being_replaced_only_the_newest_is_read(lite_gateway, minilm, unique_name) -> None:
    collection = create_text_collection(lite_gateway, unique_name, encoder=minilm, cut=CUT)
    fill(collection)
    rows = lite_gateway.rows.query(unique_name, where=where("title") == "volcano")
    vectors = minilm.encode_passages([text.replace("volcano", "glacier") for text in rows["text"]])
    newer = {
        **rows,
        "passage_id": [f"{key}-n"[-48:] for key in rows["passage_id"]],
        "revision": rows["revision"] + 1,
        "text": [text.replace("volcano", "glacier") for text in rows["text"]],
        "lexical": [text.replace("volcano", "glacier") for text in rows["lexical"]],
        "vector": np.asarray(vectors),
    }
    lite_gateway.rows.insert(unique_name, newer)
    assert collect_text_stats(collection).passage_count > 0, "a strong read, after which everything is seen"
    for channel in ("dense", "lexical", "hybrid"):
        for question in ("volcano dawn ash", "glacier"):
            found = search_text(
                collection, TextQuery(text=question, channel=channel, limit=20, is_grouped=False, language="en")
            )
            assert not any("volcano erupted" in hit.text for hit in found.hits), (channel, question)
            assert any("glacier erupted" in hit.text for hit in found.hits), (channel, question)
    lite_gateway.collections.drop(unique_name)
