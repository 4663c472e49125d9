"""The perceptual hash: fixed values, and how far copies of a picture move it."""

import io

import numpy as np
import pytest
from PIL import Image

from milvuslab.embed.images.hash import compute_hash, hamming_distance


def _scene(seed):
    """A picture of a few soft shapes."""
    choose = np.random.default_rng(seed)
    return Image.fromarray(choose.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(
        (320, 240), Image.Resampling.BICUBIC
    )


def test_the_hash_of_a_picture_never_changes():
    ramp = np.add.outer(np.arange(40), np.arange(60) * 3).astype(np.uint8)
    pixels = np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=2)
    assert compute_hash(pixels) == -9184453001696247424
    assert -(2**63) <= compute_hash(pixels) < 2**63


def test_copies_stay_near_and_others_are_far():
    hashes = [compute_hash(np.asarray(_scene(seed))) for seed in range(20)]
    for seed, own in enumerate(hashes):
        jpeg = io.BytesIO()
        _scene(seed).save(jpeg, "JPEG", quality=40)
        for copy in (Image.open(jpeg), _scene(seed).resize((97, 73)), _scene(seed).convert("L").convert("RGB")):
            assert hamming_distance(own, compute_hash(np.asarray(copy))) <= 6
    table = hamming_distance(np.array(hashes)[:, None], np.array(hashes)[None, :])
    assert table[~np.eye(20, dtype=bool)].min() > 12


def test_distances_are_those_of_counting_bits():
    choose = np.random.default_rng(3)
    first, second = choose.integers(-(2**63), 2**63 - 1, (2, 50), dtype=np.int64)
    different = [(int(a) ^ int(b)) & (2**64 - 1) for a, b in zip(first, second, strict=True)]
    naive = [bin(bits).count("1") for bits in different]
    assert hamming_distance(first, second).tolist() == naive
    assert hamming_distance(int(first[0]), second).shape == (50,)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (500, 1, 3)])
def test_pictures_without_content_have_a_hash(shape):
    assert isinstance(compute_hash(np.full(shape, 200, dtype=np.uint8)), int)
