"""A perceptual hash: 64 bits that stay nearly the same when a picture is stored again, made smaller or recoloured.

The picture's brightness is reduced to 32 x 32, its two-dimensional cosine transform taken, and of the 64 lowest
frequencies each gives one bit: whether it is above their median (the first, the mean brightness, is left out of the
median). The transform is a product of fixed matrices of float64 rounded before it is compared, so the bits do not depend
on the machine.

`ImageHash` computes the same kind of hash; its dependency PyWavelets and an array of booleans per picture were not
wanted for twenty lines (docs/decisions/0095-perceptual-hash.md).
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from milvuslab.embed.images.encoder import Pixels
from milvuslab.model.errors import missing_extra

__all__ = ["HASH_BITS", "compute_hash", "hamming_distance"]

HASH_BITS = 64
_SIDE_PX = 32
_KEPT = 8
_POPULATION = np.array(
    [value.bit_count() if hasattr(value, "bit_count") else bin(value).count("1") for value in range(256)],
    dtype=np.uint8,
)


def compute_hash(pixels: Pixels) -> int:
    """The hash of a picture as a signed 64-bit number, the form a database stores.

    Args:
        pixels: (h, w, 3) uint8.

    Raises:
        UnsupportedError: the package Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise missing_extra("Pillow", "image") from None
    # Reduced in steps of whole numbers by Pillow's fixed-point filter: the same on every processor.
    small = Image.fromarray(pixels).convert("L").resize((_SIDE_PX, _SIDE_PX), Image.Resampling.LANCZOS)
    transform = _cosines()
    spectrum = np.round(transform @ np.asarray(small, dtype=np.float64) @ transform.T, 6).reshape(-1)
    bits = spectrum > np.median(spectrum[1:])
    return int(np.packbits(bits).view(">i8")[0])


def hamming_distance(first: int | npt.NDArray[np.int64], second: int | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Number of bits in which hashes differ, 0 to 64; numpy's broadcasting rules apply.

    >>> int(hamming_distance(0, -1)), hamming_distance(5, np.array([5, 4, 7])).tolist()
    (64, [0, 1, 1])
    """
    different = np.bitwise_xor(np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64))
    parts = np.asarray(different)[..., None].view(np.uint8)
    return np.asarray(_POPULATION[parts].sum(axis=-1, dtype=np.uint8))


@functools.cache
def _cosines() -> npt.NDArray[np.float64]:
    """(8, 32): the lowest rows of the cosine transform, type II."""
    places = (2 * np.arange(_SIDE_PX) + 1) * np.pi / (2 * _SIDE_PX)
    return np.cos(np.arange(_KEPT)[:, None] * places[None, :])
