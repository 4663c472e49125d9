"""Changes that leave a picture the same to a person: what the search for near-duplicates has to see through."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from milvuslab.model.errors import missing_extra

if TYPE_CHECKING:
    Pixels = npt.NDArray[np.uint8]

__all__ = ["VARIANTS", "make_variant"]


def make_variant(pixels: Pixels, name: str) -> Pixels:
    """An (h, w, 3) picture, changed in the way of that name.

    Raises:
        UnsupportedError: the extra `image` is not installed.
    """
    try:
        from PIL import Image
    except ImportError:
        raise missing_extra("Pillow", "image") from None
    return np.ascontiguousarray(VARIANTS[name](Image.fromarray(pixels)), dtype=np.uint8)


def _jpeg(picture: Any) -> Any:
    from PIL import Image

    out = io.BytesIO()
    picture.save(out, "JPEG", quality=30)
    return Image.open(out).convert("RGB")


def _crop(picture: Any) -> Any:
    """The middle: three quarters of the width and of the height, 56 % of the area."""
    width, height = (max(1, round(side * 0.75)) for side in picture.size)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def _flip(picture: Any) -> Any:
    from PIL import ImageOps

    return ImageOps.mirror(picture)


def _rotate(picture: Any) -> Any:
    """By 15 degrees; the corners turn white and what leaves the frame is lost."""
    from PIL import Image

    return picture.rotate(15, Image.Resampling.BICUBIC, fillcolor="white")


def _grey(picture: Any) -> Any:
    return picture.convert("L").convert("RGB")


def _half(picture: Any) -> Any:
    return _shrink(picture, side_px=max(1, max(picture.size) // 2))


def _tiny(picture: Any) -> Any:
    return _shrink(picture, side_px=48)


def _shrink(picture: Any, *, side_px: int) -> Any:
    from PIL import Image

    small = picture.copy()
    small.thumbnail((side_px, side_px), Image.Resampling.BICUBIC)
    return small


VARIANTS: Mapping[str, Callable[[Any], Any]] = {
    "jpeg": _jpeg,
    "crop": _crop,
    "flip": _flip,
    "rotate": _rotate,
    "grey": _grey,
    "scale": _half,
    "48px": _tiny,
}
"""JPEG of quality 30, the middle 75 %, mirrored, turned by 15 degrees, without colour, half as large, 48 pixels wide."""
