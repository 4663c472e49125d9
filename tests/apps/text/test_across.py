"""One shelf for both languages: a question in one finds documents in the other."""

from __future__ import annotations

import pytest

from milvuslab.apps.text.document import add_document, collect_text_stats
from milvuslab.apps.text.search import TextQuery, search_text
from milvuslab.apps.text.shelf import ANY_LANGUAGE, MULTILINGUAL, Shelf
from milvuslab.embed.catalog import open_encoder
from milvuslab.embed.pair import open_pair
from milvuslab.model.errors import NotFoundError

TEXTS = {
    "snow": ("en", "Fresh snow is bright because its many small crystals scatter nearly all of the sunlight."),
    "bread": ("en", "Yeast turns the sugar of the dough into gas, so the bread rises before it is baked."),
    "chess": ("en", "The king may castle only when neither he nor the rook has moved."),
    "kimchi": ("ko", "김치는 소금에 절인 배추에 고춧가루와 마늘, 젓갈을 버무려 발효시킨 음식이다."),
    "quake": ("ko", "지진은 땅속의 단층이 갑자기 어긋나면서 쌓여 있던 힘이 풀려 땅이 흔들리는 현상이다."),
    "bicycle": ("ko", "자전거 바퀴에 바람이 빠지면 튜브를 꺼내 구멍을 찾고 패치를 붙인다."),
}


@pytest.fixture
def gateway(lite_gateway):
    return lite_gateway


@pytest.fixture(scope="module")
def pair(server_settings, e5):
    use = open_encoder("use", settings=server_settings)
    return open_pair("e5-small+use", open_encoder={"e5-small": e5, "use": use}.__getitem__)


@pytest.fixture
def shelf(gateway, pair):
    yield Shelf(gateway, open_encoder={MULTILINGUAL.encoder: pair}.__getitem__)
    if gateway.collections.exists(MULTILINGUAL.collection):
        gateway.collections.drop(MULTILINGUAL.collection)


def test_a_question_finds_documents_of_the_other_language(shelf, make_document) -> None:
    with pytest.raises(NotFoundError) as caught:
        shelf.choose("지진", is_across=True)
    assert "--multilingual" in caught.value.hint

    collection = shelf.create_for_language(ANY_LANGUAGE)
    for name, (language, text) in TEXTS.items():
        add_document(collection, make_document(name, text, language=language))
    assert collect_text_stats(collection).dim == 896
    assert shelf.choose("any question at all", is_across=True, language="ko").name == collection.name

    for question, language, expected in (
        ("빵이 부풀어 오르는 이유", "en", "bread"),
        ("눈은 왜 하얗게 빛나는가", "en", "snow"),
        ("why does the ground shake", "ko", "quake"),
        ("repair a flat tyre", "ko", "bicycle"),
    ):
        for kept in ("", language):
            answer = search_text(collection, TextQuery(text=question, language=kept, limit=2, channel="dense"))
            assert answer.hits[0].title == expected
