"""Thumbnails and originals on disk."""

import io

import numpy as np
import pytest

from milvuslab.apps.image.collection import compute_image_id
from milvuslab.apps.image.pictures import PictureStore, content_key, make_thumbnail
from milvuslab.model.errors import NotFoundError
from tests.apps.image.conftest import as_png, draw

ID = compute_image_id(source="tests", origin_id="a.png", content_sha256="0123456789abcdef" * 4)
TWIN = compute_image_id(source="tests", origin_id="b.png", content_sha256="0123456789abcdef" * 4)


@pytest.fixture
def store(tmp_path):
    return PictureStore(tmp_path / "pictures", original_limit_bytes=10)


def test_the_same_content_is_kept_once_and_read_by_any_of_its_keys(store):
    for image_id in (ID, TWIN):
        store.keep(image_id, thumbnail=b"small", original=b"large")
    assert ID != TWIN and content_key(ID) == content_key(TWIN)
    assert (store.thumbnail(TWIN), store.original(TWIN)) == (b"small", b"large")
    assert len([path for path in store.folder.rglob("*") if path.is_file()]) == 2


def test_a_large_original_is_not_kept(store):
    store.keep(ID, thumbnail=b"small", original=b"x" * 11)
    assert store.has(ID) and store.original(ID) is None


def test_what_is_removed_or_was_left_empty_by_a_crash_is_absent(store):
    store.keep(ID, thumbnail=b"small", original=b"large")
    for path in store.folder.rglob("*.jpg"):
        path.write_bytes(b"")
    with pytest.raises(NotFoundError):
        store.thumbnail(ID)
    store.keep(ID, thumbnail=b"small", original=b"large")
    assert store.thumbnail(ID) == b"small"
    store.remove(ID)
    store.remove(ID)
    assert not store.has(ID) and store.original(ID) is None


@pytest.mark.parametrize(
    "key", ["", "../../etc/passwd", ID + "/..", ID.upper(), f"{ID}\n", ID[:-1], "0" * 16 + "-" + "../" * 8], ids=repr
)
def test_no_key_becomes_another_path(store, key):
    for use in (store.thumbnail, store.original, store.remove, store.has):
        with pytest.raises(NotFoundError, match="no key of a picture"):
            use(key)


def test_a_thumbnail_fits_its_box_and_small_pictures_stay_as_they_are():
    from PIL import Image

    wide = Image.open(io.BytesIO(make_thumbnail(np.zeros((300, 1_000, 3), np.uint8))))
    assert (wide.size, wide.format) == ((256, 77), "JPEG")
    assert Image.open(io.BytesIO(make_thumbnail(draw(1, side_px=100)))).size == (100, 75)
    assert as_png(draw(1))[:4] == b"\x89PNG"
