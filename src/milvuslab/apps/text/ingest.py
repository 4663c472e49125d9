"""Documents into a collection: idempotent, resumable, with duplicates reported.

Steps of one batch, and what a crash after each leaves:
1. Ask which of its documents are there (strong consistency).  Nothing changed.
2. Cut and encode those that are new or differ.                Nothing changed.
3. Delete the old passages of those that differ.               They are missing; the next run writes them.
4. Insert the passages, each document's first one last.        A document whose first passage stands is whole.
5. Report the checkpoint.                                      The next run reads the batch again and finds it unchanged.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from milvuslab.apps.text.passages import (
    UNKNOWN_TIME_S,
    CutDocument,
    compute_content_sha256,
    compute_document_id,
    cut_document,
    passage_columns,
    passage_ids,
)
from milvuslab.model.collection import Consistency
from milvuslab.model.filter import where
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.data.document import Document, Item

__all__ = ["IngestReport", "ingest_documents"]

_LISTED_MAX = 100
_BATCH_CHARS = 40_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IngestReport:
    """What came of a load.

    Attributes:
        document_count: documents read.
        added_count: documents that were new.
        replaced_count: documents that were there with other content.
        unchanged_count: documents that were there already, as they are.
        passage_count: passages written.
        repeated_id_count: documents whose id came twice in this load with other content; the last one stands.
        duplicate_count: documents whose content is there under another id; they are kept.
        duplicates: the first of them, as (our id, id of the one with the same content).
    """

    document_count: int = 0
    added_count: int = 0
    replaced_count: int = 0
    unchanged_count: int = 0
    passage_count: int = 0
    repeated_id_count: int = 0
    duplicate_count: int = 0
    duplicates: tuple[tuple[str, str], ...] = ()

    def plus(self, other: IngestReport) -> IngestReport:
        """Both together."""
        counts = {
            field.name: getattr(self, field.name) + getattr(other, field.name) for field in dataclasses.fields(self)
        }
        return IngestReport(**{**counts, "duplicates": counts["duplicates"][:_LISTED_MAX]})

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True)
class _Stored:
    """What the collection knows of a document."""

    content_sha256: str
    passage_count: int
    url: str
    published_at_s: int


def ingest_documents(
    collection: TextCollection,
    items: Iterable[Item],
    *,
    batch_documents: int = 16,
    total_documents: int | None = None,
    observer: Observer = silent,
    on_checkpoint: Callable[[str, IngestReport], None] | None = None,
    before: IngestReport | None = None,
) -> IngestReport:
    """Writes documents into the collection; on return they are acknowledged by the server.

    Args:
        collection: where they go.
        items: documents with their resume tokens, in order.
        batch_documents: most documents per round trip, fewer when they are long; the unit of resuming.
        total_documents: how many there will be, for progress; None while unknown.
        observer: sees documents done.
        on_checkpoint: called after each acknowledged batch with the token to go on from and the report so far.
        before: report of an earlier, interrupted run that this one continues.

    Raises:
        LimitError: a document's field is longer than its column.
    """
    report = before or IngestReport()
    for batch in _batches(items, limit_documents=batch_documents):
        report = report.plus(_ingest_batch(collection, [item.document for item in batch]))
        if on_checkpoint is not None:
            on_checkpoint(batch[-1].resume_token, report)
        observer(
            Progress(
                step="embed and insert", done_count=report.document_count, total_count=total_documents,
                unit="documents", message=f"{report.passage_count:,} passages written",
            )
        )  # fmt: skip
    return report


def _batches(items: Iterable[Item], *, limit_documents: int) -> Iterator[list[Item]]:
    """Items in groups that a machine of two cores embeds within seconds, so that progress is seen and little is lost."""
    batch: list[Item] = []
    char_count = 0
    for item in items:
        batch.append(item)
        char_count += len(item.document.text)
        if len(batch) >= limit_documents or char_count >= _BATCH_CHARS:
            yield batch
            batch, char_count = [], 0
    if batch:
        yield batch


def _ingest_batch(collection: TextCollection, documents: list[Document]) -> IngestReport:
    by_id = {compute_document_id(document.source, document.document_id): document for document in documents}
    contents = {key: compute_content_sha256(document) for key, document in by_id.items()}
    stored, same_content = _fetch_stored(collection, contents)
    changed = {key: doc for key, doc in by_id.items() if key not in stored or _differs(stored[key], doc, contents[key])}
    cuts = [cut_document(document, encoder=collection.encoder, cut=collection.cut) for document in changed.values()]
    replaced = [key for key in changed if key in stored]
    if cuts:
        _write(collection, cuts, {key: stored[key].passage_count for key in replaced})
    duplicates = _duplicates(contents, same_content)
    return IngestReport(
        document_count=len(documents),
        added_count=len(changed) - len(replaced),
        replaced_count=len(replaced),
        unchanged_count=len(by_id) - len(changed),
        passage_count=sum(len(cut.texts) for cut in cuts),
        repeated_id_count=len(documents) - len(by_id),
        duplicate_count=len(duplicates),
        duplicates=tuple(duplicates),
    )


def _fetch_stored(
    collection: TextCollection, contents: dict[str, str]
) -> tuple[dict[str, _Stored], dict[str, list[str]]]:
    """Stored documents by our id, and ids by content."""
    found = collection.gateway.rows.query(
        collection.name,
        where=(where("ordinal") == 0)
        & (where("document_id").is_in(list(contents)) | where("content_sha256").is_in(sorted(set(contents.values())))),
        fields=["document_id", "content_sha256", "passage_count", "url", "published_at_s"],
        consistency=Consistency.STRONG,
    )
    stored: dict[str, _Stored] = {}
    same_content: dict[str, list[str]] = {}
    for key, content, count, url, published_at_s in zip(
        found["document_id"], found["content_sha256"], found["passage_count"], found["url"], found["published_at_s"],
        strict=True,
    ):  # fmt: skip
        stored[key] = _Stored(content, int(count), url, int(published_at_s))
        same_content.setdefault(content, []).append(key)
    return stored, same_content


def _differs(stored: _Stored, document: Document, content_sha256: str) -> bool:
    published_at_s = UNKNOWN_TIME_S if document.published_at_s is None else document.published_at_s
    mine = (content_sha256, document.url, published_at_s)
    return mine != (stored.content_sha256, stored.url, stored.published_at_s)


def _write(collection: TextCollection, cuts: list[CutDocument], replaced_counts: dict[str, int]) -> None:
    vectors = collection.encoder.encode_passages([text for cut in cuts for text in cut.embedded_texts])
    stale = [key for document_id, count in replaced_counts.items() for key in passage_ids(document_id, count)]
    if stale:
        collection.gateway.rows.delete(collection.name, ids=stale)
    collection.gateway.rows.insert(collection.name, passage_columns(cuts, vectors))


def _duplicates(contents: dict[str, str], same_content: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Documents of this batch whose content stands, or comes earlier in the batch, under another id."""
    seen: dict[str, str] = {}
    found: list[tuple[str, str]] = []
    for key, content in contents.items():
        other = next((other for other in same_content.get(content, ()) if other != key), seen.get(content))
        if other is not None:
            found.append((key, other))
        seen.setdefault(content, key)
    return found
