"""Answers as markup: what a person sees of a hit, and where its links lead."""

import dataclasses
import re

from milvuslab.apps.text.search import HitExplanation, TextAnswer, TextHit
from milvuslab.apps.text.similar import SameDocument, SimilarAnswer
from milvuslab.studio.pages.answers import render_answer, render_empty, render_similar
from milvuslab.studio.pages.page_state import PageState
from milvuslab.studio.text_desk import OWN_SOURCE
from milvuslab.studio.words.words import Words

ENGLISH, KOREAN = Words("en"), Words("ko")
HIT = TextHit(
    document_id="d1", passage_id="d1-00002", ordinal=2, start=10, title="Snow & ice", text="Snow is <white>.",
    language="en", source="wikipedia", url="https://example.org/snow", published_at_s=990_057_600, score=0.6312,
    highlights=((0, 4),),
)  # fmt: skip
ANSWER = TextAnswer(collection="text_en", encoder="minilm", hits=(HIT,), embed_ms=5.0, milvus_ms=3.0, total_ms=10.0)


WHY = HitExplanation(
    dense_rank=3, lexical_rank=1, dense_score=0.61, lexical_score=7.25, dense_share=0.25, lexical_share=0.75,
    matched_terms=("<snow>",), final_rank=1,
)  # fmt: skip
HYBRID = dataclasses.replace(
    ANSWER,
    hits=(dataclasses.replace(HIT, explanation=WHY), dataclasses.replace(HIT, score=0.3, explanation=None)),
    channel="hybrid", lexical_ms=4.0, fuse_ms=1.0,
)  # fmt: skip
SIMILAR = SimilarAnswer(
    collection="text_en", encoder="minilm", document_id="b", hits=(HIT,), diversity=0.3, embed_ms=1.0, milvus_ms=2.0,
    total_ms=4.0,
    also_at={
        "b": (SameDocument(document_id="c1", title="Copy <1>", source="mirror", url="", overlap=0.93),),
        "d1": (SameDocument(document_id="c2", title="Twin", source="press", url="", overlap=1.0),),
    },
)  # fmt: skip


def render(answer=ANSWER, state=None, words=ENGLISH):
    return str(render_answer(words, answer, state=state or PageState(q="snow")))


def test_a_hit_shows_title_passage_score_and_origin():
    page = render()
    assert '<a href="https://example.org/snow" target="_blank" rel="noopener noreferrer">Snow &amp; ice</a>' in page
    assert "<mark>Snow</mark> is &lt;white&gt;." in page
    assert ">0.63<" in page
    for badge in ("English", "wikipedia", "2001-05-17", "passage 3"):
        assert f'<span class="badge">{badge}</span>' in page


def test_an_unsafe_address_is_no_link():
    page = render(dataclasses.replace(ANSWER, hits=(dataclasses.replace(HIT, url="javascript:alert(1)"),)))
    assert "javascript:" not in page
    assert '<h3 lang="en">Snow &amp; ice</h3>' in page


def test_the_time_is_split_into_parts_of_the_whole():
    page = render()
    assert re.findall(r'class="time-(\w+)" style="width:([\d.]+)%"', page) == [
        ("embed", "50.0"),
        ("milvus", "30.0"),
        ("rest", "20.0"),
    ]
    assert "10.0 ms in all" in page


def test_only_own_documents_offer_to_be_deleted():
    own = dataclasses.replace(ANSWER, hits=(dataclasses.replace(HIT, source=OWN_SOURCE),))
    assert 'data-delete="d1"' in render(own)
    assert "data-delete" not in render()


def test_similar_documents_show_the_way_back_and_their_copies():
    state = PageState(q="snow", like=("a", "b"), diversity="0.3")
    page = str(render_similar(ENGLISH, SIMILAR, state=state, titles=["First <b>", "Second"]))
    assert 'href="/text?q=snow&amp;diversity=0.3"' in page
    assert 'href="/text?q=snow&amp;diversity=0.3&amp;like=a"' in page
    assert "First &lt;b&gt;" in page
    assert "1 similar documents" in page
    assert 'href="/text?q=snow&amp;diversity=0.3&amp;like=a&amp;like=b&amp;like=d1"' in page
    assert "Copies of this document" in page and "Copy &lt;1&gt;" in page and "mirror · 93%" in page
    assert "The same text also at" in page and "like=c2" in page
    assert re.search(r'aria-current="true"[^>]*>Some variety<|>Some variety<', page)
    assert 'href="/text?q=snow&amp;like=a&amp;like=b"' in page


def test_a_hit_of_both_channels_says_why_it_is_there():
    page = render(HYBRID)
    assert page.count('class="why"') == 1
    assert "place 3, cosine 0.610, 25% of the score" in page
    assert "place 1, BM25 7.25, 75% of the score" in page
    assert "the words moved it up by 2" in page
    assert "&lt;snow&gt;" in page
    assert re.findall(r'class="share-(\w+)" style="width:(\d+)%"', page) == [("dense", "25"), ("lexical", "75")]
    assert re.findall(r'class="time-(\w+)" style="width:([\d.]+)%"', page) == [
        ("embed", "50.0"),
        ("milvus", "30.0"),
        ("fuse", "10.0"),
        ("rest", "10.0"),
    ]
    assert "Words, meanwhile" in page and "By both" in page
    assert "낱말 덕분에 2칸 올라갔습니다" in render(HYBRID, words=KOREAN)


def test_why_tells_what_is_not_there_too():
    def told(channel, **values):
        hit = dataclasses.replace(HIT, explanation=dataclasses.replace(WHY, **values))
        return render(dataclasses.replace(HYBRID, hits=(hit,), channel=channel))

    alone = told("hybrid", dense_rank=None, dense_score=None, matched_terms=())
    assert "not among the candidates" in alone and "by its words alone" in alone and "none of the question" in alone
    assert "moved it down by 2" in told("hybrid", final_rank=5)
    assert "where meaning alone puts it" in told("hybrid", final_rank=3)
    assert "BM25" not in told("dense").split('class="why"')[1]
    assert "cosine" not in told("lexical").split('class="why"')[1]


def test_a_score_without_end_is_shown_against_the_best_one():
    page = render(dataclasses.replace(HYBRID, channel="lexical", hits=(
        dataclasses.replace(HIT, score=12.0), dataclasses.replace(HIT, score=3.0))))  # fmt: skip
    assert re.findall(r'<span style="width:(\d+)%"></span></span><span>([\d.]+)', page) == [
        ("100", "12.00"),
        ("25", "3.00"),
    ]


def test_where_words_cannot_be_searched_the_answer_says_so():
    page = render(dataclasses.replace(ANSWER, note="the server has no <full text>"))
    assert "Searched by meaning alone." in page and "no &lt;full text&gt;" in page
    assert "뜻으로만 찾았습니다" in render(dataclasses.replace(ANSWER, note="x"), words=KOREAN)
    assert "channel-note" not in render()


def test_nothing_found_offers_to_clear_the_filters_that_are_set():
    nothing = dataclasses.replace(ANSWER, hits=())
    assert 'href="/text?q=snow"' in render(nothing, PageState(q="snow", source="news"))
    assert "Clear filters" not in render(nothing)
    assert "찾은 것이 없습니다" in render(nothing, words=KOREAN)


def test_examples_come_in_both_languages_the_own_one_first():
    for words, first in ((ENGLISH, "In English"), (KOREAN, "한국어로")):
        page = str(render_empty(words))
        assert page.count('class="chip"') >= 4
        assert re.search(r'chips-label">([^<]+)', page).group(1) == first
