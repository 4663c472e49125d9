"""The data of a case: vectors, queries, true neighbours; and whether the server is the one that the case means."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from milvuslab.bench.case import Case
from milvuslab.bench.stored import read_collection
from milvuslab.model.errors import CheckFailedError, ConfigError, SchemaError, UnsupportedError
from milvuslab.model.progress import Observer, silent

if TYPE_CHECKING:
    from milvuslab.data.truth import Truth
    from milvuslab.data.vectors import VectorSet
    from milvuslab.gateway import Gateway

__all__ = ["check_truth", "check_version", "find_truths", "open_dataset"]

_SAMPLE_QUERIES = 16
_SAMPLE_ROWS_MAX = 2_000_000
_TOLERANCE = 1e-3


def check_version(gateway: Gateway, case: Case) -> None:
    """Returns when the server's version begins as the case wants it.

    Raises:
        UnsupportedError: it is another one.
    """
    wanted = case.server.version.lstrip("v")
    found = gateway.server_version.lstrip("v")
    if wanted and not (found == wanted or found.startswith((f"{wanted}.", f"{wanted}-"))):
        raise UnsupportedError(
            f"wrong version: the case {case.name}",
            needs=f"Milvus {wanted}",
            has=f"Milvus {found} at {gateway.endpoint.safe_uri}",
            hint="name the right server: --server NAME, see milvuslab server list",
        )


def open_dataset(case: Case, *, gateway: Gateway, observer: Observer = silent) -> VectorSet:
    """The vectors and queries that the case names.

    Raises:
        NotFoundError: there is no such file or collection.
        SchemaError: the file has another dimension than the case says, or other vectors than its metric compares.
        ConfigError: the file has fewer rows than hits are asked for.
    """
    from milvuslab.data.vectors import make_binary, make_clustered, open_vectors

    data = case.dataset
    if data.kind == "clustered":
        return make_clustered(
            row_count=data.row_count, dim=data.dim, query_count=data.query_count,
            intrinsic_dim=min(data.intrinsic_dim, data.dim), seed=data.seed,
        )  # fmt: skip
    if data.kind == "binary":
        return make_binary(row_count=data.row_count, dim=data.dim, query_count=data.query_count, seed=data.seed)
    if data.kind == "collection":
        vectors, metric = read_collection(
            gateway, data.collection, field=data.column, query_count=data.query_count,
            row_limit=data.row_count or 1_000_000, seed=data.seed, observer=observer,
        )  # fmt: skip
        vectors = dataclasses.replace(vectors, metric=metric)
        _check_file(case, vectors)
        return vectors
    vectors = open_vectors(
        Path(case.folder) / data.path, query_count=data.query_count, row_limit=data.row_count or None,
        column=data.column or None, is_binary=case.metric.is_binary, seed=data.seed,
    )  # fmt: skip
    _check_file(case, vectors)
    return vectors


def find_truths(
    case: Case, vectors: VectorSet, *, cache_dir: Path | None, observer: Observer = silent
) -> dict[int | None, Truth]:
    """The true neighbours for each filter of the case, by its bucket; None is no filter.

    Neighbours that a file brings are compared with exact search before they count: a file of another data set, or of
    an older state, is refused.

    Raises:
        CheckFailedError: truth is stale or empty.
    """
    from milvuslab.data.truth import find_truth

    found: dict[int | None, Truth] = {}
    for bucket in {setting.bucket_below for setting in case.settings()}:
        truth = find_truth(
            vectors, metric=case.metric, k=case.search.k, bucket_below=bucket, cache_dir=cache_dir, observer=observer
        )
        check_truth(vectors, truth, bucket_below=bucket)
        found[bucket] = truth
    if None in found:
        _check_given(vectors, found[None])
    return found


def check_truth(vectors: VectorSet, truth: Truth, *, bucket_below: int | None = None) -> None:
    """Returns when the truth is one of these vectors: a sample of its queries is searched again, exactly.

    Raises:
        CheckFailedError: it is empty, of another shape, or says other distances.
    """
    from milvuslab.data.truth import find_truth

    if truth.ids.size == 0 or len(truth.ids) != len(vectors.queries) or (truth.ids[:, :1] < 0).all():
        raise _stale("empty truth", vectors, f"it holds {len(truth.ids):,} answers to {len(vectors.queries):,} queries")
    if truth.ids.max() >= vectors.row_count:
        raise _stale("stale truth", vectors, f"it names row {truth.ids.max():,} of {vectors.row_count:,}")
    if vectors.row_count > _SAMPLE_ROWS_MAX:
        return
    some = np.unique(np.linspace(0, len(vectors.queries) - 1, _SAMPLE_QUERIES).astype(np.int64))
    again = find_truth(
        vectors, metric=truth.metric, k=truth.k, bucket_below=bucket_below, queries=vectors.queries[some],
        cache_dir=None,
    )  # fmt: skip
    is_wrong = ~np.isclose(truth.distances[some], again.distances, rtol=_TOLERANCE, atol=_TOLERANCE).all(axis=1)
    if is_wrong.any():
        detail = f"exact search says other distances for {is_wrong.sum()} of {len(some)} queries"
        raise _stale("stale truth", vectors, detail)


def _check_given(vectors: VectorSet, truth: Truth) -> None:
    """Holds the neighbours that came with the data against exact search; by distance, so that ties may differ."""
    if vectors.given_truth is None:
        return
    given = vectors.given_truth[0]
    if given.size == 0:
        raise _stale("empty truth", vectors, "the file of true neighbours holds none")
    count, depth = min(len(given), len(truth.ids)), min(given.shape[1], truth.k)
    shared = [len(np.intersect1d(given[row, :depth], truth.ids[row, :depth])) / depth for row in range(count)]
    agreement = float(np.mean(shared))
    if len(given) != len(truth.ids) or agreement < 0.99:
        raise _stale(
            "stale truth", vectors,
            f"the given neighbours of {len(given):,} queries agree with exact search by {agreement:.1%}",
        )  # fmt: skip


def _check_file(case: Case, vectors: VectorSet) -> None:
    if case.dataset.dim and case.dataset.dim != vectors.dim:
        raise SchemaError(
            f"dimension mismatch: {vectors.name} has {vectors.dim} dimensions, the case says {case.dataset.dim}",
            hint=f"set dataset.dim = {vectors.dim}, or name another file",
        )
    if case.metric.is_binary != vectors.is_binary:
        kind = "bits" if vectors.is_binary else "floats"
        raise SchemaError(
            f"wrong metric: {vectors.name} holds {kind}, which {case.metric} does not compare",
            hint="bits take HAMMING or JACCARD, floats take L2, IP or COSINE",
        )
    if vectors.metric is not None and vectors.metric is not case.metric:
        raise ConfigError(
            f"wrong metric: {vectors.name} is made for {vectors.metric}, the case measures {case.metric}",
            hint=f'set collection.metric = "{vectors.metric}"',
        )
    if case.search.k > vectors.row_count:
        raise ConfigError(
            f"{vectors.name} has {vectors.row_count:,} rows, search.k is {case.search.k:,}", hint="ask for fewer hits"
        )


def _stale(cause: str, vectors: VectorSet, detail: str) -> CheckFailedError:
    return CheckFailedError(
        f"{cause} for {vectors.name}: {detail}",
        findings=[detail],
        hint="remove the file of true neighbours beside the data: they are worked out",
    )
