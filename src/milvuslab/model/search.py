"""What a search found, as columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.model.metric import Metric, score_to_distance

__all__ = ["Hits"]


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
