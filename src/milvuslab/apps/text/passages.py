"""From a document to the rows of its passages. Pure: no server, no clock.

The same document always gives the same passages with the same ids, so that a load that is repeated changes nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import TYPE_CHECKING, Any

from milvuslab.data.chunking import chunk_text
from milvuslab.data.terms import normalize_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milvuslab.apps.text.collection import PassageCut
    from milvuslab.data.document import Document
    from milvuslab.embed.encoder import TextEncoder

__all__ = [
    "LEXICAL_MAX_BYTES",
    "UNKNOWN_TIME_S",
    "CutDocument",
    "compute_content_sha256",
    "compute_document_id",
    "cut_document",
    "passage_columns",
    "passage_ids",
]

LEXICAL_MAX_BYTES = 65_535
"""Longest terms of a passage; what is longer loses its last terms. Milvus's longest VARCHAR."""
UNKNOWN_TIME_S = -(2**62)
"""`published_at_s` of a document without a date: before every date, so a lower bound excludes it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CutDocument:
    """A document with its passages.

    Attributes:
        document: what was read.
        document_id: our key of it, 24 hexadecimal digits.
        content_sha256: of title, text and language.
        lead: the title, or as much of it as a passage can spare; may be empty.
        starts: character offset of each passage in the text.
        texts: the passages, `texts[i] == document.text[starts[i]:][:len(texts[i])]`.
    """

    document: Document
    document_id: str
    content_sha256: str
    lead: str
    starts: tuple[int, ...]
    texts: tuple[str, ...]

    @property
    def embedded_texts(self) -> list[str]:
        """What the encoder reads: each passage below its title, which says what the passage is about."""
        return [f"{self.lead}\n{text}" if self.lead else text for text in self.texts]


def compute_document_id(source: str, origin_id: str) -> str:
    """Key of a document: 24 hexadecimal digits of a hash over where it comes from and its id there.

    >>> compute_document_id("news", "17")
    'd8f8126a61d27647cf595f87'
    """
    return hashlib.sha256(f"{source}\0{origin_id}".encode()).hexdigest()[:24]


def compute_content_sha256(document: Document) -> str:
    """Hash over the content alone: the same text under two ids has the same."""
    content = [document.title, document.text, document.language]
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()


def cut_document(document: Document, *, encoder: TextEncoder, cut: PassageCut) -> CutDocument:
    """The document with its passages.

    `cut.limit_tokens` counts everything the encoder reads of a passage: its own marks, the title (a quarter at
    most) and the text.
    """
    room = min(cut.limit_tokens, encoder.limit_tokens) - encoder.overhead_tokens
    lead = _lead(document.title, encoder=encoder, limit_tokens=room // 4)
    # The line end between title and text may be a token of its own.
    limit = room - (len(encoder.token_offsets(lead)) + 1 if lead else 0)
    chunks = chunk_text(
        document.text, token_offsets=encoder.token_offsets, limit_tokens=limit,
        overlap_tokens=min(cut.overlap_tokens, limit // 2), language=document.language,
    )  # fmt: skip
    return CutDocument(
        document=document,
        document_id=compute_document_id(document.source, document.document_id),
        content_sha256=compute_content_sha256(document),
        lead=lead,
        starts=tuple(chunk.start for chunk in chunks),
        texts=tuple(chunk.text for chunk in chunks),
    )


def _lead(title: str, *, encoder: TextEncoder, limit_tokens: int) -> str:
    offsets = encoder.token_offsets(title)
    if len(offsets) <= limit_tokens:
        return title.strip()
    return title[: int(offsets[limit_tokens - 1][1])].strip() if limit_tokens > 0 else ""


def passage_ids(document_id: str, passage_count: int, *, revision: int = 0) -> list[str]:
    """Keys of a document's passages; those of two revisions differ, and 0 stands for none."""
    lead = f"{document_id}-{revision:x}" if revision else document_id
    return [f"{lead}-{ordinal:05d}" for ordinal in range(passage_count)]


def passage_columns(
    documents: Sequence[CutDocument], vectors: Any, *, revisions: Sequence[int] | None = None, has_lexical: bool = False
) -> dict[str, Any]:
    """Rows of the passages, as columns.

    Each document's first passage comes last, so that a write that stops half-way never leaves a document that looks
    whole: where ordinal 0 stands, all of them do.

    Args:
        documents: in the order in which their passages were encoded.
        vectors: (passages, dim) float32 in that order.
        revisions: of each document; None for a collection that has none.
        has_lexical: whether the rows carry their terms.

    Raises:
        UnsupportedError: terms of a Korean document without the extra `korean`.
    """
    columns: dict[str, list[Any]] = {
        name: []
        for name in (
            "passage_id", "document_id", "origin_id", "ordinal", "passage_count", "start", "title", "text", "language",
            "source", "url", "published_at_s", "content_sha256",
        )
    }  # fmt: skip
    order: list[int] = []
    offset = 0
    for place, cut in enumerate(documents):
        count = len(cut.texts)
        ordinals = [*range(1, count), 0]
        revision = revisions[place] if revisions else 0
        ids = passage_ids(cut.document_id, count, revision=revision)
        document = cut.document
        published_at_s = UNKNOWN_TIME_S if document.published_at_s is None else document.published_at_s
        columns["passage_id"] += [ids[ordinal] for ordinal in ordinals]
        columns["ordinal"] += ordinals
        columns["start"] += [cut.starts[ordinal] for ordinal in ordinals]
        columns["text"] += [cut.texts[ordinal] for ordinal in ordinals]
        for name, value in (
            ("document_id", cut.document_id), ("origin_id", document.document_id), ("passage_count", count),
            ("title", document.title), ("language", document.language), ("source", document.source),
            ("url", document.url), ("published_at_s", published_at_s), ("content_sha256", cut.content_sha256),
        ):  # fmt: skip
            columns[name] += [value] * count
        if revisions:
            columns.setdefault("revision", []).extend([revision] * count)
        order += [offset + ordinal for ordinal in ordinals]
        offset += count
    if has_lexical:
        columns["lexical"] = [
            normalize_terms(f"{text}\n{title}", language=language, limit_bytes=LEXICAL_MAX_BYTES)
            for title, text, language in zip(columns["title"], columns["text"], columns["language"], strict=True)
        ]
    return {**columns, "vector": vectors[order]}
