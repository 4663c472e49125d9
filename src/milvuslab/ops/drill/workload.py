"""What runs while something is broken: writers that keep a ledger, readers that know what they must find.

Each operation is called at a fixed rate with a deadline and without any repeat, whatever became of the calls before. Every row
follows from its key and version, so the checker can tell each content that a key ever had.

Keys below `SEED_COUNT` are written before the drill and left alone: a search for one of their vectors must find the key first, a
query must bring it. An upsert or a deletion takes a key out of the pool, and gives it back when the server acknowledged;
a key of which nobody knows any more is not written again, so that what it must hold stays decidable.
"""

from __future__ import annotations

import collections
import functools
import itertools
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from milvuslab.gateway import Gateway
from milvuslab.journal.digest import compute_row_digests
from milvuslab.journal.ledger import Action, Entry, Ledger
from milvuslab.model.collection import CollectionSpec, Consistency, DataType, FieldSpec
from milvuslab.model.errors import CheckFailedError, MilvusLabError, RateLimitedError
from milvuslab.model.filter import where
from milvuslab.model.index import IndexSpec
from milvuslab.model.metric import Metric
from milvuslab.ops.drill.timeline import OPERATIONS, WRONG_ANSWER, Probe

__all__ = ["COLLECTION", "SEED_COUNT", "Workload", "fill_collection", "make_rows", "read_digests", "start_clock"]

COLLECTION = "milvuslab_drill"
SEED_COUNT = 1_000
_POOL_COUNT = 2_000
_FIRST_KEY = 1_000_000
_DIM = 16
_ROWS_PER_INSERT = 4
_SCHEMA = (
    FieldSpec(name="key", data_type=DataType.INT64, is_primary=True),
    FieldSpec(name="version", data_type=DataType.INT64),
    FieldSpec(name="vector", data_type=DataType.FLOAT_VECTOR, dim=_DIM),
)
_INDEX = IndexSpec(field_name="vector", index_type="FLAT", metric=Metric.L2)
"""Exact, so that a row that is not found is a row that was not looked at."""


def make_rows(keys: Sequence[int], versions: Sequence[int]) -> dict[str, Any]:
    """The rows of these keys in these versions, as columns; the same every time."""
    vectors = [
        np.random.default_rng((key, version)).random(_DIM, np.float32) for key, version in _pairs(keys, versions)
    ]
    return {
        "key": np.asarray(keys, dtype=np.int64),
        "version": np.asarray(versions, dtype=np.int64),
        "vector": np.asarray(vectors, dtype=np.float32).reshape(len(keys), _DIM),
    }


def fill_collection(gateway: Gateway, name: str, *, ledger: Ledger, replica_count: int = 1) -> list[int]:
    """A new collection with its first rows, indexed, loaded and searchable; the keys that writers may change.

    Args:
        gateway: the server.
        name: of the collection; one of that name is dropped first.
        ledger: takes down the rows.
        replica_count: copies in memory, on as many query nodes.
    """
    gateway.collections.drop(name)
    gateway.collections.create(_spec(name), [_INDEX])
    keys = [*range(SEED_COUNT), *range(_FIRST_KEY, _FIRST_KEY + _POOL_COUNT)]
    rows = make_rows(keys, [0] * len(keys))
    number = ledger.invoke("insert", _entries(rows))
    gateway.rows.insert(name, rows)
    ledger.ok(number)
    gateway.collections.flush(name)
    gateway.indexes.wait(name, "vector")
    gateway.collections.load(name, replica_count=replica_count)
    return keys[SEED_COUNT:]


def read_digests(gateway: Gateway, name: str) -> list[tuple[int, str]]:
    """Key and digest of every row that the server holds now, everything acknowledged before included."""
    found: list[tuple[int, str]] = []
    for page in gateway.rows.iterate(name, fields=[field.name for field in _SCHEMA], consistency=Consistency.STRONG):
        digests = compute_row_digests(_spec(name), page)
        found += [(int(key), digest.hex()) for key, digest in zip(page["key"], digests, strict=True)]
    return found


class Workload:
    """Calls the five operations until it is stopped. Use it in a `with`.

    Args:
        connect: opens a connection of its own for each operation.
        name: the collection, as `fill_collection` left it.
        ledger: takes down every write.
        free_keys: that writers may change.
        rate_per_s: calls of each operation.
        timeout_s: deadline of a call.
        now_s: seconds since the beginning of the drill.
        observe: is given each probe as it ends; called from many threads.
    """

    def __init__(
        self,
        connect: Callable[[], Gateway],
        *,
        name: str,
        ledger: Ledger,
        free_keys: Sequence[int],
        rate_per_s: float,
        timeout_s: float,
        now_s: Callable[[], float],
        observe: Callable[[Probe], None] = lambda _: None,
    ) -> None:
        self._name = name
        self._ledger = ledger
        self._free = collections.deque((key, 0) for key in free_keys)
        self._next_key = itertools.count(_FIRST_KEY + _POOL_COUNT)
        self._dice = itertools.cycle(np.random.default_rng(1).permutation(SEED_COUNT).tolist())
        self._rate_per_s = rate_per_s
        self._now_s = now_s
        self._observe = observe
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._probes: list[Probe] = []
        self._gateways = {operation: connect() for operation in OPERATIONS}
        worker_count = math.ceil(rate_per_s * timeout_s) + 2
        self._pools = {operation: ThreadPoolExecutor(worker_count, operation) for operation in OPERATIONS}
        self._threads = [threading.Thread(target=self._send, args=(operation,)) for operation in OPERATIONS]
        for operation in OPERATIONS:
            self._call(operation)  # opens the connection and learns the schema while nothing is broken yet

    def __enter__(self) -> Workload:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def probes(self) -> list[Probe]:
        """All that ended so far, in the order in which they did."""
        with self._lock:
            return list(self._probes)

    def stop(self) -> None:
        """Sends nothing more, waits for what is under way and closes the connections; once is enough."""
        self._stopped.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        for pool in self._pools.values():
            pool.shutdown()
        for gateway in self._gateways.values():
            gateway.close()

    def _send(self, operation: str) -> None:
        """Hands a call to the pool whenever one is due, whatever the calls before are doing."""
        begin_s = self._now_s()
        for number in itertools.count():
            due_s = begin_s + number / self._rate_per_s
            if self._stopped.wait(max(0.0, due_s - self._now_s())):
                return
            self._pools[operation].submit(self._probe, operation, due_s)

    def _probe(self, operation: str, due_s: float) -> None:
        error = ""
        try:
            self._call(operation)
        except CheckFailedError as failure:
            error = f"{WRONG_ANSWER}: {failure.message}"
        except MilvusLabError as failure:
            error = f"{failure.code}: {failure.message}"[:110]
        except Exception as failure:  # noqa: BLE001  (a probe that breaks is a failed call, not a silent thread)
            error = f"{type(failure).__name__}: {failure}"[:110]
        probe = Probe(operation, due_s, self._now_s(), not error, error)
        with self._lock:
            self._probes.append(probe)
        self._observe(probe)

    def _call(self, operation: str) -> None:
        calls: Mapping[str, Callable[[Gateway], None]] = {
            "insert": self._insert,
            "upsert": self._upsert,
            "delete": self._delete,
            "search": self._search,
            "query": self._query,
        }
        calls[operation](self._gateways[operation])

    def _insert(self, gateway: Gateway) -> None:
        keys = [next(self._next_key) for _ in range(_ROWS_PER_INSERT)]
        rows = make_rows(keys, [0] * len(keys))
        self._write("insert", rows, functools.partial(gateway.rows.insert, self._name, rows))
        self._free.extend((key, 0) for key in keys)

    def _upsert(self, gateway: Gateway) -> None:
        key, version = self._free.popleft()
        rows = make_rows([key], [version + 1])
        self._write("upsert", rows, functools.partial(gateway.rows.upsert, self._name, rows))
        self._free.append((key, version + 1))

    def _delete(self, gateway: Gateway) -> None:
        key, version = self._free.popleft()
        rows = make_rows([key], [version])
        self._write("delete", rows, functools.partial(gateway.rows.delete, self._name, ids=[key]))

    def _write(self, action: Action, rows: Mapping[str, Any], send: Callable[[], Any]) -> None:
        number = self._ledger.invoke(action, _entries(rows))
        try:
            send()
        except RateLimitedError as error:  # refused at the door
            self._ledger.fail(number, error.message)
            raise
        except BaseException as error:
            # Even a refusal may come after the message queue has taken the rows: nobody knows.
            self._ledger.unknown(number, str(error))
            raise
        self._ledger.ok(number)

    def _search(self, gateway: Gateway) -> None:
        with self._lock:
            key = next(self._dice)
        hits = gateway.search(
            self._name, make_rows([key], [0])["vector"], field="vector", limit=3,
            consistency=Consistency.BOUNDED,
        )  # fmt: skip
        if len(hits.ids) == 0 or int(hits.ids[0]) != key:
            raise CheckFailedError(f"a search found not key {key} but {hits.ids.tolist()[:3]}", findings=[])

    def _query(self, gateway: Gateway) -> None:
        with self._lock:
            key = next(self._dice)
        rows = gateway.rows.query(
            self._name, where=where("key") == key, fields=["key", "version"], consistency=Consistency.BOUNDED
        )
        if list(rows["key"]) != [key]:
            raise CheckFailedError(f"a query did not find key {key}", findings=[])


def _spec(name: str) -> CollectionSpec:
    return CollectionSpec(name=name, fields=_SCHEMA, consistency=Consistency.BOUNDED)


def _pairs(keys: Sequence[int], versions: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip(keys, versions, strict=True))


def _entries(rows: Mapping[str, Any]) -> list[Entry]:
    digests = compute_row_digests(_spec("rows"), rows)
    return [
        Entry(int(key), int(version), digest.hex())
        for key, version, digest in zip(rows["key"], rows["version"], digests, strict=True)
    ]


def start_clock() -> Callable[[], float]:
    """Seconds since this call."""
    begin_s = time.monotonic()
    return lambda: time.monotonic() - begin_s
