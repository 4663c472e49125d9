"""Searches whose requests are bytes before the first one is sent, and whose answers stay bytes until after the last.

For measuring: `MilvusClient.search` spends more on a query than the server does on a small collection, and that cost
would stand in every number. Sending bytes through one gRPC future costs about a third of it. The requests come from
the same code as `Gateway.search`, so both ask the server exactly the same thing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from milvuslab.gateway.errors import from_rpc
from milvuslab.gateway.expression import render_filter
from milvuslab.gateway.search_message import (
    LIMIT_MAX,
    check_names,
    hits_of,
    query_blobs,
    search_request,
    target_field,
    usual_metric,
)
from milvuslab.gateway.session import Session
from milvuslab.gateway.wire.caller import check_status
from milvuslab.gateway.wire.protos import load_protos
from milvuslab.model.collection import CollectionSpec, Consistency
from milvuslab.model.errors import FilterError, LimitError, MilvusLabError, RejectedError, UsageError
from milvuslab.model.filter import Filter
from milvuslab.model.metric import Metric
from milvuslab.model.search import Hits

__all__ = ["PreparedSearches", "SentSearch", "prepare_searches"]

_Opener = Callable[[bytes, float], Any]


class SentSearch:
    """One search on its way; safe to ask from any thread."""

    __slots__ = ("_future", "_what")

    def __init__(self, future: Any, what: str) -> None:
        self._future = future
        self._what = what

    def add_done_callback(self, callback: Callable[[SentSearch], None]) -> None:
        """Has `callback(self)` called once there is an answer or a failure, on gRPC's own thread.

        It must be quick and must not raise: answers that came later wait for it.
        """
        self._future.add_done_callback(lambda _: callback(self))

    def outcome(self) -> bytes | MilvusLabError:
        """The answer unparsed, or why there is none; waits for either.

        Bytes are no success yet: only `PreparedSearches.parse` shows what the server says.
        """
        if self._future.code().value[0] == 0:
            return bytes(self._future.result())
        return from_rpc(self._future, what=self._what)

    def code(self) -> str:
        """`ok` when bytes came, else the `code` of the error; waits for either."""
        outcome = self.outcome()
        return outcome.code if isinstance(outcome, MilvusLabError) else "ok"

    def result_bytes(self) -> bytes:
        """The answer, unparsed; waits for it.

        Raises:
            MilvusLabError: there is none.
        """
        outcome = self.outcome()
        if isinstance(outcome, MilvusLabError):
            raise outcome
        return outcome


class PreparedSearches:
    """Serialised search requests over one collection. Safe to use from many threads, until the gateway is closed.

    Attributes:
        limit: most hits of one query.
        metric: gives the scores of the answers their meaning.
        batch_rows: queries in each request.
        request_bytes: of all requests.
    """

    def __init__(
        self,
        requests: Sequence[bytes],
        *,
        opener: _Opener,
        spec: CollectionSpec,
        name: str,
        limit: int,
        metric: Metric,
        batch_rows: int,
        output_fields: Sequence[str],
    ) -> None:
        self._requests = tuple(requests)
        self._open = opener
        self._spec = spec
        self._what = f"search {name}"
        self._output_fields = tuple(output_fields)
        self.limit = limit
        self.metric = metric
        self.batch_rows = batch_rows
        self.request_bytes = sum(map(len, self._requests))

    @property
    def request_count(self) -> int:
        """How many different requests there are."""
        return len(self._requests)

    def query_rows(self, index: int) -> slice:
        """Which of the queries request `index` asks."""
        return slice(index * self.batch_rows, (index + 1) * self.batch_rows)

    def send(self, index: int, *, timeout_s: float) -> SentSearch:
        """Sends request `index` and returns at once. Nothing is tried again.

        Raises:
            RejectedError: the gateway is closed.
        """
        try:
            return SentSearch(self._open(self._requests[index], timeout_s), self._what)
        except ValueError as error:
            # gRPC says "Cannot invoke RPC on closed channel!" with a ValueError.
            raise RejectedError(f"{self._what}: the gateway is closed", hint="connect again") from error

    def parse(self, answer_bytes: bytes) -> Hits:
        """The hits in an answer.

        Raises:
            MilvusLabError: the answer carries a failure, the same error as of `Gateway.search`.
        """
        begun_s = time.monotonic()
        answer = load_protos().milvus.SearchResults.FromString(answer_bytes)
        check_status(answer, what=self._what)
        return hits_of(
            answer.results,
            self._spec,
            self.metric,
            self._output_fields,
            begun_s=begun_s,
            query_count=self.batch_rows,
        )


def prepare_searches(
    session: Session,
    name: str,
    queries: Any,
    *,
    limit: int,
    batch_rows: int,
    metric: Metric | None,
    params: Mapping[str, Any] | None,
    where: Filter | None,
    partitions: Sequence[str] | None,
    consistency: Consistency | None,
    field: str | None,
    output_fields: Sequence[str],
) -> PreparedSearches:
    """Requests of the queries, `batch_rows` in each; see `Gateway.prepare_searches`."""
    spec = session.spec(name)
    target = target_field(spec, field)
    check_names(spec, output_fields)
    if not 1 <= limit <= LIMIT_MAX:
        raise LimitError(f"limit {limit} is outside 1 to {LIMIT_MAX:,}")
    condition = True if where is None else render_filter(where, spec)
    if condition is False:
        raise FilterError("the filter passes no row, so nothing would be sent", hint="measure with another filter")
    used = metric or session.metric_of(name, target.name) or usual_metric(spec, target)
    blobs = query_blobs(spec, target, queries)
    if not 1 <= batch_rows <= len(blobs):
        raise UsageError(f"{len(blobs)} queries make no request of {batch_rows}", hint="give more queries")
    requests = [
        search_request(
            session, name, target, blobs[begin : begin + batch_rows], limit=limit, metric=used, params=params or {},
            condition=condition, partitions=partitions, output_fields=output_fields, group_by=None, offset=0,
            consistency=consistency,
        ).SerializeToString()
        for begin in range(0, len(blobs) - batch_rows + 1, batch_rows)
    ]  # fmt: skip
    return PreparedSearches(
        requests, opener=session.caller.opener("Search"), spec=spec, name=name, limit=limit, metric=used,
        batch_rows=batch_rows, output_fields=output_fields,
    )  # fmt: skip
