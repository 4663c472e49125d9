"""Passages: cover the text, keep the limit, respect the overlap, prefer sentence borders."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from milvuslab.data.chunking import chunk_text
from milvuslab.data.document import clean_text
from milvuslab.model.errors import UsageError


def words(text):
    """Offsets of words and of single punctuation marks: a tokenizer one can count by eye."""
    return np.array([match.span() for match in re.finditer(r"\w+|[^\w\s]", text)], dtype=np.int64).reshape(-1, 2)


def syllables(text):
    """Offsets of pieces of at most three characters, as a tokenizer for Korean and for endless words makes them."""
    return np.array([match.span() for match in re.finditer(r"\S{1,3}", text)], dtype=np.int64).reshape(-1, 2)


def utf8_bytes(text):
    """A token for each byte: several tokens share the offsets of one character."""
    spans = [(i, i + 1) for i, letter in enumerate(text) for _ in letter.encode("utf-8", "replace")]
    return np.array(spans, dtype=np.int64).reshape(-1, 2)


def cut(text, *, limit, overlap=0, tokens=words, language="en"):
    return chunk_text(text, token_offsets=tokens, limit_tokens=limit, overlap_tokens=overlap, language=language)


TEXTS = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.sampled_from(
            [
                "The rain began. ",
                "Mr. Brown left at 4 p.m. ",
                "비가 내리기 시작했다. ",
                "그는 “네.”라고 말했다. ",
                "\n\n",
                "\n- ",
                "가나다라마바사아자차카타파하" * 4,
                "word " * 30,
                "🙂👩‍👩‍👧‍👦 ",
                " \t ",
            ]
        ),
    ),
    max_size=20,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(
    text=TEXTS,
    limit=st.integers(4, 60),
    overlap=st.integers(0, 30),
    tokens=st.sampled_from([words, syllables, utf8_bytes]),
    language=st.sampled_from(["en", "ko"]),
)
@example(text="0" * 50, limit=4, overlap=2, tokens=syllables, language="en")
@example(text="a. b. c. d. e.", limit=4, overlap=2, tokens=words, language="en")
@example(text="🙂🙂🙂", limit=4, overlap=0, tokens=utf8_bytes, language="en")
def test_passages_cover_the_text_within_the_limit(text, limit, overlap, tokens, language):
    text = clean_text(text)
    overlap = min(overlap, limit // 2)
    chunks = cut(text, limit=limit, overlap=overlap, tokens=tokens, language=language)
    covered = set()
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text
        assert chunk.text == chunk.text.strip() != ""
        assert chunk.token_count == len(tokens(chunk.text)) <= limit
        covered.update(range(chunk.start, chunk.end))
    assert [i for i, letter in enumerate(text) if not letter.isspace() and i not in covered] == []
    for before, after in itertools.pairwise(chunks):
        assert before.start < after.start
        assert before.end < after.end
        assert len(tokens(text[after.start : before.end])) <= overlap or after.start >= before.end


def test_the_same_input_gives_the_same_passages():
    text = "One sentence here. Another one there. " * 40
    assert cut(text, limit=20, overlap=6) == cut(text, limit=20, overlap=6)


def test_passages_end_where_sentences_end():
    text = "Dr. Smith paid $3.50. He left at once. Nobody saw him again. The U.S. Government was silent."
    assert [chunk.text for chunk in cut(text, limit=11)] == [
        "Dr. Smith paid $3.50.",
        "He left at once. Nobody saw him again.",
        "The U.S. Government was silent.",
    ]


def test_korean_passages_end_where_sentences_end():
    text = "파일을 열려면 확인을 클릭합니다. 그는 “그렇습니다.”라고 말했다. 버전 7.4를 설치했어요. 끝입니다."
    assert [chunk.text for chunk in cut(text, limit=9, language="ko")] == [
        "파일을 열려면 확인을 클릭합니다.",
        "그는 “그렇습니다.”라고 말했다.",
        "버전 7.4를 설치했어요. 끝입니다.",
    ]


def test_neighbours_share_whole_sentences():
    text = "One is here. Two is here. Three is here. Four is here."
    assert [chunk.text for chunk in cut(text, limit=8, overlap=4)] == [
        "One is here. Two is here.",
        "Two is here. Three is here.",
        "Three is here. Four is here.",
    ]


def test_a_sentence_that_is_too_long_is_cut_between_words():
    text = "alpha " * 50 + "end."
    chunks = cut(text, limit=10)
    assert len(chunks) == 6
    assert all(re.fullmatch(r"(alpha ?)*(end\.)?", chunk.text) for chunk in chunks)


def test_a_heading_goes_with_what_follows():
    text = "The first part is told here in a few words.\n\nThe second part\n\nIt is told here as well, in more words."
    chunks = cut(text, limit=16)
    assert [chunk.text.split("\n")[0] for chunk in chunks] == [
        "The first part is told here in a few words.",
        "The second part",
    ]


def test_a_blank_text_has_no_passages():
    assert cut(" \n\n ", limit=8) == []


def test_a_tokenizer_that_counts_more_when_a_part_stands_alone_never_exceeds_the_limit():
    def with_prefix(text):
        # As sentencepiece does: the beginning of a text is a token of its own.
        return np.vstack([np.zeros((1, 2), dtype=np.int64), words(text)])

    text = "One two three four five. Six seven eight nine ten. " * 5
    chunks = cut(text, limit=12, overlap=6, tokens=with_prefix)
    assert all(chunk.token_count == len(with_prefix(chunk.text)) <= 12 for chunk in chunks)


@pytest.mark.parametrize(("limit", "overlap"), [(0, 0), (10, 6), (10, -1)])
def test_impossible_sizes_are_refused(limit, overlap):
    with pytest.raises(UsageError, match="cannot be cut"):
        cut("text", limit=limit, overlap=overlap)
