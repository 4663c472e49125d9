"""Real encoders, a real Lite server, a collection of a test's own."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from milvuslab.apps.text.collection import PassageCut, TextCollection, create_text_collection
from milvuslab.apps.text.shelf import DEFAULT_COLLECTIONS
from milvuslab.data.document import Document, clean_text
from milvuslab.embed.catalog import open_encoder
from milvuslab.gateway import connect
from milvuslab.model.settings import Settings, resolve

if TYPE_CHECKING:
    from milvuslab.embed.encoder import TextEncoder
    from milvuslab.gateway.client import Gateway
    from milvuslab.model.server import Endpoint

MakeDocument = Callable[..., Document]


@pytest.fixture(scope="session")
def lite_gateway(lite_endpoint: Endpoint) -> Iterator[Gateway]:
    with connect(lite_endpoint) as opened:
        yield opened


@pytest.fixture(scope="session")
def standalone_gateway(standalone_endpoint: Endpoint) -> Iterator[Gateway]:
    with connect(standalone_endpoint) as opened:
        yield opened


@pytest.fixture(params=["lite", "standalone"])
def gateway(request: pytest.FixtureRequest) -> Gateway:
    """Each backend in turn; a module that needs only one overrides this."""
    return request.getfixturevalue(f"{request.param}_gateway")


@pytest.fixture
def unique_name() -> str:
    return f"milvuslab_test_{secrets.token_hex(6)}"


@pytest.fixture
def home_settings(server_settings: Settings, tmp_path: Path) -> Settings:
    """The person's cache, where no vector is kept, and a home of the test's own."""
    flags = {"home_dir": str(tmp_path / "home"), "cache_dir": str(server_settings.cache_dir), "embed_cache_bytes": "0"}
    return resolve(flags=flags, environment={"HOME": str(tmp_path)})


@pytest.fixture
def clean_defaults(gateway: Gateway) -> Iterator[None]:
    """No default collections before and after the test."""

    def drop() -> None:
        for default in DEFAULT_COLLECTIONS.values():
            if gateway.collections.exists(default.collection):
                gateway.collections.drop(default.collection)

    drop()
    yield
    drop()


@pytest.fixture(scope="session")
def minilm(server_settings: Settings) -> TextEncoder:
    return open_encoder("minilm", settings=server_settings)


@pytest.fixture(scope="session")
def e5(server_settings: Settings) -> TextEncoder:
    return open_encoder("e5-small", settings=server_settings)


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
