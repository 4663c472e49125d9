"""Rankings of documents for many questions at once, as an evaluation needs them: deep, and without the passages' texts.

The rules are those of a search for a person (`channels`): a document stands where its best passage stands, a passage of a
revision that was replaced does not count, and a server is asked again for more passages while they crowd into too few documents.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from milvuslab.apps.text.channels import choose_ef
from milvuslab.apps.text.question import find_question_words
from milvuslab.data.nearest import Nearest
from milvuslab.model.collection import Consistency
from milvuslab.model.metric import Metric
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.model.search import Hits

__all__ = ["SERVED", "IndexSetting", "Rankings", "rank_by_meaning", "rank_by_words", "rank_exactly", "read_vectors"]

Rankings = Mapping[str, Sequence[tuple[str, float]]]
"""By question id: documents with their scores, best first, none twice."""

_OVERFETCH = 4
_PASSAGES_MAX = 4_096
_BATCH_QUERIES = 8
_TIMEOUT_S = 120.0
"""Eight questions of some thousand passages each keep a busy Lite for seconds."""
_BLOCK_ROWS = 4_096


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class IndexSetting:
    """How the index of the vectors is asked.

    Attributes:
        name: for a table.
        ef: candidates HNSW keeps; it also bounds the passages that it can bring. None is what a search for a person takes:
            128, or twice the passages wanted where that is more.
    """

    name: str
    ef: int | None = None


SERVED = IndexSetting(name="served")


def rank_by_meaning(
    collection: TextCollection,
    questions: Mapping[str, str],
    *,
    depth: int,
    setting: IndexSetting = SERVED,
    vectors: Any = None,
    observer: Observer = silent,
) -> Rankings:
    """The documents nearest to each question, as the index finds them.

    Args:
        collection: to be asked.
        questions: text by id.
        depth: documents wanted of each; fewer come where `setting` or the collection holds fewer.
        setting: of the index.
        vectors: (questions, dim) of the questions in their order; None encodes them.
        observer: sees questions done.
    """
    encoded = collection.encoder.encode_queries(list(questions.values())) if vectors is None else vectors

    def ask(rows: Sequence[int], passage_count: int) -> Hits:
        ef = choose_ef(passage_count) if setting.ef is None else setting.ef
        return collection.gateway.search(
            collection.name, encoded[list(rows)], field="vector", limit=min(passage_count, ef), params={"ef": ef},
            output_fields=_fields(collection), timeout_s=_TIMEOUT_S,
        )  # fmt: skip

    passages_max = _PASSAGES_MAX if setting.ef is None else setting.ef
    found = _ask_all(ask, list(range(len(questions))), depth=depth, passages_max=passages_max, observer=observer)
    return {key: found[row] for row, key in enumerate(questions)}


def rank_by_words(
    collection: TextCollection, questions: Mapping[str, str], *, depth: int, observer: Observer = silent
) -> Rankings:
    """The documents that hold the words of each question, by BM25; none where a question has no words.

    Raises:
        UnsupportedError: the extra that the words need is not installed.
    """
    terms = [find_question_words(text).terms for text in questions.values()]

    def ask(rows: Sequence[int], passage_count: int) -> Hits:
        return collection.gateway.search(
            collection.name, [" ".join(terms[row]) for row in rows], field="lexical_vector", metric=Metric.BM25,
            limit=passage_count, output_fields=_fields(collection), timeout_s=_TIMEOUT_S,
        )  # fmt: skip

    asked = [row for row, found in enumerate(terms) if found]
    found = _ask_all(ask, asked, depth=depth, passages_max=_PASSAGES_MAX, observer=observer)
    return {key: found.get(row, []) for row, key in enumerate(questions)}


def rank_exactly(
    collection: TextCollection, questions: Mapping[str, str], *, depth: int, vectors: Any = None
) -> Rankings:
    """The documents nearest to each question among all vectors of the collection, read block by block: no index."""
    encoded = collection.encoder.encode_queries(list(questions.values())) if vectors is None else vectors
    nearest = Nearest(encoded, k=min(_PASSAGES_MAX, depth * _OVERFETCH), metric=Metric.IP)
    owners: list[tuple[str, int]] = []
    for page in read_vectors(collection):
        nearest.add(np.arange(len(owners), len(owners) + len(page["document_id"])), page["vector"])
        owners += zip(page["document_id"], _revisions(page), strict=True)
    highest: dict[str, int] = {}
    for document_id, revision in owners:
        highest[document_id] = max(revision, highest.get(document_id, 0))
    ranked = {}
    for row, key in enumerate(questions):
        passages = [
            (*owners[index], -float(distance))
            for index, distance in zip(nearest.ids[row], nearest.distances[row], strict=True)
            if index >= 0
        ]
        ranked[key] = _documents(passages, highest)[:depth]
    return ranked


def read_vectors(collection: TextCollection) -> Iterable[dict[str, Any]]:
    """All passages of the collection as columns, block by block: `passage_id`, `document_id`, `revision`, `vector`.

    What was acknowledged before is among them.
    """
    return collection.gateway.rows.iterate(
        collection.name, fields=["passage_id", *_fields(collection), "vector"], batch_rows=_BLOCK_ROWS,
        consistency=Consistency.STRONG,
    )  # fmt: skip


def _ask_all(
    ask: Callable[[Sequence[int], int], Hits],
    rows: Sequence[int],
    *,
    depth: int,
    passages_max: int,
    observer: Observer,
) -> dict[int, list[tuple[str, float]]]:
    """Documents of each question; those with too few are asked again for more passages."""
    found: dict[int, list[tuple[str, float]]] = {}
    passage_count, pending = min(depth * _OVERFETCH, passages_max), list(rows)
    while pending:
        short: list[int] = []
        for begin in range(0, len(pending), _BATCH_QUERIES):
            batch = pending[begin : begin + _BATCH_QUERIES]
            hits = ask(batch, passage_count)
            for place, row in enumerate(batch):
                passages = _passages(hits, place)
                found[row] = _documents(passages, _highest(passages))[:depth]
                if len(found[row]) < depth and len(passages) >= passage_count:
                    short.append(row)
            observer(
                Progress(step="ask", done_count=len(rows) - len(pending) + begin + len(batch), total_count=len(rows))
            )
        if passage_count == passages_max:
            break
        passage_count, pending = min(passage_count * _OVERFETCH, passages_max), short
    return found


def _passages(hits: Hits, place: int) -> list[tuple[str, int, float]]:
    part = hits.of_query(place)
    revisions = _revisions(hits.columns)[part] if "revision" in hits.columns else [0] * (part.stop - part.start)
    return [
        (document_id, int(revision), float(score))
        for document_id, revision, score in zip(
            hits.columns["document_id"][part], revisions, hits.scores[part], strict=True
        )
    ]


def _highest(passages: Iterable[tuple[str, int, float]]) -> dict[str, int]:
    highest: dict[str, int] = {}
    for document_id, revision, _ in passages:
        highest[document_id] = max(revision, highest.get(document_id, 0))
    return highest


def _documents(passages: Iterable[tuple[str, int, float]], highest: Mapping[str, int]) -> list[tuple[str, float]]:
    best: dict[str, float] = {}
    for document_id, revision, score in passages:
        if revision == highest[document_id]:
            best.setdefault(document_id, score)
    return list(best.items())


def _revisions(columns: Mapping[str, Any]) -> list[int]:
    if "revision" not in columns:
        return [0] * len(columns["document_id"])
    return [int(revision) for revision in columns["revision"]]


def _fields(collection: TextCollection) -> list[str]:
    return ["document_id", "revision"] if collection.has_revision else ["document_id"]
