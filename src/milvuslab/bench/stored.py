"""The vectors of somebody's collection as a data set, so that it is tuned on a copy and never touched itself."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from milvuslab.model.errors import ConflictError, NotFoundError, UsageError
from milvuslab.model.metric import Metric
from milvuslab.model.progress import Observer, Progress, silent

if TYPE_CHECKING:
    from milvuslab.data.vectors import VectorSet
    from milvuslab.gateway import Gateway

__all__ = ["StoredRows", "read_collection"]

_QUERY_RATIO = 0.1
_PAGE_ROWS = 4_096


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class StoredRows:
    """Rows that were read from a server; a source of a `VectorSet`."""

    vectors: npt.NDArray[np.float32]

    def read_rows(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """(n, dim) a copy of those rows."""
        return np.array(self.vectors[start:stop], order="C")

    def compute_checksum(self) -> str:
        """Of the bytes."""
        return hashlib.sha256(np.ascontiguousarray(self.vectors).tobytes()).hexdigest()


def read_collection(
    gateway: Gateway,
    name: str,
    *,
    field: str = "",
    query_count: int = 5_000,
    row_limit: int = 1_000_000,
    seed: int = 7,
    observer: Observer = silent,
) -> tuple[VectorSet, Metric]:
    """The vectors of a loaded collection, some of them taken out as queries, and the metric of its index.

    A query that is stored finds itself, and recall looks better than it is: so queries are drawn from the rows and left
    out of the set, at most a tenth of them.

    Args:
        gateway: the server.
        name: the collection; it is only read.
        field: the vector field; empty takes the only one.
        query_count: queries wanted.
        row_limit: most rows read, by ascending key; they are held in memory.
        seed: of the draw.
        observer: told the rows read.

    Raises:
        NotFoundError: the collection or the field is not there, or has no index.
        ConflictError: it is not loaded.
        UsageError: it has too few rows, or its vectors are not dense floats.
    """
    from milvuslab.data.vectors import VectorSet

    field = field or _only_field(gateway, name)
    metric = gateway.indexes.describe(name, field).spec.metric or Metric.L2
    if gateway.collections.load_state(name) != "loaded":
        raise ConflictError(f"collection {name} is not loaded", hint="load it, then tune")
    rows = _read(gateway, name, field, row_limit=row_limit, observer=observer)
    count = min(query_count, int(len(rows) * _QUERY_RATIO))
    if count < 1:
        raise UsageError(f"collection {name} has {len(rows)} rows, too few to draw queries from", hint="add rows")
    is_query = np.zeros(len(rows), dtype=bool)
    is_query[np.random.default_rng(seed).choice(len(rows), size=count, replace=False)] = True
    kept = rows[~is_query]
    vectors = VectorSet(
        name=f"{name}-{len(kept)}x{kept.shape[1]}", row_count=len(kept), dim=kept.shape[1], queries=rows[is_query],
        source=StoredRows(vectors=kept),
    )  # fmt: skip
    return vectors, metric


def _only_field(gateway: Gateway, name: str) -> str:
    fields = [field.name for field in gateway.collections.describe(name).vector_fields]
    if len(fields) != 1:
        raise NotFoundError(
            f"collection {name} has the vector fields {', '.join(fields)}", hint="name one of them: --field"
        )
    return fields[0]


def _read(gateway: Gateway, name: str, field: str, *, row_limit: int, observer: Observer) -> npt.NDArray[np.float32]:
    parts: list[npt.NDArray[np.float32]] = []
    count = 0
    for page in gateway.rows.iterate(name, fields=[field], batch_rows=_PAGE_ROWS):
        part = np.asarray(page[field])
        if part.ndim != 2 or part.dtype != np.float32:
            raise UsageError(f"{name}.{field} holds no dense float vectors", hint="give the data as a file: --data")
        parts.append(part[: row_limit - count])
        count += len(parts[-1])
        observer(Progress(step=f"read {name}", done_count=count, unit="rows"))
        if count >= row_limit:
            break
    if not parts:
        raise UsageError(f"collection {name} is empty", hint="add rows")
    return np.concatenate(parts)
