"""What the routes of the pictures take and give."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "AddParameters",
    "AddedImageBody",
    "ClassificationBody",
    "ClassifyParameters",
    "ClusterBody",
    "ClusterList",
    "CompareParameters",
    "ComparisonBody",
    "DuplicateGroupBody",
    "DuplicateList",
    "ImageAnswerBody",
    "ImageBody",
    "ImageCollectionBody",
    "ImageCollectionList",
    "ImageHitBody",
    "ImageList",
    "ImageTiming",
    "LabelBody",
    "MapBody",
    "PictureRow",
    "SearchParameters",
    "StudyBody",
    "VoteBody",
]

_Value = TypeVar("_Value")
_CROP = "Only this part of the one picture: `left,top,right,bottom`, each a share in [0, 1] of its width or height."
_KEYS = "Key of a stored picture; may come several times."


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", from_attributes=True)


class SearchParameters(_Model):
    """What a search for pictures can be told, in the query part or as fields of a form."""

    like: list[str] = Field(default=[], description=f"More like this. {_KEYS}", max_length=32)
    unlike: list[str] = Field(default=[], description=f"Less like this. {_KEYS}", max_length=32)
    text: str = Field(
        default="", description="Words, where the collection's encoder reads them (CLIP).", max_length=500
    )
    crop: str = Field(default="", description=_CROP, examples=["0.25,0,0.75,1"], max_length=60)
    label: str = Field(default="", description="Only pictures with this label.", max_length=256)
    source: str = Field(default="", description="Only pictures of this source.", max_length=256)
    min_score: float | None = Field(default=None, description="Only pictures with at least this cosine.", ge=-1, le=1)
    limit: int = Field(default=20, description="Most hits.", ge=1)
    collection: str = Field(default="", description="Empty takes `images`, else the first there is.", max_length=255)


class ClassifyParameters(_Model):
    """Which picture to classify, when none is sent, and how."""

    like: list[str] = Field(default=[], description=_KEYS, max_length=1)
    crop: str = Field(default="", description=_CROP, max_length=60)
    k: int = Field(default=10, description="Neighbours that vote.", ge=1, le=200)
    collection: str = Field(default="", description="Empty takes `images`, else the first there is.", max_length=255)


class CompareParameters(_Model):
    """Stored pictures to compare with each other or with those that are sent: two in all."""

    like: list[str] = Field(default=[], description=_KEYS, max_length=2)
    collection: str = Field(default="", description="Empty takes `images`, else the first there is.", max_length=255)


class AddParameters(_Model):
    """What is known of a picture to store."""

    name: str = Field(default="", description="For a person; empty takes the file's name.", max_length=200)
    label: str = Field(default="", description="Its class.", max_length=80)
    source: str = Field(default="", description="The set it belongs to; empty means `studio`.", max_length=80)
    collection: str = Field(default="", description="Empty takes `images`, made when it is not there.", max_length=255)


class ImageTiming(_Model):
    """Where the time of a search went."""

    decode_ms: float = Field(description="From files to pixels.")
    embed_ms: float = Field(description="From pixels or words to a vector.")
    milvus_ms: float = Field(description="From sending the search to having the parsed answer.")
    total_ms: float = Field(description="Everything in the studio's process.")


class ImageHitBody(_Model):
    """A picture that was found."""

    image_id: str = Field(description="Its key.", examples=["4cd5b2b8dcdcc9fa-abababababababababababab"])
    name: str
    label: str
    source: str
    width: int = Field(description="Pixels, upright.")
    height: int
    score: float = Field(description="Cosine with the question; larger is nearer.")
    hash_distance: int | None = Field(
        description="Bits in which its perceptual hash differs from the nearest example's; null where none is a picture."
    )


class ImageAnswerBody(_Model):
    """What was found, best first."""

    collection: str
    encoder: str = Field(examples=["efficientnet-lite0"])
    hits: list[ImageHitBody]
    timing: ImageTiming


class ImageBody(_Model):
    """A picture as the collection holds it."""

    image_id: str
    origin_id: str = Field(description="Its path or key where it came from.")
    name: str
    label: str
    source: str
    width: int
    height: int
    hash: str = Field(description="Perceptual, 16 hexadecimal digits.")
    content_sha256: str = Field(description="Of the file that was ingested.")


class ImageList(_Model):
    """Some pictures."""

    images: list[ImageBody]


class AddedImageBody(_Model):
    """A picture that was stored and acknowledged."""

    image_id: str
    collection: str
    stored_after_ms: float = Field(description="From taking the file to the server's acknowledgement.")


class LabelBody(_Model):
    """How many pictures bear a label."""

    label: str
    image_count: int


class ImageCollectionBody(_Model):
    """What a collection of pictures holds."""

    collection: str
    encoder: str
    image_count: int
    labels: list[LabelBody] = Field(description="The most frequent first; empty above 200,000 pictures.")
    sources: list[str]
    reads_text: bool = Field(description="Whether it can be searched by words.")


class ImageCollectionList(_Model):
    """The collections of pictures."""

    collections: list[ImageCollectionBody]


class VoteBody(_Model):
    """What the neighbours say for one label."""

    label: str
    share: float = Field(description="Of all weights, in [0, 1].")
    neighbour_count: int = Field(description="Neighbours of that label.")
    nearest_id: str = Field(description="Key of the nearest of them.")
    score: float = Field(description="Its cosine.")


class ClassificationBody(_Model):
    """The label that the nearest pictures vote for."""

    label: str = Field(description="Empty when they do not agree enough.")
    best_label: str = Field(description="The one with most votes, also then.")
    confidence: float = Field(description="In [0, 1].")
    is_calibrated: bool = Field(
        description="Whether the confidence was measured on the collection; else a share of votes."
    )
    votes: list[VoteBody] = Field(description="Most first.")


class ComparisonBody(_Model):
    """Whether two pictures are the same, and why."""

    is_same: bool
    is_mirrored: bool
    inlier_count: int = Field(description="Pairs of points that one change of perspective explains.")
    pair_count: int = Field(description="Pairs of points that look alike.")
    drawing_png: str = Field(description="Both side by side with the matched points: PNG in Base64.")


class StudyBody(_Model, Generic[_Value]):
    """A long look at a whole collection; ask again while it is `running`."""

    state: str = Field(description="`running` or `done`.")
    duration_s: float
    value: _Value | None = Field(description="Null while it runs.")


class MapBody(_Model):
    """Every picture's place in the plane; three lists of one length."""

    collection: str
    labels: list[str] = Field(description="All labels there are.")
    image_ids: list[str]
    x: list[float] = Field(description="In [-1, 1].")
    y: list[float]
    label: list[int] = Field(description="Place in `labels`, -1 for none.")


class PictureRow(_Model):
    """A picture of a group."""

    image_id: str
    name: str
    label: str
    width: int
    height: int


class ClusterBody(_Model):
    """A group of alike pictures."""

    medoid_id: str = Field(description="The one in the middle.")
    image_count: int
    example_ids: list[str] = Field(description="Members, the nearest to the middle first; 16 at most.")
    labels: list[LabelBody] = Field(description="Its most frequent labels, three at most.")


class ClusterList(_Model):
    """All groups, the largest first, and what fits nowhere."""

    collection: str
    method: str
    clusters: list[ClusterBody]
    outlier_ids: list[str] = Field(description="The strangest first; 60 at most.")
    outlier_count: int
    scores: dict[str, float | None] = Field(
        description="Silhouette, and NMI and ARI where there are labels; null where undefined."
    )


class DuplicateGroupBody(_Model):
    """Pictures that are the same, the largest first."""

    images: list[PictureRow]
    evidence: list[str] = Field(description="`file`, `hash`, `geometry`: what says so.")


class DuplicateList(_Model):
    """All groups; the largest first."""

    collection: str
    image_count: int = Field(description="Pictures looked at.")
    checked_count: int = Field(description="Pairs whose geometry was looked at.")
    is_complete: bool
    groups: list[DuplicateGroupBody]
    group_count: int = Field(description="Of which the first 200 are listed.")
