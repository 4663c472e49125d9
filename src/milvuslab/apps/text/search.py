"""Questions to a collection: passages by meaning, by words, or by both; within filters, grouped by document.

Both channels are asked at the same time: the words of the question are found and searched for on another thread while the
encoder reads it. Their rankings are merged here and not by the server, so that an answer can say what each channel gave to it.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

from milvuslab.apps.text.channels import (
    Found,
    Ranking,
    drop_stale,
    one_per_document,
    search_by_meaning,
    search_by_words,
)
from milvuslab.apps.text.fusion import Fused, fuse_ranked
from milvuslab.apps.text.highlight import highlight_spans, term_spans
from milvuslab.apps.text.passages import UNKNOWN_TIME_S
from milvuslab.apps.text.question import QuestionWords, find_question_words
from milvuslab.model.errors import UnsupportedError, UsageError
from milvuslab.model.filter import Filter, where

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection

__all__ = [
    "ChannelChoice",
    "HitExplanation",
    "TextAnswer",
    "TextHit",
    "TextQuery",
    "as_text_hit",
    "search_text",
]

ChannelChoice = Literal["auto", "dense", "lexical", "hybrid"]
_LIMIT_MAX = 1_000
_SEARCH_THREADS = 8


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
        min_score: only passages whose cosine is above this, -1 to 1, whichever channel found them.
        is_grouped: whether a document appears once, by its best passage.
        channel: `dense` is by meaning, `lexical` by words, `hybrid` by both; `auto` is by both where the collection has
            words, else by meaning.
    """

    text: str
    limit: int = 10
    language: str = ""
    source: str = ""
    published_after_s: int | None = None
    published_before_s: int | None = None
    min_score: float | None = None
    is_grouped: bool = True
    channel: ChannelChoice = "auto"

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise UsageError("the question is empty", hint="ask something: milvuslab text search 'what is a vector'")
        if not 1 <= self.limit <= _LIMIT_MAX:
            raise UsageError(f"limit is {self.limit}", hint=f"ask for 1 to {_LIMIT_MAX:,} hits")
        if self.min_score is not None and not -1 <= self.min_score <= 1:
            raise UsageError(f"min_score is {self.min_score}", hint="a cosine lies between -1 and 1")
        if self.channel not in get_args(ChannelChoice):
            raise UsageError(f"channel is {self.channel!r}", hint=f"choose of {', '.join(get_args(ChannelChoice))}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HitExplanation:
    """Why a hit stands where it stands.

    Attributes:
        dense_rank: place by meaning, from 1; None when that channel did not bring it, or was not asked.
        lexical_rank: place by words.
        dense_score: cosine.
        lexical_score: BM25.
        dense_share: part of the score that meaning gave, 0 to 1.
        lexical_share: part of the score that words gave, 0 to 1.
        matched_terms: words of the question that the passage holds, as the question writes them.
        final_rank: place in the answer, from 1.
    """

    dense_rank: int | None
    lexical_rank: int | None
    dense_score: float | None
    lexical_score: float | None
    dense_share: float
    lexical_share: float
    matched_terms: tuple[str, ...]
    final_rank: int


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
        score: larger is better: the cosine between question and passage (`dense`), BM25 (`lexical`), or what the fusion
            made of both, which compares only within one answer (`hybrid`).
        highlights: character ranges of `text` that hold words of the question.
        explanation: why it stands where it stands; None among similar documents.
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
    explanation: HitExplanation | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TextAnswer:
    """What was found, and where the time went.

    Attributes:
        collection: that was asked.
        encoder: name of its encoder.
        hits: best first.
        embed_ms: encoding the question.
        milvus_ms: searching by meaning (all searches, where one did not bring enough documents), from sending to the parsed
            answer; searching by words where that is the only channel.
        total_ms: everything in this process.
        channel: `dense`, `lexical` or `hybrid`.
        lexical_ms: finding the words of the question and searching by them; in a hybrid search that goes on while the
            question is encoded and searched by meaning.
        fuse_ms: merging the two rankings.
        note: why words were not searched although they might have been; empty otherwise.
    """

    collection: str
    encoder: str
    hits: tuple[TextHit, ...]
    embed_ms: float
    milvus_ms: float
    total_ms: float
    channel: str = "dense"
    lexical_ms: float = 0.0
    fuse_ms: float = 0.0
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def search_text(collection: TextCollection, query: TextQuery) -> TextAnswer:
    """The passages that answer the question best.

    Raises:
        NotFoundError: the collection is gone.
        UnsupportedError: words are asked for, and the collection, the server or this installation has none.
    """
    began = time.perf_counter()
    channel, note = _choose_channel(collection, query)
    if channel == "dense":
        dense = _ask_meaning(collection, query, limit=query.limit)
        lexical = _Lexical()
    elif channel == "lexical":
        # The cosine of a passage found by words is needed only for a lower bound on it.
        dense = _Dense() if query.min_score is None else _encode(collection, query)
        lexical = _ask_words(collection, query, limit=query.limit, vectors=dense.vectors)
    else:
        dense, lexical = _ask_both(collection, query)
    fusing = time.perf_counter()
    hits = _merge(collection, query, dense, lexical, channel=channel)
    ended = time.perf_counter()
    return TextAnswer(
        collection=collection.name,
        encoder=collection.encoder.fingerprint.name,
        hits=tuple(hits),
        embed_ms=round(dense.embed_ms, 3),
        milvus_ms=round(lexical.ranking.milvus_ms if channel == "lexical" else dense.ranking.milvus_ms, 3),
        total_ms=round((ended - began) * 1e3, 3),
        channel=channel,
        lexical_ms=round(lexical.spent_ms, 3),
        fuse_ms=round((ended - fusing) * 1e3, 3) if channel == "hybrid" else 0.0,
        note=note,
    )


def as_text_hit(found: Found, *, score: float) -> TextHit:
    """A found passage as a hit with that score."""
    fields = found.fields
    published_at_s = int(fields["published_at_s"])
    return TextHit(
        document_id=found.document_id,
        passage_id=found.passage_id,
        ordinal=int(fields["ordinal"]),
        start=int(fields["start"]),
        title=fields["title"],
        text=fields["text"],
        language=fields["language"],
        source=fields["source"],
        url=fields["url"],
        published_at_s=None if published_at_s == UNKNOWN_TIME_S else published_at_s,
        score=score,
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Dense:
    """What the channel of meaning did."""

    vectors: Any = None
    embed_ms: float = 0.0
    ranking: Ranking = Ranking()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Lexical:
    """What the channel of words did."""

    words: QuestionWords = QuestionWords()
    spent_ms: float = 0.0
    ranking: Ranking = Ranking()


def _choose_channel(collection: TextCollection, query: TextQuery) -> tuple[str, str]:
    """The channel that answers, and why it is not both where both were possible."""
    if query.channel == "dense":
        return "dense", ""
    if collection.has_lexical:
        return ("hybrid" if query.channel == "auto" else query.channel), ""
    if query.channel == "auto":
        return "dense", collection.lexical_note
    raise UnsupportedError(
        f"search by words in {collection.name}",
        needs="a collection with a lexical channel",
        has=collection.lexical_note,
        hint="ask by meaning (channel dense), or load the documents into a server with full text: milvuslab up",
    )


def _ask_both(collection: TextCollection, query: TextQuery) -> tuple[_Dense, _Lexical]:
    limit = max(query.limit, collection.fusion.candidate_count)
    if query.min_score is not None:
        # The bound on the cosine needs the question's vector before the words are searched.
        encoded = _encode(collection, query)
        pending = _threads().submit(_ask_words, collection, query, limit=limit, vectors=encoded.vectors)
        return _ask_meaning(collection, query, limit=limit, encoded=encoded), pending.result()
    pending = _threads().submit(_ask_words, collection, query, limit=limit)
    return _ask_meaning(collection, query, limit=limit), pending.result()


def _encode(collection: TextCollection, query: TextQuery) -> _Dense:
    began = time.perf_counter()
    vectors = collection.encoder.encode_queries([query.text])
    return _Dense(vectors=vectors, embed_ms=(time.perf_counter() - began) * 1e3)


def _ask_meaning(collection: TextCollection, query: TextQuery, *, limit: int, encoded: _Dense | None = None) -> _Dense:
    encoded = encoded or _encode(collection, query)
    ranking = search_by_meaning(
        collection, encoded.vectors, limit=limit, is_grouped=query.is_grouped, condition=_condition(query),
        min_score=query.min_score,
    )  # fmt: skip
    return dataclasses.replace(encoded, ranking=ranking)


def _ask_words(collection: TextCollection, query: TextQuery, *, limit: int, vectors: Any = None) -> _Lexical:
    began = time.perf_counter()
    words = find_question_words(query.text)
    ranking = search_by_words(
        collection, words.terms, limit=limit, is_grouped=query.is_grouped, condition=_condition(query),
        nearest=None if query.min_score is None else (vectors, query.min_score),
    )  # fmt: skip
    return _Lexical(words=words, spent_ms=(time.perf_counter() - began) * 1e3, ranking=ranking)


@functools.cache
def _threads() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(_SEARCH_THREADS, thread_name_prefix="search-by-words")


def _merge(
    collection: TextCollection, query: TextQuery, dense: _Dense, lexical: _Lexical, *, channel: str
) -> list[TextHit]:
    """The hits of one or two rankings, best first."""
    both = drop_stale(dense.ranking, lexical.ranking)
    found = [one_per_document(each) for each in both] if query.is_grouped else both
    by_key = {
        name: {_key(one, query): one for one in each} for name, each in zip(("dense", "lexical"), found, strict=True)
    }
    scores = {name: [(key, one.score) for key, one in each.items()] for name, each in by_key.items()}
    if channel == "hybrid":
        ranked = fuse_ranked(scores, collection.fusion)
    else:
        ranked = [
            Fused(key, score, {channel: 1.0}, {channel: rank}) for rank, (key, score) in enumerate(scores[channel], 1)
        ]
    words = lexical.words if channel != "dense" else _dense_words(collection, query)
    return [
        _hit(query, by_key, fused, words=words, final_rank=rank)
        for rank, fused in enumerate(ranked[: query.limit], start=1)
    ]


def _key(found: Found, query: TextQuery) -> str:
    return found.document_id if query.is_grouped else found.passage_id


def _dense_words(collection: TextCollection, query: TextQuery) -> QuestionWords:
    """The words of a question that is asked by meaning, only to mark them."""
    if not collection.has_lexical:
        return QuestionWords()
    return find_question_words(query.text)


def _hit(
    query: TextQuery,
    by_key: Mapping[str, Mapping[str, Found]],
    fused: Fused[str],
    *,
    words: QuestionWords,
    final_rank: int,
) -> TextHit:
    named = {name: each[fused.id] for name, each in by_key.items() if fused.id in each and name in fused.ranks}
    # Channels may have found different passages of a document: the one that gave more is shown.
    shown = named[max(named, key=lambda name: fused.shares.get(name, 0.0))]
    terms = [term for one in named.values() for term in one.fields.get("lexical", "").split()]
    score_of = {name: one.score for name, one in named.items()}
    explanation = HitExplanation(
        dense_rank=fused.ranks.get("dense"),
        lexical_rank=fused.ranks.get("lexical"),
        dense_score=score_of.get("dense"),
        lexical_score=score_of.get("lexical"),
        dense_share=fused.shares.get("dense", 0.0),
        lexical_share=fused.shares.get("lexical", 0.0),
        matched_terms=words.matched(terms),
        final_rank=final_rank,
    )
    return dataclasses.replace(
        as_text_hit(shown, score=fused.score),
        highlights=tuple(_highlights(query, shown, words)),
        explanation=explanation,
    )


def _highlights(query: TextQuery, shown: Found, words: QuestionWords) -> Sequence[tuple[int, int]]:
    text = shown.fields["text"]
    if "lexical" not in shown.fields:
        return highlight_spans(text, query.text)
    return term_spans(text, words.surfaces, stored=shown.fields["lexical"])


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
