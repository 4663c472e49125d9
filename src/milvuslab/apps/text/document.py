"""Single documents of a collection: add one, read one, remove one; and what the collection holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from milvuslab.apps.text.ingest import ingest_documents
from milvuslab.apps.text.passages import UNKNOWN_TIME_S, compute_document_id
from milvuslab.data.document import Item
from milvuslab.model.collection import Consistency
from milvuslab.model.errors import NotFoundError
from milvuslab.model.filter import where

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.data.document import Document

__all__ = ["StoredDocument", "TextStats", "add_document", "collect_text_stats", "delete_document", "get_document"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoredDocument:
    """A document as the collection holds it.

    Attributes:
        document_id: our key.
        origin_id: its id where it came from.
        text: put together again from its passages; white space between passages may differ from the original's.
        passage_count: how many passages it has.
    """

    document_id: str
    origin_id: str
    title: str
    text: str
    language: str
    source: str
    url: str
    published_at_s: int | None
    passage_count: int

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TextStats:
    """What a collection holds.

    Attributes:
        collection: its name.
        encoder: name of its encoder.
        dim: numbers per vector.
        passage_count: rows, deleted ones left out.
        document_count: documents; one whose replacement broke off counts twice until it is written again.
        index_type: of the vector field.
    """

    collection: str
    encoder: str
    dim: int
    passage_count: int
    document_count: int
    index_type: str

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def add_document(collection: TextCollection, document: Document) -> str:
    """Our key of the document, which is acknowledged on return; one with the same id is replaced."""
    ingest_documents(collection, [Item(document=document, resume_token="")])
    return compute_document_id(document.source, document.document_id)


def get_document(collection: TextCollection, document_id: str) -> StoredDocument:
    """The document of that key.

    Raises:
        NotFoundError: no such document.
    """
    found = _fetch_rows(collection, document_id)
    if len(found["text"]) == 0:
        # Lite answers a query part by part (seen on 3.2.2, rarely): what moves meanwhile may be in neither part.
        found = _fetch_rows(collection, document_id)
    rows = sorted(_rows_of_newest(found), key=lambda row: int(found["ordinal"][row]))
    if not rows:
        raise _not_found(collection, document_id)
    first = rows[0]
    published_at_s = int(found["published_at_s"][first])
    return StoredDocument(
        document_id=document_id,
        origin_id=found["origin_id"][first],
        title=found["title"][first],
        text=_join([(int(found["start"][row]), found["text"][row]) for row in rows]),
        language=found["language"][first],
        source=found["source"][first],
        url=found["url"][first],
        published_at_s=None if published_at_s == UNKNOWN_TIME_S else published_at_s,
        passage_count=len(rows),
    )


def _fetch_rows(collection: TextCollection, document_id: str) -> dict[str, Any]:
    """Everything but the vectors of all passages of the document, in any order."""
    return collection.gateway.rows.query(
        collection.name,
        where=where("document_id") == document_id,
        fields=[
            "ordinal", "start", "text", "origin_id", "title", "language", "source", "url", "published_at_s",
            *(["revision"] if collection.has_revision else []),
        ],
        consistency=Consistency.STRONG,
    )  # fmt: skip


def delete_document(collection: TextCollection, document_id: str) -> int:
    """Removes the document in all its revisions; returns how many passages a reader saw of it.

    Raises:
        NotFoundError: no such document.
    """
    fields = ["revision"] if collection.has_revision else []
    found = collection.gateway.rows.query(
        collection.name, where=where("document_id") == document_id, fields=fields, consistency=Consistency.STRONG
    )
    if not found["passage_id"]:
        raise _not_found(collection, document_id)
    collection.gateway.rows.delete(collection.name, ids=found["passage_id"])
    return len(_rows_of_newest(found))


def collect_text_stats(collection: TextCollection) -> TextStats:
    """Counts of everything acknowledged so far."""
    rows = collection.gateway.rows
    return TextStats(
        collection=collection.name,
        encoder=collection.encoder.fingerprint.name,
        dim=collection.encoder.fingerprint.dim,
        passage_count=rows.count(collection.name, consistency=Consistency.STRONG),
        document_count=rows.count(collection.name, where("ordinal") == 0, consistency=Consistency.STRONG),
        index_type=collection.indexed.index_type,
    )


def _rows_of_newest(found: Mapping[str, Any]) -> list[int]:
    """Rows of the highest revision of one document; all where there are no revisions."""
    rows = range(len(found["passage_id"]))
    if "revision" not in found:
        return list(rows)
    newest = max(found["revision"], default=0)
    return [row for row in rows if found["revision"][row] == newest]


def _not_found(collection: TextCollection, document_id: str) -> NotFoundError:
    return NotFoundError(
        f"collection {collection.name} holds no document {document_id}",
        hint="search for it first: milvuslab text search",
    )


def _join(passages: list[tuple[int, str]]) -> str:
    """The text again: each passage adds what lies beyond the ones before it."""
    text = ""
    for start, passage in passages:
        if start > len(text):
            text += " " * (start - len(text))  # blanks between passages are not stored
        text += passage[len(text) - start :]
    return text
