"""Maps of rows whose neighbours are known."""

import numpy as np
import pytest

from milvuslab.apps.image.projection import project_vectors
from milvuslab.model.errors import UsageError


def make_blobs(*, count, groups, dim=60):
    dice = np.random.default_rng(5)
    truth = np.arange(count) % groups
    rows = np.eye(dim, dtype=np.float32)[truth] + dice.normal(size=(count, dim)).astype(np.float32) * 0.05
    return rows, truth


def test_pictures_that_look_alike_stand_together_also_when_only_a_sample_was_mapped():
    vectors, truth = make_blobs(count=900, groups=6)
    xy = project_vectors(vectors, mapped_rows=150)
    assert xy.shape == (900, 2)
    assert xy.dtype == np.float32
    assert np.abs(xy).max() <= 1
    apart = np.linalg.norm(xy[:, None] - xy[None], axis=2) + 9 * np.eye(900)
    assert (truth[apart.argmin(axis=1)] == truth).mean() > 0.97


def test_the_same_seed_gives_the_same_map():
    vectors, _ = make_blobs(count=60, groups=3)
    assert (project_vectors(vectors, seed=3) == project_vectors(vectors, seed=3)).all()


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_a_handful_of_pictures_has_a_map_too(count):
    xy = project_vectors(make_blobs(count=count, groups=2)[0])
    assert xy.shape == (count, 2)
    assert np.isfinite(xy).all()


def test_equal_pictures_have_a_map_too():
    assert np.isfinite(project_vectors(np.ones((40, 8), dtype=np.float32))).all()


def test_nothing_has_no_map():
    with pytest.raises(UsageError, match="nothing to map"):
        project_vectors(np.empty((0, 8), dtype=np.float32))
