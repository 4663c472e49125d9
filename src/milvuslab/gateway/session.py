"""What the parts of a gateway share: the way to the server, and what was learnt about its collections."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any

from milvuslab.gateway.wire.caller import Caller
from milvuslab.gateway.wire.protos import Protos, load_protos
from milvuslab.gateway.wire.schema import index_from_message, spec_from_message
from milvuslab.model.collection import CollectionSpec, Consistency
from milvuslab.model.errors import NotFoundError
from milvuslab.model.index import IndexReport
from milvuslab.model.metric import Metric
from milvuslab.model.server import Endpoint

__all__ = ["Session"]

_FRESH_S = 10.0
"""How long a description is believed. Our own changes forget it at once; this bounds what others do behind us."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Known:
    spec: CollectionSpec
    collection_id: int
    learnt_s: float
    metrics: dict[str, Metric]


class Session:
    """Shared by all parts of one gateway; safe to use from many threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        caller: Caller,
        *,
        chunk_bytes: int,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.endpoint = endpoint
        self.caller = caller
        self.chunk_bytes = chunk_bytes
        self.counts_by_keys = False
        self._now_s = now_s
        self._known: dict[str, _Known] = {}
        self._written: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def protos(self) -> Protos:
        """The message classes."""
        return load_protos()

    @property
    def slow_timeout_s(self) -> float:
        """Deadline of calls that change the catalogue: a server writes them through, and Lite works while we wait."""
        return max(60.0, self.caller.call_timeout_s)

    def spec(self, name: str) -> CollectionSpec:
        """The collection of that name, or behind that alias.

        Raises:
            NotFoundError: there is none.
        """
        return self._learn(name).spec

    def collection_id(self, name: str) -> int:
        """The server's number for the collection; 0 on Lite, which has none."""
        return self._learn(name).collection_id

    def metric_of(self, name: str, field_name: str) -> Metric | None:
        """The metric of the field's index, None without an index."""
        known = self._learn(name)
        if field_name not in known.metrics:
            for report in self.describe_indexes(name):
                if report.spec.metric is not None:
                    known.metrics[report.spec.field_name] = report.spec.metric
        return known.metrics.get(field_name)

    def describe_indexes(self, name: str) -> list[IndexReport]:
        """The indexes of the collection as the server tells them now."""
        request = self.protos.milvus.DescribeIndexRequest(collection_name=name)
        try:
            answer = self.caller.read("DescribeIndex", request, what=f"describe the indexes of {name}")
        except NotFoundError as error:
            # Servers answer "index not found" where there is none; a missing collection stays an error.
            self.forget(name)
            self.spec(name)
            del error
            return []
        return [index_from_message(message) for message in answer.index_descriptions]

    def freshness(self, name: str, consistency: Consistency | None) -> dict[str, int]:
        """Consistency fields of a read.

        Servers before 2.3 know only the timestamp, later ones only the level, so both are sent. The small numbers are
        Milvus's own words for "everything so far" (0), "what is there" (1) and "within the graceful time" (2).
        """
        level = consistency or self.spec(name).consistency
        with self._lock:
            written = self._written.get(name, 1)
        timestamps = {Consistency.STRONG: 0, Consistency.EVENTUALLY: 1, Consistency.BOUNDED: 2}
        return {
            "consistency_level": self.protos.common.ConsistencyLevel.Value(str(level)),
            "guarantee_timestamp": timestamps.get(level, written),
        }

    def wrote(self, name: str, timestamp: int) -> None:
        """Remembers the server's time of a write, so that SESSION reads see it."""
        with self._lock:
            self._written[name] = max(int(timestamp), self._written.get(name, 1))

    def forget(self, name: str) -> None:
        """Drops what was learnt: the collection changes, or a call showed that it did."""
        with self._lock:
            self._known.pop(name, None)

    def forget_all(self) -> None:
        """Drops everything learnt: an alias moved."""
        with self._lock:
            self._known.clear()

    def _learn(self, name: str) -> _Known:
        with self._lock:
            known = self._known.get(name)
        if known is not None and self._now_s() - known.learnt_s < _FRESH_S:
            return known
        request: Any = self.protos.milvus.DescribeCollectionRequest(collection_name=name)
        answer = self.caller.read("DescribeCollection", request, what=f"describe {name}")
        known = _Known(spec_from_message(answer), int(answer.collectionID), self._now_s(), {})
        with self._lock:
            self._known[name] = known
        return known
