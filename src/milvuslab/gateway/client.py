"""The door to a server: `connect`, and the gateway it returns."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from milvuslab.gateway import searching
from milvuslab.gateway.bulk import BulkReport, bulk_load
from milvuslab.gateway.capability_file import read_capabilities, write_capabilities
from milvuslab.gateway.catalog import Collections
from milvuslab.gateway.indexes import Indexes
from milvuslab.gateway.placement import Placements
from milvuslab.gateway.prepared import PreparedSearches, prepare_searches
from milvuslab.gateway.retry import RetryPolicy
from milvuslab.gateway.rows import Rows
from milvuslab.gateway.session import Session
from milvuslab.gateway.wire.caller import Caller
from milvuslab.gateway.wire.channel import open_link
from milvuslab.model.collection import Consistency
from milvuslab.model.filter import Filter
from milvuslab.model.metric import Metric
from milvuslab.model.progress import Observer, silent
from milvuslab.model.search import AnnQuery, DistanceRange, Hits, RrfRanker, WeightedRanker
from milvuslab.model.server import Capabilities, Endpoint

__all__ = ["CHUNK_BYTES", "Gateway", "connect", "open_gateway"]

CHUNK_BYTES = 8 * 1024 * 1024
"""Bytes of one write call. Servers take messages of up to 64 MB (`proxy.grpc.serverMaxRecvSize`, milvus.yaml 2.3)."""


class Gateway:
    """A connection to one server. Safe to use from many threads; close it once, or use it in a `with`.

    `collections`, `rows`, `indexes` and `placements` hold the calls about each; searches are here. `session` is the connection
    underneath, for the modules of this room.
    """

    def __init__(
        self, session: Session, *, server_version: str, cache_dir: Path | None, probe_timeout_s: float
    ) -> None:
        self.session = session
        self._cache_dir = cache_dir
        self._probe_timeout_s = probe_timeout_s
        self._lock = threading.Lock()
        self._capabilities: Capabilities | None = None
        self.server_version = server_version
        self.collections = Collections(session)
        self.rows = Rows(session)
        self.indexes = Indexes(session)
        self.placements = Placements(session)

    @property
    def endpoint(self) -> Endpoint:
        """Where the server is."""
        return self.session.endpoint

    @property
    def capabilities(self) -> Capabilities:
        """What the server was seen to do: probed once (3 to 10 s), then kept by version and build.

        Raises:
            UnreachableError, TimedOutError: the server does not answer.
        """
        with self._lock:
            if self._capabilities is None:
                self._capabilities = self._known_capabilities() or self._probe()
            return self._capabilities

    def probe(self) -> Capabilities:
        """The capabilities, probed now whatever was kept: after a change of the server's settings."""
        with self._lock:
            self._capabilities = self._probe()
            return self._capabilities

    def _known_capabilities(self) -> Capabilities | None:
        from milvuslab.gateway.probe import fetch_about

        if self._cache_dir is None:
            return None
        about = fetch_about(self)
        return read_capabilities(self._cache_dir, version=about.version, build=about.build)

    def _probe(self) -> Capabilities:
        from milvuslab.gateway.probe import probe_server

        probed = probe_server(self.endpoint, deadline_s=self._probe_timeout_s)
        if self._cache_dir is not None and probed.is_certain:
            with contextlib.suppress(OSError):  # a folder that cannot be written costs the next probe, no more
                write_capabilities(self._cache_dir, probed.capabilities)
        return probed.capabilities

    def search(
        self,
        name: str,
        vectors: Any,
        *,
        limit: int,
        field: str | None = None,
        metric: Metric | None = None,
        params: Mapping[str, Any] | None = None,
        where: Filter | None = None,
        within: DistanceRange | None = None,
        partitions: Sequence[str] | None = None,
        output_fields: Sequence[str] = (),
        consistency: Consistency | None = None,
        group_by: str | None = None,
        offset: int = 0,
        timeout_s: float | None = None,
    ) -> Hits:
        """The nearest rows of each query, best first.

        Args:
            name: collection or alias; it must be loaded.
            vectors: (nq, dim) floats, or one of (dim,); packed uint8 for binary fields; a list of
                `{dimension: weight}` for sparse ones; a list of texts for those that a BM25 function fills.
            limit: most hits of one query, 1 to 16,384.
            field: the vector field; None where there is only one.
            metric: None takes the index's.
            params: search parameters by Milvus's names, `{"ef": 64}`.
            where: only rows that pass.
            within: only distances in that range. Lite looks at the nearest 5 x `limit` rows only (read in 3.2.2).
            partitions: where to look; None is everywhere.
            output_fields: columns to bring along.
            consistency: how fresh; None is the collection's own level.
            group_by: a field of which each value appears once; it comes along as a column.
            offset: hits to skip.
            timeout_s: deadline; None takes the gateway's.

        Raises:
            NotFoundError: the collection or a field is not there.
            ConflictError: the collection is not loaded.
            SchemaError: a query has the wrong shape or holds NaN.
            UnsupportedError: the server ignored the range or the grouping.
            FilterError: the filter does not fit the collection.
            TimedOutError, UnreachableError: no answer.
        """
        return searching.search(
            self.session, name, vectors, field=field, limit=limit, metric=metric, params=params or {}, where=where,
            within=within, partitions=partitions, output_fields=output_fields, consistency=consistency,
            group_by=group_by, offset=offset, timeout_s=timeout_s,
        )  # fmt: skip

    def hybrid_search(
        self,
        name: str,
        queries: Sequence[AnnQuery],
        *,
        limit: int,
        ranker: RrfRanker | WeightedRanker | None = None,
        partitions: Sequence[str] | None = None,
        output_fields: Sequence[str] = (),
        consistency: Consistency | None = None,
        timeout_s: float | None = None,
    ) -> Hits:
        """The best rows of several searches, merged by a ranker (reciprocal ranks unless told otherwise).

        The scores are the ranker's, larger is better; `Hits.metric` says IP for that.

        Raises:
            UnsupportedError: the server merges no searches (before 2.4).
        """
        return searching.hybrid_search(
            self.session, name, queries, ranker=ranker or RrfRanker(), limit=limit, partitions=partitions,
            output_fields=output_fields, consistency=consistency, timeout_s=timeout_s,
        )  # fmt: skip

    def search_iterator(
        self,
        name: str,
        vector: Any,
        *,
        field: str | None = None,
        batch_rows: int = 1_000,
        params: Mapping[str, Any] | None = None,
        where: Filter | None = None,
        partitions: Sequence[str] | None = None,
        output_fields: Sequence[str] = (),
        consistency: Consistency | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[Hits]:
        """Hits of one query, nearest first, page by page, until no row is left.

        Within the server's window of 16,384 hits pages are offsets; behind it each is a range search that begins at the
        last distance seen, which 2.2 cannot do. Approximate indexes, and Lite behind the window, may end early.

        Raises:
            UnsupportedError: there are more hits than the window, and the server has no range search.
        """
        return searching.search_iterator(
            self.session, name, vector, field=field, batch_rows=batch_rows, params=params or {}, where=where,
            partitions=partitions, output_fields=output_fields, consistency=consistency, timeout_s=timeout_s,
        )  # fmt: skip

    def prepare_searches(
        self,
        name: str,
        queries: Any,
        *,
        limit: int,
        batch_rows: int = 1,
        metric: Metric | None = None,
        params: Mapping[str, Any] | None = None,
        where: Filter | None = None,
        partitions: Sequence[str] | None = None,
        consistency: Consistency | None = None,
        field: str | None = None,
        output_fields: Sequence[str] = (),
    ) -> PreparedSearches:
        """Searches to be sent many times with little work for the client: what the benchmark driver takes.

        Everything is checked, and the collection described, here; a later change of it is not noticed.

        Args:
            name: collection or alias; it must be loaded.
            queries: as `vectors` of `search`.
            limit: most hits of one query.
            batch_rows: queries in each request. Queries that fill no whole request are left out, so that all requests
                are alike; `request_count` tells how many there are.
            metric: None takes the index's.
            params: search parameters by Milvus's names, `{"ef": 64}`.
            where: only rows that pass.
            partitions: where to look; None is everywhere.
            consistency: how fresh; None is the collection's own level.
            field: the vector field; None where there is only one.
            output_fields: columns to bring along.

        Raises:
            UsageError: there are fewer queries than `batch_rows`.
            FilterError: the filter does not fit the collection, or passes no row whatever the row is.
            NotFoundError, SchemaError, LimitError: as `search`.
        """
        return prepare_searches(
            self.session, name, queries, limit=limit, batch_rows=batch_rows, metric=metric, params=params, where=where,
            partitions=partitions, consistency=consistency, field=field, output_fields=output_fields,
        )  # fmt: skip

    def bulk_load(
        self,
        name: str,
        files: Sequence[str],
        *,
        partition: str | None = None,
        is_taken_up: bool = False,
        timeout_s: float = 3_600.0,
        observer: Observer = silent,
    ) -> BulkReport:
        """Has the server read files of its own storage, and waits until their rows are stored.

        Args:
            name: the collection; an index that it has is built on the rows too, a loaded one shows them by itself.
            files: one `.npy` file for each field, named after it, or JSON files `{"rows": [...]}`; paths as the
                server sees them.
            partition: where to put the rows.
            is_taken_up: whether a task for just these files that the server has already, under way or done, is waited
                for instead of asking again: a caller that died in between goes on without loading rows twice. Servers
                forget tasks after a day (`rootCoord.importTaskRetention`, Milvus 2.3 configuration).
            timeout_s: longest wait; the server goes on afterwards.
            observer: told the percents done.

        Raises:
            UnsupportedError: the server loads no files (Lite), or not of that kind.
            SchemaError: the `.npy` files are not those of the fields.
            RejectedError: the server could not read a file; its words say why.
        """
        return bulk_load(
            self.session, name, files, partition=partition, is_taken_up=is_taken_up, timeout_s=timeout_s,
            observer=observer,
        )  # fmt: skip

    def close(self) -> None:
        """Ends the connection; an embedded Lite file is closed when its last gateway is."""
        self.session.caller.close()

    def __enter__(self) -> Gateway:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def connect(
    endpoint: Endpoint,
    *,
    call_timeout_s: float = 10.0,
    retry: RetryPolicy | None = None,
    cache_dir: Path | None = None,
    chunk_bytes: int = CHUNK_BYTES,
    probe_timeout_s: float = 5.0,
) -> Gateway:
    """A gateway to the server, after it told its version.

    Args:
        endpoint: where it is, with token and certificates.
        call_timeout_s: deadline of a call that names none; catalogue changes and waits have longer ones.
        retry: how often a call is tried; None is `RetryPolicy()`, `RetryPolicy.never()` shows every failure.
        cache_dir: where probed capabilities are kept; None keeps them in memory only.
        chunk_bytes: largest write call.
        probe_timeout_s: deadline of each trial when the capabilities are probed.

    Raises:
        UnreachableError, TimedOutError: nothing answers there.
        ForbiddenError: the token is missing or wrong.
        ConfigError: a certificate cannot be read.
    """
    caller = Caller(open_link(endpoint), call_timeout_s=call_timeout_s, retry=retry or RetryPolicy())
    session = Session(endpoint, caller, chunk_bytes=chunk_bytes)
    return open_gateway(session, cache_dir=cache_dir, probe_timeout_s=probe_timeout_s)


def open_gateway(session: Session, *, cache_dir: Path | None, probe_timeout_s: float) -> Gateway:
    """A gateway over this session, after its server told its version; the session is closed when it does not.

    Raises:
        UnreachableError, TimedOutError: nothing answers there.
        ForbiddenError: the token is missing or wrong.
    """
    request = session.protos.milvus.GetVersionRequest()
    try:
        answer = session.caller.read("GetVersion", request, what=f"connect to {session.endpoint.safe_uri}")
    except BaseException:
        session.caller.close()
        raise
    return Gateway(session, server_version=answer.version, cache_dir=cache_dir, probe_timeout_s=probe_timeout_s)
