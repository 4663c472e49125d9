"""The same picture again: candidates by vector and by hash, ranked by what three witnesses say.

The vector finds the picture among the first candidates whatever was done to it; the perceptual hash knows it when it
was only stored again or shrunk; geometry proves it when it was cut or turned. Each is weak where another is strong
(48 pixels leave the vector right 86 times in 100, and the hash always; a cut picture the other way round), so each gives 0 to 1 and
the sum ranks.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from milvuslab.apps.image.collection import IMAGE_FIELDS
from milvuslab.apps.image.geometry import SAME_INLIERS, PictureFeatures, best_match, detect_features
from milvuslab.apps.image.search import Clock, as_image_hits
from milvuslab.data.images.decode import decode_image
from milvuslab.model.collection import Consistency
from milvuslab.model.errors import NotFoundError, UsageError
from milvuslab.model.filter import where

if TYPE_CHECKING:
    from milvuslab.apps.image.collection import ImageCollection
    from milvuslab.apps.image.search import ImageHit
    from milvuslab.data.images.decode import Picture

__all__ = ["SAME_HASH_BITS", "NearAnswer", "NearDuplicate", "rank_near_duplicates", "stored_features"]

SAME_HASH_BITS = 4
"""Most bits in which the hashes of one picture, stored twice, differ."""
_HASH_BITS_MAX = 16
_INLIERS_FULL = 30


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NearDuplicate:
    """A stored picture that may be the one that was shown.

    Attributes:
        hit: the picture; `score` is its cosine with the question.
        likeness: what the ranking goes by, larger is nearer, at most 3.
        inlier_count: points that one movement of the picture explains; 0 where it was not compared.
        is_mirrored: whether the question fits in a mirror.
        is_same: whether points or hash say that it is the same picture.
    """

    hit: ImageHit
    likeness: float
    inlier_count: int
    is_mirrored: bool
    is_same: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NearAnswer:
    """Near-duplicates, best first, and where the time went.

    Attributes:
        collection: that was asked.
        found: best first.
        embed_ms: pixels to a vector and hashes.
        milvus_ms: fetching the candidates.
        geometry_ms: comparing points, thumbnails read and decoded.
        total_ms: everything in this process.
    """

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
    """Stored pictures of which the one shown may be a copy: recompressed, cut, mirrored, turned, shrunk or grey.

    Args:
        collection: where to look.
        picture: as `decode_image` gives it.
        limit: most answers, 1 to `candidate_count`.
        candidate_count: pictures compared point by point, 8 ms each.

    Raises:
        UnsupportedError: the extra `image` is not installed.
    """
    if not 1 <= limit <= candidate_count <= 1_000:
        raise UsageError(f"limit is {limit} of {candidate_count} candidates", hint="ask for 1 to 50")
    from milvuslab.embed.images.hash import compute_hash

    clock = Clock("embed", "milvus", "geometry")
    mirrored = np.ascontiguousarray(picture.pixels[:, ::-1])
    vector = collection.encoder.encode_images([picture.pixels])
    hashes = [compute_hash(picture.pixels), compute_hash(mirrored)]
    clock.lap("embed")
    candidates = _fetch_candidates(collection, vector, hashes=hashes, limit=candidate_count)
    clock.lap("milvus")
    views = [detect_features(picture.pixels), detect_features(picture.pixels, is_mirrored=True)]
    judged = [_judge(collection, hit, views) for hit in candidates]
    judged.sort(key=lambda one: -one.likeness)
    clock.lap("geometry")
    return NearAnswer(collection=collection.name, found=tuple(judged[:limit]), **clock.split())


def stored_features(collection: ImageCollection, image_id: str, *, is_mirrored: bool = False) -> PictureFeatures | None:
    """Corners of a stored picture's thumbnail; None where it is not kept in this workspace."""
    try:
        thumbnail = collection.pictures.thumbnail(image_id)
    except NotFoundError:
        return None
    return detect_features(decode_image(thumbnail, name=image_id).pixels, is_mirrored=is_mirrored)


def _fetch_candidates(collection: ImageCollection, vector: Any, *, hashes: list[int], limit: int) -> list[ImageHit]:
    """The nearest by vector, and all of the very same hash, which the vector may rank behind them."""
    search = functools.partial(
        collection.gateway.search, collection.name, vector, field="vector", limit=limit,
        params={"ef": max(128, 2 * limit)}, output_fields=list(IMAGE_FIELDS), consistency=Consistency.SESSION,
    )  # fmt: skip
    found = as_image_hits(search(), hashes=hashes)
    same = search(where=where("hash").is_in(sorted(set(hashes))))
    known = {hit.image_id for hit in found}
    return [*found, *(hit for hit in as_image_hits(same, hashes=hashes) if hit.image_id not in known)]


def _judge(collection: ImageCollection, hit: ImageHit, views: list[PictureFeatures]) -> NearDuplicate:
    features = stored_features(collection, hit.image_id)
    match = None if features is None else best_match(views, features)
    inlier_count = 0 if match is None else match.inlier_count
    bits = 64 if hit.hash_distance is None else hit.hash_distance
    by_points = min(1.0, max(0.0, (inlier_count - SAME_INLIERS / 2) / _INLIERS_FULL))
    by_hash = max(0.0, 1.0 - bits / _HASH_BITS_MAX)
    return NearDuplicate(
        hit=hit,
        likeness=hit.score + by_points + by_hash,
        inlier_count=inlier_count,
        is_mirrored=bool(match and match.is_mirrored and match.is_same),
        is_same=bool(match and match.is_same) or bits <= SAME_HASH_BITS,
    )
