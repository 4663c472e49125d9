"""How well a collection answers judged questions: every channel, at every setting of its index, in one table.

What is asked is the deployed collection on its server, with the encoder and the fusion that a person's search uses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from milvuslab.apps.text.fusion import fuse_ranked
from milvuslab.apps.text.rankings import SERVED, IndexSetting, Rankings, rank_by_meaning, rank_by_words, rank_exactly
from milvuslab.data.document import make_document_id
from milvuslab.model.collection import Consistency
from milvuslab.model.errors import UsageError
from milvuslab.model.filter import where
from milvuslab.model.progress import Observer, silent
from milvuslab.model.ranking import (
    Interval,
    bootstrap_interval,
    compute_ndcg,
    compute_reciprocal_rank,
    compute_relevant_recall,
)

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection
    from milvuslab.data.judgements import Judgements

__all__ = [
    "DEPTH",
    "SETTINGS_COMPARED",
    "EvaluationReport",
    "EvaluationRow",
    "Judged",
    "evaluate_collection",
    "find_judged",
    "score_rankings",
]

DEPTH = 100
SETTINGS_COMPARED = (
    IndexSetting(name="ef 16", ef=16), IndexSetting(name="ef 64", ef=64), IndexSetting(name="ef 128", ef=128), SERVED,
)  # fmt: skip
"""Settings of HNSW from fast to sure; exact search stands beside them."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Judgements in the ids of a collection.

    Attributes:
        questions: text of each.
        relevant: grades by our document ids; a document that the collection lacks keeps its own id, and is never found.
        missing_count: judged documents that the collection lacks.
        unjudged_count: questions left out because nothing is relevant to them.
    """

    questions: Mapping[str, str]
    relevant: Mapping[str, Mapping[str, int]]
    missing_count: int
    unjudged_count: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRow:
    """How well one channel answers, at one setting.

    Attributes:
        channel: `dense`, `lexical` or `hybrid`.
        setting: of the index of the vectors; empty where there is none to choose.
        ndcg_at_10: by grades.
        recall_at_10: share of the relevant documents among the first ten.
        recall_at_100: among the first hundred.
        mrr_at_100: mean of 1 / rank of the first relevant one, 0 where it is not among the first hundred.
    """

    channel: str
    setting: str
    ndcg_at_10: Interval
    recall_at_10: Interval
    recall_at_100: Interval
    mrr_at_100: Interval


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """The table, and what it was measured on.

    Attributes:
        collection: that was asked.
        encoder: name of its encoder.
        server_version: of its server.
        fusion: of the rows `hybrid`, in words.
        passage_count: rows of the collection.
        question_count: judged questions.
        unjudged_count: questions left out because nothing is relevant to them.
        missing_count: judged documents that the collection lacks; they count as not found.
        note: why words were not searched; empty where they were.
        rows: the table.
    """

    collection: str
    encoder: str
    server_version: str
    fusion: str
    passage_count: int
    question_count: int
    unjudged_count: int
    missing_count: int
    note: str
    rows: tuple[EvaluationRow, ...]

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def evaluate_collection(
    collection: TextCollection,
    judgements: Judgements,
    *,
    settings: Sequence[IndexSetting] = SETTINGS_COMPARED,
    observer: Observer = silent,
) -> EvaluationReport:
    """The collection's answers to judged questions, measured.

    Args:
        collection: with its fusion.
        judgements: questions and the documents that answer them, by our ids or by those they were loaded with.
        settings: of the index of the vectors, each a row.
        observer: sees questions done.

    Raises:
        UsageError: the collection holds none of the judged documents.
    """
    judged = find_judged(collection, judgements)
    vectors = collection.encoder.encode_queries(list(judged.questions.values()))
    rankings: dict[tuple[str, str], Rankings] = {
        ("dense", setting.name): rank_by_meaning(
            collection, judged.questions, depth=DEPTH, setting=setting, vectors=vectors, observer=observer
        )
        for setting in settings
    }
    rankings["dense", "exact"] = rank_exactly(collection, judged.questions, depth=DEPTH, vectors=vectors)
    if collection.has_lexical:
        depth = max(DEPTH, collection.fusion.candidate_count)
        words = rank_by_words(collection, judged.questions, depth=depth, observer=observer)
        meaning = rank_by_meaning(collection, judged.questions, depth=depth, vectors=vectors, observer=observer)
        rankings["lexical", ""] = {key: found[:DEPTH] for key, found in words.items()}
        rankings["hybrid", SERVED.name] = {
            key: [
                (one.id, one.score)
                for one in fuse_ranked({"dense": meaning[key], "lexical": words[key]}, collection.fusion)
            ][:DEPTH]
            for key in judged.questions
        }
    return EvaluationReport(
        collection=collection.name,
        encoder=collection.encoder.fingerprint.name,
        server_version=collection.gateway.server_version,
        fusion=str(collection.fusion) if collection.has_lexical else "",
        passage_count=collection.gateway.rows.count(collection.name),
        question_count=len(judged.questions),
        unjudged_count=judged.unjudged_count,
        missing_count=judged.missing_count,
        note=collection.lexical_note,
        rows=tuple(
            EvaluationRow(channel=channel, setting=setting, **score_rankings(found, judged.relevant))
            for (channel, setting), found in rankings.items()
        ),
    )


def score_rankings(rankings: Rankings, relevant: Mapping[str, Mapping[str, int]]) -> dict[str, Interval]:
    """The measures of `EvaluationRow` by name, each over all questions of `relevant`."""
    ranked = {key: [document_id for document_id, _ in rankings[key]] for key in relevant}
    return {
        "ndcg_at_10": bootstrap_interval([compute_ndcg(ranked[key], relevant[key], k=10) for key in relevant]),
        "recall_at_10": bootstrap_interval(
            [compute_relevant_recall(ranked[key], relevant[key], k=10) for key in relevant]
        ),
        "recall_at_100": bootstrap_interval(
            [compute_relevant_recall(ranked[key], relevant[key], k=100) for key in relevant]
        ),
        "mrr_at_100": bootstrap_interval(
            [compute_reciprocal_rank(ranked[key], relevant[key], k=100) for key in relevant]
        ),
    }


def find_judged(collection: TextCollection, judgements: Judgements) -> Judged:
    """The judgements in the ids of the collection.

    A judged document is one of ours by its key, by the id it was read with, or by the id it has in its file
    (`_id` of BEIR), whatever source name it was loaded under.

    Raises:
        UsageError: the collection holds none of them.
    """
    keys, sources = _read_keys(collection)
    found: dict[str, str] = {}
    for judged_id in {judged_id for grades in judgements.relevant.values() for judged_id in grades}:
        names = [judged_id, *(make_document_id(source=source, row=judged_id) for source in sources)]
        found[judged_id] = next((keys[name] for name in names if name in keys), "")
    if not any(found.values()):
        wanted, held = next(iter(found)), next(iter(keys), "nothing")
        raise UsageError(
            f"collection {collection.name} holds none of the {len(found):,} judged documents: {wanted!r} is judged, "
            f"{held!r} is held",
            hint="load the judged documents: milvuslab text ingest corpus.jsonl --collection NAME",
        )
    relevant = {
        query: {found[key] or f"missing {key}": grade for key, grade in grades.items()}
        for query, grades in judgements.relevant.items()
    }
    return Judged(
        questions=judgements.queries,
        relevant=relevant,
        missing_count=sum(not key for key in found.values()),
        unjudged_count=judgements.unjudged_count,
    )


def _read_keys(collection: TextCollection) -> tuple[dict[str, str], list[str]]:
    """Our key of each document by every name it has, and the names of the sources."""
    keys: dict[str, str] = {}
    sources: dict[str, None] = {}
    for page in collection.gateway.rows.iterate(
        collection.name, where=where("ordinal") == 0, fields=["document_id", "origin_id", "source"],
        consistency=Consistency.STRONG,
    ):  # fmt: skip
        keys.update(zip(page["origin_id"], page["document_id"], strict=True))
        keys.update(zip(page["document_id"], page["document_id"], strict=True))
        sources.update(dict.fromkeys(page["source"]))
    return keys, list(sources)
