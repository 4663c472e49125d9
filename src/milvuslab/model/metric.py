"""What Milvus's scores mean, and the one conversion between `score` and `distance`.

`score` is what Milvus returns, in the metric's own direction. `distance` is ours: smaller is closer, always.

| metric  | score                        | better  | distance      | source |
|---------|------------------------------|---------|---------------|--------|
| L2      | squared Euclidean, >= 0      | smaller | score         | Milvus docs 2.3, metric.md: "no square root is taken"; measured on 2.3.5 |
| IP      | inner product                | larger  | -score        | Milvus docs 2.3, metric.md |
| COSINE  | cosine in [-1, 1]            | larger  | 1 - score     | Milvus docs 2.3, metric.md |
| HAMMING | number of differing bits     | smaller | score         | Milvus docs 2.3, metric.md |
| JACCARD | 1 - common / united bits     | smaller | score         | Milvus docs 2.3, metric.md |
| BM25    | relevance, >= 0              | larger  | -score        | Milvus docs 2.5, full-text-search.md |
"""

from __future__ import annotations

import enum
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Metric", "score_to_distance"]


class Metric(str, enum.Enum):
    """A metric by Milvus's own word for it."""

    L2 = "L2"
    IP = "IP"
    COSINE = "COSINE"
    HAMMING = "HAMMING"
    JACCARD = "JACCARD"
    BM25 = "BM25"

    @property
    def larger_is_better(self) -> bool:
        """Whether a higher score means a closer neighbour."""
        return self in (Metric.IP, Metric.COSINE, Metric.BM25)

    @property
    def is_binary(self) -> bool:
        """Whether it compares packed bits instead of numbers."""
        return self in (Metric.HAMMING, Metric.JACCARD)

    def __str__(self) -> str:
        return self.value


def score_to_distance(scores: npt.NDArray[Any], *, metric: Metric) -> npt.NDArray[Any]:
    """The same scores turned so that smaller is closer; shape and dtype stay, NaN stays NaN."""
    if metric is Metric.COSINE:
        return np.asarray(1 - scores, dtype=scores.dtype)
    return -scores if metric.larger_is_better else scores.copy()
