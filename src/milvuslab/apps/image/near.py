"""The same picture again: candidates by vector and by hash, ranked by geometry."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from milvuslab.apps.image.collection import ImageCollection
    from milvuslab.apps.image.search import ImageHit
    from milvuslab.data.images.decode import Picture

__all__ = ["NearAnswer", "NearDuplicate", "rank_near_duplicates"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NearDuplicate:
    """A stored picture that may be the one that was shown.

    Attributes:
        hit: the picture; `score` is its best cosine with any view of the question.
        likeness: what the ranking goes by, larger is nearer.
        inlier_count: pairs of points that one homography explains; 0 where it was not compared.
        is_mirrored: whether the question had to be mirrored to fit.
        is_same: whether geometry says that it is the same picture.
    """

    hit: ImageHit
    likeness: float
    inlier_count: int
    is_mirrored: bool
    is_same: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NearAnswer:
    """Near-duplicates, best first, and where the time went."""

    collection: str
    found: tuple[NearDuplicate, ...]
    embed_ms: float
    milvus_ms: float
    geometry_ms: float
    total_ms: float

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def rank_near_duplicates(
    collection: ImageCollection, picture: Picture, *, limit: int = 10, candidate_count: int = 50
) -> NearAnswer:
    """Stored pictures of which the one shown may be a copy: recompressed, cut, mirrored, turned, shrunk or grey."""
    raise NotImplementedError
