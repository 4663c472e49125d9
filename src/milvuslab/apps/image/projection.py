"""A map: every picture of a collection as a point, pictures that look alike near each other.

Principal components, then t-SNE on at most 3,000 rows; the other rows are placed among their nearest mapped neighbours, so
that the time grows with the rows and not with their square (docs/decisions/0098). The map of a collection is kept beside
its pictures under the digest of its content, so that a page shows it at once and a changed collection gets another.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from milvuslab.apps.image.cluster import reduce_vectors
from milvuslab.apps.image.vector_table import fetch_digest, fetch_vectors
from milvuslab.model.errors import UsageError, missing_extra
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.apps.image.collection import ImageCollection

    Matrix = npt.NDArray[np.float32]

__all__ = ["MapPoints", "project_map", "project_vectors", "read_kept_map"]

_VERSION = 1
_MAPPED_ROWS = 3_000
_DIM = 50
_BLOCK_ROWS = 2_048


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapPoints:
    """The map of a collection.

    Attributes:
        ids: n keys.
        xy: (n, 2) float32, each axis within -1 to 1.
        labels: n classes; may be empty.
        names: n names for a person.
        digest: of the content it shows.
        mapped_count: rows that t-SNE placed; the others stand among their neighbours.
    """

    ids: tuple[str, ...]
    xy: Matrix
    labels: tuple[str, ...]
    names: tuple[str, ...]
    digest: str
    mapped_count: int

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return {**{field.name: getattr(self, field.name) for field in dataclasses.fields(self)}, "xy": self.xy.tolist()}


def project_map(collection: ImageCollection, *, seed: int = 7, observer: Observer = silent) -> MapPoints:
    """The map of a collection: the kept one where the content is the same, else a new one, which is kept.

    Raises:
        UsageError: the collection is empty.
        UnsupportedError: the extra `image` is not installed.
    """
    kept = read_kept_map(collection)
    if kept is not None and kept.digest == fetch_digest(collection):
        return kept
    table = fetch_vectors(collection, observer=observer)
    xy = project_vectors(table.vectors, seed=seed, observer=observer)
    points = MapPoints(
        ids=table.ids, xy=xy, labels=table.labels, names=table.names, digest=table.digest,
        mapped_count=min(len(xy), _MAPPED_ROWS),
    )  # fmt: skip
    with contextlib.suppress(OSError):  # a folder that cannot be written costs the next page its quick start, no more
        _keep(_map_path(collection), points)
    return points


def read_kept_map(collection: ImageCollection) -> MapPoints | None:
    """The last map that was made of the collection, whatever came since; None where there is none. Asks no server."""
    try:
        with np.load(_map_path(collection), allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            xy = np.asarray(stored["xy"], dtype=np.float32)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    if not isinstance(about, dict) or about.get("version") != _VERSION or len(about["ids"]) != len(xy):
        return None
    texts = {name: tuple(about[name]) for name in ("ids", "labels", "names")}
    return MapPoints(**texts, xy=xy, digest=about["digest"], mapped_count=about["mapped_count"])


def project_vectors(
    vectors: Matrix, *, mapped_rows: int = _MAPPED_ROWS, seed: int = 7, observer: Observer = silent
) -> Matrix:
    """(n, 2) float32 places of (n, dim) rows, near ones near each other; each axis within -1 to 1.

    Args:
        vectors: n >= 1.
        mapped_rows: most rows that t-SNE places; 3,000 take about 15 s on two cores.
        seed: the same gives the same map on the same machine.
        observer: sees what is done.

    Raises:
        UsageError: there is no row.
        UnsupportedError: the extra `image` is not installed.
    """
    if not len(vectors):
        raise UsageError("there is nothing to map", hint="add pictures")
    if len(vectors) < 4:
        return _circle(len(vectors))
    observer(Progress(step="map", message="principal components"))
    reduced = reduce_vectors(vectors, dim=_DIM, seed=seed)
    if not np.ptp(reduced, axis=0).any():
        return _circle(len(vectors))
    count = min(len(reduced), mapped_rows)
    chosen = np.random.default_rng(seed).permutation(len(reduced))[:count]
    observer(Progress(step="map", message=f"t-SNE of {count:,} pictures"))
    mapped = _tsne(reduced[chosen], seed=seed)
    xy = np.empty((len(reduced), 2), dtype=np.float32)
    xy[chosen] = mapped
    rest = np.setdiff1d(np.arange(len(reduced)), chosen)
    for start in range(0, len(rest), _BLOCK_ROWS):
        rows = rest[start : start + _BLOCK_ROWS]
        xy[rows] = _place(reduced[rows], reduced[chosen], mapped)
        observer(Progress(step="place", done_count=start + len(rows), total_count=len(rest), unit="images"))
    return _within_bounds(xy)


def _circle(count: int) -> Matrix:
    """Places for pictures that nothing tells apart."""
    turns = 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(turns), np.sin(turns)], axis=1).astype(np.float32)


def _tsne(vectors: Matrix, *, seed: int) -> Matrix:
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        raise missing_extra("scikit-learn", "image") from None
    perplexity = min(30.0, max(1.0, (len(vectors) - 1) / 3))
    fit = TSNE(n_components=2, perplexity=perplexity, init="pca", learning_rate="auto", max_iter=500, random_state=seed)
    return np.asarray(fit.fit_transform(vectors), dtype=np.float32)


def _place(vectors: Matrix, mapped_vectors: Matrix, mapped: Matrix, *, neighbours: int = 5) -> Matrix:
    """Beside the nearest mapped row, drawn towards the next ones by how near they are."""
    squares = (
        (vectors**2).sum(axis=1)[:, None] - 2 * vectors @ mapped_vectors.T + (mapped_vectors**2).sum(axis=1)[None, :]
    )
    neighbours = min(neighbours, len(mapped))
    nearest = np.argpartition(squares, neighbours - 1, axis=1)[:, :neighbours]
    distances = np.maximum(np.take_along_axis(squares, nearest, axis=1), 0)
    # The fourth power of the distance: a mean of far apart places would lie where no picture is.
    weights = 1 / (distances / np.maximum(distances.mean(axis=1, keepdims=True), 1e-12) + 1e-6) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray((mapped[nearest] * weights[:, :, None]).sum(axis=1), dtype=np.float32)


def _within_bounds(xy: Matrix) -> Matrix:
    low, high = xy.min(axis=0), xy.max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-9)
    return np.asarray(np.clip((xy - middle) / half, -1, 1), dtype=np.float32)


def _map_path(collection: ImageCollection) -> Path:
    return collection.pictures.folder / "map.npz"


def _keep(path: Path, points: MapPoints) -> None:
    """Written beside and renamed: a reader sees a whole map."""
    about = {
        "version": _VERSION, "ids": points.ids, "labels": points.labels, "names": points.names,
        "digest": points.digest, "mapped_count": points.mapped_count,
    }  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".map-", suffix=".npz", delete=False) as file:
        temporary = Path(file.name)
        try:
            np.savez_compressed(file, about=np.array(json.dumps(about)), xy=points.xy)
            file.close()
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
