"""Queries without vectors: one page, or all pages by ascending key."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from milvuslab.gateway.expression import render_filter
from milvuslab.gateway.session import Session
from milvuslab.gateway.wire.decode import decode_columns, empty_columns
from milvuslab.model.collection import CollectionSpec, Consistency, DataType
from milvuslab.model.errors import FilterError, SchemaError, suggest
from milvuslab.model.filter import where

__all__ = [
    "Reading",
    "as_list",
    "count_rows",
    "every_row",
    "fetch_page",
    "fetch_pages",
    "join_pages",
    "output_names",
    "take_rows",
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What to read, apart from which rows.

    Attributes:
        spec: the collection.
        name: its name or alias, as the caller said it.
        condition: the rendered filter; True is every row, False none.
        fields: columns wanted, the primary key among them.
        partitions: where to look; None is everywhere.
        consistency: how fresh; None is the collection's own level.
    """

    spec: CollectionSpec
    name: str
    condition: str | bool
    fields: Sequence[str]
    partitions: Sequence[str] | None
    consistency: Consistency | None


def output_names(spec: CollectionSpec, fields: Sequence[str] | None) -> list[str]:
    """The columns to ask for: the primary key first, each name once.

    Raises:
        SchemaError: a name that is neither in the schema nor possibly a dynamic field, or a field that a function fills:
            servers do not give it back (Milvus docs 2.5, full-text-search.md).
    """
    known = [field.name for field in spec.fields if field.name not in spec.computed_names]
    if fields is None:
        return [*known, "$meta"] if spec.has_dynamic_field else known
    for name in fields:
        if name in spec.computed_names:
            raise SchemaError(f"{spec.name} keeps no values of {name}: a function makes them", hint="leave it out")
        if name not in known and not spec.has_dynamic_field:
            raise SchemaError(f"{spec.name} has no field {name}", hint=suggest(name, known))
    return list(dict.fromkeys([spec.primary.name, *fields]))


def fetch_page(
    session: Session, reading: Reading, *, limit: int | None = None, offset: int = 0, is_iterating: bool = False
) -> dict[str, Any]:
    """One answer, as columns."""
    if reading.condition is False:
        return empty_columns(reading.spec, reading.fields)
    expression = every_row(reading.spec) if reading.condition is True else str(reading.condition)
    request = _request(session, reading, expression, reading.fields)
    params = {"limit": str(limit)} if limit is not None else {}
    if offset:
        params["offset"] = str(offset)
    if is_iterating:
        # Segments may stop at the page's length only when each gives its lowest keys (pymilvus does the same).
        params.update(iterator="True", reduce_stop_for_best="True")
    request.query_params.extend(session.protos.key_values(params))
    answer = session.caller.read("Query", request, what=f"query {reading.name}")
    columns = decode_columns(answer.fields_data, wanted=reading.fields, spec=reading.spec)
    return {**empty_columns(reading.spec, reading.fields), **columns}


def fetch_pages(session: Session, reading: Reading, *, batch_rows: int) -> Iterator[dict[str, Any]]:
    """All answers, each a query of its own: `key > last key seen`."""
    primary = reading.spec.primary.name
    base = reading.condition
    while True:
        page = fetch_page(session, reading, limit=batch_rows, is_iterating=True)
        keys = as_list(page[primary])
        if not keys:
            return
        yield page
        after = render_filter(where(primary) > max(keys), reading.spec)
        condition = after if base is True else (after and f"({base} and {after})")
        reading = dataclasses.replace(reading, condition=condition)


def count_rows(session: Session, reading: Reading, *, batch_rows: int) -> int:
    """Rows that pass, by the server's own count where it has one, else by reading the keys."""
    if reading.condition is False:
        return 0
    if not session.counts_by_keys:
        count = _server_count(session, reading)
        if count is not None:
            return count
        session.counts_by_keys = True
    return sum(len(page[reading.spec.primary.name]) for page in fetch_pages(session, reading, batch_rows=batch_rows))


def join_pages(spec: CollectionSpec, names: Sequence[str], pages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The columns of all pages, one below the other."""
    if not pages:
        return empty_columns(spec, names)
    joined: dict[str, Any] = {}
    for name in names:
        parts = [page[name] for page in pages]
        if isinstance(parts[0], np.ndarray):
            joined[name] = np.concatenate(parts)
        else:
            joined[name] = [value for part in parts for value in part]
    return joined


def take_rows(columns: Mapping[str, Any], rows: Sequence[int]) -> dict[str, Any]:
    """The same columns with those rows only, in that order."""
    chosen = np.array(rows, dtype=np.int64)
    return {
        name: column[chosen] if isinstance(column, np.ndarray) else [column[row] for row in rows]
        for name, column in columns.items()
    }


def as_list(column: Any) -> list[Any]:
    """The column's values as Python's own."""
    return column.tolist() if isinstance(column, np.ndarray) else list(column)


def every_row(spec: CollectionSpec) -> str:
    """A condition that every key meets: 2.2 refuses an empty expression."""
    if spec.primary.data_type is DataType.VARCHAR:
        return f'({spec.primary.name} >= "")'
    return f"({spec.primary.name} >= -9223372036854775807 or {spec.primary.name} < -9223372036854775807)"


def _server_count(session: Session, reading: Reading) -> int | None:
    expression = "" if reading.condition is True else str(reading.condition)
    request = _request(session, reading, expression, ["count(*)"])
    try:
        answer = session.caller.read("Query", request, what=f"count {reading.name}")
    except FilterError:
        if reading.condition is not True:
            raise
        return None  # 2.2 refuses an empty expression
    if [field.field_name for field in answer.fields_data] != ["count(*)"]:
        return None  # 2.2 takes `count(*)` for a dynamic field
    return int(answer.fields_data[0].scalars.long_data.data[0])


def _request(session: Session, reading: Reading, expression: str, names: Sequence[str]) -> Any:
    return session.protos.milvus.QueryRequest(
        collection_name=reading.name,
        expr=expression,
        output_fields=names,
        partition_names=reading.partitions or [],
        **session.freshness(reading.name, reading.consistency),
    )
