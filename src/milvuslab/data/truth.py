"""Exact answers to compare with, worked out once and kept.

A kept answer is found by what was asked: content of the set and of the queries, metric, depth and filter, never by name
or row count. It carries its question and a checksum; a file that is cut, changed or of another question is never
served, but worked out again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import json
import logging
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from milvuslab.data.nearest import Nearest
from milvuslab.data.vectors.vector_set import Vectors, VectorSet
from milvuslab.model.errors import UsageError
from milvuslab.model.metric import Metric
from milvuslab.model.progress import Observer, Progress, silent

__all__ = ["Truth", "find_truth"]

_log = logging.getLogger("milvuslab.data")

_FORMAT = 1
_BLOCK_BYTES = 64 << 20


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """The true nearest neighbours of every query.

    Attributes:
        ids: (nq, k) int64 row numbers, nearest first, never padded; equal distances by id, the smaller first.
        distances: (nq, k) float32 `distance`, ascending, rounded from float64.
        k: neighbours of each query.
        metric: what was compared by.
        checksum: SHA-256 in hexadecimal of the question: set, queries, metric, k and filter. Equal checksums mean that
            the same was asked of the same content.
    """

    ids: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float32]
    k: int
    metric: Metric
    checksum: str


def find_truth(
    vectors: VectorSet,
    *,
    metric: Metric,
    k: int,
    bucket_below: int | None = None,
    queries: Vectors | None = None,
    cache_dir: Path | None,
    observer: Observer = silent,
) -> Truth:
    """The exact k nearest rows of every query, from the cache where it was asked before.

    Args:
        vectors: the set; its ids are its row numbers.
        metric: L2, IP or COSINE for float vectors, HAMMING or JACCARD for binary ones.
        k: neighbours wanted, at most the rows that pass.
        bucket_below: only rows whose bucket is below it count; None takes every row.
        queries: (nq, dim) to ask instead of the set's own.
        cache_dir: where answers are kept, in `truth/`; None keeps nothing.
        observer: told of rows compared.

    Raises:
        UsageError: the metric does not fit the vectors, the queries do not, or fewer than k rows pass.
    """
    asked = _checked_queries(vectors, vectors.queries if queries is None else queries)
    _check_question(vectors, metric=metric, k=k)
    question = {
        "format": _FORMAT,
        "vectors": vectors.checksum,
        "queries": _digest(asked),
        "metric": str(metric),
        "k": k,
        "bucket_below": bucket_below,
        "bucket_seed": vectors.bucket_seed if bucket_below is not None else None,
    }
    checksum = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
    path = cache_dir / "truth" / f"{checksum}.npz" if cache_dir else None
    kept = _read(path, question) if path else None
    if kept is None:
        kept = _compute(vectors, asked, metric=metric, k=k, bucket_below=bucket_below, observer=observer)
        if path:
            _write(path, question, *kept)
    return Truth(ids=kept[0], distances=kept[1], k=k, metric=metric, checksum=checksum)


_Tables = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]


def _compute(
    vectors: VectorSet, queries: Vectors, *, metric: Metric, k: int, bucket_below: int | None, observer: Observer
) -> _Tables:
    nearest = Nearest(queries, k=k, metric=metric)
    passed_count = 0
    for start, block in vectors.iter_blocks(_block_rows(vectors)):
        stop = start + len(block)
        ids, rows = np.arange(start, stop, dtype=np.int64), block
        if bucket_below is not None:
            passes = vectors.buckets(start, stop) < bucket_below
            ids, rows = ids[passes], block[passes]
        passed_count += len(ids)
        nearest.add(ids, rows)
        observer(Progress(step="compare exactly", done_count=stop, total_count=vectors.row_count, unit="rows"))
    if passed_count < k:
        raise UsageError(
            f"{passed_count} rows of {vectors.name} pass the filter, fewer than k = {k}",
            hint="take a smaller k, a wider filter or more rows",
        )
    return nearest.ids, nearest.distances.astype(np.float32)


def _block_rows(vectors: VectorSet) -> int:
    return max(4_096, _BLOCK_BYTES // (vectors.dim * 4))


def _checked_queries(vectors: VectorSet, queries: Vectors) -> Vectors:
    wanted = np.uint8 if vectors.is_binary else np.float32
    width = vectors.dim // 8 if vectors.is_binary else vectors.dim
    queries = np.ascontiguousarray(queries)
    if queries.ndim != 2 or queries.shape[1] != width or not len(queries):
        raise UsageError(f"queries of shape {queries.shape} for {vectors.name}", hint=f"pass (queries, {width})")
    if queries.dtype != wanted:
        raise UsageError(f"queries of type {queries.dtype} for {vectors.name}", hint=f"pass {np.dtype(wanted)}")
    if not vectors.is_binary and not np.isfinite(queries).all():
        row = int(np.argmax(~np.isfinite(queries).all(axis=1)))
        raise UsageError(f"query {row} has a value that is no finite number", hint="leave it out or repair it")
    return queries


def _check_question(vectors: VectorSet, *, metric: Metric, k: int) -> None:
    valid = [Metric.HAMMING, Metric.JACCARD] if vectors.is_binary else [Metric.L2, Metric.IP, Metric.COSINE]
    if metric not in valid:
        kind = "binary" if vectors.is_binary else "float"
        raise UsageError(
            f"metric {metric} for the {kind} vectors of {vectors.name}", hint=f"valid: {', '.join(map(str, valid))}"
        )
    if not 1 <= k <= vectors.row_count:
        raise UsageError(f"k is {k}, {vectors.name} has {vectors.row_count} rows", hint="take a smaller k or more rows")


def _write(
    path: Path, question: dict[str, Any], ids: npt.NDArray[np.int64], distances: npt.NDArray[np.float32]
) -> None:
    """Written beside, synced, renamed: a reader sees a whole file or none."""
    header = json.dumps({"question": question, "content": _digest(ids, distances)}, sort_keys=True).encode()
    content = io.BytesIO()
    np.savez(content, header=np.frombuffer(header, dtype=np.uint8), ids=ids, distances=distances)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".truth-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.getvalue())
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _read(path: Path, question: dict[str, Any]) -> _Tables | None:
    """What is kept for the question, or None where nothing whole is."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            header = json.loads(file["header"].tobytes())
            ids, distances = file["ids"], file["distances"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        _log.warning("kept truth %s is damaged and worked out again: %s", path, error)
        return None
    if header != {"question": question, "content": _digest(ids, distances)}:
        _log.warning("kept truth %s is not what it says and worked out again", path)
        return None
    return ids, distances


def _digest(*arrays: npt.NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
