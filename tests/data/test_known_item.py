"""Judged queries out of translated pages: which pairs are taken, and what is asked of them."""

import pytest

from milvuslab.data.document import Document, make_document_id
from milvuslab.data.judgements import read_judgements
from milvuslab.data.known_item import PairRules, pair_documents, write_known_items
from milvuslab.model.errors import UsageError

KOREAN = "이 페이지는 표를 만들고 지우는 방법을 처음부터 끝까지 설명합니다."
ENGLISH = "This page tells how a table is made and removed, from its beginning."


def page(language, path, title, text):
    source = f"help-{language}"
    return Document(
        document_id=make_document_id(source=source, path=path), title=title, text=text, language=language, source=source
    )


def pages():
    korean = [
        page("ko", "a", "표 만들기", f"표 만들기\n\n{KOREAN}"),
        page("ko", "b", "표 지우기", KOREAN),
        page("ko", "untranslated", "Table style", KOREAN),
        page("ko", "half", "표 서식", ENGLISH),
        page("ko", "stub", "표 이름", "짧다"),
        page("ko", "twice-1", "표", KOREAN),
        page("ko", "twice-2", "표", KOREAN),
        page("ko", "alone", "표 나누기", KOREAN),
    ]
    english = [
        page("en", name, f"Title of {name}", ENGLISH)
        for name in ("a", "b", "untranslated", "half", "stub", "twice-1", "twice-2", "other")
    ]
    return korean, english


def test_pairs_are_translated_long_enough_and_have_titles_of_their_own(tmp_path):
    items = pair_documents(*pages(), rules=PairRules(text_chars=30))
    assert sorted(title for title, _ in items.korean.values()) == ["표 만들기", "표 지우기"]
    assert items.korean.keys() == items.english.keys()
    # The title is taken out of the page it would give away.
    assert all(text == KOREAN for _, text in items.korean.values())

    folders = write_known_items(tmp_path, items)
    assert [folder.name for folder in folders] == ["ko", "en", "ko-en", "en-ko"]
    across = read_judgements(tmp_path / "ko-en")
    assert sorted(across.queries.values()) == ["표 만들기", "표 지우기"]
    assert all(grades == {key: 1} for key, grades in across.relevant.items())
    assert ENGLISH in (tmp_path / "ko-en" / "corpus.jsonl").read_text("utf-8")


def test_a_page_may_be_cut_and_no_pair_is_an_error():
    items = pair_documents(*pages(), rules=PairRules(text_chars=5, limit_words=3))
    assert {text for _, text in items.english.values()} == {"This page tells"}
    with pytest.raises(UsageError, match="both languages"):
        pair_documents(pages()[0], [])
