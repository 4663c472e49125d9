"""What a search asks for, and what it found, as columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.model.errors import UsageError
from milvuslab.model.filter import Filter
from milvuslab.model.metric import Metric, score_to_distance

__all__ = ["AnnQuery", "DistanceRange", "Hits", "RrfRanker", "WeightedRanker"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hits:
    """The answers to nq queries, flattened: query i owns rows `offsets[i]` to `offsets[i + 1]`, best first.

    Attributes:
        ids: (rows,) int64, or object holding str for VARCHAR keys.
        scores: (rows,) float32 as Milvus returned them, in the metric's own direction.
        offsets: (nq + 1,) int64.
        metric: gives the scores their meaning.
        columns: output fields by name; each holds `rows` values: numpy arrays for numbers and vectors
            (rows, dim), lists for strings, JSON and arrays.
        latency_ms: from sending the request to having the parsed answer.
    """

    ids: npt.NDArray[Any]
    scores: npt.NDArray[np.float32]
    offsets: npt.NDArray[np.int64]
    metric: Metric
    columns: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    latency_ms: float = 0.0

    @property
    def query_count(self) -> int:
        """How many queries were answered."""
        return len(self.offsets) - 1

    @property
    def distances(self) -> npt.NDArray[np.float32]:
        """(rows,) float32, smaller is closer whatever the metric."""
        return score_to_distance(self.scores, metric=self.metric)

    def of_query(self, index: int) -> slice:
        """The rows of one query."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def id_table(self, *, k: int) -> npt.NDArray[np.int64]:
        """(nq, k) int64, best first, short answers padded with -1; only for INT64 keys."""
        table = np.full((self.query_count, k), -1, dtype=np.int64)
        for index in range(self.query_count):
            found = self.ids[self.of_query(index)][:k]
            table[index, : len(found)] = found
        return table


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DistanceRange:
    """Which distances a range search keeps: `at_least <= distance < below`; smaller is closer whatever the metric.

    Attributes:
        below: the outer bound; required, because servers search outward to it.
        at_least: the inner bound; None keeps everything nearer too.
    """

    below: float
    at_least: float | None = None

    def __post_init__(self) -> None:
        if self.at_least is not None and self.at_least >= self.below:
            raise UsageError(f"a range from {self.at_least} to below {self.below} holds no distance")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AnnQuery:
    """One of the searches that a hybrid search merges.

    Attributes:
        vectors: (nq, dim) for the field, or a list of sparse vectors.
        field: the vector field.
        limit: candidates that it brings.
        params: search parameters by Milvus's names.
        where: its own filter.
    """

    vectors: Any
    field: str
    limit: int
    params: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    where: Filter | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RrfRanker:
    """Reciprocal rank fusion: a hit scores the sum of 1 / (k + rank) (Milvus docs 2.4, rrf-ranker: k = 60)."""

    k: int = 60


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WeightedRanker:
    """Weighted sum of the normalised scores, one weight in [0, 1] for each query."""

    weights: tuple[float, ...]
