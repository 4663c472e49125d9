"""Groups of rows whose groups are known."""

import numpy as np
import pytest

from milvuslab.apps.image.cluster import agree_with_labels, cluster_vectors, compute_silhouettes, reduce_vectors
from milvuslab.model.errors import UsageError


def make_blobs(*, count, groups, dim=40, noise=0.15, seed=3):
    """Rows around as many far apart middles, and the group of each."""
    dice = np.random.default_rng(seed)
    middles = np.eye(dim, dtype=np.float32)[:groups]
    truth = np.arange(count) % groups
    rows = middles[truth] + noise * dice.normal(size=(count, dim)).astype(np.float32) / np.sqrt(dim)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), truth


@pytest.mark.parametrize("method", ["kmeans", "hdbscan"])
def test_groups_that_are_there_are_found(method):
    vectors, truth = make_blobs(count=300, groups=5)
    found = cluster_vectors(vectors, method=method, labels=[f"class {one}" for one in truth])
    assert len(found.medoids) == 5
    assert found.nmi > 0.95
    assert found.ari > 0.95
    assert found.silhouette > 0.6
    assert sorted(truth[list(found.medoids)]) == [0, 1, 2, 3, 4]


def test_the_number_of_groups_is_chosen_by_the_silhouette():
    vectors, _ = make_blobs(count=240, groups=4)
    found = cluster_vectors(vectors)
    assert max(found.tried, key=found.tried.get) == 4
    assert len(found.medoids) == 4
    assert found.nmi is None


def test_the_same_seed_gives_the_same_groups_and_the_largest_comes_first():
    vectors, _ = make_blobs(count=90, groups=3, noise=1.0)
    first, again = (cluster_vectors(vectors[:80], k=3, seed=11) for _ in range(2))
    assert (first.numbers == again.numbers).all()
    counts = np.bincount(first.numbers)
    assert list(counts) == sorted(counts, reverse=True)


@pytest.mark.parametrize("method", ["kmeans", "hdbscan"])
def test_a_picture_that_fits_nowhere_is_told_as_an_outlier(method):
    vectors, _ = make_blobs(count=120, groups=3)
    # Farther from every middle than any row is, but no middle of its own.
    stranger = np.full((1, vectors.shape[1]), -1, dtype=np.float32)
    found = cluster_vectors(np.concatenate([vectors, stranger]), method=method, k=3 if method == "kmeans" else None)
    assert found.outliers[0] == 120


def test_of_many_rows_a_sample_is_grouped_by_density_and_the_rest_put_beside_it(monkeypatch):
    monkeypatch.setattr("milvuslab.apps.image.cluster._FIT_ROWS", 200)
    vectors, truth = make_blobs(count=1_000, groups=4)
    found = cluster_vectors(vectors, method="hdbscan", labels=[str(one) for one in truth])
    assert found.sampled_count == 200
    assert found.ari > 0.7
    assert len(found.numbers) == 1_000


def test_agreement_with_labels_is_1_for_the_same_groups_and_0_by_chance():
    numbers = np.arange(600) % 6
    assert agree_with_labels(numbers, [str(one) for one in numbers]) == pytest.approx((1, 1))
    shuffled = np.random.default_rng(1).permutation(numbers)
    nmi, ari = agree_with_labels(numbers, [str(one) for one in shuffled])
    assert nmi < 0.1
    assert abs(ari) < 0.05
    assert agree_with_labels(numbers, [""] * 600) is None


def test_silhouettes_are_those_of_the_definition():
    vectors, truth = make_blobs(count=30, groups=3)
    apart = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    expected = []
    for row in range(30):
        own = truth == truth[row]
        near = apart[row, own].sum() / (own.sum() - 1)
        next_group = min(apart[row, truth == other].mean() for other in range(3) if other != truth[row])
        expected.append((next_group - near) / max(near, next_group))
    assert compute_silhouettes(vectors, truth) == pytest.approx(expected, abs=1e-4)


def test_components_keep_who_is_near_whom():
    vectors, truth = make_blobs(count=200, groups=5, dim=300)
    reduced = reduce_vectors(vectors, dim=16)
    assert reduced.shape == (200, 16)
    apart = np.linalg.norm(reduced[:, None] - reduced[None], axis=2) + 9 * np.eye(200)
    assert (truth[apart.argmin(axis=1)] == truth).all()


@pytest.mark.parametrize(("rows", "how"), [(2, {}), (30, {"k": 1}), (30, {"k": 30}), (30, {"method": "guess"})])
def test_what_makes_no_groups_is_refused(rows, how):
    with pytest.raises(UsageError):
        cluster_vectors(make_blobs(count=rows, groups=2)[0], **how)


def test_equal_pictures_are_one_group():
    found = cluster_vectors(np.ones((20, 8), dtype=np.float32), k=3)
    assert set(found.numbers.tolist()) == {0}
    assert found.silhouette is None
    assert found.outliers == ()
