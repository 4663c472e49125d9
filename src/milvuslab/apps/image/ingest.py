"""Pictures into a collection: idempotent, resumable, with corrupt ones and duplicates reported.

Steps of one batch, and what a crash after each leaves:
1. Read the files, ask which of them are there (strong consistency).  Nothing changed.
2. Decode, hash and shrink those that are new or differ; embed them.   Nothing changed.
3. Keep thumbnails and originals.                                      Files that no row names; the next run takes them.
4. Insert the rows.                                                    A replaced picture is there twice; the next run removes the old.
5. Delete the rows that were replaced, and their files.                As after 4 where it was cut short.
6. Report the checkpoint.                                              The next run reads the batch again and finds it unchanged.

A picture that only changes its name or label keeps its key; it is deleted before it is written again, and a crash in
between leaves it out until the next run.

While one batch is embedded, threads decode the next: two batches are in memory, each picture at most `ImageLimits.side_kept_px`
on a side, whatever the files hold.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from milvuslab.apps.image.collection import compute_image_id
from milvuslab.apps.image.pictures import make_thumbnail, remove_unreferenced
from milvuslab.data.images.decode import DEFAULT_LIMITS, ImageLimits, decode_image
from milvuslab.model.collection import Consistency
from milvuslab.model.errors import MilvusLabError, ServerError, UnsupportedError, UsageError
from milvuslab.model.filter import where
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from milvuslab.apps.image.collection import ImageCollection
    from milvuslab.data.images.source import ImageItem

__all__ = ["ImageIngestReport", "ingest_images"]

_LISTED_MAX = 100
_BATCH_BYTES = 32 << 20
_ORIGIN_MAX_BYTES = 2_048


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageIngestReport:
    """What came of a load.

    Attributes:
        image_count: files read, the corrupt ones included.
        added_count: pictures that were new.
        replaced_count: pictures that were there with other content, name or label.
        unchanged_count: pictures that were there already, as they are.
        corrupt_count: files that are no picture, damaged, or beyond a limit; nothing of them is kept.
        repeated_id_count: files whose place came twice in one batch; the last one stands.
        duplicate_count: pictures whose file, byte for byte, is there under another place; they are kept.
        duplicates: the first of them, as (key, key of the one with the same content).
        faults: the first corrupt files, one sentence each.
    """

    image_count: int = 0
    added_count: int = 0
    replaced_count: int = 0
    unchanged_count: int = 0
    corrupt_count: int = 0
    repeated_id_count: int = 0
    duplicate_count: int = 0
    duplicates: tuple[tuple[str, str], ...] = ()
    faults: tuple[str, ...] = ()

    def plus(self, other: ImageIngestReport) -> ImageIngestReport:
        """Both together."""
        sums = {
            field.name: getattr(self, field.name) + getattr(other, field.name) for field in dataclasses.fields(self)
        }
        return ImageIngestReport(
            **{**sums, "duplicates": sums["duplicates"][:_LISTED_MAX], "faults": sums["faults"][:_LISTED_MAX]}
        )

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON; `from_dict` reads it back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> ImageIngestReport:
        """The report that `as_dict` wrote."""
        duplicates = tuple((mine, other) for mine, other in stored["duplicates"])
        return cls(**{**stored, "duplicates": duplicates, "faults": tuple(stored["faults"])})


@dataclasses.dataclass(frozen=True, slots=True)
class _File:
    """A file that was read: where it comes from, its bytes and its key."""

    item: ImageItem
    content: bytes
    content_sha256: str
    image_id: str

    @property
    def place(self) -> tuple[str, str]:
        return (self.item.source, self.item.key)


@dataclasses.dataclass(frozen=True, slots=True)
class _Decoded:
    """What a row and a thumbnail need of a file."""

    file: _File
    pixels: npt.NDArray[np.uint8]
    width: int
    height: int
    hash: int
    thumbnail: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class _Row:
    """What the collection knows of a picture, or will once the batch before this one is written."""

    image_id: str
    name: str
    label: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """A batch whose pictures are being decoded.

    Attributes:
        image_count: files of it.
        last_token: to go on after it.
        decoding: by key, the pictures to write, or the sentence that says why one cannot be.
        stale_ids: by key of a file of the batch, the keys of the rows it takes the place of.
        rewriting: keys that are there already, with another name or label.
        unchanged_count: files that are there as they are.
        repeated_id_count: files whose place came again later in the batch.
        duplicates: keys with the key of the same content.
        faults: files that could not be read.
        rows: what the collection will hold once the batch is written, by place.
        contents: a key by content, of this batch.
    """

    image_count: int
    last_token: str
    decoding: dict[str, Future[_Decoded | str]]
    stale_ids: dict[str, list[str]]
    rewriting: frozenset[str]
    unchanged_count: int
    repeated_id_count: int
    duplicates: list[tuple[str, str]]
    faults: list[str]
    rows: dict[tuple[str, str], list[_Row]]
    contents: dict[str, str]


def ingest_images(
    collection: ImageCollection,
    items: Iterable[ImageItem],
    *,
    limits: ImageLimits = DEFAULT_LIMITS,
    batch_images: int = 32,
    total_images: int | None = None,
    threads: int = 2,
    observer: Observer = silent,
    on_checkpoint: Callable[[str, ImageIngestReport], None] | None = None,
    before: ImageIngestReport | None = None,
) -> ImageIngestReport:
    """Writes pictures into the collection; on return they are acknowledged by the server.

    Args:
        collection: where they go.
        items: files with their resume tokens, in order.
        limits: of one picture.
        batch_images: most pictures per round trip, fewer when the files are large; the unit of resuming.
        total_images: how many there will be, for progress; None while unknown.
        threads: that read and decode.
        observer: sees pictures done.
        on_checkpoint: called after each acknowledged batch with the token to go on from and the report so far.
        before: report of an earlier, interrupted run that this one continues.

    Raises:
        UnsupportedError: the extra `image` is not installed.
    """
    report = before or ImageIngestReport()
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="decode") as pool:
        for batch in _planned(collection, items, pool=pool, limits=limits, limit_images=batch_images, ahead=threads):
            report = report.plus(_write_batch(collection, batch))
            if on_checkpoint is not None:
                on_checkpoint(batch.last_token, report)
            observer(
                Progress(
                    step="embed and insert", done_count=report.image_count, total_count=total_images, unit="images",
                    message=f"{report.corrupt_count:,} could not be read" if report.corrupt_count else "",
                )
            )  # fmt: skip
    return report


def _planned(
    collection: ImageCollection,
    items: Iterable[ImageItem],
    *,
    pool: ThreadPoolExecutor,
    limits: ImageLimits,
    limit_images: int,
    ahead: int,
) -> Iterator[_Batch]:
    """Batches to be written, each given out when the one behind it has begun to be decoded."""
    waiting: _Batch | None = None
    for some in _read_batches(items, pool=pool, limit_images=limit_images, ahead=ahead):
        following = _plan_batch(collection, some, pool=pool, limits=limits, in_flight=waiting)
        if waiting is not None:
            yield waiting
        waiting = following
    if waiting is not None:
        yield waiting


def _read_batches(
    items: Iterable[ImageItem], *, pool: ThreadPoolExecutor, limit_images: int, ahead: int
) -> Iterator[list[tuple[ImageItem, _File | str]]]:
    """Files in groups of at most `limit_images`, and of little more than 32 MB."""
    batch: list[tuple[ImageItem, _File | str]] = []
    size_bytes = 0
    for item, file in _read_ahead(items, pool=pool, ahead=ahead):
        batch.append((item, file))
        size_bytes += len(file.content) if isinstance(file, _File) else 0
        if len(batch) >= limit_images or size_bytes >= _BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def _read_ahead(
    items: Iterable[ImageItem], *, pool: ThreadPoolExecutor, ahead: int
) -> Iterator[tuple[ImageItem, _File | str]]:
    reading: deque[tuple[ImageItem, Future[_File | str]]] = deque()
    for item in items:
        reading.append((item, pool.submit(_read_file, item)))
        if len(reading) > ahead:
            first, future = reading.popleft()
            yield first, future.result()
    for first, future in reading:
        yield first, future.result()


def _read_file(item: ImageItem) -> _File | str:
    """The file, or one sentence that says why it cannot be read."""
    try:
        if len(item.key.encode()) > _ORIGIN_MAX_BYTES:
            return f"{item.key[:80]}...: its path is longer than {_ORIGIN_MAX_BYTES:,} bytes"
        content = item.read()
    except UnicodeEncodeError:
        return f"{item.key!r}: its name is no valid text"
    except (ServerError, UsageError, OSError) as error:
        return _fault(item, error)
    content_sha256 = hashlib.sha256(content).hexdigest()
    image_id = compute_image_id(source=item.source, origin_id=item.key, content_sha256=content_sha256)
    return _File(item, content, content_sha256, image_id)


def _decode_file(file: _File, limits: ImageLimits) -> _Decoded | str:
    """The picture, or one sentence that says why it is none."""
    from milvuslab.embed.images.hash import compute_hash

    try:
        picture = decode_image(file.content, limits=limits, name=file.item.name)
    except UnsupportedError:
        raise  # the installation lacks a package: no picture could be read
    except UsageError as error:
        return _fault(file.item, error)
    pixels = picture.pixels
    return _Decoded(file, pixels, picture.width, picture.height, compute_hash(pixels), make_thumbnail(pixels))


def _fault(item: ImageItem, error: Exception) -> str:
    return f"{item.key}: {error.message if isinstance(error, MilvusLabError) else error}"


def _plan_batch(
    collection: ImageCollection,
    read: Sequence[tuple[ImageItem, _File | str]],
    *,
    pool: ThreadPoolExecutor,
    limits: ImageLimits,
    in_flight: _Batch | None,
) -> _Batch:
    """Starts decoding what is new or differs; `in_flight` is the batch before, which the server does not show yet."""
    files = [file for _, file in read if isinstance(file, _File)]
    by_place = {file.place: file for file in files}
    stored, contents = _fetch_stored(collection, list(by_place.values()))
    if in_flight is not None:
        stored |= {place: rows for place, rows in in_flight.rows.items() if place in by_place}
        contents = {**in_flight.contents, **contents}
    changed = [
        file
        for place, file in by_place.items()
        if _row_of(file) not in stored.get(place, ()) or not collection.pictures.has(file.image_id)
    ]
    stale_ids = {
        file.image_id: [row.image_id for row in stored.get(place, ()) if row.image_id != file.image_id]
        for place, file in by_place.items()
    }
    return _Batch(
        image_count=len(read),
        last_token=read[-1][0].resume_token,
        decoding={file.image_id: pool.submit(_decode_file, file, limits) for file in changed},
        stale_ids=stale_ids,
        rewriting=frozenset(
            file.image_id for file in changed if file.image_id in {row.image_id for row in stored.get(file.place, ())}
        ),
        unchanged_count=len(by_place) - len(changed),
        repeated_id_count=len(files) - len(by_place),
        duplicates=_duplicates(by_place.values(), contents),
        faults=[fault for _, fault in read if isinstance(fault, str)],
        rows={file.place: [_row_of(file)] for file in by_place.values()},
        contents={file.content_sha256: file.image_id for file in by_place.values()},
    )


def _fetch_stored(
    collection: ImageCollection, files: Sequence[_File]
) -> tuple[dict[tuple[str, str], list[_Row]], dict[str, str]]:
    """Stored pictures by place, and a key by content."""
    found = collection.gateway.rows.query(
        collection.name,
        where=where("origin_id").is_in(sorted({file.item.key for file in files}))
        | where("content_sha256").is_in(sorted({file.content_sha256 for file in files})),
        fields=["image_id", "origin_id", "source", "name", "label", "content_sha256"],
        consistency=Consistency.STRONG,
    )
    rows: dict[tuple[str, str], list[_Row]] = {}
    contents: dict[str, str] = {}
    for image_id, origin_id, source, name, label, content_sha256 in zip(
        found["image_id"], found["origin_id"], found["source"], found["name"], found["label"], found["content_sha256"],
        strict=True,
    ):  # fmt: skip
        rows.setdefault((source, origin_id), []).append(_Row(image_id, name, label))
        contents.setdefault(content_sha256, image_id)
    return rows, contents


def _row_of(file: _File) -> _Row:
    return _Row(file.image_id, _cut(file.item.name, 1_024), _cut(file.item.label, 256))


def _duplicates(files: Iterable[_File], contents: Mapping[str, str]) -> list[tuple[str, str]]:
    """Files whose content stands, or comes earlier in the batch, under another place."""
    seen: dict[str, str] = {}
    found: list[tuple[str, str]] = []
    for file in files:
        other = contents.get(file.content_sha256, seen.get(file.content_sha256))
        if other == file.image_id:
            other = seen.get(file.content_sha256)
        if other is not None and other != file.image_id:
            found.append((file.image_id, other))
        seen.setdefault(file.content_sha256, file.image_id)
    return found


def _write_batch(collection: ImageCollection, batch: _Batch) -> ImageIngestReport:
    results = {image_id: future.result() for image_id, future in batch.decoding.items()}
    decoded = [one for one in results.values() if isinstance(one, _Decoded)]
    # A file that turned out corrupt leaves what its place held as it is.
    corrupt_ids = {image_id for image_id, one in results.items() if isinstance(one, str)}
    faults = [*batch.faults, *(one for one in results.values() if isinstance(one, str))]
    if decoded:
        _write_rows(collection, decoded, rewriting=batch.rewriting)
    stale = [old for image_id, ids in batch.stale_ids.items() if image_id not in corrupt_ids for old in ids]
    if stale:
        collection.gateway.rows.delete(collection.name, ids=stale)
        remove_unreferenced(collection, stale)
    duplicates = [pair for pair in batch.duplicates if pair[0] not in corrupt_ids]
    replaced_count = sum(
        1 for one in decoded if batch.stale_ids[one.file.image_id] or one.file.image_id in batch.rewriting
    )
    return ImageIngestReport(
        image_count=batch.image_count,
        added_count=len(decoded) - replaced_count,
        replaced_count=replaced_count,
        unchanged_count=batch.unchanged_count,
        corrupt_count=len(faults),
        repeated_id_count=batch.repeated_id_count,
        duplicate_count=len(duplicates),
        duplicates=tuple(duplicates[:_LISTED_MAX]),
        faults=tuple(faults[:_LISTED_MAX]),
    )


def _write_rows(collection: ImageCollection, decoded: Sequence[_Decoded], *, rewriting: frozenset[str]) -> None:
    vectors = collection.encoder.encode_images([one.pixels for one in decoded])
    for one in decoded:
        collection.pictures.keep(one.file.image_id, thumbnail=one.thumbnail, original=one.file.content)
    again = [one.file.image_id for one in decoded if one.file.image_id in rewriting]
    if again:
        # Milvus inserts a key that is there a second time without a word.
        collection.gateway.rows.delete(collection.name, ids=again)
    collection.gateway.rows.insert(
        collection.name,
        {
            "image_id": [one.file.image_id for one in decoded],
            "origin_id": [one.file.item.key for one in decoded],
            "name": [_cut(one.file.item.name, 1_024) for one in decoded],
            "label": [_cut(one.file.item.label, 256) for one in decoded],
            "source": [_cut(one.file.item.source, 256) for one in decoded],
            "width": [one.width for one in decoded],
            "height": [one.height for one in decoded],
            "hash": [one.hash for one in decoded],
            "content_sha256": [one.file.content_sha256 for one in decoded],
            "vector": vectors,
        },
    )


def _cut(text: str, limit_bytes: int) -> str:
    """The text, at most that many bytes of it, whole letters."""
    return text.encode("utf-8", "replace")[:limit_bytes].decode("utf-8", "ignore")
