"""The real image encoder, real servers, a collection of a test's own, and pictures drawn for it."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from milvuslab.apps.image.collection import ImageCollection, create_image_collection
from milvuslab.data.images.source import ImageItem
from milvuslab.embed.images.catalog import open_image_encoder
from milvuslab.gateway import connect
from milvuslab.model.settings import Settings, resolve

if TYPE_CHECKING:
    from milvuslab.embed.images.encoder import ImageEncoder, Pixels
    from milvuslab.gateway.client import Gateway
    from milvuslab.model.server import Endpoint

MakeItem = Callable[..., ImageItem]
COLOURS = {"red": (200, 30, 30), "green": (30, 160, 60), "blue": (30, 60, 200)}


def draw(seed: int, *, ink: str = "red", side_px: int = 200) -> Pixels:
    """A drawing of its own: shapes, lines and dots of one colour on white, the same for the same seed."""
    from PIL import Image, ImageDraw

    dice = np.random.default_rng(seed)
    image = Image.new("RGB", (side_px, side_px * 3 // 4), "white")
    pen = ImageDraw.Draw(image)
    for _ in range(14):
        x, y, w, h = (int(value) for value in dice.integers((5, 5, 12, 12), (150, 100, 60, 50)))
        box = (x, y, x + w, y + h)
        getattr(pen, ("rectangle", "ellipse")[int(dice.integers(2))])(box, outline="black", fill=COLOURS[ink], width=2)
        pen.line((x, y, x + h, y + w), fill="black", width=2)
    return np.asarray(image)


def as_png(pixels: Pixels) -> bytes:
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return written.getvalue()


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
    """The person's cache, and a home of the test's own."""
    flags = {"home_dir": str(tmp_path / "home"), "cache_dir": str(server_settings.cache_dir)}
    return resolve(flags=flags, environment={"HOME": str(tmp_path)})


@pytest.fixture(scope="session")
def efficientnet(server_settings: Settings) -> ImageEncoder:
    return open_image_encoder("efficientnet-lite0", settings=server_settings)


@pytest.fixture
def collection(
    gateway: Gateway, efficientnet: ImageEncoder, unique_name: str, tmp_path: Path
) -> Iterator[ImageCollection]:
    yield create_image_collection(gateway, unique_name, encoder=efficientnet, pictures_dir=tmp_path / "pictures")
    gateway.collections.drop(unique_name)


@pytest.fixture
def make_item() -> MakeItem:
    def make(key: str, content: bytes, **values: str) -> ImageItem:
        given = {"label": "", "source": "tests", "name": key, "resume_token": key, **values}
        return ImageItem(key=key, read=lambda: content, **given)

    return make
