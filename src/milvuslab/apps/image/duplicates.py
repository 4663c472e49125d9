"""Near-duplicates within a collection, in groups.

Pairs that may be the same come from three channels: equal files, hashes a few bits apart, and the nearest vectors.
What the hash alone cannot decide, points decide (`geometry`), and only decided pairs join a group: similar pictures
do not chain up to one.

Bounds: vectors are read and searched a page at a time, hashes are compared in blocks (50,000 pictures: 1.25 thousand
million comparisons of one machine word), points at most `checks_max` times, likeliest pairs first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from milvuslab.apps.image.collection import IMAGE_FIELDS
from milvuslab.apps.image.geometry import best_match
from milvuslab.apps.image.image import StoredImage, stored_images
from milvuslab.apps.image.near import SAME_HASH_BITS, stored_features
from milvuslab.model.collection import Consistency
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.apps.image.collection import ImageCollection

__all__ = ["DuplicateGroup", "DuplicatePair", "DuplicateReport", "find_near_duplicates", "group_pairs"]

_PAGE_ROWS = 512
_BLOCK_ROWS = 512
_HASH_PAIRS_MAX = 200_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatePair:
    """Why two pictures are in one group.

    Attributes:
        image_id: one of them.
        other_id: the other.
        evidence: `file` the same bytes, `hash` the same hash but for a few bits, `geometry` matched points.
        score: cosine of their vectors; None where they are not among each other's nearest.
        hash_distance: bits in which their hashes differ, 0 to 64.
        inlier_count: matched points; 0 where nobody looked.
    """

    image_id: str
    other_id: str
    evidence: str
    score: float | None
    hash_distance: int
    inlier_count: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateGroup:
    """Pictures that are the same, the one with most pixels first, and the pairs that join them."""

    images: tuple[StoredImage, ...]
    pairs: tuple[DuplicatePair, ...]

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return {
            "images": [image.as_dict() for image in self.images],
            "pairs": [dataclasses.asdict(pair) for pair in self.pairs],
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateReport:
    """All groups of a collection, the largest first.

    Attributes:
        collection: that was looked at.
        groups: of two pictures or more.
        image_count: pictures looked at.
        candidate_count: pairs that files, vectors or hashes named.
        checked_count: pairs of which points were compared.
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
        return {**dataclasses.asdict(self), "groups": [group.as_dict() for group in self.groups]}


def find_near_duplicates(
    collection: ImageCollection,
    *,
    min_score: float = 0.9,
    neighbour_count: int = 5,
    checks_max: int = 20_000,
    observer: Observer = silent,
) -> DuplicateReport:
    """Groups of pictures that are copies of each other: the same file, stored again, cut, mirrored, turned or shrunk.

    Args:
        collection: where to look.
        min_score: cosine from which a neighbour is compared point by point.
        neighbour_count: nearest pictures of each that are looked at.
        checks_max: most pairs compared point by point, about 10 ms each.
        observer: sees pictures searched, then pairs compared.

    Raises:
        UnsupportedError: the extra `image` is not installed.
    """
    images, scores = _fetch_neighbours(collection, min_score=min_score, limit=neighbour_count, observer=observer)
    hashes = np.array([image.hash for image in images], dtype=np.int64)
    near_hashes, is_all = _near_hashes(hashes, limit=_HASH_PAIRS_MAX)
    candidates = scores | {pair: scores.get(pair) for pair in near_hashes}
    ranked = sorted(candidates.items(), key=lambda item: -(item[1] or 0.0))
    decided, checked_count, is_complete = _decide(collection, images, ranked, checks_max=checks_max, observer=observer)
    return DuplicateReport(
        collection=collection.name,
        groups=tuple(_as_groups(images, decided)),
        image_count=len(images),
        candidate_count=len(ranked),
        checked_count=checked_count,
        is_complete=is_all and is_complete,
    )


def group_pairs(pairs: Iterable[tuple[int, int]], *, count: int) -> list[list[int]]:
    """Groups of two or more of 0 to `count` - 1 that the pairs join, the largest first.

    >>> group_pairs([(0, 3), (3, 4), (1, 2)], count=6)
    [[0, 3, 4], [1, 2]]
    """
    parent = list(range(count))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    for first, second in pairs:
        parent[root(second)] = root(first)
    groups: dict[int, list[int]] = {}
    for index in range(count):
        groups.setdefault(root(index), []).append(index)
    return sorted((group for group in groups.values() if len(group) > 1), key=lambda group: (-len(group), group))


def _fetch_neighbours(
    collection: ImageCollection, *, min_score: float, limit: int, observer: Observer
) -> tuple[list[StoredImage], dict[tuple[int, int], float | None]]:
    """All pictures, and the cosine of each pair of near ones by their positions."""
    images: list[StoredImage] = []
    near: dict[tuple[str, str], float] = {}
    pages = collection.gateway.rows.iterate(
        collection.name, fields=[*IMAGE_FIELDS, "vector"], batch_rows=_PAGE_ROWS, consistency=Consistency.STRONG
    )
    for page in pages:
        found = stored_images(page)
        if not found:
            continue
        images += found
        hits = collection.gateway.search(
            collection.name, np.asarray(page["vector"], dtype=np.float32), field="vector", limit=limit + 1,
            params={"ef": 64}, consistency=Consistency.SESSION,
        )  # fmt: skip
        for row, image in enumerate(found):
            rows = hits.of_query(row)
            for other, score in zip(hits.ids[rows], hits.scores[rows], strict=True):
                if other != image.image_id and score >= min_score:
                    near[min(image.image_id, other), max(image.image_id, other)] = float(score)
        observer(Progress(step="find alike pictures", done_count=len(images), unit="images"))
    position = {image.image_id: index for index, image in enumerate(images)}
    return images, {
        (position[a], position[b]): score for (a, b), score in near.items() if a in position and b in position
    }


def _near_hashes(hashes: npt.NDArray[np.int64], *, limit: int) -> tuple[list[tuple[int, int]], bool]:
    """Pairs of positions whose hashes differ in few bits, and whether these are all of them."""
    pairs: list[tuple[int, int]] = []
    words = hashes.view(np.uint64)
    for begin in range(0, len(words), _BLOCK_ROWS):
        block = words[begin : begin + _BLOCK_ROWS]
        bits = _count_bits(block[:, None] ^ words[None, begin:])
        rows, columns = np.nonzero(bits <= SAME_HASH_BITS)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if column > row:
                if len(pairs) >= limit:
                    return pairs, False
                pairs.append((begin + row, begin + column))
    return pairs, True


def _count_bits(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """Bits set in each word."""
    return np.asarray(np.bitwise_count(words), dtype=np.uint8)


def _decide(
    collection: ImageCollection,
    images: list[StoredImage],
    ranked: list[tuple[tuple[int, int], float | None]],
    *,
    checks_max: int,
    observer: Observer,
) -> tuple[dict[tuple[int, int], DuplicatePair], int, bool]:
    """The pairs that are the same, how many were compared by their points, and whether all could be."""
    decided: dict[tuple[int, int], DuplicatePair] = {}
    open_pairs = []
    for (a, b), score in ranked:
        if images[a].content_sha256 == images[b].content_sha256:
            decided[a, b] = _as_pair(images[a], images[b], "file", score)
        else:
            open_pairs.append(((a, b), score))
    checked = open_pairs[:checks_max]
    for number, ((a, b), score) in enumerate(checked, start=1):
        inlier_count = _count_inliers(collection, images[a], images[b])
        if inlier_count is None:
            # No thumbnail here: the hash alone decides.
            if _hash_distance(images[a], images[b]) <= SAME_HASH_BITS:
                decided[a, b] = _as_pair(images[a], images[b], "hash", score)
        elif inlier_count:
            decided[a, b] = _as_pair(images[a], images[b], "geometry", score, inlier_count=inlier_count)
        if number % 20 == 0 or number == len(checked):
            observer(Progress(step="compare points", done_count=number, total_count=len(checked), unit="pairs"))
    return decided, len(checked), len(checked) == len(open_pairs)


def _count_inliers(collection: ImageCollection, a: StoredImage, b: StoredImage) -> int | None:
    """Matched points where they say that both are the same, else 0; None where a thumbnail is not kept here."""
    features = stored_features(collection, b.image_id)
    views = [stored_features(collection, a.image_id, is_mirrored=is_mirrored) for is_mirrored in (False, True)]
    shown = [view for view in views if view is not None]
    if features is None or not shown:
        return None
    match = best_match(shown, features)
    return match.inlier_count if match.is_same else 0


def _as_pair(
    a: StoredImage, b: StoredImage, evidence: str, score: float | None, *, inlier_count: int = 0
) -> DuplicatePair:
    return DuplicatePair(
        image_id=a.image_id,
        other_id=b.image_id,
        evidence=evidence,
        score=score,
        hash_distance=_hash_distance(a, b),
        inlier_count=inlier_count,
    )


def _hash_distance(a: StoredImage, b: StoredImage) -> int:
    return int(_count_bits(np.array([a.hash ^ b.hash], dtype=np.int64).view(np.uint64))[0])


def _as_groups(images: list[StoredImage], decided: dict[tuple[int, int], DuplicatePair]) -> Iterator[DuplicateGroup]:
    for members in group_pairs(decided, count=len(images)):
        inside = set(members)
        yield DuplicateGroup(
            images=tuple(
                sorted((images[index] for index in members), key=lambda one: (-one.width * one.height, one.image_id))
            ),
            pairs=tuple(pair for (a, _), pair in decided.items() if a in inside),
        )
