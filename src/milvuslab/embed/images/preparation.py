"""From a picture to what a model takes: size, crop, scale. Declared by the model's files, never guessed."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from milvuslab.embed.images.encoder import Pixels
from milvuslab.model.errors import missing_extra

__all__ = ["Fit", "Layout", "Preparation", "prepare_picture"]

Fit = Literal["crop", "pad", "stretch"]
Layout = Literal["nchw", "nhwc"]

_FILTERS = {"bicubic": 3, "bilinear": 2, "lanczos": 1, "nearest": 0}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preparation:
    """How pictures are brought into the form a model was trained with; part of the fingerprint.

    Attributes:
        side_px: width and height of the model's input.
        resize_px: shorter side before the middle is cut out (`crop`); at least `side_px`.
        fit: `crop` keeps the middle, `pad` keeps all and adds white, `stretch` keeps all and changes the proportions.
        resample: filter: bicubic, bilinear, lanczos or nearest.
        mean: subtracted per channel, in units of 0 to 255.
        std: divided by per channel, in units of 0 to 255.
        layout: order of the input's axes.
        is_raw: whether the model takes uint8 and does the scaling itself.
    """

    side_px: int
    resize_px: int
    fit: Fit = "crop"
    resample: str = "bicubic"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (255.0, 255.0, 255.0)
    layout: Layout = "nchw"
    is_raw: bool = False

    def __post_init__(self) -> None:
        assert self.resize_px >= self.side_px >= 1, f"{self.resize_px} < {self.side_px}"
        assert self.resample in _FILTERS, self.resample
        assert min(self.std) > 0, self.std

    def describe(self) -> str:
        """One line that changes when vectors change."""
        return " ".join(f"{name}={value}" for name, value in dataclasses.asdict(self).items())


def prepare_picture(pixels: Pixels, preparation: Preparation) -> npt.NDArray[Any]:
    """The model's input for one picture: (1, ...) uint8 or float32.

    Raises:
        UnsupportedError: the package Pillow is not installed.
    """
    raw = _fit(pixels, preparation)[None]
    if preparation.is_raw:
        return raw if preparation.layout == "nhwc" else np.ascontiguousarray(raw.transpose(0, 3, 1, 2))
    mean, std = (np.asarray(values, dtype=np.float32) for values in (preparation.mean, preparation.std))
    scaled = (raw.astype(np.float32) - mean) / std
    return scaled if preparation.layout == "nhwc" else np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def _fit(pixels: Pixels, preparation: Preparation) -> Pixels:
    try:
        from PIL import Image
    except ImportError:
        raise missing_extra("Pillow", "image") from None
    height, width = pixels.shape[:2]
    side, target = preparation.side_px, Image.Resampling(_FILTERS[preparation.resample])
    image = Image.fromarray(pixels)
    if preparation.fit == "stretch":
        return np.asarray(image.resize((side, side), target))
    if preparation.fit == "pad":
        scale = side / max(height, width)
        inner = image.resize((max(1, round(width * scale)), max(1, round(height * scale))), target)
        sheet = Image.new("RGB", (side, side), "white")
        sheet.paste(inner, ((side - inner.width) // 2, (side - inner.height) // 2))
        return np.asarray(sheet)
    # Only what stays after the cut is resized: the same pixels, a quarter of the work.
    reach = min(height, width) * side / preparation.resize_px
    left, top = (width - reach) / 2, (height - reach) / 2
    return np.asarray(image.resize((side, side), target, box=(left, top, left + reach, top + reach)))
