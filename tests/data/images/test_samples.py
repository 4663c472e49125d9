"""Samples of pictures: the real packages, unpacked and read."""

import collections
import json

import pytest

from milvuslab.data.images.decode import decode_image
from milvuslab.data.images.samples import CLIPART_CATEGORIES, IMAGE_SAMPLES, fetch_image_sample, open_image_sample
from milvuslab.model.errors import NotFoundError, UnreachableError
from milvuslab.model.settings import resolve


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("clipart", marks=pytest.mark.needs("apt")),
        pytest.param("emoji", marks=pytest.mark.needs("npm")),
        pytest.param("emoji-all", marks=pytest.mark.needs("npm")),
        "imagenet-20",
        "cifar-20",
    ],
)
def test_a_sample_is_read_whole_and_every_picture_can_be_decoded(name, settings):
    source = open_image_sample(name, settings=settings)
    items = list(source.items())
    manifest = json.loads((fetch_image_sample(name, settings=settings).parent / "manifest.json").read_text("utf-8"))
    assert manifest["sha256"] and manifest["version"] and manifest["licence"] == IMAGE_SAMPLES[name].licence
    if manifest["is_known_build"]:
        assert len(items) == manifest["image_count"] == IMAGE_SAMPLES[name].image_count == source.total_count
    assert source.fault_count == 0 and len({item.key for item in items}) == len(items)
    assert all(item.label and item.name and item.source == name for item in items)
    for item in items[:: max(1, len(items) // 40)]:
        assert decode_image(item.read(), name=item.key).pixels.ndim == 3


@pytest.mark.needs("apt")
def test_clip_art_is_spread_over_its_categories(settings):
    counts = collections.Counter(item.label for item in open_image_sample("clipart", settings=settings).items())
    assert set(counts) == set(CLIPART_CATEGORIES) and max(counts.values()) - min(counts.values()) <= 1


@pytest.mark.needs("npm")
def test_emoji_carry_their_names(settings):
    items = {item.key: item for item in open_image_sample("emoji", settings=settings).items()}
    assert (items["1f436.png"].name, items["1f436.png"].label) == ("dog face", "animal-mammal")


def test_a_sample_that_is_not_there_says_so(settings, tmp_path):
    with pytest.raises(NotFoundError) as caught:
        fetch_image_sample("clip-art", settings=settings)
    assert "clipart" in caught.value.hint
    with pytest.raises(UnreachableError, match="switched off"):
        fetch_image_sample("cifar-20", settings=resolve(flags={"cache_dir": tmp_path, "offline": True}))


def test_a_sample_of_another_recipe_is_unpacked_again(settings, tmp_path):
    (tmp_path / "packages").symlink_to(settings.cache_dir / "packages")
    mine = resolve(flags={"cache_dir": tmp_path})
    folder = fetch_image_sample("cifar-20", settings=mine)
    (folder.parent / "manifest.json").write_text('{"recipe": 0}')
    (folder / "labels.csv").unlink()
    assert (fetch_image_sample("cifar-20", settings=mine) / "labels.csv").is_file()
    assert [path.name for path in folder.parent.parent.iterdir()] == ["cifar-20"]
