"""Rows of a collection, in columns: written, read, counted, deleted."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.gateway.expression import render_filter, render_ids
from milvuslab.gateway.reading import (
    Reading,
    as_list,
    count_rows,
    fetch_page,
    fetch_pages,
    join_pages,
    output_names,
    take_rows,
)
from milvuslab.gateway.session import Session
from milvuslab.gateway.wire.decode import decode_ids
from milvuslab.gateway.wire.encode import chunks_of, encode_fields
from milvuslab.gateway.wire.validate import Batch, ColumnData, checked_batch
from milvuslab.model.collection import CollectionSpec, Consistency, DataType
from milvuslab.model.errors import (
    LimitError,
    MilvusLabError,
    PartialError,
    SchemaError,
    UsageError,
)
from milvuslab.model.filter import Filter

__all__ = ["QUERY_WINDOW_ROWS", "REQUEST_BYTES_MAX", "Rows", "WriteReport"]

QUERY_WINDOW_ROWS = 16_384
"""Most rows of one answer, offset included (`quotaAndLimits.limits.maxQueryResultWindow`, milvus.yaml 2.3)."""

REQUEST_BYTES_MAX = 56 * 1024 * 1024
"""Most bytes of one write call: servers take messages of up to 64 MB (`proxy.grpc.serverMaxRecvSize`, milvus.yaml 2.3)."""

_PAGE_ROWS = 4_096


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WriteReport:
    """What a write did.

    Attributes:
        count: rows acknowledged. Of a delete by ids: ids sent, whether or not they were there.
        ids: (count,) their primary keys: int64, or object holding str; made by the server when the collection is
            `is_auto_id`.
    """

    count: int
    ids: npt.NDArray[Any]


class Rows:
    """Reads and writes rows. Columns in, columns out."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def insert(
        self, name: str, columns: Mapping[str, ColumnData], *, partition: str | None = None, is_whole: bool = False
    ) -> WriteReport:
        """Adds rows. Milvus does not look whether a primary key is there already: that is `upsert`.

        Rows travel in chunks (`chunk_bytes` of the gateway), each of which is written whole or not at all.

        Args:
            name: the collection.
            columns: by field name: numpy arrays or lists, all of one length; see `ColumnData`.
            partition: where to put the rows; None is `_default`, or the partition key decides.
            is_whole: all rows in one call, however many bytes: they get one timestamp, so a reader sees all or none.

        Raises:
            SchemaError: a column does not fit; nothing was sent.
            LimitError: with `is_whole`, the rows have more than `REQUEST_BYTES_MAX`; nothing was sent.
            PartialError: some chunks were written before one failed; `failed_ids` are the keys of the rest.
            TimedOutError: the first chunk got no answer; whether it was written is unknown.
        """
        return self._write("Insert", name, columns, partition=partition, is_whole=is_whole)

    def upsert(self, name: str, columns: Mapping[str, ColumnData], *, partition: str | None = None) -> WriteReport:
        """Adds rows, replacing those with the same primary key.

        Raises:
            UnsupportedError: the server has no upsert (before 2.3), or not for keys that it makes itself.
            SchemaError, PartialError, TimedOutError: as `insert`.
        """
        return self._write("Upsert", name, columns, partition=partition)

    def delete(
        self,
        name: str,
        *,
        ids: Sequence[int] | Sequence[str] | npt.NDArray[Any] | None = None,
        where: Filter | None = None,
        partition: str | None = None,
    ) -> WriteReport:
        """Removes rows by key, or by a filter.

        By filter, the keys are read first and then deleted: that works alike on all servers (2.2 deletes by key
        only) and says exactly how many there were. A row that begins to match in between stays.

        Raises:
            UsageError: neither or both of `ids` and `where` are given.
            ConflictError: by filter, and the collection is not loaded.
            PartialError: some were deleted before a failure.
        """
        if (ids is None) == (where is None):
            raise UsageError("delete takes either ids or a filter", hint="pass ids=[...] or where=...")
        spec = self._session.spec(name)
        if where is not None:
            columns = self.query(
                name, where=where, fields=[spec.primary.name], partitions=[partition] if partition else None,
                consistency=Consistency.STRONG,
            )  # fmt: skip
            ids = columns[spec.primary.name]
        keys = _checked_ids(spec, [] if ids is None else ids)
        return self._delete_keys(spec, name, keys, partition=partition)

    def get(
        self,
        name: str,
        ids: Sequence[int] | Sequence[str] | npt.NDArray[Any],
        fields: Sequence[str] | None = None,
        *,
        partitions: Sequence[str] | None = None,
        consistency: Consistency | None = None,
    ) -> dict[str, Any]:
        """Rows by key, in the order asked for; keys that are not there are left out.

        The primary key is always among the columns.
        """
        spec = self._session.spec(name)
        keys = _checked_ids(spec, ids)
        everything = self._reading(name, None, fields, partitions, consistency)
        pages = [
            fetch_page(self._session, dataclasses.replace(everything, condition=render_ids(spec, some)))
            for some in _slices(keys, QUERY_WINDOW_ROWS)
        ]
        columns = join_pages(spec, everything.fields, pages)
        position = {key: row for row, key in enumerate(as_list(columns[spec.primary.name]))}
        return take_rows(columns, [position[key] for key in dict.fromkeys(keys) if key in position])

    def query(
        self,
        name: str,
        *,
        where: Filter | None = None,
        fields: Sequence[str] | None = None,
        limit: int | None = None,
        offset: int = 0,
        partitions: Sequence[str] | None = None,
        consistency: Consistency | None = None,
    ) -> dict[str, Any]:
        """Rows that pass the filter, as columns; the primary key is always among them.

        Args:
            name: the collection; it must be loaded.
            where: None takes every row.
            fields: columns wanted; None is all of the schema, and `$meta` with the dynamic fields. A name outside the
                schema is a dynamic field.
            limit: most rows; None is all of them, read in pages by key.
            offset: rows to skip, in the server's order (ascending keys were seen on all).
            partitions: where to look; None is everywhere.
            consistency: how fresh; None is the collection's own level.

        Raises:
            LimitError: limit and offset reach beyond the server's window of 16,384 rows.
            FilterError, NotFoundError: the filter or a field name is wrong.
        """
        reading = self._reading(name, where, fields, partitions, consistency)
        if limit is None:
            if offset:
                raise UsageError("offset needs a limit", hint="iterate to walk through everything")
            pages = list(fetch_pages(self._session, reading, batch_rows=_PAGE_ROWS))
            return join_pages(reading.spec, reading.fields, pages)
        if limit < 1 or offset < 0:
            raise UsageError(f"limit {limit} and offset {offset} are no window", hint="limit from 1, offset from 0")
        if limit + offset > QUERY_WINDOW_ROWS:
            raise LimitError(
                f"limit {limit} and offset {offset} reach beyond {QUERY_WINDOW_ROWS:,} rows",
                hint="iterate to walk through everything",
            )
        return fetch_page(self._session, reading, limit=limit, offset=offset)

    def iterate(
        self,
        name: str,
        *,
        where: Filter | None = None,
        fields: Sequence[str] | None = None,
        batch_rows: int = _PAGE_ROWS,
        partitions: Sequence[str] | None = None,
        consistency: Consistency | None = None,
    ) -> Iterator[dict[str, Any]]:
        """All rows that pass the filter, page by page in ascending order of the primary key.

        Each page is a query of its own (`key > last key seen`), so nothing is held on the server, and rows written
        meanwhile may or may not appear.
        """
        if not 1 <= batch_rows <= QUERY_WINDOW_ROWS:
            raise LimitError(f"batch_rows is {batch_rows}, outside 1 to {QUERY_WINDOW_ROWS:,}")
        reading = self._reading(name, where, fields, partitions, consistency)
        return fetch_pages(self._session, reading, batch_rows=batch_rows)

    def count(self, name: str, where: Filter | None = None, *, consistency: Consistency | None = None) -> int:
        """Rows that pass the filter, exactly; the collection must be loaded."""
        primary = self._session.spec(name).primary.name
        reading = self._reading(name, where, [primary], None, consistency)
        return count_rows(self._session, reading, batch_rows=QUERY_WINDOW_ROWS)

    def _reading(
        self,
        name: str,
        where: Filter | None,
        fields: Sequence[str] | None,
        partitions: Sequence[str] | None,
        consistency: Consistency | None,
    ) -> Reading:
        spec = self._session.spec(name)
        return Reading(
            spec=spec,
            name=name,
            condition=True if where is None else render_filter(where, spec),
            fields=output_names(spec, fields),
            partitions=partitions,
            consistency=consistency,
        )

    def _write(
        self,
        method: str,
        name: str,
        columns: Mapping[str, ColumnData],
        *,
        partition: str | None,
        is_whole: bool = False,
    ) -> WriteReport:
        session = self._session
        spec = session.spec(name)
        batch = checked_batch(spec, columns, with_auto_id=method == "Upsert")
        request_class = getattr(session.protos.milvus, f"{method}Request")
        done: list[npt.NDArray[Any]] = []
        if is_whole and batch.row_bytes.sum() > REQUEST_BYTES_MAX:
            raise LimitError(
                f"{batch.row_count:,} rows of {name} have {batch.row_bytes.sum():,} bytes, more than one call takes",
                hint=f"write at most {REQUEST_BYTES_MAX:,} bytes at once",
            )
        chunk_bytes = REQUEST_BYTES_MAX if is_whole else session.chunk_bytes
        for begin, end in chunks_of(batch.row_bytes, chunk_bytes=chunk_bytes):
            request = request_class(
                collection_name=name,
                partition_name=partition or "",
                fields_data=encode_fields(spec, batch, begin=begin, end=end),
                num_rows=end - begin,
            )
            try:
                answer = session.caller.change(
                    method, request, what=f"{method.lower()} {end - begin:,} rows into {name}"
                )
            except MilvusLabError as error:
                session.forget(name)
                raise _partial(error, spec, batch, done_count=begin) from error
            session.wrote(name, answer.timestamp)
            done.append(_written_ids(spec, batch, answer, begin=begin, end=end))
        ids = np.concatenate(done) if done else np.empty(0, dtype=np.int64)
        return WriteReport(count=batch.row_count, ids=ids)

    def _delete_keys(self, spec: CollectionSpec, name: str, keys: list[Any], *, partition: str | None) -> WriteReport:
        session = self._session
        done_count = 0
        for some in _slices(keys, QUERY_WINDOW_ROWS):
            request = session.protos.milvus.DeleteRequest(
                collection_name=name, partition_name=partition or "", expr=str(render_ids(spec, some))
            )
            try:
                # Deleting a key twice is the same as once, so a lost answer may be asked for again.
                answer = session.caller.read("Delete", request, what=f"delete {len(some):,} rows of {name}")
            except MilvusLabError as error:
                if done_count == 0:
                    raise
                raise PartialError(
                    f"{done_count:,} of {len(keys):,} rows of {name} were deleted: {error.message}",
                    done_count=done_count, failed_ids=keys[done_count:], hint="call it again",
                ) from error  # fmt: skip
            session.wrote(name, answer.timestamp)
            done_count += len(some)
        return WriteReport(count=len(keys), ids=_key_array(keys))


def _checked_ids(spec: CollectionSpec, ids: Sequence[Any] | npt.NDArray[Any]) -> list[Any]:
    keys = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
    wanted = str if spec.primary.data_type is DataType.VARCHAR else int
    for key in keys:
        if not isinstance(key, wanted) or isinstance(key, bool):
            raise SchemaError(f"{key!r} is no key of {spec.name}: {spec.primary.name} is {spec.primary.data_type}")
    return keys


def _written_ids(spec: CollectionSpec, batch: Batch, answer: Any, *, begin: int, end: int) -> npt.NDArray[Any]:
    if spec.is_auto_id:
        return decode_ids(answer.IDs)
    column = batch.columns[spec.primary.name][begin:end]
    return column if isinstance(column, np.ndarray) else _key_array(column)


def _key_array(keys: Sequence[Any]) -> npt.NDArray[Any]:
    if keys and isinstance(keys[0], str):
        array = np.empty(len(keys), dtype=object)
        array[:] = keys
        return array
    return np.array(keys, dtype=np.int64)


def _partial(error: MilvusLabError, spec: CollectionSpec, batch: Batch, *, done_count: int) -> MilvusLabError:
    """The error itself when nothing was written, else one that says how much was."""
    if done_count == 0:
        return error
    keys = batch.columns.get(spec.primary.name)
    failed = as_list(keys[done_count:]) if keys is not None else []
    return PartialError(
        f"{done_count:,} of {batch.row_count:,} rows were written: {error.message}",
        done_count=done_count,
        failed_ids=failed,
        hint=error.hint or "write the rest again",
    )


def _slices(values: list[Any], length: int) -> list[list[Any]]:
    return [values[begin : begin + length] for begin in range(0, len(values), length)]
