"""Questions to a collection of pictures: like these, unlike those, by words, within filters.

Several examples become one vector: the mean of the positive ones less a share of the mean of the negative ones, of
length 1 again (Rocchio 1971; Manning, Raghavan, Schütze: Introduction to Information Retrieval, section 9.1.1).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from milvuslab.apps.image.collection import IMAGE_FIELDS
from milvuslab.apps.image.image import read_picture
from milvuslab.data.images.decode import DEFAULT_LIMITS, ImageLimits, Picture, decode_image
from milvuslab.model.collection import Consistency
from milvuslab.model.errors import NotFoundError, UnsupportedError, UsageError
from milvuslab.model.filter import Filter, where
from milvuslab.model.metric import Metric, score_to_distance
from milvuslab.model.search import DistanceRange

if TYPE_CHECKING:
    from milvuslab.apps.image.collection import ImageCollection
    from milvuslab.model.search import Hits

__all__ = [
    "NEGATIVE_SHARE",
    "Box",
    "Clock",
    "ImageAnswer",
    "ImageHit",
    "ImageQuery",
    "as_image_hits",
    "combine_examples",
    "search_images",
]

_LIMIT_MAX = 1_000
_EXAMPLES_MAX = 32
_EF_MIN = 128
_HASH_MASK = (1 << 64) - 1
NEGATIVE_SHARE = 0.5
"""What the mean of the negative examples weighs against that of the positive ones: Qdrant's "average vector" strategy of
recommendations (its documentation: positives + positives - negatives), which is twice the positive mean less the negative."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A part of a picture, as shares of its width and height from its upper left corner, 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise UsageError(
                f"the box {self.left:g},{self.top:g},{self.right:g},{self.bottom:g} lies not inside the picture",
                hint="give left,top,right,bottom between 0 and 1, such as 0.25,0,0.75,1",
            )

    def cut(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """That part of an (h, w, 3) picture, at least one pixel of it."""
        height, width = pixels.shape[:2]
        top, left = min(int(self.top * height), height - 1), min(int(self.left * width), width - 1)
        bottom, right = max(top + 1, round(self.bottom * height)), max(left + 1, round(self.right * width))
        return np.ascontiguousarray(pixels[top:bottom, left:right])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageQuery:
    """A question: at least one positive example, or words.

    Attributes:
        pictures: files or decoded pictures like which is searched.
        ids: keys of stored pictures like which is searched; they are left out of the answer.
        negative_pictures: examples of what is not wanted.
        negative_ids: stored examples of what is not wanted; left out of the answer.
        box: only this part of the one positive example is looked at.
        text: words, where the encoder reads them (a CLIP pair); one more positive example.
        label: only pictures of this class; empty means any.
        source: only pictures of this source; empty means any.
        width_min: only pictures at least so wide, pixels.
        height_min: only pictures at least so high, pixels.
        min_score: only pictures whose cosine is above this, -1 to 1 (a range search).
        limit: most hits, 1 to 1,000.
    """

    pictures: Sequence[bytes | Picture] = ()
    ids: Sequence[str] = ()
    negative_pictures: Sequence[bytes | Picture] = ()
    negative_ids: Sequence[str] = ()
    box: Box | None = None
    text: str = ""
    label: str = ""
    source: str = ""
    width_min: int = 0
    height_min: int = 0
    min_score: float | None = None
    limit: int = 10

    def __post_init__(self) -> None:
        positive_count = len(self.pictures) + len(self.ids)
        if not positive_count and not self.text.strip():
            raise UsageError("the question holds no picture and no words", hint="give a picture, a key, or words")
        if positive_count + len(self.negative_pictures) + len(self.negative_ids) > _EXAMPLES_MAX:
            raise UsageError(f"the question has more than {_EXAMPLES_MAX} examples", hint="choose the best of them")
        if self.box is not None and (positive_count != 1 or self.text.strip()):
            raise UsageError("a box needs exactly one picture", hint="search with one example when you crop it")
        if not 1 <= self.limit <= _LIMIT_MAX:
            raise UsageError(f"limit is {self.limit}", hint=f"ask for 1 to {_LIMIT_MAX:,} hits")
        if self.min_score is not None and not -1 <= self.min_score <= 1:
            raise UsageError(f"min_score is {self.min_score}", hint="a cosine lies between -1 and 1")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageHit:
    """A picture that was found.

    Attributes:
        image_id: its key: for its thumbnail, for `similar` and `delete`.
        origin_id: its path or key where it came from.
        name: for a person.
        label: its class; may be empty.
        source: the set it belongs to.
        width: pixels.
        height: pixels.
        score: cosine with the question, larger is closer.
        hash_distance: bits, 0 to 64, in which its perceptual hash differs from that of the nearest positive example;
            None where the question shows none.
    """

    image_id: str
    origin_id: str
    name: str
    label: str
    source: str
    width: int
    height: int
    score: float
    hash_distance: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageAnswer:
    """What was found, and where the time went.

    Attributes:
        collection: that was asked.
        encoder: name of its encoder.
        hits: best first.
        decode_ms: from files to pixels, hashes included.
        embed_ms: from pixels and words to a vector.
        milvus_ms: fetching the vectors of examples and searching.
        total_ms: everything in this process.
    """

    collection: str
    encoder: str
    hits: tuple[ImageHit, ...]
    decode_ms: float
    embed_ms: float
    milvus_ms: float
    total_ms: float

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def search_images(
    collection: ImageCollection, query: ImageQuery, *, limits: ImageLimits = DEFAULT_LIMITS
) -> ImageAnswer:
    """The pictures nearest to the examples, or to the words.

    Raises:
        NotFoundError: the collection is gone, an example's key is not there, or a box asks for a picture not kept here.
        LimitError, MediaError: an example is too large, no picture, or damaged.
        UnsupportedError: words are asked and the encoder reads none.
    """
    clock = Clock("decode", "embed", "milvus")
    shown = _decode_examples(collection, query, limits=limits)
    clock.lap("decode")
    positive, negative = _embed_examples(collection, query, shown)
    clock.lap("embed")
    stored = _fetch_examples(collection, query)
    positive += [stored.vectors[key] for key in query.ids if query.box is None]
    negative += [stored.vectors[key] for key in query.negative_ids]
    hits = collection.gateway.search(
        collection.name,
        combine_examples(positive, negative)[None, :],
        field="vector",
        limit=query.limit,
        params={"ef": max(_EF_MIN, 2 * query.limit)},
        where=_condition(query),
        within=_within(query),
        output_fields=list(IMAGE_FIELDS),
        consistency=Consistency.SESSION,  # sees what this process added, and waits for nothing else
    )
    clock.lap("milvus")
    hashes = [*shown.hashes, *(stored.hashes[key] for key in query.ids if query.box is None)]
    return ImageAnswer(
        collection=collection.name,
        encoder=collection.encoder.fingerprint.name,
        hits=tuple(as_image_hits(hits, hashes=hashes)),
        **clock.split(),
    )


def combine_examples(
    positive: Sequence[npt.NDArray[np.float32]], negative: Sequence[npt.NDArray[np.float32]] = ()
) -> npt.NDArray[np.float32]:
    """One vector of length 1 for several examples: (dim,) each, at least one of them positive.

    Where the negative examples cancel the positive ones, nothing is left to subtract from: the positive mean is taken.
    """
    liked = np.mean(np.asarray(positive, dtype=np.float32), axis=0)
    wanted = liked
    if len(negative):
        wanted = liked - NEGATIVE_SHARE * np.mean(np.asarray(negative, dtype=np.float32), axis=0)
    length = float(np.linalg.norm(wanted))
    if length < 1e-6:
        wanted, length = liked, max(float(np.linalg.norm(liked)), 1e-12)
    return np.asarray(wanted / length, dtype=np.float32)


def as_image_hits(hits: Hits, *, hashes: Sequence[int] = ()) -> list[ImageHit]:
    """Hits of one search that brought `IMAGE_FIELDS`, best first."""
    columns = hits.columns
    return [
        ImageHit(
            image_id=columns["image_id"][row],
            origin_id=columns["origin_id"][row],
            name=columns["name"][row],
            label=columns["label"][row],
            source=columns["source"][row],
            width=int(columns["width"][row]),
            height=int(columns["height"][row]),
            score=float(hits.scores[row]),
            hash_distance=_nearest_hash(int(columns["hash"][row]), hashes),
        )
        for row in range(len(hits.ids))
    ]


@dataclasses.dataclass(frozen=True, slots=True)
class _Shown:
    """Examples that came as pictures: pixels, and hashes of the positive ones."""

    positive: list[npt.NDArray[np.uint8]]
    negative: list[npt.NDArray[np.uint8]]
    hashes: list[int]


@dataclasses.dataclass(frozen=True, slots=True)
class _Stored:
    """Examples that came as keys."""

    vectors: dict[str, npt.NDArray[np.float32]]
    hashes: dict[str, int]


class Clock:
    """Where the milliseconds of one answer went."""

    def __init__(self, *names: str) -> None:
        self._began = self._last = time.perf_counter()
        self._laps_ms = dict.fromkeys(names, 0.0)

    def lap(self, name: str) -> None:
        """The time since the lap before belongs to `name`."""
        now = time.perf_counter()
        self._laps_ms[name] += (now - self._last) * 1e3
        self._last = now

    def split(self) -> dict[str, float]:
        """Milliseconds by part, and in all."""
        laps = {f"{name}_ms": round(value, 3) for name, value in self._laps_ms.items()}
        return {**laps, "total_ms": round((time.perf_counter() - self._began) * 1e3, 3)}


def _decode_examples(collection: ImageCollection, query: ImageQuery, *, limits: ImageLimits) -> _Shown:
    from milvuslab.embed.images.hash import compute_hash

    liked = [_pixels(example, limits=limits) for example in query.pictures]
    if query.box is not None:
        whole = liked[0] if liked else read_picture(collection, query.ids[0]).pixels
        liked = [query.box.cut(whole)]
    disliked = [_pixels(example, limits=limits) for example in query.negative_pictures]
    return _Shown(liked, disliked, [compute_hash(pixels) for pixels in liked])


def _pixels(example: bytes | Picture, *, limits: ImageLimits) -> npt.NDArray[np.uint8]:
    return example.pixels if isinstance(example, Picture) else decode_image(example, limits=limits).pixels


def _embed_examples(
    collection: ImageCollection, query: ImageQuery, shown: _Shown
) -> tuple[list[npt.NDArray[np.float32]], list[npt.NDArray[np.float32]]]:
    pictures = [*shown.positive, *shown.negative]
    vectors = list(collection.encoder.encode_images(pictures)) if pictures else []
    liked, disliked = vectors[: len(shown.positive)], vectors[len(shown.positive) :]
    if query.text.strip():
        liked.append(_embed_text(collection, query.text))
    return liked, disliked


def _embed_text(collection: ImageCollection, text: str) -> npt.NDArray[np.float32]:
    encode_texts = getattr(collection.encoder, "encode_texts", None)
    if encode_texts is None:
        raise UnsupportedError(
            "search by words",
            needs="an encoder with a text tower (clip:FOLDER)",
            has=f"the encoder {collection.encoder.fingerprint.name} in {collection.name}",
            hint="ingest into a collection of a CLIP pair: milvuslab image ingest ... --encoder clip:FOLDER",
        )
    vector: npt.NDArray[np.float32] = encode_texts([text])[0]
    return vector


def _fetch_examples(collection: ImageCollection, query: ImageQuery) -> _Stored:
    keys = list(dict.fromkeys([*query.ids, *query.negative_ids]))
    if not keys:
        return _Stored({}, {})
    found = collection.gateway.rows.get(
        collection.name, keys, ["image_id", "hash", "vector"], consistency=Consistency.SESSION
    )
    vectors = dict(zip(found["image_id"], np.asarray(found["vector"], dtype=np.float32), strict=True))
    for key in keys:
        if key not in vectors:
            raise NotFoundError(
                f"collection {collection.name} holds no picture {key}", hint="find one: milvuslab image search"
            )
    hashes = zip(found["image_id"], found["hash"], strict=True)
    return _Stored(vectors, {key: int(value) for key, value in hashes})


def _condition(query: ImageQuery) -> Filter | None:
    parts: list[Filter] = []
    if query.label:
        parts.append(where("label") == query.label)
    if query.source:
        parts.append(where("source") == query.source)
    if query.width_min > 0:
        parts.append(where("width") >= query.width_min)
    if query.height_min > 0:
        parts.append(where("height") >= query.height_min)
    examples = list(dict.fromkeys([*query.ids, *query.negative_ids]))
    if examples:
        parts.append(~where("image_id").is_in(examples))
    condition: Filter | None = None
    for part in parts:
        condition = part if condition is None else condition & part
    return condition


def _within(query: ImageQuery) -> DistanceRange | None:
    if query.min_score is None:
        return None
    return DistanceRange(below=float(score_to_distance(np.array([query.min_score]), metric=Metric.IP)[0]))


def _nearest_hash(mine: int, hashes: Sequence[int]) -> int | None:
    return min((((mine ^ other) & _HASH_MASK).bit_count() for other in hashes), default=None)
