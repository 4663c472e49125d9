"""The vectors of a collection in memory, read in blocks: what clustering, the map and the evaluation work on."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from milvuslab.model.collection import Consistency
from milvuslab.model.errors import LimitError, UsageError
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.apps.image.collection import ImageCollection

__all__ = ["VECTOR_ROWS_MAX", "VectorTable", "fetch_digest", "fetch_vectors"]

VECTOR_ROWS_MAX = 200_000
"""Most rows read at once: 1 GB at 1,280 numbers each."""
_BLOCK_ROWS = 1_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorTable:
    """Rows of a collection in ascending order of their keys.

    Attributes:
        ids: n keys.
        names: n names for a person.
        labels: n classes, empty where the source has none.
        content_keys: n checksums of the files: rows with the same one are the same file.
        vectors: (n, dim) float32 of length 1.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    labels: tuple[str, ...]
    content_keys: tuple[str, ...]
    vectors: npt.NDArray[np.float32]

    @property
    def has_labels(self) -> bool:
        """Whether there are at least two classes."""
        return len(set(self.labels) - {""}) > 1

    @property
    def digest(self) -> str:
        """Of the keys and labels; a key holds the checksum of its file, so other content gives another digest."""
        return _digest(self.ids, self.labels)


def fetch_vectors(
    collection: ImageCollection, *, row_limit: int = VECTOR_ROWS_MAX, observer: Observer = silent
) -> VectorTable:
    """All rows, read in blocks into one array: no more than one block is in memory twice.

    Raises:
        UsageError: the collection is empty.
        LimitError: it has more rows than `row_limit`.
    """
    rows = collection.gateway.rows
    count = rows.count(collection.name, consistency=Consistency.STRONG)
    if not count:
        raise UsageError(f"collection {collection.name} is empty", hint="load pictures: milvuslab image load-samples")
    if count > row_limit:
        raise LimitError(
            f"collection {collection.name} has {count:,} pictures, more than {row_limit:,}",
            hint="divide it into several collections",
        )
    vectors = np.empty((count, collection.encoder.fingerprint.dim), dtype=np.float32)
    texts: dict[str, list[str]] = {name: [] for name in ("image_id", "name", "label", "content_sha256")}
    done = 0
    pages = rows.iterate(
        collection.name, fields=[*texts, "vector"], batch_rows=_BLOCK_ROWS, consistency=Consistency.STRONG
    )
    for page in pages:
        taken = min(len(page["image_id"]), count - done)  # rows written since they were counted are left out
        vectors[done : done + taken] = np.asarray(page["vector"], dtype=np.float32)[:taken]
        for name, column in texts.items():
            column.extend(page[name][:taken])
        done += taken
        observer(Progress(step=f"read {collection.name}", done_count=done, total_count=count, unit="images"))
        if done == count:
            break
    return VectorTable(
        ids=tuple(texts["image_id"]), names=tuple(texts["name"]), labels=tuple(texts["label"]),
        content_keys=tuple(texts["content_sha256"]), vectors=vectors[:done],
    )  # fmt: skip


def fetch_digest(collection: ImageCollection) -> str:
    """What `VectorTable.digest` would say, without reading a vector: 50,000 rows in about a second."""
    pages = collection.gateway.rows.iterate(
        collection.name, fields=["image_id", "label"], batch_rows=8_192, consistency=Consistency.STRONG
    )
    ids: list[str] = []
    labels: list[str] = []
    for page in pages:
        ids.extend(page["image_id"])
        labels.extend(page["label"])
    return _digest(ids, labels)


def _digest(ids: list[str] | tuple[str, ...], labels: list[str] | tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for image_id, label in zip(ids, labels, strict=True):
        digest.update(f"{image_id}\0{label}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
