"""Whole sources of pictures into collections, as jobs that can be watched, interrupted and resumed.

A job's id is made of server, target and source: the same command goes on where it was interrupted, and does nothing new
once it is done.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from milvuslab.apps.image.ingest import ImageIngestReport, ingest_images
from milvuslab.apps.image.shelf import DEFAULT_COLLECTION, DEFAULT_ENCODER, sample_collection
from milvuslab.data.images.source import ImageFault, ImageSource, open_images
from milvuslab.journal.job import JobWriter, read_job
from milvuslab.model.collection import check_name
from milvuslab.model.errors import ConflictError, MilvusLabError, NotFoundError, PartialError, UsageError, suggest
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.apps.image.collection import ImageCollection
    from milvuslab.apps.image.shelf import ImageShelf
    from milvuslab.model.settings import Settings

__all__ = ["DEMO_IMAGE_SAMPLES", "ImageLoadReport", "load_image_samples", "load_images"]

DEMO_IMAGE_SAMPLES = ("clipart", "emoji")
_FAULTS_LISTED_MAX = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageLoadReport:
    """What came of loading one source.

    Attributes:
        job_id: of its job record.
        collection: where it went.
        ingest: counts; files that could not be decoded among them.
        fault_count: places of the source that gave no file: broken links, members that lead out of an archive.
        faults: the first of them, as sentences.
    """

    job_id: str
    collection: str
    ingest: ImageIngestReport
    fault_count: int = 0
    faults: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return {**dataclasses.asdict(self), "ingest": self.ingest.as_dict()}


def load_images(
    shelf: ImageShelf,
    source_path: str,
    *,
    settings: Settings,
    collection: str = "",
    encoder: str = "",
    source: str = "",
    is_restart: bool = False,
    observer: Observer = silent,
) -> ImageLoadReport:
    """Reads a folder, archive, CIFAR file, list of addresses or address into a collection; goes on where it was.

    Args:
        shelf: the server's collections.
        source_path: what to read; see `data/images/source.py`.
        settings: limits of what is fetched, and where jobs are kept.
        collection: target; empty takes `images`.
        encoder: of a collection that is made now; empty takes the default.
        source: name kept with each picture; empty takes the path's.
        is_restart: forget an earlier, interrupted run.
        observer: sees progress.

    Raises:
        NotFoundError: no such path.
        UnsupportedError: it is no place of pictures.
        UsageError: it holds no picture.
        ConflictError: the collection has another encoder, or another process loads this source.
    """
    name, encoder = _choose_target(shelf, collection=collection, encoder=encoder)
    tally = _FaultTally()
    opened = open_images(source_path, source=source, settings=settings, on_fault=tally.count, observer=observer)
    # Looked at before anything is made: a wrong path leaves nothing behind.
    if next(iter(opened.items()), None) is None:
        hint = tally.faults[0] if tally.faults else "see docs/howto/your-own-pictures.md for what is read"
        raise UsageError(f"{source_path} holds no picture", hint=hint)
    tally.clear()
    writer = JobWriter(
        settings.home_dir / "jobs", _job_id(shelf, name, source_path), title=f"{source_path} into {name}"
    )
    if is_restart:
        writer.restart()
    return _run(lambda: shelf.create(name, encoder=encoder), opened, writer=writer, tally=tally, observer=observer)


def load_image_samples(
    shelf: ImageShelf, names: Sequence[str], *, settings: Settings, observer: Observer = silent
) -> list[ImageLoadReport]:
    """Fetches the samples and loads each into a collection of its own; what is done stays done.

    Raises:
        NotFoundError: no sample of that name.
        PartialError: some could not be fetched here; the others are loaded.
    """
    from milvuslab.data.images.samples import IMAGE_SAMPLES, open_image_sample

    for name in names:
        if name not in IMAGE_SAMPLES:
            raise NotFoundError(f"there is no sample {name}", hint=suggest(name, IMAGE_SAMPLES))
    reports = []
    absent: dict[str, MilvusLabError] = {}
    for name in (name for name in names if not _is_loaded(shelf, name, settings=settings)):
        tally = _FaultTally()
        try:
            opened = open_image_sample(name, settings=settings, on_fault=tally.count, observer=observer)
        except MilvusLabError as error:
            absent[name] = error
            continue
        target = sample_collection(name)
        writer = JobWriter(
            settings.home_dir / "jobs", _job_id(shelf, target, f"sample-{name}"), title=f"{name} into {target}"
        )
        reports.append(
            _run(functools.partial(shelf.create, target), opened, writer=writer, tally=tally, observer=observer)
        )
    if absent:
        raise PartialError(
            "; ".join(f"{name}: {error.message}" for name, error in absent.items()),
            done_count=len(names) - len(absent),
            failed_ids=list(absent),
            hint=next(iter(absent.values())).hint,
        )
    return reports


class _FaultTally:
    """Counts what a source could not give, and keeps the first faults in words."""

    def __init__(self) -> None:
        self.fault_count = 0
        self.faults: list[str] = []

    def count(self, fault: ImageFault) -> None:
        self.fault_count += 1
        if len(self.faults) < _FAULTS_LISTED_MAX:
            self.faults.append(f"{fault.key}: {fault.reason}")

    def clear(self) -> None:
        self.fault_count = 0
        self.faults.clear()


def _run(
    open_target: Callable[[], ImageCollection],
    opened: ImageSource,
    *,
    writer: JobWriter,
    tally: _FaultTally,
    observer: Observer,
) -> ImageLoadReport:
    """Loads the pictures under a job record, whose last state tells the truth whatever happens."""

    def observe(progress: Progress) -> None:
        writer.observe(progress)
        observer(progress)

    def report_of(name: str, ingest: ImageIngestReport) -> ImageLoadReport:
        return ImageLoadReport(
            job_id=writer.job.job_id,
            collection=name,
            ingest=ingest,
            fault_count=tally.fault_count,
            faults=tuple(tally.faults),
        )

    before = writer.job.report.get("ingest") if writer.job.resume_token else None
    try:
        target = open_target()
        ingest = ingest_images(
            target,
            opened.items(writer.job.resume_token),
            total_images=opened.total_count,
            observer=observe,
            before=None if before is None else ImageIngestReport.from_dict(before),
            on_checkpoint=lambda token, report: writer.checkpoint(
                resume_token=token, report=report_of(target.name, report).as_dict()
            ),
        )
        target.gateway.collections.flush(target.name)
    except MilvusLabError as error:
        writer.fail(error.message)
        raise
    except BaseException:
        writer.fail("stopped before its end; the same command goes on", is_interrupt=True)
        raise
    report = report_of(target.name, ingest)
    writer.finish(report=report.as_dict())
    return report


def _is_loaded(shelf: ImageShelf, name: str, *, settings: Settings) -> bool:
    target = sample_collection(name)
    job = read_job(settings.home_dir / "jobs", _job_id(shelf, target, f"sample-{name}"))
    if job is None or job.state != "done" or not shelf.gateway.collections.exists(target):
        return False
    # The record may outlive the data: a dropped or emptied collection is loaded again.
    return shelf.gateway.rows.count(shelf.open(target).name) > 0


def _choose_target(shelf: ImageShelf, *, collection: str, encoder: str) -> tuple[str, str]:
    """Name and encoder of the collection to write to; nothing is made."""
    name = check_name(collection or DEFAULT_COLLECTION, what="collection")
    if not shelf.gateway.collections.exists(name):
        return name, encoder or DEFAULT_ENCODER
    has = shelf.open(name).encoder.fingerprint.name
    if encoder and encoder != has:
        raise ConflictError(f"collection {name} has the encoder {has}, not {encoder}", hint="choose another collection")
    return name, has


def _job_id(shelf: ImageShelf, collection: str, source_path: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", Path(source_path).name.lower()).strip("-")[:40] or "source"
    key = hashlib.sha256(f"{shelf.gateway.endpoint.safe_uri}\0{collection}\0{source_path}".encode()).hexdigest()[:12]
    return f"image-{words}-{key}"
