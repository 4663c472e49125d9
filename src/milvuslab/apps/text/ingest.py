"""Documents into a collection: idempotent, resumable, with duplicates reported.

Steps of one batch, and what a crash after each leaves:
1. Ask which of its documents are there (strong consistency).  Nothing changed.
2. Cut and encode those that are new or differ.                Nothing changed.
3. Insert the passages under a new revision, in one call.      Readers keep the highest revision: the new one, whole.
4. Delete the passages of all earlier revisions.               The next write of the document does it.
5. Report the checkpoint.                                      The next run reads the batch again and finds it unchanged.

One call is one timestamp of the server, so a document is never seen in part. In a collection of the first format, which has
no revisions, the old passages are deleted before the insert: between the two the document is missing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from milvuslab.apps.text.engine import BATCH_CHARS
from milvuslab.apps.text.passages import (
    UNKNOWN_TIME_S,
    CutDocument,
    compute_content_sha256,
    compute_document_id,
    cut_document,
    passage_columns,
)
from milvuslab.apps.text.revision import StoredRevision, fetch_revisions, make_revision
from milvuslab.gateway.rows import REQUEST_BYTES_MAX
from milvuslab.model.errors import LimitError
from milvuslab.model.filter import where
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.data.document import Document, Item
    from milvuslab.embed.encoder import FloatMatrix, TextEncoder

__all__ = ["Encode", "IngestReport", "ingest_documents"]

_LISTED_MAX = 100
_ROW_BYTES = 500
"""What a row takes beside its vector and its texts, at most."""
_DOCUMENT_BYTES_MAX = REQUEST_BYTES_MAX - (8 << 20)
"""The rest is for the documents of the same batch."""


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


Encode = Callable[["TextEncoder", Sequence[str]], "FloatMatrix"]
"""Gives the vectors of passages; see `milvuslab.embed.cache`."""


def ingest_documents(
    collection: TextCollection,
    items: Iterable[Item],
    *,
    batch_documents: int = 128,
    batch_chars: int = BATCH_CHARS,
    total_documents: int | None = None,
    observer: Observer = silent,
    on_checkpoint: Callable[[str, IngestReport], None] | None = None,
    before: IngestReport | None = None,
    encode: Encode | None = None,
) -> IngestReport:
    """Writes documents into the collection; on return they are acknowledged by the server.

    Args:
        collection: where they go.
        items: documents with their resume tokens, in order.
        batch_documents: most documents per round trip, the unit of resuming.
        batch_chars: about how much text per round trip.
        total_documents: how many there will be, for progress; None while unknown.
        observer: sees documents done.
        on_checkpoint: called after each acknowledged batch with the token to go on from and the report so far.
        before: report of an earlier, interrupted run that this one continues.
        encode: gives the vectors of passages; None asks the encoder itself, which remembers nothing.

    Raises:
        LimitError: a document's field is longer than its column, or a document has more passages than one call takes.
    """
    report = before or IngestReport()
    for batch in _batches(items, limit_documents=batch_documents, limit_chars=batch_chars):
        report = report.plus(_ingest_batch(collection, [item.document for item in batch], encode=encode))
        if on_checkpoint is not None:
            on_checkpoint(batch[-1].resume_token, report)
        observer(
            Progress(
                step="embed and insert", done_count=report.document_count, total_count=total_documents,
                unit="documents", message=f"{report.passage_count:,} passages written",
            )
        )  # fmt: skip
    return report


def _batches(items: Iterable[Item], *, limit_documents: int, limit_chars: int) -> Iterator[list[Item]]:
    """Items in groups that a machine of two cores embeds within seconds, so that progress is seen and little is lost."""
    batch: list[Item] = []
    char_count = 0
    for item in items:
        batch.append(item)
        char_count += len(item.document.text)
        if len(batch) >= limit_documents or char_count >= limit_chars:
            yield batch
            batch, char_count = [], 0
    if batch:
        yield batch


def _ingest_batch(collection: TextCollection, documents: list[Document], *, encode: Encode | None) -> IngestReport:
    by_id = {compute_document_id(document.source, document.document_id): document for document in documents}
    contents = {key: compute_content_sha256(document) for key, document in by_id.items()}
    stored, same_content = _fetch_stored(collection, contents)
    changed = [key for key, doc in by_id.items() if key not in stored or _differs(stored[key][0], doc, contents[key])]
    cuts = [cut_document(by_id[key], encoder=collection.encoder, cut=collection.cut) for key in changed]
    for cut in cuts:
        _check_size(collection, cut)
    _write(collection, cuts, stored, encode=encode)
    # What a write that broke off has left of a document that is as it should be.
    _delete(collection, [old for key in by_id.keys() - set(changed) for old in stored[key][1:]])
    replaced_count = sum(key in stored for key in changed)
    duplicates = _duplicates(contents, same_content)
    return IngestReport(
        document_count=len(documents),
        added_count=len(changed) - replaced_count,
        replaced_count=replaced_count,
        unchanged_count=len(by_id) - len(changed),
        passage_count=sum(len(cut.texts) for cut in cuts),
        repeated_id_count=len(documents) - len(by_id),
        duplicate_count=len(duplicates),
        duplicates=tuple(duplicates),
    )


def _fetch_stored(
    collection: TextCollection, contents: dict[str, str]
) -> tuple[dict[str, list[StoredRevision]], dict[str, list[str]]]:
    """Revisions of stored documents by our id, newest first, and ids by content."""
    condition = where("document_id").is_in(list(contents)) | where("content_sha256").is_in(
        sorted(set(contents.values()))
    )
    stored = fetch_revisions(collection, condition)
    same_content: dict[str, list[str]] = {}
    for key, revisions in stored.items():
        same_content.setdefault(revisions[0].content_sha256, []).append(key)
    return stored, same_content


def _differs(stored: StoredRevision, document: Document, content_sha256: str) -> bool:
    published_at_s = UNKNOWN_TIME_S if document.published_at_s is None else document.published_at_s
    mine = (content_sha256, document.url, published_at_s)
    return mine != (stored.content_sha256, stored.url, stored.published_at_s)


def _check_size(collection: TextCollection, cut: CutDocument) -> None:
    """A document goes in with one call, so that it is never seen in part; raises LimitError when that is too large."""
    head = cut.document.title + cut.document.url + cut.document.document_id
    row_bytes = 4 * collection.encoder.fingerprint.dim + 2 * len(head.encode()) + _ROW_BYTES
    # Terms are about as long as what they come from.
    text_bytes = sum(len(text.encode()) for text in cut.texts) * (2 if collection.has_lexical else 1)
    size_bytes = len(cut.texts) * row_bytes + text_bytes
    if size_bytes > _DOCUMENT_BYTES_MAX:
        raise LimitError(
            f"document {cut.document.document_id!r} has {len(cut.texts):,} passages, about {size_bytes:,} bytes, "
            f"more than the {_DOCUMENT_BYTES_MAX:,} that can be replaced at once",
            hint="cut it into several documents, or have it passed over: lower the setting document_limit_chars",
        )


def _write(
    collection: TextCollection,
    cuts: list[CutDocument],
    stored: dict[str, list[StoredRevision]],
    *,
    encode: Encode | None,
) -> None:
    if not cuts:
        return
    texts = [text for cut in cuts for text in cut.embedded_texts]
    vectors = encode(collection.encoder, texts) if encode else collection.encoder.encode_passages(texts)
    earlier = [stored.get(cut.document_id, []) for cut in cuts]
    stale = [revision for revisions in earlier for revision in revisions]
    if not collection.has_revision:
        _delete(collection, stale)
    columns = passage_columns(
        cuts, vectors, revisions=[make_revision(each) for each in earlier] if collection.has_revision else None,
        has_lexical=collection.has_lexical,
    )  # fmt: skip
    collection.gateway.rows.insert(collection.name, columns, is_whole=True)
    if collection.has_revision:
        _delete(collection, stale)


def _delete(collection: TextCollection, revisions: list[StoredRevision]) -> None:
    if revisions:
        keys = [key for revision in revisions for key in revision.passage_ids]
        collection.gateway.rows.delete(collection.name, ids=keys)


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
