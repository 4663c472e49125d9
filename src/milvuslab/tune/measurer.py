"""What the tuner asks of the world: recall, latency and memory of one index.

The tuner knows no server. `tune/live.py` answers from a real one, tests from recorded curves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from milvuslab.model.index import IndexSpec

__all__ = ["Latency", "Measurer"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How fast single searches are.

    Attributes:
        p50_ms: median of searches sent one at a time, from sending to the parsed answer.
        p95_ms: their 95th percentile.
        p99_ms: their 99th percentile.
        qps: answered searches a second with several in flight; None where that was not measured.
    """

    p50_ms: float
    p95_ms: float
    p99_ms: float
    qps: float | None = None


class Measurer(Protocol):
    """Measures an index that it builds when it is first asked about it.

    The tuner asks everything about one build before it names the next, so a measurer holds one index at a time.
    """

    def measure_recall(
        self, build: IndexSpec, params: Mapping[str, Any], query_rows: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float64]:
        """Recall of each query, found in batches.

        Args:
            build: the index.
            params: search parameters by Milvus's names.
            query_rows: (n,) rows of the measurer's query table.

        Returns:
            (n,) float64 in [0, 1], in the order asked.
        """

    def measure_latency(self, build: IndexSpec, params: Mapping[str, Any]) -> Latency:
        """Latency of single searches, each sent on its own."""

    def measure_memory_bytes(self, build: IndexSpec) -> int | None:
        """What the loaded index takes on the server; None where that cannot be seen."""
