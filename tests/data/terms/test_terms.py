"""The same word is the same term wherever it stands, and a term points at the characters it comes from."""

from __future__ import annotations

import concurrent.futures
import importlib.util
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.data.terms import check_terms, find_stems, find_terms, normalize_terms
from milvuslab.data.terms.analysis import _pieces

KOREAN = "LibreOffice Calc에서 피벗 테이블을 만드는 방법은? 2024년에 셀을 병합하려면 서식 메뉴를 여세요."


def words(text: str, language: str) -> list[str]:
    return normalize_terms(text, language=language).split()


def test_english_words_are_stems_in_lower_case_without_the_commonest() -> None:
    assert words("How do the Indexes of 3 vectors' lengths differ? Don't ask!", "en") == [
        "index", "3", "vector", "length", "differ", "dont", "ask",
    ]  # fmt: skip
    assert words("searching searched SEARCHES search", "en") == ["search"] * 4


def test_korean_words_are_their_morphemes_without_particles_and_endings() -> None:
    found = words(KOREAN, "ko")
    assert {"libreoffic", "calc", "피벗", "테이블", "방법", "2024", "셀", "병합", "서식", "메뉴"} <= set(found)
    assert not {"에서", "을", "은", "하", "려면"} & set(found)
    assert words("표를", "ko") == words("표에서", "ko") == words("표의", "ko") == ["표"]
    assert words("아름다운 그림을 그렸다", "ko") == ["아름답", "그림", "그리"]


def test_a_word_of_another_script_is_the_same_term_in_a_korean_text() -> None:
    assert words("Indexes를 Calc에서 2024", "ko") == words("indexes, Calc: 2024", "en") == ["index", "calc", "2024"]
    assert words("서울 is a city", "en") == ["서울", "citi"]


def test_a_term_points_at_its_characters() -> None:
    for term in find_terms(KOREAN, language="ko"):
        if term.text in {"피벗", "테이블", "방법", "2024", "병합"}:
            assert KOREAN[term.start : term.end] == term.text
    starts = [term.start for term in find_terms(KOREAN, language="ko")]
    assert starts == sorted(starts)
    assert [(term.start, term.end) for term in find_stems("새 Index 둘")] == [(2, 7)]


def test_a_decomposed_text_gives_the_same_terms_at_its_own_places() -> None:
    text = "벡터를 찾기 café에서"
    decomposed = unicodedata.normalize("NFD", text)
    assert len(decomposed) > len(text)
    composed_terms, terms = find_terms(text, language="ko"), find_terms(decomposed, language="ko")
    assert [term.text for term in terms] == [term.text for term in composed_terms]
    for term, twin in zip(terms, composed_terms, strict=True):
        assert unicodedata.normalize("NFC", decomposed[term.start : term.end]) == text[twin.start : twin.end]


@given(st.text(max_size=300), st.sampled_from(["en", "ko"]))
def test_any_text_gives_terms_that_a_server_gives_back(text: str, language: str) -> None:
    terms = find_terms(text, language=language)
    assert all(term.text.isalnum() and term.text == term.text.lower() for term in terms)
    assert all(0 <= term.start < term.end <= len(text) for term in terms)
    assert normalize_terms(text, language=language).split() == [term.text for term in terms]


def test_long_texts_are_cut_between_words_and_nothing_is_lost() -> None:
    text = "피벗 테이블을 만든다. " * 600
    assert len(text) > 7_000
    pieces = list(_pieces(text))
    assert "".join(piece for _, piece in pieces) == text
    assert max(len(piece) for _, piece in pieces) <= 2_000
    assert [text[begin : begin + len(piece)] for begin, piece in pieces] == [piece for _, piece in pieces]
    assert {term.text for term in find_terms(text, language="ko")} == {"피벗", "테이블", "만들"}
    assert len(find_terms(text, language="ko")) == 3 * 600
    assert len(find_terms("가" * 5_000, language="ko")) < 5_000, "a word without end is cut"


def test_terms_stop_at_the_bytes_a_field_has() -> None:
    whole = normalize_terms(KOREAN, language="ko")
    for limit_bytes in (0, 1, 10, 40, len(whole.encode()), 10_000):
        cut = normalize_terms(KOREAN, language="ko", limit_bytes=limit_bytes)
        assert len(cut.encode()) <= limit_bytes
        assert whole.split()[: len(cut.split())] == cut.split(), "whole terms, from the first on"
    assert normalize_terms(KOREAN, language="ko", limit_bytes=10_000) == whole


def test_many_threads_find_what_one_finds() -> None:
    texts = [f"{KOREAN} {number}번째 문서의 searching words{number}" for number in range(40)]
    alone = [normalize_terms(text, language="ko") for text in texts]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda text: normalize_terms(text, language="ko"), texts * 3))
    assert together == alone * 3


WITHOUT_KIWI = """
import sys
sys.modules["kiwipiepy"] = None
from milvuslab.data.terms import check_terms, normalize_terms
from milvuslab.model.errors import UnsupportedError
print(normalize_terms("서울 cities", language="en"))
check_terms("en")
try:
    normalize_terms("서울", language="ko")
except UnsupportedError as error:
    print(error.hint)
"""


def test_without_kiwi_english_is_found_and_korean_names_the_extra() -> None:
    ran = subprocess.run([sys.executable, "-c", WITHOUT_KIWI], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.splitlines() == ["서울 citi", "pip install 'milvuslab[korean]'"]


def test_both_languages_can_be_checked_here() -> None:
    assert importlib.util.find_spec("kiwipiepy"), "the tests need the extra korean"
    check_terms("ko")
    check_terms("en")
    with pytest.raises(TypeError):
        find_terms("a", "en")  # type: ignore[misc]
