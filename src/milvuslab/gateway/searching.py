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
from milvuslab.gateway.session import Session
from milvuslab.gateway.wire.decode import decode_columns, decode_ids, empty_columns
from milvuslab.gateway.wire.sparse import sparse_rows, sparse_to_bytes
from milvuslab.gateway.wire.validate import checked_queries
from milvuslab.model.collection import CollectionSpec, Consistency, DataType, FieldSpec
from milvuslab.model.errors import LimitError, NotFoundError, SchemaError, UnsupportedError, UsageError, suggest
from milvuslab.model.filter import Filter
from milvuslab.model.metric import Metric
from milvuslab.model.search import AnnQuery, DistanceRange, Hits, RrfRanker, WeightedRanker

__all__ = ["hybrid_search", "search", "search_iterator"]

_LIMIT_MAX = 16_384
"""Most hits of one query (`quotaAndLimits.limits.topK`, milvus.yaml 2.3)."""

_PLACEHOLDERS = {DataType.BINARY_VECTOR: 100, DataType.FLOAT_VECTOR: 101, DataType.SPARSE_FLOAT_VECTOR: 104}
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
    target = _target_field(spec, field)
    _check_names(spec, [*output_fields, *([group_by] if group_by else [])])
    if limit < 1 or offset < 0 or limit + offset > _LIMIT_MAX:
        raise LimitError(f"limit {limit} with offset {offset} is outside 1 to {_LIMIT_MAX:,}")
    used = metric or session.metric_of(name, target.name) or _usual_metric(target)
    condition = True if where is None else render_filter(where, spec)
    blobs = _query_blobs(target, vectors, where=f"the query for {name}.{target.name}")
    if condition is False:
        return _no_hits(spec, len(blobs), used, output_fields)
    asked_fields = list(dict.fromkeys([*output_fields, group_by])) if group_by else output_fields
    request = _search_request(
        session, name, target, blobs, limit=limit, metric=used,
        params={**params, **(_range_params(within, used) if within else {})}, condition=condition,
        partitions=partitions, output_fields=asked_fields, group_by=group_by, offset=offset, consistency=consistency,
    )  # fmt: skip
    begun_s = time.monotonic()
    answer = session.caller.read("Search", request, what=f"search {name}", timeout_s=timeout_s)
    hits = _hits(answer.results, spec, used, asked_fields, begun_s=begun_s, query_count=len(blobs))
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
    _check_names(spec, output_fields)
    requests = []
    query_count = 0
    for query in queries:
        target = _target_field(spec, query.field)
        condition = True if query.where is None else render_filter(query.where, spec)
        blobs = _query_blobs(target, query.vectors, where=f"the query for {name}.{target.name}")
        query_count = len(blobs)
        requests.append(
            _search_request(
                session,
                name,
                target,
                blobs,
                limit=query.limit,
                metric=session.metric_of(name, target.name) or _usual_metric(target),
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
    return _hits(answer.results, spec, Metric.IP, output_fields, begun_s=begun_s, query_count=query_count)


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
    target = _target_field(spec, field)
    metric = session.metric_of(name, target.name) or _usual_metric(target)

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
    for offset in range(0, _LIMIT_MAX - batch_rows + 1, batch_rows):
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
        while not len(page.ids) and limit < _LIMIT_MAX:
            # Nothing but rows at the very same distance: look further.
            limit = min(_LIMIT_MAX, 2 * limit)
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


def _target_field(spec: CollectionSpec, name: str | None) -> FieldSpec:
    if name is None:
        if len(spec.vector_fields) > 1:
            names = [one.name for one in spec.vector_fields]
            raise UsageError(f"{spec.name} has {len(names)} vector fields", hint=f"say which: {', '.join(names)}")
        return spec.vector_fields[0]
    found = spec.field(name)
    if not found.data_type.is_vector:
        raise SchemaError(f"{spec.name}.{name} is {found.data_type}, not a vector", hint="search a vector field")
    return found


def _check_names(spec: CollectionSpec, names: Sequence[str]) -> None:
    known = [one.name for one in spec.fields]
    for name in names:
        if name not in known and not spec.has_dynamic_field:
            raise NotFoundError(f"{spec.name} has no field {name}", hint=suggest(name, known))


def _usual_metric(field: FieldSpec) -> Metric:
    """What a server takes when an index names none; a field without an index is searched with it."""
    usual = {DataType.BINARY_VECTOR: Metric.HAMMING, DataType.SPARSE_FLOAT_VECTOR: Metric.IP}
    return usual.get(field.data_type, Metric.COSINE)


def _query_blobs(field: FieldSpec, vectors: Any, *, where: str) -> list[bytes]:
    if field.data_type is DataType.SPARSE_FLOAT_VECTOR:
        return sparse_to_bytes(sparse_rows([vectors] if isinstance(vectors, Mapping) else vectors, where=where))
    table = checked_queries(field, vectors, where=where)
    width = table.shape[1] * table.itemsize
    data = table.tobytes()
    return [data[begin : begin + width] for begin in range(0, len(data), width)]


def _search_request(
    session: Session,
    name: str,
    target: FieldSpec,
    blobs: list[bytes],
    *,
    limit: int,
    metric: Metric,
    params: Mapping[str, Any],
    condition: str | bool,
    partitions: Sequence[str] | None,
    output_fields: Sequence[str],
    group_by: str | None,
    offset: int,
    consistency: Consistency | None,
) -> Any:
    protos = session.protos
    common = protos.common
    group = common.PlaceholderGroup(
        placeholders=[common.PlaceholderValue(tag="$0", type=_PLACEHOLDERS[target.data_type], values=blobs)]
    )
    settings = {
        "anns_field": target.name,
        "topk": str(limit),
        "metric_type": str(metric),
        "params": json.dumps(dict(params), default=_plain_number),
        "round_decimal": "-1",
        "ignore_growing": "False",
    }
    if offset:
        settings["offset"] = str(offset)
    if group_by:
        settings["group_by_field"] = group_by
    return protos.milvus.SearchRequest(
        collection_name=name,
        partition_names=partitions or [],
        dsl="" if condition is True else str(condition),
        dsl_type=common.DslType.BoolExprV1,
        placeholder_group=group.SerializeToString(),
        output_fields=output_fields,
        search_params=protos.key_values(settings),
        nq=len(blobs),
        **session.freshness(name, consistency),
    )


def _range_params(within: DistanceRange, metric: Metric) -> dict[str, float]:
    """Radius and range filter in the metric's own direction (Milvus docs 2.3, within_range.md)."""
    params = {"radius": _to_score(within.below, metric)}
    if within.at_least is not None:
        params["range_filter"] = _to_score(within.at_least, metric)
    return params


def _plain_number(value: Any) -> Any:
    """A numpy number as Python's own, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise UsageError(f"{value!r} is no search parameter", hint="use numbers, strings, True and False")


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


def _hits(
    results: Any,
    spec: CollectionSpec,
    metric: Metric,
    output_fields: Sequence[str],
    *,
    begun_s: float,
    query_count: int,
) -> Hits:
    ids = decode_ids(results.ids)
    scores = np.fromiter(results.scores, np.float32, len(results.scores))
    offsets = np.zeros(query_count + 1, dtype=np.int64)
    if len(results.topks) == query_count:
        np.cumsum(np.fromiter(results.topks, np.int64, query_count), out=offsets[1:])
    columns = empty_columns(spec, output_fields)
    if len(ids):
        columns.update(decode_columns(results.fields_data, wanted=output_fields, spec=spec))
        if spec.primary.name in output_fields and spec.primary.name not in {
            field.field_name for field in results.fields_data
        }:
            columns[spec.primary.name] = ids
    return Hits(
        ids=ids,
        scores=scores,
        offsets=offsets,
        metric=metric,
        columns=columns,
        latency_ms=(time.monotonic() - begun_s) * 1_000,
    )


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
