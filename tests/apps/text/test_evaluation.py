"""Answers to judged questions on real servers: the table, the recall of the index, and the fusion that is kept."""

import dataclasses
import secrets

import numpy as np
import pytest

from milvuslab.apps.text import served_recall
from milvuslab.apps.text.collection import create_text_collection
from milvuslab.apps.text.evaluation import evaluate_collection, find_judged
from milvuslab.apps.text.fusion import DEFAULT_FUSION, Fusion
from milvuslab.apps.text.fusion_file import KeptFusions
from milvuslab.apps.text.ingest import ingest_documents
from milvuslab.apps.text.rankings import SERVED, IndexSetting, rank_by_meaning, rank_by_words, rank_exactly
from milvuslab.apps.text.search import TextQuery, search_text
from milvuslab.apps.text.served_recall import measure_served_recall
from milvuslab.apps.text.shelf import Shelf
from milvuslab.apps.text.tuning import tune_collection, tune_fusion
from milvuslab.data.document import Document, Item, make_document_id
from milvuslab.data.judgements import Judgements
from milvuslab.model.errors import CheckFailedError, UnsupportedError, UsageError

THINGS = ("violin", "kettle", "glacier", "tractor", "lantern", "orchid")
PLACES = ("harbour", "desert", "library", "stadium", "monastery")
QUESTIONS = {f"{thing}-{place}": f"a {thing} in the {place}" for thing in THINGS for place in PLACES}
JUDGEMENTS = Judgements(queries=QUESTIONS, relevant={key: {key: 1} for key in QUESTIONS})


def documents():
    for key, question in QUESTIONS.items():
        text = f"Somebody left {question}. Nobody knew why it was there, and the day went on."
        yield Document(
            document_id=make_document_id(source="tests", row=key), title=key, text=text, language="en", source="tests"
        )


def fill(gateway, minilm):
    name = f"milvuslab_test_{secrets.token_hex(6)}"
    collection = create_text_collection(gateway, name, encoder=minilm, language="en")
    ingest_documents(collection, (Item(document, "") for document in documents()))
    return collection


@pytest.fixture(scope="module")
def lite(lite_gateway, minilm):
    collection = fill(lite_gateway, minilm)
    yield collection
    lite_gateway.collections.drop(collection.name)


@pytest.fixture(scope="module")
def standalone(standalone_gateway, minilm):
    collection = fill(standalone_gateway, minilm)
    yield collection
    standalone_gateway.collections.drop(collection.name)


def test_every_channel_and_setting_has_its_row(lite):
    report = evaluate_collection(lite, JUDGEMENTS)
    rows = {(row.channel, row.setting): row for row in report.rows}
    assert list(rows) == [
        ("dense", "ef 16"), ("dense", "ef 64"), ("dense", "ef 128"), ("dense", "served"), ("dense", "exact"),
        ("lexical", ""), ("hybrid", "served"),
    ]  # fmt: skip
    assert report.question_count == 30 and report.missing_count == 0 and report.note == ""
    # Each question's words are in its document alone, and both words in no other.
    assert rows["lexical", ""].ndcg_at_10.mean == pytest.approx(1)
    assert rows["dense", "served"].ndcg_at_10.mean == rows["dense", "exact"].ndcg_at_10.mean > 0.8
    # Sixteen candidates bring sixteen documents of the thirty.
    assert rows["dense", "ef 16"].recall_at_100.mean <= rows["dense", "exact"].recall_at_100.mean == 1
    assert report.as_dict()["rows"][0]["ndcg_at_10"]["count"] == 30


def test_without_words_on_the_server_meaning_is_measured_and_the_note_says_why(standalone):
    report = evaluate_collection(standalone, JUDGEMENTS, settings=(SERVED,))
    assert [(row.channel, row.setting) for row in report.rows] == [("dense", "served"), ("dense", "exact")]
    assert "2.3.5" in report.note and report.fusion == ""
    with pytest.raises(UnsupportedError, match="tune the fusion"):
        tune_collection(standalone, JUDGEMENTS)


def test_rankings_of_many_questions_are_those_of_single_searches(lite):
    some = dict(list(QUESTIONS.items())[:3])
    for channel, rank in (("dense", rank_by_meaning), ("lexical", rank_by_words)):
        ranked = rank(lite, some, depth=10)
        for key, text in some.items():
            alone = search_text(lite, TextQuery(text=text, channel=channel, limit=10))
            assert [one for one, _ in ranked[key]] == [hit.document_id for hit in alone.hits]
    exact = rank_exactly(lite, some, depth=5)
    assert [found[0][0] for found in exact.values()] == [
        found[0][0] for found in rank_by_meaning(lite, some, depth=5).values()
    ]
    narrow = rank_by_meaning(lite, some, depth=10, setting=IndexSetting(name="ef 4", ef=4))
    assert {len(found) for found in narrow.values()} == {4}
    assert rank_by_words(lite, {"q": "the of"}, depth=5) == {"q": []}


def test_judged_documents_are_known_by_any_of_their_ids(lite):
    own = {one.document_id: one for one in documents()}
    first, second, third = list(QUESTIONS)[:3]
    ours = find_judged(lite, JUDGEMENTS).relevant
    key = next(iter(ours[first]))
    judged = Judgements(
        queries={"a": "x", "b": "y", "c": "z"},
        relevant={"a": {key: 1}, "b": {make_document_id(source="tests", row=second): 1}, "c": {third: 2, "gone": 1}},
    )
    found = find_judged(lite, judged)
    assert found.relevant["a"] == ours[first] and found.relevant["b"] == ours[second]
    assert found.missing_count == 1 and len(own) == 30
    with pytest.raises(UsageError, match="none of the 1 judged"):
        find_judged(lite, Judgements(queries={"a": "x"}, relevant={"a": {"gone": 1}}))


@pytest.mark.parametrize("server", ["lite", "standalone"])
def test_the_served_index_finds_what_exact_search_finds(server, request):
    collection = request.getfixturevalue(server)
    measured = measure_served_recall(collection, query_count=20)
    assert measured.recall >= 0.98
    assert (measured.query_count, measured.passage_count, measured.k) == (20, 30, 10)


def test_an_index_that_misses_is_seen_and_a_change_is_measured_again(lite, minilm, monkeypatch):
    before = measure_served_recall(lite, query_count=10, k=5)
    assert measure_served_recall(lite, query_count=10, k=5) is before
    search = lite.gateway.search

    def half(name, vectors, **values):
        # Questions that are not those of the truth: what an index that is broken answers.
        return search(name, np.roll(vectors, 1, axis=1), **values)

    monkeypatch.setattr(lite.gateway, "search", half)
    assert measure_served_recall(lite, query_count=10, k=5) is before
    assert measure_served_recall(lite, query_count=10, k=5, is_cached=False).recall < 0.9
    monkeypatch.undo()
    document = next(documents())
    changed = dataclasses.replace(document, text=document.text.replace("Somebody", "Anybody"))
    ingest_documents(lite, [Item(changed, "")])
    again = measure_served_recall(lite, query_count=10, k=5)
    assert again is not before and again.passage_count == before.passage_count
    with pytest.raises(UsageError, match="k is 41"):
        measure_served_recall(lite, k=41)
    with pytest.raises(UsageError, match="30 passages"):
        served_recall.measure_served_recall(lite, k=40)


def test_a_tuned_fusion_is_used_by_shelves_that_are_open_and_a_refused_one_is_not(lite, minilm, tmp_path):
    uri = lite.gateway.endpoint.safe_uri
    kept, other = (KeptFusions(tmp_path, server_uri=uri) for _ in range(2))
    shelf = Shelf(lite.gateway, open_encoder=lambda _: minilm, fusions=other)
    assert shelf.open(lite.name).fusion == DEFAULT_FUSION

    report = tune_collection(lite, JUDGEMENTS)
    refused = dataclasses.replace(report, is_accepted=False)
    with pytest.raises(CheckFailedError, match="refused"):
        kept.keep(lite.name, refused)
    fusion = Fusion(kind="rrf", dense_weight=0.25)
    path = kept.keep(lite.name, dataclasses.replace(report, is_accepted=True, fusion=fusion))
    assert shelf.open(lite.name).fusion == fusion
    assert KeptFusions(tmp_path, server_uri="elsewhere").find(lite.name) == DEFAULT_FUSION
    answer = search_text(shelf.open(lite.name), TextQuery(text="a violin in the desert"))
    assert answer.channel == "hybrid" and answer.hits[0].score < 0.1  # reciprocal ranks are small
    assert kept.forget(lite.name) and not path.exists() and not kept.forget(lite.name)
    assert shelf.open(lite.name).fusion == DEFAULT_FUSION


def test_words_alone_that_are_always_right_leave_nothing_to_gain(lite):
    judged = find_judged(lite, JUDGEMENTS)
    lists = {
        "dense": rank_by_meaning(lite, judged.questions, depth=30),
        "lexical": rank_by_words(lite, judged.questions, depth=30),
    }
    report = tune_fusion(lists, judged.relevant)
    assert not report.is_accepted and report.channels["lexical"].mean == 1
