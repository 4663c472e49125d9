"""Real encoders, a real Lite server, a collection of a test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from milvuslab.apps.text.collection import PassageCut, TextCollection, create_text_collection
from milvuslab.data.document import Document, clean_text
from milvuslab.embed.catalog import open_encoder

if TYPE_CHECKING:
    from milvuslab.embed.encoder import TextEncoder
    from milvuslab.gateway.client import Gateway
    from milvuslab.model.settings import Settings

MakeDocument = Callable[..., Document]


@pytest.fixture(scope="session")
def minilm(shared_settings: Settings) -> TextEncoder:
    return open_encoder("minilm", settings=shared_settings)


@pytest.fixture(scope="session")
def e5(shared_settings: Settings) -> TextEncoder:
    return open_encoder("e5-small", settings=shared_settings)


@pytest.fixture
def collection(gateway: Gateway, minilm: TextEncoder, unique_name: str) -> Iterator[TextCollection]:
    made = create_text_collection(
        gateway, unique_name, encoder=minilm, cut=PassageCut(limit_tokens=24, overlap_tokens=6)
    )
    yield made
    gateway.collections.drop(unique_name)


@pytest.fixture
def make_document() -> MakeDocument:
    def make(name: str, text: str, **values: object) -> Document:
        given = {"title": name, "language": "en", "source": "tests", **values}
        return Document(document_id=name, text=clean_text(text), **given)  # type: ignore[arg-type]

    return make
