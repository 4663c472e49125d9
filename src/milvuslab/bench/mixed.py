"""Searches at a rate beside inserts, upserts and deletes at theirs; each kind of operation has a record of its own.

All kinds are open loops that begin together. Searches go as in `bench.driver`; writes are calls that wait, so each
kind has a few threads, and an operation that finds none free counts from its intended time like everything else.
Writes cost the client far more than searches: when it falls behind, the lateness of the record says so.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.bench.clock import Clock
from milvuslab.bench.driver import Searches, Sent, check_schedule, run_open_loop
from milvuslab.bench.record import Record
from milvuslab.gateway import Gateway
from milvuslab.model.errors import MilvusLabError, UsageError
from milvuslab.model.metric import Metric
from milvuslab.model.progress import Observer, silent
from milvuslab.model.search import Hits

__all__ = ["WriteLoad", "delete_load", "insert_load", "run_mixed", "upsert_load"]

_NO_HITS = Hits(
    ids=np.empty(0, dtype=np.int64),
    scores=np.empty(0, dtype=np.float32),
    offsets=np.zeros(2, dtype=np.int64),
    metric=Metric.L2,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WriteLoad:
    """Writes of one kind.

    Attributes:
        kind: the name of its record: `insert`, `upsert`, `delete`.
        schedule: (n,) seconds at which they are to begin.
        write: writes batch 0, 1, ... n - 1; called from several threads; raises our errors.
        thread_count: writes under way at once.
    """

    kind: str
    schedule: npt.NDArray[np.float64]
    write: Callable[[int], object]
    thread_count: int = 4


def insert_load(
    gateway: Gateway,
    name: str,
    make_rows: Callable[[int], Mapping[str, Any]],
    *,
    schedule: npt.NDArray[np.float64],
    thread_count: int = 4,
) -> WriteLoad:
    """Inserts into a collection; `make_rows(number)` gives the columns of a batch.

    Rows are made while the clock runs: make them beforehand, and let `make_rows` look them up.
    """
    return WriteLoad(
        kind="insert",
        schedule=schedule,
        write=lambda number: gateway.rows.insert(name, make_rows(number)),
        thread_count=thread_count,
    )


def upsert_load(
    gateway: Gateway,
    name: str,
    make_rows: Callable[[int], Mapping[str, Any]],
    *,
    schedule: npt.NDArray[np.float64],
    thread_count: int = 4,
) -> WriteLoad:
    """Upserts; see `insert_load`."""
    return WriteLoad(
        kind="upsert",
        schedule=schedule,
        write=lambda number: gateway.rows.upsert(name, make_rows(number)),
        thread_count=thread_count,
    )


def delete_load(
    gateway: Gateway,
    name: str,
    choose_ids: Callable[[int], Sequence[int]],
    *,
    schedule: npt.NDArray[np.float64],
    thread_count: int = 4,
) -> WriteLoad:
    """Deletes by key; `choose_ids(number)` gives the keys of a batch."""
    return WriteLoad(
        kind="delete",
        schedule=schedule,
        write=lambda number: gateway.rows.delete(name, ids=choose_ids(number)),
        thread_count=thread_count,
    )


def run_mixed(
    searches: Searches,
    schedule: npt.NDArray[np.float64],
    writes: Sequence[WriteLoad],
    *,
    timeout_s: float = 10.0,
    warm_up_count: int = 100,
    observer: Observer = silent,
    clock: Clock | None = None,
) -> dict[str, Record]:
    """The records by kind, `search` first.

    A write has no deadline here but its gateway's `call_timeout_s`; connect with `RetryPolicy.never()`, or a failure
    is tried again inside its latency. `client_cpu_s` of each record is that of the whole process: all kinds together.

    Args:
        searches: what is asked.
        schedule: when.
        writes: the other kinds, each with its own name.
        timeout_s: deadline of a search.
        warm_up_count: searches sent before everything begins.
        observer: told how many searches were sent.
        clock: None is the machine's.

    Raises:
        UsageError: two loads have the same kind.
    """
    kinds = ["search", *(load.kind for load in writes)]
    if len(set(kinds)) != len(kinds):
        raise UsageError(f"operations share a name: {', '.join(kinds)}", hint="one load for each kind")
    for one in (schedule, *(load.schedule for load in writes)):
        check_schedule(one)
    start, stop = threading.Barrier(len(kinds)), threading.Event()
    with concurrent.futures.ThreadPoolExecutor(len(kinds), thread_name_prefix="milvuslab-mixed") as pool:
        running = {
            load.kind: pool.submit(_run_writes, load, start=start, stop=stop, timeout_s=timeout_s, clock=clock)
            for load in writes
        }
        try:
            search = run_open_loop(
                searches, schedule, timeout_s=timeout_s, warm_up_count=warm_up_count, observer=observer, clock=clock,
                start=start,
            )  # fmt: skip
        except BaseException:
            stop.set()
            start.abort()
            raise
        return {"search": search, **{kind: future.result() for kind, future in running.items()}}


def _run_writes(
    load: WriteLoad, *, start: threading.Barrier, stop: threading.Event, timeout_s: float, clock: Clock | None
) -> Record:
    with concurrent.futures.ThreadPoolExecutor(load.thread_count, thread_name_prefix=f"milvuslab-{load.kind}") as pool:
        writes = _Writes(load, pool, stop)
        return run_open_loop(writes, load.schedule, timeout_s=timeout_s, warm_up_count=0, clock=clock, start=start)


class _Writes:
    """Writes in the shape of searches that find nothing."""

    batch_rows = 1
    limit = 0

    def __init__(self, load: WriteLoad, pool: concurrent.futures.Executor, stop: threading.Event) -> None:
        self._write = load.write
        self._pool = pool
        self._stop = stop
        self.request_count = len(load.schedule)

    def send(self, index: int, *, timeout_s: float) -> Sent:
        del timeout_s
        if self._stop.is_set():
            raise UsageError("the searches beside these writes were stopped")
        return _SentWrite(self._pool.submit(self._write, index))

    def parse(self, answer_bytes: bytes) -> Hits:
        del answer_bytes
        return _NO_HITS


class _SentWrite:
    def __init__(self, future: concurrent.futures.Future[object]) -> None:
        self._future = future

    def add_done_callback(self, callback: Callable[[Sent], None]) -> None:
        self._future.add_done_callback(lambda _: callback(self))

    def outcome(self) -> bytes | MilvusLabError:
        error = self._future.exception()
        if error is None:
            return b""
        if isinstance(error, MilvusLabError):
            return error
        raise error
