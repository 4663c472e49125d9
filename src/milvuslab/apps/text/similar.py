"""Documents like one that is there: passages gathered to documents, copies grouped, the rest spread out when asked.

Steps:
1. Read the document's passages, evenly chosen where there are many, and search with each of them.
2. Take the documents that were found most often and nearest as candidates, and read the passages of all of them.
3. Compare whole documents: each passage with the best of the other document, averaged, both ways. So a short note
   inside a long report is not the same as the report, and a single shared passage does not make two documents alike.
4. Group copies: documents with the same content, or whose words run alike. The best of a group is shown and names
   the others; copies of the document itself are named apart and take no place in the answer.
5. Choose by maximal marginal relevance (Carbonell and Goldstein 1998): near the document, far from what is chosen.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from milvuslab.apps.text.collection import PASSAGE_FIELDS
from milvuslab.apps.text.passages import UNKNOWN_TIME_S
from milvuslab.apps.text.search import TextHit
from milvuslab.model.collection import Consistency
from milvuslab.model.errors import NotFoundError, UsageError
from milvuslab.model.filter import where

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection

__all__ = [
    "FloatMatrix",
    "SameDocument",
    "SimilarAnswer",
    "choose_diverse",
    "compute_document_similarity",
    "compute_overlap",
    "find_similar_documents",
]

FloatMatrix = npt.NDArray[np.float32]
_LIMIT_MAX = 100
_CANDIDATES_PER_HIT = 4
_CANDIDATES_MIN = 40
_PASSAGES_PER_DOCUMENT = 16
"""Passages of a document that are compared: 2,000 tokens. Candidates x passages squared is what the comparison costs."""
_FOUND_PER_PASSAGE = 60
_SHINGLE_WORDS = 3
_COPY_OVERLAP = 0.7
"""Share of common word triples from which two texts are copies: edits of a few words stay above, another report of the
same event lies below 0.2."""
_COPY_NEARNESS = 0.6
"""Copies lie nearer than this with every encoder here, even where their passages are cut apart; only then words are compared."""
_WORD = re.compile(r"\w+")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SameDocument:
    """A copy of a document that is shown."""

    document_id: str
    title: str
    source: str
    url: str
    overlap: float
    """Share of common word triples, 1 for the same content."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SimilarAnswer:
    """Similar documents, and where the time went.

    Attributes:
        collection: that was asked.
        encoder: name of its encoder.
        document_id: of the document they are like.
        hits: best first, each the passage of its document that comes nearest to the document asked for; the score is that
            of the whole document, a mean cosine.
        also_at: by document id, the copies of each hit and of the document itself.
        diversity: that was asked for.
        embed_ms: reading the document.
        milvus_ms: searching with its passages and reading the candidates.
        total_ms: everything in this process.
    """

    collection: str
    encoder: str
    document_id: str
    hits: tuple[TextHit, ...]
    also_at: Mapping[str, tuple[SameDocument, ...]]
    diversity: float
    embed_ms: float
    milvus_ms: float
    total_ms: float

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Document:
    """A document with the passages that are compared.

    Attributes:
        passages: rows with `PASSAGE_FIELDS`, in order.
        vectors: (passages, dim) float32, in the same order.
        content_sha256: of the whole document.
    """

    passages: list[dict[str, Any]]
    vectors: FloatMatrix
    content_sha256: str

    @property
    def document_id(self) -> str:
        return str(self.passages[0]["document_id"])

    @property
    def text(self) -> str:
        return "\n".join(passage["text"] for passage in self.passages)


def find_similar_documents(
    collection: TextCollection,
    document_id: str,
    *,
    limit: int = 10,
    diversity: float = 0.0,
    is_grouped: bool = True,
) -> SimilarAnswer:
    """Documents like this one; itself and its copies left out.

    Args:
        collection: that holds it.
        document_id: its key.
        limit: most documents, 1 to 100.
        diversity: 0 to 1: how much a document loses for being like one that is chosen already (1 - lambda of MMR).
        is_grouped: whether copies are one hit that names the others.

    Raises:
        NotFoundError: no such document.
        UsageError: `limit` or `diversity` is out of range.
    """
    if not 1 <= limit <= _LIMIT_MAX:
        raise UsageError(f"limit is {limit}", hint=f"ask for 1 to {_LIMIT_MAX} documents")
    if not 0 <= diversity <= 1:
        raise UsageError(f"diversity is {diversity}", hint="0 is the nearest documents, 1 the most different ones")
    began = time.perf_counter()
    own = _read_documents(collection, [document_id]).get(document_id)
    if own is None:
        raise NotFoundError(
            f"collection {collection.name} holds no document {document_id}", hint="milvuslab text search"
        )
    read = time.perf_counter()
    candidates = _find_candidates(collection, own, count=max(_CANDIDATES_MIN, _CANDIDATES_PER_HIT * limit))
    documents = [own, *candidates]
    fetched = time.perf_counter()
    similarity = compute_document_similarity([document.vectors for document in documents])
    chosen, also_at = _group(documents, similarity, is_grouped=is_grouped)
    order = choose_diverse(similarity, chosen, limit=limit, diversity=diversity)
    hits = tuple(_hit(own, documents[place], score=float(similarity[0, place])) for place in order)
    shown = {document_id, *(hit.document_id for hit in hits)}
    return SimilarAnswer(
        collection=collection.name,
        encoder=collection.encoder.fingerprint.name,
        document_id=document_id,
        hits=hits,
        also_at={key: same for key, same in also_at.items() if key in shown},
        diversity=diversity,
        embed_ms=round((read - began) * 1e3, 3),
        milvus_ms=round((fetched - read) * 1e3, 3),
        total_ms=round((time.perf_counter() - began) * 1e3, 3),
    )


def compute_document_similarity(documents: Sequence[FloatMatrix]) -> FloatMatrix:
    """How alike documents are, (documents, documents) float32, symmetric, at most 1.

    Each passage is compared with the best passage of the other document; the mean over its passages, averaged both ways.

    Args:
        documents: vectors of the passages of each, (passages, dim), of length 1; none is empty.

    >>> east, north = np.eye(2, dtype=np.float32)
    >>> compute_document_similarity([np.stack([east]), np.stack([east, north])]).tolist()
    [[1.0, 0.75], [0.75, 1.0]]
    """
    sizes = np.array([len(vectors) for vectors in documents])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    vectors = np.concatenate(documents)
    best = np.maximum.reduceat(vectors @ vectors.T, starts, axis=1)
    one_way = np.add.reduceat(best, starts, axis=0) / sizes[:, None]
    return np.asarray((one_way + one_way.T) / 2, dtype=np.float32)


def choose_diverse(similarity: FloatMatrix, candidates: Sequence[int], *, limit: int, diversity: float) -> list[int]:
    """Candidates in the order of maximal marginal relevance to row 0: the nearest first.

    >>> near = np.array([[1, .9, .89, .5], [.9, 1, .99, .1], [.89, .99, 1, .1], [.5, .1, .1, 1]], dtype=np.float32)
    >>> choose_diverse(near, [1, 2, 3], limit=2, diversity=0.0), choose_diverse(near, [1, 2, 3], limit=2, diversity=0.5)
    ([1, 2], [1, 3])
    """
    left = sorted(candidates, key=lambda place: -similarity[0, place])
    chosen: list[int] = []
    while left and len(chosen) < limit:
        nearest = similarity[np.ix_(left, chosen)].max(axis=1) if chosen else np.zeros(len(left), dtype=np.float32)
        gain = (1 - diversity) * similarity[0, left] - diversity * nearest
        # At full diversity nothing but distance counts, yet the first one is still the nearest.
        place = int(gain.argmax()) if chosen else 0
        chosen.append(left.pop(place))
    return chosen


def compute_overlap(first: str, second: str) -> float:
    """Share of word triples that two texts have in common (Dice), in [0, 1]; 0 where one has no word.

    >>> round(compute_overlap("the cat sat on the mat", "The cat sat on the rug."), 2)
    0.75
    """
    return _share(_shingles(first), _shingles(second))


def _share(first: set[tuple[str, ...]], second: set[tuple[str, ...]]) -> float:
    return 2 * len(first & second) / (len(first) + len(second)) if first and second else 0.0


def _shingles(text: str) -> set[tuple[str, ...]]:
    words = _WORD.findall(text.casefold())
    return {tuple(words[at : at + _SHINGLE_WORDS]) for at in range(max(1, len(words) - _SHINGLE_WORDS + 1))} - {()}


def _find_candidates(collection: TextCollection, own: _Document, *, count: int) -> list[_Document]:
    """Documents that hold the passages nearest to any of ours."""
    hits = collection.gateway.search(
        collection.name,
        own.vectors,
        field="vector",
        limit=max(_FOUND_PER_PASSAGE, count),
        params={"ef": 2 * max(_FOUND_PER_PASSAGE, count)},
        where=where("document_id") != own.document_id,
        output_fields=["document_id"],
    )
    totals: dict[str, float] = {}
    for query in range(hits.query_count):
        best: dict[str, float] = {}
        rows = hits.of_query(query)
        for document_id, score in zip(hits.columns["document_id"][rows], hits.scores[rows], strict=True):
            best[document_id] = max(best.get(document_id, 0.0), float(score))
        for document_id, score in best.items():
            totals[document_id] = totals.get(document_id, 0.0) + score
    nearest = sorted(totals, key=lambda document_id: -totals[document_id])[:count]
    found = _read_documents(collection, nearest)
    return [found[document_id] for document_id in nearest if document_id in found]


def _read_documents(collection: TextCollection, document_ids: Sequence[str]) -> dict[str, _Document]:
    """The first passages of each document, of its newest revision."""
    if not document_ids:
        return {}
    found = collection.gateway.rows.query(
        collection.name,
        where=where("document_id").is_in(list(document_ids)) & (where("ordinal") < _PASSAGES_PER_DOCUMENT),
        fields=[*PASSAGE_FIELDS, "content_sha256", "vector", *(["revision"] if collection.has_revision else [])],
        consistency=Consistency.BOUNDED,
    )
    rows: dict[str, list[int]] = {}
    for row, document_id in enumerate(found["document_id"]):
        rows.setdefault(document_id, []).append(row)
    return {document_id: _as_document(found, of_one) for document_id, of_one in rows.items()}


def _as_document(found: Mapping[str, Any], rows: list[int]) -> _Document:
    if "revision" in found:
        newest = max(found["revision"][row] for row in rows)
        rows = [row for row in rows if found["revision"][row] == newest]
    rows = sorted(rows, key=lambda row: int(found["ordinal"][row]))
    return _Document(
        passages=[{name: found[name][row] for name in PASSAGE_FIELDS} for row in rows],
        vectors=np.asarray(found["vector"], dtype=np.float32)[rows],
        content_sha256=found["content_sha256"][rows[0]],
    )


def _group(
    documents: Sequence[_Document], similarity: FloatMatrix, *, is_grouped: bool
) -> tuple[list[int], dict[str, tuple[SameDocument, ...]]]:
    """Places of the documents to choose from, without copies, and by document id the copies of it."""
    places = sorted(range(1, len(documents)), key=lambda place: -similarity[0, place])
    if not is_grouped:
        return places, {}
    words = [_shingles(document.text) for document in documents]
    leaders = [0]
    copies: dict[int, list[SameDocument]] = {}
    for place in places:
        for leader in leaders:
            if similarity[leader, place] < _COPY_NEARNESS:
                continue
            is_same = documents[leader].content_sha256 == documents[place].content_sha256
            overlap = 1.0 if is_same else _share(words[leader], words[place])
            if overlap >= _COPY_OVERLAP:
                copies.setdefault(leader, []).append(_same(documents[place], overlap))
                break
        else:
            leaders.append(place)
    return leaders[1:], {documents[leader].document_id: tuple(same) for leader, same in copies.items()}


def _same(document: _Document, overlap: float) -> SameDocument:
    first = document.passages[0]
    return SameDocument(
        document_id=first["document_id"], title=first["title"], source=first["source"], url=first["url"],
        overlap=round(overlap, 3),
    )  # fmt: skip


def _hit(own: _Document, document: _Document, *, score: float) -> TextHit:
    """The passage of the document that lies nearest to any of ours."""
    nearest = int((own.vectors @ document.vectors.T).max(axis=0).argmax())
    values = dict(document.passages[nearest])
    published_at_s = int(values["published_at_s"])
    return TextHit(
        **{
            **values,
            "ordinal": int(values["ordinal"]),
            "start": int(values["start"]),
            "published_at_s": None if published_at_s == UNKNOWN_TIME_S else published_at_s,
        },
        score=score,
    )
