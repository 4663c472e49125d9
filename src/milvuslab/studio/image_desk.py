"""The image application as the studio uses it: on threads, on one server, counted; it never waits for what is starting.

Pictures come from strangers: each is decoded here, within limits and a few at a time, before anything else is asked, so
a hostile one costs no search. What is sent to a browser was encoded here, never the bytes that somebody uploaded.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import math
import operator
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from milvuslab.apps.image.classify import classify_by_neighbours
from milvuslab.apps.image.collection import IMAGE_FIELDS
from milvuslab.apps.image.geometry import compare_pictures, draw_match
from milvuslab.apps.image.image import StoredImage, add_image, delete_image, get_image, read_picture, stored_images
from milvuslab.apps.image.search import Box, ImageAnswer, ImageQuery, search_images
from milvuslab.apps.image.shelf import DEFAULT_COLLECTION, ImageShelf
from milvuslab.data.images.decode import DEFAULT_LIMITS, Picture, decode_image
from milvuslab.model.errors import ConflictError, NotFoundError, UsageError
from milvuslab.model.filter import where
from milvuslab.studio.desk_threads import DeskThreads
from milvuslab.studio.image_studies import Study, StudyRoom
from milvuslab.studio.image_views import LabelCount, count_labels, view_clusters, view_duplicates, view_map

if TYPE_CHECKING:
    from pathlib import Path

    from milvuslab.apps.image.classify import Classification
    from milvuslab.apps.image.cluster import ClusterMethod
    from milvuslab.apps.image.collection import ImageCollection
    from milvuslab.apps.image.geometry import GeometricMatch
    from milvuslab.embed.images.encoder import ImageEncoder
    from milvuslab.model.settings import Settings
    from milvuslab.studio.api.uploads import Upload
    from milvuslab.studio.metrics import StudioMetrics
    from milvuslab.studio.watch.encoders import EncoderWatch
    from milvuslab.studio.watch.servers import ServerWatch

__all__ = ["OWN_SOURCE", "AddedImage", "CollectionFacts", "Comparison", "ImageDesk"]

OWN_SOURCE = "studio"
"""Source of pictures that were added here without naming one; pages offer to delete these."""
_DECODERS = 4
_SIDE_KEPT_PX = 2_048
"""Larger than the search itself keeps: a small part of a photograph that was cropped has pixels left."""
_FACTS_FRESH_S = 3.0
_NAMES_FRESH_S = 2.0
_LABELS_ROWS_MAX = 200_000
_COMPARED_PX = 1_024
_JPEG_QUALITY = 90
_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CollectionFacts:
    """What a collection of pictures holds.

    Attributes:
        collection: its name.
        encoder: name of its encoder.
        image_count: pictures that searches see.
        labels: the most frequent first; empty where there are none, or too many pictures to count them.
        sources: names, sorted.
        reads_text: whether it can be searched by words.
    """

    collection: str
    encoder: str
    image_count: int
    labels: tuple[LabelCount, ...]
    sources: tuple[str, ...]
    reads_text: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """What two pictures have in common.

    Attributes:
        match: the corresponding points.
        drawing: PNG of both side by side.
    """

    match: GeometricMatch
    drawing: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AddedImage:
    """A picture that was stored.

    Attributes:
        image_id: its key.
        collection: where it went.
        stored_after_ms: from taking the file to the server's acknowledgement.
    """

    image_id: str
    collection: str
    stored_after_ms: float


class ImageDesk(DeskThreads):
    """Search, reading, adding, deleting and comparing pictures, on one server.

    Args:
        servers: gives the connection once there is one.
        encoders: gives encoders once they are open.
        server: profile that holds the collections.
        settings: limits and folders.
        metrics: counts what is done.
    """

    def __init__(
        self,
        *,
        servers: ServerWatch,
        encoders: EncoderWatch[ImageEncoder],
        server: str,
        settings: Settings,
        metrics: StudioMetrics,
    ) -> None:
        super().__init__(thread_count=settings.search_concurrency, name="image")
        self.server = server
        self.settings = settings
        self._servers = servers
        self._encoders = encoders
        self._metrics = metrics
        self._pictures_dir: Path = settings.home_dir / "pictures"
        self._limits = dataclasses.replace(
            DEFAULT_LIMITS, size_bytes_max=settings.upload_limit_bytes, side_kept_px=_SIDE_KEPT_PX
        )
        self._decoders = threading.BoundedSemaphore(_DECODERS)
        self._lock = threading.Lock()
        self._shelf: ImageShelf | None = None
        self._names: list[str] = []
        self._named_at_s = -math.inf
        self._facts_lock = threading.Lock()
        self._facts: dict[str, CollectionFacts] = {}
        self._counted_at_s: dict[str, float] = {}
        self._studies = StudyRoom()

    def close(self) -> None:
        """Lets calls and studies that wait go; those that run end by themselves."""
        self._studies.close()
        super().close()

    def search(self, query: ImageQuery, *, collection: str = "") -> ImageAnswer:
        """The pictures nearest to the question; see `search_images`. Files in it are decoded before all else."""
        began_s = time.perf_counter()
        query = dataclasses.replace(
            query, pictures=self._decoded(query.pictures), negative_pictures=self._decoded(query.negative_pictures)
        )
        decode_ms = (time.perf_counter() - began_s) * 1e3
        answer = self._on(collection, lambda target: search_images(target, query))
        answer = dataclasses.replace(
            answer,
            decode_ms=round(answer.decode_ms + decode_ms, 3),
            total_ms=round(answer.total_ms + decode_ms, 3),
        )
        self._metrics.image_search_ended(
            decode_ms=answer.decode_ms, embed_ms=answer.embed_ms, milvus_ms=answer.milvus_ms, total_ms=answer.total_ms
        )
        return answer

    def classify(
        self, *, picture: bytes | None = None, image_id: str = "", box: Box | None = None, k: int, collection: str = ""
    ) -> Classification:
        """The label that the nearest pictures vote for; of a stored picture, without its own vote."""
        shown = None if picture is None else self._decode(picture)

        def ask(target: ImageCollection) -> Classification:
            mine = None if shown else get_image(target, image_id)
            pixels = shown.pixels if shown else read_picture(target, image_id).pixels if box else None
            if pixels is None:
                vector = target.gateway.rows.get(target.name, [image_id], ["vector"])["vector"][0]
            else:
                vector = target.encoder.encode_images([pixels if box is None else box.cut(pixels)])[0]
            (found,) = classify_by_neighbours(
                target, np.asarray(vector, dtype=np.float32), k=k,
                without_ids=[mine.image_id] if mine else (), without_contents=[mine.content_sha256] if mine else (),
            )  # fmt: skip
            return found

        return self._on(collection, ask)

    def compare(
        self, *, pictures: Sequence[bytes] = (), image_ids: Sequence[str] = (), collection: str = ""
    ) -> Comparison:
        """What two pictures have in common, uploaded or stored, and a drawing of it.

        Raises:
            UsageError: they are not two.
        """
        if len(pictures) + len(image_ids) != 2:
            raise UsageError(
                f"there are {len(pictures) + len(image_ids)} pictures to compare", hint="send two: files, keys or both"
            )
        shown = [self._decode(content, side_kept_px=_COMPARED_PX).pixels for content in pictures]
        if image_ids:
            shown += self._on(collection, lambda target: [read_picture(target, key).pixels for key in image_ids])
        first, second = shown
        match = compare_pictures(first, second)
        return Comparison(match=match, drawing=draw_match(first, second, match))

    def read(self, image_id: str, *, collection: str = "") -> StoredImage:
        """The picture's row; see `get_image`."""
        return self._on(collection, lambda target: get_image(target, image_id))

    def thumbnail(self, image_id: str, *, collection: str = "") -> bytes:
        """A JPEG that we made, at most 256 pixels on a side."""
        return self._on(collection, lambda target: target.pictures.thumbnail(image_id))

    def original(self, image_id: str, *, collection: str = "") -> bytes:
        """The picture as large as it was kept, as a JPEG made here: never the bytes that were uploaded."""

        def encode(target: ImageCollection) -> bytes:
            content = target.pictures.original(image_id)
            return target.pictures.thumbnail(image_id) if content is None else _as_jpeg(self._decode(content))

        return self._on(collection, encode)

    def add(
        self, upload: Upload, *, name: str = "", label: str = "", source: str = "", collection: str = ""
    ) -> AddedImage:
        """Stores one picture; the same file of the same source again is the same picture.

        Args:
            upload: the file.
            name: for a person; empty takes the file's.
            label: its class; may be empty.
            source: empty takes `studio`.
            collection: target; empty takes the only one there is, or makes `images`.

        Raises:
            LimitError, MediaError: it is too large, no picture, or damaged; nothing was written.
        """
        began_s = time.perf_counter()
        self._decode(upload.content, name=upload.name)
        content_id = hashlib.sha256(upload.content).hexdigest()[:24]

        def write(target: ImageCollection) -> tuple[str, str]:
            shown_name = name or upload.name or content_id
            image_id = add_image(
                target, upload.content, name=shown_name, label=label, source=source or OWN_SOURCE,
                origin_id=content_id, limits=self._limits,
            )  # fmt: skip
            return image_id, target.name

        image_id, target_name = self._on(collection, write, is_made=True)
        self._metrics.image_added()
        self._counted_at_s.clear()
        return AddedImage(
            image_id=image_id,
            collection=target_name,
            stored_after_ms=round((time.perf_counter() - began_s) * 1e3, 1),
        )

    def delete(self, image_id: str, *, collection: str = "") -> StoredImage:
        """Removes the picture with its files and returns what it was."""
        image = self._on(collection, lambda target: delete_image(target, image_id))
        self._metrics.image_deleted()
        self._counted_at_s.clear()
        return image

    def facts(self) -> list[CollectionFacts]:
        """What each collection of pictures holds, counted at most every three seconds."""
        with self._facts_lock:
            names = self._open_shelf().names()
            return [self._facts_of(name) for name in names]

    def browse(self, *, limit: int, label: str = "", source: str = "", collection: str = "") -> list[StoredImage]:
        """Some pictures of a collection, for a person who has no question yet."""
        conditions = [where(name) == value for name, value in (("label", label), ("source", source)) if value]
        condition = functools.reduce(operator.and_, conditions) if conditions else None

        def read(target: ImageCollection) -> list[StoredImage]:
            columns = target.gateway.rows.query(target.name, where=condition, fields=list(IMAGE_FIELDS), limit=limit)
            return stored_images(columns)

        return self._on(collection, read)

    def map_view(self, *, collection: str = "") -> Study:
        """A place in the plane for every picture, alike ones near each other: a `MapView`."""
        return self._study("map", collection, view_map)

    def cluster_view(self, *, method: ClusterMethod, cluster_count: int | None = None, collection: str = "") -> Study:
        """Groups of alike pictures, with the middle one of each and those that fit nowhere: a `ClusterView`."""
        make = functools.partial(view_clusters, method=method, cluster_count=cluster_count)
        return self._study(("clusters", method, cluster_count), collection, make)

    def duplicate_view(self, *, collection: str = "") -> Study:
        """Groups of pictures that are the same but for size, cut or compression: a `DuplicateView`."""
        return self._study("duplicates", collection, view_duplicates)

    def name_of(self, collection: str = "") -> str:
        """The collection that is meant: the named one, else `images`, else the first.

        Raises:
            NotFoundError: there is none.
        """
        if collection:
            return collection
        if time.monotonic() - self._named_at_s > _NAMES_FRESH_S:
            self._names = sorted(self._open_shelf().names())
            self._named_at_s = time.monotonic()
        if not self._names:
            raise NotFoundError(
                "there are no pictures yet", hint="load some: milvuslab image load-samples; or add one on the page"
            )
        return DEFAULT_COLLECTION if DEFAULT_COLLECTION in self._names else self._names[0]

    def _study(self, what: Hashable, collection: str, make: Callable[[ImageCollection], Any]) -> Study:
        name = self.name_of(collection)
        # Looked at again when pictures came or went: the count is part of the key.
        row_count = self._on(name, lambda target: target.gateway.rows.count(target.name))
        return self._studies.get((what, name, row_count), lambda: self._on(name, make))

    def _decoded(self, examples: Sequence[bytes | Picture]) -> list[Picture]:
        return [self._decode(one) if isinstance(one, bytes) else one for one in examples]

    def _decode(self, content: bytes, *, name: str = "", side_kept_px: int = _SIDE_KEPT_PX) -> Picture:
        limits = dataclasses.replace(self._limits, side_kept_px=side_kept_px)
        with self._decoders:
            return decode_image(content, limits=limits, name=name)

    def _facts_of(self, name: str) -> CollectionFacts:
        if name not in self._facts or time.monotonic() - self._counted_at_s.get(name, -math.inf) > _FACTS_FRESH_S:
            self._facts[name] = self._on(name, lambda target: _count(target, before=self._facts.get(name)))
            self._counted_at_s[name] = time.monotonic()
        return self._facts[name]

    def _on(self, collection: str, action: Callable[[ImageCollection], _T], *, is_made: bool = False) -> _T:
        """The action on the collection; one that vanished is looked at again next time."""
        shelf = self._open_shelf()
        target = self._choose(shelf, collection, is_made=is_made)
        try:
            return action(target)
        except ConflictError:
            # A server that came back from a restart has its collections released (see the text desk): loaded anew, once.
            shelf.gateway.collections.release(target.name)
            shelf.gateway.collections.load(target.name)
            return action(target)
        except NotFoundError:
            if not shelf.gateway.collections.exists(target.name):
                shelf.forget(target.name)
            raise

    def _choose(self, shelf: ImageShelf, collection: str, *, is_made: bool) -> ImageCollection:
        try:
            return shelf.open(self.name_of(collection))
        except NotFoundError:
            if not is_made or collection:
                raise
            self._named_at_s = -math.inf
            return shelf.create(DEFAULT_COLLECTION)

    def _open_shelf(self) -> ImageShelf:
        gateway = self._servers.gateway(self.server)
        with self._lock:
            if self._shelf is None or self._shelf.gateway is not gateway:
                self._shelf = ImageShelf(gateway, open_encoder=self._encoders.get, pictures_dir=self._pictures_dir)
            return self._shelf


def _count(target: ImageCollection, *, before: CollectionFacts | None) -> CollectionFacts:
    """What the collection holds; labels are read again only when the number of pictures changed."""
    image_count = target.gateway.rows.count(target.name)
    if before is not None and before.image_count == image_count:
        return before
    is_counted = image_count <= _LABELS_ROWS_MAX
    columns = target.gateway.rows.query(target.name, fields=["label", "source"]) if is_counted else {}
    return CollectionFacts(
        collection=target.name,
        encoder=target.encoder.fingerprint.name,
        image_count=image_count,
        labels=count_labels(columns.get("label", [])),
        sources=tuple(sorted(set(columns.get("source", ())))),
        reads_text=hasattr(target.encoder, "encode_texts"),
    )


def _as_jpeg(picture: Picture) -> bytes:
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(picture.pixels).save(written, "JPEG", quality=_JPEG_QUALITY)
    return written.getvalue()
