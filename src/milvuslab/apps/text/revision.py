"""Revisions of documents: how a document is replaced without a moment in which it is missing or mixed.

Each write of a document carries a number higher than all before it, and passage ids of its own. All its passages go in
with one call, which is one timestamp of the server, and then those of the revisions before are deleted. So a reader
sees the old passages, both, or the new ones, and takes per document only those of the highest revision it sees. Of
two writers at once both may stand for a while; the higher one is read, and the next write removes the other.

A collection of the first format has no revisions; there each document has the revision 0.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from milvuslab.apps.text.passages import passage_ids
from milvuslab.model.collection import Consistency
from milvuslab.model.filter import where

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.model.filter import Filter

__all__ = ["StoredRevision", "fetch_revisions", "make_revision"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoredRevision:
    """One revision of a document, as its first passage tells it.

    Attributes:
        revision: its number; 0 in a collection without revisions.
        published_at_s: as stored: `UNKNOWN_TIME_S` for a document without a date.
    """

    document_id: str
    revision: int
    content_sha256: str
    passage_count: int
    url: str
    published_at_s: int

    @property
    def passage_ids(self) -> list[str]:
        """Keys of its passages, the first passage last: while any stands, that one does."""
        return passage_ids(self.document_id, self.passage_count, revision=self.revision)[::-1]


def fetch_revisions(collection: TextCollection, condition: Filter) -> dict[str, list[StoredRevision]]:
    """All revisions of the documents that meet the condition, by document, highest first; as fresh as can be."""
    numbered = ["revision"] if collection.has_revision else []
    fields = ["document_id", "content_sha256", "passage_count", "url", "published_at_s"]
    found = collection.gateway.rows.query(
        collection.name,
        where=(where("ordinal") == 0) & condition,
        fields=[*fields, *numbered],
        consistency=Consistency.STRONG,
    )
    stored: dict[str, list[StoredRevision]] = {}
    for row, document_id in enumerate(found["document_id"]):
        revision = StoredRevision(
            document_id=document_id,
            revision=int(found["revision"][row]) if numbered else 0,
            content_sha256=found["content_sha256"][row],
            passage_count=int(found["passage_count"][row]),
            url=found["url"][row],
            published_at_s=int(found["published_at_s"][row]),
        )
        stored.setdefault(document_id, []).append(revision)
    return {key: sorted(revisions, key=lambda each: -each.revision) for key, revisions in stored.items()}


def make_revision(earlier: Sequence[StoredRevision]) -> int:
    """A number above those of all earlier revisions, and, but for chance, unlike that of a writer at the same time.

    Microseconds since 1970, so that numbers also rise from one delete and new beginning to the next.
    """
    return max(time.time_ns() // 1_000, *(each.revision + 1 for each in earlier), 1)
