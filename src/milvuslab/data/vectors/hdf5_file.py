"""Files of ann-benchmarks: HDF5 with `train`, `test`, `neighbors`, `distances` and the attribute `distance`.

Distances in them, source: erikbern/ann-benchmarks, `ann_benchmarks/distance.py`: euclidean with its root taken,
angular as 1 - cosine, hamming as the share of differing bits, jaccard as 1 - similarity.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from milvuslab.data.vectors.file_rows import as_bits, as_floats, check_table, damaged
from milvuslab.data.vectors.vector_set import GivenTruth, Vectors
from milvuslab.model.errors import UnsupportedError, missing_extra
from milvuslab.model.metric import Metric

__all__ = ["Hdf5File", "open_hdf5"]

_METRICS = {
    "euclidean": Metric.L2,
    "angular": Metric.COSINE,
    "dot": Metric.IP,
    "ip": Metric.IP,
    "hamming": Metric.HAMMING,
    "jaccard": Metric.JACCARD,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hdf5File:
    """A file with vectors to store, queries and maybe their neighbours; opened while a block is read."""

    path: Path
    row_count: int
    dim: int
    is_binary: bool
    width: int
    """Columns of `train`; `dim` is the next multiple of 8 for bits."""
    metric: Metric | None
    query_count: int

    def read(self, start: int, stop: int) -> Vectors:
        """(n, dim) float32, or (n, dim / 8) uint8, of `train`."""
        return self._read("train", start, stop)

    def read_queries(self, count: int) -> Vectors:
        """The first rows of `test`."""
        return self._read("test", 0, min(count, self.query_count))

    def read_truth(self, count: int) -> GivenTruth | None:
        """`neighbors`, and `distances` turned into ours, of the first queries; None where the file has none.

        Raises:
            SchemaError: a neighbour is no row, or the tables do not fit the queries.
        """
        with _opened(self.path) as file:
            if "neighbors" not in file:
                return None
            ids = np.asarray(file["neighbors"][:count], dtype=np.int64)
            distances = np.asarray(file["distances"][:count], dtype=np.float32) if "distances" in file else None
        if len(ids) != min(count, self.query_count) or (distances is not None and distances.shape != ids.shape):
            raise damaged(self.path, "neighbors, distances and test do not fit together")
        if ids.size and not (ids.min() >= 0 and ids.max() < self.row_count):
            raise damaged(self.path, f"a neighbour is no row of train: ids from {ids.min()} to {ids.max()}")
        return ids, None if distances is None else _as_ours(distances, metric=self.metric, width=self.width)

    def _read(self, name: str, start: int, stop: int) -> Vectors:
        with _opened(self.path) as file:
            try:
                rows = file[name][start:stop]
            except OSError as error:
                raise damaged(self.path, f"{name} cannot be read from row {start} on: {error}") from None
        return as_bits(rows) if self.is_binary else as_floats(self.path, rows, first_row=start)


def open_hdf5(path: Path) -> Hdf5File:
    """The file, its tables checked against one another.

    Raises:
        SchemaError: no HDF5 file, tables missing or of other widths, an unknown distance.
        UnsupportedError: h5py is missing, or the vectors are sets of unequal size.
    """
    with _opened(path) as file:
        for name in ("train", "test"):
            if name not in file:
                raise damaged(path, f"no table {name!r}; there are: {', '.join(sorted(file)) or 'none'}")
        train, test = file["train"], file["test"]
        word = _text(file.attrs.get("distance", ""))
        if train.ndim == 1:
            raise UnsupportedError(f"sets of unequal size in {path.name}", needs="vectors of one width", has="lists")
        if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1]:
            raise damaged(path, f"train has shape {train.shape}, test {test.shape}")
        if word and word not in _METRICS:
            raise damaged(path, f"distance {word!r} is unknown", hint=f"valid: {', '.join(sorted(_METRICS))}")
        metric = _METRICS.get(word)
        is_binary = train.dtype.kind == "b" or bool(metric and metric.is_binary)
        dim = -(-train.shape[1] // 8) * 8 if is_binary else train.shape[1]
        check_table(path, row_count=len(train), dim=dim)
        if not len(test):
            raise damaged(path, "test has no query")
        return Hdf5File(
            path=path,
            row_count=len(train),
            dim=dim,
            is_binary=is_binary,
            width=train.shape[1],
            metric=metric,
            query_count=len(test),
        )


def _as_ours(distances: Any, *, metric: Metric | None, width: int) -> Any:
    if metric is Metric.L2:
        return distances**2
    if metric is Metric.HAMMING:
        return np.rint(distances * width)
    return distances


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        import h5py
    except ModuleNotFoundError:
        raise missing_extra("h5py", "bench") from None
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise damaged(path, f"no whole HDF5 file: {error}") from None
    with file:
        yield file


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
