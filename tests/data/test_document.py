"""Documents check themselves; ids are stable; text is clean."""

import dataclasses
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milvuslab.data.document import Document, clean_text, clean_title, make_document_id
from milvuslab.data.language import detect_language, hangul_ratio
from milvuslab.model.errors import SchemaError

GOOD = Document(document_id="notes-1", title="A title", text="A text.", language="en", source="notes")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("document_id", ""),
        ("document_id", "a/b"),
        ("document_id", "x" * 129),
        ("title", " "),
        ("title", "two\nlines"),
        ("title", "x" * 301),
        ("text", " \n"),
        ("text", unicodedata.normalize("NFD", "가")),
        ("text", "a\x00b"),
        ("text", "a\ud800b"),
        ("language", "english"),
        ("language", "EN"),
        ("source", ""),
        ("source", "x" * 65),
        ("url", "javascript:alert(1)"),
        ("url", "ftp://host/file"),
        ("url", "http://[::1"),
        ("published_at_s", 1_709_208_000_000),
    ],
)
def test_a_document_refuses_what_breaks_its_rules(field, value):
    with pytest.raises(SchemaError, match=field) as caught:
        dataclasses.replace(GOOD, **{field: value})
    assert field in caught.value.hint


@given(st.text())
def test_clean_text_is_stable_and_makes_valid_documents(text):
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    if cleaned.strip():
        dataclasses.replace(GOOD, text=cleaned, title=clean_title(cleaned) or "none")


def test_a_decomposed_korean_text_becomes_composed():
    assert clean_text(unicodedata.normalize("NFD", "한국어 문서")) == "한국어 문서"


def test_ids_do_not_collide_between_files_rows_and_sources():
    ids = {
        make_document_id(source=source, path=path, row=row)
        for source in ("notes", "뉴스", "기사", "my notes", "my-notes")
        for path in ("a.txt", "b.txt", "a.txt\0")
        for row in ("", "1", "2")
    }
    assert len(ids) == 5 * 3 * 3


def test_an_id_is_the_same_for_a_name_that_a_mac_writes_decomposed():
    assert make_document_id(source="s", path="문서.txt") == make_document_id(
        source="s", path=unicodedata.normalize("NFD", "문서.txt")
    )


@given(source=st.text(min_size=1, max_size=64), path=st.text(max_size=20), row=st.text(max_size=90))
def test_every_id_is_a_valid_one(source, path, row):
    dataclasses.replace(GOOD, document_id=make_document_id(source=source, path=path, row=row))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("파일을 엽니다", "ko"),
        ("LibreOffice Calc에서 SUM 함수를 사용하여 합계를 계산합니다", "ko"),
        ("The city of Seoul (서울) has ten million inhabitants and a river", "en"),
        ("1234 !?", "en"),
        ("", "en"),
    ],
)
def test_korean_and_english_are_told_apart(text, language):
    assert detect_language(text) == language
    assert 0 <= hangul_ratio(text) <= 1
