"""Whether two pictures show the very same thing: points that correspond under one change of perspective.

A vector says that two pictures are alike. Here local features of both are matched, and RANSAC looks for one homography
that explains many of the pairs: an invented one explains few. Mirrored copies are found by trying both ways round.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    Pixels = npt.NDArray[np.uint8]

__all__ = ["GeometricMatch", "PictureFeatures", "compare_features", "compare_pictures", "detect_features", "draw_match"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PictureFeatures:
    """Local features of one picture, detected once and compared often.

    Attributes:
        points: (n, 2) float32, x and y as shares of the longer side.
        descriptors: (n, d) as the detector gives them.
        aspect: width and height divided by the longer of the two.
    """

    points: npt.NDArray[np.float32]
    descriptors: npt.NDArray[np.float32]
    aspect: tuple[float, float]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GeometricMatch:
    """What two pictures have in common.

    Attributes:
        inlier_count: pairs of points that one homography explains.
        pair_count: pairs of points that look alike.
        homography: (3, 3) float64 from pixels of the first picture to pixels of the second, or None where there is none.
        points_a: (inlier_count, 2) float32 pixels in the first picture.
        points_b: (inlier_count, 2) float32 pixels in the second.
        is_mirrored: whether the first picture had to be mirrored left to right to fit; `points_a` and the homography
            are those of the picture as it was given.
        is_same: whether this is the same picture, changed; see `compare_features`.
    """

    inlier_count: int
    pair_count: int
    homography: npt.NDArray[np.float64] | None
    points_a: npt.NDArray[np.float32]
    points_b: npt.NDArray[np.float32]
    is_mirrored: bool
    is_same: bool


def detect_features(pixels: Pixels, *, is_mirrored: bool = False) -> PictureFeatures:
    """Local features of an (h, w, 3) RGB picture, or of its mirror image."""
    raise NotImplementedError


def compare_features(a: PictureFeatures, b: PictureFeatures) -> GeometricMatch:
    """What two pictures have in common, the first taken as it is."""
    raise NotImplementedError


def compare_pictures(a: Pixels, b: Pixels) -> GeometricMatch:
    """What two (h, w, 3) RGB pictures have in common, the first taken as it is and mirrored."""
    raise NotImplementedError


def draw_match(a: Pixels, b: Pixels, match: GeometricMatch) -> bytes:
    """A PNG of both pictures side by side with the matched points, lines between them and the outline of a in b."""
    raise NotImplementedError
