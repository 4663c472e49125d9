"""Searches: nearest rows, within a range, filtered, grouped, merged from several fields, or page by page."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.gateway.expression import render_filter
from milvuslab.gateway.reading import as_list, take_rows
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
from milvuslab.gateway.wire.decode import empty_columns
from milvuslab.model.collection import CollectionSpec, Consistency, DataType
from milvuslab.model.errors import LimitError, UnsupportedError, UsageError
from milvuslab.model.filter import Filter
from milvuslab.model.metric import Metric
from milvuslab.model.search import AnnQuery, DistanceRange, Hits, RrfRanker, WeightedRanker

__all__ = ["hybrid_search", "search", "search_iterator"]

_FARTHEST = {Metric.COSINE: 2.1}


def search(
    session: Session,
    name: str,
    vectors: Any,
    *,
    field: str | None,
    limit: int,
    metric: Metric | None,
    params: Mapping[str, Any],
    where: Filter | None,
    within: DistanceRange | None,
    partitions: Sequence[str] | None,
    output_fields: Sequence[str],
    consistency: Consistency | None,
    group_by: str | None,
    offset: int,
    timeout_s: float | None,
) -> Hits:
    """The nearest rows of each query; see `Gateway.search`."""
    spec = session.spec(name)
    target = target_field(spec, field)
    check_names(spec, [*output_fields, *([group_by] if group_by else [])])
    if limit < 1 or offset < 0 or limit + offset > LIMIT_MAX:
        raise LimitError(f"limit {limit} with offset {offset} is outside 1 to {LIMIT_MAX:,}")
    used = metric or session.metric_of(name, target.name) or usual_metric(spec, target)
    condition = True if where is None else render_filter(where, spec)
    blobs = query_blobs(spec, target, vectors)
    if condition is False:
        return _no_hits(spec, len(blobs), used, output_fields)
    asked_fields = list(dict.fromkeys([*output_fields, group_by])) if group_by else output_fields
    request = search_request(
        session, name, target, blobs, limit=limit, metric=used,
        params={**params, **(_range_params(within, used) if within else {})}, condition=condition,
        partitions=partitions, output_fields=asked_fields, group_by=group_by, offset=offset, consistency=consistency,
    )  # fmt: skip
    begun_s = time.monotonic()
    answer = session.caller.read("Search", request, what=f"search {name}", timeout_s=timeout_s)
    hits = hits_of(answer.results, spec, used, asked_fields, begun_s=begun_s, query_count=len(blobs))
    if within is not None:
        _check_range(hits, within, what=f"search {name}")
    if group_by is not None:
        _check_groups(hits, group_by, what=f"search {name}")
    return hits


def hybrid_search(
    session: Session,
    name: str,
    queries: Sequence[AnnQuery],
    *,
    ranker: RrfRanker | WeightedRanker,
    limit: int,
    partitions: Sequence[str] | None,
    output_fields: Sequence[str],
    consistency: Consistency | None,
    timeout_s: float | None,
) -> Hits:
    """The best rows of several searches merged; see `Gateway.hybrid_search`."""
    spec = session.spec(name)
    if not queries:
        raise UsageError("a hybrid search merges at least one query", hint="pass AnnQuery values")
    check_names(spec, output_fields)
    requests = []
    query_count = 0
    for query in queries:
        target = target_field(spec, query.field)
        condition = True if query.where is None else render_filter(query.where, spec)
        blobs = query_blobs(spec, target, query.vectors)
        query_count = len(blobs)
        requests.append(
            search_request(
                session,
                name,
                target,
                blobs,
                limit=query.limit,
                metric=session.metric_of(name, target.name) or usual_metric(spec, target),
                params=query.params,
                condition=condition if condition is not False else _no_row(spec),
                partitions=partitions,
                output_fields=(),
                group_by=None,
                offset=0,
                consistency=consistency,
            )
        )
    request = session.protos.milvus.HybridSearchRequest(
        collection_name=name,
        partition_names=partitions or [],
        requests=requests,
        rank_params=session.protos.key_values({**_ranker_params(ranker), "limit": str(limit), "round_decimal": "-1"}),
        output_fields=output_fields,
        **session.freshness(name, consistency),
    )
    begun_s = time.monotonic()
    answer = session.caller.read("HybridSearch", request, what=f"hybrid search {name}", timeout_s=timeout_s)
    # A merged score has no metric of its own; larger is better, as with an inner product.
    return hits_of(answer.results, spec, Metric.IP, output_fields, begun_s=begun_s, query_count=query_count)


def search_iterator(
    session: Session,
    name: str,
    vector: Any,
    *,
    field: str | None,
    batch_rows: int,
    params: Mapping[str, Any],
    where: Filter | None,
    partitions: Sequence[str] | None,
    output_fields: Sequence[str],
    consistency: Consistency | None,
    timeout_s: float | None,
) -> Iterator[Hits]:
    """Hits of one query, nearest first, page by page; see `Gateway.search_iterator`."""
    spec = session.spec(name)
    target = target_field(spec, field)
    metric = session.metric_of(name, target.name) or usual_metric(spec, target)

    def ask(*, limit: int, offset: int = 0, within: DistanceRange | None = None) -> Hits:
        hits = search(
            session, name, vector, field=target.name, limit=limit, metric=metric, params=params, where=where,
            within=within, partitions=partitions, output_fields=output_fields, consistency=consistency,
            group_by=None, offset=offset, timeout_s=timeout_s,
        )  # fmt: skip
        if hits.query_count != 1:
            raise UsageError(f"search_iterator takes one query, not {hits.query_count}")
        return hits

    seen: set[Any] = set()
    last: Hits | None = None
    for offset in range(0, LIMIT_MAX - batch_rows + 1, batch_rows):
        hits = ask(limit=batch_rows, offset=offset)
        page = _unseen(hits, seen)
        if len(page.ids):
            last = page
            yield page
        if len(hits.ids) < batch_rows:
            return
    if last is not None:
        below = _FARTHEST.get(metric, float(np.finfo(np.float32).max))
        yield from _beyond(ask, last, seen, batch_rows=batch_rows, below=below)


def _beyond(ask: Callable[..., Hits], last: Hits, seen: set[Any], *, batch_rows: int, below: float) -> Iterator[Hits]:
    """Pages behind the server's window: each is a range that begins at the last distance seen."""
    while float(last.distances[-1]) < below:
        within = DistanceRange(below=below, at_least=float(last.distances[-1]))
        limit = batch_rows
        page = _unseen(ask(limit=limit, within=within), seen)
        while not len(page.ids) and limit < LIMIT_MAX:
            # Nothing but rows at the very same distance: look further.
            limit = min(LIMIT_MAX, 2 * limit)
            page = _unseen(ask(limit=limit, within=within), seen)
        if not len(page.ids):
            return
        yield page
        last = page


def _unseen(hits: Hits, seen: set[Any]) -> Hits:
    """The hits that no page had; an approximate index may show a row twice."""
    keys = hits.ids.tolist()
    fresh = [row for row, key in enumerate(keys) if key not in seen]
    seen.update(keys)
    return _rows_of(hits, fresh)


def _range_params(within: DistanceRange, metric: Metric) -> dict[str, float]:
    """Radius and range filter in the metric's own direction (Milvus docs 2.3, within_range.md)."""
    params = {"radius": _to_score(within.below, metric)}
    if within.at_least is not None:
        params["range_filter"] = _to_score(within.at_least, metric)
    return params


def _to_score(distance: float, metric: Metric) -> float:
    if metric is Metric.COSINE:
        return 1.0 - distance
    return -distance if metric.larger_is_better else distance


def _ranker_params(ranker: RrfRanker | WeightedRanker) -> dict[str, str]:
    if isinstance(ranker, RrfRanker):
        return {"strategy": "rrf", "params": json.dumps({"k": ranker.k})}
    return {"strategy": "weighted", "params": json.dumps({"weights": list(ranker.weights)})}


def _check_range(hits: Hits, within: DistanceRange, *, what: str) -> None:
    """Raises when the server paid no attention to the range: 2.2.16 takes the parameters and ignores them."""
    distances = hits.distances
    slack = 1e-3 * np.maximum(1.0, np.abs(distances))
    too_far = np.any(distances > within.below + slack)
    too_near = within.at_least is not None and np.any(distances < within.at_least - slack)
    if too_far or too_near:
        raise UnsupportedError(f"{what} within a range", needs="Milvus 2.3", has="a server that ignored it")


def _check_groups(hits: Hits, group_by: str, *, what: str) -> None:
    """Raises when the server paid no attention to the grouping: 2.3.5 takes the parameter and ignores it."""
    values = as_list(hits.columns[group_by])
    for query in range(hits.query_count):
        group = [repr(value) for value in values[hits.of_query(query)]]
        if len(group) != len(set(group)):
            raise UnsupportedError(f"{what} grouped by {group_by}", needs="Milvus 2.4", has="a server that ignored it")


def _no_row(spec: CollectionSpec) -> str:
    if spec.primary.data_type is DataType.VARCHAR:
        return f'({spec.primary.name} < "")'
    return f"({spec.primary.name} < 0 and {spec.primary.name} > 0)"


def _no_hits(spec: CollectionSpec, query_count: int, metric: Metric, output_fields: Sequence[str]) -> Hits:
    kind = object if spec.primary.data_type is DataType.VARCHAR else np.int64
    return Hits(
        ids=np.empty(0, dtype=kind),
        scores=np.empty(0, dtype=np.float32),
        offsets=np.zeros(query_count + 1, dtype=np.int64),
        metric=metric,
        columns=empty_columns(spec, output_fields),
    )


def _rows_of(hits: Hits, rows: list[int]) -> Hits:
    chosen: npt.NDArray[np.int64] = np.array(rows, dtype=np.int64)
    return Hits(
        ids=hits.ids[chosen],
        scores=hits.scores[chosen],
        offsets=np.array([0, len(rows)], dtype=np.int64),
        metric=hits.metric,
        columns=take_rows(hits.columns, rows),
        latency_ms=hits.latency_ms,
    )
