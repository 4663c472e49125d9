"""The writes of a case beside its searches: which rows, and how what they added is taken away again.

Upserts put the rows of the data set where they are, with the same values. Inserts add the same vectors under keys
behind those of the data set, and deletes take the inserted ones away. So the true neighbours stay true by distance
while everything is written: an added row lies exactly where another one does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from milvuslab.bench.case import VECTOR_FIELD, Case
from milvuslab.bench.collection import BUCKET_FIELD, ID_FIELD
from milvuslab.bench.metrics import compute_metrics
from milvuslab.bench.mixed import WriteLoad, delete_load, insert_load, upsert_load
from milvuslab.bench.record import Record
from milvuslab.bench.schedule import constant_schedule
from milvuslab.gateway import RetryPolicy, connect
from milvuslab.model.errors import CheckFailedError

if TYPE_CHECKING:
    from milvuslab.data.vectors import VectorSet
    from milvuslab.gateway import Gateway

__all__ = ["WRITE_METRICS", "check_writes", "describe_writes", "open_writes"]

WRITE_METRICS = ("qps", "latency_ms_p50", "latency_ms_p95", "latency_ms_p99", "lateness_ms_p99", "error_ratio")
"""What is told of writes; `qps` counts calls."""


@contextmanager
def open_writes(case: Case, gateway: Gateway, vectors: VectorSet, name: str) -> Iterator[list[WriteLoad]]:
    """The loads of a case; what they inserted is gone when the context ends.

    They have a connection of their own that tries nothing again, so that each failure is seen.

    Raises:
        UnreachableError, TimedOutError: the server does not answer.
    """
    writes, duration_s = case.writes, case.load.duration_s
    wanted = {kind: rate for kind, rate in writes.rates.items() if rate}
    schedules = {kind: constant_schedule(rate_per_s=rate, duration_s=duration_s) for kind, rate in wanted.items()}
    rows = _Rows(vectors, writes.batch_rows)
    with connect(gateway.endpoint, call_timeout_s=case.load.timeout_s, retry=RetryPolicy.never()) as own:
        loads = []
        if "insert" in wanted:
            loads.append(insert_load(own, name, rows.added, schedule=schedules["insert"]))
        if "upsert" in wanted:
            loads.append(upsert_load(own, name, rows.standing, schedule=schedules["upsert"]))
        if "delete" in wanted:
            loads.append(delete_load(own, name, rows.added_ids, schedule=schedules["delete"]))
        try:
            yield loads
        finally:
            for number in range(len(schedules.get("insert", ()))):
                gateway.rows.delete(name, ids=rows.added_ids(number))


def describe_writes(records: Mapping[str, Record]) -> dict[str, dict[str, float | None]]:
    """By kind: `request_count`, `failed_count` and the metrics of `WRITE_METRICS`."""
    described: dict[str, dict[str, float | None]] = {}
    for kind, record in records.items():
        values = compute_metrics(record, k=1)
        failed_count = int((~record.is_answered).sum())
        described[kind] = {
            "request_count": record.request_count,
            "failed_count": failed_count,
            **{metric: values[metric] for metric in WRITE_METRICS},
        }
    return described


def check_writes(case: Case, records: Mapping[str, Record]) -> None:
    """Returns when no more writes failed than the case allows.

    Raises:
        CheckFailedError: more did; the message names what failed most often.
    """
    for kind, record in records.items():
        counts = record.error_counts
        ratio = sum(counts.values()) / max(1, record.request_count)
        if ratio > case.limits.error_ratio_max:
            worst = max(counts, key=lambda code: counts[code])
            raise CheckFailedError(
                f"errors: {ratio:.1%} of {record.request_count:,} calls of {kind} failed, most often {worst}: "
                f"{record.errors[worst]}",
                findings=[f"{code}: {count}" for code, count in counts.items()],
                hint="see how the server stands: milvuslab server status, milvuslab server logs",
            )


class _Rows:
    """Batches by number; all of them come from one block that was read before the clock runs."""

    def __init__(self, vectors: VectorSet, batch_rows: int) -> None:
        self._first_key = vectors.row_count
        self._count = min(vectors.row_count, 10_000)
        self._vectors = vectors.read_rows(0, self._count)
        self._buckets = vectors.buckets(0, self._count)
        self._batch_rows = batch_rows

    def standing(self, number: int) -> Mapping[str, Any]:
        """Rows of the data set as they are."""
        places = self._places(number)
        return self._columns(places.astype(np.int64), places)

    def added(self, number: int) -> Mapping[str, Any]:
        """Rows with the same vectors under keys of their own."""
        return self._columns(np.asarray(self.added_ids(number), dtype=np.int64), self._places(number))

    def added_ids(self, number: int) -> Sequence[int]:
        """The keys of `added`."""
        first = self._first_key + number * self._batch_rows
        return range(first, first + self._batch_rows)

    def _places(self, number: int) -> Any:
        return (number * self._batch_rows + np.arange(self._batch_rows)) % self._count

    def _columns(self, ids: Any, places: Any) -> Mapping[str, Any]:
        return {ID_FIELD: ids, VECTOR_FIELD: self._vectors[places], BUCKET_FIELD: self._buckets[places]}
