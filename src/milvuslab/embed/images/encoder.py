"""What an image encoder is: the protocol every implementation keeps.

- pictures are (h, w, 3) uint8 RGB, of any size, upright, as `decode_image` gives them;
- vectors are (n, dim) float32 of length 1, in the order of the pictures; no pictures give (0, dim);
- the vector of a picture does not depend on the other pictures of the call, bit for bit;
- all methods may be called from several threads at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from milvuslab.embed.encoder import Fingerprint, FloatMatrix

__all__ = ["ImageClassifier", "ImageEncoder", "ImageTextEncoder", "Pixels"]

Pixels = npt.NDArray[np.uint8]


class ImageEncoder(Protocol):
    """Turns pictures into vectors."""

    @property
    def fingerprint(self) -> Fingerprint:
        """Stored with the vectors; checked before others are added or searched."""
        ...

    @property
    def thread_count(self) -> int:
        """Pictures that are computed at the same time."""
        ...

    def encode_images(self, pictures: Sequence[Pixels]) -> FloatMatrix:
        """Vectors of pictures."""
        ...


@runtime_checkable
class ImageTextEncoder(ImageEncoder, Protocol):
    """An encoder that puts words into the same space as pictures (CLIP and its kin)."""

    def encode_texts(self, texts: Sequence[str]) -> FloatMatrix:
        """Vectors of descriptions: the nearer to a picture's, the better they fit it."""
        ...


@runtime_checkable
class ImageClassifier(ImageEncoder, Protocol):
    """An encoder that still has the head it was trained with."""

    @property
    def class_count(self) -> int:
        """Width of what `classify` returns."""
        ...

    def classify(self, pictures: Sequence[Pixels]) -> FloatMatrix:
        """Probability of each class: (n, class_count) float32, rows sum to 1. ImageNet's classes are 0 to 999."""
        ...
