"""What both sides are asked to do, and what the numbers of the tool do not say."""

from __future__ import annotations

import dataclasses
from typing import Any

from milvuslab.bench.case import VECTOR_FIELD
from milvuslab.model.errors import UsageError
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric

__all__ = ["COLLECTION", "TOOL_LIMITS", "ToolCase"]

COLLECTION = "VDBBench"
"""The collection that the tool searches; its Milvus client takes no other name from the command line."""
assert VECTOR_FIELD == "vector", "the tool's Milvus client searches a field of that name"
_METRICS = (Metric.L2, Metric.IP, Metric.COSINE)

TOOL_LIMITS = (
    (
        "It measures in a closed loop: each of its processes asks again only when it was answered. That gives throughput; "
        "a stall of the server holds back the questions that would have shown it, so latencies under load come out too small."
    ),
    "Its latencies are taken around a whole call of pymilvus 2.4: packing the question and unpacking the answer included.",
    (
        "Its rate divides all answers by the time until the last process has handed over its latencies; qps_inside adds up "
        "the rates that its processes logged of themselves and leaves that out."
    ),
    "A search that fails is logged and left out of both counts; failed_count counts the lines of its log.",
    (
        "Its recall comes from a second pass, one search at a time, and by id alone: of two rows at the same distance only "
        "one is right. The timed searches are not checked."
    ),
    "It says nothing about the server: no memory, no CPU, no disk.",
    (
        "It names no consistency level, so the collection's applies, to both sides. The collection here is made by us; one "
        "that the tool makes itself has Session."
    ),
)
"""What VectorDBBench 1.0.20 measures and what it does not (read in its `mp_runner.py`, `serial_runner.py`, `milvus.py`)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToolCase:
    """One comparison: data, index, and how it is searched.

    Attributes:
        row_count: rows of the collection.
        dim: numbers of a vector.
        metric: L2, IP or COSINE.
        k: hits asked for and compared.
        in_flight: searches on their way at a time; processes on the tool's side.
        duration_s: length of the timed loop, whole seconds: the tool takes no others.
        m: HNSW's links of a node.
        ef_construction: HNSW's candidates while building.
        ef: HNSW's candidates while searching, at least `k`.
    """

    row_count: int = 50_000
    dim: int = 128
    metric: Metric = Metric.L2
    k: int = 10
    in_flight: int = 8
    duration_s: int = 20
    m: int = 16
    ef_construction: int = 200
    ef: int = 64

    def __post_init__(self) -> None:
        if self.metric not in _METRICS:
            raise UsageError(f"VectorDBBench searches no {self.metric}", hint="take L2, IP or COSINE")
        if self.ef < self.k:
            raise UsageError(f"ef is {self.ef}, less than k = {self.k}", hint=f"take ef {self.k} or more")
        for name in ("row_count", "dim", "k", "in_flight", "duration_s"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}", hint="take 1 or more")

    @property
    def index(self) -> IndexSpec:
        """The index of the collection."""
        params = {"M": self.m, "efConstruction": self.ef_construction}
        return IndexSpec(field_name=VECTOR_FIELD, index_type="HNSW", metric=self.metric, params=params)

    @property
    def search_params(self) -> dict[str, int]:
        """Search parameters by Milvus's names."""
        return {"ef": self.ef}

    def as_dict(self) -> dict[str, Any]:
        """A form for JSON."""
        return {**dataclasses.asdict(self), "metric": str(self.metric)}
