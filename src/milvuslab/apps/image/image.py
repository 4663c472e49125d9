"""Single pictures of a collection: add one, read one, remove one; and what the collection holds."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from milvuslab.apps.image.collection import IMAGE_FIELDS, compute_image_id
from milvuslab.apps.image.ingest import ingest_images
from milvuslab.apps.image.pictures import content_key, remove_unreferenced
from milvuslab.data.images.decode import DEFAULT_LIMITS, ImageLimits, decode_image
from milvuslab.model.collection import Consistency
from milvuslab.model.errors import NotFoundError

if TYPE_CHECKING:
    from milvuslab.apps.image.collection import ImageCollection
    from milvuslab.data.images.decode import Picture

__all__ = [
    "ImageStats",
    "StoredImage",
    "add_image",
    "collect_image_stats",
    "delete_image",
    "get_image",
    "read_picture",
    "stored_images",
]


_HASH_MASK = (1 << 64) - 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """A picture as the collection holds it.

    Attributes:
        image_id: our key.
        origin_id: its path or key where it came from.
        name: for a person.
        label: its class, where the source has classes; else empty.
        source: name of the set of pictures it belongs to.
        width: pixels, upright.
        height: pixels, upright.
        hash: perceptual, 64 bits as a signed number.
        content_sha256: of its file.
    """

    image_id: str
    origin_id: str
    name: str
    label: str
    source: str
    width: int
    height: int
    hash: int
    content_sha256: str

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON; the hash as 16 hexadecimal digits."""
        return {**dataclasses.asdict(self), "hash": f"{self.hash & _HASH_MASK:016x}"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageStats:
    """What a collection holds.

    Attributes:
        collection: its name.
        encoder: name of its encoder.
        dim: numbers per vector.
        image_count: pictures, deleted ones left out.
        index_type: of the vector field.
    """

    collection: str
    encoder: str
    dim: int
    image_count: int
    index_type: str

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def add_image(
    collection: ImageCollection,
    content: bytes,
    *,
    name: str,
    label: str = "",
    source: str = "added",
    origin_id: str = "",
    limits: ImageLimits = DEFAULT_LIMITS,
) -> str:
    """Our key of the picture, which is acknowledged on return; one with the same source and origin is replaced.

    Args:
        collection: where it goes.
        content: the file.
        name: for a person.
        label: its class; may be empty.
        source: name of the set it belongs to.
        origin_id: what makes it the same picture next time; empty takes the name.
        limits: of the picture.

    Raises:
        LimitError, MediaError: it is too large, no picture, or damaged; nothing was written.
    """
    from milvuslab.data.images.source import ImageItem

    picture = decode_image(content, limits=limits, name=name)
    key = origin_id or name
    item = ImageItem(key=key, label=label, source=source, name=name, read=lambda: content, resume_token="")
    ingest_images(collection, [item], limits=limits, threads=1)
    return compute_image_id(source=source, origin_id=key, content_sha256=picture.sha256)


def get_image(collection: ImageCollection, image_id: str) -> StoredImage:
    """The picture of that key.

    Raises:
        NotFoundError: no such picture.
    """
    content_key(image_id)
    found = collection.gateway.rows.get(collection.name, [image_id], list(IMAGE_FIELDS), consistency=Consistency.STRONG)
    for image in stored_images(found):
        return image
    raise NotFoundError(
        f"collection {collection.name} holds no picture {image_id}", hint="find one: milvuslab image search"
    )


def read_picture(collection: ImageCollection, image_id: str) -> Picture:
    """The pixels of a stored picture: of its original where that is kept, else of its thumbnail.

    Raises:
        NotFoundError: neither is in this workspace.
    """
    content = collection.pictures.original(image_id) or collection.pictures.thumbnail(image_id)
    return decode_image(content, name=image_id)


def delete_image(collection: ImageCollection, image_id: str) -> StoredImage:
    """Removes the picture, its thumbnail and its original; returns what it was.

    Raises:
        NotFoundError: no such picture.
    """
    image = get_image(collection, image_id)
    collection.gateway.rows.delete(collection.name, ids=[image_id])
    remove_unreferenced(collection, [image_id])
    return image


def collect_image_stats(collection: ImageCollection) -> ImageStats:
    """Counts of everything acknowledged so far."""
    return ImageStats(
        collection=collection.name,
        encoder=collection.encoder.fingerprint.name,
        dim=collection.encoder.fingerprint.dim,
        image_count=collection.gateway.rows.count(collection.name, consistency=Consistency.STRONG),
        index_type=collection.indexed.index_type,
    )


def stored_images(columns: dict[str, Any]) -> list[StoredImage]:
    """The pictures in columns that hold `IMAGE_FIELDS`."""
    return [
        StoredImage(
            image_id=columns["image_id"][row],
            origin_id=columns["origin_id"][row],
            name=columns["name"][row],
            label=columns["label"][row],
            source=columns["source"][row],
            width=int(columns["width"][row]),
            height=int(columns["height"][row]),
            hash=int(columns["hash"][row]),
            content_sha256=columns["content_sha256"][row],
        )
        for row in range(len(columns["image_id"]))
    ]
