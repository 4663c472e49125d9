"""Recall of the index that people are served from, against exact search over the same vectors.

Stored vectors, drawn at random, are the queries: they lie where the data lie, and nobody needs to judge anything. The index is
asked just as a search for a person asks it. Exact search reads every vector once, block by block, so memory stays at a few
blocks. A result stands until the collection changes: another number of rows, or a revision that was not seen.
"""

from __future__ import annotations

import dataclasses
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from milvuslab.apps.text.channels import choose_ef
from milvuslab.apps.text.rankings import read_vectors
from milvuslab.data.nearest import Nearest
from milvuslab.model.collection import Consistency
from milvuslab.model.errors import UsageError
from milvuslab.model.filter import where
from milvuslab.model.metric import Metric
from milvuslab.model.recall import recall_by_distance

if TYPE_CHECKING:
    from milvuslab.apps.text.collection import TextCollection

__all__ = ["ServedRecall", "measure_served_recall"]

_SEED = 20_240_601
_SERVED_PASSAGES = 40
"""What a search for ten documents asks the server for (`channels`)."""
_SERVED_EF = choose_ef(_SERVED_PASSAGES)
_KEPT: dict[tuple[str, str, int, int], tuple[int, int, ServedRecall]] = {}
_LOCK = threading.Lock()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServedRecall:
    """How much of the true answer the index finds.

    Attributes:
        recall: mean share of the k truly nearest passages among the first k of the index; a passage as near as the
            k-th is right.
        k: passages compared.
        query_count: stored passages that were asked for; each was left out of its own answer.
        passage_count: rows of the collection.
        ef: candidates HNSW kept.
    """

    recall: float
    k: int
    query_count: int
    passage_count: int
    ef: int

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return dataclasses.asdict(self)


def measure_served_recall(
    collection: TextCollection, *, query_count: int = 200, k: int = 10, is_cached: bool = True
) -> ServedRecall:
    """Recall@k of the index as it is served; from memory while the collection has not changed.

    Reads the collection twice: its keys, then its vectors. 17,000 passages take about a second, 100,000 about ten.

    Args:
        collection: to be asked.
        query_count: stored passages asked for; fewer where the collection has fewer.
        k: passages compared, 1 to 40.
        is_cached: whether an earlier result of this process will do.

    Raises:
        UsageError: the collection has no more than k passages, or k is out of range.
    """
    if not 1 <= k <= _SERVED_PASSAGES:
        raise UsageError(f"k is {k}", hint=f"compare 1 to {_SERVED_PASSAGES} passages")
    key = (collection.gateway.endpoint.safe_uri, collection.name, query_count, k)
    with _LOCK:
        kept = _KEPT.get(key)
    if is_cached and kept is not None and _is_unchanged(collection, row_count=kept[0], highest_revision=kept[1]):
        return kept[2]
    row_count, highest_revision, measured = _measure(collection, query_count=query_count, k=k)
    with _LOCK:
        _KEPT[key] = (row_count, highest_revision, measured)
    return measured


def _is_unchanged(collection: TextCollection, *, row_count: int, highest_revision: int) -> bool:
    rows = collection.gateway.rows
    if rows.count(collection.name) != row_count:
        return False
    # A document that was replaced by one of the same length has a higher revision.
    return not collection.has_revision or rows.count(collection.name, where("revision") > highest_revision) == 0


def _measure(collection: TextCollection, *, query_count: int, k: int) -> tuple[int, int, ServedRecall]:
    row_count = collection.gateway.rows.count(collection.name, consistency=Consistency.STRONG)
    if row_count <= k:
        raise UsageError(f"collection {collection.name} has {row_count} passages", hint=f"load more than {k}")
    queries = _draw_vectors(collection, count=query_count)
    # One more than k: the nearest passage of a stored vector is its own.
    nearest = Nearest(queries, k=k + 1, metric=Metric.IP)
    seen, highest_revision = 0, 0
    for page in read_vectors(collection):
        nearest.add(np.arange(seen, seen + len(page["vector"])), page["vector"])
        seen += len(page["vector"])
        highest_revision = max(highest_revision, *map(int, page.get("revision", [0])))
    hits = collection.gateway.search(
        collection.name, queries, field="vector", limit=_SERVED_PASSAGES, params={"ef": _SERVED_EF}, timeout_s=60
    )
    found = np.full((len(queries), k + 1), np.inf)
    for row in range(len(queries)):
        distances = hits.distances[hits.of_query(row)][: k + 1]
        found[row, : len(distances)] = distances
    # Passages with the same text have the same vector, so places are compared by distance. The own passage is first in
    # the truth; where the index missed even that, it missed one of k + 1.
    recall = recall_by_distance(found, nearest.distances, k=k + 1)
    own = nearest.distances[:, 0] + 1e-4
    has_own = found[:, 0] <= own
    others = (recall * (k + 1) - has_own) / k
    measured = ServedRecall(
        recall=float(np.clip(others, 0, 1).mean()), k=k, query_count=len(queries), passage_count=seen, ef=_SERVED_EF
    )
    return row_count, highest_revision, measured


def _draw_vectors(collection: TextCollection, *, count: int) -> Any:
    """(up to count, dim) float32 vectors of passages drawn at random, the same ones for the same collection."""
    keys = [
        key
        for page in collection.gateway.rows.iterate(collection.name, fields=["passage_id"])
        for key in page["passage_id"]
    ]
    dice = np.random.default_rng(_SEED)
    chosen = [keys[row] for row in sorted(dice.choice(len(keys), min(count, len(keys)), replace=False))]
    found = collection.gateway.rows.query(collection.name, where=where("passage_id").is_in(chosen), fields=["vector"])
    return np.asarray(found["vector"], dtype=np.float32)
