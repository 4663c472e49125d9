"""Offsets into the text as given, on the real tokenizers."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as given_with
from hypothesis import strategies as st

from milvuslab.embed.text_tokenizer import open_tokenizer
from milvuslab.model.errors import CheckFailedError
from tests.embed.samples import ENGLISH, EVERYTHING, KOREAN, in_nfd

LIVELY = given_with(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["minilm", "e5"])
def encoder(request):
    return request.getfixturevalue(request.param)


def check_spans(spans, text):
    assert spans.dtype == np.int32 and spans.shape == (len(spans), 2)
    if len(spans):
        assert spans.min() >= 0 and spans.max() <= len(text)
        assert (spans[:, 0] <= spans[:, 1]).all()
        assert (np.diff(spans, axis=0) >= 0).all()


@given(text=st.text() | st.lists(st.sampled_from(EVERYTHING)).map(" ".join).map(in_nfd))
@LIVELY
def test_spans_lie_in_the_text_and_never_fall(encoder, text):
    check_spans(encoder.token_offsets(text), text)


@pytest.mark.parametrize("text", ENGLISH + KOREAN + [in_nfd(text) for text in KOREAN])
def test_spans_cover_every_visible_character(encoder, text):
    covered = np.zeros(len(text), dtype=bool)
    for start, end in encoder.token_offsets(text):
        covered[start:end] = True
    missed = [letter for letter, seen in zip(text, covered, strict=True) if not seen and not letter.isspace()]
    assert missed == []


def test_spans_name_the_words(minilm):
    text = "The  CAFÉ opens."
    assert [text[start:end] for start, end in minilm.token_offsets(text)] == ["The", "CAFÉ", "opens", "."]


def test_replaced_characters_point_to_where_they_stood(e5):
    text = "a ①② ﬁne"
    assert [text[start:end].strip() for start, end in e5.token_offsets(text)] == ["a", "①②", "ﬁne"]


def test_decomposed_korean_points_to_whole_syllables(e5):
    text = in_nfd("안녕하세요 세계")
    words = [text[start:end].strip() for start, end in e5.token_offsets(text)]
    assert "".join(words) == text.replace(" ", "")


def test_the_number_of_spans_is_the_number_of_tokens_that_count(e5):
    for text in ENGLISH + KOREAN:
        ids = e5._tokenizer.encode([text], prefix="passage: ")[0]
        assert len(e5.token_offsets(text)) + e5.overhead_tokens == len(ids)


def test_nothing_has_no_spans(encoder):
    assert encoder.token_offsets("").shape == (0, 2)


def test_a_file_that_is_no_tokenizer_is_named(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckFailedError, match=r"tokenizer\.json"):
        open_tokenizer(tmp_path / "tokenizer.json", limit_tokens=8)
