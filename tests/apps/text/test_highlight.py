"""Words of a question are marked where a person would mark them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.apps.text.highlight import highlight_spans


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
