"""Answers as markup: what a person sees of a hit, and where its links lead."""

import dataclasses
import re

from milvuslab.apps.text.search import TextAnswer, TextHit
from milvuslab.studio.pages.answers import render_answer, render_empty
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


def render(answer=ANSWER, state=None, words=ENGLISH, titles=()):
    return str(render_answer(words, answer, state=state or PageState(q="snow"), titles=list(titles)))


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


def test_similar_documents_show_the_way_back():
    state = PageState(q="snow", like=("a", "b"))
    page = render(state=state, titles=["First <b>", "Second"])
    assert 'href="/text?q=snow"' in page
    assert 'href="/text?q=snow&amp;like=a"' in page
    assert "First &lt;b&gt;" in page
    assert "1 similar documents" in page
    assert 'href="/text?q=snow&amp;like=a&amp;like=b&amp;like=d1"' in page


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
