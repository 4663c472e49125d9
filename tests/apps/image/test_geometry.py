"""Pictures compared point by point: copies that were changed in known ways, and others."""

import io

import numpy as np
import pytest

from milvuslab.apps.image.geometry import SAME_INLIERS, compare_pictures, draw_match
from milvuslab.apps.image.variants import VARIANTS, make_variant
from tests.apps.image.conftest import draw


@pytest.mark.parametrize("name", sorted(set(VARIANTS) - {"48px"}))
def test_a_changed_copy_is_the_same_picture(name):
    original = draw(1)
    match = compare_pictures(make_variant(original, name), original)
    assert match.is_same and match.inlier_count >= SAME_INLIERS
    assert match.is_mirrored == (name == "flip")
    assert len(match.points_a) == len(match.points_b) == match.inlier_count <= match.pair_count


@pytest.mark.parametrize("seed", range(2, 8))
def test_another_picture_of_the_same_kind_is_not(seed):
    match = compare_pictures(draw(1), draw(seed))
    assert not match.is_same


def test_the_movement_is_the_one_that_was_made():
    original = draw(1)
    cut = original[20:140, 30:180]
    match = compare_pictures(cut, original)
    moved = match.homography @ np.array([10.0, 10.0, 1.0])
    assert moved[:2] / moved[2] == pytest.approx([40, 30], abs=1.5)


def test_the_movement_of_a_mirrored_copy_runs_in_the_pixels_that_were_given():
    original = draw(1)
    match = compare_pictures(np.ascontiguousarray(original[:, ::-1]), original)
    moved = match.homography @ np.array([10.0, 50.0, 1.0])
    assert moved[:2] / moved[2] == pytest.approx([original.shape[1] - 11, 50], abs=1.5)
    assert match.points_a[:, 0] + match.points_b[:, 0] == pytest.approx(original.shape[1] - 1, abs=3)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (5, 7)], ids=str)
def test_a_picture_without_corners_has_nothing_in_common(size):
    blank = np.full((*size, 3), 255, np.uint8)
    for other in (blank, draw(1)):
        match = compare_pictures(blank, other)
        assert (match.inlier_count, match.homography, match.is_same) == (0, None, False)
    assert draw_match(blank, draw(1), match).startswith(b"\x89PNG")


def test_the_same_two_pictures_give_the_same_answer():
    counts = {compare_pictures(draw(1), make_variant(draw(1), "rotate")).inlier_count for _ in range(3)}
    assert len(counts) == 1


def test_the_drawing_shows_both_pictures_and_lines_between_them():
    from PIL import Image

    a, b = make_variant(draw(1, ink="green"), "crop"), draw(1, ink="green")
    match = compare_pictures(a, b)
    drawn = np.asarray(Image.open(io.BytesIO(draw_match(a, b, match))))
    assert drawn.shape == (360, 480 + 16 + 480, 3)
    gap = drawn[:, 480:496]
    assert (gap != 255).any(), "lines cross the gap"
    assert ((drawn[:, 496:] == (214, 39, 40)).all(axis=2)).sum() > 200, "the outline of the first lies in the second"
    apart = compare_pictures(draw(2), b)
    alone = np.asarray(Image.open(io.BytesIO(draw_match(draw(2), b, apart))))
    assert not (alone[:, 496:] == (214, 39, 40)).all(axis=2).any()
