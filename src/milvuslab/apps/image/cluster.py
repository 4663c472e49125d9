"""Groups of pictures that look alike: k-means, or HDBSCAN where the number of groups is not even a question.

Vectors are first brought to at most 64 numbers by principal components, which keeps what groups are made of and makes
50,000 rows of 1,280 numbers a matter of seconds and of little memory: blocks are projected one after the other.
The same seed gives the same groups.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from milvuslab.model.errors import UsageError, missing_extra
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.apps.image.collection import ImageCollection

    Matrix = npt.NDArray[np.float32]
    Rows = npt.NDArray[np.int64]

__all__ = [
    "ClusterMethod",
    "ClusterSummary",
    "Clusters",
    "Grouping",
    "agree_with_labels",
    "as_clusters",
    "cluster_images",
    "cluster_vectors",
    "compute_silhouettes",
    "reduce_vectors",
]

ClusterMethod = Literal["kmeans", "hdbscan"]
_DIM_MAX = 64
_FIT_ROWS = 10_000
_CHOICE_ROWS = 4_000
_SILHOUETTE_ROWS = 3_000
_BLOCK_ROWS = 4_096
_CLUSTER_MAX = 1_000
_OUTLIERS_MAX = 200
_K_LADDER = (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grouping:
    """Rows in groups.

    Attributes:
        method: how they were found.
        numbers: (n,) the group of each row, from 0, the largest group first; -1 belongs to none (HDBSCAN).
        medoids: for each group the row nearest to its middle.
        outliers: rows that fit no group, worst first, at most 200: those of no group (HDBSCAN), or those further from their
            middle than three quarters of their group by 1.5 interquartile ranges (Tukey 1977).
        outlier_count: all of them.
        silhouette: mean over a sample of at most 3,000 grouped rows, -1 to 1; None with fewer than two groups.
        silhouettes: of those rows.
        nmi: normalised mutual information with the labels, 0 to 1; None without labels.
        ari: adjusted Rand index with the labels, 0 by chance, 1 at most; None without labels.
        tried: silhouette by the numbers of groups that were tried, where none was given.
        sampled_count: rows that the groups were found on; the others were put to the nearest.
    """

    method: ClusterMethod
    numbers: Rows
    medoids: tuple[int, ...]
    outliers: tuple[int, ...]
    outlier_count: int
    silhouette: float | None
    silhouettes: tuple[float, ...]
    nmi: float | None
    ari: float | None
    tried: dict[int, float]
    sampled_count: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSummary:
    """One group of a collection.

    Attributes:
        number: from 0, the largest first.
        image_count: pictures in it.
        medoid_id: key of the picture nearest to its middle.
        example_ids: keys of pictures near its middle, nearest first.
        labels: its most frequent labels with their counts.
    """

    number: int
    image_count: int
    medoid_id: str
    example_ids: tuple[str, ...]
    labels: tuple[tuple[str, int], ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """The groups of a collection; numbers as in `Grouping`.

    Attributes:
        ids: keys in ascending order.
        labels: the group of each key; -1 is none.
        medoids: keys, by group.
        outliers: keys, worst first.
        groups: one for each group.
    """

    collection: str
    method: str
    ids: tuple[str, ...]
    labels: tuple[int, ...]
    medoids: tuple[str, ...]
    outliers: tuple[str, ...]
    outlier_count: int
    silhouette: float | None
    nmi: float | None
    ari: float | None
    tried: dict[int, float]
    groups: tuple[ClusterSummary, ...]

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def cluster_images(
    collection: ImageCollection,
    *,
    method: ClusterMethod = "kmeans",
    k: int | None = None,
    min_size: int | None = None,
    example_count: int = 12,
    seed: int = 7,
    observer: Observer = silent,
) -> Clusters:
    """The pictures of a collection in groups.

    Args:
        collection: at least three pictures.
        method: k-means, or HDBSCAN.
        k: groups (k-means); None takes the number of the best silhouette.
        min_size: smallest group (HDBSCAN); None takes a hundredth of the pictures, 5 to 100.
        example_count: pictures that stand for a group.
        seed: the same gives the same groups.
        observer: sees what is done.

    Raises:
        UsageError: the collection is too small, or k is out of range.
        UnsupportedError: the extra `image` is not installed.
    """
    from milvuslab.apps.image.vector_table import fetch_vectors

    table = fetch_vectors(collection, observer=observer)
    reduced = reduce_vectors(table.vectors, seed=seed)
    found = cluster_vectors(
        reduced, method=method, k=k, min_size=min_size, labels=table.labels, seed=seed, observer=observer
    )
    return as_clusters(collection.name, found, reduced, ids=table.ids, labels=table.labels, example_count=example_count)


def as_clusters(
    collection: str,
    found: Grouping,
    vectors: Matrix,
    *,
    ids: Sequence[str],
    labels: Sequence[str],
    example_count: int = 12,
) -> Clusters:
    """A grouping told by keys instead of rows; `vectors` are those that were grouped."""
    groups = tuple(
        _summarise(number, found, vectors, ids=ids, labels=labels, example_count=example_count)
        for number in range(len(found.medoids))
    )
    return Clusters(
        collection=collection, method=found.method, ids=tuple(ids), labels=tuple(found.numbers.tolist()),
        medoids=tuple(ids[row] for row in found.medoids), outliers=tuple(ids[row] for row in found.outliers),
        outlier_count=found.outlier_count, silhouette=found.silhouette, nmi=found.nmi, ari=found.ari, tried=found.tried,
        groups=groups,
    )  # fmt: skip


def cluster_vectors(
    vectors: Matrix,
    *,
    method: ClusterMethod = "kmeans",
    k: int | None = None,
    min_size: int | None = None,
    labels: Sequence[str] = (),
    seed: int = 7,
    observer: Observer = silent,
) -> Grouping:
    """(n, dim) rows in groups; more than 64 numbers are reduced first.

    Args:
        vectors: n >= 3.
        labels: n classes to compare with, empty where unknown.

    Raises:
        UsageError, UnsupportedError: as `cluster_images`.
    """
    if len(vectors) < 3:
        raise UsageError(f"{len(vectors)} pictures make no groups", hint="add pictures; three are the least")
    if k is not None and not 2 <= k <= min(_CLUSTER_MAX, len(vectors) - 1):
        raise UsageError(f"k is {k}", hint=f"give 2 to {min(_CLUSTER_MAX, len(vectors) - 1):,}")
    if method not in ("kmeans", "hdbscan"):
        raise UsageError(f"there is no method {method!r}", hint="take kmeans or hdbscan")
    reduced = reduce_vectors(vectors, seed=seed) if vectors.shape[1] > _DIM_MAX else vectors
    tried: dict[int, float] = {}
    observer(Progress(step="cluster", message=method))
    if method == "kmeans":
        if k is None:
            tried = _try_counts(reduced, seed=seed, observer=observer)
            k = max(tried, key=lambda one: tried[one])
        numbers, sampled = _k_means(reduced, k, seed=seed), len(reduced)
    else:
        numbers, sampled = _hdbscan(reduced, min_size or min(100, max(5, len(reduced) // 100)), seed=seed)
    numbers = _by_size(numbers)
    middles = _middles(reduced, numbers)
    far = _distances(reduced, numbers, middles)
    outliers = _outliers(reduced, numbers, far)
    silhouettes = compute_silhouettes(reduced, numbers, seed=seed)
    agreement = agree_with_labels(numbers, labels) if labels else None
    return Grouping(
        method=method,
        numbers=numbers,
        medoids=tuple(int(rows[far[rows].argmin()]) for rows in _rows_of(numbers)),
        outliers=tuple(outliers[:_OUTLIERS_MAX].tolist()),
        outlier_count=len(outliers),
        silhouette=float(silhouettes.mean()) if len(silhouettes) else None,
        silhouettes=tuple(silhouettes.tolist()),
        nmi=agreement[0] if agreement else None,
        ari=agreement[1] if agreement else None,
        tried=tried,
        sampled_count=sampled,
    )


def reduce_vectors(vectors: Matrix, *, dim: int = _DIM_MAX, seed: int = 7) -> Matrix:
    """(n, <= dim) float32 principal components, learnt from at most 10,000 rows and applied in blocks.

    Raises:
        UnsupportedError: the extra `image` is not installed.
    """
    wanted = min(dim, vectors.shape[1], len(vectors) - 1)
    if wanted >= vectors.shape[1]:
        return np.asarray(vectors, dtype=np.float32)
    sample = vectors[_sample(len(vectors), _FIT_ROWS, seed=seed)]
    if not np.ptp(sample, axis=0).any():
        return np.zeros((len(vectors), wanted), dtype=np.float32)  # equal rows have no components
    fit = _sklearn("decomposition").PCA(n_components=wanted, svd_solver="randomized", random_state=seed).fit(sample)
    reduced = np.empty((len(vectors), wanted), dtype=np.float32)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        reduced[start : start + _BLOCK_ROWS] = fit.transform(vectors[start : start + _BLOCK_ROWS])
    return reduced


def compute_silhouettes(
    vectors: Matrix, numbers: Rows, *, sample_count: int = _SILHOUETTE_ROWS, seed: int = 7
) -> npt.NDArray[np.float64]:
    """How much nearer each of a sample of rows is to its own group than to the next, -1 to 1; empty below two groups."""
    rows = np.flatnonzero(numbers >= 0)
    rows = rows[_sample(len(rows), sample_count, seed=seed)]
    counts = len(np.unique(numbers[rows]))
    if not 2 <= counts < len(rows):
        return np.empty(0)
    return np.asarray(_sklearn("metrics").silhouette_samples(vectors[rows], numbers[rows]), dtype=np.float64)


def agree_with_labels(numbers: Rows, labels: Sequence[str]) -> tuple[float, float] | None:
    """NMI and ARI of the groups with the labels; rows without a label are left out, those of no group are one group.

    Returns:
        None where there are fewer than two labels.
    """
    rows = [row for row, label in enumerate(labels) if label]
    truth = [labels[row] for row in rows]
    if len(set(truth)) < 2:
        return None
    metrics = _sklearn("metrics")
    groups = numbers[rows]
    return float(metrics.normalized_mutual_info_score(truth, groups)), float(metrics.adjusted_rand_score(truth, groups))


def _summarise(
    number: int, found: Grouping, vectors: Matrix, *, ids: Sequence[str], labels: Sequence[str], example_count: int
) -> ClusterSummary:
    rows = np.flatnonzero(found.numbers == number)
    middle = vectors[rows].mean(axis=0)
    near = rows[np.argsort(np.linalg.norm(vectors[rows] - middle, axis=1), kind="stable")]
    counts = Counter(labels[row] for row in rows.tolist() if labels[row])
    return ClusterSummary(
        number=number, image_count=len(rows), medoid_id=ids[found.medoids[number]],
        example_ids=tuple(ids[row] for row in near[:example_count]),
        labels=tuple(counts.most_common(5)),
    )  # fmt: skip


def _try_counts(vectors: Matrix, *, seed: int, observer: Observer) -> dict[int, float]:
    """Silhouette on a sample, by number of groups."""
    sample = vectors[_sample(len(vectors), _CHOICE_ROWS, seed=seed)]
    counts = [count for count in _K_LADDER if count < len(sample) and count <= max(2, len(sample) // 3)]
    tried: dict[int, float] = {}
    for count in counts:
        silhouettes = compute_silhouettes(sample, _k_means(sample, count, seed=seed), sample_count=2_000, seed=seed)
        tried[count] = float(silhouettes.mean()) if len(silhouettes) else -1.0
        observer(Progress(step="choose k", done_count=len(tried), total_count=len(counts), message=f"k {count}"))
    return tried


def _k_means(vectors: Matrix, k: int, *, seed: int) -> Rows:
    cluster = _sklearn("cluster")
    if len(vectors) > _FIT_ROWS:
        fit = cluster.MiniBatchKMeans(n_clusters=k, random_state=seed, n_init=3, batch_size=_BLOCK_ROWS)
    else:
        fit = cluster.KMeans(n_clusters=k, random_state=seed, n_init=5)
    with warnings.catch_warnings():
        # Fewer distinct pictures than groups: there are fewer groups then, which the answer shows.
        warnings.filterwarnings("ignore", message="Number of distinct clusters")
        return np.asarray(fit.fit_predict(vectors), dtype=np.int64)


def _hdbscan(vectors: Matrix, min_size: int, *, seed: int) -> tuple[Rows, int]:
    """Groups by density. It compares all pairs, so that of many rows a sample is grouped and the rest put beside it."""
    # Density says little in many dimensions: distances grow alike. 16 components keep the order of neighbours.
    narrow = reduce_vectors(vectors, dim=16, seed=seed)
    sample = _sample(len(narrow), _FIT_ROWS, seed=seed)
    share = len(sample) / len(narrow)
    fit = _sklearn("cluster").HDBSCAN(min_cluster_size=max(3, round(min_size * share)), min_samples=3, copy=True)
    found = np.asarray(fit.fit_predict(narrow[sample]), dtype=np.int64)
    if len(sample) == len(narrow) or (found < 0).all():
        numbers = np.full(len(narrow), -1, dtype=np.int64)
        numbers[sample] = found
        return numbers, len(sample)
    near = _sklearn("neighbors").NearestNeighbors(n_neighbors=1).fit(narrow[sample])
    own = _sklearn("neighbors").NearestNeighbors(n_neighbors=2).fit(narrow[sample][found >= 0])
    # As near to a grouped picture as 19 of 20 grouped pictures are to their next.
    reach = float(np.quantile(own.kneighbors(narrow[sample][found >= 0])[0][:, -1], 0.95))
    distances, nearest = near.kneighbors(narrow)
    numbers = np.where(distances[:, 0] <= reach, found[nearest[:, 0]], -1)
    numbers[sample] = found
    return numbers, len(sample)


def _by_size(numbers: Rows) -> Rows:
    """The same groups, numbered from the largest."""
    present, counts = np.unique(numbers[numbers >= 0], return_counts=True)
    order = present[np.argsort(-counts, kind="stable")]
    renumbered = np.full(len(numbers), -1, dtype=np.int64)
    for number, old in enumerate(order):
        renumbered[numbers == old] = number
    return renumbered


def _rows_of(numbers: Rows) -> list[Rows]:
    return [np.flatnonzero(numbers == number) for number in range(int(numbers.max(initial=-1)) + 1)]


def _middles(vectors: Matrix, numbers: Rows) -> Matrix:
    rows_of = _rows_of(numbers)
    middles = [vectors[rows].mean(axis=0) for rows in rows_of]
    return np.asarray(middles, dtype=np.float32).reshape(len(rows_of), vectors.shape[1])


def _distances(vectors: Matrix, numbers: Rows, middles: Matrix) -> npt.NDArray[np.float64]:
    """From each row to the middle of its group, or to the nearest middle where it has none."""
    distances = np.zeros(len(vectors))
    for number, rows in enumerate(_rows_of(numbers)):
        distances[rows] = np.linalg.norm(vectors[rows] - middles[number], axis=1)
    loose = np.flatnonzero(numbers < 0)
    if len(loose) and len(middles):
        distances[loose] = np.min([np.linalg.norm(vectors[loose] - one, axis=1) for one in middles], axis=0)
    return distances


def _outliers(vectors: Matrix, numbers: Rows, far: npt.NDArray[np.float64]) -> Rows:
    loose = np.flatnonzero(numbers < 0)
    if len(loose):
        return loose[np.argsort(-far[loose], kind="stable")]
    beyond = np.zeros(len(vectors))
    for rows in _rows_of(numbers):
        low, high = np.quantile(far[rows], [0.25, 0.75])
        beyond[rows] = (far[rows] - high) / max(high - low, 1e-9)
    found = np.flatnonzero(beyond > 1.5)
    return found[np.argsort(-beyond[found], kind="stable")]


def _sample(row_count: int, wanted: int, *, seed: int) -> Rows:
    """Rows drawn without replacement, ascending; all of them when there are not more."""
    if row_count <= wanted:
        return np.arange(row_count)
    return np.sort(np.random.default_rng(seed).choice(row_count, size=wanted, replace=False))


def _sklearn(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"sklearn.{module}")
    except ImportError:
        raise missing_extra("scikit-learn", "image") from None
