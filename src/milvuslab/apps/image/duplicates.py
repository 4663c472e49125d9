"""Near-duplicates within a collection, in groups."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from milvuslab.model.progress import Observer, silent

if TYPE_CHECKING:
    from milvuslab.apps.image.collection import ImageCollection
    from milvuslab.apps.image.image import StoredImage

__all__ = ["DuplicateGroup", "DuplicatePair", "DuplicateReport", "find_near_duplicates"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatePair:
    """Why two pictures are in one group.

    Attributes:
        evidence: `file` the same bytes, `hash` the same perceptual hash but for a few bits, `geometry` matched points.
    """

    image_id: str
    other_id: str
    evidence: str
    score: float
    hash_distance: int
    inlier_count: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateGroup:
    """Pictures that are the same, the largest first."""

    images: tuple[StoredImage, ...]
    pairs: tuple[DuplicatePair, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateReport:
    """All groups of a collection, the largest first.

    Attributes:
        image_count: pictures looked at.
        candidate_count: pairs that vectors or hashes named.
        checked_count: pairs that geometry looked at.
        is_complete: whether every candidate was decided; False when a bound was met.
    """

    collection: str
    groups: tuple[DuplicateGroup, ...]
    image_count: int
    candidate_count: int
    checked_count: int
    is_complete: bool

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def find_near_duplicates(
    collection: ImageCollection,
    *,
    min_score: float = 0.9,
    hash_distance_max: int = 4,
    neighbour_count: int = 5,
    checks_max: int = 20_000,
    observer: Observer = silent,
) -> DuplicateReport:
    """Groups of pictures that are copies of each other."""
    raise NotImplementedError
