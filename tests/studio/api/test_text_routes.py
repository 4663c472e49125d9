"""The text routes over real HTTP on a real Milvus."""

import datetime

import pytest

from milvuslab.model.errors import UsageError
from milvuslab.studio.api.text_routes import parse_moment
from tests.studios import ENGLISH


def search(http, q, **parameters):
    answer = http.get("/api/v1/text/search", params={"q": q, **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("question", "title", "collection"),
    [
        ("why is snow so white", "Snow", "text_en"),
        ("how do insects tell each other where food is", "Bees", "text_en"),
        ("칸을 하나로 합치는 방법", "표 계산", "text_ko"),
        ("누가 우리 글자를 만들었나", "한글", "text_ko"),
    ],
)
def test_a_question_finds_its_document_in_its_language(http, question, title, collection):
    found = search(http, question)
    assert (found["hits"][0]["title"], found["collection"]) == (title, collection)


def test_hits_come_best_first_with_everything_a_page_needs(http):
    found = search(http, "why does the bread rise", limit=4)
    hits = found["hits"]
    scores = [hit["score"] for hit in hits]
    assert len(hits) == 4
    assert scores == sorted(scores, reverse=True)
    first = hits[0]
    assert first["title"] == "Bread"
    assert first["published_at"] == "2001-05-17T00:00:00Z"
    assert first["url"] == "https://example.org/article"
    assert "bread" in [first["text"][begin:end] for begin, end in first["highlights"]]
    assert len({hit["document_id"] for hit in hits}) == 4


def test_the_time_is_told_by_stage(http):
    timing = search(http, "chess")["timing"]
    assert timing["embed_ms"] > 0
    assert timing["milvus_ms"] > 0
    assert timing["embed_ms"] + timing["milvus_ms"] <= timing["total_ms"] + 0.01


def test_a_language_chooses_the_collection_and_a_collection_beats_it(http):
    assert search(http, "kimchi", language="ko")["collection"] == "text_ko"
    assert search(http, "김치", collection="text_en")["collection"] == "text_en"


@pytest.mark.parametrize(
    ("filters", "is_found"),
    [
        ({"source": "encyclopedia"}, True),
        ({"source": "another"}, False),
        ({"source": 'encyclopedia" or "1" == "1'}, False),
        ({"source": "x' || document_id != ''"}, False),
        ({"published_after": "2001-05-17"}, True),
        ({"published_after": "2001-05-18"}, False),
        ({"published_before": "2001-05-18T00:00:00Z", "source": "encyclopedia"}, True),
        ({"published_before": "2001-05-17"}, False),
        ({"min_score": 0.999}, False),
        ({"min_score": -1}, True),
    ],
)
def test_filters_leave_out_what_does_not_pass(http, filters, is_found):
    titles = [hit["title"] for hit in search(http, "what makes a volcano erupt", **filters)["hits"]]
    assert ("Volcano" in titles) is is_found
    assert is_found or not set(titles) & set(ENGLISH)


def test_similar_documents_leave_out_the_document_itself(http):
    own = search(http, "the moon and the sea")["hits"][0]
    assert own["title"] == "Tides"
    found = http.get(f"/api/v1/text/documents/{own['document_id']}/similar", params={"limit": 3}).json()
    assert len(found["hits"]) == 3
    assert own["document_id"] not in [hit["document_id"] for hit in found["hits"]]
    assert (found["document_id"], found["diversity"], found["also_at"]) == (own["document_id"], 0, [])
    assert {"also_at", "score"} <= set(found["hits"][0])


def test_copies_are_named_with_what_they_are_copies_of(http):
    text = "The ferry to the island leaves at noon and again at four unless the wind is strong."
    keys = [
        http.post("/api/v1/text/documents?wait=true", json={"title": "Ferry", "text": text, "source": source}).json()
        for source in ("harbour", "mirror")
    ]
    try:
        address = f"/api/v1/text/documents/{keys[0]['document_id']}/similar"
        found = http.get(address, params={"diversity": 0.4}).json()
        assert [(same["document_id"], same["overlap"]) for same in found["also_at"]] == [(keys[1]["document_id"], 1)]
        assert keys[1]["document_id"] not in [hit["document_id"] for hit in found["hits"]]
        assert http.get(address, params={"diversity": 2}).status_code == 422
    finally:
        for key in keys:
            http.delete(f"/api/v1/text/documents/{key['document_id']}", params={"wait": True})


def test_a_hit_says_why_it_is_there_and_the_answer_which_channel_gave_it(http, studio):
    found = search(http, "the moon and the tide")
    told = found["hits"][0]["explanation"]
    assert told["final_rank"] == 1 and told["dense_rank"] == 1
    assert found["channel"] == ("hybrid" if studio.server == "lite" else "dense")
    assert bool(found["note"]) == (studio.server != "lite")
    dense = search(http, "the moon and the tide", channel="dense")
    assert (dense["channel"], dense["note"], dense["hits"][0]["explanation"]["dense_share"]) == ("dense", "", 1)


def test_what_the_server_cannot_do_is_told_with_the_next_step(http, studio):
    across = http.get("/api/v1/text/search", params={"q": "moon", "across": True})
    assert across.status_code == 404 and "--multilingual" in across.json()["hint"]
    assert http.get("/api/v1/text/search", params={"q": "moon", "channel": "smell"}).status_code == 422
    if studio.server != "lite":
        lexical = http.get("/api/v1/text/search", params={"q": "moon", "channel": "lexical"})
        assert (lexical.status_code, lexical.json()["code"]) == (501, "unsupported"), lexical.text


def test_a_document_is_stored_found_read_and_removed(http):
    body = {
        "title": "Lighthouse",
        "text": "The keeper lights the lamp of the tower at dusk so that ships see the rocks.",
    }
    added = http.post("/api/v1/text/documents?wait=true", json=body)
    assert added.status_code == 201, added.text
    kept = added.json()
    assert (kept["language"], kept["collection"]) == ("en", "text_en")
    assert 0 < kept["stored_after_ms"] <= kept["found_after_ms"] < 10_000

    address = f"/api/v1/text/documents/{kept['document_id']}"
    stored = http.get(address).json()
    assert (stored["title"], stored["text"], stored["source"]) == ("Lighthouse", body["text"], "studio")
    age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(
        stored["published_at"].replace("Z", "+00:00")
    )
    assert age < datetime.timedelta(minutes=5)

    assert http.delete(address, params={"wait": True}).json() == {
        "document_id": kept["document_id"],
        "passage_count": 1,
    }
    assert http.get(address).status_code == 404
    assert http.delete(address).status_code == 404
    assert "Lighthouse" not in [hit["title"] for hit in search(http, "the lamp of the tower", limit=50)["hits"]]


def test_the_same_text_twice_is_one_document(http):
    body = {"title": "Echo", "text": "An echo is a sound that comes back from a wall far away."}
    first, second = (http.post("/api/v1/text/documents?wait=true", json=body).json() for _ in range(2))
    assert first["document_id"] == second["document_id"]
    hits = search(http, "a sound that comes back", limit=20)["hits"]
    assert [hit["title"] for hit in hits].count("Echo") == 1
    http.delete(f"/api/v1/text/documents/{first['document_id']}")


def test_an_own_id_replaces_the_earlier_text(http):
    for text in ("The red fox sleeps.", "The blue whale swims."):
        answer = http.post(
            "/api/v1/text/documents?wait=true", json={"document_id": "note-1", "source": "notes", "text": text}
        )
        kept = answer.json()["document_id"]
    assert http.get(f"/api/v1/text/documents/{kept}").json()["text"] == "The blue whale swims."
    http.delete(f"/api/v1/text/documents/{kept}")


def test_a_moment_is_a_day_or_a_time_and_nothing_else():
    assert parse_moment("", "published_after") is None
    assert parse_moment("1970-01-01T01:00:00+01:00", "published_after") == 0
    with pytest.raises(UsageError, match="no day"):
        parse_moment("yesterday", "published_after")
