"""The way of each character, against the plain functions of the standard library."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.embed.characters import prepare_text, trace_text
from tests.embed.samples import EVERYTHING, in_nfd

TABLE = {ord("\t"): " ", ord("\x01"): "", ord("ﬁ"): "fi", ord("①"): "1", ord("½"): "1⁄2"}

# Letters that compose, marks in the wrong order, Hangul in parts, and what the table replaces.
LETTERS = st.text(
    alphabet=st.sampled_from("aAeé\u0301\u0323\u0308\u0327ㄱ가각\u1100\u1161\u11a8\u11a7\u09c7\u09be\t\x01ﬁ①½ 😀\ud800")
)


@given(st.text() | LETTERS)
def test_a_traced_text_is_the_prepared_text(text):
    assert trace_text(text, TABLE).text == prepare_text(text, TABLE)


@given(st.text() | LETTERS)
def test_origins_lie_in_the_text_and_never_fall(text):
    traced = trace_text(text, TABLE)
    assert len(traced.text) == len(traced.starts) == len(traced.ends)
    if len(traced.text):
        assert traced.starts.min() >= 0 and traced.ends.max() <= len(text)
        assert (np.diff(traced.starts) >= 0).all() and (np.diff(traced.ends) >= 0).all()
        assert (traced.ends > traced.starts).all()


@given(LETTERS)
def test_each_character_comes_from_the_place_it_names(text):
    traced = trace_text(text, TABLE)
    for place, letter in enumerate(traced.text):
        origin = text[traced.starts[place] : traced.ends[place]]
        assert letter in prepare_text(origin, TABLE)


@pytest.mark.parametrize("text", EVERYTHING)
def test_both_forms_of_a_text_are_prepared_alike(text):
    assert prepare_text(in_nfd(text), TABLE) == prepare_text(unicodedata.normalize("NFC", text), TABLE)


def test_a_lone_surrogate_becomes_a_character_that_can_be_sent():
    assert prepare_text("a\ud800b", {}) == "a\ufffdb"
