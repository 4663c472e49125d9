"""The pictures of a collection on disk: a thumbnail of each, and the original file where it is not too large.

Files are named by content, `thumbnails/ab/abcd....jpg`: the same content is kept once, and a name never changes what it
shows. Each file is written beside its place and renamed, so a reader sees a whole file or none. Nothing is synced to
the disk one by one, which would cost more than decoding; a file that a power cut left empty counts as absent.

A key comes from outside: it must look like `compute_image_id` makes it before it becomes a path.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milvuslab.model.collection import Consistency
from milvuslab.model.errors import NotFoundError, missing_extra
from milvuslab.model.filter import where

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from milvuslab.apps.image.collection import ImageCollection
    from milvuslab.model.filter import Filter

__all__ = [
    "ORIGINAL_LIMIT_BYTES",
    "THUMBNAIL_SIZE_PX",
    "PictureStore",
    "content_key",
    "make_thumbnail",
    "remove_unreferenced",
]

ORIGINAL_LIMIT_BYTES = 2_000_000
"""Largest original that is kept: a photograph of 4 megapixels as JPEG has about one."""
THUMBNAIL_SIZE_PX = 256
_IMAGE_ID = re.compile(r"[0-9a-f]{16}-([0-9a-f]{24})")
_JPEG_QUALITY = 88


class PictureStore:
    """Thumbnails and originals of one collection; safe to use from many threads and processes.

    Args:
        folder: made when the first picture is kept.
        original_limit_bytes: larger originals are not kept; 0 keeps none.
    """

    def __init__(self, folder: Path, *, original_limit_bytes: int = ORIGINAL_LIMIT_BYTES) -> None:
        self.folder = folder
        self._original_limit_bytes = original_limit_bytes

    def keep(self, image_id: str, *, thumbnail: bytes, original: bytes) -> None:
        """Writes both, the original where it is not too large; content that is there already is left alone."""
        if len(original) <= self._original_limit_bytes:
            _write_once(self._original_path(image_id), original)
        _write_once(self._thumbnail_path(image_id), thumbnail)

    def thumbnail(self, image_id: str) -> bytes:
        """A JPEG of at most 256 pixels on a side.

        Raises:
            NotFoundError: none is kept here.
        """
        content = _read(self._thumbnail_path(image_id))
        if content is None:
            raise NotFoundError(
                f"there is no thumbnail of {image_id} in this workspace",
                hint="it was ingested elsewhere; ingest it here again",
            )
        return content

    def original(self, image_id: str) -> bytes | None:
        """The file as it was ingested, or None: it was too large to keep, or was ingested elsewhere."""
        return _read(self._original_path(image_id))

    def has(self, image_id: str) -> bool:
        """Whether a thumbnail is kept here."""
        return self._thumbnail_path(image_id).is_file()

    def remove(self, image_id: str) -> None:
        """Removes both files of a picture's content: call it when no row with that content is left."""
        self._thumbnail_path(image_id).unlink(missing_ok=True)
        self._original_path(image_id).unlink(missing_ok=True)

    def remove_all(self) -> None:
        """Removes the whole folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _thumbnail_path(self, image_id: str) -> Path:
        key = content_key(image_id)
        return self.folder / "thumbnails" / key[:2] / f"{key}.jpg"

    def _original_path(self, image_id: str) -> Path:
        key = content_key(image_id)
        return self.folder / "originals" / key[:2] / key


def content_key(image_id: str) -> str:
    """The part of a key that names the content.

    Raises:
        NotFoundError: it is no key of ours.

    >>> content_key("4cd5b2b8dcdcc9fa-abababababababababababab")
    'abababababababababababab'
    """
    match = _IMAGE_ID.fullmatch(image_id)
    if match is None:
        raise NotFoundError(f"{image_id!r} is no key of a picture", hint="a search prints keys: milvuslab image search")
    return match[1]


def make_thumbnail(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A JPEG of at most 256 pixels on a side of an (h, w, 3) RGB picture; small ones keep their size."""
    picture = _pillow().fromarray(pixels)
    # Shrunk by whole steps first where that is enough of a head start: half the time on large photographs.
    picture.thumbnail((THUMBNAIL_SIZE_PX, THUMBNAIL_SIZE_PX), reducing_gap=2.0)
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=_JPEG_QUALITY)
    return written.getvalue()


def remove_unreferenced(collection: ImageCollection, image_ids: Sequence[str]) -> None:
    """Removes the files of these deleted pictures, but for content that another row of the collection still names."""
    by_content = {content_key(image_id): image_id for image_id in image_ids}
    # A key's second half is the beginning of its content's hash, which every row has whole.
    condition: Filter | None = None
    for key in by_content:
        part = where("content_sha256").starts_with(key)
        condition = part if condition is None else condition | part
    if condition is None:
        return
    left = collection.gateway.rows.query(
        collection.name, where=condition, fields=["content_sha256"], consistency=Consistency.STRONG
    )
    named = {content_sha256[:24] for content_sha256 in left["content_sha256"]}
    for key, image_id in by_content.items():
        if key not in named:
            collection.pictures.remove(image_id)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError:
        raise missing_extra("Pillow", "image") from None
    return Image


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes() or None
    except FileNotFoundError:
        return None


def _write_once(path: Path, content: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size == len(content):
            return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.close()
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
