"""The two ways to find passages: by meaning and by words. Each gives a ranking of its own; `fusion` merges them.

Both see the same filters. A server is asked again, for four times as many passages, while those that came crowd into too few
documents. Of a document that is being replaced several revisions may be seen: `drop_stale` keeps the highest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from milvuslab.apps.text.collection import PASSAGE_FIELDS
from milvuslab.model.metric import Metric, score_to_distance
from milvuslab.model.search import DistanceRange

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.model.filter import Filter
    from milvuslab.model.search import Hits

__all__ = ["Found", "Ranking", "choose_ef", "drop_stale", "one_per_document", "search_by_meaning", "search_by_words"]

_OVERFETCH = 4
_PASSAGES_MAX = 4_096
"""Most passages fetched for one ranking: 1,000 documents at four passages each, and well below Milvus's own 16,384."""
_EF_MIN = 256
"""Least candidates that HNSW keeps: 128 find 0.995 of the true ten in 16,909 passages, 0.968 in 101,141
(benchmarks/results/text_http_latency.json, large_collection.json)."""


def choose_ef(passage_count: int) -> int:
    """Candidates HNSW keeps while it searches for so many passages."""
    return max(_EF_MIN, 2 * passage_count)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One passage of a ranking.

    Attributes:
        document_id: key of its document.
        passage_id: its own key.
        revision: of the document; 0 where the collection keeps none.
        score: cosine or BM25, larger is better.
        fields: `PASSAGE_FIELDS`, and `lexical` where the collection has it.
    """

    document_id: str
    passage_id: str
    revision: int
    score: float
    fields: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranking:
    """Passages of one channel, best first, and the milliseconds from sending to the parsed answer."""

    found: Sequence[Found] = ()
    milvus_ms: float = 0.0


def search_by_meaning(
    collection: TextCollection,
    vectors: Any,
    *,
    limit: int,
    is_grouped: bool,
    condition: Filter | None = None,
    min_score: float | None = None,
) -> Ranking:
    """The passages nearest to a vector.

    Args:
        collection: to be asked.
        vectors: (1, dim) float32, normalised.
        limit: documents wanted, or passages when not grouped; more may come.
        is_grouped: whether passages are fetched until they are of that many documents.
        condition: only passages that pass.
        min_score: only passages whose cosine is above this.
    """
    within = None
    if min_score is not None:
        within = DistanceRange(below=float(score_to_distance(np.array([min_score]), metric=Metric.IP)[0]))

    def ask(passage_count: int) -> Hits:
        return collection.gateway.search(
            collection.name,
            vectors,
            field="vector",
            limit=passage_count,
            params={"ef": choose_ef(passage_count)},
            where=condition,
            within=within,
            output_fields=_fields(collection),
        )

    return _ask_enough(ask, limit=limit, is_grouped=is_grouped)


def search_by_words(
    collection: TextCollection,
    terms: Sequence[str],
    *,
    limit: int,
    is_grouped: bool,
    condition: Filter | None = None,
    nearest: tuple[Any, float] | None = None,
) -> Ranking:
    """The passages that hold the terms, by BM25; none when there are no terms.

    Args:
        collection: to be asked; it has a lexical channel.
        terms: of the question, as `data.terms` finds them.
        limit: documents wanted, or passages when not grouped; more may come.
        is_grouped: whether passages are fetched until they are of that many documents.
        condition: only passages that pass.
        nearest: the vector of the question and the cosine above which passages are kept; None keeps all.
    """
    if not terms:
        return Ranking()
    extra = ["vector"] if nearest else []

    def ask(passage_count: int) -> Hits:
        return collection.gateway.search(
            collection.name,
            [" ".join(terms)],
            field="lexical_vector",
            metric=Metric.BM25,
            limit=passage_count,
            where=condition,
            output_fields=[*_fields(collection), *extra],
        )

    ranking = _ask_enough(ask, limit=limit, is_grouped=is_grouped)
    if nearest is None:
        return ranking
    vector, min_score = nearest
    near = [one for one in ranking.found if float(np.dot(one.fields["vector"], np.ravel(vector))) > min_score]
    return dataclasses.replace(ranking, found=near)


def drop_stale(*rankings: Ranking) -> list[list[Found]]:
    """The passages of each ranking without those of a revision below the highest that any ranking saw."""
    highest: dict[str, int] = {}
    for ranking in rankings:
        for one in ranking.found:
            highest[one.document_id] = max(one.revision, highest.get(one.document_id, 0))
    return [[one for one in ranking.found if one.revision == highest[one.document_id]] for ranking in rankings]


def one_per_document(found: Iterable[Found]) -> list[Found]:
    """The best passage of each document, best first."""
    best: dict[str, Found] = {}
    for one in found:
        best.setdefault(one.document_id, one)
    return list(best.values())


def _fields(collection: TextCollection) -> list[str]:
    fields = [*PASSAGE_FIELDS]
    if collection.has_revision:
        fields.append("revision")
    if collection.has_lexical:
        fields.append("lexical")
    return fields


def _ask_enough(ask: Any, *, limit: int, is_grouped: bool) -> Ranking:
    """Passages until they are of enough documents, there are no more, or there are too many."""
    passage_count = limit * _OVERFETCH if is_grouped else limit
    milvus_ms = 0.0
    while True:
        passage_count = min(passage_count, _PASSAGES_MAX)
        hits = ask(passage_count)
        milvus_ms += hits.latency_ms
        found = _as_found(hits)
        enough = len({one.document_id for one in found}) if is_grouped else len(found)
        if enough >= limit or len(found) < passage_count or passage_count == _PASSAGES_MAX:
            return Ranking(found=found, milvus_ms=milvus_ms)
        passage_count *= _OVERFETCH


def _as_found(hits: Hits) -> list[Found]:
    names = list(hits.columns)
    rows = zip(*hits.columns.values(), strict=True)
    return [
        Found(
            document_id=fields["document_id"],
            passage_id=fields["passage_id"],
            revision=int(fields.get("revision", 0)),
            score=float(score),
            fields=fields,
        )
        for score, fields in zip(hits.scores, (dict(zip(names, row, strict=True)) for row in rows), strict=True)
    ]
