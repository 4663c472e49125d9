"""Questions to a collection: passages by meaning, within filters, grouped by document; and similar documents."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from milvuslab.apps.text.collection import PASSAGE_FIELDS
from milvuslab.apps.text.highlight import highlight_spans
from milvuslab.apps.text.passages import UNKNOWN_TIME_S
from milvuslab.model.collection import Consistency
from milvuslab.model.errors import NotFoundError, UsageError
from milvuslab.model.filter import Filter, where
from milvuslab.model.metric import Metric, score_to_distance
from milvuslab.model.search import DistanceRange

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.model.search import Hits

__all__ = ["TextAnswer", "TextHit", "TextQuery", "find_similar_documents", "search_text"]

_OVERFETCH = 4
_LIMIT_MAX = 1_000
_PASSAGES_MAX = 4_096
"""Most passages fetched for one answer: 1,000 documents at four passages each, and well below Milvus's own 16,384."""
_EF_MIN = 128
"""Candidates HNSW keeps while it searches: recall@10 0.995 on 16,909 passages (benchmarks/results/text_http_latency.json)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TextQuery:
    """A question.

    Attributes:
        text: what is asked.
        limit: most hits, 1 to 1,000.
        language: only passages in this language; empty means any.
        source: only documents of this source; empty means any.
        published_after_s: only documents published at or after, Unix seconds; undated ones are left out.
        published_before_s: only documents published before, Unix seconds; undated ones are left out.
        min_score: only passages whose cosine is above this, -1 to 1 (a range search).
        is_grouped: whether a document appears once, by its best passage.
    """

    text: str
    limit: int = 10
    language: str = ""
    source: str = ""
    published_after_s: int | None = None
    published_before_s: int | None = None
    min_score: float | None = None
    is_grouped: bool = True

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise UsageError("the question is empty", hint="ask something: milvuslab text search 'what is a vector'")
        if not 1 <= self.limit <= _LIMIT_MAX:
            raise UsageError(f"limit is {self.limit}", hint=f"ask for 1 to {_LIMIT_MAX:,} hits")
        if self.min_score is not None and not -1 <= self.min_score <= 1:
            raise UsageError(f"min_score is {self.min_score}", hint="a cosine lies between -1 and 1")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TextHit:
    """A passage that was found.

    Attributes:
        document_id: key of its document, for `similar` and `delete`.
        passage_id: key of the passage.
        ordinal: position of the passage in its document, from 0.
        start: character offset of the passage in its document.
        title: of the document.
        text: the passage.
        language: of the document.
        source: where the document came from.
        url: where a person can read it; may be empty.
        published_at_s: Unix seconds, or None.
        score: cosine between question and passage, larger is closer.
        highlights: character ranges of `text` that hold words of the question.
    """

    document_id: str
    passage_id: str
    ordinal: int
    start: int
    title: str
    text: str
    language: str
    source: str
    url: str
    published_at_s: int | None
    score: float
    highlights: tuple[tuple[int, int], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TextAnswer:
    """What was found, and where the time went.

    Attributes:
        collection: that was asked.
        encoder: name of its encoder.
        hits: best first.
        embed_ms: encoding the question.
        milvus_ms: the search (all of them, where one did not bring enough documents), from sending to the parsed answer.
        total_ms: everything in this process.
    """

    collection: str
    encoder: str
    hits: tuple[TextHit, ...]
    embed_ms: float
    milvus_ms: float
    total_ms: float

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def search_text(collection: TextCollection, query: TextQuery) -> TextAnswer:
    """The passages nearest to the question in meaning.

    Raises:
        NotFoundError: the collection is gone.
    """
    began = time.perf_counter()
    vectors = collection.encoder.encode_queries([query.text])
    embedded = time.perf_counter()
    found, milvus_ms = _search(collection, vectors, query=query, condition=_condition(query))
    marked = [
        dataclasses.replace(hit, highlights=tuple(highlight_spans(hit.text, query.text)))
        for hit in found[: query.limit]
    ]
    return _answer(collection, marked, milvus_ms=milvus_ms, began=began, embedded=embedded)


def find_similar_documents(collection: TextCollection, document_id: str, *, limit: int = 10) -> TextAnswer:
    """Documents whose passages lie nearest to the mean of this document's passages; itself left out.

    Raises:
        NotFoundError: no such document.
    """
    began = time.perf_counter()
    query = TextQuery(text=document_id, limit=limit)
    own = collection.gateway.rows.query(
        collection.name, where=where("document_id") == document_id, fields=["vector"], consistency=Consistency.BOUNDED
    )
    if len(own["vector"]) == 0:
        raise NotFoundError(
            f"collection {collection.name} holds no document {document_id}", hint="milvuslab text search"
        )
    mean = np.asarray(own["vector"], dtype=np.float32).mean(axis=0, keepdims=True)
    mean /= max(float(np.linalg.norm(mean)), 1e-12)
    embedded = time.perf_counter()
    found, milvus_ms = _search(collection, mean, query=query, condition=where("document_id") != document_id)
    return _answer(collection, found[:limit], milvus_ms=milvus_ms, began=began, embedded=embedded)


def _search(
    collection: TextCollection, vectors: Any, *, query: TextQuery, condition: Filter | None
) -> tuple[list[TextHit], float]:
    """Hits, best first, one of each document when grouped, and the milliseconds Milvus took.

    Several passages of one document crowd the top, so more are asked for, and again more while documents are missing.
    """
    limit = query.limit * _OVERFETCH if query.is_grouped else query.limit
    milvus_ms = 0.0
    while True:
        limit = min(limit, _PASSAGES_MAX)
        hits = collection.gateway.search(
            collection.name,
            vectors,
            field="vector",
            limit=limit,
            params={"ef": max(_EF_MIN, 2 * limit)},
            where=condition,
            within=_within(query),
            output_fields=list(PASSAGE_FIELDS),
        )
        milvus_ms += hits.latency_ms
        found = _as_text_hits(hits)
        if query.is_grouped:
            found = _one_per_document(found)
        if len(found) >= query.limit or len(hits.ids) < limit or limit == _PASSAGES_MAX:
            return found, milvus_ms
        limit *= _OVERFETCH


def _condition(query: TextQuery) -> Filter | None:
    parts: list[Filter] = []
    if query.language:
        parts.append(where("language") == query.language)
    if query.source:
        parts.append(where("source") == query.source)
    if query.published_after_s is not None:
        parts.append(where("published_at_s") >= query.published_after_s)
    if query.published_before_s is not None:
        parts.append((where("published_at_s") < query.published_before_s) & (where("published_at_s") > UNKNOWN_TIME_S))
    condition: Filter | None = None
    for part in parts:
        condition = part if condition is None else condition & part
    return condition


def _within(query: TextQuery) -> DistanceRange | None:
    if query.min_score is None:
        return None
    return DistanceRange(below=float(score_to_distance(np.array([query.min_score]), metric=Metric.IP)[0]))


def _as_text_hits(hits: Hits) -> list[TextHit]:
    columns = hits.columns
    return [
        TextHit(
            document_id=columns["document_id"][row],
            passage_id=columns["passage_id"][row],
            ordinal=int(columns["ordinal"][row]),
            start=int(columns["start"][row]),
            title=columns["title"][row],
            text=columns["text"][row],
            language=columns["language"][row],
            source=columns["source"][row],
            url=columns["url"][row],
            published_at_s=_known_time(int(columns["published_at_s"][row])),
            score=float(hits.scores[row]),
        )
        for row in range(len(hits.ids))
    ]


def _known_time(published_at_s: int) -> int | None:
    return None if published_at_s == UNKNOWN_TIME_S else published_at_s


def _one_per_document(found: list[TextHit]) -> list[TextHit]:
    best: dict[str, TextHit] = {}
    for hit in found:
        best.setdefault(hit.document_id, hit)
    return list(best.values())


def _answer(
    collection: TextCollection, found: list[TextHit], *, milvus_ms: float, began: float, embedded: float
) -> TextAnswer:
    return TextAnswer(
        collection=collection.name,
        encoder=collection.encoder.fingerprint.name,
        hits=tuple(found),
        embed_ms=round((embedded - began) * 1e3, 3),
        milvus_ms=round(milvus_ms, 3),
        total_ms=round((time.perf_counter() - began) * 1e3, 3),
    )
