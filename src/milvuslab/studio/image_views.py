"""Map, clusters and near-duplicates of a collection, shaped for a page: what a browser needs and no more."""

from __future__ import annotations

import collections
import dataclasses
from typing import TYPE_CHECKING

from milvuslab.apps.image.cluster import ClusterMethod, cluster_images
from milvuslab.apps.image.duplicates import find_near_duplicates
from milvuslab.apps.image.projection import project_map

if TYPE_CHECKING:
    from milvuslab.apps.image.collection import ImageCollection
    from milvuslab.apps.image.image import StoredImage

__all__ = [
    "ClusterView",
    "Clustered",
    "DuplicateView",
    "LabelCount",
    "MapView",
    "Twins",
    "count_labels",
    "view_clusters",
    "view_duplicates",
    "view_map",
]

_EXAMPLES = 16
_OUTLIERS_MAX = 60
_GROUPS_MAX = 200
_LABELS_SHOWN = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LabelCount:
    """How many pictures bear a label."""

    label: str
    image_count: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MapView:
    """Every picture's place in the plane, column by column.

    Attributes:
        collection: its name.
        labels: all there are, sorted.
        image_ids: keys.
        x: in [-1, 1], 4 digits.
        y: in [-1, 1], 4 digits.
        label: place in `labels`, -1 for none.
    """

    collection: str
    labels: list[str]
    image_ids: list[str]
    x: list[float]
    y: list[float]
    label: list[int]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Clustered:
    """One group of alike pictures: its middle one, how many, examples from the middle outwards, frequent labels."""

    medoid_id: str
    image_count: int
    example_ids: list[str]
    labels: list[LabelCount]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClusterView:
    """All groups, the largest first.

    Attributes:
        collection: its name.
        method: how they were found.
        clusters: one for each group.
        outlier_ids: pictures that fit nowhere, the worst first, at most 60.
        outlier_count: all of those.
        scores: `silhouette`, `nmi`, `ari`; None where undefined.
    """

    collection: str
    method: str
    clusters: list[Clustered]
    outlier_ids: list[str]
    outlier_count: int
    scores: dict[str, float | None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Twins:
    """Pictures that are the same, and what says so."""

    images: tuple[StoredImage, ...]
    evidence: list[str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateView:
    """Groups of the same picture, the largest first; at most 200 of them are told."""

    collection: str
    image_count: int
    checked_count: int
    is_complete: bool
    groups: list[Twins]
    group_count: int


def view_map(target: ImageCollection) -> MapView:
    """The map; see `project_map`."""
    points = project_map(target)
    labels = sorted(set(points.labels) - {""})
    place_of = {label: place for place, label in enumerate(labels)}
    places = points.xy.round(4).astype(float)
    return MapView(
        collection=target.name,
        labels=labels,
        image_ids=list(points.ids),
        x=[round(value, 4) for value in places[:, 0].tolist()],
        y=[round(value, 4) for value in places[:, 1].tolist()],
        label=[place_of.get(label, -1) for label in points.labels],
    )


def view_clusters(target: ImageCollection, *, method: ClusterMethod, cluster_count: int | None) -> ClusterView:
    """The groups; see `cluster_images`."""
    found = cluster_images(target, method=method, k=cluster_count, example_count=_EXAMPLES)
    return ClusterView(
        collection=target.name,
        method=method,
        clusters=[
            Clustered(
                medoid_id=group.medoid_id,
                image_count=group.image_count,
                example_ids=[image_id for image_id in group.example_ids if image_id != group.medoid_id],
                labels=[LabelCount(label=label, image_count=count) for label, count in group.labels[:_LABELS_SHOWN]],
            )
            for group in found.groups
        ],
        outlier_ids=list(found.outliers[:_OUTLIERS_MAX]),
        outlier_count=found.outlier_count,
        scores={"silhouette": found.silhouette, "nmi": found.nmi, "ari": found.ari},
    )


def view_duplicates(target: ImageCollection) -> DuplicateView:
    """The groups of the same picture; see `find_near_duplicates`."""
    report = find_near_duplicates(target)
    return DuplicateView(
        collection=target.name,
        image_count=report.image_count,
        checked_count=report.checked_count,
        is_complete=report.is_complete,
        groups=[
            Twins(images=group.images, evidence=sorted({pair.evidence for pair in group.pairs}))
            for group in report.groups[:_GROUPS_MAX]
        ],
        group_count=len(report.groups),
    )


def count_labels(labels: list[str]) -> tuple[LabelCount, ...]:
    """How often each label comes, the most frequent first; the empty one is none.

    >>> [(one.label, one.image_count) for one in count_labels(["cat", "", "dog", "cat"])]
    [('cat', 2), ('dog', 1)]
    """
    counts = collections.Counter(label for label in labels if label)
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(LabelCount(label=label, image_count=count) for label, count in ordered)
