"""Words of a question are marked where a person would mark them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.apps.text.highlight import highlight_spans, term_spans
from milvuslab.data.terms import find_terms, normalize_terms


def marked(text: str, query: str) -> list[str]:
    return [text[start:end] for start, end in highlight_spans(text, query)]


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("Indexing makes vectors fast.", "how do I index a vector", ["Indexing", "vectors"]),
        ("The art of war", "party warfare", []),
        ("새 벡터는 빠르다", "벡터를 찾기", ["벡터"]),
        ("문서에서 표를 넣습니다", "표를 문서에 넣기", ["문서", "표"]),
        ("C++ and C", "c", []),
        ("Milvus 2.3.5 serves", "milvus 2", ["Milvus"]),
        ("no words of it", "the of is", []),
        ("", "word", []),
        ("word", "", []),
    ],
)
def test_words_are_found_past_endings_and_particles(text: str, query: str, expected: list[str]) -> None:
    assert marked(text, query) == expected


@given(st.text(max_size=200), st.text(max_size=50))
def test_spans_are_ordered_and_lie_in_the_text(text: str, query: str) -> None:
    last = 0
    for start, end in highlight_spans(text, query):
        assert last <= start < end <= len(text)
        last = end


@given(st.text(alphabet="abc 가나다를은", min_size=1, max_size=60))
def test_a_text_marks_itself_only_at_word_starts(text: str) -> None:
    for start, _ in highlight_spans(text, text):
        assert start == 0 or not text[start - 1].isalnum()


def followed(text: str, question: str) -> list[str]:
    stored = normalize_terms(f"{text}\n제목의 표", language="ko")
    wanted = {term.text for term in find_terms(question, language="ko")}
    return [text[start:end] for start, end in term_spans(text, wanted, stored=stored)]


@pytest.mark.parametrize(
    ("text", "question", "expected"),
    [
        ("표를 만들고 표에서 셀을 지웁니다.", "표의 셀", ["표", "표", "셀"]),
        ("발표가 끝나면 도표를 보세요. 표는 없습니다.", "표", ["표"]),
        ("친구를 도와서 그림을 그렸다.", "돕기와 그림", ["그림"]),
        ("Calc에서 Indexes를 찾는다.", "calc index", ["Calc", "Indexes"]),
        ("사과와 배", "표", []),
    ],
    ids=["particles", "inside other words", "a changed stem is passed over", "other scripts", "nothing"],
)
def test_stored_terms_are_marked_where_they_stand(text: str, question: str, expected: list[str]) -> None:
    assert followed(text, question) == expected


@given(st.text(alphabet="가나표 를을\nabc1.", max_size=120), st.sampled_from(["표", "나표를", "abc 가", "1"]))
def test_marks_by_terms_lie_in_the_text_apart_from_each_other(text: str, question: str) -> None:
    wanted = {term.text for term in find_terms(question, language="ko")}
    spans = term_spans(text, wanted, stored=normalize_terms(text, language="ko"))
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
