"""The raw record of a run: one row a request, whatever became of it, and what it found.

Everything a report says about a run is worked out of this and nothing else. On disk a record is a folder with
`record.json` (format, kind, counts, error samples) and `columns.npz` (the columns), written in that order reversed,
so that a folder with a `record.json` is whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from milvuslab.machine import record as file_record
from milvuslab.model.errors import ConfigError
from milvuslab.model.search import Hits

__all__ = ["CODES", "Record", "code_number", "id_numbers", "read_record", "tables_of", "write_record"]

_FORMAT = 1

CODES = (
    "ok", "unreachable", "timed_out", "rate_limited", "rejected", "not_found", "conflict", "schema", "filter",
    "unsupported", "limit", "forbidden", "config", "usage", "server", "partial", "milvus_lab",
)  # fmt: skip
"""What the numbers in the column `code` mean: `ok`, then the `code` of our errors. New ones go to the end."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """What happened in one run. Rows are requests in the order of their intended times.

    Times are nanoseconds of a monotonic clock since the begin of the run.

    Attributes:
        kind: `open` sends by a schedule, `closed` sends when an answer came.
        intended_ns: (n,) int64, when each request was to be sent; in a closed loop when it was.
        sent_ns: (n,) int64, when the client began to send it.
        done_ns: (n,) int64, when its answer or failure was there.
        query_row: (n,) int64, the first of its `batch_rows` queries.
        code: (n,) int16, position in `CODES`; 0 is an answer without failure.
        batch_rows: queries in each request.
        ids: (n * batch_rows, k) int64, best first; -1 where a row was not found or the request failed. Text keys are
            numbered by `id_numbers`.
        distances: (n * batch_rows, k) float32 ascending, smaller is closer; +inf beside an id of -1.
        errors: one message for each code that occurred.
        client_cpu_s: CPU time of this process from the first request to the last answer, all threads.
        parse_cpu_s: CPU time spent afterwards to parse the answers.
        wall_s: from the begin of the run to the last answer.
        warm_up_count: requests sent before the run, not among the rows.
        in_flight_max: most requests under way at once.
    """

    kind: Literal["open", "closed"]
    intended_ns: npt.NDArray[np.int64]
    sent_ns: npt.NDArray[np.int64]
    done_ns: npt.NDArray[np.int64]
    query_row: npt.NDArray[np.int64]
    code: npt.NDArray[np.int16]
    batch_rows: int
    ids: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float32]
    errors: Mapping[str, str] = dataclasses.field(default_factory=dict)
    client_cpu_s: float
    parse_cpu_s: float
    wall_s: float
    warm_up_count: int = 0
    in_flight_max: int = 0

    def __post_init__(self) -> None:
        count = len(self.intended_ns)
        assert {len(self.sent_ns), len(self.done_ns), len(self.query_row), len(self.code)} == {count}, "one row each"
        assert self.ids.shape == self.distances.shape, "an id has a distance"
        assert len(self.ids) == count * self.batch_rows, "a query has a row"

    @property
    def request_count(self) -> int:
        """How many requests were sent."""
        return len(self.intended_ns)

    @property
    def is_answered(self) -> npt.NDArray[np.bool_]:
        """(n,) whether each request got an answer that carries no failure."""
        return np.equal(self.code, 0)

    @property
    def error_counts(self) -> dict[str, int]:
        """How many requests failed, by code."""
        numbers, counts = np.unique(self.code[self.code != 0], return_counts=True)
        return {CODES[number]: int(count) for number, count in zip(numbers, counts, strict=True)}

    @property
    def query_of_row(self) -> npt.NDArray[np.int64]:
        """(n * batch_rows,) the query that each row of `ids` answers."""
        return (self.query_row[:, np.newaxis] + np.arange(self.batch_rows)).reshape(-1)


def code_number(code: str) -> int:
    """Position of an error's code in `CODES`; of one that is not there, that of `milvus_lab`."""
    return CODES.index(code) if code in CODES else CODES.index("milvus_lab")


def id_numbers(ids: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Keys as int64: numbers stay, texts become 63 bits of their BLAKE2b digest, the same on every machine.

    Two of a million texts meet with a chance of 1 in 18 million.
    """
    if ids.dtype != object:
        return ids.astype(np.int64, copy=False)
    digests = [hashlib.blake2b(str(key).encode(), digest_size=8).digest() for key in ids]
    return np.fromiter((int.from_bytes(one, "big") >> 1 for one in digests), np.int64, len(digests))


def tables_of(hits: Hits, *, k: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Ids and distances as tables (nq, k); the slots of a short answer hold -1 and +inf."""
    ids = np.full((hits.query_count, k), -1, dtype=np.int64)
    distances = np.full((hits.query_count, k), np.inf, dtype=np.float32)
    numbers, nearness = id_numbers(hits.ids), hits.distances
    for query in range(hits.query_count):
        rows = hits.of_query(query)
        count = min(k, rows.stop - rows.start)
        ids[query, :count] = numbers[rows][:count]
        distances[query, :count] = nearness[rows][:count]
    return ids, distances


_COLUMNS = ("intended_ns", "sent_ns", "done_ns", "query_row", "code", "ids", "distances")
_VALUES = (
    "kind", "batch_rows", "errors", "client_cpu_s", "parse_cpu_s", "wall_s", "warm_up_count", "in_flight_max",
)  # fmt: skip


def write_record(record: Record, folder: Path) -> None:
    """Writes the record into the folder, which is made; one that is there is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    head = folder / "record.json"
    head.unlink(missing_ok=True)
    np.savez_compressed(folder / "columns.npz", **{name: getattr(record, name) for name in _COLUMNS})
    values = {name: getattr(record, name) for name in _VALUES}
    file_record.write_record(head, {**values, "errors": dict(record.errors), "codes": list(CODES)}, version=_FORMAT)


def read_record(folder: Path) -> Record:
    """The record that `write_record` wrote.

    Raises:
        FileNotFoundError: there is none, or it was not written to the end.
        ConfigError: it is damaged, or of a newer format.
    """
    values = file_record.read_record(folder / "record.json", version=_FORMAT)
    try:
        with (folder / "columns.npz").open("rb") as file, np.load(file, allow_pickle=False) as columns:
            return Record(**{name: columns[name] for name in _COLUMNS}, **{name: values[name] for name in _VALUES})
    except (KeyError, ValueError, AssertionError, zipfile.BadZipFile) as error:
        raise ConfigError(f"the record in {folder} is damaged: {error}", hint="repeat the run") from error
