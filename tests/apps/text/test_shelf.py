"""A collection is found by name or language and is only used with its own encoder."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from milvuslab.apps.text.collection import create_text_collection, open_text_collection
from milvuslab.apps.text.document import add_document
from milvuslab.apps.text.search import TextQuery, search_text
from milvuslab.apps.text.shelf import Shelf
from milvuslab.model.collection import CollectionSpec, DataType, FieldSpec
from milvuslab.model.errors import ConflictError, NotFoundError, UsageError


@pytest.fixture
def gateway(lite_gateway):
    """What is tested here does not depend on the kind of server."""
    return lite_gateway


@dataclasses.dataclass
class Retrained:
    """The real encoder under the same name, as if its weights had been changed."""

    inner: object

    def __getattr__(self, name):
        return getattr(self.inner, name)

    @property
    def fingerprint(self):
        return dataclasses.replace(self.inner.fingerprint, sha256="0" * 64)


def test_a_collection_opens_by_its_name_alone(collection, gateway, minilm) -> None:
    asked: list[str] = []

    def open_encoder(name: str):
        asked.append(name)
        return minilm

    opened = open_text_collection(gateway, collection.name, open_encoder=open_encoder)
    assert asked == ["minilm"]
    assert opened.cut == collection.cut
    assert opened.encoder is minilm


def test_a_collection_that_was_released_is_loaded_when_it_is_opened(collection, gateway, minilm) -> None:
    gateway.collections.release(collection.name)
    opened = open_text_collection(gateway, collection.name, open_encoder=lambda _: minilm)
    assert search_text(opened, TextQuery(text="anything")).hits == ()


def test_another_encoder_may_neither_open_nor_create_it(collection, gateway, minilm) -> None:
    for use in (
        lambda: open_text_collection(gateway, collection.name, open_encoder=lambda _: Retrained(minilm)),
        lambda: create_text_collection(gateway, collection.name, encoder=Retrained(minilm)),
    ):
        with pytest.raises(ConflictError) as caught:
            use()
        assert "0000" in str(caught.value) and caught.value.hint


def test_a_collection_of_somebody_else_is_left_alone(gateway, unique_name, minilm) -> None:
    spec = CollectionSpec(
        name=unique_name,
        description="mine",
        fields=(
            FieldSpec(name="id", data_type=DataType.INT64, is_primary=True),
            FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=4),
        ),
    )
    gateway.collections.create(spec)
    try:
        shelf = Shelf(gateway, open_encoder=lambda _: minilm)
        assert unique_name not in shelf.names()
        with pytest.raises(ConflictError, match="no passages of ours"):
            shelf.open(unique_name)
        with pytest.raises(ConflictError, match="no passages of ours"):
            shelf.create(unique_name, encoder="minilm")
        assert gateway.collections.describe(unique_name).description == "mine"
    finally:
        gateway.collections.drop(unique_name)


def test_the_question_chooses_the_collection(gateway, minilm, e5, clean_defaults) -> None:
    shelf = Shelf(gateway, open_encoder={"minilm": minilm, "e5-small": e5}.__getitem__)
    with pytest.raises(NotFoundError, match="language en") as caught:
        shelf.choose("anything")
    assert "milvuslab status" in caught.value.hint
    english = shelf.create_for_language("en")
    korean = shelf.create_for_language("ko")
    assert shelf.choose("what is a vector") is english
    assert shelf.choose("벡터가 무엇인가요") is korean
    assert shelf.choose("벡터가 무엇인가요", language="en") is english
    assert shelf.choose("anything", collection="text_ko") is korean
    assert {"text_en", "text_ko"} <= set(shelf.names())
    with pytest.raises(UsageError, match="'fr'"):
        shelf.choose("bonjour", language="fr")


def test_korean_questions_find_korean_passages(gateway, minilm, e5, clean_defaults, make_document) -> None:
    korean = Shelf(gateway, open_encoder={"minilm": minilm, "e5-small": e5}.__getitem__).create_for_language("ko")
    texts = {
        "인쇄": "문서를 인쇄하려면 파일 메뉴에서 인쇄를 고르고 프린터와 매수를 정합니다.",
        "표": "표에 행이나 열을 추가하려면 칸을 고른 뒤 표 메뉴에서 삽입을 누릅니다.",
        "그림": "그림의 크기를 바꾸려면 그림을 누르고 모서리의 점을 끌어다 놓습니다.",
    }
    for number, (title, text) in enumerate(texts.items()):
        add_document(korean, make_document(f"page-{number}", text, title=title, language="ko"))
    for question, expected in (("종이에 출력하는 방법", "인쇄"), ("사진을 더 크게 하고 싶어요", "그림")):
        assert search_text(korean, TextQuery(text=question, limit=1)).hits[0].title == expected


def test_a_dropped_collection_is_seen_after_forgetting_it(gateway, unique_name, minilm) -> None:
    shelf = Shelf(gateway, open_encoder=lambda _: minilm)
    shelf.create(unique_name, encoder="minilm")
    gateway.collections.drop(unique_name)
    shelf.forget(unique_name)
    with pytest.raises(NotFoundError):
        shelf.open(unique_name)


def test_vectors_of_the_encoder_are_what_the_index_expects(minilm) -> None:
    vectors = minilm.encode_passages(["a", "b"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
