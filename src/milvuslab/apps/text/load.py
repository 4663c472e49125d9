"""Whole sources into collections, as jobs that can be watched, interrupted and resumed.

A source's documents go to the default collection of their language, or to the one that is named. A job's id is made of
server, target and source: the same command goes on where it was interrupted, and does nothing new once it is done.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from milvuslab.apps.text.engine import EngineName, check_engine, open_engine
from milvuslab.apps.text.ingest import IngestReport, ingest_documents
from milvuslab.apps.text.shelf import ANY_LANGUAGE, default_for
from milvuslab.data.document import Item
from milvuslab.data.readers import Skipped, read_documents
from milvuslab.data.samples import SAMPLES, fetch_sample, read_sample
from milvuslab.journal.job import JobWriter, read_job
from milvuslab.model.collection import check_name
from milvuslab.model.errors import ConflictError, MilvusLabError, NotFoundError, PartialError, UsageError, suggest
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.apps.text.shelf import Shelf
    from milvuslab.model.settings import Settings

__all__ = ["LoadReport", "load_samples", "load_source"]

_FAULTS_LISTED_MAX = 100
_FIRST_SLICE_CHARS = 60_000
"""About 150 passages, which two cores embed in a few seconds."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """What came of loading one source.

    Attributes:
        job_id: of its job record.
        collection: where it went.
        ingest: counts.
        skipped_counts: rows, pages or files that are no documents, by kind; redirects of a dump among them.
        faults: the first of those a person should look at, as sentences.
    """

    job_id: str
    collection: str
    ingest: IngestReport
    skipped_counts: dict[str, int] = dataclasses.field(default_factory=dict)
    faults: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """A form for JSON."""
        return {**dataclasses.asdict(self), "ingest": self.ingest.as_dict()}


def load_source(
    shelf: Shelf,
    source_path: str,
    *,
    settings: Settings,
    language: str = "",
    collection: str = "",
    encoder: str = "",
    source: str = "",
    format: str | None = None,
    engine: str = "local",
    is_restart: bool = False,
    observer: Observer = silent,
) -> LoadReport:
    """Reads a file, folder or URL into a collection; goes on where an interrupted run of the same source was.

    Args:
        shelf: the server's collections.
        source_path: file, folder or URL.
        settings: limits of the readers.
        language: of the documents, where they do not say; needed unless `collection` is there already.
        collection: target; empty takes the language's default.
        encoder: of a collection that is made now; empty takes the language's default.
        source: name kept with each document; empty takes the file name.
        format: of the reader; None goes by the name's ending.
        engine: where passages are embedded: `local`, or `ray` for the workers of a Ray cluster.
        is_restart: forget an earlier, interrupted run.
        observer: sees progress.

    Raises:
        UsageError: neither a language nor an existing collection is named.
        NotFoundError: no such file.
        ConflictError: another process loads this source.
        UnsupportedError: `ray` without its extra.
    """
    chosen_engine = check_engine(engine)
    name, encoder = _choose_target(shelf, language=language, collection=collection, encoder=encoder)
    jobs_dir = settings.home_dir / "jobs"
    job_id = _job_id(shelf, name, source_path)
    before = None if is_restart else read_job(jobs_dir, job_id)
    tally = _SkipTally()
    items = read_documents(
        source_path,
        format=format,
        language=language or None,
        source=source or None,
        resume_token=before.resume_token if before else "",
        on_skip=tally.count,
        settings=settings,
        observer=observer,
    )
    # The first document is read before anything is made: a wrong path or format leaves nothing behind.
    items = _peeked(items, source_path, tally=tally, is_resumed=bool(before and before.resume_token))
    writer = JobWriter(jobs_dir, job_id, title=f"{source_path} into {name}")
    if is_restart:
        writer.restart()
    return _run(
        lambda: shelf.create(name, encoder=encoder), items, name=name, writer=writer, total_documents=None, tally=tally,
        settings=settings, engine=chosen_engine, observer=observer,
    )  # fmt: skip


def load_samples(
    shelf: Shelf,
    names: Sequence[str],
    *,
    settings: Settings,
    is_multilingual: bool = False,
    observer: Observer = silent,
) -> list[LoadReport]:
    """Fetches the samples and loads each into the collection of its language; what is done stays done.

    The samples of different languages take turns, a slice of each, so that a page soon answers in all of them.

    Args:
        shelf: the server's collections.
        names: of the samples.
        settings: limits of the readers.
        is_multilingual: all of them into the one collection for questions across languages.
        observer: sees progress.

    Raises:
        NotFoundError: no sample of that name.
        PartialError: some could not be fetched here; the others are loaded.
    """
    for name in names:
        if name not in SAMPLES:
            raise NotFoundError(f"there is no sample {name}", hint=suggest(name, SAMPLES))
    reports: dict[str, LoadReport] = {}
    absent = {}
    waiting = []
    targets = {name: ANY_LANGUAGE if is_multilingual else SAMPLES[name].languages[0] for name in names}
    for name in (name for name in names if not _is_loaded(shelf, name, targets[name], settings=settings)):
        try:
            fetch_sample(name, settings=settings, observer=observer)
            waiting.append(name)
        except MilvusLabError as error:  # noqa: PERF203 -- a few samples, each a download
            absent[name] = error
    slice_chars = _FIRST_SLICE_CHARS
    while waiting:
        for name in list(waiting):
            report = _load_sample_slice(
                shelf, name, targets[name], settings=settings, observer=observer, slice_chars=slice_chars
            )
            if report is not None:
                reports[name] = report
                waiting.remove(name)
        slice_chars *= 4
    if absent:
        raise PartialError(
            f"{len(absent)} of {len(names)} samples could not be fetched: "
            + "; ".join(f"{name}: {error.message}" for name, error in absent.items()),
            done_count=len(names) - len(absent), failed_ids=list(absent), hint=next(iter(absent.values())).hint,
        )  # fmt: skip
    return list(reports.values())


def _is_loaded(shelf: Shelf, name: str, language: str, *, settings: Settings) -> bool:
    collection = default_for(language).collection
    job = read_job(settings.home_dir / "jobs", _job_id(shelf, collection, f"sample-{name}"))
    if job is None or job.state != "done" or not shelf.gateway.collections.exists(collection):
        return False
    # The record may outlive the data: a dropped or emptied collection is loaded again.
    return shelf.gateway.rows.count(collection) > 0


def _load_sample_slice(
    shelf: Shelf, name: str, language: str, *, settings: Settings, observer: Observer, slice_chars: int
) -> LoadReport | None:
    """The report when the sample is done, None when more of it remains."""
    sample = SAMPLES[name]
    collection = default_for(language).collection
    job_id = _job_id(shelf, collection, f"sample-{name}")
    writer = JobWriter(settings.home_dir / "jobs", job_id, title=f"{sample.title} into {collection}")
    items = _Slice(read_sample(name, settings=settings, resume_token=writer.job.resume_token), slice_chars)
    report = _run(
        lambda: shelf.create_for_language(language), items, name=collection, writer=writer,
        total_documents=sample.document_count, tally=_SkipTally(),
        settings=settings, observer=observer, is_last=lambda: not items.has_more,
    )  # fmt: skip
    return None if items.has_more else report


class _Slice:
    """The first items of an iterator, about `size_chars` of text; `has_more` says whether it went on."""

    def __init__(self, items: Iterable[Item], size_chars: int) -> None:
        self._items = iter(items)
        self._size_chars = size_chars
        self.has_more = True

    def __iter__(self) -> Iterator[Item]:
        char_count = 0
        while char_count < self._size_chars:
            item = next(self._items, None)
            if item is None:
                self.has_more = False
                return
            char_count += len(item.document.text)
            yield item


class _SkipTally:
    """Counts what readers pass over and keeps the first faults in words."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.faults: list[str] = []

    def count(self, skipped: Skipped) -> None:
        self.counts[skipped.kind] = self.counts.get(skipped.kind, 0) + 1
        if skipped.is_fault and len(self.faults) < _FAULTS_LISTED_MAX:
            where = skipped.name if skipped.row is None else f"{skipped.name}:{skipped.row}"
            self.faults.append(f"{where}: {skipped.reason}")


def _peeked(items: Iterator[Item], source_path: str, *, tally: _SkipTally, is_resumed: bool) -> Iterator[Item]:
    first = next(items, None)
    if first is None and not is_resumed:
        raise UsageError(
            f"{source_path} holds no document",
            hint=tally.faults[0] if tally.faults else "see docs/howto/your-own-documents.md for what is read",
        )
    return iter(()) if first is None else itertools.chain([first], items)


def _run(
    open_target: Callable[[], TextCollection],
    items: Iterable[Item],
    *,
    name: str,
    writer: JobWriter,
    total_documents: int | None,
    tally: _SkipTally,
    settings: Settings,
    engine: EngineName = "local",
    observer: Observer,
    is_last: Callable[[], bool] = lambda: True,
) -> LoadReport:
    """Loads the items under a job record, whose last state tells the truth whatever happens."""

    def observe(progress: Progress) -> None:
        writer.observe(progress)
        observer(progress)

    def report_of(ingest: IngestReport) -> LoadReport:
        return LoadReport(
            job_id=writer.job.job_id, collection=name, ingest=ingest, skipped_counts=dict(tally.counts),
            faults=tuple(tally.faults),
        )  # fmt: skip

    before = _report_before(writer)
    try:
        target = open_target()
        with open_engine(engine, fingerprint=target.encoder.fingerprint, settings=settings) as chosen:
            ingest = ingest_documents(
                target, items, total_documents=total_documents, observer=observe, before=before,
                encode=chosen.encode, batch_documents=chosen.batch_documents, batch_chars=chosen.batch_chars,
                on_checkpoint=lambda token, report: writer.checkpoint(
                    resume_token=token, report=report_of(report).as_dict()
                ),
            )  # fmt: skip
        if is_last():
            target.gateway.collections.flush(name)
    except MilvusLabError as error:
        writer.fail(error.message)
        raise
    except BaseException:
        writer.fail("stopped before its end; the same command goes on", is_interrupt=True)
        raise
    report = report_of(ingest)
    if is_last():
        writer.finish(report=report.as_dict())
    else:
        writer.pause()
    return report


def _report_before(writer: JobWriter) -> IngestReport:
    stored = writer.job.report.get("ingest") if writer.job.resume_token else None
    if stored is None:
        return IngestReport()
    return IngestReport(**{**stored, "duplicates": tuple((mine, other) for mine, other in stored["duplicates"])})


def _choose_target(shelf: Shelf, *, language: str, collection: str, encoder: str) -> tuple[str, str]:
    """Name and encoder of the collection to write to; nothing is made."""
    if collection and shelf.gateway.collections.exists(collection):
        has = shelf.open(collection).encoder.fingerprint.name
        if encoder and encoder != has:
            raise ConflictError(
                f"collection {collection} has the encoder {has}, not {encoder}", hint="choose another collection"
            )
        return collection, has
    if not language and not (collection and encoder):
        raise UsageError("the language of the documents is not known", hint="say --language en or --language ko")
    default = default_for(language) if language else None
    name = collection or (default.collection if default else "")
    return check_name(name, what="collection"), encoder or (default.encoder if default else "")


def _job_id(shelf: Shelf, collection: str, source_path: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", Path(source_path).name.lower()).strip("-")[:40] or "source"
    key = hashlib.sha256(f"{shelf.gateway.endpoint.safe_uri}\0{collection}\0{source_path}".encode()).hexdigest()[:12]
    return f"text-{words}-{key}"
